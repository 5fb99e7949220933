/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Properties of a service as unit files write them ("ProtectSystem=strict"), and as systemd's bus interface
 * takes them: systemd.exec(5), systemd.resource-control(5), org.freedesktop.systemd1(5).
 */

#include <systemd/sd-bus.h>

#include "base/macro.h"

/*
 * Appends ASSIGNMENT ("NAME=VALUE") to M as an entry of an array a(sv). M may be NULL, to check it only.
 * -ENOENT: this property is not one of those that are passed on, -EINVAL: the value is not of its type; then
 * *RET_ERROR (may be NULL) is a sentence that the caller frees, or NULL without memory. -ENOMEM.
 */
int unit_property_append(sd_bus_message *m, const char *assignment, char **ret_error);

/* The names of all, with a comma and a blank between them; the caller frees it. NULL: no memory. */
char *unit_property_names(void);
