/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process of a pool, from its start to its end. One that is to end leaves the pool's lists at once
 * and is waited for in a list of its own; those behind its first call are back at the head of the queue by then.
 */
#include "process/pool-internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"

#define READ_CHUNK 65536U
/* What a pipe holds at most, 1 MiB, and more. */
#define READS_AT_EXIT 20U

static bool is_worn_out(const PoolProcess *process)
{
        uint64_t max = process->pool->config.max_requests;

        return max > 0 && process->n_requests >= max;
}

/* Puts the process into the list of those like it. */
static void process_file(PoolProcess *process)
{
        Pool *pool = process->pool;

        list_unlink(&process->processes);
        if (process->n_calls >= pool->config.max_pipelined || is_worn_out(process))
                list_append(&pool->full, &process->processes);
        else if (process->n_calls > 0)
                list_append(&pool->room, &process->processes);
        else
                list_prepend(&pool->idle, &process->processes);
}

static void process_close_pipes(PoolProcess *process)
{
        deferred_cancel(process->pool->loop, &process->flush);
        process->input_io = io_source_free(process->input_io);
        process->output_io = io_source_free(process->output_io);
        process->input_fd = safe_close(process->input_fd);
        process->output_fd = safe_close(process->output_fd);
}

PoolProcess *pool_process_free(PoolProcess *process)
{
        if (!process)
                return NULL;
        process_close_pipes(process);
        timer_disarm(loop_timers(process->pool->loop), &process->timer);
        spawned_command_free(process->command);
        list_unlink(&process->processes);
        buffer_deinit(&process->input);
        buffer_deinit(&process->output);
        free(process);
        return NULL;
}
DEFINE_CLEANUP(PoolProcess *, pool_process_free);

/*
 * Takes the process out of service. Closing its input asks it to exit; STOP does not wait for that.
 * Calls that it holds are dealt with by pool_process_fail(), when it has exited at the latest.
 */
static void process_end(PoolProcess *process, bool stop)
{
        Pool *pool = process->pool;

        if (!process->ending) {
                process->ending = true;
                pool->n_processes--;
                pool->n_ending++;
                list_unlink(&process->processes);
                list_append(&pool->ending, &process->processes);
        }
        process_close_pipes(process);
        if (stop || timer_arm_after(loop_timers(pool->loop), &process->timer, POOL_EXIT_USEC) < 0)
                spawned_command_stop(process->command);
        loop_defer(pool->loop, &pool->dispatch);
}

void pool_process_fail(PoolProcess *process, int error)
{
        Pool *pool = process->pool;
        PoolCall *call, *first = list_first(&process->calls, PoolCall, siblings);

        while ((call = list_last(&process->calls, PoolCall, siblings)) && call != first) {
                list_unlink(&call->siblings);
                if (call->told) {
                        pool_call_finish(call, 0, NULL, 0);
                        continue;
                }
                call->process = NULL;
                list_prepend(&pool->queue, &call->siblings);
                pool->status.n_queued++;
        }
        process->n_calls = 0;
        process->asked = true;
        process_end(process, true);
        process->error = process->error ?: error;
        if (first && (process->exited || !pool->config.answer_after_exit))
                pool_call_finish(first, process->error, NULL, 0);
}

void pool_process_close(PoolProcess *process)
{
        process->asked = true;
        process_end(process, false);
}

static void on_process_timer(Timer *timer, _unused_ usec_t now)
{
        PoolProcess *process = container_of(timer, PoolProcess, timer);

        if (process->ending)
                spawned_command_stop(process->command);
        else if (process->n_calls == 0)
                pool_process_close(process);
}

static void process_is_free(PoolProcess *process)
{
        Pool *pool = process->pool;

        if (is_worn_out(process)) {
                pool->status.n_recycled++;
                pool_process_close(process);
        } else if (pool->config.idle > 0 && pool->n_processes > pool->config.min_processes)
                (void)timer_arm_after(loop_timers(pool->loop), &process->timer, pool->config.idle);
}

/* Whether the line is the answer to CALL, which may be NULL; a process that says anything else can't be trusted any more. */
static bool answer_is_good(PoolProcess *process, PoolCall *call, const char *line, size_t n)
{
        Pool *pool = process->pool;

        if (!call) {
                pool->status.n_unasked++;
                pool_process_fail(process, -EPIPE);
                return false;
        }
        if (call->told) {
                pool->status.n_late++;
                return true;
        }
        if (!pool->config.check || pool->config.check(call, line, n, pool->config.userdata) >= 0)
                return true;
        pool->status.n_wrong++;
        pool_process_fail(process, -EBADMSG);
        return false;
}

