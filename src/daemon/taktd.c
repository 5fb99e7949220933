/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * taktd: the daemon of one environment. Wires the engine to the control socket, the status pages,
 * signals and the service manager; loads the jobs at start and again on request.
 */

#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/string-util.h"
#include "daemon/daemon.h"
#include "daemon/descriptors.h"
#include "when/zone.h"

#define EXIT_USAGE 2
#define LARGE_BLOCK (128 * 1024)      /* bytes from which on a block is given back as soon as it is freed */
#define HEAP_SPARE (4 * 1024 * 1024)  /* bytes at the end of the heap that are kept for what comes next */

/* A helper is there. */
static void on_spawner_connected(_unused_ Spawner *spawner, int fd, void *userdata)
{
        Daemon *d = userdata;
        int r = service_manager_store(d->manager, fd, SURVIVORS_NAME);

        if (r < 0)
                log_errno(LOG_WARNING, r, "Commands will not outlive a restart: the manager can't be told of their helper: %m");
}

static int prepare_restarts(Daemon *d)
{
        int r = survivors_new(d->manager, d->engine.loop, &d->survivors);

        if (r >= 0 && service_manager_keeps_descriptors(d->manager))
                spawner_outlive(d->engine.spawner, on_spawner_connected, d);
        return r;
}

static int daemon_start(Daemon *d, bool live)
{
        int r;

        r = environment_make_directories(d->environment);
        if (r < 0)
                return log_errno(LOG_ERR, r, "%s can't be made: %m", d->environment->run);
        /* The lock comes first: without it, what is in state/ is another daemon's. */
        r = daemon_lock(d);
        if (r < 0)
                return r;
        d->control_fd = daemon_open_control_socket(d);
        if (d->control_fd < 0)
                return d->control_fd;
        descriptors_fit(d->settings);
        r = engine_init(&d->engine, d->environment, d->settings, d->environment->state, true);
        if (r < 0)
                return r;
        /* So that a relative path in a job means the same whoever starts the daemon, and wherever the environment is. */
        if (chdir(d->environment->path) < 0 && errno != ENOENT)
                return log_errno(LOG_ERR, negative_errno(), "%s can't be entered: %m", d->environment->path);
        descriptors_raise_limit();
        r = prepare_restarts(d);
        if (r < 0)
                return r;
        event_log_init(&d->event_log, live, d->engine.services.clock, d->engine.services.timers);
        event_bus_subscribe(&d->engine.events, &d->event_log.observer);
        r = daemon_catch_signals(d);
        return r < 0 ? r : daemon_load_jobs(d);
}

static void abandon_runs(Daemon *d)
{
        size_t n = scheduler_abandon(d->engine.scheduler);

        if (n > 0)
                log_notice("%zu run%s had no time for Exit=; the next start leaves what %s entered", n, n == 1 ? "" : "s",
                           n == 1 ? "it" : "they");
}

static void daemon_deinit(Daemon *d)
{
        if (d->engine.loop) {
                deferred_cancel(d->engine.loop, &d->reload_step);
                deferred_cancel(d->engine.loop, &d->exit_step);
                deferred_cancel(d->engine.loop, &d->announce);
        }
        daemon_end_load(d);
        file_watch_free(d->zone_watch);
        daemon_stop_status(d);
        varlink_server_free(d->server);
        api_free(d->api);
        if (d->engine.services.timers) {
                timer_disarm(d->engine.services.timers, &d->stop_timer);
                timer_disarm(d->engine.services.timers, &d->begin_timer);
        }
        stop_reason_free(d->stop_reason);
        safe_close(d->control_fd);
        /* Runs that are given up are still told of. */
        if (d->engine.scheduler)
                abandon_runs(d);
        survivors_free(d->survivors);
        service_manager_free(d->manager);
        state_keeper_free(d->state_keeper);
        active_runs_close(d->active_runs);
        /* One more signal does no harm before nothing is left of the runs. */
        for (size_t i = 0; i < ARRAY_SIZE(d->signals); i++)
                signal_source_free(d->signals[i]);
        (void)signal(SIGTERM, SIG_IGN);
        (void)signal(SIGINT, SIG_IGN);
        engine_deinit(&d->engine);
        event_log_deinit(&d->event_log);
        stall_log_deinit(&d->stall_log);
        if (d->lock_fd >= 0) {
                (void)unlink(d->environment->socket);
                safe_close(d->lock_fd);
        }
        safe_close(d->state_fd);
        safe_close(d->place_fd);
        settings_free(d->settings);
        resource_set_deinit(&d->resources);
        log_set_common_field(&(LogField){});
        environment_free(d->environment);
}

static void on_wall_clock_changed(void *userdata)
{
        Daemon *d = userdata;

        log_info("The wall clock was set; calendars are computed anew");
        scheduler_wall_clock_changed(d->engine.scheduler);
}

static void on_zone_changed(void *userdata)
{
        Daemon *d = userdata;

        log_info("%s was changed; calendars are computed anew", zone_local_path());
        zone_forget();
        scheduler_zones_changed(d->engine.scheduler);
}

/* Jobs run without it, by the zone of the start or of the last reload. */
static void watch_zone(Daemon *d)
{
        int r = file_watch_new(d->engine.loop, zone_local_path(), on_zone_changed, d, &d->zone_watch);

        if (r < 0)
                log_errno(LOG_WARNING, r, "A change of %s won't be noticed before a reload: %m", zone_local_path());
}

