/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A run from its request to its first attempt:
 *
 *      scheduler_run ─ condition, overlap ─┬─ skipped
 *                                          ├─ waits in its job (Overlap=queue, replace)
 *                                          └─ waits for resources (Use=) ─ waits for a place under max_runs ─ execute.c
 *
 * What waits is moved on by the pump, a timer that is due at once, and not by the run that ended:
 * thousands of runs that end in their own start() would else nest as deep.
 */
#include "sched/internal.h"

#include <inttypes.h>

#include "base/buffer.h"
#include "base/string-util.h"
#include "sched/guard.h"

/* Runs that one turn of the pump starts; other timers and descriptors come in between. */
#define PUMP_STARTS_A_TURN 128U

/* A rule that keeps a new run from starting. */
typedef struct Obstacle {
        RunHold hold;     /* RUN_HOLD_NONE: nothing does */
        bool wait;        /* it may wait for that to pass */
        const char *text;
} Obstacle;

/* --- the queue of all --- */

void admit_pump_soon(Scheduler *s)
{
        if (!timer_is_armed(&s->pump))
                (void)timer_arm(s->services->timers, &s->pump, scheduler_boottime(s));
}

void admit_on_pump(Timer *timer, _unused_ usec_t now)
{
        Scheduler *s = container_of(timer, Scheduler, pump);

        for (unsigned n = 0; n < PUMP_STARTS_A_TURN; n++) {
                Run *run = list_first(&s->queue, Run, queue);

                if (!run || s->n_active >= s->limits.max_runs)
                        return;
                execute_attempt(s, run);
        }
        if (!list_is_empty(&s->queue) && s->n_active < s->limits.max_runs)
                admit_pump_soon(s);
}

static void enqueue(Scheduler *s, Run *run)
{
        list_append(&s->queue, &run->queue);
        if (s->n_active < s->limits.max_runs)
                admit_pump_soon(s);
}

void admit_wait(Scheduler *s, Run *run, RunHold hold, const char *message)
{
        run->hold = hold;
        runs_set_state(s, run, RUN_QUEUED);
        execute_emit(s, run, EVENT_QUEUED, message, NULL);
}

void admit_retry(Scheduler *s, Run *run)
{
        if (s->n_active < s->limits.max_runs || !run_takes_place(run)) {
                execute_attempt(s, run);
                return;
        }
        /* Retries come before what never ran: the run goes to the head of the queue. */
        list_prepend(&s->queue, &run->queue);
        admit_wait(s, run, RUN_HOLD_PLACE, NULL);
}

/* --- others of the job --- */

static Obstacle overlap_obstacle(const Run *run)
{
        const Job *job = run->job;
        const ScheduleSettings *rules = &job->spec->schedule;
        unsigned others = job->n_runs - 1;
        bool by_event = run->trigger == RUN_TRIGGER_EVENT;

        if (others == 0)
                return (Obstacle){};
        if (run->member)
                return members_must_wait(job) ? (Obstacle){ RUN_HOLD_RUN, true, "and others have to end first (Overlap=)" } :
                                                (Obstacle){};
        switch ((JobOverlap)(by_event ? rules->event_overlap : rules->overlap)) {
        case OVERLAP_SKIP:
                return (Obstacle){ RUN_HOLD_RUN, false, "was still under way (Overlap=skip)" };
        case OVERLAP_PARALLEL:
                if (rules->max_parallel == 0 || others < rules->max_parallel)
                        return (Obstacle){};
                return (Obstacle){ RUN_HOLD_RUN, false, "and others were under way, as many as may be (MaxParallel=)" };
        case OVERLAP_QUEUE:
                if (others - job->n_active < rules->max_queued || run_was_accepted(run))
                        return (Obstacle){ RUN_HOLD_RUN, true, rules->overlap == OVERLAP_QUEUE ?
                                                   "has to end first (Overlap=queue)" :
                                                   "has to end first (where Overlap= is not set, runs that On= starts wait)" };
                return (Obstacle){ RUN_HOLD_QUEUE, false, "was under way, and as many runs waited for it as may (MaxQueued=)" };
        case OVERLAP_REPLACE:
                return (Obstacle){ RUN_HOLD_RUN, true, "is replaced and has to end first (Overlap=replace)" };
        }
        return (Obstacle){};
}

