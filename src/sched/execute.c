/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A run from its admission to its end:
 *
 *      scheduler_run ─ overlap ─┬─ skipped
 *                               ├─ waits in its job (Overlap=queue, replace)
 *                               └─ waits for a place under max_runs ─ attempt ─┬─ retrying ─ attempt …
 *                                                                              └─ finished
 *
 * What waits is moved on by the pump, a timer that is due at once, and not by the run that ended:
 * thousands of runs that end in their own start() would else nest as deep.
 */
#include "sched/internal.h"

#include <assert.h>
#include <inttypes.h>

#include "base/activity.h"
#include "base/buffer.h"
#include "base/string-util.h"
#include "job/expand.h"
#include "sched/catch-up.h"
#include "sched/guard.h"
#include "when/timespan.h"

/* Runs that one turn of the pump starts; other timers and descriptors come in between. */
#define PUMP_STARTS_A_TURN 128U

static const char *const stop_kinds[_RUN_STOP_MAX] = {
        [RUN_STOP_CANCEL] = "cancelled",
        [RUN_STOP_TIMEOUT] = "timeout",
        [RUN_STOP_REPLACED] = "replaced",
        [RUN_STOP_REMOVED] = "removed",
        [RUN_STOP_SHUTDOWN] = "shutdown",
        [RUN_STOP_GROUP] = "group",
};

static const char *const stop_messages[_RUN_STOP_MAX] = {
        [RUN_STOP_CANCEL] = "cancelled on request",
        [RUN_STOP_REPLACED] = "replaced by a newer run of the job",
        [RUN_STOP_REMOVED] = "the job was removed before its turn came",
        [RUN_STOP_SHUTDOWN] = "the daemon was stopped",
        [RUN_STOP_GROUP] = "ended with the group whose member it was",
};

static int run_compare(const Run *a, const Run *b)
{
        return a->id < b->id ? -1 : a->id > b->id;
}

RB_GENERATE(RunTree, Run, by_id, run_compare)

static void attempt(Scheduler *s, Run *run);
static void begin(Scheduler *s, Run *run);
static void attempt_ended(Scheduler *s, Run *run);

static Scheduler *run_scheduler(Run *run)
{
        return run->job->scheduler;
}

/* Whether it counts under max_runs while it is running. */
static bool takes_place(const Run *run)
{
        return !run->spec->kind->only_waits;
}

static void emit_run(Scheduler *s, Run *run, EventType type, const char *message, const char *data)
{
        Event event = { .type = type, .job = run->job->name, .run = run, .message = message, .data = data };

        /* What was noted a moment ago needs no look at the clock. */
        if (type == EVENT_RUNNING && run->attempts == 1)
                event.realtime = run->started_realtime;
        else if (run_state_is_final(run->state))
                event.realtime = run->finished_realtime;
        event_bus_emit(s->events, &event);
        triggers_notify(s, run, EVENT_BIT(type), message, data);
}

void execute_set_error(Run *run, const char *kind, const char *message)
{
        (void)free_and_strdup(&run->error_kind, kind);
        (void)free_and_strdup(&run->error_message, message);
}

static void pump_soon(Scheduler *s)
{
        if (!timer_is_armed(&s->pump))
                (void)timer_arm(s->services->timers, &s->pump, scheduler_boottime(s));
}

static void on_run_end(Run *run)
{
        attempt_ended(run_scheduler(run), run);
}

/* ${last:…} knows the outputs of RUN from now on. */
static void keep_outputs(Run *run)
{
        Job *job = run->job;

        job->last_outputs_doc = json_doc_free(job->last_outputs_doc);
        (void)free_and_strdup(&job->last_outputs, run->outputs);
}

static void on_run_progress(Run *run, EventType type, const char *message, const char *data)
{
        _cleanup_free_ char *error = NULL;

        if (type == EVENT_YIELD) {
                if (run->outputs)
                        keep_outputs(run);
                if (run_publish(run, &error) < 0)
                        message = error ?: "the value could not be published";
        }
        emit_run(run_scheduler(run), run, type, message, data);
}

