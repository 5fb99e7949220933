/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * taktd: the daemon of one environment. Wires the engine to the control socket, the status pages,
 * signals and the service manager; loads the jobs at start and again on request.
 */

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "api/api.h"
#include "api/status.h"
#include "base/file.h"
#include "base/log.h"
#include "base/socket.h"
#include "base/string-util.h"
#include "daemon/active-runs.h"
#include "daemon/authority.h"
#include "daemon/descriptors.h"
#include "daemon/engine.h"
#include "daemon/event-log.h"
#include "daemon/loader.h"
#include "daemon/service-manager.h"
#include "daemon/stall-log.h"
#include "loop/file-watch.h"
#include "daemon/stop-reason.h"
#include "daemon/survivors.h"
#include "loop/http-server.h"
#include "when/zone.h"

/* How long one turn of the loop may read job files during a reload. */
#define RELOAD_TURN_USEC (2 * USEC_PER_MSEC)
/* What the manager shall wait for beyond StopTimeoutSec=: the end of helpers and files. */
#define STOP_MARGIN_USEC (10 * USEC_PER_SEC)
/* FileDescriptorName= of the control socket. */
#define CONTROL_SOCKET_NAME "control"
#define EXIT_USAGE 2

typedef struct Daemon {
        ServiceManager *manager;
        Environment *environment;
        Settings *settings;
        ResourceSet resources;
        Engine engine;
        EventLog event_log;
        StallLog stall_log;
        ActiveRuns *active_runs;
        Survivors *survivors;
        StopReason *stop_reason; /* while it is asked for */
        VarlinkServer *server;
        Authority authority;
        Api *api;
        HttpServer *status_server;
        Status *status;
        int control_fd; /* until it is served */
        int lock_fd;
        SignalSource *signals[3];
        FileWatch *zone_watch;
        Timer stop_timer;
        Deferred exit_step;
        bool stopping;
        bool log_level_fixed; /* by --log-level */
        Deferred announce;
        const char *remark; /* what STATUS= adds to the number of jobs */
        unsigned n_refused; /* files that were broken when the jobs were read last */

        Loader *loader; /* of the reload under way */
        Settings *new_settings;
        ResourceSet new_resources;
        ConfigReport settings_report;
        Deferred reload_step;
        ApiReloadDone reload_done;
        void *reload_userdata;
} Daemon;

static void log_report(const ConfigReport *report)
{
        for (size_t i = 0; i < report->n; i++) {
                _cleanup_buffer_ Buffer text = BUFFER_NULL;

                if (config_problem_format(&report->problems[i], &text) >= 0)
                        log_error("%s", text.data);
        }
        if (report->n_dropped > 0)
                log_error("… and %zu problems more", report->n_dropped);
}

static void notify_ready(const Daemon *d)
{
        service_manager_ready(d->manager, "%zu jobs%s", scheduler_n_jobs(d->engine.scheduler), d->remark);
}

/* The jobs are loaded, and the loop has begun to answer calls. */
static void on_announce(Deferred *deferred)
{
        Daemon *d = container_of(deferred, Daemon, announce);

        notify_ready(d);
        log_info("taktd %s serves the environment %s", PACKAGE_VERSION, d->environment->path);
}

/* What the watchdog is told. */
static const char *check_health(void *userdata)
{
        const Daemon *d = userdata;
        SpawnerStatus status;

        spawner_get_status(d->engine.spawner, &status);
        if (status.helper_pid == 0)
                return "the helper takt-spawn is not running";
        return status.helper_answers ? NULL : "the helper takt-spawn does not answer";
}

/* --- reload --- */

static const char *remark_of(const ConfigReport *report)
{
        return report && report->n > 0 ? "; some files were refused" : "";
}

static void reload_finish(Daemon *d, const ApiReload *result)
{
        ApiReloadDone done = d->reload_done;

        if (result->r >= 0)
                log_info("Reloaded: %u jobs added, %u changed, %u removed, %u unchanged, %zu problems", result->added,
                         result->changed, result->removed, result->unchanged, result->report ? result->report->n : 0);
        else
                log_error("Reload failed, nothing was changed: %s", strerror(-result->r));
        d->remark = result->r < 0 ? "; the last reload failed" : remark_of(result->report);
        if (!d->stopping)
                notify_ready(d);
        d->reload_done = NULL;
        if (done)
                done(result, d->reload_userdata);
        d->loader = loader_free(d->loader);
        d->new_settings = settings_free(d->new_settings);
        resource_set_deinit(&d->new_resources);
        config_report_deinit(&d->settings_report);
}

