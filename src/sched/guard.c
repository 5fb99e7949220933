/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guarded run goes through steps: one a resource in the order of their names, then its own. It takes
 * the resources one by one, waiting in the queue of each where others were first; as all runs take them
 * in the same order, none waits in a circle. Then the steps are entered in order, and in the end left in
 * the reverse order. Retries happen inside.
 *
 * A run leaves what it entered: it keeps the definition that it began with, and that of each resource.
 */
#include "sched/guard.h"

#include <assert.h>
#include <inttypes.h>

#include "base/string-util.h"
#include "job/guard.h"
#include "job/member.h"
#include "when/timespan.h"

typedef struct Guard Guard;

typedef struct GuardStep {
        Resource *resource; /* NULL: the job's own step */
        ResourceSpec *spec; /* as it was when it was taken */
        size_t use;         /* its place in Use=; those before it may be gone */
} GuardStep;

struct Guard {
        Run *run;
        size_t n_steps; /* the job's uses, and its own */
        size_t n_taken;
        size_t n_entered;
        Resource *waits_for; /* in whose queue the run is; NULL: none */
        bool exiting;
        bool over; /* in an earlier process: RunEntered */
        RunState final;
        GuardCommand *command;
        GuardStep steps[];
};

static Scheduler *guard_scheduler(const Guard *g)
{
        return g->run->job->scheduler;
}

RunEntered guard_entered(const Run *run)
{
        const Guard *g = run->guard;
        /* A step is left once its command is through. */
        size_t n = g->n_entered + (g->exiting && g->command), n_resources = MIN(n, g->n_steps - 1);

        return (RunEntered){
                .n_resources = (uint8_t)(n_resources > 0 ? g->steps[n_resources - 1].use + 1 : 0),
                .job = n == g->n_steps,
                .over = g->over || (g->exiting && g->final != RUN_LOST),
        };
}

static void note_entered(const Guard *g)
{
        runs_note(guard_scheduler(g), g->run);
}

/* --- taking --- */

/* What went wrong besides adds to the error that RUN has. */
static void add_error(Run *run, const char *error)
{
        _cleanup_free_ char *both = xasprintf("%s; %s", run->extra->error_message ?: "", error);

        if (both)
                run_set_error(run, run->extra->error_kind, both);
}

static void take(Guard *g, Resource *resource, size_t use)
{
        resource_hold(resource, g->run);
        g->steps[g->n_taken++] = (GuardStep){ resource, resource_spec_ref(resource->spec), use };
}

void guard_granted(Scheduler *s, Run *run, Resource *resource)
{
        int r;

        run->guard->waits_for = NULL;
        timer_disarm(s->services->timers, &run->timer);
        if (!resource->removed)
                take(run->guard, resource, run->guard->n_taken);
        r = guard_acquire(s, run);
        if (r != 0)
                admit_guarded(s, run, r);
}

static int guard_new(Run *run)
{
        size_t n = run->spec->job.uses.n + 1;
        Guard *g = calloc(1, sizeof(*g) + n * sizeof(*g->steps));

        if (!g)
                return -ENOMEM;
        g->run = run;
        g->n_steps = n;
        run->guard = g;
        return 0;
}

static void on_wait_over(Timer *timer, _unused_ usec_t now)
{
        Run *run = container_of(timer, Run, timer);
        Guard *g = run->guard;
        const Resource *resource = g->waits_for;
        _cleanup_free_ char *message = NULL;
        char span[TIMESPAN_MAX];

        message = xasprintf("the resource %s was not free within %s (WaitSec=)", resource->spec->name,
                            timespan_format(resource->spec->wait, span));
        admit_gave_up(guard_scheduler(g), run, "resource", message);
}

void guard_limit_wait(Scheduler *s, Run *run)
{
        usec_t wait = run->guard->waits_for->spec->wait;

        run->timer.callback = on_wait_over;
        if (wait != USEC_INFINITY)
                (void)timer_arm(s->services->timers, &run->timer, usec_add(scheduler_boottime(s), wait));
        else
                timer_disarm(s->services->timers, &run->timer);
}

