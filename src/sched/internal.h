/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What the files of sched/ share. scheduler.c: the jobs. occurrence.c: a job's timer. spread.c: delays on
 * purpose. missed.c: what passed without a run; catch-up.c: what makes up for it. keep.c and resume.c: from
 * one daemon to the next. triggers.c: On=, trigger-index.c: who listens. wall.c: a wall clock that is set;
 * zones.c: another zone.
 *
 * Runs: runs.c has those that have not ended. A new one goes through admit.c (may it begin, and when), which
 * guard.c helps with what it has to take (resource-queue.c), and then through execute.c (attempts, retries, the
 * end), which refine.c helps with results. stop.c: how they are asked to end. record.c: those that never began.
 * members.c: those of groups. bind.c: parameters.
 */

#include "sched/scheduler.h"

RB_HEAD(JobTree, Job);
RB_HEAD(RunTree, Run);
typedef struct EventSource EventSource;
typedef struct TriggerTarget TriggerTarget;
RB_HEAD(EventSourceTree, EventSource);

/* Who listens to whom: triggers.c. */
typedef struct TriggerIndex {
        struct EventSourceTree sources; /* names of jobs that somebody listens to */
        List patterns;                  /* listeners to many */
        size_t n_patterns;
        unsigned mask;                  /* events that anybody listens for, as in an EventTrigger */
        unsigned n_by_bit[32];
        uint64_t n_events; /* that were offered */
        List ring;         /* jobs that an event waits for … */
        List held;         /* … and those of which too many runs wait already */
        Timer turn;        /* armed where there are any */
} TriggerIndex;

/* The wall clock was set, or the machine's zone is another. */
typedef struct WallChange {
        usec_t boottime; /* when */
        int64_t offset;  /* wall clock - boot clock before it */
        bool zones;
} WallChange;

/* That not all jobs have followed yet; one more, and all that are left follow at once. Divides 256. */
#define WALL_CHANGES_MAX 8U

struct Scheduler {
        const Services *services;
        EventBus *events;
        RunIds *ids;
        SchedulerLimits limits;
        uint64_t random;

        struct JobTree jobs;
        size_t n_jobs;
        size_t n_jobs_in[_JOB_STATE_MAX];
        uint32_t generation; /* the last one given out */
        struct RunTree runs;
        Run *newest; /* the last one there */
        size_t n_active; /* running; an attempt is under way */
        size_t n_unfinished;
        List queue;      /* runs that wait for a place under max_runs */
        size_t n_queued; /* there and in the jobs' own queues */
        Timer pump;      /* armed where the queue may move on */

        TriggerIndex triggers;

        List catch_ups;  /* of all jobs */
        size_t n_catch_ups;
        usec_t catch_up_boottime; /* when the next one may begin */

        struct Resource **resources; /* by their names */
        size_t n_resources;
        RunKeeper *keeper; /* NULL: nothing is noted for a daemon to come */
        ScheduleNow instant; /* see scheduler_begin_instant(); zeros: none */
        bool took_no_time;   /* a kind's start(): run_note_time() */
        uint64_t turn;       /* of the timers, in which … */
        int64_t turn_offset; /* … this is wall clock - boot clock */

        bool begun;
        bool clock_trusted;     /* the wall clock was set: sched/keep.h */
        int64_t wall_offset;    /* wall clock - boot clock, when that was last looked at */
        WallChange wall_changes[WALL_CHANGES_MAX]; /* the newest */
        uint8_t n_wall_changes;  /* of all times, modulo 256, as Job.wall_seen */
        unsigned n_wall_unseen;  /* that not all jobs have followed */
        struct Job *wall_next;   /* who is the next to; NULL: all have */
        Timer wall_turn;         /* armed where there is one */
        uint32_t n_zone_changes; /* of all times: zones.c */
        bool zones_wait;         /* one more, for those to follow who are to follow the wall clock first */
        usec_t begin_boottime;
        struct RunWalk *walks; /* over runs that are asked to end, the innermost first: stop.c */
        bool shutting_down;
        void (*shutdown_done)(void *userdata);
        void *shutdown_userdata;
        SchedulerStatistics statistics;
};

