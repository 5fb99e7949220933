/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Members of groups: runs that a run started. They run side by side whatever Overlap=skip or =replace
 * say, for who names a job twice in a group means it; Overlap=queue, MaxParallel= and MaxRuns= make
 * them wait. A group itself takes no place under MaxRuns=, or groups could hold all that their members
 * need. What finds no place waits in its group, so that a large group never stands before other jobs.
 */
#include "sched/internal.h"

void members_run_ended(Run *run)
{
        Member *member = run->member;

        scheduler_end_instant(run->job->scheduler);
        run->member = NULL;
        member->run = NULL;
        member->ended(member, run);
}

bool members_too_many(const Scheduler *s)
{
        return s->n_unfinished > (size_t)s->limits.max_runs + s->limits.max_queued;
}

unsigned members_limit(const Job *job)
{
        const ScheduleSettings *rules = &job->spec->schedule;

        return rules->overlap == OVERLAP_PARALLEL && rules->max_parallel > 0 ? rules->max_parallel : 1;
}

bool members_must_wait(const Job *job)
{
        const ScheduleSettings *rules = &job->spec->schedule;
        bool limited = rules->overlap == OVERLAP_QUEUE || (rules->overlap == OVERLAP_PARALLEL && rules->max_parallel > 0);

        return limited && job->n_runs - 1 >= members_limit(job);
}

/* A group that is its own member, however far down, would never end. */
static int check_ancestors(const Run *group, const Job *job)
{
        unsigned depth = 1;

        for (const Run *run = group; run; run = run->member ? run->member->group : NULL)
                if (run->job == job || ++depth > GROUP_DEPTH_MAX)
                        return -ELOOP;
        return 0;
}

static bool no_place(const Scheduler *s, const Job *job)
{
        if (job->spec->kind->only_waits)
                return members_too_many(s);
        return s->n_active >= s->limits.max_runs || !list_is_empty(&s->queue);
}

static int begin(Scheduler *s, Job *job, Member *member, const Buffer *params, uint64_t *ret_id)
{
        return scheduler_run(s, job,
                             &(RunRequest){
                                     .trigger = RUN_TRIGGER_GROUP,
                                     .params = params->data,
                                     .origin = member->group->id,
                                     .event_depth = member->group->event_depth,
                                     .member = member,
                             },
                             ret_id);
}

static int member_start(Member *member, const MemberRequest *request, uint64_t *ret_id, ParameterError *ret_error)
{
        Run *group = member->group;
        Scheduler *s = group->job->scheduler;
        _cleanup_buffer_ Buffer params = BUFFER_NULL;
        Job *job;
        int r = scheduler_find_or_make_job(s, request->job, &job);

        if (r < 0)
                return r == -EINVAL ? -EISDIR : r;
        r = check_ancestors(group, job);
        if (r >= 0 && !request->may_wait && no_place(s, job))
                r = -EBUSY;
        if (r >= 0)
                r = bind_params(s, job, "input", request->input, request->args, request->n_args, &params, ret_error);
        if (r >= 0)
                r = begin(s, job, member, &params, ret_id);
        if (r < 0)
                scheduler_release_job(s, job);
        return r == -E2BIG ? -EINVAL : r;
}

static void member_cancel(Member *member)
{
        Run *run = member->run;

        if (run)
                stop_run(run->job->scheduler, run, RUN_STOP_GROUP);
}

const MemberOperations scheduler_members = {
        .start = member_start,
        .cancel = member_cancel,
};