static unsigned authorize(const struct ucred *peer, void *userdata)
{
        const Daemon *d = userdata;
        const gid_t *groups;
        size_t n = varlink_peer_groups(peer, &groups);

        return authority_of(&d->authority, peer->uid, peer->gid, groups, n);
}

static void apply_authority(Daemon *d)
{
        authority_init(&d->authority, d->settings, d->environment->socket);
        varlink_server_set_authorize(d->server, authorize, d);
}

static VarlinkLimits control_limits(const Settings *settings)
{
        return (VarlinkLimits){
                .max_connections = settings->max_connections,
                .max_connections_per_uid = settings->max_connections_per_user,
        };
}

static int listen_status(Daemon *d);

static void stop_status(Daemon *d)
{
        http_server_free(TAKE_PTR(d->status_server));
        status_free(TAKE_PTR(d->status));
}

static void adopt_settings(Daemon *d)
{
        bool listen_changed = !streq_ptr(d->settings->listen, d->new_settings->listen);
        VarlinkLimits limits;

        settings_free(d->settings);
        d->settings = TAKE_PTR(d->new_settings);
        resource_set_deinit(&d->resources);
        d->resources = d->new_resources;
        d->new_resources = (ResourceSet){};
        descriptors_fit(d->settings);
        if (!d->log_level_fixed)
                log_set_max_level(d->settings->log_level);
        engine_apply_settings(&d->engine, d->settings);
        limits = control_limits(d->settings);
        varlink_server_set_limits(d->server, &limits);
        apply_authority(d);
        if (!listen_changed)
                return;
        /* What can't be listened on is said; the daemon goes on without. */
        stop_status(d);
        (void)listen_status(d);
}

static void on_reload_step(Deferred *deferred)
{
        Daemon *d = container_of(deferred, Daemon, reload_step);
        LoaderCounts counts;
        int r;

        activity_note("reading jobs", NULL);
        r = loader_step(d->loader, clock_system(), RELOAD_TURN_USEC);
        /* Resources come first: a job may begin as soon as it is there. */
        if (r > 0 && !loader_is_applying(d->loader))
                r = scheduler_set_resources(d->engine.scheduler, &d->new_resources) < 0 ? -ENOMEM : 1;
        if (r > 0)
                r = loader_apply(d->loader, d->engine.scheduler, &d->engine.events, RELOAD_TURN_USEC, &counts);
        if (r == 0) {
                loop_defer(d->engine.loop, deferred);
                return;
        }
        if (r < 0) {
                reload_finish(d, &(ApiReload){ .r = r });
                return;
        }
        d->n_refused = counts.refused;
        adopt_settings(d);
        scheduler_zones_changed(d->engine.scheduler);
        reload_finish(d, &(ApiReload){
                                 .added = counts.added,
                                 .changed = counts.changed,
                                 .removed = counts.removed,
                                 .unchanged = counts.unchanged,
                                 .report = loader_report(d->loader),
                         });
}

static int daemon_reload(ApiReloadDone done, void *done_userdata, void *userdata)
{
        Daemon *d = userdata;
        int r;

        if (d->loader)
                return -EBUSY;
        if (d->stopping)
                return -EBUSY;
        service_manager_reloading(d->manager);
        d->reload_done = done;
        d->reload_userdata = done_userdata;
        r = settings_load(d->environment->config_file, &d->settings_report, &d->new_settings);
        if (r >= 0)
                r = resource_set_load(d->environment->config_file, &d->settings_report, &d->new_resources);
        if (r >= 0) {
                /* What is known of zones may be another. */
                zone_forget();
                /* Jobs that were loaded are not given up because a directory was not mounted. */
                r = loader_new(d->environment->jobs, scheduler_n_jobs(d->engine.scheduler) == 0, &d->new_resources, &d->loader);
                if (r < 0)
                        config_report_add(&d->settings_report, d->environment->jobs, 0, 0, "can't be read: %s", strerror(-r));
        }
        if (r < 0) {
                log_report(&d->settings_report);
                reload_finish(d, &(ApiReload){ .r = r, .report = &d->settings_report });
                return 0;
        }
        loop_defer(d->engine.loop, &d->reload_step);
        return 0;
}