static const RunOwner run_owner = { .ended = on_run_end, .progress = on_run_progress };

/* The run is over: told to everyone and freed. The job may be gone as well afterwards. */
static void finish(Scheduler *s, Run *run, RunState state)
{
        Job *job = run->job;
        bool changed = false;

        timer_disarm(s->services->timers, &run->timer);
        if (guard_leave(s, run, &state))
                return;
        if (run->state == RUN_RUNNING && takes_place(run))
                s->n_active--;
        if (run->state == RUN_RUNNING || run->state == RUN_RETRYING)
                job->n_active--;
        else
                s->n_queued--;
        scheduler_count_state(s, job);
        run->state = state;
        run->finished_boottime = scheduler_boottime(s);
        run->finished_realtime = scheduler_realtime(s);
        s->statistics.by_state[state]++;
        job_count_end(job, state);
        if (state == RUN_SUCCEEDED && run->outputs) {
                changed = !job->last_outputs || !streq(job->last_outputs, run->outputs);
                keep_outputs(run);
        }
        emit_run(s, run, (EventType)(EVENT_SUCCEEDED + (state - RUN_SUCCEEDED)), run->error_message, NULL);
        if (changed)
                triggers_notify(s, run, EVENT_BIT_CHANGED, NULL, NULL);

        /* The job can't go meanwhile: this run is counted still. */
        if (run->member)
                members_run_ended(run);

        list_unlink(&run->link);
        list_unlink(&run->queue);
        if (run == s->newest)
                s->newest = RB_PREV(RunTree, &s->runs, run);
        RB_REMOVE(RunTree, &s->runs, run);
        job->n_runs--;
        s->n_unfinished--;
        run_free(run);
        if (s->n_queued > 0)
                pump_soon(s);
        scheduler_job_run_ended(s, job);
        execute_shutdown_if_idle(s);
}

/* Ids go up, but for those of an earlier process. */
static void insert(Scheduler *s, Run *run)
{
        if (s->newest && run->id < s->newest->id) {
                (void)RB_INSERT(RunTree, &s->runs, run);
                return;
        }
        TREE_APPEND(RunTree, &s->runs, s->newest, run, by_id);
        s->newest = run;
}

/* ID 0: the next one. */
int execute_new_run(Scheduler *s, Job *job, uint64_t id, Run **ret)
{
        Run *run;
        int r;

        r = scheduler_reserve_timers(s);
        if (r < 0)
                return r;
        r = run_new(job->spec->kind->run_size, &run);
        if (r < 0)
                return r;
        run->id = id > 0 ? id : run_ids_next(s->ids);
        run->job = job;
        run->spec = job_spec_ref(job->spec);
        run->services = s->services;
        run->owner = &run_owner;
        run->state = RUN_QUEUED;
        run->created_realtime = scheduler_realtime(s);
        list_append(&job->runs, &run->link);
        job->n_runs++;
        insert(s, run);
        s->n_unfinished++;
        s->n_queued++;
        *ret = run;
        return 0;
}

int execute_record(Scheduler *s, Job *job, RunState state, usec_t scheduled_realtime, const char *kind, const char *message,
                   char *details)
{
        Run *run;
        int r = execute_new_run(s, job, 0, &run);

        if (r < 0) {
                free(details);
                return r;
        }
        run_set_details(run, details);
        run->trigger = RUN_TRIGGER_SCHEDULE;
        run->scheduled_realtime = scheduled_realtime;
        execute_set_error(run, kind, message);
        finish(s, run, state);
        return 0;
}

int execute_refuse(Scheduler *s, Job *job, const RunRequest *request, RunState state, const char *kind, const char *message)
{
        Run *run;
        int r = execute_new_run(s, job, 0, &run);

        if (r < 0)
                return r;
        run->trigger = request->trigger;
        run->scheduled_realtime = request->scheduled_realtime;
        run->cause = request->cause;
        run->origin = request->origin;
        run->event_depth = request->event_depth;
        execute_set_error(run, kind, message);
        finish(s, run, state);
        return 0;
}

