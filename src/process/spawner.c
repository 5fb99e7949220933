/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The life of takt-spawn as its user sees it. When its connection ends, however that came about, the
 * helper is killed if it isn't dead, and all that it held is ended here:
 *
 *  1. Commands have a parent-death signal, and the groups that are known are killed besides.
 *  2. Once the helper itself is dead, which its pidfd tells, every process that it had is a child of
 *     this one, a subreaper: what came from it (spawner-orphans.c) is killed and reaped, again and again
 *     until none is left, because each may leave children of its own.
 *
 * Commands that the helper had end with -EOWNERDEAD; those that had not reached it wait for the next.
 */
#include "process/spawner.h"

#include <signal.h>
#include <sys/pidfd.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/directory-lock.h"
#include "base/file.h"
#include "base/log.h"
#include "process/children.h"
#include "process/helper.h"
#include "process/spawner-internal.h"

/* Messages read before others have their turn. */
#define MESSAGES_A_TURN 8U
/* Pings in a row that a helper may leave without an answer. Counted, as after a suspend no time says anything. */
#define PINGS_MAX 4U
/* How long spawner_free() waits for the helper, and then for orphans. */
#define FREE_WAIT_USEC (1 * USEC_PER_SEC)

int spawner_start(Spawner *spawner, const SpawnRequest *request, const SpawnCallbacks *callbacks, void *userdata,
                  SpawnedCommand **ret)
{
        _cleanup_(spawned_command_freep) SpawnedCommand *command = NULL;
        _cleanup_(spawn_envelope_deinit) SpawnEnvelope envelope = {};
        int r;

        if (spawner->status.n_commands >= SPAWNER_MAX_COMMANDS)
                return -EAGAIN;
        r = spawned_command_new(spawner, request, callbacks, userdata, &command, &envelope);
        if (r >= 0)
                r = spawner_submit(spawner, command, &envelope);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(command);
        return 0;
}

/* --- from the helper --- */

static void on_hello(Spawner *spawner, const SpawnReport *report)
{
        spawner->said_hello = report->status == SPAWN_PROTOCOL_VERSION;
        if (!spawner->said_hello)
                log_error("%s speaks version %d of the protocol, not %u", spawner->helper_path, report->status,
                          SPAWN_PROTOCOL_VERSION);
}

static void on_exited(Spawner *spawner, SpawnSlot *slot, const SpawnReport *report)
{
        SpawnedCommand *command = slot->command;
        SpawnExit exit = {
                .error = -report->error,
                .stage = spawn_stage_to_string((SpawnStage)report->stage),
                .code = report->code,
                .status = report->status,
                .user_usec = report->user_usec,
                .system_usec = report->system_usec,
                .max_resident = report->max_resident,
                .left = report->left,
        };

        spawner->status.n_kills += report->flags & SPAWN_KILLED ? 1 : 0;
        if (report->flags & SPAWN_GROUP_LEFT) {
                if (!command)
                        spawner_stop(spawner, report->slot);
        } else
                spawner_give_back(spawner, report->slot);
        if (command)
                spawned_command_on_exited(command, &exit);
}

static void on_report(Spawner *spawner, const SpawnReport *report)
{
        SpawnSlot *slot;

        if (report->type == SPAWN_HELLO) {
                on_hello(spawner, report);
                return;
        }
        if (report->type == SPAWN_PONG)
                return;
        if (report->type == SPAWN_STRAY) {
                spawner->status.n_strays++;
                log_debug("process %d outlived its command and is ended", (int)report->pid);
                return;
        }
        slot = report->slot < spawner->n_slots ? &spawner->slots[report->slot] : NULL;
        if (!slot || !slot->used || slot->serial != report->serial) {
                spawner_note_held(spawner, report);
                return;
        }
        if (report->pid > 0)
                slot->pid = report->pid;
        if (slot->command && report->pid > 0)
                spawned_command_on_started(slot->command, report->pid, report->type == SPAWN_EXITED);
        /* The callback may have started commands, and the table may have moved. */
        slot = &spawner->slots[report->slot];
        if (report->type == SPAWN_EXITED)
                on_exited(spawner, slot, report);
        else if (report->type == SPAWN_GONE)
                spawner_give_back(spawner, report->slot);
}

