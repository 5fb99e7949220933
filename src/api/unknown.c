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

int api_unknown_add_run(ApiUnknown *unknown, uint64_t run)
{
        uint64_t *runs = reallocarray(unknown->runs, unknown->n_runs + 1, sizeof(*runs));

        if (!runs)
                return -ENOMEM;
        unknown->runs = runs;
        runs[unknown->n_runs++] = run;
        return 0;
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
        if (unknown->n_runs > 0) {
                json_key(w, "unknownRuns");
                json_begin_array(w);
                for (size_t i = 0; i < unknown->n_runs; i++)
                        json_uint(w, unknown->runs[i]);
                json_end_array(w);
        }
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
        *unknown = (ApiUnknown){};
}
