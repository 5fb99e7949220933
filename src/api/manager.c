/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/internal.h"

#include <unistd.h>

#include "api/pools.h"
#include "job/problem.h"
#include "process/spawner.h"

static int method_ping(VarlinkCall *call, _unused_ const JsonValue *parameters, _unused_ void *userdata)
{
        return varlink_call_reply_empty(call);
}

static void write_environment(const Environment *e, JsonWriter *w)
{
        json_begin_object(w);
        json_key(w, "name");
        json_string_lossy(w, e->name, strlen(e->name));
        json_key(w, "path");
        json_string_lossy(w, e->path, strlen(e->path));
        json_end_object(w);
}

static void write_count(JsonWriter *w, const char *name, uint64_t n)
{
        json_key(w, name);
        json_uint(w, n);
}

/* TEXT may be NULL. */
static void write_text(JsonWriter *w, const char *name, const char *text)
{
        json_key(w, name);
        if (text)
                json_string_lossy(w, text, strlen(text));
        else
                json_null(w);
}

static void write_job_counts(Api *api, JsonWriter *w)
{
        json_begin_object(w);
        for (int state = 0; state < _JOB_STATE_MAX; state++)
                write_count(w, job_state_to_string((JobState)state),
                            scheduler_n_jobs_in(api->context.scheduler, (JobState)state));
        json_end_object(w);
}

static void write_run_counts(Api *api, JsonWriter *w)
{
        const SchedulerStatistics *statistics = scheduler_statistics(api->context.scheduler);

        json_begin_object(w);
        write_count(w, "running", scheduler_n_running(api->context.scheduler));
        write_count(w, "queued", scheduler_n_queued(api->context.scheduler));
        for (int state = RUN_SUCCEEDED; state < _RUN_STATE_MAX; state++)
                write_count(w, run_state_to_string((RunState)state), statistics->by_state[state]);
        json_end_object(w);
}

static void write_limits(const Settings *settings, JsonWriter *w)
{
        json_begin_object(w);
        write_count(w, "MaxRuns", settings->max_runs);
        write_count(w, "MaxQueued", settings->max_queued);
        write_count(w, "KeepRuns", settings->keep_runs);
        write_count(w, "KeepRunsTotal", settings->keep_runs_total);
        write_count(w, "MaxConnections", settings->max_connections);
        write_count(w, "MaxConnectionsPerUser", settings->max_connections_per_user);
        write_count(w, "MaxWatchers", settings->max_watchers);
        write_count(w, "HttpMaxConnections", settings->http_max_connections);
        write_count(w, "HttpMaxHostConnections", settings->http_max_host_connections);
        json_end_object(w);
}

static void write_helpers(Api *api, JsonWriter *w)
{
        SpawnerStatus status;

        json_begin_array(w);
        if (api->context.services->spawner) {
                spawner_get_status(api->context.services->spawner, &status);
                json_begin_object(w);
                json_key(w, "name");
                json_string(w, "takt-spawn");
                json_key(w, "pid");
                if (status.helper_pid > 0)
                        json_int(w, status.helper_pid);
                else
                        json_null(w);
                json_key(w, "restarts");
                json_uint(w, status.n_restarts);
                json_end_object(w);
        }
        json_end_array(w);
}

static void write_resources(Api *api, JsonWriter *w)
{
        json_begin_array(w);
        for (size_t i = 0; i < scheduler_n_resources(api->context.scheduler); i++) {
                ResourceStatus status;

                scheduler_resource_status(api->context.scheduler, i, &status);
                json_begin_object(w);
                json_key(w, "name");
                json_string(w, status.name);
                write_count(w, "capacity", status.capacity);
                write_count(w, "inUse", status.n_holders);
                write_count(w, "waiting", status.n_waiting);
                json_key(w, "holder");
                if (status.holder > 0)
                        json_uint(w, status.holder);
                else
                        json_null(w);
                json_end_object(w);
        }
        json_end_array(w);
}

static void write_commands(Api *api, JsonWriter *w)
{
        SpawnerStatus status = {};

        if (api->context.services->spawner)
                spawner_get_status(api->context.services->spawner, &status);
        json_begin_object(w);
        write_count(w, "running", status.n_commands - status.n_waiting);
        write_count(w, "queued", status.n_waiting);
        write_count(w, "started", status.n_started);
        write_count(w, "killed", status.n_kills);
        write_count(w, "strays", status.n_strays);
        json_end_object(w);
}