/* 1: one message was read, 0: none is there, -errno: the connection is lost. */
static int read_reports(Spawner *spawner)
{
        ssize_t n = recv(spawner->fd, spawner->reports, sizeof(spawner->reports), MSG_DONTWAIT);
        int count, r;

        /* The helper left requests unread when it died. What it had said before can still be read. */
        if (n < 0 && errno == ECONNRESET)
                return 1;
        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : negative_errno();
        if (n == 0)
                return -EPIPE;
        count = spawn_reports_count((size_t)n);
        if (count < 0)
                return count;
        spawner->n_unanswered = 0;
        for (int i = 0; i < count; i++) {
                SpawnReport report;

                r = spawn_report_decode(spawner->reports, (size_t)i, &report);
                if (r < 0)
                        return r;
                on_report(spawner, &report);
                if (!spawner->said_hello)
                        return -EPROTO;
        }
        return 1;
}

/* --- the end of a helper --- */

/* Where no restart and no look can be scheduled, all of this would come to rest: their places in the queue are kept. */
void spawner_arm(Spawner *spawner, Timer *timer, usec_t after)
{
        usec_t due = usec_add(clock_boottime(loop_clock(spawner->loop)), after);

        (void)timer_arm(loop_timers(spawner->loop), timer, due);
}

static void disconnect(Spawner *spawner)
{
        SpawnedCommand *command;

        if (spawner->fd < 0)
                return;
        spawner->io = io_source_free(spawner->io);
        spawner->fd = safe_close(spawner->fd);
        buffer_deinit(&spawner->controls);
        buffer_clear(&spawner->done);
        if (spawner->pid_fd >= 0)
                (void)pidfd_send_signal(spawner->pid_fd, SIGKILL, NULL, 0);

        spawner_note_sessions(spawner);
        spawner_kill_held(spawner);
        for (uint32_t i = 0; i < spawner->n_slots; i++) {
                if (!spawner->slots[i].used)
                        continue;
                if (spawner->slots[i].pid > 0)
                        (void)kill(-spawner->slots[i].pid, SIGKILL);
                spawner_give_back(spawner, i);
        }
        list_foreach(command, &spawner->commands, SpawnedCommand, commands)
                if (command->state == SPAWN_STATE_SENT)
                        spawned_command_fail(command, -EOWNERDEAD, "helper");
}

static void fail_waiting(Spawner *spawner)
{
        SpawnedCommand *command;

        while ((command = list_first(&spawner->waiting, SpawnedCommand, waiting))) {
                spawner_unwait(spawner, command);
                spawned_command_fail(command, -EOWNERDEAD, "helper");
        }
}

static void on_connection(_unused_ IoSource *source, _unused_ int fd, unsigned events, void *userdata)
{
        Spawner *spawner = userdata;
        int r = 1;

        if (events & IO_READ)
                for (unsigned i = 0; i < MESSAGES_A_TURN && r > 0; i++)
                        r = read_reports(spawner);
        if (r < 0) {
                disconnect(spawner);
                return;
        }
        if (events & IO_WRITE)
                spawner_send_waiting(spawner);
        spawner_update_io(spawner);
}

static void schedule_restart(Spawner *spawner)
{
        spawner_arm(spawner, &spawner->restart, spawner->backoff);
        spawner->backoff = MIN(MAX(2 * spawner->backoff, SPAWNER_RESTART_MIN_USEC), SPAWNER_RESTART_MAX_USEC);
}

