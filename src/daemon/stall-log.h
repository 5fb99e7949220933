/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Callbacks that held up the loop, as log messages that tell where the time went and, where the callback itself is to
 * blame and not the machine, name the job or the call.
 */

#include "base/rotation.h"
#include "loop/loop.h"

/* So many messages in this time; the first one after it tells how many were left out, and names jobs that they were of. */
#define STALL_LOG_BURST 5U
#define STALL_LOG_INTERVAL (10 * USEC_PER_SEC)
#define STALL_LOG_NAMES_MAX 32U
#define STALL_LOG_NAMES_BYTES 2000U

typedef struct StallLog {
        Loop *loop;
        usec_t began_boottime; /* of the interval */
        unsigned n_logged;     /* in it */
        uint64_t n_folded;
        Rotation folded; /* their jobs */
} StallLog;

/* STALL_LOG is to be zeroed, and lives as long as LOOP. */
void stall_log_init(StallLog *log, Loop *loop);
/* LOG may be zeroed. */
void stall_log_deinit(StallLog *log);