/* --- stop --- */

static void on_exit_step(Deferred *deferred)
{
        Daemon *d = container_of(deferred, Daemon, exit_step);

        loop_exit(d->engine.loop, EXIT_SUCCESS);
}

static void on_all_ended(void *userdata)
{
        Daemon *d = userdata;

        /* Who waited for the last run is answered in this turn of the loop, before the exit. */
        loop_defer(d->engine.loop, &d->exit_step);
}

static void on_stop_timeout(Timer *timer, _unused_ usec_t now)
{
        Daemon *d = container_of(timer, Daemon, stop_timer);

        log_warning("%zu runs did not end in time; stopping without them", scheduler_n_running(d->engine.scheduler));
        loop_exit(d->engine.loop, EXIT_SUCCESS);
}

/* Commands, and what is noted of all other runs, are the next daemon's. */
static void leave(Daemon *d)
{
        log_info("Restarting; commands of %zu runs go on", scheduler_n_running(d->engine.scheduler));
        service_manager_stopping(d->manager, USEC_INFINITY, "restarting");
        d->active_runs = active_runs_close(d->active_runs);
        spawner_leave(d->engine.spawner);
        survivors_leave(d->survivors);
        scheduler_leave(d->engine.scheduler);
        loop_exit(d->engine.loop, EXIT_SUCCESS);
}

static void stop(Daemon *d, int signo)
{
        log_info("Stopping on SIG%s; %zu runs are under way", sigabbrev_np(signo), scheduler_n_running(d->engine.scheduler));
        service_manager_stopping(d->manager, usec_add(d->settings->stop_timeout, STOP_MARGIN_USEC), "ending %zu runs",
                                 scheduler_n_running(d->engine.scheduler));
        varlink_server_stop_listening(d->server);
        d->stop_timer.callback = on_stop_timeout;
        (void)timer_arm_after(d->engine.services.timers, &d->stop_timer, d->settings->stop_timeout);
        scheduler_shutdown(d->engine.scheduler, on_all_ended, d);
}

static void on_stop_reason(bool restart, void *userdata)
{
        Daemon *d = userdata;

        if (restart)
                leave(d);
        else
                stop(d, SIGTERM);
}

static void on_signal(_unused_ SignalSource *source, int signo, void *userdata)
{
        Daemon *d = userdata;

        if (signo == SIGHUP) {
                if (daemon_reload(NULL, NULL, d) < 0)
                        log_notice("A reload is under way already");
                return;
        }
        if (d->stopping) {
                loop_exit(d->engine.loop, EXIT_SUCCESS);
                return;
        }
        d->stopping = true;
        if (signo != SIGTERM || !service_manager_keeps_descriptors(d->manager) ||
            stop_reason_ask(d->engine.loop, d->engine.spawner, on_stop_reason, d, &d->stop_reason) < 0)
                stop(d, signo);
}

/* --- start --- */

static unsigned refused_files(void *userdata)
{
        const Daemon *d = userdata;

        return d->n_refused;
}

static const Settings *current_settings(void *userdata)
{
        const Daemon *d = userdata;

        return d->settings;
}

static int load_settings(Daemon *d)
{
        ConfigReport report = CONFIG_REPORT_NULL;
        int r = settings_load(d->environment->config_file, &report, &d->settings);

        if (r >= 0)
                r = resource_set_load(d->environment->config_file, &report, &d->resources);
        log_report(&report);
        config_report_deinit(&report);
        return r;
}

static int load_jobs(Daemon *d)
{
        _cleanup_(loader_freep) Loader *loader = NULL;
        LoaderCounts counts;
        int r = loader_new(d->environment->jobs, true, &d->resources, &loader);

        if (r < 0)
                return log_errno(LOG_ERR, r, "The job directory %s can't be read: %m", d->environment->jobs);
        r = scheduler_set_resources(d->engine.scheduler, &d->resources);
        if (r >= 0)
                r = loader_step(loader, clock_system(), USEC_INFINITY);
        if (r >= 0)
                r = loader_apply(loader, d->engine.scheduler, &d->engine.events, USEC_INFINITY, &counts);
        if (r < 0)
                return log_errno(LOG_ERR, r, "Loading the jobs failed: %m");
        log_report(loader_report(loader));
        d->remark = remark_of(loader_report(loader));
        d->n_refused = counts.refused;
        log_info("Loaded %u jobs from %s%s", counts.added, d->environment->jobs,
                 counts.refused > 0 ? "; others were refused, see above" : "");
        return 0;
}