static void on_timeout(Timer *timer, _unused_ usec_t now)
{
        Run *run = container_of(timer, Run, timer);

        run->stop = RUN_STOP_TIMEOUT;
        run->spec->kind->cancel(run);
}

static void on_retry(Timer *timer, _unused_ usec_t now)
{
        Run *run = container_of(timer, Run, timer);
        Scheduler *s = run_scheduler(run);

        if (s->n_active < s->limits.max_runs || !takes_place(run)) {
                attempt(s, run);
                return;
        }
        /* Retries come before what never ran: the run goes to the head of the queue. */
        run->state = RUN_QUEUED;
        run->job->n_active--;
        scheduler_count_state(s, run->job);
        s->n_queued++;
        run->hold = RUN_HOLD_PLACE;
        list_prepend(&s->queue, &run->queue);
        emit_run(s, run, EVENT_QUEUED, NULL, NULL);
}

static void attempt(Scheduler *s, Run *run)
{
        const JobKind *kind = run->spec->kind;
        usec_t now = scheduler_boottime(s);

        if (run->state == RUN_QUEUED) {
                s->n_queued--;
                run->job->n_active++;
                scheduler_count_state(s, run->job);
        }
        list_unlink(&run->queue);
        run->state = RUN_RUNNING;
        run->stop = RUN_STOP_NONE;
        run->ended = run->failed = false;
        s->n_active += takes_place(run);
        if (run->attempts++ == 0) {
                run->started_boottime = now;
                run->started_realtime = scheduler_realtime(s);
                if (run->scheduled_realtime > 0 && run->trigger != RUN_TRIGGER_CATCH_UP)
                        s->statistics.max_lateness = MAX(s->statistics.max_lateness,
                                                         usec_sub(run_lateness(run), run->jitter + run->slack));
        } else {
                run_set_result(run, NULL, 0);
                run_set_outputs(run, NULL);
                run_set_details(run, NULL);
                execute_set_error(run, NULL, NULL);
                memset(run->kind_state, 0, kind->run_size);
        }
        emit_run(s, run, EVENT_RUNNING, NULL, NULL);
        if (!guard_enter(s, run))
                begin(s, run);
}

/* What the attempt is for. */
static void begin(Scheduler *s, Run *run)
{
        if (run->spec->job.timeout != USEC_INFINITY) {
                run->timer.callback = on_timeout;
                (void)timer_arm(s->services->timers, &run->timer, usec_add(scheduler_boottime(s), run->spec->job.timeout));
        }
        activity_note_job("the start of a run", run->job->name);
        run->starting = true;
        scheduler_end_instant(s);
        run->spec->kind->start(run);
        run->starting = false;
        if (run->ended)
                attempt_ended(s, run);
}

void execute_entered(Scheduler *s, Run *run, const char *error)
{
        if (!error && !run_is_stopping(run)) {
                begin(s, run);
                return;
        }
        run->failed = true;
        execute_set_error(run, "enter", error ?: "");
        attempt_ended(s, run);
}

void execute_exited(Scheduler *s, Run *run, RunState state)
{
        finish(s, run, state);
}

/* Doubles with each attempt up to the maximum, then loses a random half: those that failed together part. */
static usec_t retry_delay(Scheduler *s, const Run *run)
{
        const JobSettings *job = &run->spec->job;
        unsigned doublings = MIN(run->attempts - 1, 63U);
        usec_t delay = job->retry_max_delay;

        if (job->retry_delay < (job->retry_max_delay >> doublings))
                delay = job->retry_delay << doublings;
        return delay - scheduler_random(s) % (delay / 2 + 1);
}