static void hold_for_run(Scheduler *s, Run *run, const Obstacle *obstacle)
{
        Job *job = run->job;
        const Run *first = list_first(&job->runs, Run, link);
        _cleanup_free_ char *message = xasprintf("run %" PRIu64 " %s", first->id, obstacle->text);

        run_set_hold_run(run, first->id);
        if (!obstacle->wait) {
                run->hold = obstacle->hold;
                run_set_error(run, "overlap", message ?: obstacle->text);
                execute_finish(s, run, RUN_SKIPPED);
                return;
        }
        admit_wait(s, run, obstacle->hold, message);
        if (job->spec->schedule.overlap == OVERLAP_REPLACE && !run->member)
                stop_older(s, run, RUN_STOP_REPLACED);
}

/* --- the way in --- */

static bool may_start(const Scheduler *s, const Run *run)
{
        if (!run_takes_place(run))
                return run->member || !members_too_many(s);
        return s->n_active < s->limits.max_runs && list_is_empty(&s->queue);
}

void admit_guarded(Scheduler *s, Run *run, int r)
{
        if (r > 0) {
                if (s->n_active >= s->limits.max_runs)
                        run->hold = RUN_HOLD_PLACE;
                enqueue(s, run);
        } else {
                execute_finish(s, run, r == -EBUSY ? RUN_SKIPPED : RUN_FAILED);
        }
}

void admit_gave_up(Scheduler *s, Run *run, const char *kind, const char *message)
{
        run->stop = RUN_STOP_TIMEOUT;
        run_set_error(run, kind, message);
        execute_finish(s, run, RUN_TIMEOUT);
}

/* Takes what RUN has to hold. False: it waits for that, or has ended. */
static bool acquire(Scheduler *s, Run *run)
{
        int r = job_spec_is_guarded(run->spec) ? guard_acquire(s, run) : 1;

        if (r < 0)
                admit_guarded(s, run, r);
        return r > 0;
}

/* Applies the rules to a new run: it starts, waits, or ends as skipped. */
static void admit(Scheduler *s, Run *run)
{
        Obstacle obstacle = overlap_obstacle(run);

        if (obstacle.hold != RUN_HOLD_NONE) {
                hold_for_run(s, run, &obstacle);
                return;
        }
        if (!acquire(s, run))
                return;
        if (may_start(s, run)) {
                execute_attempt(s, run);
                return;
        }
        if ((s->n_queued > s->limits.max_queued && !run_was_accepted(run)) || !run_takes_place(run)) {
                run->hold = RUN_HOLD_PLACE;
                run_set_error(run, "too-many-runs", "as many runs of all jobs are waiting as may be (MaxQueued=)");
                execute_finish(s, run, RUN_SKIPPED);
        } else {
                /* Where there is a place, others come before it, in this turn or the next one. */
                bool full = s->n_active >= s->limits.max_runs;

                enqueue(s, run);
                admit_wait(s, run, full ? RUN_HOLD_PLACE : RUN_HOLD_NONE, full ? "waits for a place (MaxRuns=)" : "waits for its turn");
        }
}

/*
 * Gives RUN its parameters: TEXT, or where that is NULL the defaults of its job. What comes from an EARLIER
 * process has to fit what the job says now. False: RUN has an error.
 */
static bool take_params(Scheduler *s, Run *run, const char *text, bool earlier)
{
        _cleanup_buffer_ Buffer bound = BUFFER_NULL;
        ParameterError error = {};
        int r = !text   ? bind_params(s, run->job, NULL, NULL, NULL, 0, &bound, &error) :
                earlier ? bind_earlier_params(s, run->job, text, &bound, &error) : 0;

        if (r == -EINVAL || r == -E2BIG) {
                run_set_error(run, "bad-parameter", error.message);
                return false;
        }
        if (!text || earlier)
                text = bound.data;
        if (r >= 0 && !text)
                return true;
        if (text && run_set_params(run, text) >= 0)
                return true;
        run_set_error(run, "memory", "no memory for the parameters");
        return false;
}

