/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Why a run may be asked to end, and the end of all of them. */
#include "sched/internal.h"

#include <assert.h>

#include "sched/catch-up.h"
#include "sched/guard.h"
#include "sched/refine.h"

static const struct {
        const char *kind;
        const char *message;
} reasons[_RUN_STOP_MAX] = {
        [RUN_STOP_CANCEL] = { "cancelled", "cancelled on request" },
        [RUN_STOP_TIMEOUT] = { "timeout", NULL }, /* says how long it took */
        [RUN_STOP_REPLACED] = { "replaced", "replaced by a newer run of the job" },
        [RUN_STOP_REMOVED] = { "removed", "the job was removed while the run waited" },
        [RUN_STOP_SHUTDOWN] = { "shutdown", "the daemon was stopped" },
        [RUN_STOP_GROUP] = { "group", "ended with the group whose member it was" },
};

void stop_set_error(Run *run, RunStop stop, const char *message)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;

        message = message ?: reasons[stop].message;
        if (stop == RUN_STOP_CANCEL && run->extra->story && buffer_append_string(&text, message) >= 0 &&
            requester_append(&run->extra->story->cancelled_by, &text) >= 0)
                message = text.data;
        run_set_error(run, reasons[stop].kind, message);
}

void stop_run(Scheduler *s, Run *run, RunStop stop)
{
        if (run->unwanted == RUN_STOP_NONE) {
                run->unwanted = stop;
                if (run->noted)
                        runs_note(s, run); /* the next daemon is not to try it again either */
        }
        /* It has its state already. */
        if (guard_is_exiting(run) || run_state_is_final(run->state))
                return;
        switch (run->state) {
        case RUN_QUEUED:
        case RUN_RETRYING:
                run->stop = stop;
                stop_set_error(run, stop, NULL);
                execute_finish(s, run, RUN_CANCELLED);
                break;
        case RUN_RUNNING:
                /* The first reason stands; a timed-out run that is cancelled as well is still a timeout. */
                if (run->stop != RUN_STOP_NONE || (run->ended && !run->refining))
                        break;
                run->stop = stop;
                timer_disarm(s->services->timers, &run->timer);
                if (guard_is_entering(run))
                        guard_stop_entering(run);
                else
                        execute_cancel_attempt(s, run);
                break;
        default:
                assert(false);
        }
}

void scheduler_cancel_by(Scheduler *s, Run *run, const Requester *by)
{
        if (requester_is_known(by) && run->unwanted == RUN_STOP_NONE && !guard_is_exiting(run) && run_story(run))
                run->extra->story->cancelled_by = *by;
        stop_run(s, run, RUN_STOP_CANCEL);
}

/* --- those of a job --- */

/*
 * A walk over the runs of a job, in the order in which they were made. What is made on the way is not part of
 * it.
 */
typedef struct RunWalk {
        Run *next; /* NULL: none */
        Run *last; /* not before NEXT */
        struct RunWalk *outer;
} RunWalk;

static Run *run_at(const Run *run, const List *link)
{
        return link == &run->job->runs ? NULL : container_of((List *)link, Run, link);
}

static Run *next_in(const RunWalk *walk, const Run *run)
{
        return run == walk->last ? NULL : run_at(run, run->link.next);
}

void stop_run_goes(Scheduler *s, const Run *run)
{
        for (RunWalk *walk = s->walks; walk; walk = walk->outer)
                if (walk->next == run)
                        walk->next = next_in(walk, run);
                else if (walk->last == run)
                        walk->last = run_at(run, run->link.prev);
}

/* Those up to LAST; NULL: none. The job may be gone afterwards. */
static void stop_up_to(Scheduler *s, Job *job, Run *last, bool running_as_well, RunStop stop)
{
        RunWalk walk = { .next = last ? list_first(&job->runs, Run, link) : NULL, .last = last, .outer = s->walks };
        Run *run;

        s->walks = &walk;
        while ((run = walk.next)) {
                walk.next = next_in(&walk, run);
                if (run->unwanted == RUN_STOP_NONE && (running_as_well || run->state != RUN_RUNNING))
                        stop_run(s, run, stop);
        }
        s->walks = walk.outer;
}

void stop_older(Scheduler *s, Run *newest, RunStop stop)
{
        stop_up_to(s, newest->job, run_at(newest, newest->link.prev), true, stop);
}

void stop_waiting(Scheduler *s, Job *job, RunStop stop)
{
        stop_up_to(s, job, list_last(&job->runs, Run, link), false, stop);
}

/* --- all --- */

void stop_tell_if_idle(Scheduler *s)
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
                stop_run(s, run, RUN_STOP_SHUTDOWN);
        }
        stop_tell_if_idle(s);
}

size_t scheduler_abandon(Scheduler *s)
{
        size_t n_left = 0;
        Run *run;

        scheduler_shutdown(s, NULL, NULL);
        while ((run = RB_MIN(RunTree, &s->runs))) {
                /* What is left is an attempt that was asked to end and takes its time. */
                if (guard_leave_to_next(s, run)) {
                        runs_leave(s, run);
                        n_left++;
                        continue;
                }
                refine_reset(run);
                guard_abandon(s, run);
                stop_set_error(run, RUN_STOP_SHUTDOWN, "the daemon was stopped and did not wait for the end");
                execute_finish(s, run, RUN_CANCELLED);
        }
        return n_left;
}