static void retry(Scheduler *s, Run *run)
{
        usec_t delay = retry_delay(s, run);
        char span[TIMESPAN_MAX];
        _cleanup_free_ char *message = NULL;

        free(run->retry_reason);
        run->retry_reason = xasprintf("%s: %s", run->error_kind ?: "error", run->error_message ?: "");
        s->n_active -= takes_place(run);
        run->state = RUN_RETRYING;
        run->stop = RUN_STOP_NONE;
        run->timer.callback = on_retry;
        (void)timer_arm(s->services->timers, &run->timer, usec_add(scheduler_boottime(s), delay));
        message = xasprintf("attempt %u of %u failed (%s); the next in %s", run->attempts, run->spec->job.retries + 1,
                            run->error_message ?: "", timespan_format(delay - delay % USEC_PER_MSEC, span));
        emit_run(s, run, EVENT_RETRYING, message, NULL);
        if (s->n_queued > 0)
                pump_soon(s);
}

/* A result that can't be published is a failed run: who reads the file would take the old one for new. */
static void publish(Run *run)
{
        _cleanup_free_ char *error = NULL;
        int r = run->failed ? 0 : run_publish(run, &error);

        if (r >= 0)
                return;
        run->failed = true;
        execute_set_error(run, "publish", error ?: strerror(-r));
}

static RunState final_state(const Run *run)
{
        if (!run->failed)
                return RUN_SUCCEEDED;
        if (run->stop == RUN_STOP_TIMEOUT)
                return RUN_TIMEOUT;
        return run->stop == RUN_STOP_NONE ? RUN_FAILED : RUN_CANCELLED;
}

static void attempt_ended(Scheduler *s, Run *run)
{
        char span[TIMESPAN_MAX];
        RunState state;

        activity_note_job("the end of a run", run->job->name);
        publish(run);
        state = final_state(run);
        timer_disarm(s->services->timers, &run->timer);
        if (run->spec->kind->reset)
                run->spec->kind->reset(run);
        if (state == RUN_TIMEOUT) {
                _cleanup_free_ char *message = xasprintf("no end within %s (TimeoutSec=)",
                                                         timespan_format(run->spec->job.timeout, span));

                execute_set_error(run, stop_kinds[RUN_STOP_TIMEOUT], message);
        } else if (state == RUN_CANCELLED) {
                execute_set_error(run, stop_kinds[run->stop], stop_messages[run->stop]);
        }
        if ((state == RUN_FAILED || state == RUN_TIMEOUT) && run->attempts <= run->spec->job.retries && !s->shutting_down)
                retry(s, run);
        else
                finish(s, run, state);
}

void execute_stop(Scheduler *s, Run *run, RunStop stop)
{
        if (guard_is_exiting(run))
                return; /* it has its state already */
        switch (run->state) {
        case RUN_QUEUED:
        case RUN_RETRYING:
                run->stop = stop;
                execute_set_error(run, stop_kinds[stop], stop_messages[stop]);
                finish(s, run, RUN_CANCELLED);
                break;
        case RUN_RUNNING:
                /* The first reason stands; a timed-out run that is cancelled as well is still a timeout. */
                if (run->stop != RUN_STOP_NONE || run->ended)
                        break;
                run->stop = stop;
                timer_disarm(s->services->timers, &run->timer);
                if (guard_is_entering(run))
                        guard_stop_entering(run);
                else
                        run->spec->kind->cancel(run);
                break;
        default:
                assert(false);
        }
}

void scheduler_cancel(Scheduler *s, Run *run)
{
        execute_stop(s, run, RUN_STOP_CANCEL);
}

/* NEWEST is the last one of its job. Ending a run frees that one and may enqueue another; it frees no other. */
static void replace_others(Scheduler *s, const Run *newest)
{
        Run *run;

        list_foreach(run, &newest->job->runs, Run, link)
                if (run != newest)
                        execute_stop(s, run, RUN_STOP_REPLACED);
}

void execute_cancel_waiting(Scheduler *s, Job *job, RunStop stop)
{
        Run *run;

        list_foreach(run, &job->runs, Run, link)
                if (run->state == RUN_QUEUED)
                        execute_stop(s, run, stop);
}

