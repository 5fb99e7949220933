/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/internal.h"

#include <fcntl.h>
#include <inttypes.h>

#include "base/file.h"
#include "base/string-util.h"
#include "job/problem.h"

static void write_string_or_null(JsonWriter *w, const char *key, const char *value)
{
        json_key(w, key);
        if (value)
                json_string_lossy(w, value, strlen(value));
        else
                json_null(w);
}

static void write_strings(JsonWriter *w, const char *key, const StringList *list)
{
        json_key(w, key);
        json_begin_array(w);
        for (size_t i = 0; i < list->n; i++)
                json_string_lossy(w, list->strings[i], strlen(list->strings[i]));
        json_end_array(w);
}

static void write_limit(JsonWriter *w, const char *key, bool limited, uint64_t value)
{
        json_key(w, key);
        if (limited)
                json_uint(w, value);
        else
                json_null(w);
}

/* What a list shows of a job's last run. */
static bool write_last(const RunRecord *record, void *userdata)
{
        JsonWriter *w = userdata;

        json_key(w, "last");
        json_begin_object(w);
        json_key(w, "run");
        json_uint(w, record->id);
        json_key(w, "state");
        json_string(w, run_state_to_string(record->state));
        json_key(w, "scheduled");
        json_realtime(w, record->scheduled_realtime);
        json_key(w, "started");
        json_realtime(w, record->started_realtime);
        json_key(w, "finished");
        json_realtime(w, record->finished_realtime);
        json_key(w, "durationUsec");
        run_write_span(w, record->duration);
        json_key(w, "error");
        run_record_write_error(record, w);
        json_end_object(w);
        return false;
}

static void write_description(JsonWriter *w, const Job *job)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;

        if (job->is_template) { /* %i has no value in it */
                write_string_or_null(w, "description", job->spec->job.description);
                return;
        }
        if (job->spec->job.description && job_append_text(job, job->spec->job.description, &text) < 0)
                w->error = -ENOMEM;
        write_string_or_null(w, "description", job->spec->job.description ? buffer_string(&text) : NULL);
}

/* The newest change of a job that is paused is that, but for what a reload did. */
static bool on_change(const Change *change, void *userdata)
{
        if (change->type == EVENT_PAUSED)
                requester_write(&change->by, "pausedBy", userdata);
        return change->type != EVENT_PAUSED;
}

static void write_pause(Api *api, const Job *job, JsonWriter *w)
{
        json_key(w, "pausedSince");
        json_realtime(w, job->paused_realtime);
        change_log_query(api->context.changes, job->name, on_change, w);
}

static void write_warnings(const JobWarnings *warnings, JsonWriter *w)
{
        if (!warnings || warnings->report.n == 0)
                return;
        json_key(w, "warnings");
        json_begin_array(w);
        for (size_t i = 0; i < warnings->report.n; i++) {
                json_begin_object(w);
                problem_write(&warnings->report.problems[i], w);
                json_end_object(w);
        }
        json_end_array(w);
}

static void write_limits(const JobSpec *spec, JsonWriter *w)
{
        static const char *const overlaps[] = { "skip", "queue", "replace", "parallel" };

        json_key(w, "overlap");
        json_string(w, overlaps[spec->schedule.overlap]);
        if (spec->schedule.on.n > 0) {
                json_key(w, "eventOverlap");
                json_string(w, overlaps[spec->schedule.event_overlap]);
        }
        write_limit(w, "maxParallel", spec->schedule.max_parallel > 0, spec->schedule.max_parallel);
        write_limit(w, "timeoutUsec", spec->job.timeout != USEC_INFINITY, spec->job.timeout);
        json_key(w, "retries");
        json_uint(w, spec->job.retries);
}

static void write_next(const Job *job, JsonWriter *w)
{
        json_key(w, "next");
        json_realtime(w, job_next_begin_realtime(job));
        if (job_next_begin_realtime(job) == job->next_realtime)
                return;
        json_key(w, "nextScheduled");
        json_realtime(w, job->next_realtime);
}

