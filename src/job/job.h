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
        usec_t paused_realtime;    /* 0: not paused */
        List runs;                 /* queued, running or retrying, in the order of their ids */
        unsigned n_runs;
        unsigned n_active; /* of these, running or retrying */
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