/* Whether Condition= lets RUN begin; else it ends. */
static bool meets_condition(Scheduler *s, Run *run)
{
        const JobCondition *condition = &run->spec->job.condition;
        _cleanup_free_ char *message = NULL;
        bool met = true;
        int r = condition->compiled ? job_condition_test(condition, run, &met) : 0;

        if (r >= 0 && met)
                return true;
        message = r < 0 ? xasprintf("Condition= can't be evaluated: %s", r == -E2BIG ? "it takes too long" : strerror(-r)) :
                          xasprintf("its condition does not hold: %s", condition->text);
        run_set_error(run, "condition", message ?: "Condition=");
        execute_finish(s, run, r < 0 ? RUN_FAILED : RUN_SKIPPED);
        return false;
}

/* Without memory for it, only the lateness tells of it. */
static void note_delay(Run *run, const RunRequest *request)
{
        RunExtra *extra = request->jitter > 0 || request->slack > 0 ? run_make_extra(run) : NULL;

        if (!extra)
                return;
        extra->jitter = request->jitter;
        extra->slack = request->slack;
}

static int new_run(Scheduler *s, Job *job, const RunRequest *request, uint64_t *ret_id)
{
        Run *run;
        int r;

        r = runs_new(s, job, request->id, &run);
        if (r < 0)
                return r;
        note_delay(run, request);
        run->trigger = request->trigger;
        run->scheduled_realtime = request->scheduled_realtime;
        run->due_boottime = request->due_boottime > 0 ? request->due_boottime : scheduler_boottime(s);
        run->cause = request->cause;
        run->origin = request->origin;
        run->event_depth = request->event_depth;
        run->attempts = request->attempts;
        triggers_note_causes(run, request->causes);
        run->member = request->member;
        if (run->member)
                run->member->run = run;
        if (requester_is_known(request->by) && run_story(run))
                run->extra->story->started_by = *request->by;
        if (request->replaces > 0 && run_story(run))
                run->extra->story->replaces = request->replaces;
        if (request->id > 0 && run_story(run))
                run->extra->story->waited = true;
        if (ret_id)
                *ret_id = run->id;
        if ((request->params || job->spec->job.parameters) &&
            !take_params(s, run, request->params, request->id > 0 || request->replaces > 0)) {
                execute_finish(s, run, RUN_FAILED);
                return 0;
        }
        if (s->shutting_down) {
                stop_set_error(run, RUN_STOP_SHUTDOWN, NULL);
                execute_finish(s, run, RUN_CANCELLED);
                return 0;
        }
        if (meets_condition(s, run))
                admit(s, run);
        return 0;
}

int scheduler_run(Scheduler *s, Job *job, const RunRequest *request, uint64_t *ret_id)
{
        ScheduleNow now;
        int r;

        if (s->instant.boottime > 0)
                return new_run(s, job, request, ret_id);
        now = scheduler_now(s);
        scheduler_begin_instant(s, &now);
        r = new_run(s, job, request, ret_id);
        scheduler_end_instant(s);
        return r;
}

/*
 * The first run of JOB that waits for others of it, where fewer than may be are ahead of it. Without a
 * number of its own one counts, also for who waits since a reload changed the rule: those before it end.
 */
static Run *next_of_job(Job *job)
{
        unsigned limit = members_limit(job), ahead = 0;
        Run *run;

        list_foreach(run, &job->runs, Run, link) {
                if (run->state == RUN_QUEUED && list_is_empty(&run->queue) && !guard_is_exiting(run))
                        return run;
                if (++ahead >= limit)
                        break;
        }
        return NULL;
}

/* A run of JOB ended: the next one that waited for it joins the queue of all. */
void admit_next_of_job(Scheduler *s, Job *job)
{
        Run *run = next_of_job(job);

        if (run && acquire(s, run))
                enqueue(s, run);
}
