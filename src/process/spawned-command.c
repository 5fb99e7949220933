/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One command as its owner sees it. It is over when two things have happened, in either order: the
 * helper has reaped the process, and all captured output was read to its end. The second may never
 * come, as a process that the command left behind can hold the pipe; so it is waited for a while only.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "process/spawner-internal.h"

/* After the exit what lies in a pipe is taken at once, in so many reads of SPAWN_MESSAGE_MAX; a pipe holds 1 MiB at most. */
#define READS_AT_EXIT 20U

static void command_unref(SpawnedCommand *command);

/* --- output --- */

static void capture_close(SpawnCapture *capture)
{
        capture->io = io_source_free(capture->io);
        capture->fd = safe_close(capture->fd);
        capture->saved = safe_close(capture->saved);
}

static void tell_line(OutputCapture *output, const char *line, size_t n)
{
        SpawnCapture *capture = container_of(output, SpawnCapture, output);
        SpawnedCommand *command = capture->command;

        if (command->callbacks.line)
                command->callbacks.line(command, capture->number, line, n, command->userdata);
}

/*
 * Output that is read while its command runs would be lost with this process. So it passes through a memory
 * file of which takt-spawn has a descriptor; splice(2) leaves no moment at which it is neither in the pipe
 * nor there. A command that is over when it is read needs none of this.
 */
static bool capture_save(SpawnCapture *capture)
{
        SpawnedCommand *command = capture->command;
        int r = 0;

        if (!command->kept || capture->output.max_bytes == 0)
                return false;
        if (capture->saved >= 0)
                return true;
        capture->saved = memfd_create("takt-output", MFD_CLOEXEC);
        if (capture->saved < 0 || ftruncate(capture->saved, SPAWN_CAPTURE_HEADER) < 0)
                r = negative_errno();
        if (r >= 0)
                r = spawner_send_captured(command->spawner, command, capture->saved);
        if (r >= 0)
                return true;
        /* It goes on as a command that ends with this process. */
        capture->saved = safe_close(capture->saved);
        spawner_done(command->spawner, command);
        return false;
}

/* As read(2), by way of the memory file. */
static ssize_t capture_splice(SpawnCapture *capture, char *data, size_t size)
{
        off_t at = SPAWN_CAPTURE_HEADER + (off_t)capture->output.kept.len, to = at;
        size_t room = capture->output.max_bytes - capture->output.kept.len;
        ssize_t n;

        if (room > 0) {
                n = splice(capture->fd, NULL, capture->saved, &to, MIN(size, room), SPLICE_F_NONBLOCK);
                return n > 0 ? pread(capture->saved, data, (size_t)n, at) : n;
        }
        n = read(capture->fd, data, size);
        if (n > 0) {
                uint64_t dropped = capture->output.dropped + (uint64_t)n;

                (void)!pwrite(capture->saved, &dropped, sizeof(dropped), 0);
        }
        return n;
}

/* What was read in a process before this one. */
static int capture_restore(SpawnCapture *capture)
{
        struct stat st;
        size_t n;

        if (fstat(capture->saved, &st) < 0)
                return negative_errno();
        if (st.st_size < SPAWN_CAPTURE_HEADER || pread(capture->saved, &capture->output.dropped, sizeof(uint64_t), 0) != sizeof(uint64_t))
                return -EBADMSG;
        n = MIN((size_t)(st.st_size - SPAWN_CAPTURE_HEADER), capture->output.max_bytes);
        if (n == 0)
                return 0;
        if (buffer_reserve(&capture->output.kept, n) < 0)
                return -ENOMEM;
        if (pread(capture->saved, capture->output.kept.data, n, SPAWN_CAPTURE_HEADER) != (ssize_t)n)
                return -EBADMSG;
        capture->output.kept.len = n;
        return 0;
}

