/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The scheduler: owns jobs and the runs under way; turns due times into runs by the jobs' rules of
 * overlap, caps, timeouts and retries. It knows kinds by their table only, reads the clock that it
 * is given, and tells of everything through the event bus.
 */

#include "base/siphash.h"
#include "job/job.h"
#include "job/resource.h"
#include "job/member.h"
#include "job/run-keeper.h"
#include "job/run-note.h"
#include "job/services.h"
#include "job/spec.h"
#include "sched/run-id.h"

typedef struct Scheduler Scheduler;

/* Caps; 0 takes the default. */
typedef struct SchedulerLimits {
        unsigned max_runs;   /* under way at a time, of all jobs: SCHEDULER_MAX_RUNS */
        unsigned max_queued; /* waiting for their turn, of all jobs: SCHEDULER_MAX_QUEUED */
        uint64_t seed;       /* of random delays: equal seeds, equal traces */
        SipKey machine_key;  /* of FixedRandomDelay=: equal on each start of this machine */
} SchedulerLimits;

#define SCHEDULER_MAX_RUNS 10000U
#define SCHEDULER_MAX_QUEUED 100000U
/* Runs that events start, each by an event of the one before; the next one is a loop. */
#define TRIGGER_DEPTH_MAX 16U
/* Patterns in On= of all jobs: each is matched with the job of every event of its type. */
#define TRIGGER_PATTERNS_MAX 1000U
/* Events that wait for one job; more are counted. */
#define TRIGGER_PENDING_MAX 1000U

/* All arguments are borrowed and outlive the scheduler. -ENOMEM. */
int scheduler_new(const Services *services, EventBus *events, RunIds *ids, const SchedulerLimits *limits, Scheduler **ret);
/* No run may be under way: see scheduler_shutdown() and scheduler_abandon(). */
Scheduler *scheduler_free(Scheduler *scheduler);
DEFINE_CLEANUP(Scheduler *, scheduler_free);

/* Its caps; what is random, or the machine's, stays as it is. */
void scheduler_set_limits(Scheduler *scheduler, const SchedulerLimits *limits);
/* Puts the schedules of all jobs in force; jobs that are added later begin at once. */
void scheduler_begin(Scheduler *scheduler);

/*
 * The wall clock was set, or the machine's zone changed: what stands on the wall clock is computed
 * anew. What a step forward passed over is due now; a step back repeats nothing (when/schedule.h). Of many
 * jobs most follow in the next turns of the loop, each before anything else comes to it.
 */
void scheduler_wall_clock_changed(Scheduler *scheduler);

/*
 * The machine's zone is another, or what is known of zones: jobs are put on what zone_load() gives now, after
 * a zone_forget(). What was due is begun by the old ones, and what comes computed by the new ones: nothing
 * is missed by it. To jobs whose zone tells the same times nothing is done. They follow as with the wall clock, in the
 * next turns of the loop.
 */
void scheduler_zones_changed(Scheduler *scheduler);

/* --- jobs --- */

/*
 * The job that SPEC defines. One of that name that was removed and still has runs becomes that job, so that all runs of
 * a name count. -EEXIST where there is one of that name, -ENOMEM.
 */
int scheduler_add_job(Scheduler *scheduler, JobSpec *spec, Job **ret);
/* As above, of an instance NAME, "TEMPLATE@X", of the template that SPEC defines, which all its instances share. */
int scheduler_add_instance(Scheduler *scheduler, JobSpec *spec, const char *name, Job **ret);
/*
 * The job NAME, and where there is none but its template has no Instances=, an instance made on demand: to be
 * run by hand, without a schedule, and gone when its last run ends. -ENOENT, -EINVAL for a template itself,
 * -ENOMEM. Who gets one and does not run it calls scheduler_release_job().
 */
int scheduler_find_or_make_job(Scheduler *scheduler, const char *name, Job **ret);
/* The template by which scheduler_find_or_make_job() would make NAME; NULL: none. */
Job *scheduler_find_template(Scheduler *scheduler, const char *name);
/* Lets go of an instance that was made on demand and has no run; harmless for others. */
void scheduler_release_job(Scheduler *scheduler, Job *job);
/*
 * Gives JOB a new definition of the same name. Runs under way keep the old one; the phase of the
 * schedule stays where [Schedule] says the same as before.
 */
