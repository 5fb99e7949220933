/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A run from its first attempt to its end:
 *
 *      admit.c ─ attempt ─┬─ retrying ─ attempt …
 *                         └─ finished
 */
#include "sched/internal.h"

#include "base/activity.h"
#include "base/string-util.h"
#include "job/expand.h"
#include "job/failed-attempts.h"
#include "sched/guard.h"
#include "sched/refine.h"
#include "when/timespan.h"

static Scheduler *run_scheduler(Run *run)
{
        return run->job->scheduler;
}

void execute_emit(Scheduler *s, Run *run, EventType type, const char *message, const char *data)
{
        Event event = { .type = type, .job = run->job->name, .run = run, .message = message, .data = data };

        /* What was noted a moment ago needs no look at the clock. */
        if (type == EVENT_RUNNING && !run->repeated)
                event.realtime = run->started_realtime;
        else if (run_state_is_final(run->state))
                event.realtime = run->finished_realtime;
        event_bus_emit(s->events, &event);
        triggers_notify(s, run, EVENT_BIT(type), message, data);
}

/* ${last:…} knows the outputs of RUN from now on. */
static void keep_outputs(Run *run)
{
        JobExtra *extra = job_make_extra(run->job);

        if (!extra)
                return;
        extra->last_outputs_doc = json_doc_free(extra->last_outputs_doc);
        (void)free_and_strdup(&extra->last_outputs, run->extra->outputs);
}

/* --- the end --- */

