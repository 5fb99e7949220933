/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What the files of sched/ share. scheduler.c: jobs and their times. execute.c: runs, from admission to end. */

#include "sched/scheduler.h"

RB_HEAD(JobTree, Job);
RB_HEAD(RunTree, Run);

struct Scheduler {
        const Services *services;
        EventBus *events;
        RunIds *ids;
        SchedulerLimits limits;
        uint64_t random;

        struct JobTree jobs;
        size_t n_jobs;
        struct RunTree runs;
        size_t n_active; /* running; an attempt is under way */
        size_t n_unfinished;
        List queue;      /* runs that wait for a place under max_runs */
        size_t n_queued; /* there and in the jobs' own queues */
        Timer pump;      /* armed where the queue may move on */

        bool begun;
        usec_t begin_boottime;
        bool shutting_down;
        void (*shutdown_done)(void *userdata);
        void *shutdown_userdata;
        SchedulerStatistics statistics;
};

RB_PROTOTYPE(RunTree, Run, by_id, run_compare)

static inline usec_t scheduler_boottime(const Scheduler *s)
{
        return clock_boottime(s->services->clock);
}

static inline usec_t scheduler_realtime(const Scheduler *s)
{
        return clock_realtime(s->services->clock);
}

/* --- execute.c --- */

/*
 * Records an occurrence, or several that MESSAGE counts, that did not become a run. STATE is
 * RUN_SKIPPED or RUN_MISSED, KIND the word of its error.
 */
int execute_record(Scheduler *s, Job *job, RunState state, usec_t scheduled_realtime, const char *kind, const char *message);
void execute_on_pump(Timer *timer, usec_t now_boottime);
/* Ends those runs of the job that wait for their turn. */
void execute_cancel_waiting(Scheduler *s, Job *job, RunStop stop);
/* The next run that waited for one of JOB that ended may start. */
void execute_job_advance(Scheduler *s, Job *job);
void execute_shutdown_if_idle(Scheduler *s);

/* --- scheduler.c --- */

/* A run of JOB has ended: triggers that hang on that are computed anew, a removed job may go. JOB may be gone afterwards. */
void scheduler_job_run_ended(Scheduler *s, Job *job);
void scheduler_emit_job(Scheduler *s, const Job *job, EventType type, const char *message);
uint64_t scheduler_random(Scheduler *s);
