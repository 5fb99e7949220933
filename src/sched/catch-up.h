/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Runs that make up for missed occurrences (Missed=latest, all), the oldest first. Those of one job
 * follow each other: the next begins when no run of the job is left, so that Overlap= has no say
 * against them. Those of all jobs are paced, and RandomizedDelaySec= puts each off further.
 */

#include "sched/internal.h"

/* What one job catches up on at most: the newest ones. */
#define CATCH_UP_MAX 100U
/* Between two catch-up runs of all jobs: 100 a second, however many jobs wake together. */
#define CATCH_UP_INTERVAL (10 * USEC_PER_MSEC)

/*
 * Takes over N times (at most CATCH_UP_MAX), the oldest first and none of them older than
 * what JOB still has to catch up on; of these the oldest are given up where there are too many.
 * -ENOMEM.
 */
int catch_up_add(Scheduler *s, Job *job, const ScheduleTime *times, size_t n);
/* No run of JOB is left: the next one may come. */
void catch_up_advance(Scheduler *s, Job *job);
/* JOB catches up on nothing more; what was left is recorded as STATE with the words KIND and WHY. */
void catch_up_drop(Scheduler *s, Job *job, RunState state, const char *kind, const char *why);
void catch_up_drop_all(Scheduler *s, const char *kind, const char *why);
/* Writes how many are left into JOB's stamp, for a daemon that comes after this one. */
void catch_up_keep(const Job *job);
/* As it comes, with no record. */
void catch_up_free(Scheduler *s, Job *job);