RB_PROTOTYPE(RunTree, Run, by_id, run_compare)

static inline usec_t scheduler_boottime(const Scheduler *s)
{
        return s->instant.boottime > 0 ? s->instant.boottime : clock_boottime(s->services->clock);
}

static inline usec_t scheduler_realtime(const Scheduler *s)
{
        return s->instant.boottime > 0 ? s->instant.realtime : clock_realtime(s->services->clock);
}

static inline ScheduleNow scheduler_now(const Scheduler *s)
{
        return (ScheduleNow){
                .boottime = scheduler_boottime(s),
                .realtime = scheduler_realtime(s),
                .startup_boottime = s->begin_boottime,
        };
}

/* What the clocks say in the callback of a timer that was told NOW: the wall clock is read once in a turn of these. */
static inline ScheduleNow scheduler_timer_now(Scheduler *s, usec_t now_boottime)
{
        uint64_t turn = timer_queue_turn(s->services->timers);

        if (s->instant.boottime > 0)
                return s->instant;
        if (s->turn != turn) {
                s->turn = turn;
                s->turn_offset = (int64_t)(clock_realtime(s->services->clock) - now_boottime);
        }
        return (ScheduleNow){
                .boottime = now_boottime,
                .realtime = now_boottime + (usec_t)s->turn_offset,
                .startup_boottime = s->begin_boottime,
        };
}

/*
 * A due time is dealt with at one instant, from its timer to the start of its run, and so is the end of a run:
 * a million of these a second would read the clocks many times as often else. It ends before other code runs,
 * of a kind or of a group.
 */
static inline void scheduler_begin_instant(Scheduler *s, const ScheduleNow *now)
{
        s->instant = *now;
}

static inline void scheduler_end_instant(Scheduler *s)
{
        s->instant.boottime = 0;
}

/*
 * Goes on from INSTANT, in the same callback: how the clocks stand to each other is known from there. Zeros, or
 * another one has begun meanwhile: nothing to do.
 */
static inline void scheduler_resume_instant(Scheduler *s, const ScheduleNow *instant)
{
        if (instant->boottime == 0 || s->instant.boottime > 0)
                return;
        s->instant = *instant;
        s->instant.boottime = clock_boottime(s->services->clock);
        s->instant.realtime = usec_add(instant->realtime, usec_sub(s->instant.boottime, instant->boottime));
}

/* To be called wherever JOB's state may have changed: how many there are in each is asked for often, and jobs are many. */
static inline void scheduler_count_state(Scheduler *s, Job *job)
{
        JobState state = job_state(job);

        if (state == job->counted_state || job->transient)
                return;
        s->n_jobs_in[job->counted_state]--;
        s->n_jobs_in[state]++;
        job->counted_state = (uint8_t)state;
}

/* Room for all timers of jobs and runs and two more, so that arming one finds it. 0 or -ENOMEM. */
static inline int scheduler_reserve_timers(Scheduler *s)
{
        return timer_queue_reserve(s->services->timers, s->n_jobs + s->n_unfinished + s->n_catch_ups + 3);
}

/* Whether RUN counts under max_runs while it is running. */
static inline bool run_takes_place(const Run *run)
{
        return !run->spec->kind->only_waits;
}

/* --- runs.c --- */

/* A run of JOB in state RUN_QUEUED. ID 0: the next one. -ENOMEM. */
int runs_new(Scheduler *s, Job *job, uint64_t id, Run **ret);
/*
 * RUN goes from its state to STATE, which has to be one that may follow: all counters and the note for the next daemon
 * are right afterwards. Nothing is told, and a run that has ended is still there.
 */
void runs_set_state(Scheduler *s, Run *run, RunState state);
/* RUN has entered or left something: its note for the next daemon is made anew. */
void runs_note(Scheduler *s, Run *run);
/* Takes out and frees a run that has ended. Its job stays. */
void runs_free(Scheduler *s, Run *run);
/*
 * Takes a run out without a word, and without asking it to end: its note stays for the next daemon. Its job goes with
 * it, where it was removed.
 */