static int method_info(VarlinkCall *call, _unused_ const JsonValue *parameters, void *userdata)
{
        Api *api = userdata;
        /* Asked before the reply is begun, as what it finds may be told to others. */
        const char *state_problem = api->context.state_problem(api->context.userdata);
        JsonWriter *w = varlink_call_begin(call);

        json_key(w, "version");
        json_string(w, PACKAGE_VERSION);
        json_key(w, "pid");
        json_int(w, getpid());
        json_key(w, "environment");
        write_environment(api->context.environment, w);
        json_key(w, "started");
        json_realtime(w, api->context.started_realtime);
        json_key(w, "jobs");
        write_job_counts(api, w);
        write_count(w, "refusedFiles", api->context.refused_files(api->context.userdata));
        write_count(w, "warnings", api->context.n_warnings(api->context.userdata));
        write_text(w, "stateProblem", state_problem);
        json_key(w, "runs");
        write_run_counts(api, w);
        json_key(w, "limits");
        write_limits(api->context.settings(api->context.userdata), w);
        json_key(w, "helpers");
        write_helpers(api, w);
        json_key(w, "resources");
        write_resources(api, w);
        json_key(w, "commands");
        write_commands(api, w);
        json_key(w, "pools");
        pools_write(api->context.services->pools, w);
        json_key(w, "loop");
        json_begin_object(w);
        write_count(w, "timers", timer_queue_size(api->context.services->timers));
        write_count(w, "watchers", api->n_watches);
        write_count(w, "due", scheduler_statistics(api->context.scheduler)->n_due);
        write_count(w, "stalls", loop_stalls(api->context.loop)->n);
        write_count(w, "maxStallUsec", loop_stalls(api->context.loop)->longest);
        write_count(w, "stallWorkUsec", loop_stalls(api->context.loop)->work);
        write_count(w, "stallWaitingUsec", loop_stalls(api->context.loop)->waiting);
        write_count(w, "stallBlockedUsec", loop_stalls(api->context.loop)->blocked);
        write_count(w, "maxLatenessUsec", scheduler_statistics(api->context.scheduler)->max_lateness);
        json_end_object(w);
        return varlink_call_end(call, false);
}

/* The job that a file is about, by its name or, of a drop-in, that of its directory. */
static void write_problem_job(const char *file, JsonWriter *w)
{
        const char *slash = strrchr(file, '/'), *dropins = strstr(file, ".job.d/");
        _cleanup_free_ char *path = dropins && dropins + 6 == slash ? strndup(file, (size_t)(dropins + 4 - file)) : NULL;
        _cleanup_free_ char *name = NULL;

        json_key(w, "job");
        if (job_name_from_path(path ?: file, &name) >= 0 && !streq(name, "takt.conf"))
                json_string(w, name);
        else
                json_null(w);
}

static void write_problems(const char *key, const ConfigReport *report, JsonWriter *w)
{
        json_key(w, key);
        json_begin_array(w);
        for (size_t i = 0; report && i < report->n; i++) {
                json_begin_object(w);
                write_problem_job(report->problems[i].file, w);
                problem_write(&report->problems[i], w);
                json_end_object(w);
        }
        json_end_array(w);
}

static void on_reloaded(const ApiReload *result, void *userdata)
{
        _cleanup_(varlink_call_unrefp) VarlinkCall *call = userdata;
        JsonWriter *w;

        if (result->r < 0) {
                w = varlink_call_begin_error(call, "io.takt.Manager.ReloadFailed");
        } else {
                w = varlink_call_begin(call);
                write_count(w, "added", result->added);
                write_count(w, "changed", result->changed);
                write_count(w, "removed", result->removed);
                write_count(w, "unchanged", result->unchanged);
                write_count(w, "refused", result->refused);
                write_count(w, "nWarnings", result->n_warnings);
                write_problems("warnings", result->warnings, w);
        }
        write_problems("problems", result->report, w);
        (void)varlink_call_end(call, false);
}

static int method_reload(VarlinkCall *call, _unused_ const JsonValue *parameters, void *userdata)
{
        Api *api = userdata;
        VarlinkCall *held = varlink_call_ref(call);
        int r = api->context.reload(on_reloaded, held, api->context.userdata);

        if (r >= 0)
                return 0;
        varlink_call_unref(held);
        return r != -EBUSY ? r : varlink_call_error(call, "io.takt.Manager.ReloadInProgress", NULL, NULL);
}

const VarlinkMethod api_manager_methods[] = {
        { "io.takt.Manager.Ping", method_ping, API_READ },
        { "io.takt.Manager.Info", method_info, API_READ },
        { "io.takt.Manager.Reload", method_reload, API_CONTROL },
        {},
};
