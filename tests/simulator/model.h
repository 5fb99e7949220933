/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What each job of the simulation should do: a job file made at random together with what it means,
 * the occurrences that it has in a stretch of time, and the account of what became of them. It is
 * told of every event of the scheduler and stops the program at the first that it cannot explain.
 */

#include "job/event.h"
#include "job/job.h"
#include "job/spec.h"

#include "pattern.h"

#define MODEL_TRIGGERS_MAX 6
#define MODEL_TEXT_MAX 4096

typedef struct World World;

/* A definition. Times in microseconds. */
typedef struct Definition {
        JobSpec *spec; /* owned reference */
        char text[MODEL_TEXT_MAX];

        bool enabled;
        usec_t every, after, startup; /* USEC_INFINITY: none */
        bool aligned;
        Grid grid;
        unsigned n_patterns, n_excludes, n_ats;
        Pattern patterns[MODEL_TRIGGERS_MAX];
        Pattern excludes[2];
        usec_t ats[2];
        int64_t ats_local[2], until_local; /* local microseconds that name these in the job's zone; INT64_MIN: in UTC */
        bool machine_zone; /* TimeZone= is not given */
        PatternRules rules;
        usec_t until; /* USEC_INFINITY */
        unsigned count;

        JobMissed missed;
        usec_t missed_window; /* USEC_INFINITY */
        usec_t random_delay, accuracy;
        unsigned daily;   /* occurrences, on a day that has any */
        int64_t patience; /* see model_patience() */
        bool resume;

        JobOverlap overlap;
        unsigned max_parallel, max_queued, retries;
        usec_t duration; /* at most */
        unsigned fails;  /* of 100 attempts */
        bool stubborn;   /* takes its time to be cancelled, and may succeed nevertheless */
} Definition;

/* An occurrence. DUE is boot time, which a step of the wall clock can put before 0. */
typedef struct Due {
        int64_t due, scheduled;
        int at; /* index of At=, -1 */
        bool wall; /* it stands on the wall clock */
} Due;

/* More than this one job does not catch up on. */
#define MODEL_CATCH_UP_MAX 100U

/* What has to become of all that is due at an instant, in the order in which it is told. */
typedef struct Decision {
        bool open;
        bool paused;        /* at the end of a pause */
        size_t n_missed, n_missed_total; /* one record of so many instants, or occurrences */
        bool many;          /* too many to be counted */
        int64_t first, last_missed;      /* scheduled times of that record */
        size_t n_dropped;   /* a record of what is too much to catch up on */
        int64_t last_dropped;
        bool runs;          /* then a run … */
        int64_t scheduled;
        bool startup;
        int64_t alone;      /* not known yet: a run for what is due at this time may be all; INT64_MIN: no */
} Decision;

typedef struct LiveRun {
        uint64_t id;
        RunState state;
        bool orphan; /* its job was removed */
} LiveRun;

typedef struct Model {
        World *world;
        unsigned index;
        Definition *definition; /* owned */
        Random random; /* what its runs do */

        int64_t anchor;       /* boot time of its beginning */
        int64_t every_done;   /* boot time up to which the grid is in DUES */
        int64_t wall_done;    /* wall clock, likewise */
        int64_t quiet_until;  /* boot time up to which neither has anything behind that */
        int64_t every_taken;  /* … up to which all of it is accounted for */
        int64_t wall_taken;
        int64_t wall_last;    /* wall clock of what ran last, or when all was known to be accounted for */
        int64_t wall_kept;    /* WALL_TAKEN when the clock could last be trusted, for the next daemon; 0: none */
        bool edited;          /* no daemon has seen its definition yet */
        bool restarting;      /* a record of what was left to catch up on may come */
        bool startup_done;
        unsigned ats_done;    /* bits */
        enum { AFTER_FIRST, AFTER_COUNTS, AFTER_HELD } after_state;
        int64_t after_from;   /* boot time from which After= counts */
        int64_t after_due;    /* its answer; INT64_MIN: to be computed */
        unsigned count;
        bool paused;

        Due *dues; /* that nothing is known of yet, ascending */
        size_t n_dues, allocated_dues;
        Due *dues_room; /* … in which they are */
        bool overflow; /* there were more: the middle is left out */
        int64_t *catch_up; /* scheduled times that it has to catch up on, ascending */
        size_t n_catch_up;
        Decision decision;

        LiveRun *runs;
        size_t n_runs, allocated_runs;
        uint64_t last_first_attempt; /* id, as the next two */
        uint64_t newest;
        uint64_t unordered; /* up to here runs began under other rules */
} Model;

void model_init(Model *model, World *world, unsigned index, uint64_t seed);
void model_deinit(Model *model);

/* A new definition, parsed. The old one is freed. */
void model_define(Model *model, Random *random);
/* How often a definition is due. */
void model_rate(Definition *definition);

/* As the scheduler is told: the job begins anew; is given its definition, whose schedule is SAME; … */
void model_begin(Model *model);
/* With another daemon, in another BOOT or in the same: begins, or goes on. To be called before and after that begins. */
void model_restart(Model *model, bool boot);
void model_restarted(Model *model);
/* The machine's zone, which is the job's, is another. */
void model_zone_changed(Model *model);
/* Before its clock is set or a pause begins. */
void model_settle(Model *model);
void model_changed(Model *model, bool same, bool was_enabled);
/* SET_FIRST: the wall clock had never been right before. */
void model_clock_stepped(Model *model, bool set_first);
void model_forget_runs(Model *model);

/* How much time may pass at once, so that all that is due in it is kept. */
int64_t model_patience(const Model *model);
/* Fills DUES with all that is due up to boot time TO. */
void model_fill(Model *model, int64_t to);
/* At TO everything that was due must have been accounted for. */
void model_check(Model *model, int64_t to);
/* The job's timer must be armed for the next occurrence that a walk of DAYS finds. */
void model_check_next(Model *model, const Job *job, unsigned days);

/*
 * Around the moment in which the scheduler looks at what is due: the job's timer fired, being armed for
 * TIMER_DUE to do what is due at NEXT_DUE; or, with PAUSED, a pause ends.
 */
void model_decide(Model *model, bool paused, int64_t next_due, int64_t timer_due);
void model_decided(Model *model);

void model_event(Model *model, const Event *event);

/* How much later than it is due an occurrence may be acted upon. */
int64_t model_spread(const Model *model);

/* Runs of the job in the states QUEUED, and RUNNING or RETRYING. */
unsigned model_waiting(const Model *model);
unsigned model_active(const Model *model);

/* --- the world, see world.c --- */

int64_t world_boottime(const World *world);
/* Wall clock minus boot clock. */
int64_t world_offset(const World *world);
int64_t world_start(const World *world); /* boot time of the daemon's start */
/* Boot time of the last disturbance: only then may something be late. */
int64_t world_disturbed(const World *world);
/* Whether the scheduler takes the wall clock for set. */
bool world_trusts_clock(const World *world);
LocalZone *world_zone(const World *world);
unsigned world_max_runs(const World *world);
unsigned world_n_running(const World *world);
unsigned world_n_queued(const World *world);
/* An occurrence that was due at DUE is handled: those of one turn come in that order. */
void world_order(World *world, const Model *model, int64_t due);
/* A run that catches up begins: they keep their distance. */
void world_pace(World *world, const Model *model);
void _printf_(3, 4) world_fail(const World *world, const Model *model, const char *format, ...) __attribute__((noreturn));

extern const char *const zone_names[];
extern const unsigned n_zone_names;
