/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* From one occurrence of a job to the next: the job's timer. */

#include "sched/internal.h"

/* Of Job.timer. */
void occurrence_on_due(Timer *timer, usec_t now_boottime);

/* Arms JOB's timer for its next occurrence, or disarms it where there is none. */
void occurrence_arm(Scheduler *s, Job *job);

/*
 * Whether JOB's timer is armed for OCCURRENCE, which may have been computed anew. The two are compared by the
 * clock that the occurrence stands on: what it is on the other one hangs on when both were read, and differs
 * by some microseconds.
 */
bool occurrence_is_armed(const Job *job, const Occurrence *occurrence);

/* Tells, once, where JOB never runs by schedule again. */
void occurrence_tell_end(Scheduler *s, Job *job);
