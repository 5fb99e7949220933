/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sched/check.h"

#include <inttypes.h>

#include "base/string-util.h"
#include "sched/guard.h"
#include "sched/trigger-index.h"

/* What a walk over the runs counts. */
typedef struct Tally {
        Scheduler *scheduler;
        char *problem; /* the first one; NULL: none */
        size_t n_unfinished, n_queued, n_active, n_noted;
        size_t n_jobs, n_jobs_in[_JOB_STATE_MAX], n_catch_ups;
} Tally;

_printf_(2, 3)
static void find(Tally *t, const char *format, ...)
{
        va_list ap;

        if (t->problem)
                return;
        va_start(ap, format);
        if (vasprintf(&t->problem, format, ap) < 0)
                t->problem = NULL;
        va_end(ap);
}

static void expect(Tally *t, const char *what, size_t found, size_t counted)
{
        if (found != counted)
                find(t, "%s: there are %zu, and %zu are counted", what, found, counted);
}

/* --- a run --- */

static bool is_in_list(const List *list, const Run *wanted)
{
        const Run *run;

        list_foreach(run, list, Run, queue)
                if (run == wanted)
                        return true;
        return false;
}

/* RUN, which is queued, is in the queue of all, or waits for what its hold speaks of. */
static void check_place_in_queue(Tally *t, const Run *run)
{
        const Resource *resource;

        if (is_in_list(&t->scheduler->queue, run))
                return;
        switch (run->hold) {
        case RUN_HOLD_RESOURCE:
                resource = guard_waits_for(run);
                if (!resource || !is_in_list(&resource->waiting, run))
                        find(t, "run %" PRIu64 " waits for a resource and is not in its queue", run->id);
                break;
        case RUN_HOLD_RUN:
                if (run->job->n_runs < 2)
                        find(t, "run %" PRIu64 " waits for a run of its job, and there is none", run->id);
                break;
        default:
                find(t, "run %" PRIu64 " is queued, and in no queue", run->id);
        }
}

/* Whether RUN's timer is to be armed, by its state. */
static bool needs_timer(const Run *run)
{
        bool has_timeout = run->spec->job.timeout != USEC_INFINITY && run->stop == RUN_STOP_NONE;

        if (guard_is_exiting(run))
                return false;
        if (run->state == RUN_RUNNING)
                return has_timeout && !guard_is_entering(run);
        if (run->state == RUN_QUEUED)
                return guard_waits_for(run) && guard_waits_for(run)->spec->wait != USEC_INFINITY;
        return true;
}

static void check_run(Tally *t, const Run *run)
{
        bool takes_place = !run->spec->kind->only_waits, queued = run->state == RUN_QUEUED;

        t->n_unfinished++;
        t->n_queued += queued;
        t->n_active += run->state == RUN_RUNNING && takes_place;
        t->n_noted += run->noted;
        if (run_state_is_final(run->state))
                find(t, "run %" PRIu64 " has ended as %s and is still there", run->id, run_state_to_string(run->state));
        if (run->id > t->scheduler->newest->id)
                find(t, "run %" PRIu64 " is newer than the newest", run->id);
        if (queued && !guard_is_exiting(run))
                check_place_in_queue(t, run);
        if ((!queued || guard_is_exiting(run)) && !list_is_empty(&run->queue))
                find(t, "run %" PRIu64 " is %s, and in a queue", run->id, run_state_to_string(run->state));
        if (timer_is_armed(&run->timer) != needs_timer(run))
                find(t, "run %" PRIu64 " is %s, and its timer is %s", run->id, run_state_to_string(run->state),
                     needs_timer(run) ? "not armed" : "armed");
}

/* --- a job --- */

static void check_runs_of(Tally *t, const Job *job)
{
        size_t n = 0, n_active = 0;
        const Run *run;

        list_foreach(run, &job->runs, Run, link) {
                n++;
                n_active += run->state == RUN_RUNNING || run->state == RUN_RETRYING;
                if (run->job != job || scheduler_find_run(t->scheduler, run->id) != run)
                        find(t, "%s: run %" PRIu64 " in its list is of another job, or not found", job->name, run->id);
        }
        expect(t, job->name, n, job->n_runs);
        expect(t, job->name, n_active, job->n_active);
}

