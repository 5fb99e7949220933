/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * A job that is loaded: its definition, its place in time, its runs under way, its counters.
 * There may be a million of these; what they have in common is in the JobSpec.
 */

#include "base/tree.h"

#include "job/run.h"
#include "when/schedule.h"

/*
 * What a job may cost while it waits: its record with the name behind it, and what malloc adds, a place in
 * the heap of timers.
 */
#define JOB_SIZE_MAX 320U

/* io.takt.Jobs.JobState */
typedef enum JobState {
        JOB_REMOVED, /* it is defined no more, and has runs still */
        JOB_DISABLED,
        JOB_PAUSED,
        JOB_RUNNING,
        JOB_WAITING,
        JOB_IDLE,
        JOB_FINISHED,
        JOB_TEMPLATE,
        _JOB_STATE_MAX,
} JobState;

/* What many jobs never have; made once one of them has it: job_make_extra(). */
typedef struct JobExtra {
        char *last_outputs; /* JSON text: of the last run that succeeded */
        JsonDoc *last_outputs_doc; /* made when somebody asks */
        void *memo; /* what the kind keeps from run to run: one block; see run_memo() */
} JobExtra;

/* What most occurrences pass by comes first, the rest lies close together: a job that is due is not in the cache. */
struct Job {
        RB_ENTRY(Job) by_name;
        uint32_t n_otherwise[_RUN_STATE_MAX - RUN_SUCCEEDED - 1]; /* as n_succeeded, by the other states: these stop at UINT32_MAX */
        const JobExtra *extra;     /* for reading, never NULL; job_make_extra() for writing */

        JobSpec *spec;
        ScheduleState schedule;
        Timer timer;               /* armed for the next occurrence */
        usec_t next_realtime;      /* scheduled time of that occurrence, USEC_INFINITY: none is known; where TIMER is armed then, it is to look again */
        usec_t next_boottime;      /* when it is due on the boot clock … */
        usec_t next_jitter;        /* … and by how much RandomizedDelaySec= puts it off */
        struct ScheduleStamp *stamp; /* what is kept of all this; NULL: nothing */
        struct CatchUp *catch_up;  /* sched/catch-up.h; NULL: nothing to catch up on */
        usec_t paused_realtime;    /* 0: not paused */
        List runs;                 /* queued, running or retrying, in the order of their ids */
        unsigned n_runs;
        unsigned n_active; /* of these, running or retrying */
        uint32_t generation;       /* of the loader that last had it in its list */
        uint8_t next_trigger;      /* of that occurrence: index in triggers[] */
        bool next_on_wall;         /* it stands on the wall clock */
        uint8_t away;              /* why nobody looked: a MissedReason of sched/missed.h */
        bool deciding;             /* what passed without a run is being accounted for */
        bool finished;             /* it was told that this job never runs by schedule again */
        uint8_t counted_state;     /* a JobState: where the scheduler counts it */
        uint8_t wall_seen;         /* changes of the wall clock that it has followed, modulo 256 */
        bool removed : 1;          /* it is defined no more; it is there as long as it has runs */
        bool transient : 1;        /* only the call that made it knows it, and its run: it has no name */
        bool refused : 1;          /* its file is broken; SPEC is the last good definition */
        bool is_template : 1;      /* "NAME@": it never runs, its instances do */
        bool on_demand : 1;        /* an instance made for runs by hand: no schedule, gone with its last run */

        uint64_t n_succeeded;      /* runs that ended so */
        struct TriggerTarget *triggers; /* the scheduler's: what On= listens for; NULL: nothing */
        struct Scheduler *scheduler;
        char name[];
};
/* Names of 24 bytes, a slot of 16 and malloc's 8 fit as well. */
_Static_assert(sizeof(Job) + 48 <= JOB_SIZE_MAX, "there may be a million jobs");

/* Takes a reference on SPEC, whose name is NAME or, of an instance, the template's. -ENOMEM. */
int job_new(const char *name, JobSpec *spec, Job **ret);
/* There must be no run left. */
Job *job_free(Job *job);
DEFINE_CLEANUP(Job *, job_free);

/* NULL: no memory. */
JobExtra *job_make_extra(Job *job);
/* A block for free(), taken over also on failure; NULL: none. -ENOMEM. */
int job_set_memo(Job *job, void *memo);

/* Whether [Schedule] of its definition is about this job: not about a template, nor about an instance made on demand. */
static inline bool job_has_schedule(const Job *job)
{
        return !job->is_template && !job->on_demand && !job->transient && !job->removed;
}

/* Runs that ended in STATE, a final one. */
static inline uint64_t job_n_ended(const Job *job, RunState state)
{
        return state == RUN_SUCCEEDED ? job->n_succeeded : job->n_otherwise[state - RUN_SUCCEEDED - 1];
}

static inline void job_count_end(Job *job, RunState state)
{
        if (state == RUN_SUCCEEDED)
                job->n_succeeded++;
        else if (job->n_otherwise[state - RUN_SUCCEEDED - 1] < UINT32_MAX)
                job->n_otherwise[state - RUN_SUCCEEDED - 1]++;
}

/* When its next run is to begin: the scheduled time (next_realtime) and the delays on purpose. USEC_INFINITY: none is known. */
static inline usec_t job_next_begin_realtime(const Job *job)
{
        return usec_add(job->next_realtime, usec_sub(job->timer.due_boottime, job->next_boottime));
}

JobState job_state(const Job *job);
const char *job_state_to_string(JobState state);

/* Adds Description= or another text for people, with the instance's name for each %i. -ENOMEM. */
int job_append_text(const Job *job, const char *text, Buffer *out);

/* Outputs of the last run that succeeded, as an object; NULL: none yet. */
const JsonValue *job_last_outputs(Job *job);
