/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What the files of taktd share. taktd.c: the program, its start and end. serve.c: the control socket and the
 * status pages. reload.c: settings and jobs, at start and again on request. begin.c: the lock, and when work begins.
 * stop.c: signals and the way out.
 */

#include "api/api.h"
#include "api/status.h"
#include "daemon/active-runs.h"
#include "daemon/authority.h"
#include "daemon/engine.h"
#include "daemon/event-log.h"
#include "daemon/loader.h"
#include "daemon/lookout.h"
#include "daemon/service-manager.h"
#include "daemon/stall-log.h"
#include "daemon/state-keeper.h"
#include "daemon/stop-reason.h"
#include "daemon/survivors.h"
#include "loop/file-watch.h"
#include "loop/http-server.h"

typedef struct Daemon {
        ServiceManager *manager;
        Environment *environment;
        Settings *settings;
        ResourceSet resources;
        Engine engine;
        EventLog event_log;
        StallLog stall_log;
        ActiveRuns *active_runs;
        StateKeeper *state_keeper;
        Survivors *survivors;
        StopReason *stop_reason; /* while it is asked for */
        VarlinkServer *server;
        Authority authority;
        Api *api;
        HttpServer *status_server;
        Status *status;
        int control_fd; /* until it is served */
        int lock_fd;    /* of the control socket, where it is our own */
        int state_fd;   /* the lock of the state's directory; -1: that has none */
        int place_fd;   /* the mark of its place; the same */
        SignalSource *signals[4];
        FileWatch *zone_watch;
        Timer begin_timer;
        pid_t helper_waited_for; /* of an earlier daemon; 0: none so far */
        usec_t helper_deadline;
        bool begun;         /* jobs run, and clients are served */
        bool reload_wanted; /* SIGHUP came before that */
        Timer stop_timer;
        Deferred exit_step;
        bool stopping;
        bool log_level_fixed; /* by --log-level */
        Deferred announce;
        const char *remark; /* what STATUS= adds to the number of jobs */
        unsigned n_refused; /* files that were broken when the jobs were read last … */
        unsigned n_warnings; /* … and what was found in them that can't be meant */

        Loader *loader; /* of the reload under way, or of the start while the lookout is there */
        Lookout *lookout; /* looks for what was loaded last */
        bool reloading;
        LoaderCounts reload_counts;
        Settings *new_settings;
        ResourceSet new_resources;
        ConfigReport settings_report;
        Deferred reload_step;
        ApiReloadDone reload_done;
        void *reload_userdata;
} Daemon;

/* --- serve.c; errors are logged and returned --- */

/* The socket that was passed, else one of our own. Returns the descriptor. */
int daemon_open_control_socket(Daemon *d);
int daemon_listen_control(Daemon *d);
/* 0 as well where no Listen= asks for them. */
int daemon_listen_status(Daemon *d);
void daemon_stop_status(Daemon *d);
/* Puts what the settings say of clients in force. */
void daemon_apply_control_settings(Daemon *d);

/* --- reload.c --- */

/* Errors are logged and returned. */
int daemon_load_settings(Daemon *d);
int daemon_load_jobs(Daemon *d);
/* As in ApiContext. */
int daemon_reload(ApiReloadDone done, void *done_userdata, void *daemon);
/* Gives up on what is under way of a load, be it the start's or a reload. */
void daemon_end_load(Daemon *d);
/* Daemon.reload_step */
void daemon_on_reload_step(Deferred *deferred);
/* Tells the service manager that the daemon is ready, and what there is to remark. */
void daemon_notify_ready(const Daemon *d);
/* Daemon.state_keeper has something else to tell. */
void daemon_on_state_changed(void *daemon);

/* --- begin.c; errors are logged and returned --- */

/* Makes this daemon the only one of its environment, until it ends. */
int daemon_lock(Daemon *d);
/* Begins what the jobs say, and to serve clients: at once, or when what an earlier daemon left has ended. */
int daemon_begin(Daemon *d);

/* --- stop.c --- */

/* Errors are logged and returned. */
int daemon_catch_signals(Daemon *d);
/* Daemon.exit_step */
void daemon_on_exit_step(Deferred *deferred);