static void process_answered(PoolProcess *process, const char *line, size_t n)
{
        Pool *pool = process->pool;
        PoolCall *call = list_first(&process->calls, PoolCall, siblings), *next;

        if (!answer_is_good(process, call, line, n))
                return;
        list_unlink(&call->siblings);
        process->n_calls--;
        process->answered = true;
        pool->backoff = 0;
        pool->status.n_answers++;
        process_file(process);
        next = list_first(&process->calls, PoolCall, siblings);
        if (!next)
                process_is_free(process);
        else if (next->told && next->patience != USEC_INFINITY)
                /* Nobody waits for it, but a process that hangs in it has to be found out. */
                (void)timer_arm_after(loop_timers(pool->loop), &next->timeout, next->patience);
        loop_defer(pool->loop, &pool->dispatch);
        pool_call_finish(call, 0, line, n);
}

/* Lines out of N new bytes; an answer may end the process. */
static void take_output(PoolProcess *process, const char *data, size_t n)
{
        while (n > 0 && !process->ending) {
                const char *newline = memchr(data, '\n', n);
                size_t length = newline ? (size_t)(newline - data) : n;

                if (process->output.len + length > process->pool->config.max_answer) {
                        process->pool->status.n_too_long++;
                        pool_process_fail(process, -EMSGSIZE);
                        return;
                }
                if (!newline || process->output.len > 0) {
                        if (buffer_append(&process->output, data, length) < 0) {
                                pool_process_fail(process, -ENOMEM);
                                return;
                        }
                }
                if (!newline)
                        return;
                if (process->output.len > 0) {
                        _cleanup_buffer_ Buffer line = process->output;

                        process->output = BUFFER_NULL;
                        process_answered(process, line.data, line.len);
                } else
                        process_answered(process, data, length);
                data += length + 1;
                n -= length + 1;
        }
}

/* 1: there may be more, 0: not now, -EPIPE: it won't say more. */
static int read_output(PoolProcess *process)
{
        char chunk[READ_CHUNK];
        ssize_t n;

        if (process->output_fd < 0)
                return -EPIPE;
        n = read(process->output_fd, chunk, sizeof(chunk));
        if (n > 0)
                take_output(process, chunk, (size_t)n);
        else if (n == 0 || (errno != EAGAIN && errno != EINTR))
                return -EPIPE;
        return n > 0;
}

void pool_back_off(Pool *pool)
{
        pool->backoff = MIN(MAX(2 * pool->backoff, POOL_RESTART_MIN_USEC), POOL_RESTART_MAX_USEC);
        (void)timer_arm_after(loop_timers(pool->loop), &pool->restart, pool->backoff);
}

/* The process has gone, or closed a pipe, by itself. What it had said before that still counts. */
static void process_gone(PoolProcess *process)
{
        Pool *pool = process->pool;

        /* Not for ever: another process that holds the pipe may flood it. */
        for (unsigned i = 0; i < READS_AT_EXIT && read_output(process) > 0; i++)
                ;
        if (process->asked || process->dead)
                return;
        process->dead = true;
        pool->status.n_deaths++;
        pool->status.n_partial += process->output.len > 0;
        if (!process->answered && !timer_is_armed(&pool->restart))
                pool_back_off(pool);
        process_end(process, true);
}

static void on_output(_unused_ IoSource *source, _unused_ int fd, _unused_ unsigned events, void *userdata)
{
        PoolProcess *process = userdata;

        if (read_output(process) == -EPIPE)
                process_gone(process);
}

static void write_input(PoolProcess *process)
{
        Buffer *input = &process->input;

        if (input->len > 0) {
                ssize_t n = write(process->input_fd, input->data + process->written, input->len - process->written);

                if (n < 0 && errno != EAGAIN && errno != EINTR) {
                        process_gone(process);
                        return;
                }
                if (n > 0)
                        process->written += (size_t)n;
                /* What is left of a long line stays where it is: moving it up for each piece would cost its length squared. */
                if (process->written == input->len || process->written > input->len / 2) {
                        buffer_consume(input, process->written);
                        process->written = 0;
                }
        }
        (void)io_source_set_events(process->input_io, input->len > 0 ? IO_WRITE : 0);
}

static void on_input(_unused_ IoSource *source, _unused_ int fd, _unused_ unsigned events, void *userdata)
{
        write_input(userdata);
}

