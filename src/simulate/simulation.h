/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Days of jobs in seconds: the real scheduler on a clock that jumps from one deadline to the next. Runs do
 * nothing but take their time; all else (overlap, caps, delays, retries of what takes too long) is as in the
 * daemon. What comes of it is counted by job and by stretches of time.
 */

#include "sched/scheduler.h"

#define SIMULATION_EVENTS_MAX UINT64_C(50000000) /* deadlines that come */
#define SIMULATION_BUCKETS_MAX 1000U
#define SIMULATION_PEAK_JOBS 6U                  /* of a peak that are named */

typedef struct SimulatedJob {
        const char *name; /* the job's */
        bool is_group;    /* the members of its runs are left out */
        bool has_unknown_events; /* it listens (On=) for some that only a real run has: a failure, a value */
        usec_t duration;  /* of its runs; set before simulation_run() */
        uint64_t runs, skipped, missed;
        usec_t first_realtime, last_realtime; /* begin of its runs; 0: none */
        unsigned most;    /* under way at a time */
        /* of the present instant */
        unsigned under_way, ended_at_once;
        uint64_t instant;
} SimulatedJob;

typedef struct PeakJob {
        const SimulatedJob *job;
        unsigned n;
} PeakJob;

/* A stretch of time, and the instant at which most was under way in it. */
typedef struct SimulatedBucket {
        uint64_t begun;
        unsigned most;
        usec_t most_realtime;
        PeakJob jobs[SIMULATION_PEAK_JOBS]; /* those with most runs first */
        unsigned n_jobs;                    /* in all */
} SimulatedBucket;

typedef struct Simulation {
        VirtualClock clock;
        TimerQueue *timers;
        EventBus events;
        EventObserver observer;
        RunIds *ids;
        Services services;
        Scheduler *scheduler;

        SimulatedJob **jobs; /* in the order of their names */
        size_t n_jobs;
        struct SimulatedSpec *specs; /* of which the kind was changed */
        size_t n_specs, allocated_specs;

        SimulatedBucket *buckets;
        size_t n_buckets, n_buckets_begun;
        usec_t buckets_realtime, step;

        SimulatedJob **touched; /* begun at the present instant */
        size_t n_touched;
        uint64_t instant;
        unsigned under_way, ended_at_once;
        uint64_t n_events;
        uint64_t begun, skipped, missed;
        uint64_t begun_by_events, begun_groups; /* of those begun */
        usec_t until_realtime, reached_realtime;

        /* Each run that begins, and each that is skipped or missed; may be NULL. */
        void (*told)(const Run *run, void *userdata);
        /* Called every few thousand deadlines; returns whether to go on. May be NULL. */
        bool (*go_on)(const struct Simulation *simulation, void *userdata);
        void *userdata;
} Simulation;

/*
 * FROM is the time at which the daemon of the simulation starts. LIMITS as for scheduler_new(). SIMULATION
 * stays where it is. -ENOMEM.
 */
int simulation_init(Simulation *simulation, usec_t from_realtime, const SchedulerLimits *limits);
void simulation_deinit(Simulation *simulation);

/* Once the scheduler has all its jobs: takes over what they do. -ENOMEM. */
int simulation_take_jobs(Simulation *simulation);
SimulatedJob *simulation_find_job(const Simulation *simulation, const char *name);
/* The stretches to count by: N (at most SIMULATION_BUCKETS_MAX) of STEP from REALTIME on. -ENOMEM. */
int simulation_set_buckets(Simulation *simulation, usec_t realtime, usec_t step, size_t n);

typedef enum SimulationEnd {
        SIMULATION_DONE,
        SIMULATION_STOPPED, /* by go_on() */
        SIMULATION_TOO_LONG, /* SIMULATION_EVENTS_MAX */
} SimulationEnd;

/* Goes on to UNTIL, which is no longer part of it, or as far as one comes. */
SimulationEnd simulation_run(Simulation *simulation, usec_t until_realtime);

/* A stretch that reads well, of which at most MAX go from FROM to UNTIL. */
usec_t simulation_step(usec_t from_realtime, usec_t until_realtime, size_t max);
