/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Where a server for this machine alone may listen, as text. */

#include <netinet/in.h>

#include "base/macro.h"

typedef struct LoopbackAddress {
        bool is_path;        /* of a UNIX socket; nothing else is filled in */
        bool has_ipv4, has_ipv6; /* localhost is both */
        struct in_addr ipv4;
        uint16_t port;
} LoopbackAddress;

/*
 * Reads "127.0.0.1:PORT" (or another address of 127.0.0.0/8), "[::1]:PORT", "localhost:PORT", or what has a
 * slash for the path of a UNIX socket. -EINVAL for all else: *RET_PROBLEM is a static text about what stands
 * at *RET_OFFSET bytes.
 */
int loopback_address_parse(const char *s, LoopbackAddress *ret, const char **ret_problem, size_t *ret_offset);