static int wait_for(Scheduler *s, Run *run, Resource *resource)
{
        _cleanup_free_ char *message = NULL;

        if (s->n_queued > s->limits.max_queued && !run_was_accepted(run)) {
                run_set_error(run, "too-many-runs", "as many runs of all jobs are waiting as may be (MaxQueued=)");
                return -EBUSY;
        }
        resource_wait(resource, run);
        run->guard->waits_for = resource;
        if (run_story(run) && free_and_strdup(&run->extra->story->resource, resource->spec->name) >= 0)
                run->extra->story->resource_run = resource->holder;
        guard_limit_wait(s, run);
        message = xasprintf("waits for the resource %s, which run %" PRIu64 " has", resource->spec->name, resource->holder);
        admit_wait(s, run, RUN_HOLD_RESOURCE, message);
        return 0;
}

size_t guard_holds(const Run *run, const Resource *resource)
{
        size_t n = 0;

        for (size_t i = 0; run->guard && i < run->guard->n_taken; i++)
                n += run->guard->steps[i].resource == resource;
        return n;
}

const Resource *guard_waits_for(const Run *run)
{
        return run->guard ? run->guard->waits_for : NULL;
}

/* Whether only the groups that RUN is in hold RESOURCE: they wait for RUN, so it would wait for ever. */
static bool is_held_by_groups(const Run *run, const Resource *resource)
{
        unsigned n = 0;

        for (const Run *group = run->member ? run->member->group : NULL; group; group = group->member ? group->member->group : NULL)
                n += guard_holds(group, resource) > 0;
        return n > 0 && n >= resource->spec->capacity;
}

int guard_acquire(Scheduler *s, Run *run)
{
        Guard *g;
        int r;

        if (!run->guard) {
                r = guard_new(run);
                if (r < 0) {
                        run_set_error(run, "memory", "no memory for what the run holds");
                        return r;
                }
        }
        for (g = run->guard; g->n_taken + 1 < g->n_steps;) {
                const char *name = run->spec->job.uses.uses[g->n_taken].name;
                Resource *resource = resource_find(s, name);

                if (!resource) {
                        _cleanup_free_ char *message = xasprintf("there is no resource %s in takt.conf", name);

                        run_set_error(run, "resource", message ?: name);
                        return -ENOENT;
                }
                if (resource_is_free(resource)) {
                        take(g, resource, g->n_taken);
                } else if (is_held_by_groups(run, resource)) {
                        _cleanup_free_ char *message = xasprintf("the group holds the resource %s itself, and would wait for its member for ever",
                                                                 name);

                        run_set_error(run, "resource", message ?: name);
                        return -EDEADLK;
                } else {
                        return wait_for(s, run, resource);
                }
        }
        return 1;
}

/* The capacity is not looked at: what was taken is taken. */
int guard_restore(Scheduler *s, Run *run, RunEntered entered)
{
        const JobUses *uses = &run->spec->job.uses;
        Guard *g;
        int r;

        r = guard_new(run);
        if (r < 0)
                return r;
        g = run->guard;
        for (size_t i = 0; i < MIN(uses->n, entered.n_resources); i++) {
                Resource *resource = resource_find(s, uses->uses[i].name);

                if (resource)
                        take(g, resource, i);
                else
                        add_error(run, "there is no resource to be left any more");
        }
        g->n_steps = g->n_taken + 1;
        g->n_entered = g->n_taken + entered.job;
        g->over = entered.over;
        note_entered(g);
        return 0;
}

/* --- entering and leaving --- */

static int start_command(Guard *g, const CommandLine *line, const char *state, void (*done)(Run *run, const char *error),
                         char **ret_error)
{
        const GuardOperations *operations = g->run->services->guards;

        return operations ? operations->start(g->run, line, state, done, &g->command, ret_error) : -EOPNOTSUPP;
}

static void free_command(Guard *g)
{
        if (g->command)
                g->command = g->run->services->guards->free(g->command);
}

static const CommandLine *step_command(const Guard *g, size_t i, bool enter)
{
        const ResourceSpec *spec = g->steps[i].spec;

        if (spec)
                return enter ? spec->enter : spec->exit;
        return enter ? g->run->spec->job.enter : g->run->spec->job.exit;
}

/* What the step is called in errors: a resource's name, or the job's. */
static const char *step_name(const Guard *g, size_t i)
{
        return g->steps[i].spec ? g->steps[i].spec->name : g->run->job->name;
}

static char *step_error(const Guard *g, size_t i, const char *key, const char *error)
{
        return xasprintf("%s= of %s: %s", key, step_name(g, i), error);
}

static void on_entered(Run *run, const char *error);

