/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/daemon.h"

#include <signal.h>
#include <unistd.h>

#include "base/log.h"
#include "process/helper.h"

/* What the manager shall wait for beyond StopTimeoutSec=: the end of helpers and files. */
#define STOP_MARGIN_USEC (10 * USEC_PER_SEC)

void daemon_on_exit_step(Deferred *deferred)
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
        d->state_keeper = state_keeper_free(d->state_keeper);
        /* Where nothing has begun, there are only the notes of the daemon before this one. */
        if (d->begun)
                active_runs_leave(d->active_runs);
        d->active_runs = active_runs_close(d->active_runs);
        spawner_leave(d->engine.spawner);
        survivors_leave(d->survivors);
        scheduler_leave(d->engine.scheduler);
        loop_exit(d->engine.loop, EXIT_SUCCESS);
}

static void stop(Daemon *d, int signo)
{
        if (!d->begun) {
                log_info("Stopping on SIG%s; nothing has begun yet", sigabbrev_np(signo));
                loop_exit(d->engine.loop, EXIT_SUCCESS);
                return;
        }
        log_info("Stopping on SIG%s; %zu runs are under way", sigabbrev_np(signo), scheduler_n_running(d->engine.scheduler));
        service_manager_stopping(d->manager, usec_add(d->settings->stop_timeout, STOP_MARGIN_USEC), "ending %zu runs",
                                 scheduler_n_running(d->engine.scheduler));
        if (d->active_runs)
                active_runs_leave(d->active_runs); /* whatever is left of this stop, no run is to blame for it */
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
                d->reload_wanted = !d->begun;
                if (d->begun && daemon_reload(NULL, NULL, d) < 0)
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

/* A helper is reaped by who started it. */
static void on_child(_unused_ SignalSource *source, _unused_ int signo, _unused_ void *userdata)
{
        if (helper_reap_others())
                (void)kill(getpid(), SIGCHLD); /* for the rest, in another turn of the loop */
}

int daemon_catch_signals(Daemon *d)
{
        static const struct {
                int signo;
                SignalCallback callback;
        } signals[] = { { SIGTERM, on_signal }, { SIGINT, on_signal }, { SIGHUP, on_signal }, { SIGCHLD, on_child } };

        _Static_assert(ARRAY_SIZE(signals) == ARRAY_SIZE(d->signals), "each has its source");
        (void)signal(SIGPIPE, SIG_IGN);
        for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
                int r = signal_source_new(d->engine.loop, signals[i].signo, signals[i].callback, d, &d->signals[i]);

                if (r < 0)
                        return log_errno(LOG_ERR, r, "Signals can't be caught: %m");
        }
        (void)kill(getpid(), SIGCHLD); /* of those that ended before */
        return 0;
}