static void on_helper_dead(_unused_ IoSource *source, _unused_ int fd, _unused_ unsigned events, void *userdata)
{
        Spawner *spawner = userdata;
        usec_t age = usec_sub(clock_boottime(loop_clock(spawner->loop)), spawner->started_boottime);

        if (!helper_reap(spawner->helper_pid, NULL))
                return;
        log_warning("%s (pid %d) has died, its commands are ended", spawner->helper_path, (int)spawner->helper_pid);
        spawner->pid_io = io_source_free(spawner->pid_io);
        spawner->pid_fd = safe_close(spawner->pid_fd);
        spawner->helper_pid = 0;
        /* Its last words first. */
        while (spawner->fd >= 0 && read_reports(spawner) > 0)
                ;
        disconnect(spawner);
        /*
         * It was no child of this process, so what it left does not come here, and no other one is started in
         * its place.
         */
        if (spawner->resumed)
                return;
        spawner_end_orphans(spawner);
        if (!spawner->said_hello)
                fail_waiting(spawner);
        if (age >= SPAWNER_STABLE_USEC)
                spawner->backoff = 0;
        schedule_restart(spawner);
}

/* --- a helper that hangs --- */

static void on_ping(Timer *timer, _unused_ usec_t now)
{
        Spawner *spawner = container_of(timer, Spawner, ping);

        spawner_arm(spawner, timer, USEC_INFINITY);
        spawner->pinging = false;
        if (spawner->fd < 0)
                return;
        spawner_flush_done(spawner);
        if (spawner->n_unanswered >= PINGS_MAX) {
                log_error("%s (pid %d) hangs: %u questions have no answer; it is killed", spawner->helper_path,
                          (int)spawner->helper_pid, spawner->n_unanswered);
                disconnect(spawner);
                return;
        }
        if (spawner->n_unanswered == 0 && spawner->status.n_commands == 0)
                return;
        spawner->n_unanswered++;
        spawner_ping(spawner);
        spawner_watch_answers(spawner);
}

void spawner_watch_answers(Spawner *spawner)
{
        if (spawner->pinging)
                return;
        spawner->pinging = true;
        spawner_arm(spawner, &spawner->ping, spawner->patience / PINGS_MAX);
}

void spawner_set_patience(Spawner *spawner, usec_t patience)
{
        spawner->patience = patience;
        spawner->pinging = false;
        spawner_watch_answers(spawner);
}

/* --- the life of a helper --- */

static void forget_commands(Spawner *spawner)
{
        SpawnedCommand *command;

        while ((command = list_first(&spawner->commands, SpawnedCommand, commands))) {
                spawner_unwait(spawner, command);
                list_unlink(&command->commands);
                spawned_command_orphan(command);
        }
}

/*
 * Before the helper has been asked for anything, so that there is never a command without a mark. MARK_FDS:
 * the directory and its place, which the helper has open as well, or why they could not be opened. One that
 * is found does.
 */
static void mark_helper(Spawner *spawner, const int mark_fds[static HELPER_MARKS])
{
        int r = mark_fds[0] < 0 ? mark_fds[0] : directory_mark(mark_fds[0], spawner->helper_pid);
        int k = mark_fds[1] < 0 ? mark_fds[1] :
                                  directory_mark_place(mark_fds[1], spawner->directory, PLACE_HELPER, spawner->helper_pid);

        if (r >= 0 || k >= 0 || spawner->unmarked)
                return;
        spawner->unmarked = true;
        log_errno(LOG_WARNING, r, "%s can't be locked: %m; after a crash jobs begin without waiting for the commands of before",
                  spawner->directory);
}