/* 1: all is entered. 0: a command is under way. -errno: it could not be started; *RET_ERROR says why. */
static int enter_next(Guard *g, char **ret_error)
{
        for (; g->n_entered < g->n_steps; g->n_entered++) {
                const CommandLine *line = step_command(g, g->n_entered, true);

                if (line) {
                        note_entered(g);
                        return start_command(g, line, NULL, on_entered, ret_error);
                }
        }
        note_entered(g);
        return 1;
}

static void on_entered(Run *run, const char *error)
{
        Guard *g = run->guard;
        _cleanup_free_ char *why = NULL, *message = NULL;
        int r = 0;

        if (!error && !run_is_stopping(run)) {
                free_command(g);
                g->n_entered++;
                r = enter_next(g, &why);
                if (r == 0)
                        return;
                error = r < 0 ? why ?: strerror(-r) : NULL;
        }
        if (error)
                message = step_error(g, g->n_entered, "Enter", error);
        else if (r == 0)
                g->n_entered++; /* done before it could be stopped: it is to be left, which begins at once */
        free_command(g);
        execute_entered(guard_scheduler(g), run, error ? message ?: error : NULL);
}

bool guard_enter(Scheduler *s, Run *run)
{
        Guard *g = run->guard;
        _cleanup_free_ char *why = NULL, *message = NULL;
        int r;

        if (g->n_entered == g->n_steps)
                return false;
        r = enter_next(g, &why);
        if (r >= 0)
                return r == 0;
        message = step_error(g, g->n_entered, "Enter", why ?: strerror(-r));
        execute_entered(s, run, message ?: "no memory");
        return true;
}

bool guard_is_entering(const Run *run)
{
        return run->guard && run->guard->command && !run->guard->exiting;
}

bool guard_is_exiting(const Run *run)
{
        return run->guard && run->guard->exiting;
}

void guard_stop_entering(Run *run)
{
        run->services->guards->stop(run->guard->command);
}

/* The run had a state; what went wrong in leaving adds to its error, or is one. */
static void note_exit_error(Guard *g, const char *error)
{
        _cleanup_free_ char *message = step_error(g, g->n_entered, "Exit", error);

        if (g->final == RUN_SUCCEEDED) {
                g->final = RUN_FAILED;
                run_set_error(g->run, "exit", message ?: error);
        } else {
                add_error(g->run, message ?: error);
        }
}

static void on_exited(Run *run, const char *error)
{
        Guard *g = run->guard;

        if (error)
                note_exit_error(g, error);
        free_command(g);
        execute_finish(guard_scheduler(g), run, g->final);
}

void guard_abandon(Scheduler *s, Run *run)
{
        Guard *g = run->guard;

        if (!g)
                return;
        free_command(g);
        run->guard = NULL;
        if (g->waits_for)
                resource_unwait(g->waits_for, run);
        while (g->n_taken > 0) {
                GuardStep *step = &g->steps[--g->n_taken];

                resource_spec_unref(step->spec);
                resource_leave(s, step->resource);
        }
        free(g);
}

/* Whether a command is to be run to leave what was entered. */
static bool has_exit(const Guard *g)
{
        for (size_t i = 0; i < g->n_entered; i++)
                if (step_command(g, i, false))
                        return true;
        return false;
}

bool guard_leave_to_next(Scheduler *s, Run *run)
{
        Guard *g = run->guard;

        if (!g || !s->keeper)
                return false;
        g->n_entered += g->exiting && g->command; /* the command has not left it yet */
        free_command(g);
        if (!has_exit(g))
                return false;
        g->exiting = true;
        g->final = RUN_CANCELLED;
        note_entered(g);
        return true;
}

bool guard_leave(Scheduler *s, Run *run, RunState *state)
{
        Guard *g = run->guard;

        assert(!g->command);
        if (!g->exiting) {
                g->exiting = true;
                g->final = *state;
        }
        while (g->n_entered > 0) {
                const CommandLine *line = step_command(g, --g->n_entered, false);
                _cleanup_free_ char *why = NULL;
                int r;

                if (!line)
                        continue;
                r = start_command(g, line, run_state_to_string(g->final), on_exited, &why);
                if (r >= 0) {
                        note_entered(g);
                        return true;
                }
                note_exit_error(g, why ?: strerror(-r));
        }
        *state = g->final;
        guard_abandon(s, run);
        return false;
}