static void on_flush(Deferred *deferred)
{
        write_input(container_of(deferred, PoolProcess, flush));
}

static void on_line(SpawnedCommand *command, _unused_ int fd, const char *line, size_t n, void *userdata)
{
        PoolProcess *process = userdata;
        const PoolConfig *config = &process->pool->config;
        PoolCall *call = list_first(&process->calls, PoolCall, siblings);

        if (config->line)
                config->line(call && !call->told ? call : NULL, spawned_command_pid(command), line, n, config->userdata);
}

static void on_exited(_unused_ SpawnedCommand *command, const SpawnExit *exit, void *userdata)
{
        PoolProcess *process = userdata;
        Pool *pool = process->pool;
        /* It never ran, and the next one won't either: its callers should know why. */
        int error = exit->error < 0 && exit->error != -EOWNERDEAD ? exit->error : -EPIPE;

        process->exited = true;
        process_gone(process);
        pool_process_fail(process, error);
        pool->n_ending--;
        pool_process_free(process);
        loop_defer(pool->loop, &pool->dispatch);
        if (error != -EPIPE && pool->n_processes == 0)
                pool_fail_queue(pool, error);
}

/* The environment of all with the mark of this one; what is to be freed is the array alone. */
static char **marked_environment(PoolProcess *process)
{
        static uint64_t n_marks;
        char *const *common = process->pool->config.command.environment;
        char **marked;
        size_t n = 0;

        (void)snprintf(process->mark, sizeof(process->mark), SPAWN_MARK_PROCESS "=%d.%llu", getpid(), (unsigned long long)++n_marks);
        while (common && common[n])
                n++;
        marked = new0(char *, n + 2);
        if (!marked)
                return NULL;
        if (n > 0)
                memcpy(marked, common, n * sizeof(*marked));
        marked[n] = process->mark;
        return marked;
}

static int process_spawn(PoolProcess *process, int input, int output)
{
        static const SpawnCallbacks callbacks = { .line = on_line, .exited = on_exited };
        _cleanup_free_ char **environment = marked_environment(process);
        SpawnRequest request = process->pool->config.command;

        if (!environment)
                return -ENOMEM;
        request.environment = environment;
        request.mark = process->mark;
        request.input = (SpawnInput){ .mode = SPAWN_FD, .fd = input };
        request.output = (SpawnOutput){ .mode = SPAWN_FD, .fd = output };
        return spawner_start(process->pool->spawner, &request, &callbacks, process, &process->command);
}

int pool_process_new(Pool *pool)
{
        _cleanup_(pool_process_freep) PoolProcess *process = new0(PoolProcess, 1);
        _cleanup_close_ int input = -1, output = -1;
        int fds[2], r;

        if (!process)
                return -ENOMEM;
        process->pool = pool;
        process->input_fd = process->output_fd = -1;
        process->flush.callback = on_flush;
        process->timer.callback = on_process_timer;
        list_init(&process->processes);
        list_init(&process->calls);
        if (pipe2(fds, O_CLOEXEC) < 0)
                return negative_errno();
        input = fds[0];
        process->input_fd = fds[1];
        if (pipe2(fds, O_CLOEXEC) < 0)
                return negative_errno();
        process->output_fd = fds[0];
        output = fds[1];
        if (fcntl(process->input_fd, F_SETFL, O_NONBLOCK) < 0 || fcntl(process->output_fd, F_SETFL, O_NONBLOCK) < 0)
                return negative_errno();
        r = io_source_new(pool->loop, process->input_fd, 0, on_input, process, &process->input_io);
        if (r >= 0)
                r = io_source_new(pool->loop, process->output_fd, IO_READ, on_output, process, &process->output_io);
        if (r >= 0)
                r = process_spawn(process, input, output);
        if (r < 0)
                return r;
        pool->n_processes++;
        pool->status.n_started++;
        process_file(TAKE_PTR(process));
        return 0;
}

int pool_process_ask(PoolProcess *process, PoolCall *call)
{
        size_t before = process->input.len;
        int r;

        r = buffer_append(&process->input, call->line, call->n);
        if (r >= 0)
                r = buffer_append_char(&process->input, '\n');
        if (r < 0) {
                process->input.len = before;
                return r;
        }
        timer_disarm(loop_timers(process->pool->loop), &process->timer);
        list_unlink(&call->siblings);
        list_append(&process->calls, &call->siblings);
        call->process = process;
        process->n_calls++;
        process->n_requests++;
        process_file(process);
        loop_defer(process->pool->loop, &process->flush);
        return 0;
}
