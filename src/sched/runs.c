/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The runs that have not ended: all of them by their ids, and those of each job.
 *
 * The state of a run changes here and nowhere else:
 *
 *      (new) ─ queued ─┬─ running ─┬─ retrying ─ running, queued …
 *                      │           └─ succeeded, failed, timeout, cancelled, lost
 *                      └─ failed, timeout, cancelled, skipped, missed, lost
 *
 * What a state counts as is a row of a table, so no counter can be forgotten on one of the ways.
 */
#include "sched/internal.h"

#include <assert.h>

#include "sched/guard.h"
#include "sched/refine.h"

static int run_compare(const Run *a, const Run *b)
{
        return a->id < b->id ? -1 : a->id > b->id;
}

RB_GENERATE(RunTree, Run, by_id, run_compare)

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

/* --- states --- */

/* The counters that a run in this state is in. */
typedef struct Counted {
        uint8_t queued; /* Scheduler.n_queued */
        uint8_t active; /* Job.n_active */
        uint8_t placed; /* Scheduler.n_active, unless its kind only waits */
} Counted;

static const Counted counted[_RUN_STATE_MAX] = {
        [RUN_QUEUED] = { .queued = 1 },
        [RUN_RUNNING] = { .active = 1, .placed = 1 },
        [RUN_RETRYING] = { .active = 1 },
};

/* The states that may follow. A run that is queued again waits for something else than before. */
#define BIT(state) (1U << RUN_##state)
static const unsigned followers[_RUN_STATE_MAX] = {
        [RUN_QUEUED] = BIT(QUEUED) | BIT(RUNNING) | BIT(FAILED) | BIT(TIMEOUT) | BIT(CANCELLED) | BIT(SKIPPED) | BIT(MISSED) | BIT(LOST),
        [RUN_RUNNING] = BIT(RETRYING) | BIT(SUCCEEDED) | BIT(FAILED) | BIT(TIMEOUT) | BIT(CANCELLED) | BIT(LOST),
        [RUN_RETRYING] = BIT(QUEUED) | BIT(RUNNING) | BIT(CANCELLED),
};

static inline void recount(Scheduler *s, Run *run, const Counted *from, const Counted *to)
{
        s->n_queued += (size_t)to->queued - from->queued;
        if (run_takes_place(run))
                s->n_active += (size_t)to->placed - from->placed;
        if (to->active != from->active) {
                run->job->n_active += (unsigned)to->active - from->active;
                scheduler_count_state(s, run->job);
        }
}

static RunEntered entered_by(const Run *run)
{
        RunEntered entered = run->guard ? guard_entered(run) : (RunEntered){};

        entered.over = entered.over || run->unwanted != RUN_STOP_NONE;
        return entered;
}

/*
 * Whether the next daemon has to know of RUN. A run that is looked at for the first time may be over in a moment. A
 * member is lost with its group, which is what is told and tried again, unless there is something to be left.
 */
static bool is_to_be_noted(const Run *run, RunEntered entered)
{
        if (entered.n_resources > 0 || entered.job)
                return true;
        return run->trigger != RUN_TRIGGER_GROUP &&
               (run->state != RUN_QUEUED || run->hold != RUN_HOLD_NONE || !list_is_empty(&run->queue));
}

void runs_note(Scheduler *s, Run *run)
{
        RunEntered entered;

        if (!s->keeper)
                return;
        entered = entered_by(run);
        if (is_to_be_noted(run, entered))
                s->keeper->operations->keep(s->keeper, run, entered, scheduler_boottime(s));
        else if (run->noted)
                s->keeper->operations->drop(s->keeper, run);
}

void runs_set_state(Scheduler *s, Run *run, RunState state)
{
        assert(followers[run->state] & (1U << state));
        recount(s, run, &counted[run->state], &counted[state]);
        run->state = state;
        if (!run_state_is_final(state)) {
                runs_note(s, run);
                return;
        }
        s->statistics.by_state[state]++;
        job_count_end(run->job, state);
        if (s->keeper)
                s->keeper->operations->drop(s->keeper, run);
}

void scheduler_note_runs(Scheduler *s)
{
        Run *run;

        RB_FOREACH(run, RunTree, &s->runs)
                runs_note(s, run);
}

void scheduler_set_keeper(Scheduler *s, RunKeeper *keeper)
{
        s->keeper = keeper;
}

/* --- the runs that there are --- */

/* ID 0: the next one. */
int runs_new(Scheduler *s, Job *job, uint64_t id, Run **ret)
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
        run->owner = &execute_owner;
        run->state = RUN_QUEUED; /* as in a block of zeros */
        run->kind_done = true;
        run->created_realtime = scheduler_realtime(s);
        list_append(&job->runs, &run->link);
        job->n_runs++;
        insert(s, run);
        s->n_unfinished++;
        recount(s, run, &counted[RUN_SUCCEEDED], &counted[RUN_QUEUED]);
        *ret = run;
        return 0;
}

void runs_free(Scheduler *s, Run *run)
{
        if (s->walks)
                stop_run_goes(s, run);
        list_unlink(&run->link);
        list_unlink(&run->queue);
        if (run == s->newest)
                s->newest = RB_PREV(RunTree, &s->runs, run);
        RB_REMOVE(RunTree, &s->runs, run);
        run->job->n_runs--;
        s->n_unfinished--;
        run_free(run);
}

void runs_leave(Scheduler *s, Run *run)
{
        Job *job = run->job;

        recount(s, run, &counted[run->state], &counted[RUN_LOST]);
        timer_disarm(s->services->timers, &run->timer);
        if (run->state == RUN_RUNNING)
                refine_reset(run);
        if (run->guard)
                guard_abandon(s, run);
        if (run->member)
                run->member->run = NULL;
        runs_free(s, run);
        scheduler_forget_if_idle(s, job);
}

Run *scheduler_find_run(Scheduler *s, uint64_t id)
{
        return RB_FIND(RunTree, &s->runs, &(Run){ .id = id });
}

Run *scheduler_next_run(Scheduler *s, Run *run)
{
        return run ? RB_NEXT(RunTree, &s->runs, run) : RB_MIN(RunTree, &s->runs);
}

Run *scheduler_run_after(Scheduler *s, uint64_t id)
{
        return id < UINT64_MAX ? RB_NFIND(RunTree, &s->runs, &(Run){ .id = id + 1 }) : NULL;
}

Run *scheduler_run_before(Scheduler *s, uint64_t id)
{
        Run *run = RB_NFIND(RunTree, &s->runs, &(Run){ .id = id });

        return run ? RB_PREV(RunTree, &s->runs, run) : s->newest;
}

size_t scheduler_n_running(const Scheduler *s)
{
        return s->n_unfinished - s->n_queued;
}

size_t scheduler_n_queued(const Scheduler *s)
{
        return s->n_queued;
}

bool scheduler_gave_run(const Scheduler *s, uint64_t id)
{
        return run_ids_was_given(s->ids, id);
}