/* 1: there may be more, 0: not now, -EPIPE: the end. */
static int capture_read(SpawnCapture *capture)
{
        Spawner *spawner = capture->command->spawner;
        ssize_t n;

        if (capture->fd < 0)
                return -EPIPE;
        if (capture->command->state == SPAWN_STATE_SENT && capture_save(capture))
                n = capture_splice(capture, spawner->scratch, sizeof(spawner->scratch));
        else
                n = read(capture->fd, spawner->scratch, sizeof(spawner->scratch));
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n <= 0) {
                capture_close(capture);
                output_capture_end(&capture->output);
                return -EPIPE;
        }
        output_capture_take(&capture->output, spawner->scratch, (size_t)n);
        return 1;
}

static void finish_if_drained(SpawnedCommand *command);

static void on_output(_unused_ IoSource *source, _unused_ int fd, _unused_ unsigned events, void *userdata)
{
        SpawnCapture *capture = userdata;
        SpawnedCommand *command = capture->command;

        command->n_ref++;
        if (capture_read(capture) == -EPIPE)
                finish_if_drained(command);
        command_unref(command);
}

/*
 * Has the loop read what comes. That begins when the start is told, a few milliseconds after it: what
 * commands that are over by then have printed lies in their pipes, and the loop never wakes for it.
 */
static void capture_watch(SpawnCapture *capture)
{
        if (capture->fd >= 0 && !capture->io &&
            io_source_new(capture->command->spawner->loop, capture->fd, IO_READ, on_output, capture, &capture->io) < 0)
                capture_close(capture);
}

static int capture_init(SpawnCapture *capture, const SpawnOutput *output, int *ret_write_end)
{
        int fds[2];

        if (output->mode != SPAWN_CAPTURE)
                return 0;
        capture->wanted = true;
        capture->output.max_bytes = output->max_bytes;
        if (pipe2(fds, O_CLOEXEC) < 0)
                return negative_errno();
        capture->fd = fds[0];
        *ret_write_end = fds[1];
        return fcntl(capture->fd, F_SETFL, O_NONBLOCK) < 0 ? negative_errno() : 0;
}

/* --- end --- */

static void command_unref(SpawnedCommand *command)
{
        if (--command->n_ref > 0)
                return;
        for (size_t i = 0; i < ARRAY_SIZE(command->captures); i++) {
                output_capture_deinit(&command->captures[i].output);
        }
        free(command);
}

/* Lets go of all that the loop and the spawner know of the command. */
static void detach(SpawnedCommand *command)
{
        Spawner *spawner = command->spawner;

        for (size_t i = 0; i < ARRAY_SIZE(command->captures); i++)
                capture_close(&command->captures[i]);
        spawn_envelope_deinit(&command->envelope);
        command->callbacks = (SpawnCallbacks){};
        if (!spawner)
                return;
        timer_disarm(loop_timers(spawner->loop), &command->drain);
        deferred_cancel(spawner->loop, &command->finish);
        command->spawner = NULL;
}

void spawned_command_orphan(SpawnedCommand *command)
{
        command->state = SPAWN_STATE_OVER;
        detach(command);
}

static void finish(SpawnedCommand *command)
{
        if (command->state == SPAWN_STATE_OVER)
                return;
        command->state = SPAWN_STATE_OVER;
        command->n_ref++;
        for (size_t i = 0; i < ARRAY_SIZE(command->captures); i++) {
                SpawnCapture *capture = &command->captures[i];

                capture_close(capture);
                output_capture_end(&capture->output);
        }
        if (command->spawner) {
                timer_disarm(loop_timers(command->spawner->loop), &command->drain);
                spawner_release(command->spawner, command);
        }
        if (command->callbacks.exited)
                command->callbacks.exited(command, &command->exit, command->userdata);
        command_unref(command);
}

static bool is_drained(const SpawnedCommand *command)
{
        return command->captures[0].fd < 0 && command->captures[1].fd < 0;
}

