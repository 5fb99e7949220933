/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Who may do what with a daemon over its control socket, by the credentials that the kernel vouches for. */

#include "api/api.h"
#include "config/settings.h"

typedef struct Authority {
        uid_t uid; /* of the daemon */
        GroupSetting control;
        GroupSetting read;
} Authority;

/* SOCKET is the path of the control socket, whose group controls where ControlGroup= names no other. */
void authority_init(Authority *authority, const Settings *settings, const char *socket);

/* The right of a peer with these ids; GROUPS are the N that it is in besides GID. */
ApiAuthority authority_of(const Authority *authority, uid_t uid, gid_t gid, const gid_t *groups, size_t n);
