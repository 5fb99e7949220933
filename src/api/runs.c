/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/internal.h"

#define RUNS_LIST_DEFAULT 100U

static int reply_run(VarlinkCall *call, const ApiRunText *text)
{
        JsonWriter *w = varlink_call_begin(call);

        json_key(w, "run");
        json_raw(w, text->text.data, text->text.len);
        return varlink_call_end(call, false);
}

static int method_get(VarlinkCall *call, const JsonValue *parameters, void *userdata)
{
        Api *api = userdata;
        uint64_t id = (uint64_t)json_get(parameters, "run")->integer;
        ApiRunText text = {};
        int r = api_check_run_ids(call, parameters, "run");

        if (r <= 0)
                return r;
        r = api_find_run(api, id, false, &text);
        if (r > 0)
                r = reply_run(call, &text);
        else if (r == 0)
                r = api_no_such_run(api, call, id);
        buffer_deinit(&text.text);
        return r;
}

typedef struct FoundLast {
        ApiRunText text;
        int r; /* as of api_find_run() */
} FoundLast;

static bool on_last(const RunRecord *record, void *userdata)
{
        JsonWriter w;
        FoundLast *found = userdata;

        json_writer_init(&w, &found->text.text, 0);
        run_record_write(record, false, &w);
        found->r = json_writer_end(&w);
        if (found->r >= 0)
                found->r = 1;
        return false;
}

/* The newest run of JOB that goes on and has yielded a value; NULL: none. */
static Run *find_yielding(Scheduler *scheduler, const char *name)
{
        Job *job = scheduler_find_job(scheduler, name);
        Run *run, *newest = NULL;

        if (!job)
                return NULL;
        list_foreach(run, &job->runs, Run, link)
                if (run->state == RUN_RUNNING && run->result)
                        newest = run;
        return newest;
}

static int method_get_last(VarlinkCall *call, const JsonValue *parameters, void *userdata)
{
        Api *api = userdata;
        const char *job = json_string_or_null(json_get(parameters, "job")) ?: "";
        Run *run = find_yielding(api->context.scheduler, job);
        FoundLast found = {};
        int r;

        if (run)
                found.r = api_find_run(api, run->id, false, &found.text);
        else
                store_query(api->context.store, &(StoreQuery){ .jobs = &job, .n_jobs = 1, .states = 1U << RUN_SUCCEEDED, .limit = 1 },
                            &(StoreAnswer){ .found = on_last, .userdata = &found });
        if (found.r > 0)
                r = reply_run(call, &found.text);
        else if (found.r < 0)
                r = found.r;
        else if (!scheduler_find_job(api->context.scheduler, job) && !job_has_stored_runs(api->context.store, job))
                r = api_no_such_job(call, job);
        else
                r = varlink_call_error(call, "io.takt.Runs.NoResult", "job", job);
        buffer_deinit(&found.text.text);
        return r;
}

typedef struct ListState {
        JsonWriter *w;
        bool omit_results;
} ListState;

static bool on_listed(const RunRecord *record, void *userdata)
{
        ListState *list = userdata;

        run_record_write(record, list->omit_results, list->w);
        return true;
}

/* Runs under way, newest first, as the query asks for them. Returns how many were written. */
static size_t write_active(Api *api, const StoreQuery *query, const JobFilter *jobs, ListState *list)
{
        Run *run = scheduler_run_before(api->context.scheduler, query->before > 0 ? query->before : UINT64_MAX);
        size_t written = 0;

        for (; run && written < query->limit; run = scheduler_run_before(api->context.scheduler, run->id)) {
                if (query->parent > 0 && !store_is_member(query->parent, run->trigger, run->origin))
                        continue;
                if ((query->states != 0 && !(query->states & (1U << run->state))) || !job_filter_matches(jobs, run->job->name))
                        continue;
                run_write(run, list->omit_results, list->w);
                written++;
        }
        return written;
}

static unsigned read_states(const JsonValue *states)
{
        unsigned bits = 0;

        for (uint32_t i = 0; json_is(states, JSON_ARRAY) && i < states->n; i++) {
                int state = run_state_from_string(json_string_or_null(&states->items[i]) ?: "");

                if (state >= 0)
                        bits |= 1U << state;
        }
        return bits;
}

static int method_list(VarlinkCall *call, const JsonValue *parameters, void *userdata)
{
        Api *api = userdata;
        const JsonValue *before = json_get(parameters, "before"), *limit = json_get(parameters, "limit"),
                        *omit = json_get(parameters, "omitResults"), *parent = json_get(parameters, "parent");
        _cleanup_(job_filter_deinit) JobFilter jobs = {};
        _cleanup_(api_unknown_deinit) ApiUnknown unknown = {};
        ListState list = { .omit_results = json_is(omit, JSON_BOOL) && omit->boolean };
        StoreQuery query = { .states = read_states(json_get(parameters, "states")), .limit = RUNS_LIST_DEFAULT };
        ssize_t n_unknown;
        size_t n;
        int r = job_filter_init(&jobs, json_get(parameters, "jobs"));

        if (r < 0)
                return r;
        query.jobs = jobs.patterns;
        query.n_jobs = jobs.n;
        if (json_is(before, JSON_INT) && before->integer < 1)
                return varlink_call_invalid_parameter(call, "before");
        if (json_is(limit, JSON_INT) && limit->integer < 1)
                return varlink_call_invalid_parameter(call, "limit");
        if (json_is(before, JSON_INT))
                query.before = (uint64_t)before->integer;
        if (json_is(parent, JSON_INT) && parent->integer < 1)
                return varlink_call_invalid_parameter(call, "parent");
        if (json_is(parent, JSON_INT))
                query.parent = (uint64_t)parent->integer;
        if (json_is(limit, JSON_INT))
                query.limit = (size_t)limit->integer;
        n_unknown = api_unknown_find_jobs(&unknown, &jobs, api->context.scheduler, api->context.store);
        if (n_unknown < 0)
                return (int)n_unknown;
        if (n_unknown > 0 && (size_t)n_unknown == jobs.n)
                return api_unknown_error(&unknown, call);
        list.w = varlink_call_begin(call);
        json_key(list.w, "runs");
        json_begin_array(list.w);
        n = write_active(api, &query, &jobs, &list);
        if (n < query.limit) {
                query.limit -= n;
                store_query(api->context.store, &query, &(StoreAnswer){ .found = on_listed, .userdata = &list });
        }
        json_end_array(list.w);
        api_unknown_write(&unknown, list.w);
        return varlink_call_end(call, false);
}

const VarlinkMethod api_runs_methods[] = {
        { "io.takt.Runs.Start", api_runs_start, API_CONTROL },
        { "io.takt.Runs.Gather", api_runs_gather, API_CONTROL },
        { "io.takt.Runs.Wait", api_runs_wait, API_READ },
        { "io.takt.Runs.Cancel", api_runs_cancel, API_CONTROL },
        { "io.takt.Runs.Send", api_runs_send, API_CONTROL },
        { "io.takt.Runs.Get", method_get, API_READ },
        { "io.takt.Runs.GetLast", method_get_last, API_READ },
        { "io.takt.Runs.List", method_list, API_READ },
        { "io.takt.Runs.Watch", api_runs_watch, API_READ },
        {},
};
