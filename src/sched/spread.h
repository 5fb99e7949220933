/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * How far an occurrence is put off on purpose: RandomizedDelaySec= parts what is due together,
 * AccuracySec= brings together what is due apart. Neither goes beyond the job's next occurrence.
 */

#include "sched/internal.h"

typedef struct Delay {
        usec_t jitter; /* of RandomizedDelaySec= */
        usec_t slack;  /* of AccuracySec= */
} Delay;

/* Accuracies up to this one, the default, are that of the timers: nothing waits for others. */
#define SPREAD_EXACT USEC_PER_MSEC

/* Whether RULES put anything off at all. */
static inline bool spread_applies(const ScheduleSettings *rules)
{
        return rules->random_delay > 0 || rules->accuracy > SPREAD_EXACT;
}

/* At random between 0 and LIMIT, or by FixedRandomDelay= always the same share of it. */
usec_t spread_jitter(Scheduler *s, const Job *job, usec_t limit);
/* How long after DUE the roundest instant up to ACCURACY later comes. */
usec_t spread_slack(usec_t due_boottime, usec_t accuracy);
/*
 * What JOB's occurrence that is due at DUE is put off by; the next one comes GAP later (USEC_INFINITY: none is known).
 * KEPT is the jitter that it has already and keeps where the rules still allow that (USEC_INFINITY: none).
 */
Delay spread_delay(Scheduler *s, const Job *job, usec_t due_boottime, usec_t gap, usec_t kept);