void scheduler_change_job(Scheduler *scheduler, Job *job, JobSpec *spec);
/*
 * JOB is defined no more. Its runs under way go on to their end and are not repeated; those that wait are cancelled.
 * Until then it is found by its name, as a job that was removed; nothing new of it starts. JOB may be gone afterwards.
 */
void scheduler_remove_job(Scheduler *scheduler, Job *job);

/* Holds the schedule back, and lets it go on; BY asked for that, or nobody (NULL). False where it was so already. */
bool scheduler_pause_job_by(Scheduler *scheduler, Job *job, const Requester *by);
bool scheduler_resume_job_by(Scheduler *scheduler, Job *job, const Requester *by);

static inline bool scheduler_pause_job(Scheduler *scheduler, Job *job)
{
        return scheduler_pause_job_by(scheduler, job, NULL);
}

static inline bool scheduler_resume_job(Scheduler *scheduler, Job *job)
{
        return scheduler_resume_job_by(scheduler, job, NULL);
}

/* Whether there once was a run ID, under way, kept or not. */
bool scheduler_gave_run(const Scheduler *scheduler, uint64_t id);

/* Events (On=) that are to start a run of JOB, and wait for that. */
size_t scheduler_n_events_waiting(const Job *job);

/*
 * Missed times that JOB is to catch up on. *RET_REALTIME, which may be NULL: when the next one's turn comes;
 * 0 for after the runs under way.
 */
size_t scheduler_n_catch_ups(const Job *job, usec_t *ret_realtime);

/* The job NAME, which may be one that was removed and has runs (Job.removed). NULL: there is none. */
Job *scheduler_find_job(Scheduler *scheduler, const char *name);
/* A number that no job bears as its generation yet: a loader marks with it what is to stay. */
uint32_t scheduler_next_generation(Scheduler *scheduler);
/* In the order of their names, removed ones that have runs included; JOB NULL: the first. NULL at the end. */
Job *scheduler_next_job(Scheduler *scheduler, Job *job);
/* The first job behind NAME, which need not be one: to go on after a turn of the loop. */
Job *scheduler_job_after(Scheduler *scheduler, const char *name);
/*
 * Has up to MAX jobs behind the name AFTER write anew to stamps that became zeros. Returns the last of these jobs; NULL:
 * there are no more.
 */
Job *scheduler_keep_again(Scheduler *scheduler, const char *after, size_t max);
/* Jobs that are defined. */
size_t scheduler_n_jobs(const Scheduler *scheduler);
size_t scheduler_n_jobs_in(const Scheduler *scheduler, JobState state);

/* --- resources --- */

/*
 * Puts the resources in force (references are taken). Runs under way keep what they hold; those that wait
 * for one that is gone fail. -ENOMEM: nothing has changed.
 */
int scheduler_set_resources(Scheduler *scheduler, const ResourceSet *set);

typedef struct ResourceStatus {
        const char *name;
        unsigned capacity, n_holders, n_waiting;
        uint64_t holder; /* the run that took it last; 0: nobody holds it */
} ResourceStatus;

size_t scheduler_n_resources(const Scheduler *scheduler);
void scheduler_resource_status(const Scheduler *scheduler, size_t i, ResourceStatus *ret);

/* --- runs --- */

typedef struct RunRequest {
        RunTrigger trigger;
        const char *params; /* JSON text of an object, complete and checked; NULL: {} */
        usec_t scheduled_realtime; /* 0: by hand */
        usec_t due_boottime;       /* 0: now */
        usec_t jitter, slack;      /* how much later it was put off to, by RandomizedDelaySec= and AccuracySec= */
        const char *cause;         /* the trigger as the job's definition has it, and as long as that; NULL: none */
        const Requester *by;       /* who asks for it; NULL: nobody does, or it is not known */
        uint64_t origin;           /* the run that led to it, as in a Run; 0: none */
        uint8_t event_depth;       /* as in a Run */
        Causes *causes;            /* as in a RunExtra (borrowed); NULL: none */
        Member *member;            /* what it is in its group; NULL: in none */
        uint64_t replaces;         /* the lost run whose place it takes; 0: none … */
        unsigned attempts;         /* … and how many attempts there were of that: they count */
        uint64_t id;               /* of a run that waited with an earlier process; 0: the next one */
} RunRequest;

/*
 * Creates a run and starts it, queues it, or ends it as skipped, as the job's rules say. By the time
 * of return it may have ended: RET_ID (may be NULL) is its id either way, and the events tell all else.
 * -ENOMEM; -EBUSY: max_queued reached.
 */
