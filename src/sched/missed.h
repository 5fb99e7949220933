/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Occurrences that were due and could not run at their time. The rules:
 *
 * - An occurrence is late, and runs, as long as it comes to its turn within MISSED_GRACE and
 *   AccuracySec= of its time and no later one of the job is due by then. That is a loop that is busy, a
 *   daemon that is restarted, a machine that boots.
 * - What is overtaken by the next one, or later than that, is missed. Missed= says what becomes of it.
 * - A delay (After=, OnStartup=) names no point in time: it is never missed, and caught up on.
 * - A run of missed occurrences is one record with their count, the first and the last of them, and how
 *   late that was noticed.
 */

#include "sched/internal.h"

/* What a restart or a reboot takes; and cron's resolution. */
#define MISSED_GRACE USEC_PER_MINUTE
/* Occurrences on the wall clock that are counted one by one when time was lost; beyond it is "more than". */
#define MISSED_COUNTED_MAX 10000U

typedef enum MissedReason {
        MISSED_AWAY,    /* the machine slept, or the loop was held up */
        MISSED_STOPPED, /* the daemon was stopped */
        MISSED_STEPPED, /* the wall clock was set forward */
        MISSED_PAUSED,
} MissedReason;

/* Some occurrences in a row that did not become runs. */
typedef struct MissedRun {
        uint64_t n;
        bool more; /* there were more than N */
        usec_t first_realtime, last_realtime; /* scheduled times */
        RunState state;   /* RUN_MISSED, RUN_SKIPPED */
        const char *kind; /* the word of the error */
        const char *why;  /* what they did: "came due while …" */
        const char *cause; /* the trigger of the last one, as a RunRequest has it; NULL: it is not known */
} MissedRun;

/* One record of all of them. Nothing where there are none. */
void missed_record(Scheduler *s, Job *job, const MissedRun *missed);

/* How late O is. */
usec_t missed_lateness(const Occurrence *o, const ScheduleNow *now);

/*
 * Accounts for all of JOB that was due up to NOW: the latest one runs where it is only late, others are
 * caught up on or recorded, as the job's rules say. Arms the job's timer. JOB may be gone afterwards.
 */
void missed_account(Scheduler *s, Job *job, const ScheduleNow *now, MissedReason reason);
