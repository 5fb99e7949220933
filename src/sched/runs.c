/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The runs that have not ended: all of them by their ids, and those of each job. */
#include "sched/internal.h"

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

void runs_uncount(Scheduler *s, Run *run)
{
        if (run->state == RUN_RUNNING && run_takes_place(run))
                s->n_active--;
        if (run->state == RUN_RUNNING || run->state == RUN_RETRYING)
                run->job->n_active--;
        else
                s->n_queued--;
        scheduler_count_state(s, run->job);
}

void runs_free(Scheduler *s, Run *run)
{
        list_unlink(&run->link);
        list_unlink(&run->queue);
        if (run == s->newest)
                s->newest = RB_PREV(RunTree, &s->runs, run);
        RB_REMOVE(RunTree, &s->runs, run);
        run->job->n_runs--;
        s->n_unfinished--;
        run_free(run);
}

void runs_drop(Scheduler *s, Run *run)
{
        runs_uncount(s, run);
        timer_disarm(s->services->timers, &run->timer);
        if (run->state == RUN_RUNNING)
                refine_reset(run);
        if (run->guard)
                guard_abandon(s, run);
        if (run->member)
                run->member->run = NULL;
        runs_free(s, run);
}

void runs_leave(Scheduler *s, Run *run)
{
        Job *job = run->job;

        runs_drop(s, run);
        if (job->removed && job->n_runs == 0)
                job_free(job);
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