int scheduler_run(Scheduler *scheduler, Job *job, const RunRequest *request, uint64_t *ret_id);

/* KEEPER (borrowed; NULL: nobody) notes the runs under way from now on. */
void scheduler_set_keeper(Scheduler *scheduler, RunKeeper *keeper);
/* Has the keeper note all runs under way once more: it may have lost some of its notes. */
void scheduler_note_runs(Scheduler *scheduler);

/* A run of an earlier process that did not end there. */
typedef struct LeftRun {
        uint64_t id;
        usec_t started_realtime; /* 0: it only waited */
        unsigned attempts;
        RunEntered entered;
        RunState state;          /* its end: RUN_LOST, or RUN_FAILED with the error … */
        const char *kind, *message; /* … of these words */
} LeftRun;

/*
 * Ends LEFT, which REQUEST had asked for. What it had entered it holds until it has left it, as the job says now; by
 * then it is under way. -ENOMEM.
 */
int scheduler_end_left(Scheduler *scheduler, Job *job, const RunRequest *request, const LeftRun *left);

/*
 * Whether scheduler_resume_run() would go on with a run of JOB, which can be asked before scheduler_begin().
 * -ENOENT,
 * -ENOMEM, -EOPNOTSUPP: *RET_WHY, a literal, says why.
 */
int scheduler_can_resume(Scheduler *scheduler, const char *job, const char **ret_why);
/*
 * Goes on with an attempt of a run that an earlier process began, by its kind's resume(): NOTE tells of it, and
 * whether it was being ended says STOPPING. No rule of overlap and no cap keeps it back. -ENOENT, -EOPNOTSUPP, -EEXIST,
 * -ENOMEM, -errno of the kind: there is no such run then.
 */
int scheduler_resume_run(Scheduler *scheduler, const char *job, const RunNote *note, bool stopping, void *survivor);

/* Forgets all runs, without a word and without asking them to end: a process to come knows of them. Nothing begins any more. */
void scheduler_leave(Scheduler *scheduler);

/* For Services: what groups ask of the scheduler that their job belongs to. */
extern const MemberOperations scheduler_members;

/*
 * Makes a job that only this one call knows: it is found by no name, has no schedule, and is freed with
 * the end of its last run. The caller starts one at once. -ENOMEM.
 */
int scheduler_add_transient_job(Scheduler *scheduler, JobSpec *spec, Job **ret);

/* A run that is queued, running or retrying; NULL for all others. */
Run *scheduler_find_run(Scheduler *scheduler, uint64_t id);
/* As scheduler_next_job(), in the order of ids. */
Run *scheduler_next_run(Scheduler *scheduler, Run *run);
/* The run with the lowest id above ID; NULL: none. */
Run *scheduler_run_after(Scheduler *scheduler, uint64_t id);
/* The run with the highest id below ID; NULL: none. */
Run *scheduler_run_before(Scheduler *scheduler, uint64_t id);
/* Runs that are running or retrying; and those that wait for their turn. */
size_t scheduler_n_running(const Scheduler *scheduler);
size_t scheduler_n_queued(const Scheduler *scheduler);

/* Asks the run to end, as BY wants it (NULL: nobody). It may have ended, and be gone, by the time of return. */
void scheduler_cancel_by(Scheduler *scheduler, Run *run, const Requester *by);

static inline void scheduler_cancel(Scheduler *scheduler, Run *run)
{
        scheduler_cancel_by(scheduler, run, NULL);
}

/*
 * Ends everything: no schedule is in force any more, queued runs are cancelled, others asked to end.
 * DONE is called once nothing is under way, possibly before this returns.
 */
void scheduler_shutdown(Scheduler *scheduler, void (*done)(void *userdata), void *userdata);

/*
 * Gives up on whatever is under way still, which is recorded as cancelled; nothing begins any more. What has
 * entered something is left to the next daemon, if that is noted (scheduler_set_keeper()): the number of these runs
 * is returned.
 */
size_t scheduler_abandon(Scheduler *scheduler);

typedef struct SchedulerStatistics {
        uint64_t n_due; /* occurrences that came due */
        uint64_t by_state[_RUN_STATE_MAX]; /* runs that ended */
        usec_t max_lateness; /* of what was not put off or caught up on */
} SchedulerStatistics;

const SchedulerStatistics *scheduler_statistics(const Scheduler *scheduler);