/* A rule that keeps a new run from starting. */
typedef struct Obstacle {
        RunHold hold;     /* RUN_HOLD_NONE: nothing does */
        bool wait;        /* it may wait for that to pass */
        const char *text;
} Obstacle;

static Obstacle overlap_obstacle(const Run *run)
{
        const Job *job = run->job;
        const ScheduleSettings *rules = &job->spec->schedule;
        unsigned others = job->n_runs - 1;

        if (others == 0)
                return (Obstacle){};
        if (run->member)
                return members_must_wait(job) ? (Obstacle){ RUN_HOLD_RUN, true, "and others have to end first (Overlap=)" } :
                                                (Obstacle){};
        switch ((JobOverlap)rules->overlap) {
        case OVERLAP_SKIP:
                return (Obstacle){ RUN_HOLD_RUN, false, "was still under way (Overlap=skip)" };
        case OVERLAP_PARALLEL:
                if (rules->max_parallel == 0 || others < rules->max_parallel)
                        return (Obstacle){};
                return (Obstacle){ RUN_HOLD_RUN, false, "and others were under way, as many as may be (MaxParallel=)" };
        case OVERLAP_QUEUE:
                if (others - job->n_active < rules->max_queued)
                        return (Obstacle){ RUN_HOLD_RUN, true, "has to end first (Overlap=queue)" };
                return (Obstacle){ RUN_HOLD_QUEUE, false, "was under way, and as many runs waited for it as may (MaxQueued=)" };
        case OVERLAP_REPLACE:
                return (Obstacle){ RUN_HOLD_RUN, true, "is replaced and has to end first (Overlap=replace)" };
        }
        return (Obstacle){};
}

static void enqueue(Scheduler *s, Run *run)
{
        list_append(&s->queue, &run->queue);
        if (s->n_active < s->limits.max_runs)
                pump_soon(s);
}

static void hold_for_run(Scheduler *s, Run *run, const Obstacle *obstacle)
{
        const Run *first = list_first(&run->job->runs, Run, link);
        _cleanup_free_ char *message = xasprintf("run %" PRIu64 " %s", first->id, obstacle->text);

        run->hold = obstacle->hold;
        run->hold_run = first->id;
        if (!obstacle->wait) {
                execute_set_error(run, "overlap", message ?: obstacle->text);
                finish(s, run, RUN_SKIPPED);
                return;
        }
        emit_run(s, run, EVENT_QUEUED, message, NULL);
        if (run->job->spec->schedule.overlap == OVERLAP_REPLACE && !run->member)
                replace_others(s, run);
}

static bool may_start(const Scheduler *s, const Run *run)
{
        if (!takes_place(run))
                return run->member || !members_too_many(s);
        return s->n_active < s->limits.max_runs && list_is_empty(&s->queue);
}

void execute_guarded(Scheduler *s, Run *run, int r)
{
        if (r > 0) {
                run->hold = RUN_HOLD_PLACE;
                enqueue(s, run);
        } else {
                finish(s, run, r == -EBUSY ? RUN_SKIPPED : RUN_FAILED);
        }
}

void execute_tell_queued(Scheduler *s, Run *run, const char *message)
{
        emit_run(s, run, EVENT_QUEUED, message, NULL);
}

void execute_gave_up(Scheduler *s, Run *run, const char *kind, const char *message)
{
        run->stop = RUN_STOP_TIMEOUT;
        execute_set_error(run, kind, message);
        finish(s, run, RUN_TIMEOUT);
}

/* Takes what RUN has to hold. False: it waits for that, or has ended. */
static bool acquire(Scheduler *s, Run *run)
{
        int r = job_spec_is_guarded(run->spec) ? guard_acquire(s, run) : 1;

        if (r < 0)
                execute_guarded(s, run, r);
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
                attempt(s, run);
                return;
        }
        run->hold = RUN_HOLD_PLACE;
        if (s->n_queued > s->limits.max_queued || !takes_place(run)) {
                execute_set_error(run, "too-many-runs", "as many runs of all jobs are waiting as may be (MaxQueued=)");
                finish(s, run, RUN_SKIPPED);
        } else {
                emit_run(s, run, EVENT_QUEUED, "waits for a place (MaxRuns=)", NULL);
                enqueue(s, run);
        }
}

