/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One command as its owner sees it. It is over when two things have happened, in either order: the
 * helper has reaped the process, and all captured output was read to its end. The second may never
 * come, as a process that the command left behind can hold the pipe; so it is waited for a while only.
 */
#include <fcntl.h>
#include <signal.h>
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
}

static void tell_line(SpawnCapture *capture, const char *line, size_t n)
{
        SpawnedCommand *command = capture->command;

        if (command->callbacks.line)
                command->callbacks.line(command, capture->number, line, n, command->userdata);
}

/* Adds to the line that has begun; where there is no memory for it, the piece is told as a line. */
static void begin_line(SpawnCapture *capture, const char *data, size_t n)
{
        if (n > 0 && buffer_append(&capture->line, data, n) < 0)
                tell_line(capture, data, n);
}

static void end_line(SpawnCapture *capture, const char *data, size_t n)
{
        if (capture->line.len == 0) {
                tell_line(capture, data, n);
                return;
        }
        begin_line(capture, data, n);
        tell_line(capture, buffer_string(&capture->line), capture->line.len);
        buffer_clear(&capture->line);
}

static void split_lines(SpawnCapture *capture, const char *data, size_t n)
{
        while (n > 0) {
                size_t room = SPAWNER_LINE_MAX - capture->line.len;
                const char *newline = memchr(data, '\n', MIN(n, room + 1));
                size_t length = newline ? (size_t)(newline - data) : MIN(n, room);

                if (newline || length == room)
                        end_line(capture, data, length);
                else
                        begin_line(capture, data, length);
                data += length + (newline ? 1 : 0);
                n -= length + (newline ? 1 : 0);
        }
}

static void take_output(SpawnCapture *capture, const char *data, size_t n)
{
        size_t room = capture->max_bytes - capture->kept.len;
        size_t keep = MIN(n, room);

        if (keep > 0 && buffer_append(&capture->kept, data, keep) < 0) {
                /* What follows a gap is not kept either. */
                capture->max_bytes = capture->kept.len;
                keep = 0;
        }
        capture->dropped += n - keep;
        if (capture->command->callbacks.line)
                split_lines(capture, data, n);
}

/* 1: there may be more, 0: not now, -EPIPE: the end. */
static int capture_read(SpawnCapture *capture)
{
        Spawner *spawner = capture->command->spawner;
        ssize_t n;

        if (capture->fd < 0)
                return -EPIPE;
        n = read(capture->fd, spawner->scratch, sizeof(spawner->scratch));
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n <= 0) {
                capture_close(capture);
                if (capture->line.len > 0)
                        end_line(capture, NULL, 0);
                return -EPIPE;
        }
        take_output(capture, spawner->scratch, (size_t)n);
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
        if (capture->fd >= 0 && io_source_set_events(capture->io, IO_READ) < 0)
                capture_close(capture);
}

static int capture_init(SpawnCapture *capture, const SpawnOutput *output, int *ret_write_end)
{
        Loop *loop = capture->command->spawner->loop;
        int fds[2];

        if (output->mode != SPAWN_CAPTURE)
                return 0;
        capture->wanted = true;
        capture->max_bytes = output->max_bytes;
        if (pipe2(fds, O_CLOEXEC) < 0)
                return negative_errno();
        capture->fd = fds[0];
        *ret_write_end = fds[1];
        if (fcntl(capture->fd, F_SETFL, O_NONBLOCK) < 0)
                return negative_errno();
        return io_source_new(loop, capture->fd, 0, on_output, capture, &capture->io);
}

/* --- end --- */

static void command_unref(SpawnedCommand *command)
{
        if (--command->n_ref > 0)
                return;
        for (size_t i = 0; i < ARRAY_SIZE(command->captures); i++) {
                buffer_deinit(&command->captures[i].kept);
                buffer_deinit(&command->captures[i].line);
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
                if (capture->line.len > 0)
                        end_line(capture, NULL, 0);
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

int spawned_command_new(Spawner *spawner, const SpawnRequest *request, const SpawnCallbacks *callbacks, void *userdata,
                        SpawnedCommand **ret, SpawnEnvelope *ret_envelope)
{
        _cleanup_(spawned_command_freep) SpawnedCommand *command = new0(SpawnedCommand, 1);
        const SpawnOutput *outputs[] = { &request->output, &request->error_output };
        int write_ends[2] = { -1, -1 }, r = 0;

        if (!command)
                return -ENOMEM;
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
                command->captures[i] = (SpawnCapture){ .command = command, .number = i + 1, .fd = -1 };
        for (int i = 0; i < 2 && r >= 0; i++)
                r = capture_init(&command->captures[i], outputs[i], &write_ends[i]);
        if (r >= 0)
                r = spawn_envelope_init(ret_envelope, request, &spawner->descriptors, write_ends);
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
        return &command->captures[fd - 1].kept;
}

uint64_t spawned_command_dropped(const SpawnedCommand *command, int fd)
{
        return fd < 1 || fd > 2 ? 0 : command->captures[fd - 1].dropped;
}