/* The socket that was passed, else one of our own. */
static int open_control_socket(Daemon *d)
{
        const char *path = d->environment->socket;
        int fd = service_manager_take_listener(d->manager, CONTROL_SOCKET_NAME);

        if (fd == -EPROTOTYPE)
                return log_errno(LOG_ERR, fd, "The socket " CONTROL_SOCKET_NAME " that was passed is no listening UNIX stream socket");
        if (fd != -ENOENT)
                return fd < 0 ? log_errno(LOG_ERR, fd, "The socket that was passed can't be used: %m") : fd;
        /* All may connect, so that who may not do more is told so. */
        fd = unix_listen(path, 0666, &d->lock_fd);
        if (fd == -EADDRINUSE)
                return log_errno(LOG_ERR, fd, "Another taktd serves this environment at %s", path);
        return fd < 0 ? log_errno(LOG_ERR, fd, "%s can't be listened on: %m", path) : fd;
}

static int listen_control(Daemon *d)
{
        static const VarlinkServiceInfo info = {
                .vendor = "takt", .product = "taktd", .version = PACKAGE_VERSION, .url = "https://takt.invalid/",
                .failed = "io.takt.Manager.Failed",
        };
        const VarlinkLimits limits = control_limits(d->settings);
        const ApiContext context = {
                .loop = d->engine.loop,
                .scheduler = d->engine.scheduler,
                .events = &d->engine.events,
                .store = d->engine.store,
                .environment = d->environment,
                .services = &d->engine.services,
                .started_realtime = clock_realtime(clock_system()),
                .settings = current_settings,
                .refused_files = refused_files,
                .reload = daemon_reload,
                .userdata = d,
        };
        int r;

        r = varlink_server_new(d->engine.loop, &info, &limits, &d->server);
        if (r >= 0)
                r = api_new(&context, d->server, &d->api);
        if (r < 0)
                return log_errno(LOG_ERR, r, "The control interface could not be made: %m");
        apply_authority(d);
        r = varlink_server_listen_fd(d->server, TAKE_FD(d->control_fd));
        return r < 0 ? log_errno(LOG_ERR, r, "%s can't be served: %m", d->environment->socket) : 0;
}

static int listen_status(Daemon *d)
{
        const StatusContext context = {
                .scheduler = d->engine.scheduler, .spawner = d->engine.spawner, .pools = d->engine.pools, .timers = d->engine.services.timers,
                .loop = d->engine.loop, .started_boottime = clock_boottime(clock_system()),
        };
        _cleanup_free_ char *path = NULL;
        const char *problem = NULL;
        int r;

        if (!d->settings->listen)
                return 0;
        /* The path of a socket is one in the environment, which may be moved. */
        path = strchr(d->settings->listen, '/') ? path_join(d->environment->path, d->settings->listen) : strdup(d->settings->listen);
        if (!path)
                return -ENOMEM;
        r = status_new(&context, &d->status);
        if (r >= 0)
                r = http_server_new(d->engine.loop, path, status_routes, status_n_routes, d->status, &d->status_server, &problem);
        if (r < 0)
                return log_errno(LOG_ERR, r, "Listen=%s: %s", d->settings->listen, problem ?: strerror(-r));
        log_info("Status pages at %s", d->settings->listen);
        return 0;
}