/* Gives RUN its parameters: TEXT, or where that is NULL the defaults of its job. False: it has an error. */
static bool take_params(Scheduler *s, Run *run, const char *text)
{
        _cleanup_buffer_ Buffer defaults = BUFFER_NULL;
        ParameterError error = {};
        int r = text ? 0 : bind_params(s, run->job, NULL, NULL, NULL, 0, &defaults, &error);

        if (r == -EINVAL || r == -E2BIG) {
                execute_set_error(run, "bad-parameter", error.message);
                return false;
        }
        text = text ?: defaults.data;
        if (r >= 0 && !text)
                return true;
        run->params = text ? strdup(text) : NULL;
        if (run->params && json_parse(run->params, strlen(run->params), NULL, &run->params_doc, NULL) >= 0)
                return true;
        execute_set_error(run, "memory", "no memory for the parameters");
        return false;
}

int scheduler_run(Scheduler *s, Job *job, const RunRequest *request, uint64_t *ret_id)
{
        Run *run;
        int r;

        r = execute_new_run(s, job, 0, &run);
        if (r < 0)
                return r;
        run->trigger = request->trigger;
        run->scheduled_realtime = request->scheduled_realtime;
        run->due_boottime = request->due_boottime > 0 ? request->due_boottime : scheduler_boottime(s);
        run->jitter = request->jitter;
        run->slack = request->slack;
        run->cause = request->cause;
        run->origin = request->origin;
        run->uid = request->uid ? *request->uid : RUN_UID_UNKNOWN;
        run->event_depth = request->event_depth;
        run->member = request->member;
        if (run->member)
                run->member->run = run;
        if (ret_id)
                *ret_id = run->id;
        if (!take_params(s, run, request->params)) {
                finish(s, run, RUN_FAILED);
                return 0;
        }
        if (s->shutting_down) {
                execute_set_error(run, stop_kinds[RUN_STOP_SHUTDOWN], stop_messages[RUN_STOP_SHUTDOWN]);
                finish(s, run, RUN_CANCELLED);
                return 0;
        }
        admit(s, run);
        return 0;
}

int scheduler_record_lost(Scheduler *s, Job *job, const RunRequest *request, uint64_t id, usec_t started_realtime,
                          const char *message)
{
        usec_t since_start = usec_sub(scheduler_realtime(s), started_realtime);
        Run *run;
        int r;

        r = execute_new_run(s, job, id, &run);
        if (r < 0)
                return r;
        run->trigger = request->trigger;
        run->origin = request->origin;
        run->scheduled_realtime = request->scheduled_realtime;
        run->started_realtime = started_realtime;
        run->started_boottime = usec_sub(scheduler_boottime(s), since_start);
        run->attempts = started_realtime > 0;
        run->params = request->params ? strdup(request->params) : NULL;
        execute_set_error(run, "lost", message);
        finish(s, run, RUN_LOST);
        return 0;
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
                if (run->state == RUN_QUEUED && list_is_empty(&run->queue))
                        return run;
                if (++ahead >= limit)
                        break;
        }
        return NULL;
}

void execute_on_pump(Timer *timer, _unused_ usec_t now)
{
        Scheduler *s = container_of(timer, Scheduler, pump);

        for (unsigned n = 0; n < PUMP_STARTS_A_TURN; n++) {
                Run *run = list_first(&s->queue, Run, queue);

                if (!run || s->n_active >= s->limits.max_runs)
                        return;
                attempt(s, run);
        }
        if (!list_is_empty(&s->queue) && s->n_active < s->limits.max_runs)
                pump_soon(s);
}

/* A run of JOB ended: the next one that waited for it joins the queue of all. */
void execute_job_advance(Scheduler *s, Job *job)
{
        Run *run = next_of_job(job);

        if (run && acquire(s, run))
                enqueue(s, run);
}

