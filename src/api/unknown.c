/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a call names and is not there. A call is answered for all that is there, and its answer says what is not; only
 * where nothing of what was named is there, the call as a whole fails.
 */
#include "api/internal.h"

int api_unknown_add_job(ApiUnknown *unknown, const char *job)
{
        const char **jobs;

        /* Names come sorted. */
        if (unknown->n_jobs > 0 && streq(unknown->jobs[unknown->n_jobs - 1], job))
                return 0;
        jobs = reallocarray(unknown->jobs, unknown->n_jobs + 1, sizeof(*jobs));
        if (!jobs)
                return -ENOMEM;
        unknown->jobs = jobs;
        jobs[unknown->n_jobs++] = job;
        return 0;
}

ssize_t api_unknown_find_jobs(ApiUnknown *unknown, const JobFilter *filter, Scheduler *scheduler, Store *store)
{
        ssize_t n = 0;

        for (size_t i = 0; i < filter->n; i++) {
                if (!job_filter_is_unknown(filter, i, scheduler, store))
                        continue;
                n++;
                if (api_unknown_add_job(unknown, filter->patterns[i]) < 0)
                        return -ENOMEM;
        }
        return n;
}

static int add_number(uint64_t **numbers, size_t *n, uint64_t number)
{
        uint64_t *grown = reallocarray(*numbers, *n + 1, sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        *numbers = grown;
        grown[(*n)++] = number;
        return 0;
}

int api_unknown_add_run(ApiUnknown *unknown, const Scheduler *scheduler, uint64_t run)
{
        int r = add_number(&unknown->runs, &unknown->n_runs, run);

        if (r >= 0 && scheduler_gave_run(scheduler, run))
                r = add_number(&unknown->forgotten, &unknown->n_forgotten, run);
        return r;
}

static void write_numbers(JsonWriter *w, const char *key, const uint64_t *numbers, size_t n)
{
        if (n == 0)
                return;
        json_key(w, key);
        json_begin_array(w);
        for (size_t i = 0; i < n; i++)
                json_uint(w, numbers[i]);
        json_end_array(w);
}

void api_unknown_write(const ApiUnknown *unknown, JsonWriter *w)
{
        if (unknown->n_jobs > 0) {
                json_key(w, "unknown");
                json_begin_array(w);
                for (size_t i = 0; i < unknown->n_jobs; i++)
                        json_string(w, unknown->jobs[i]);
                json_end_array(w);
        }
        write_numbers(w, "unknownRuns", unknown->runs, unknown->n_runs);
        write_numbers(w, "forgottenRuns", unknown->forgotten, unknown->n_forgotten);
}

int api_unknown_error(const ApiUnknown *unknown, VarlinkCall *call)
{
        JsonWriter *w;

        if (unknown->n_runs > 0) {
                w = varlink_call_begin_error(call, "io.takt.Runs.NoSuchRun");
                json_key(w, "run");
                json_uint(w, unknown->runs[0]);
        } else {
                w = varlink_call_begin_error(call, "io.takt.Jobs.NoSuchJob");
                json_key(w, "job");
                json_string(w, unknown->jobs[0]);
        }
        api_unknown_write(unknown, w);
        return varlink_call_end(call, false);
}

void api_unknown_deinit(ApiUnknown *unknown)
{
        free(unknown->jobs);
        free(unknown->runs);
        free(unknown->forgotten);
        *unknown = (ApiUnknown){};
}
