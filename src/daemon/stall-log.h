/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Callbacks that held up the loop, as log messages that name the job or the call. */

#include "loop/loop.h"

/* One message in this time; the next one tells how many were left out. */
#define STALL_LOG_INTERVAL (10 * USEC_PER_SEC)

typedef struct StallLog {
        Loop *loop;
        usec_t logged_boottime; /* 0: never */
        uint64_t n_folded;
} StallLog;

/* STALL_LOG is to be zeroed, and lives as long as LOOP. */
void stall_log_init(StallLog *log, Loop *loop);