Run *scheduler_find_run(Scheduler *s, uint64_t id)
{
        return RB_FIND(RunTree, &s->runs, &(Run){ .id = id });
}

Run *scheduler_next_run(Scheduler *s, Run *run)
{
        return run ? RB_NEXT(RunTree, &s->runs, run) : RB_MIN(RunTree, &s->runs);
}

size_t scheduler_n_running(const Scheduler *s)
{
        return s->n_unfinished - s->n_queued;
}

size_t scheduler_n_queued(const Scheduler *s)
{
        return s->n_queued;
}

void execute_shutdown_if_idle(Scheduler *s)
{
        void (*done)(void *) = s->shutdown_done;

        if (!s->shutting_down || s->n_unfinished > 0 || !done)
                return;
        s->shutdown_done = NULL;
        done(s->shutdown_userdata);
}

void scheduler_shutdown(Scheduler *s, void (*done)(void *userdata), void *userdata)
{
        Run *run;
        uint64_t after = 0;

        s->shutting_down = true;
        s->shutdown_done = done;
        s->shutdown_userdata = userdata;
        timer_disarm(s->services->timers, &s->pump);
        triggers_shutdown(s);
        catch_up_drop_all(s, "stopped", "had not been caught up on when the daemon was stopped");
        /* A run may take others with it: the next one is looked up by its id. */
        while ((run = RB_NFIND(RunTree, &s->runs, &(Run){ .id = after + 1 }))) {
                after = run->id;
                execute_stop(s, run, RUN_STOP_SHUTDOWN);
        }
        execute_shutdown_if_idle(s);
}

void execute_go_on(Scheduler *s, Run *run)
{
        s->n_queued--;
        if (takes_place(run))
                s->n_active++;
        run->job->n_active++;
        run->state = RUN_RUNNING;
        run->hold = RUN_HOLD_NONE;
        scheduler_count_state(s, run->job);
}

void execute_went_on(Scheduler *s, Run *run, usec_t attempt_boottime)
{
        usec_t timeout = run->spec->job.timeout;

        if (timeout != USEC_INFINITY && run->stop == RUN_STOP_NONE) {
                run->timer.callback = on_timeout;
                (void)timer_arm(s->services->timers, &run->timer, usec_add(attempt_boottime, timeout));
        }
        emit_run(s, run, EVENT_RUNNING, "goes on after a restart of the daemon", NULL);
}

void execute_drop(Scheduler *s, Run *run)
{
        Job *job = run->job;

        if (run->state == RUN_RUNNING && takes_place(run))
                s->n_active--;
        if (run->state == RUN_RUNNING || run->state == RUN_RETRYING)
                job->n_active--;
        else
                s->n_queued--;
        scheduler_count_state(s, job);
        timer_disarm(s->services->timers, &run->timer);
        if (run->state == RUN_RUNNING && run->spec->kind->reset)
                run->spec->kind->reset(run);
        if (run->guard)
                guard_abandon(s, run);
        if (run->member)
                run->member->run = NULL;
        list_unlink(&run->link);
        list_unlink(&run->queue);
        if (run == s->newest)
                s->newest = RB_PREV(RunTree, &s->runs, run);
        RB_REMOVE(RunTree, &s->runs, run);
        job->n_runs--;
        s->n_unfinished--;
        run_free(run);
}

void scheduler_abandon(Scheduler *s)
{
        Run *run;

        scheduler_shutdown(s, NULL, NULL);
        while ((run = RB_MIN(RunTree, &s->runs))) {
                /* What is left is an attempt that was asked to end and takes its time. */
                if (run->spec->kind->reset)
                        run->spec->kind->reset(run);
                guard_abandon(s, run);
                execute_set_error(run, stop_kinds[RUN_STOP_SHUTDOWN], "the daemon was stopped and did not wait for the end");
                finish(s, run, RUN_CANCELLED);
        }
}