static void check_job(Tally *t, const Job *job)
{
        JobState state = job_state(job);

        t->n_jobs += !job->removed;
        t->n_jobs_in[state]++;
        t->n_catch_ups += job->catch_up != NULL;
        if (job->counted_state != state)
                find(t, "%s is %s, and counted as %s", job->name, job_state_to_string(state),
                     job_state_to_string((JobState)job->counted_state));
        if (job->removed && (job->n_runs == 0 || timer_is_armed(&job->timer) || job->triggers || job->catch_up || job->stamp))
                find(t, "%s was removed, and has more than its runs, or none", job->name);
        if (job->triggers && (job->triggers->n_pending > 0) == list_is_empty(&job->triggers->ring))
                find(t, "%s: %u events wait for it, and it is %s the ring", job->name, job->triggers->n_pending,
                     job->triggers->n_pending > 0 ? "not in" : "in");
        check_runs_of(t, job);
}

/* --- resources, notes, timers of all --- */

static void check_resource(Tally *t, const Resource *resource)
{
        size_t n_waiting = 0, n_holders = 0;
        Run *run;

        list_foreach(run, &resource->waiting, Run, queue)
                n_waiting++;
        RB_FOREACH(run, RunTree, &t->scheduler->runs)
                n_holders += guard_holds(run, resource);
        expect(t, resource->spec->name, n_waiting, resource->n_waiting);
        expect(t, resource->spec->name, n_holders, resource->n_holders);
        if (n_waiting > 0 && n_holders < resource->spec->capacity)
                find(t, "%s: runs wait for it, and it is free", resource->spec->name);
}

static bool is_noted(uint64_t id, void *userdata)
{
        const Tally *t = userdata;
        const Run *run = scheduler_find_run(t->scheduler, id);

        return run && run->noted;
}

static void check_notes(Tally *t)
{
        const RunKeeper *keeper = t->scheduler->keeper;
        uint64_t id = 0;
        size_t n = 0;

        if (!keeper)
                return;
        if (keeper->operations->check(keeper, is_noted, t, &n, &id) < 0)
                find(t, "the note of run %" PRIu64 " is there twice, or has no run", id);
        else
                expect(t, "notes of runs", n, t->n_noted);
}

/* What can move on has a timer that moves it. */
static void check_pumps(Tally *t)
{
        const Scheduler *s = t->scheduler;

        if (s->shutting_down)
                return;
        if (!list_is_empty(&s->queue) && s->n_active < s->limits.max_runs && !timer_is_armed(&s->pump))
                find(t, "runs wait for a place, there is one, and nothing starts them");
        if (!list_is_empty(&s->triggers.ring) && !timer_is_armed(&s->triggers.turn))
                find(t, "events wait, and nothing takes them");
}

char *scheduler_check(Scheduler *s)
{
        Tally t = { .scheduler = s };
        Run *run;

        for (Job *job = NULL; (job = scheduler_next_job(s, job));)
                check_job(&t, job);
        RB_FOREACH(run, RunTree, &s->runs)
                check_run(&t, run);
        for (size_t i = 0; i < s->n_resources; i++)
                check_resource(&t, s->resources[i]);
        expect(&t, "runs", t.n_unfinished, s->n_unfinished);
        expect(&t, "runs that wait", t.n_queued, s->n_queued);
        expect(&t, "runs that take a place", t.n_active, s->n_active);
        expect(&t, "jobs", t.n_jobs, s->n_jobs);
        expect(&t, "jobs that catch up", t.n_catch_ups, s->n_catch_ups);
        for (int i = 0; i < _JOB_STATE_MAX; i++)
                expect(&t, job_state_to_string((JobState)i), t.n_jobs_in[i], s->n_jobs_in[i]);
        check_notes(&t);
        check_pumps(&t);
        return t.problem;
}
