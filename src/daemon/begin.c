/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The begin of a daemon's work. An earlier daemon may have left a takt-spawn that still ends its commands: all of
 * them, or, where the service manager kept the connection, those that can't be gone on with. No job may begin beside
 * these. No run may be told of as lost, let alone be repeated, while its command goes on. So all of it waits until the
 * marks of that helper on the state's directory, and on the place of that, are gone. Clients wait as well, as
 * they do while a daemon starts: their connections are accepted once all they may ask for can be done.
 */
#include <signal.h>

#include "base/directory-lock.h"
#include "base/file.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "process/children.h"
#include "process/command-table.h"

/* How often it is looked whether a helper is gone. */
#define HELPER_POLL_USEC (20 * USEC_PER_MSEC)
/*
 * A helper ends its commands within the first of these, or leaves what not even SIGKILL ends: a process that hangs in
 * the kernel, and will do nothing more in a job's name if it ever comes back from there. The rest is for a slow machine.
 */
#define HELPER_WAIT_USEC (COMMAND_SHUTDOWN_MAX_USEC + 5 * USEC_PER_SEC)

/* Of those that aren't seen by the search itself. */
static bool is_nobody(_unused_ pid_t pid, _unused_ void *userdata)
{
        return false;
}

/*
 * The lock goes with the directory if that is removed or replaced. Then the mark of its place tells of who
 * works there.
 */
static int lock_place(Daemon *d)
{
        const char *state = d->environment->state;
        pid_t other;
        int r;

        d->place_fd = directory_open_place(state);
        r = d->place_fd < 0 ? d->place_fd : directory_mark_place(d->place_fd, state, PLACE_DAEMON, getpid());
        if (r < 0) {
                (void)log_errno(LOG_DEBUG, r, "The place of %s can't be marked: %m", state);
                return 0;
        }
        other = directory_find_place_mark(d->place_fd, state, PLACE_DAEMON, is_nobody, NULL);
        if (other <= 0)
                return 0;
        return log_errno(LOG_ERR, -EBUSY, "Another taktd serves this environment: it has pid %d, and had %s before it was replaced",
                         (int)other, state);
}

int daemon_lock(Daemon *d)
{
        const char *state = d->environment->state;

        d->state_fd = directory_lock(state);
        if (d->state_fd == -EBUSY)
                return log_errno(LOG_ERR, d->state_fd, "Another taktd serves this environment: it has locked %s", state);
        if (d->state_fd < 0)
                log_errno(LOG_WARNING, d->state_fd, "%s can't be locked: %m; nothing keeps a second taktd from it but the socket", state);
        return lock_place(d);
}

/* The jobs are loaded, and the loop has begun to answer calls. */
static void on_announce(Deferred *deferred)
{
        Daemon *d = container_of(deferred, Daemon, announce);

        daemon_notify_ready(d);
        log_info("taktd %s serves the environment %s", PACKAGE_VERSION, d->environment->path);
        if (d->reload_wanted)
                (void)daemon_reload(NULL, NULL, d);
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

/* Once no other daemon has the directory, and before anybody waits: nothing of what was left is changed. */
static int look_at_state(Daemon *d)
{
        int r = active_runs_open(d->environment->state, d->engine.scheduler, &d->engine.services, &d->active_runs);

        if (r < 0)
                return r;
        run_ids_seen(d->engine.ids, active_runs_greatest_id(d->active_runs));
        run_ids_seen(d->engine.ids, survivors_greatest_id(d->survivors));
        survivors_end_others(d->survivors, d->engine.scheduler, d->active_runs);
        return 0;
}

static int begin(Daemon *d)
{
        int r = active_runs_begin(d->active_runs);

        if (r >= 0)
                r = daemon_listen_control(d);
        if (r >= 0)
                r = daemon_listen_status(d);
        if (r < 0)
                return r;
        d->begun = true;
        scheduler_begin(d->engine.scheduler);
        survivors_resume(d->survivors, d->engine.scheduler, d->active_runs);
        active_runs_recover(d->active_runs);
        r = state_keeper_new(d->environment->state, &d->engine, d->active_runs, daemon_on_state_changed, d, &d->state_keeper);
        if (r < 0)
                return r;
        service_manager_watch(d->manager, d->engine.loop, check_health, d);
        loop_defer(d->engine.loop, &d->announce);
        return 0;
}

/* A helper of this daemon, or one whose commands it goes on with. */
static bool is_ours(pid_t pid, void *userdata)
{
        const Daemon *d = userdata;
        SpawnerStatus status;

        spawner_get_status(d->engine.spawner, &status);
        return pid == status.helper_pid || survivors_have(d->survivors, pid);
}

/* One that ends commands. 0: there is none, or nobody can tell. */
static pid_t find_other_helper(Daemon *d)
{
        const char *state = d->environment->state;
        _cleanup_close_ int fd = directory_open(state), place_fd = directory_open_place(state);
        pid_t pid = survivors_find_ending(d->survivors);

        if (pid == 0 && fd >= 0)
                pid = directory_find_mark(fd, is_ours, d);
        if (pid <= 0 && place_fd >= 0)
                pid = directory_find_place_mark(place_fd, state, PLACE_HELPER, is_ours, d);
        return MAX(pid, 0);
}

static void tell_wait(Daemon *d, pid_t pid)
{
        ProcessStat stat;

        d->helper_waited_for = pid;
        /* One that is stopped would never end anything. */
        if (process_stat_read(pid, &stat) >= 0 && stat.state == 'T')
                (void)kill(pid, SIGCONT);
        log_notice("takt-spawn (pid %d) still ends the commands of an earlier daemon; no job begins before it is done", (int)pid);
        service_manager_starting(d->manager, HELPER_WAIT_USEC, "waiting for takt-spawn (pid %d) of an earlier daemon", (int)pid);
}

/* 1: waits, 0: has begun, -errno. */
static int begin_when_alone(Daemon *d)
{
        usec_t now = clock_boottime(clock_system());
        pid_t pid = find_other_helper(d);

        if (pid == 0)
                return begin(d);
        if (d->helper_waited_for == 0)
                d->helper_deadline = usec_add(now, HELPER_WAIT_USEC);
        if (now >= d->helper_deadline) {
                log_warning("takt-spawn (pid %d) is not done after %llu s; jobs begin beside what is left of its commands",
                            (int)pid, (unsigned long long)(HELPER_WAIT_USEC / USEC_PER_SEC));
                return begin(d);
        }
        if (pid != d->helper_waited_for)
                tell_wait(d, pid);
        return timer_arm_after(d->engine.services.timers, &d->begin_timer, HELPER_POLL_USEC);
}

static void on_begin_timer(Timer *timer, _unused_ usec_t now)
{
        Daemon *d = container_of(timer, Daemon, begin_timer);
        int r = d->stopping ? 0 : begin_when_alone(d);

        if (r < 0)
                loop_exit(d->engine.loop, r);
}

int daemon_begin(Daemon *d)
{
        int r;

        d->announce.callback = on_announce;
        d->begin_timer.callback = on_begin_timer;
        r = look_at_state(d);
        return r < 0 ? r : begin_when_alone(d);
}
