/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * A job's place in time from one daemon to the next, by its stamp (job/stamp.h). What goes on:
 *
 * - on the wall clock, what was due since the last occurrence is missed or late: Missed= decides;
 * - in the same boot, the grid of Every= keeps its phase, and After= counts from the end of the last run;
 *   in another boot both begin anew;
 * - the runs that Count= has counted, and the At= that were had.
 *
 * OnStartup= begins anew with each daemon, and so does a job whose [Schedule] is not what it was.
 */

#include "job/stamp.h"
#include "sched/internal.h"

/*
 * A wall clock before this was not set yet: it is a machine without a battery. Such a clock starts jobs, but
 * their times are not kept, and when it is set right nothing between is missed; 2026-01-01.
 */
#define KEEP_EPOCH (UINT64_C(1767225600) * USEC_PER_SEC)

/* Finds the stamp of a new job, or of one whose Resume= is another. */
void keep_open(Scheduler *s, Job *job);
/* Goes on, where there is something to go on from; JOB's state is that of one that begins at NOW. */
void keep_restore(Scheduler *s, Job *job, const ScheduleNow *now);
/* What stands on the wall clock goes on, or begins, at NOW: the first time that the clock can be trusted. */
void keep_restore_wall(Scheduler *s, Job *job, const ScheduleNow *now);
/* A job that is removed. */
void keep_drop(Scheduler *s, Job *job);

/* After each change: a few words of memory. */
static inline void keep(const Scheduler *s, const Job *job)
{
        ScheduleStamp *stamp = job->stamp;

        if (!stamp)
                return;
        stamp->last_boottime = job->schedule.last_boottime;
        stamp->ended_boottime = job->schedule.ended_boottime;
        if (s->clock_trusted)
                stamp->last_realtime = job->schedule.last_realtime;
        stamp->done = job->schedule.done;
        stamp->count = job->schedule.count;
}

/* The same where the job has just begun, its schedule is another, or it is not in force. */
void keep_anew(const Scheduler *s, const Job *job);
