/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * A job that is loaded: its definition, its place in time, its runs under way, its counters.
 * There may be a million of these; what they have in common is in the JobSpec.
 */

#include "base/tree.h"

#include "job/run.h"
#include "when/schedule.h"

/* What a job costs while it waits: its record, its name, and a place in the heap of timers. */
#define JOB_SIZE_MAX 400U

struct Job {
        JobSpec *spec;
        char *name;
        RB_ENTRY(Job) by_name;

        ScheduleState schedule;
        Timer timer;               /* armed for the next occurrence */
        usec_t next_realtime;      /* scheduled time of that occurrence, USEC_INFINITY: never again */
        usec_t next_boottime;      /* when it is due on the boot clock … */
        usec_t next_jitter;        /* … and by how much RandomizedDelaySec= puts it off */
        struct CatchUp *catch_up;  /* sched/catch-up.h; NULL: nothing to catch up on */
        usec_t paused_realtime;    /* 0: not paused */
        List runs;                 /* queued, running or retrying, in the order of their ids */
        unsigned n_runs;
        unsigned n_active; /* of these, running or retrying */
        uint8_t next_trigger;      /* of that occurrence: index in triggers[] */
        bool next_on_wall;         /* it stands on the wall clock */
        uint8_t away;              /* why nobody looked: a MissedReason of sched/missed.h */
        bool deciding;             /* what passed without a run is being accounted for */
        bool finished;             /* it was told that this job never runs by schedule again */
        bool removed;
        bool refused;              /* its file is broken; SPEC is the last good definition */

        uint64_t n_ended[_RUN_STATE_MAX - RUN_SUCCEEDED]; /* runs that ended, by state */
        char *last_outputs; /* JSON text: of the last run that succeeded */
        JsonDoc *last_outputs_doc; /* made when somebody asks */
        void *memo; /* what the kind keeps from run to run: one block, freed with free() */
        struct Scheduler *scheduler;
};
_Static_assert(sizeof(Job) <= JOB_SIZE_MAX, "there may be a million jobs");

/* Takes a reference on SPEC. -ENOMEM. */
int job_new(JobSpec *spec, Job **ret);
/* There must be no run left. */
Job *job_free(Job *job);
DEFINE_CLEANUP(Job *, job_free);

/* One of io.takt.Jobs.JobState. */
const char *job_state_to_string(const Job *job);

/* Outputs of the last run that succeeded, as an object; NULL: none yet. */
const JsonValue *job_last_outputs(Job *job);