static int start_helper(Spawner *spawner)
{
        _cleanup_close_ int mark_fd = spawner->directory ? directory_open(spawner->directory) : -1,
                        place_fd = spawner->directory ? directory_open_place(spawner->directory) : -1;
        const int mark_fds[HELPER_MARKS] = { mark_fd, place_fd };
        int r;

        spawner->said_hello = false;
        spawner->n_unanswered = 0;
        spawner->started_boottime = clock_boottime(loop_clock(spawner->loop));
        r = helper_start(spawner->helper_path, mark_fds, &spawner->fd, &spawner->helper_pid, &spawner->pid_fd);
        if (r < 0)
                return r;
        if (spawner->directory)
                mark_helper(spawner, mark_fds);
        r = io_source_new(spawner->loop, spawner->fd, IO_READ, on_connection, spawner, &spawner->io);
        if (r >= 0)
                r = io_source_new(spawner->loop, spawner->pid_fd, IO_READ, on_helper_dead, spawner, &spawner->pid_io);
        if (r >= 0) {
                if (spawner->connected)
                        spawner->connected(spawner, spawner->fd, spawner->connected_userdata);
                return 0;
        }
        helper_kill(spawner->helper_pid);
        spawner->helper_pid = 0;
        spawner->io = io_source_free(spawner->io);
        spawner->fd = safe_close(spawner->fd);
        spawner->pid_fd = safe_close(spawner->pid_fd);
        return r;
}

static void on_restart(Timer *timer, _unused_ usec_t now)
{
        Spawner *spawner = container_of(timer, Spawner, restart);
        int r;

        spawner_arm(spawner, &spawner->restart, USEC_INFINITY);
        r = start_helper(spawner);
        if (r < 0) {
                (void)log_errno(LOG_ERR, r, "Can't start %s again: %m", spawner->helper_path);
                fail_waiting(spawner);
                schedule_restart(spawner);
                return;
        }
        spawner->status.n_restarts++;
        if (spawner->status.n_commands > 0)
                spawner_watch_answers(spawner);
        spawner_send_waiting(spawner);
        spawner_update_io(spawner);
}

/* One without a helper. */
static int spawner_make(Loop *loop, const char *helper_path, Spawner **ret)
{
        _cleanup_(spawner_freep) Spawner *spawner = new0(Spawner, 1);
        int r;

        if (!spawner)
                return -ENOMEM;
        spawner->loop = loop;
        spawner->fd = spawner->pid_fd = -1;
        spawner->free_slot = SPAWN_MAX_SLOTS;
        spawner->orphans_unseen = SPAWNER_ORPHANS_PASSES;
        spawner->controls = BUFFER_WITH_MAX(SPAWNER_MAX_CONTROLS);
        spawner->restart.callback = on_restart;
        spawner->orphans.callback = spawner_on_orphans;
        spawner->ping.callback = on_ping;
        spawner->patience = SPAWNER_PATIENCE_USEC;
        spawner->done = BUFFER_WITH_MAX(SPAWN_MAX_DONE * sizeof(SpawnName));
        list_init(&spawner->commands);
        list_init(&spawner->waiting);
        list_init(&spawner->held);
        list_init(&spawner->ending);
        spawner->helper_path = strdup(helper_path);
        if (!spawner->helper_path)
                return -ENOMEM;
        r = timer_arm(loop_timers(loop), &spawner->restart, USEC_INFINITY);
        if (r >= 0)
                r = timer_arm(loop_timers(loop), &spawner->orphans, USEC_INFINITY);
        if (r >= 0)
                r = timer_arm(loop_timers(loop), &spawner->ping, USEC_INFINITY);
        if (r < 0)
                return r;
        if (getrlimit(RLIMIT_NOFILE, &spawner->descriptors) < 0)
                return negative_errno();
        *ret = TAKE_PTR(spawner);
        return 0;
}

int spawner_new(Loop *loop, const char *helper_path, const char *directory, Spawner **ret)
{
        _cleanup_(spawner_freep) Spawner *spawner = NULL;
        int r;

        r = spawner_make(loop, helper_path, &spawner);
        if (r < 0)
                return r;
        if (directory) {
                spawner->directory = strdup(directory);
                if (!spawner->directory)
                        return -ENOMEM;
        }
        r = spawner_note_children(spawner);
        if (r < 0)
                return r;
        if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
                return negative_errno();
        r = start_helper(spawner);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(spawner);
        return 0;
}