void runs_leave(Scheduler *s, Run *run);

/* --- record.c --- */

/*
 * Records an occurrence, or several that MESSAGE and DETAILS (JSON text, taken over) count, that did not
 * become a run. Of WHEN, the scheduled time and the cause count; STATE is RUN_SKIPPED or RUN_MISSED, KIND the
 * word of its error. -ENOMEM.
 */
int record_occurrence(Scheduler *s, Job *job, RunState state, const RunRequest *when, const char *kind,
                      const char *message, char *details);
/* Records a run that REQUEST asked for and that ends as STATE, with an error of KIND, without having begun. -ENOMEM. */
int record_refused(Scheduler *s, Job *job, const RunRequest *request, RunState state, const char *kind,
                   const char *message);

/* --- admit.c --- */

void admit_on_pump(Timer *timer, usec_t now_boottime);
/* What waits for a place may have one. */
void admit_pump_soon(Scheduler *s);
/* The next run that waited for one of JOB that ended may start. */
void admit_next_of_job(Scheduler *s, Job *job);
/* RUN waits (HOLD), which is noted and told with MESSAGE, or NULL. */
void admit_wait(Scheduler *s, Run *run, RunHold hold, const char *message);
/* RUN is to be tried again: now, or first of all that wait. */
void admit_retry(Scheduler *s, Run *run);
/* Called by guard.c: R is what guard_acquire() says after all, not 0. */
void admit_guarded(Scheduler *s, Run *run, int r);
/* It waited too long. */
void admit_gave_up(Scheduler *s, Run *run, const char *kind, const char *message);

/* --- execute.c --- */

/* How a kind's code reaches its run's scheduler. */
extern const RunOwner execute_owner;

/* RUN has its place and all that it has to hold. It may have ended, and be gone, by the time of return. */
void execute_attempt(Scheduler *s, Run *run);
/* The run is over: told to everyone and freed, once it has left what it entered. The job may be gone as well afterwards. */
void execute_finish(Scheduler *s, Run *run, RunState state);
void execute_emit(Scheduler *s, Run *run, EventType type, const char *message, const char *data);
/* What was done with RUN's result off the loop is through, well or not: refine.c. */
void execute_refined(Scheduler *s, Run *run);
/* Asks what the attempt is about to end: its kind, or what is done with its result. */
void execute_cancel_attempt(Scheduler *s, Run *run);
/* Its Enter= commands are through (ERROR NULL), or one failed. */
void execute_entered(Scheduler *s, Run *run, const char *error);
/* A new run that is in the midst of an attempt; once its kind has it, that is told, and the attempt's timeout holds. */
void execute_go_on(Scheduler *s, Run *run);
void execute_went_on(Scheduler *s, Run *run, usec_t attempt_boottime);

/* --- stop.c --- */

/* Asks the run to end for this reason. It may have ended, and be gone, by the time of return. */
void stop_run(Scheduler *s, Run *run, RunStop stop);
/*
 * Asks the runs of its job that were made before NEWEST to end. The end of a run may free any other, as what
 * it held goes on to those: all of these, NEWEST and the job may be gone by the time of return.
 */
void stop_older(Scheduler *s, Run *newest, RunStop stop);
/* Ends those runs of JOB that wait for their turn, or for their next attempt. JOB may be gone afterwards. */
void stop_waiting(Scheduler *s, Job *job, RunStop stop);
/* RUN is about to leave the list of its job: who walks over that goes on behind it. */
void stop_run_goes(Scheduler *s, const Run *run);
/* The error of a run that was ended for this reason; MESSAGE NULL: the usual one. */
void stop_set_error(Run *run, RunStop stop, const char *message);
/* The last run has ended: who asked for the end of all is told. */
void stop_tell_if_idle(Scheduler *s);

/* --- members.c --- */