static void write_under_way(const Job *job, JsonWriter *w)
{
        json_key(w, "running");
        json_uint(w, job->n_active);
        json_key(w, "queued");
        json_uint(w, job->n_runs - job->n_active);
        if (scheduler_n_events_waiting(job) > 0) {
                json_key(w, "eventsWaiting");
                json_uint(w, scheduler_n_events_waiting(job));
        }
        api_write_catch_ups(job, w);
}

static void write_ended(Api *api, const Job *job, JsonWriter *w)
{
        /* Skips and misses are no answer to how the last run went. */
        static const unsigned went = 1U << RUN_SUCCEEDED | 1U << RUN_FAILED | 1U << RUN_TIMEOUT | 1U << RUN_CANCELLED | 1U << RUN_LOST;
        const char *name = job->name;

        store_query(api->context.store, &(StoreQuery){ .jobs = &name, .n_jobs = 1, .states = went, .limit = 1 },
                    &(StoreAnswer){ .found = write_last, .userdata = w });
        json_key(w, "runs");
        json_begin_object(w);
        for (int state = RUN_SUCCEEDED; state < _RUN_STATE_MAX; state++) {
                json_key(w, run_state_to_string((RunState)state));
                json_uint(w, job_n_ended(job, (RunState)state));
        }
        json_end_object(w);
}

static void write_job(Api *api, const Job *job, JsonWriter *w)
{
        const JobSpec *spec = job->spec;

        json_begin_object(w);
        json_key(w, "job");
        json_string(w, job->name);
        json_key(w, "kind");
        json_string(w, spec->kind->name);
        write_description(w, job);
        write_strings(w, "documentation", &spec->job.documentation);
        json_key(w, "state");
        json_string(w, job_state_to_string(job_state(job)));
        json_key(w, "enabled");
        json_bool(w, spec->job.enabled);
        json_key(w, "paused");
        json_bool(w, job->paused_realtime > 0);
        if (job->paused_realtime > 0)
                write_pause(api, job, w);
        json_key(w, "refused");
        json_bool(w, job->refused);
        write_warnings(spec->warnings, w);
        write_strings(w, "files", &spec->files);
        write_strings(w, "schedule", &spec->triggers);
        write_limits(spec, w);
        write_next(job, w);
        write_under_way(job, w);
        write_ended(api, job, w);
        json_end_object(w);
}

static void visit_list(Api *api, _unused_ const VarlinkCall *call, Job *job, JsonWriter *w)
{
        write_job(api, job, w);
}

static int method_list(VarlinkCall *call, const JsonValue *parameters, void *userdata)
{
        return api_walk_jobs(userdata, call, parameters, "jobs", NULL, visit_list);
}

/* The job that the parameter names; NULL: the call was answered with an error. */
static Job *find_job(Api *api, VarlinkCall *call, const JsonValue *parameters)
{
        const char *name = json_string_or_null(json_get(parameters, "job")) ?: "";
        Job *job = scheduler_find_job(api->context.scheduler, name);

        if (!job)
                (void)api_no_such_job(call, name);
        return job;
}

static int method_get(VarlinkCall *call, const JsonValue *parameters, void *userdata)
{
        Api *api = userdata;
        Job *job = find_job(api, call, parameters);
        JsonWriter *w;

        if (!job)
                return 0;
        w = varlink_call_begin(call);
        json_key(w, "job");
        write_job(api, job, w);
        return varlink_call_end(call, false);
}

static void write_file(const Job *job, const char *path, JsonWriter *w)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;

        /* A file that is gone is shown as empty: what counts was read at load. */
        if (read_file_at(AT_FDCWD, path, CONFIG_FILE_MAX_BYTES, &text) == -ENOMEM)
                w->error = -ENOMEM;
        /* Who may read the file itself is for its mode to say. */
        if (text.data)
                secret_set_redact(&job->spec->secrets, text.data, &text.len);
        json_begin_object(w);
        json_key(w, "job");
        json_string(w, job->name);
        write_string_or_null(w, "path", path);
        json_key(w, "text");
        json_string_lossy(w, buffer_string(&text), text.len);
        json_end_object(w);
}

