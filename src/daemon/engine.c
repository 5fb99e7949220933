/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/engine.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/file.h"
#include "base/log.h"
#include "daemon/identity.h"
#include "job/guard.h"
#include "job/refine.h"
#include "process/helper.h"
#include "sched/check.h"
#include "store/schedule-times.h"

static void on_event(EventObserver *observer, const Event *event)
{
        Engine *engine = container_of(observer, Engine, store_observer);
        RunRecord record;

        run_get_record(event->run, &record);
        store_append(engine->store, &record);
}

static int start_spawner(Engine *engine, const char *directory)
{
        _cleanup_free_ char *helper = NULL;
        int r = helper_find("takt-spawn", &helper);

        if (r < 0)
                return log_errno(LOG_ERR, r, "The helper takt-spawn was not found: %m");
        r = spawner_new(engine->loop, helper, directory, &engine->spawner);
        if (r < 0)
                return log_errno(LOG_ERR, r, "%s could not be started: %m", helper);
        r = pool_set_new(engine->loop, engine->spawner, &engine->pools);
        if (r >= 0)
                r = unit_manager_new(engine->loop, &engine->units);
        if (r < 0)
                return log_errno(LOG_ERR, r, "No memory for pools of processes: %m");
        r = work_new(engine->pools, &engine->work);
        return r < 0 ? log_errno(LOG_ERR, r, "The helper takt-worker was not found: %m") : 0;
}

static int keep_ids(Engine *engine, const char *state_directory, const uint8_t boot[static 16])
{
        _cleanup_free_ char *path = path_join(state_directory, "next-run");

        return path ? run_ids_keep(engine->ids, path, clock_system(), boot) : -ENOMEM;
}

static int open_state(Engine *engine, const char *state_directory)
{
        uint8_t boot[16];
        int r;

        boot_id(boot);
        r = keep_ids(engine, state_directory, boot);
        if (r >= 0)
                r = schedule_times_open(state_directory, boot, &engine->stamps);
        engine->services.stamps = engine->stamps;
        return r;
}

static HttpLimits http_limits(const Settings *settings)
{
        return (HttpLimits){
                .max_connections = settings->http_max_connections,
                .max_host_connections = settings->http_max_host_connections,
        };
}

static int start_drivers(Engine *engine, const Settings *settings, const char *state_directory)
{
        const HttpLimits limits = http_limits(settings);
        int r;

        r = http_client_new(engine->loop, &limits, &engine->http);
        if (r < 0)
                return log_errno(LOG_ERR, r, "The HTTP client could not be started: %m");
        r = led_set_new(settings->sysfs_root, state_directory, &engine->leds);
        if (r < 0)
                return r;
        r = led_set_recover(engine->leds);
        if (r < 0)
                log_errno(LOG_WARNING, r, "What LEDs were before an earlier process is not readable in %s/leds: %m", state_directory);
        if (r > 0)
                log_notice("%d LEDs that an earlier process had left were given back as they were", r);
        return 0;
}

#ifdef TAKT_CHECKS
/* All jobs and runs are looked at: where these are many, every so often. */
#define CHECK_ALWAYS 200U
#define CHECK_SELDOM 1024U

static void check(void *userdata)
{
        const Engine *engine = userdata;
        static unsigned n_calls;
        char *problem;

        if (scheduler_n_jobs(engine->scheduler) + scheduler_n_running(engine->scheduler) +
            scheduler_n_queued(engine->scheduler) > CHECK_ALWAYS && ++n_calls % CHECK_SELDOM != 0)
                return;
        problem = scheduler_check(engine->scheduler);
        if (!problem)
                return;
        /* Tests look for this word. */
        log_error("Assertion of the scheduler failed: %s", problem);
        abort();
}
#endif

int engine_init(Engine *engine, const Environment *environment, const Settings *settings, const char *state_directory, bool keep)
{
        SchedulerLimits limits = { .max_runs = settings->max_runs, .max_queued = settings->max_queued };
        int r;

        *engine = (Engine){};
        r = loop_new(clock_system(), &engine->loop);
        if (r < 0)
                return log_errno(LOG_ERR, r, "The event loop could not be made: %m");
        r = start_spawner(engine, keep ? state_directory : NULL);
        if (r >= 0)
                r = run_ids_new(&engine->ids);
        if (r >= 0)
                r = start_drivers(engine, settings, state_directory);
        if (r >= 0)
                r = memory_store_new(&engine->store);
        if (r < 0)
                return r;
        event_bus_init(&engine->events, clock_system());
        engine->store_observer.notify = on_event;
        engine->store_observer.types = EVENT_BITS_END;
        event_bus_subscribe(&engine->events, &engine->store_observer);
        r = change_log_new(&engine->events, &engine->changes);
        if (r < 0)
                return r;
        engine->started_realtime = clock_realtime(clock_system());
        engine->services = (Services){
                .clock = clock_system(),
                .timers = loop_timers(engine->loop),
                .loop = engine->loop,
                .http = engine->http,
                .spawner = engine->spawner,
                .pools = engine->pools,
                .units = engine->units,
                .leds = engine->leds,
                .members = &scheduler_members,
                .guards = &guard_commands,
                .refine = &refine_by_worker,
                .work = engine->work,
                .environment = environment,
                .credentials_directory = getenv("CREDENTIALS_DIRECTORY"),
        };
        r = keep ? open_state(engine, state_directory) : 0;
        if (r < 0)
                return r;
        limits.machine_key = machine_key();
        if (getrandom(&limits.seed, sizeof(limits.seed), GRND_NONBLOCK) < 0)
                limits.seed = clock_boottime(clock_system());
        r = scheduler_new(&engine->services, &engine->events, engine->ids, &limits, &engine->scheduler);
        if (r < 0)
                return r;
        engine_apply_settings(engine, settings);
#ifdef TAKT_CHECKS
        loop_watch_callbacks(engine->loop, check, engine);
#endif
        return 0;
}

void engine_apply_settings(Engine *engine, const Settings *settings)
{
        SchedulerLimits limits = { .max_runs = settings->max_runs, .max_queued = settings->max_queued };

        const HttpLimits http = http_limits(settings);

        scheduler_set_limits(engine->scheduler, &limits);
        http_client_set_limits(engine->http, &http);
        store_set_limits(engine->store, settings->keep_runs, settings->keep_runs_total);
}

void engine_deinit(Engine *engine)
{
        if (engine->loop)
                loop_watch_callbacks(engine->loop, NULL, NULL);
        if (engine->scheduler)
                scheduler_abandon(engine->scheduler);
        scheduler_free(engine->scheduler);
        stamp_store_free(engine->stamps);
        change_log_free(engine->changes);
        store_free(engine->store);
        run_ids_close(engine->ids);
        led_set_free(engine->leds);
        http_client_free(engine->http);
        unit_manager_free(engine->units);
        work_free(engine->work);
        pool_set_free(engine->pools);
        spawner_free(engine->spawner);
        loop_free(engine->loop);
        *engine = (Engine){};
}