static void finish_if_drained(SpawnedCommand *command)
{
        if (command->state == SPAWN_STATE_EXITED && is_drained(command))
                finish(command);
}

static void on_drain_over(Timer *timer, _unused_ usec_t now)
{
        SpawnedCommand *command = container_of(timer, SpawnedCommand, drain);

        command->exit.truncated = true;
        finish(command);
}

static void watch_output(SpawnedCommand *command)
{
        for (size_t i = 0; i < ARRAY_SIZE(command->captures); i++)
                capture_watch(&command->captures[i]);
}

static void read_what_is_there(SpawnedCommand *command)
{
        for (size_t i = 0; i < ARRAY_SIZE(command->captures); i++)
                for (unsigned n = 0; n < READS_AT_EXIT && command->spawner; n++)
                        if (capture_read(&command->captures[i]) <= 0)
                                break;
}

static void on_finish(Deferred *deferred)
{
        SpawnedCommand *command = container_of(deferred, SpawnedCommand, finish);

        command->n_ref++;
        read_what_is_there(command);
        finish(command);
        command_unref(command);
}

static void wait_for_output(SpawnedCommand *command)
{
        watch_output(command);
        if (timer_arm_after(loop_timers(command->spawner->loop), &command->drain, SPAWNER_DRAIN_USEC) < 0)
                on_drain_over(&command->drain, 0);
}

void spawned_command_on_started(SpawnedCommand *command, pid_t pid, bool exited)
{
        if (command->pid > 0)
                return;
        command->pid = pid;
        command->n_ref++;
        if (!exited)
                watch_output(command);
        if (command->callbacks.started)
                command->callbacks.started(command, pid, command->userdata);
        command_unref(command);
}

void spawned_command_on_exited(SpawnedCommand *command, const SpawnExit *exit)
{
        command->exit = *exit;
        command->state = SPAWN_STATE_EXITED;
        command->n_ref++;
        read_what_is_there(command);
        if (!command->spawner)
                ; /* freed by a line callback */
        else if (is_drained(command))
                finish(command);
        else
                wait_for_output(command);
        command_unref(command);
}

void spawned_command_fail(SpawnedCommand *command, int error, const char *stage)
{
        if (command->state >= SPAWN_STATE_EXITED)
                return;
        command->exit = (SpawnExit){ .error = error, .stage = stage };
        command->state = SPAWN_STATE_EXITED;
        spawn_envelope_deinit(&command->envelope);
        loop_defer(command->spawner->loop, &command->finish);
}

/* --- for the owner --- */

static void init(SpawnedCommand *command, Spawner *spawner, const SpawnCallbacks *callbacks, void *userdata)
{
        command->spawner = spawner;
        command->n_ref = 1;
        command->slot = SPAWN_MAX_SLOTS;
        command->drain.callback = on_drain_over;
        command->finish.callback = on_finish;
        command->callbacks = *callbacks;
        command->userdata = userdata;
        list_init(&command->commands);
        list_init(&command->waiting);
        for (int i = 0; i < 2; i++)
                command->captures[i] = (SpawnCapture){
                        .command = command, .number = i + 1, .fd = -1, .saved = -1, .output.tell_line = callbacks->line ? tell_line : NULL,
                };
}