/* RUN, a member, has its final state: its group is told. */
void members_run_ended(Run *run);
/* Groups take no place, but there are no more of them than there may be runs at all. */
bool members_too_many(const Scheduler *s);
/* How many runs of JOB may be under way before one that waits for others of it. At least 1. */
unsigned members_limit(const Job *job);
/* Whether the newest run of JOB, a member, has to wait for others of the job. */
bool members_must_wait(const Job *job);

/* --- bind.c --- */

/*
 * Appends the parameters of a run of JOB from the N words ARGS, its defaults and VALUE (NULL: none) for the
 * parameter NAME, where it has one of that name. Nothing where it has no parameters. Errors of parameter_bind().
 */
int bind_params(Scheduler *s, const Job *job, const char *name, const JsonValue *value, const char *const *args, size_t n,
                Buffer *out, ParameterError *ret_error);
/*
 * The same of a run whose parameters TEXT were bound by an earlier process, perhaps for another definition of
 * JOB.
 */
int bind_earlier_params(Scheduler *s, const Job *job, const char *text, Buffer *out, ParameterError *ret_error);

/* --- triggers.c --- */

void triggers_init(Scheduler *s);
/* JOB listens as its definition says now. -ENOMEM. */
int triggers_set(Scheduler *s, Job *job);
/* JOB listens no more; what waits for it is recorded as cancelled. */
void triggers_remove(Scheduler *s, Job *job);
void triggers_shutdown(Scheduler *s);
/* What waits for JOB may start, as one of its runs has ended. */
void triggers_job_run_ended(Scheduler *s, Job *job);
/* The jobs whose events led to RUN (a reference is taken; NULL: none). Without memory for it a loop is longer. */
void triggers_note_causes(Run *run, Causes *causes);
void triggers_offer(Scheduler *s, const Run *run, unsigned bit, const char *message, const char *data);

/* Something happened to RUN: BIT is as in an EventTrigger. */
static inline void triggers_notify(Scheduler *s, const Run *run, unsigned bit, const char *message, const char *data)
{
        if (s->triggers.mask & bit)
                triggers_offer(s, run, bit, message, data);
}

/* --- wall.c --- */

/* The wall clock was set just now, or with ZONES the machine's zone is another; all have followed any change before that. */
void wall_changed(Scheduler *s, bool zones);
void wall_on_turn(Timer *timer, usec_t now_boottime);
/* What Exclude= and Until= have ruled out by NOW stays so. */
void wall_settle(Job *job, const ScheduleNow *now);
/* Begins what JOB's timer is armed for where that stands on the wall clock and is due, if put off, at NOW. */
void wall_begin_due(Scheduler *s, Job *job, const ScheduleNow *now);
void wall_follow_change(Scheduler *s, Job *job);

/* To be called before JOB's place in time is looked at: it may not have had its turn since the wall clock was set. */
static inline void wall_follow(Scheduler *s, Job *job)
{
        if (job->wall_seen != s->n_wall_changes && !job->removed)
                wall_follow_change(s, job);
}

/* --- zones.c --- */

/* Puts JOB's definition on its zone as it is now. Returns the one before (borrowed), NULL where it has the same times. */
Zone *zones_adopt(Scheduler *s, Job *job);
/* wall_begin_due() by the zone BEFORE. */
void zones_begin_due(Scheduler *s, Job *job, Zone *before, const ScheduleNow *now);

/* --- scheduler.c --- */

/* Frees JOB where it has no run and nothing else keeps it: it is defined no more, or was made on demand. */
void scheduler_forget_if_idle(Scheduler *s, Job *job);
/* A run of JOB has ended: triggers that hang on that are computed anew, a removed job may go. JOB may be gone afterwards. */
void scheduler_job_run_ended(Scheduler *s, Job *job);
void scheduler_emit_job(Scheduler *s, const Job *job, EventType type, const char *message);
uint64_t scheduler_random(Scheduler *s);
/* What a run is said to be started by where trigger I of JOB's schedule is due. */
RunTrigger scheduler_run_trigger(const Job *job, uint32_t i);
