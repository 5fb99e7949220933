/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which jobs a call is about. There may be a million: where names alone are asked for each is looked up, and one
 * pattern is held against those names alone that share its beginning.
 */
#include <fnmatch.h>

#include "api/internal.h"

static bool is_pattern(const char *s)
{
        return strpbrk(s, "*?[") != NULL;
}

static int compare(const void *a, const void *b)
{
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int job_filter_init(JobFilter *filter, const JsonValue *jobs)
{
        JobFilter f = { .only_names = true };
        int r = api_strings(jobs, &f.patterns, &f.n);

        if (r < 0)
                return r;
        for (size_t i = 0; i < f.n; i++)
                f.only_names = f.only_names && !is_pattern(f.patterns[i]);
        if (f.n == 0)
                f.only_names = false;
        else
                qsort(f.patterns, f.n, sizeof(*f.patterns), compare);
        if (f.n == 1)
                f.prefix = strcspn(f.patterns[0], "*?[\\");
        *filter = f;
        return 0;
}

void job_filter_deinit(JobFilter *filter)
{
        free(filter->patterns);
        *filter = (JobFilter){};
}

bool job_filter_matches(const JobFilter *filter, const char *name)
{
        if (filter->only_names)
                return bsearch(&name, filter->patterns, filter->n, sizeof(*filter->patterns), compare);
        for (size_t i = 0; i < filter->n; i++)
                if (fnmatch(filter->patterns[i], name, 0) == 0)
                        return true;
        return filter->n == 0;
}

/* The first of the names behind AFTER that is a job's. */
static Job *next_name(const JobFilter *filter, Scheduler *scheduler, const char *after)
{
        size_t begin = 0, end = filter->n;
        Job *job = NULL;

        while (begin < end) {
                size_t middle = begin + (end - begin) / 2;

                if (strcmp(filter->patterns[middle], after) > 0)
                        end = middle;
                else
                        begin = middle + 1;
        }
        for (; begin < filter->n && !job; begin++)
                job = scheduler_find_job(scheduler, filter->patterns[begin]);
        return job;
}

Job *job_filter_next(const JobFilter *filter, Scheduler *scheduler, const char *after)
{
        char beginning[JOB_NAME_MAX + 1] = "";
        Job *job = NULL;

        if (filter->only_names)
                return next_name(filter, scheduler, after);
        if (filter->prefix > JOB_NAME_MAX)
                return NULL;
        if (filter->prefix > 0)
                memcpy(beginning, filter->patterns[0], filter->prefix);
        if (strcmp(after, beginning) < 0) {
                job = scheduler_find_job(scheduler, beginning);
                after = beginning;
        }
        job = job ?: scheduler_job_after(scheduler, after);
        return job && strncmp(job->name, beginning, filter->prefix) == 0 ? job : NULL;
}

static bool on_any(_unused_ const RunRecord *record, void *userdata)
{
        *(bool *)userdata = true;
        return false;
}

bool job_has_stored_runs(Store *store, const char *job)
{
        bool found = false;

        store_query(store, &(StoreQuery){ .jobs = &job, .n_jobs = 1, .limit = 1 },
                    &(StoreAnswer){ .found = on_any, .userdata = &found });
        return found;
}

bool job_filter_is_unknown(const JobFilter *filter, size_t i, Scheduler *scheduler, Store *store)
{
        const char *name = filter->patterns[i];
        const Job *job = scheduler_find_job(scheduler, name);

        if (is_pattern(name))
                return false;
        if (job)
                return filter->fits && !filter->fits(job);
        return !(store && job_has_stored_runs(store, name));
}