static int catch_signals(Daemon *d)
{
        static const int signals[] = { SIGTERM, SIGINT, SIGHUP };

        (void)signal(SIGPIPE, SIG_IGN);
        for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
                int r = signal_source_new(d->engine.loop, signals[i], on_signal, d, &d->signals[i]);

                if (r < 0)
                        return log_errno(LOG_ERR, r, "Signals can't be caught: %m");
        }
        return 0;
}

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
                return log_errno(LOG_ERR, r, "The directories of %s can't be made: %m", d->environment->path);
        /* The socket's lock comes first: without it, what is in state/ is another daemon's. */
        d->control_fd = open_control_socket(d);
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
        event_log_init(&d->event_log, live);
        event_bus_subscribe(&d->engine.events, &d->event_log.observer);
        r = catch_signals(d);
        if (r >= 0)
                r = listen_control(d);
        if (r >= 0)
                r = listen_status(d);
        if (r >= 0)
                r = load_jobs(d);
        if (r < 0)
                return r;
        /* Once the socket is ours, and no other daemon has the directory. */
        r = active_runs_open(d->environment->state, &d->engine.events, d->engine.scheduler, d->engine.loop, &d->active_runs);
        return r < 0 ? log_errno(LOG_ERR, r, "The runs under way can't be noted in %s: %m", d->environment->state) : 0;
}

static void daemon_deinit(Daemon *d)
{
        if (d->engine.loop) {
                deferred_cancel(d->engine.loop, &d->reload_step);
                deferred_cancel(d->engine.loop, &d->exit_step);
                deferred_cancel(d->engine.loop, &d->announce);
        }
        if (d->loader)
                reload_finish(d, &(ApiReload){ .r = -ECANCELED });
        file_watch_free(d->zone_watch);
        stop_status(d);
        varlink_server_free(d->server);
        api_free(d->api);
        for (size_t i = 0; i < ARRAY_SIZE(d->signals); i++)
                signal_source_free(d->signals[i]);
        if (d->engine.services.timers)
                timer_disarm(d->engine.services.timers, &d->stop_timer);
        stop_reason_free(d->stop_reason);
        safe_close(d->control_fd);
        /* Runs that are given up are still told of. */
        if (d->engine.scheduler)
                scheduler_abandon(d->engine.scheduler);
        survivors_free(d->survivors);
        service_manager_free(d->manager);
        active_runs_close(d->active_runs);
        engine_deinit(&d->engine);
        event_log_deinit(&d->event_log);
        if (d->lock_fd >= 0) {
                (void)unlink(d->environment->socket);
                safe_close(d->lock_fd);
        }
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
        scheduler_begin(d->engine.scheduler);
        survivors_resume(d->survivors, d->engine.scheduler, d->active_runs);
        active_runs_recover(d->active_runs);
        service_manager_watch(d->manager, d->engine.loop, check_health, d);
        loop_defer(d->engine.loop, &d->announce);
        return loop_run(d->engine.loop);
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
        static const char *const targets[] = { "auto", "console", "journal" };
        int c;

        *a = (Arguments){ .log_level = -1 };
        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
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
                        a->log_level = log_level_from_string(optarg);
                        if (a->log_level < 0) {
                                fprintf(stderr, "taktd: '%s' is no log level\n", optarg);
                                return -EINVAL;
                        }
                        break;
                case OPT_LOG_TARGET:
                        for (a->log_target = LOG_TARGET_AUTO; a->log_target <= LOG_TARGET_JOURNAL; a->log_target++)
                                if (streq(targets[a->log_target], optarg))
                                        break;
                        if (a->log_target > LOG_TARGET_JOURNAL) {
                                fprintf(stderr, "taktd: '%s' is none of auto, console and journal\n", optarg);
                                return -EINVAL;
                        }
                        break;
                default:
                        return -EINVAL;
                }
        if (optind < argc) {
                fprintf(stderr, "taktd: there are no arguments, such as '%s'; see taktd --help\n", argv[optind]);
                return -EINVAL;
        }
        return 1;
}

int main(int argc, char *argv[])
{
        Daemon d = {
                .control_fd = -1,
                .lock_fd = -1,
                .reload_step.callback = on_reload_step,
                .exit_step.callback = on_exit_step,
                .announce.callback = on_announce,
                .remark = "",
        };
        _cleanup_free_ char *error = NULL;
        Arguments arguments;
        int r = parse_arguments(argc, argv, &arguments);

        if (r <= 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
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
        r = load_settings(&d);
        if (r >= 0) {
                d.log_level_fixed = arguments.log_level >= 0;
                if (!d.log_level_fixed)
                        log_set_max_level(d.settings->log_level);
                r = daemon_run(&d, arguments.watch);
        }
        daemon_deinit(&d);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
