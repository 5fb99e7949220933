/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/status.h"

#include "api/pools.h"
#include "job/job.h"
#include "json/writer.h"

struct Status {
        StatusContext context;
};

int status_new(const StatusContext *context, Status **ret)
{
        Status *status = new0(Status, 1);

        if (!status)
                return -ENOMEM;
        status->context = *context;
        *ret = status;
        return 0;
}

Status *status_free(Status *status)
{
        free(status);
        return NULL;
}

static double uptime(const Status *status)
{
        Clock *clock = timer_queue_clock(status->context.timers);

        return (double)usec_sub(clock_boottime(clock), status->context.started_boottime) / (double)USEC_PER_SEC;
}

/* Healthy is who can start commands and is not far behind with its timers: that it answers says the rest. */
static int healthz(_unused_ const HttpServerRequest *request, HttpServerReply *reply, void *userdata)
{
        const Status *status = userdata;
        SpawnerStatus spawner = {};
        JsonWriter w;
        bool healthy;

        if (status->context.spawner)
                spawner_get_status(status->context.spawner, &spawner);
        healthy = !status->context.spawner || spawner.helper_pid > 0;
        reply->status = healthy ? 200 : 503;
        reply->content_type = "application/json";
        json_writer_init(&w, &reply->body, 0);
        json_begin_object(&w);
        json_key(&w, "status");
        json_string(&w, healthy ? "ok" : "degraded");
        json_key(&w, "version");
        json_string(&w, PACKAGE_VERSION);
        json_key(&w, "uptimeSec");
        json_double(&w, uptime(status));
        json_key(&w, "jobs");
        json_uint(&w, scheduler_n_jobs(status->context.scheduler));
        json_key(&w, "running");
        json_uint(&w, scheduler_n_running(status->context.scheduler));
        json_key(&w, "queued");
        json_uint(&w, scheduler_n_queued(status->context.scheduler));
        json_key(&w, "helperRestarts");
        json_uint(&w, spawner.n_restarts);
        json_end_object(&w);
        return json_writer_end(&w);
}

static void family(Buffer *out, const char *name, const char *type, const char *help)
{
        (void)buffer_appendf(out, "# TYPE %s %s\n# HELP %s %s\n", name, type, name, help);
}

static void gauge(Buffer *out, const char *name, const char *help, uint64_t value)
{
        family(out, name, "gauge", help);
        (void)buffer_appendf(out, "%s %llu\n", name, (unsigned long long)value);
}

static void counter(Buffer *out, const char *name, const char *help, uint64_t value)
{
        family(out, name, "counter", help);
        (void)buffer_appendf(out, "%s_total %llu\n", name, (unsigned long long)value);
}

static void write_stall_times(const LoopStalls *stalls, Buffer *out)
{
        const struct {
                const char *name;
                usec_t span;
        } parts[] = { { "work", stalls->work }, { "waiting", stalls->waiting }, { "blocked", stalls->blocked } };

        family(out, "takt_stall_seconds", "counter",
               "The time of these: work, waiting for a processor, blocked or stopped.");
        for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
                (void)buffer_appendf(out, "takt_stall_seconds_total{part=\"%s\"} %.6f\n", parts[i].name,
                                     (double)parts[i].span / (double)USEC_PER_SEC);
}

static int metrics(_unused_ const HttpServerRequest *request, HttpServerReply *reply, void *userdata)
{
        const Status *status = userdata;
        const SchedulerStatistics *statistics = scheduler_statistics(status->context.scheduler);
        SpawnerStatus spawner = {};
        Buffer *out = &reply->body;

        if (status->context.spawner)
                spawner_get_status(status->context.spawner, &spawner);
        reply->content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        family(out, "takt_build", "info", "The version of taktd.");
        (void)buffer_appendf(out, "takt_build_info{version=\"%s\"} 1\n", PACKAGE_VERSION);
        family(out, "takt_uptime_seconds", "gauge", "Time since the start.");
        (void)buffer_appendf(out, "takt_uptime_seconds %.3f\n", uptime(status));
        gauge(out, "takt_jobs", "Jobs that are loaded.", scheduler_n_jobs(status->context.scheduler));
        gauge(out, "takt_runs_running", "Runs under way.", scheduler_n_running(status->context.scheduler));
        gauge(out, "takt_runs_queued", "Runs that wait for their turn.", scheduler_n_queued(status->context.scheduler));
        family(out, "takt_runs_ended", "counter", "Runs that ended, by state.");
        for (int state = RUN_SUCCEEDED; state < _RUN_STATE_MAX; state++)
                (void)buffer_appendf(out, "takt_runs_ended_total{state=\"%s\"} %llu\n", run_state_to_string((RunState)state),
                                     (unsigned long long)statistics->by_state[state]);
        counter(out, "takt_occurrences_due", "Scheduled times that came.", statistics->n_due);
        family(out, "takt_lateness_max_seconds", "gauge", "The latest that a scheduled run began.");
        (void)buffer_appendf(out, "takt_lateness_max_seconds %.6f\n", (double)statistics->max_lateness / (double)USEC_PER_SEC);
        counter(out, "takt_stalls", "Callbacks that held up the loop for 50 ms or longer.", loop_stalls(status->context.loop)->n);
        family(out, "takt_stall_max_seconds", "gauge", "The longest of these.");
        (void)buffer_appendf(out, "takt_stall_max_seconds %.6f\n",
                             (double)loop_stalls(status->context.loop)->longest / (double)USEC_PER_SEC);
        write_stall_times(loop_stalls(status->context.loop), out);
        gauge(out, "takt_timers", "Deadlines that are armed.", timer_queue_size(status->context.timers));
        gauge(out, "takt_commands", "Commands that exist.", spawner.n_commands);
        counter(out, "takt_commands_started", "Commands that were started.", spawner.n_started);
        counter(out, "takt_commands_killed", "Commands that ignored their kill signal.", spawner.n_kills);
        counter(out, "takt_helper_restarts", "Restarts of takt-spawn after it had died.", spawner.n_restarts);
        counter(out, "takt_strays", "Processes that outlived their command and were ended by takt-spawn.", spawner.n_strays);
        pools_write_metrics(status->context.pools, out);
        return buffer_append_string(out, "# EOF\n");
}

const HttpServerRoute status_routes[] = {
        { "/healthz", healthz },
        { "/metrics", metrics },
};
const size_t status_n_routes = ARRAY_SIZE(status_routes);
