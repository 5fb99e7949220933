/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cancel: runs that are named by their ids, and then those that jobs have under way when the call comes. */
#include "api/internal.h"

static int miss_run(ApiWalk *walk, uint64_t id)
{
        walk->n_missing++;
        return api_unknown_add_run(&walk->unknown, walk->api->context.scheduler, id);
}

static void cancel_and_write(ApiWalk *walk, uint64_t id)
{
        Scheduler *scheduler = walk->api->context.scheduler;
        Run *run = scheduler_find_run(scheduler, id);
        Requester by = api_requester(walk->call);
        ApiRunText text = {};
        int r;

        if (run)
                scheduler_cancel_by(scheduler, run, &by); /* which may be its end */
        r = api_find_run(walk->api, id, true, &text);
        if (r > 0)
                json_raw(&walk->writer, text.text.data, text.text.len);
        else if (r == 0 && !run)
                r = miss_run(walk, id);
        if (r < 0)
                walk->writer.error = r;
        buffer_deinit(&text.text);
}

static bool may_have_runs(const Job *job)
{
        return !job->is_template;
}

static bool cancel_next(ApiWalk *walk)
{
        const JsonValue *ids = json_get(json_root(walk->parameters), "runs");
        Run *run;

        if (json_is(ids, JSON_ARRAY) && walk->index < ids->n) {
                cancel_and_write(walk, (uint64_t)ids->items[walk->index++].integer);
                return true;
        }
        run = walk->filter.n > 0 ? scheduler_run_after(walk->api->context.scheduler, walk->after_run) : NULL;
        if (!run || run->id > walk->last_run)
                return false;
        walk->after_run = run->id;
        if (job_filter_matches(&walk->filter, run->job->name))
                cancel_and_write(walk, run->id);
        return true;
}

int api_runs_cancel(VarlinkCall *call, const JsonValue *parameters, void *userdata)
{
        Api *api = userdata;
        const JsonValue *ids = json_get(parameters, "runs");
        const Run *newest = scheduler_run_before(api->context.scheduler, UINT64_MAX);
        ApiWalk *walk;
        int r;

        if (json_is(ids, JSON_ARRAY) && ids->n > API_RUNS_MAX)
                return varlink_call_invalid_parameter(call, "runs");
        r = api_check_run_ids(call, parameters, "runs");
        if (r <= 0)
                return r;
        r = api_walk_new(api, call, parameters, "runs", "io.takt.Runs.TooManyRuns", &walk);
        if (r < 0)
                return r;
        walk->filter.fits = may_have_runs;
        /* What is started because of an end is not asked to end as well. */
        walk->last_run = newest ? newest->id : 0;
        api_walk_begin(walk, cancel_next);
        return 0;
}
