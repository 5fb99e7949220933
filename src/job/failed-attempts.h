/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The attempts of a run that failed and that another one followed (Retries=), the oldest first: text, so
 * that it is kept and copied as the other strings of a run are.
 */

#include "base/clock.h"
#include "base/macro.h"

/* Of a run that is tried more often, the newest. */
#define FAILED_ATTEMPTS_KEPT 8U

typedef struct FailedAttempt {
        usec_t realtime; /* when it failed */
        unsigned number; /* 1, 2, … */
        const char *reason; /* "exit-status: exit status 1", not terminated */
        size_t reason_len;
} FailedAttempt;

/* Adds one to *LIST, which is NULL where there was none. -ENOMEM leaves it. */
int failed_attempts_add(char **list, usec_t realtime, unsigned number, const char *kind, const char *message);
/* The one at *CURSOR, which is LIST at first and moves on. False: there is none, as where it is NULL. */
bool failed_attempts_next(const char **cursor, FailedAttempt *ret);