static int daemon_run(Daemon *d, bool live)
{
        int r = daemon_start(d, live);

        if (r >= 0)
                r = loop_watch_wall_clock(d->engine.loop, on_wall_clock_changed, d);
        if (r < 0)
                return r;
        stall_log_init(&d->stall_log, d->engine.loop);
        watch_zone(d);
        r = daemon_begin(d);
        return r < 0 ? r : loop_run(d->engine.loop);
}

static void help(void)
{
        printf("Usage: %s [OPTION…]\n\n"
               "Runs the jobs of an environment.\n\n"
               "  -h --help           Show this help\n"
               "     --version        Show the version\n"
               "     --env DIR        The environment in this directory\n"
               "     --system         The system's environment\n"
               "     --user           The user's environment\n"
               "     --watch          Print every event as a line, instead of logging them\n"
               "     --log-level LEVEL\n"
               "                      emerg … debug, instead of LogLevel= of takt.conf\n"
               "     --log-target TARGET\n"
               "                      auto, console or journal\n\n"
               "Without an option it is the environment of $TAKT_ENV, else the system's (for\n"
               "root and the group takt), else the user's. See taktd(8) and taktctl(1).\n",
               program_invocation_short_name);
}

typedef struct Arguments {
        const char *directory;
        EnvironmentScope scope;
        bool watch;
        int log_level; /* -1: as takt.conf says */
        LogTarget log_target;
} Arguments;

static int parse_log_level(const char *text, int *ret)
{
        int level = log_level_from_string(text);

        if (level < 0) {
                fprintf(stderr, "taktd: '%s' is no log level\n", text);
                return -EINVAL;
        }
        *ret = level;
        return 0;
}

static int parse_log_target(const char *text, LogTarget *ret)
{
        static const char *const targets[] = { [LOG_TARGET_AUTO] = "auto", [LOG_TARGET_CONSOLE] = "console", [LOG_TARGET_JOURNAL] = "journal" };

        for (size_t i = 0; i < ARRAY_SIZE(targets); i++)
                if (streq(targets[i], text)) {
                        *ret = (LogTarget)i;
                        return 0;
                }
        fprintf(stderr, "taktd: '%s' is none of auto, console and journal\n", text);
        return -EINVAL;
}

/* 1 to go on, 0 done, -EINVAL. */
static int parse_arguments(int argc, char *argv[], Arguments *a)
{
        enum { OPT_VERSION = 256, OPT_ENV, OPT_SYSTEM, OPT_USER, OPT_WATCH, OPT_LOG_LEVEL, OPT_LOG_TARGET };
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, OPT_VERSION },
                { "env", required_argument, NULL, OPT_ENV },
                { "system", no_argument, NULL, OPT_SYSTEM },
                { "user", no_argument, NULL, OPT_USER },
                { "watch", no_argument, NULL, OPT_WATCH },
                { "log-level", required_argument, NULL, OPT_LOG_LEVEL },
                { "log-target", required_argument, NULL, OPT_LOG_TARGET },
                {},
        };
        int c, r = 0;

        *a = (Arguments){ .log_level = -1 };
        while (r >= 0 && (c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (c) {
                case 'h':
                        help();
                        return 0;
                case OPT_VERSION:
                        puts(PACKAGE_STRING);
                        return 0;
                case OPT_ENV:
                        a->directory = optarg;
                        break;
                case OPT_SYSTEM:
                        a->scope = ENVIRONMENT_SYSTEM;
                        break;
                case OPT_USER:
                        a->scope = ENVIRONMENT_USER;
                        break;
                case OPT_WATCH:
                        a->watch = true;
                        break;
                case OPT_LOG_LEVEL:
                        r = parse_log_level(optarg, &a->log_level);
                        break;
                case OPT_LOG_TARGET:
                        r = parse_log_target(optarg, &a->log_target);
                        break;
                default:
                        return -EINVAL;
                }
        if (r < 0)
                return r;
        if (optind < argc) {
                fprintf(stderr, "taktd: there are no arguments, such as '%s'; see taktd --help\n", argv[optind]);
                return -EINVAL;
        }
        return 1;
}

/*
 * Messages, queues of watchers and results grow and go, up to caps that count bytes asked for. By
 * itself malloc() puts larger and larger ones of them into the heap, where what is given back stays
 * as holes: with 256 MiB held for clients that was 60 MB more.
 */
static void keep_heap_small(void)
{
        (void)mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
        (void)mallopt(M_TRIM_THRESHOLD, HEAP_SPARE);
}

int main(int argc, char *argv[])
{
        Daemon d = {
                .control_fd = -1,
                .lock_fd = -1,
                .state_fd = -1,
                .place_fd = -1,
                .reload_step.callback = daemon_on_reload_step,
                .exit_step.callback = daemon_on_exit_step,
                .remark = "",
        };
        _cleanup_free_ char *error = NULL;
        Arguments arguments;
        int r = parse_arguments(argc, argv, &arguments);

        if (r <= 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
        keep_heap_small();
        log_open(arguments.log_target, arguments.log_level >= 0 ? arguments.log_level : LOG_INFO);
        r = service_manager_new(&d.manager);
        if (r < 0)
                return EXIT_FAILURE;
        r = environment_resolve(arguments.scope, arguments.directory, ENVIRONMENT_SERVICE, &d.environment, &error);
        if (r < 0) {
                log_error("%s", error ?: strerror(-r));
                service_manager_free(d.manager);
                return EXIT_USAGE;
        }
        log_set_common_field(&(LogField){ "TAKT_ENV", d.environment->name });
        r = daemon_load_settings(&d);
        if (r >= 0) {
                d.log_level_fixed = arguments.log_level >= 0;
                if (!d.log_level_fixed)
                        log_set_max_level(d.settings->log_level);
                r = daemon_run(&d, arguments.watch);
        }
        daemon_deinit(&d);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