int spawned_command_resume(Spawner *spawner, const SpawnReport *report, const SpawnExit *exit, int ends[static 2], int *captured,
                           const size_t max_bytes[static 2], const SpawnCallbacks *callbacks, void *userdata, SpawnedCommand **ret)
{
        _cleanup_(spawned_command_freep) SpawnedCommand *command = new0(SpawnedCommand, 1);
        bool uses_slot = !exit || (report->flags & SPAWN_GROUP_LEFT);
        int r = 0;

        if (!command)
                return -ENOMEM;
        init(command, spawner, callbacks, userdata);
        command->captures[0].saved = TAKE_FD(*captured);
        for (int i = 0; i < 2 && r >= 0; i++) {
                SpawnCapture *capture = &command->captures[i];

                capture->wanted = ends[i] >= 0;
                capture->output.max_bytes = max_bytes[i];
                capture->fd = TAKE_FD(ends[i]);
                if (capture->saved >= 0)
                        r = capture_restore(capture);
        }
        if (r >= 0 && uses_slot)
                r = spawner_claim(spawner, report->slot, report->serial, report->pid, command);
        if (r < 0)
                return r;
        command->slot = uses_slot ? report->slot : SPAWN_MAX_SLOTS;
        command->kept = true;
        command->name = (SpawnName){ report->slot, report->serial };
        command->state = SPAWN_STATE_SENT;
        command->stopping = report->flags & SPAWN_HELD_STOPPING;
        command->pid = report->pid;
        list_append(&spawner->commands, &command->commands);
        spawner->status.n_commands++;
        if (exit) {
                command->exit = *exit;
                command->state = SPAWN_STATE_EXITED;
                loop_defer(spawner->loop, &command->finish);
        } else {
                watch_output(command);
        }
        *ret = TAKE_PTR(command);
        return 0;
}

int spawned_command_new(Spawner *spawner, const SpawnRequest *request, const SpawnCallbacks *callbacks, void *userdata,
                        SpawnedCommand **ret, SpawnEnvelope *ret_envelope)
{
        _cleanup_(spawned_command_freep) SpawnedCommand *command = new0(SpawnedCommand, 1);
        const SpawnOutput *outputs[] = { &request->output, &request->error_output };
        int write_ends[2] = { -1, -1 }, ends[2], r = 0;

        if (!command)
                return -ENOMEM;
        init(command, spawner, callbacks, userdata);
        for (int i = 0; i < 2 && r >= 0; i++)
                r = capture_init(&command->captures[i], outputs[i], &write_ends[i]);
        for (int i = 0; i < 2; i++)
                ends[i] = command->captures[i].fd;
        if (r >= 0)
                r = spawn_envelope_init(ret_envelope, request, &spawner->descriptors, write_ends,
                                        spawner->connected ? ends : NULL);
        safe_close(write_ends[0]);
        safe_close(write_ends[1]);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(command);
        return 0;
}

SpawnedCommand *spawned_command_free(SpawnedCommand *command)
{
        if (!command)
                return NULL;
        if (command->spawner && command->state == SPAWN_STATE_SENT)
                spawned_command_stop(command);
        if (command->spawner)
                spawner_release(command->spawner, command);
        command->state = SPAWN_STATE_OVER;
        detach(command);
        command_unref(command);
        return NULL;
}

pid_t spawned_command_pid(const SpawnedCommand *command)
{
        return command->pid;
}

int spawned_command_kill(SpawnedCommand *command, int signo)
{
        if (signo < 1 || signo >= NSIG)
                return -EINVAL;
        if (!command->spawner || command->state != SPAWN_STATE_SENT)
                return -ESRCH;
        return spawner_control(command->spawner, command->slot, SPAWN_SIGNAL, signo);
}

void spawned_command_stop(SpawnedCommand *command)
{
        if (!command->spawner || command->stopping)
                return;
        command->stopping = true;
        if (command->state == SPAWN_STATE_WAITING) {
                spawner_unwait(command->spawner, command);
                spawned_command_fail(command, -ECANCELED, spawn_stage_to_string(SPAWN_STAGE_REQUEST));
        }
        if (command->state == SPAWN_STATE_SENT)
                spawner_stop(command->spawner, command->slot);
}

Buffer *spawned_command_output(SpawnedCommand *command, int fd)
{
        if (fd < 1 || fd > 2 || !command->captures[fd - 1].wanted)
                return NULL;
        return &command->captures[fd - 1].output.kept;
}

uint64_t spawned_command_dropped(const SpawnedCommand *command, int fd)
{
        return fd < 1 || fd > 2 ? 0 : command->captures[fd - 1].output.dropped;
}
