/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Who asked for something: the client of a call, as the kernel vouches for it (SO_PEERCRED). */

#include <sys/types.h>

#include "base/buffer.h"
#include "json/writer.h"

typedef struct Requester {
        uid_t uid; /* REQUESTER_NO_UID: nobody did, or it is not known */
        pid_t pid; /* 0: it is not known, or of another PID namespace */
} Requester;

#define REQUESTER_NO_UID ((uid_t)-1)
#define REQUESTER_NONE ((Requester){ .uid = REQUESTER_NO_UID })

static inline bool requester_is_known(const Requester *by)
{
        return by && by->uid != REQUESTER_NO_UID;
}

/* Appends " by uid 1000 (pid 4711)", for a sentence; nothing where nobody is known. Names of users are for who reads it. -ENOMEM. */
int requester_append(const Requester *by, Buffer *out);
/* Adds the member KEY, a Client of io.takt.Runs; nothing where nobody is known. */
void requester_write(const Requester *by, const char *key, JsonWriter *w);
