/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What transient-unit.c (a unit's life) and unit-message.c (what is said to the manager, and read) share. */

#include "process/transient-unit.h"

#define SYSTEMD_SERVICE "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"

/*
 * The call of StartTransientUnit() that REQUEST makes. OUTPUT and ERROR_OUTPUT are duplicated; OWNER is the
 * service that the unit is to end with, or NULL. -EINVAL, -ENOMEM, -errno.
 */
int unit_message_new(sd_bus *bus, const UnitRequest *request, const char *owner, int output, int error_output,
                     sd_bus_message **ret);

/* What GetAll() is read for. */
typedef struct UnitProperties {
        char *active_state;
        char *result;
        int32_t code;
        int32_t status;
        uint32_t pid;
        uint64_t cpu_nsec;
} UnitProperties;

void unit_properties_deinit(UnitProperties *properties);
/* Reads an array a{sv}; what is not in it stays as it is. */
int unit_properties_read(sd_bus_message *m, UnitProperties *properties);

/* What went wrong before the command was executed; NULL: STATUS does not say so. */
const char *unit_setup_failure(int status);