void execute_finish(Scheduler *s, Run *run, RunState state)
{
        Job *job = run->job;
        bool changed = false;

        timer_disarm(s->services->timers, &run->timer);
        if (run->guard && guard_leave(s, run, &state)) {
                list_unlink(&run->queue); /* it waits for no place any more */
                return;
        }
        runs_set_state(s, run, state);
        run->finished_boottime = scheduler_boottime(s);
        run->finished_realtime = scheduler_realtime(s);
        if (state == RUN_SUCCEEDED && run->extra->outputs) {
                changed = !job->extra->last_outputs || !streq(job->extra->last_outputs, run->extra->outputs);
                keep_outputs(run);
        }
        execute_emit(s, run, (EventType)(EVENT_SUCCEEDED + (state - RUN_SUCCEEDED)), run->extra->error_message, NULL);
        if (changed)
                triggers_notify(s, run, EVENT_BIT_CHANGED, NULL, NULL);

        /* The job can't go meanwhile: this run is counted still. */
        if (run->member)
                members_run_ended(run);

        runs_free(s, run);
        if (s->n_queued > 0)
                admit_pump_soon(s);
        scheduler_job_run_ended(s, job);
        stop_tell_if_idle(s);
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

static void on_retry(Timer *timer, _unused_ usec_t now)
{
        Run *run = container_of(timer, Run, timer);

        admit_retry(run_scheduler(run), run);
}

static void retry(Scheduler *s, Run *run)
{
        usec_t delay = retry_delay(s, run);
        char span[TIMESPAN_MAX];
        _cleanup_free_ char *message = NULL;

        if (run_story(run))
                (void)failed_attempts_add(&run->extra->story->failed_attempts, scheduler_realtime(s), run->attempts,
                                          run->extra->error_kind ?: "error", run->extra->error_message ?: "");
        runs_set_state(s, run, RUN_RETRYING);
        run->stop = RUN_STOP_NONE;
        run->timer.callback = on_retry;
        (void)timer_arm(s->services->timers, &run->timer, usec_add(scheduler_boottime(s), delay));
        message = xasprintf("attempt %u of %u failed (%s); the next in %s", run->attempts, run->spec->job.retries + 1,
                            run->extra->error_message ?: "", timespan_format(delay - delay % USEC_PER_MSEC, span));
        execute_emit(s, run, EVENT_RETRYING, message, NULL);
        if (s->n_queued > 0)
                admit_pump_soon(s);
}

/* A result that can't be published is a failed run: who reads the file would take the old one for new. */
static void publish(Run *run)
{
        _cleanup_free_ char *error = NULL;
        int r = run_publish(run, &error);

        if (r >= 0)
                return;
        run->failed = true;
        run_set_error(run, "publish", error ?: strerror(-r));
}

static RunState final_state(const Run *run)
{
        if (!run->failed)
                return RUN_SUCCEEDED;
        if (run->stop == RUN_STOP_TIMEOUT)
                return RUN_TIMEOUT;
        return run->stop == RUN_STOP_NONE ? RUN_FAILED : RUN_CANCELLED;
}

static bool has_retries(const Run *run)
{
        return run->attempts <= run->spec->job.retries && !run->job->removed;
}

static void attempt_ended(Scheduler *s, Run *run)
{
        char span[TIMESPAN_MAX];
        RunState state;

        activity_note_job("the end of a run", run->job->name);
        if (refine_begin(run))
                return;
        if (!run->failed && run->spec->publish.file)
                publish(run);
        state = final_state(run);
        timer_disarm(s->services->timers, &run->timer);
        refine_reset(run);
        if (state == RUN_TIMEOUT) {
                _cleanup_free_ char *message = xasprintf("no end within %s (TimeoutSec=)",
                                                         timespan_format(run->spec->job.timeout, span));

                stop_set_error(run, RUN_STOP_TIMEOUT, message);
        } else if (state == RUN_CANCELLED) {
                stop_set_error(run, run->stop, NULL);
        }
        if ((state == RUN_FAILED || state == RUN_TIMEOUT) && has_retries(run)) {
                if (run->unwanted == RUN_STOP_NONE && !s->shutting_down) {
                        retry(s, run);
                        return;
                }
                /* What keeps it from being tried again is what it ends of. */
                if (run->unwanted != RUN_STOP_NONE) {
                        stop_set_error(run, run->unwanted, NULL);
                        state = RUN_CANCELLED;
                }
        }
        execute_finish(s, run, state);
}

void execute_refined(Scheduler *s, Run *run)
{
        attempt_ended(s, run);
}

void execute_cancel_attempt(Scheduler *s, Run *run)
{
        if (!run->refining) {
                run->spec->kind->cancel(run);
                return;
        }
        refine_stop(run);
        attempt_ended(s, run);
}

static void on_run_end(Run *run)
{
        Scheduler *s = run_scheduler(run);

        attempt_ended(s, run);
        scheduler_end_instant(s);
}

static void on_run_time(Run *run, usec_t now_boottime)
{
        Scheduler *s = run_scheduler(run);
        ScheduleNow now;

        if (run->starting) {
                s->took_no_time = true;
                return;
        }
        now = scheduler_timer_now(s, now_boottime);
        scheduler_begin_instant(s, &now);
}

static void on_run_progress(Run *run, EventType type, const char *message, const char *data)
{
        _cleanup_free_ char *error = NULL;

        if (type == EVENT_YIELD) {
                if (run->extra->outputs)
                        keep_outputs(run);
                if (run_publish(run, &error) < 0)
                        message = error ?: "the value could not be published";
        }
        execute_emit(run_scheduler(run), run, type, message, data);
}

const RunOwner execute_owner = { .ended = on_run_end, .time = on_run_time, .progress = on_run_progress };

/* --- an attempt --- */

static void on_timeout(Timer *timer, _unused_ usec_t now)
{
        Run *run = container_of(timer, Run, timer);

        run->stop = RUN_STOP_TIMEOUT;
        execute_cancel_attempt(run_scheduler(run), run);
}

/* What the attempt is for. */
static void begin(Scheduler *s, Run *run)
{
        const ScheduleNow instant = s->instant;
        bool took_no_time;

        if (run->spec->job.timeout != USEC_INFINITY) {
                run->timer.callback = on_timeout;
                (void)timer_arm(s->services->timers, &run->timer, usec_add(scheduler_boottime(s), run->spec->job.timeout));
        }
        activity_note_job("the start of a run", run->job->name);
        run->starting = true;
        run->kind_done = false;
        scheduler_end_instant(s);
        s->took_no_time = false;
        run->spec->kind->start(run);
        took_no_time = s->took_no_time;
        s->took_no_time = false;
        run->starting = false;
        if (!run->ended)
                return;
        if (took_no_time)
                scheduler_begin_instant(s, &instant);
        else
                scheduler_resume_instant(s, &instant);
        attempt_ended(s, run);
        scheduler_end_instant(s);
}

void execute_attempt(Scheduler *s, Run *run)
{
        const JobKind *kind = run->spec->kind;

        list_unlink(&run->queue);
        run->stop = RUN_STOP_NONE;
        run->ended = run->failed = run->undecoded = false;
        run->kind_done = true;
        run->repeated = run->started_boottime > 0;
        run->attempts++;
        if (!run->repeated) {
                run->started_boottime = scheduler_boottime(s);
                run->started_realtime = scheduler_realtime(s);
                if (run->scheduled_realtime > 0 && run->trigger != RUN_TRIGGER_CATCH_UP)
                        s->statistics.max_lateness = MAX(s->statistics.max_lateness, run_lateness(run));
        } else {
                run_set_result(run, NULL, 0);
                run_set_outputs(run, NULL);
                run_set_details(run, NULL);
                run_set_error(run, NULL, NULL);
                memset(run->kind_state, 0, kind->run_size);
        }
        runs_set_state(s, run, RUN_RUNNING);
        execute_emit(s, run, EVENT_RUNNING, NULL, NULL);
        if (!run->guard || !guard_enter(s, run))
                begin(s, run);
}

void execute_entered(Scheduler *s, Run *run, const char *error)
{
        if (!error && !run_is_stopping(run)) {
                begin(s, run);
                return;
        }
        run->failed = true;
        run_set_error(run, "enter", error ?: "");
        attempt_ended(s, run);
}

void execute_go_on(Scheduler *s, Run *run)
{
        run->hold = RUN_HOLD_NONE;
        runs_set_state(s, run, RUN_RUNNING);
}

void execute_went_on(Scheduler *s, Run *run, usec_t attempt_boottime)
{
        usec_t timeout = run->spec->job.timeout;

        if (timeout != USEC_INFINITY && run->stop == RUN_STOP_NONE) {
                run->timer.callback = on_timeout;
                (void)timer_arm(s->services->timers, &run->timer, usec_add(attempt_boottime, timeout));
        }
        execute_emit(s, run, EVENT_RUNNING, "goes on after a restart of the daemon", NULL);
}