static void write_files(_unused_ Api *api, _unused_ const VarlinkCall *call, Job *job, JsonWriter *w)
{
        for (size_t i = 0; i < job->spec->files.n; i++)
                write_file(job, job->spec->files.strings[i], w);
}

static int method_cat(VarlinkCall *call, const JsonValue *parameters, void *userdata)
{
        return api_walk_jobs(userdata, call, parameters, "files", NULL, write_files);
}

int api_write_usage(const Job *job, uint64_t again, const JsonValue *earlier, JsonWriter *w)
{
        _cleanup_buffer_ Buffer usage = BUFFER_NULL;
        _cleanup_free_ char *command = again > 0 ? xasprintf("taktctl run --again %" PRIu64, again) : xasprintf("taktctl run %s", job->name);
        int r;

        if (!command)
                return -ENOMEM;
        r = parameter_usage(job->spec->job.parameters, command, earlier, &usage);
        if (r < 0)
                return r;
        json_key(w, "usage");
        json_string_lossy(w, buffer_string(&usage), usage.len);
        return 0;
}

static int method_usage(VarlinkCall *call, const JsonValue *parameters, void *userdata)
{
        const JsonValue *run = json_get(parameters, "again");
        uint64_t id = json_is(run, JSON_INT) ? (uint64_t)run->integer : 0;
        _cleanup_(api_again_deinit) ApiAgain again = {};
        Api *api = userdata;
        JsonWriter *w;
        Job *job;
        int r = api_check_run_ids(call, parameters, "again");

        if (r <= 0)
                return r;
        job = find_job(api, call, parameters);
        if (!job)
                return 0;
        if (json_is(run, JSON_INT)) {
                r = api_again_find(api, id, &again);
                if (r <= 0)
                        return r < 0 ? r : api_no_such_run(api, call, id);
                if (!streq(again.job, job->name))
                        return varlink_call_invalid_parameter(call, "job");
        }
        w = varlink_call_begin(call);
        json_key(w, "parameters");
        parameter_describe(job->spec->job.parameters, w);
        r = api_write_usage(job, id, json_is(run, JSON_INT) ? json_root(again.params) : NULL, w);
        return r < 0 ? r : varlink_call_end(call, false);
}

static void visit_pause(Api *api, const VarlinkCall *call, Job *job, JsonWriter *w)
{
        Requester by = api_requester(call);

        (void)scheduler_pause_job_by(api->context.scheduler, job, &by);
        json_string(w, job->name);
}

static void visit_resume(Api *api, const VarlinkCall *call, Job *job, JsonWriter *w)
{
        Requester by = api_requester(call);

        (void)scheduler_resume_job_by(api->context.scheduler, job, &by);
        json_string(w, job->name);
}

/* What never runs by a schedule has none to hold back. */
static bool can_pause(const Job *job)
{
        return !job->is_template && !job->removed;
}

static int change_jobs(VarlinkCall *call, const JsonValue *parameters, Api *api, ApiJobVisit visit)
{
        const JsonValue *jobs = json_get(parameters, "jobs");

        if (!json_is(jobs, JSON_ARRAY) || jobs->n == 0)
                return varlink_call_invalid_parameter(call, "jobs");
        return api_walk_jobs(api, call, parameters, "jobs", can_pause, visit);
}

static int method_pause(VarlinkCall *call, const JsonValue *parameters, void *userdata)
{
        return change_jobs(call, parameters, userdata, visit_pause);
}

static int method_resume(VarlinkCall *call, const JsonValue *parameters, void *userdata)
{
        return change_jobs(call, parameters, userdata, visit_resume);
}

const VarlinkMethod api_jobs_methods[] = {
        { "io.takt.Jobs.List", method_list, API_READ },
        { "io.takt.Jobs.Get", method_get, API_READ },
        { "io.takt.Jobs.Cat", method_cat, API_READ },
        { "io.takt.Jobs.Next", api_jobs_next, API_READ },
        { "io.takt.Jobs.Explain", api_jobs_explain, API_READ },
        { "io.takt.Jobs.Usage", method_usage, API_READ },
        { "io.takt.Jobs.Pause", method_pause, API_CONTROL },
        { "io.takt.Jobs.Resume", method_resume, API_CONTROL },
        {},
};