/* No child of this process: it is known by the number that it says itself. */
int spawner_new_resumed(Loop *loop, int fd, pid_t pid, Spawner **ret)
{
        _cleanup_(spawner_freep) Spawner *spawner = NULL;
        int r;

        r = spawner_make(loop, "takt-spawn", &spawner);
        if (r < 0)
                return r;
        spawner->resumed = spawner->said_hello = true;
        spawner->helper_pid = pid;
        spawner->pid_fd = pidfd_open(pid, 0);
        if (spawner->pid_fd < 0)
                return negative_errno();
        r = io_source_new(loop, fd, IO_READ, on_connection, spawner, &spawner->io);
        if (r >= 0)
                r = io_source_new(loop, spawner->pid_fd, IO_READ, on_helper_dead, spawner, &spawner->pid_io);
        if (r < 0)
                return r;
        spawner->fd = fd;
        *ret = TAKE_PTR(spawner);
        return 0;
}

void spawner_outlive(Spawner *spawner, void (*connected)(Spawner *spawner, int fd, void *userdata), void *userdata)
{
        spawner->connected = connected;
        spawner->connected_userdata = userdata;
        if (spawner->fd >= 0)
                connected(spawner, spawner->fd, userdata);
}

void spawner_leave(Spawner *spawner)
{
        forget_commands(spawner);
        spawner->left = true;
        spawner->io = io_source_free(spawner->io);
        spawner->fd = safe_close(spawner->fd);
}

Spawner *spawner_free(Spawner *spawner)
{
        if (!spawner)
                return NULL;
        if (spawner->fd >= 0)
                spawner_note_sessions(spawner);
        forget_commands(spawner);
        spawner_free_held(spawner);
        deferred_cancel(spawner->loop, &spawner->idle);
        timer_disarm(loop_timers(spawner->loop), &spawner->restart);
        timer_disarm(loop_timers(spawner->loop), &spawner->orphans);
        timer_disarm(loop_timers(spawner->loop), &spawner->ping);
        spawner->io = io_source_free(spawner->io);
        spawner->pid_io = io_source_free(spawner->pid_io);
        /* The end is to be seen whoever has a copy. */
        if (spawner->fd >= 0)
                (void)shutdown(spawner->fd, SHUT_RDWR);
        safe_close(spawner->fd);
        if (spawner->left || spawner->resumed) {
                safe_close(spawner->pid_fd);
        } else if (spawner->pid_fd >= 0) {
                struct pollfd pollfd = { .fd = spawner->pid_fd, .events = POLLIN };
                ProcessStat stat;
                bool clean;

                /* One that is stopped can't see the end. */
                if (process_stat_read(spawner->helper_pid, &stat) >= 0 && stat.state == 'T')
                        (void)kill(spawner->helper_pid, SIGCONT);
                /* After a clean end all that is left is let be (SPAWN_KILL_MAIN). */
                if (poll(&pollfd, 1, FREE_WAIT_USEC / USEC_PER_MSEC) > 0 && helper_reap(spawner->helper_pid, &clean) && !clean)
                        spawner->orphans_unseen = 0;
                safe_close(spawner->pid_fd);
        }
        if (!spawner->left)
                spawner_wait_for_orphans(spawner, FREE_WAIT_USEC);
        buffer_deinit(&spawner->done);
        buffer_deinit(&spawner->controls);
        free(spawner->sessions);
        free(spawner->slots);
        free(spawner->helper_path);
        free(spawner->directory);
        free(spawner);
        return NULL;
}

void spawner_get_status(const Spawner *spawner, SpawnerStatus *ret)
{
        *ret = spawner->status;
        ret->helper_pid = spawner->helper_pid;
        ret->helper_answers = spawner->n_unanswered <= 1;
}
