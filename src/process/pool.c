/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process is idle, busy with room for more calls, or full, and in the list of its kind; so the next
 * one for a call is found at once however many there are. The idle one that worked last is taken
 * first, so that the others can grow old and be ended. A new process is preferred to a place behind
 * another call: that one may take long. Calls are written once a turn of the loop, in one piece.
 *
 * A process that is to end leaves these lists at once and is waited for in a list of its own; its
 * first call has failed by then, or never was, and those behind it are back at the head of the queue.
 */
#include "process/pool.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/list.h"

#define READ_CHUNK 65536U
/* What a pipe holds at most, 1 MiB, and more. */
#define READS_AT_EXIT 20U

typedef struct PoolProcess PoolProcess;

/* Lives until its owner has freed it and no process owes it an answer. */
struct PoolCall {
        Pool *pool;           /* NULL: it is over */
        List siblings;        /* in the queue, or in its process */
        PoolProcess *process; /* that owes the answer */
        bool told;            /* the owner has heard of its end */
        bool freed;           /* the owner asks no more */
        usec_t patience;      /* its timeout */
        Timer timeout;
        PoolAnswer answer;
        void *userdata;
        size_t n;
        char line[];
};

struct PoolProcess {
        Pool *pool;
        List processes; /* in one of the pool's lists */
        SpawnedCommand *command;
        int input_fd; /* what it reads */
        int output_fd;
        IoSource *input_io;
        IoSource *output_io;
        List calls; /* oldest first: the order of the answers */
        unsigned n_calls;
        uint64_t n_requests;
        bool answered; /* at least once */
        bool ending;
        bool asked; /* to end, by us */
        bool dead;  /* without having been asked */
        Buffer input;  /* to be written */
        Buffer output; /* a line that has begun */
        Deferred flush;
        Timer timer; /* idle, or ending */
};

struct Pool {
        Loop *loop;
        Spawner *spawner;
        PoolConfig config;
        List idle; /* the one that worked last is first */
        List room;
        List full;
        List ending;
        unsigned n_processes; /* that are not ending */
        unsigned n_ending;
        List queue;
        usec_t backoff;
        Timer restart; /* armed: no process is started before */
        Deferred dispatch;
        int start_error;
        PoolStatus status;
};

/* --- calls --- */

/* The call is over: out of queue and process. Tells its owner, unless that was done. */
static void call_finish(PoolCall *call, int error, const char *answer, size_t n)
{
        Pool *pool = call->pool;

        list_unlink(&call->siblings);
        timer_disarm(loop_timers(pool->loop), &call->timeout);
        pool->status.n_calls--;
        call->process = NULL;
        call->pool = NULL;
        if (call->freed) {
                free(call);
                return;
        }
        if (call->told)
                return;
        call->told = true;
        call->answer(call, error, answer, n, call->userdata);
}

PoolCall *pool_call_free(PoolCall *call)
{
        if (!call)
                return NULL;
        call->freed = call->told = true;
        if (!call->pool)
                free(call);
        else if (!call->process) {
                call->pool->status.n_queued--;
                call_finish(call, 0, NULL, 0);
        }
        return NULL;
}

/* --- processes --- */

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

static void process_close(PoolProcess *process)
{
        deferred_cancel(process->pool->loop, &process->flush);
        process->input_io = io_source_free(process->input_io);
        process->output_io = io_source_free(process->output_io);
        process->input_fd = safe_close(process->input_fd);
        process->output_fd = safe_close(process->output_fd);
}

static PoolProcess *process_free(PoolProcess *process)
{
        if (!process)
                return NULL;
        process_close(process);
        timer_disarm(loop_timers(process->pool->loop), &process->timer);
        spawned_command_free(process->command);
        list_unlink(&process->processes);
        buffer_deinit(&process->input);
        buffer_deinit(&process->output);
        free(process);
        return NULL;
}
DEFINE_CLEANUP(PoolProcess *, process_free);

/*
 * Takes the process out of service. Closing its input asks it to exit; STOP does not wait for that.
 * Calls that it holds are dealt with by process_fail(), when it has exited at the latest.
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
        process_close(process);
        if (stop || timer_arm_after(loop_timers(pool->loop), &process->timer, POOL_EXIT_USEC) < 0)
                spawned_command_stop(process->command);
        loop_defer(pool->loop, &pool->dispatch);
}

/*
 * The process will not answer any more. Its first call, which it had in work, fails; the others go
 * back to the head of the queue in their order.
 */
static void process_fail(PoolProcess *process, int error)
{
        Pool *pool = process->pool;
        PoolCall *call, *first = list_first(&process->calls, PoolCall, siblings);

        while ((call = list_last(&process->calls, PoolCall, siblings)) && call != first) {
                list_unlink(&call->siblings);
                if (call->told) {
                        call_finish(call, 0, NULL, 0);
                        continue;
                }
                call->process = NULL;
                list_prepend(&pool->queue, &call->siblings);
                pool->status.n_queued++;
        }
        process->n_calls = 0;
        process->asked = true;
        process_end(process, true);
        if (first)
                call_finish(first, error, NULL, 0);
}

static void on_process_timer(Timer *timer, _unused_ usec_t now)
{
        PoolProcess *process = container_of(timer, PoolProcess, timer);

        if (process->ending)
                spawned_command_stop(process->command);
        else if (process->n_calls == 0) {
                process->asked = true;
                process_end(process, false);
        }
}

static void process_is_free(PoolProcess *process)
{
        Pool *pool = process->pool;

        if (is_worn_out(process)) {
                pool->status.n_recycled++;
                process->asked = true;
                process_end(process, false);
        } else if (pool->config.idle > 0 && pool->n_processes > pool->config.min_processes)
                (void)timer_arm_after(loop_timers(pool->loop), &process->timer, pool->config.idle);
}

static void process_answered(PoolProcess *process, const char *line, size_t n)
{
        Pool *pool = process->pool;
        PoolCall *call = list_first(&process->calls, PoolCall, siblings), *next;

        if (!call) {
                pool->status.n_unasked++;
                process_fail(process, -EPIPE);
                return;
        }
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
        call_finish(call, 0, line, n);
}

/* Lines out of N new bytes; an answer may end the process. */
static void take_output(PoolProcess *process, const char *data, size_t n)
{
        while (n > 0 && !process->ending) {
                const char *newline = memchr(data, '\n', n);
                size_t length = newline ? (size_t)(newline - data) : n;

                if (process->output.len + length > process->pool->config.max_answer) {
                        process_fail(process, -EMSGSIZE);
                        return;
                }
                if (!newline || process->output.len > 0) {
                        if (buffer_append(&process->output, data, length) < 0) {
                                process_fail(process, -ENOMEM);
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

/* Nothing is started for a while where processes die, or can't be started, without ever having been of use. */
static void back_off(Pool *pool)
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
        if (!process->answered && !timer_is_armed(&pool->restart))
                back_off(pool);
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
        if (process->input.len > 0) {
                ssize_t n = write(process->input_fd, process->input.data, process->input.len);

                if (n < 0 && errno != EAGAIN && errno != EINTR) {
                        process_gone(process);
                        return;
                }
                if (n > 0)
                        buffer_consume(&process->input, (size_t)n);
        }
        (void)io_source_set_events(process->input_io, process->input.len > 0 ? IO_WRITE : 0);
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

        if (config->line)
                config->line(spawned_command_pid(command), line, n, config->userdata);
}

static void fail_queue(Pool *pool, int error)
{
        PoolCall *call;
        List failing;

        /* What callbacks add to the queue is not part of this. */
        list_init(&failing);
        list_splice(&failing, &pool->queue);
        pool->status.n_queued = 0;
        while ((call = list_first(&failing, PoolCall, siblings)))
                call_finish(call, error, NULL, 0);
}

static void on_exited(_unused_ SpawnedCommand *command, const SpawnExit *exit, void *userdata)
{
        PoolProcess *process = userdata;
        Pool *pool = process->pool;
        /* It never ran, and the next one won't either: its callers should know why. */
        int error = exit->error < 0 && exit->error != -EOWNERDEAD ? exit->error : -EPIPE;

        process_gone(process);
        process_fail(process, error);
        pool->n_ending--;
        process_free(process);
        if (error != -EPIPE && pool->n_processes == 0)
                fail_queue(pool, error);
}

static int process_spawn(PoolProcess *process, int input, int output)
{
        static const SpawnCallbacks callbacks = { .line = on_line, .exited = on_exited };
        SpawnRequest request = process->pool->config.command;

        request.input = (SpawnInput){ .mode = SPAWN_FD, .fd = input };
        request.output = (SpawnOutput){ .mode = SPAWN_FD, .fd = output };
        return spawner_start(process->pool->spawner, &request, &callbacks, process, &process->command);
}

static int process_new(Pool *pool)
{
        _cleanup_(process_freep) PoolProcess *process = new0(PoolProcess, 1);
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

/* --- dispatch --- */

static void start_process(Pool *pool)
{
        pool->start_error = process_new(pool);
        if (pool->start_error < 0)
                back_off(pool);
}

static bool may_start(const Pool *pool)
{
        /* Those that don't end when asked must not add up without limit. */
        return !timer_is_armed(&pool->restart) && pool->n_processes < pool->config.max_processes &&
                pool->n_processes + pool->n_ending < 2 * pool->config.max_processes;
}

/* A process for the next call, or NULL: it has to wait. */
static PoolProcess *pick_process(Pool *pool)
{
        if (list_is_empty(&pool->idle) && may_start(pool))
                start_process(pool);
        return list_first(&pool->idle, PoolProcess, processes) ?: list_first(&pool->room, PoolProcess, processes);
}

static int process_ask(PoolProcess *process, PoolCall *call)
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

/* Hands calls to processes. Calls nobody back. */
static void assign_calls(Pool *pool)
{
        PoolCall *call;

        while ((call = list_first(&pool->queue, PoolCall, siblings))) {
                PoolProcess *process = pick_process(pool);

                if (!process || process_ask(process, call) < 0)
                        return;
                pool->status.n_queued--;
        }
}

static void pool_dispatch(Pool *pool)
{
        assign_calls(pool);
        while (pool->n_processes < pool->config.min_processes && may_start(pool))
                start_process(pool);
        if (pool->start_error < 0 && pool->n_processes == 0)
                fail_queue(pool, pool->start_error);
        pool->start_error = 0;
}

static void on_dispatch(Deferred *deferred)
{
        pool_dispatch(container_of(deferred, Pool, dispatch));
}

static void on_restart(Timer *timer, _unused_ usec_t now)
{
        pool_dispatch(container_of(timer, Pool, restart));
}

static void on_timeout(Timer *timer, _unused_ usec_t now)
{
        PoolCall *call = container_of(timer, PoolCall, timeout);
        PoolProcess *process = call->process;

        call->pool->status.n_timeouts++;
        if (!process) {
                call->pool->status.n_queued--;
                call_finish(call, -ETIMEDOUT, NULL, 0);
        } else if (list_first(&process->calls, PoolCall, siblings) == call)
                /* It hangs: of all processes this one alone is ended. */
                process_fail(process, -ETIMEDOUT);
        else if (!call->told) {
                /* It was not its turn; the process, which isn't at fault, will answer nobody. */
                call->told = true;
                call->answer(call, -ETIMEDOUT, NULL, 0, call->userdata);
        }
}

/* --- for the owner --- */

int pool_call(Pool *pool, const char *line, size_t n, usec_t timeout, PoolAnswer answer, void *userdata, PoolCall **ret)
{
        PoolCall *call;

        if (memchr(line, '\n', n))
                return -EINVAL;
        call = calloc(1, sizeof(PoolCall) + n);
        if (!call)
                return -ENOMEM;
        call->answer = answer;
        call->userdata = userdata;
        call->patience = timeout;
        call->timeout.callback = on_timeout;
        call->n = n;
        memcpy(call->line, line, n);
        if (timeout != USEC_INFINITY && timer_arm_after(loop_timers(pool->loop), &call->timeout, timeout) < 0) {
                free(call);
                return -ENOMEM;
        }
        call->pool = pool;
        list_append(&pool->queue, &call->siblings);
        pool->status.n_calls++;
        pool->status.n_queued++;

        assign_calls(pool);
        if (!call->process && pool->status.n_queued > pool->config.max_queued) {
                (void)pool_call_free(call);
                return -EAGAIN;
        }
        if (pool->start_error < 0)
                loop_defer(pool->loop, &pool->dispatch);
        *ret = call;
        return 0;
}

int pool_new(Loop *loop, Spawner *spawner, const PoolConfig *config, Pool **ret)
{
        _cleanup_(pool_freep) Pool *pool = NULL;

        if (config->max_processes < 1 || config->max_processes > POOL_MAX_PROCESSES ||
            config->min_processes > config->max_processes || config->max_answer < 1)
                return -EINVAL;
        pool = new0(Pool, 1);
        if (!pool)
                return -ENOMEM;
        pool->loop = loop;
        pool->spawner = spawner;
        pool->config = *config;
        pool->config.max_pipelined = MAX(config->max_pipelined, 1U);
        pool->dispatch.callback = on_dispatch;
        pool->restart.callback = on_restart;
        list_init(&pool->idle);
        list_init(&pool->room);
        list_init(&pool->full);
        list_init(&pool->ending);
        list_init(&pool->queue);
        while (pool->n_processes < config->min_processes) {
                int r = process_new(pool);

                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(pool);
        return 0;
}

static void forget_calls(List *calls)
{
        PoolCall *call;

        while ((call = list_first(calls, PoolCall, siblings))) {
                /* Its owner still holds it, and hears nothing. */
                call->told = true;
                call_finish(call, 0, NULL, 0);
        }
}

Pool *pool_free(Pool *pool)
{
        List *lists[4];

        if (!pool)
                return NULL;
        lists[0] = &pool->idle;
        lists[1] = &pool->room;
        lists[2] = &pool->full;
        lists[3] = &pool->ending;
        for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
                PoolProcess *process;

                while ((process = list_first(lists[i], PoolProcess, processes))) {
                        forget_calls(&process->calls);
                        process_free(process);
                }
        }
        forget_calls(&pool->queue);
        timer_disarm(loop_timers(pool->loop), &pool->restart);
        deferred_cancel(pool->loop, &pool->dispatch);
        free(pool);
        return NULL;
}

void pool_get_status(const Pool *pool, PoolStatus *ret)
{
        *ret = pool->status;
        ret->n_processes = pool->n_processes;
        for (const List *l = pool->idle.next; l != &pool->idle; l = l->next)
                ret->n_idle++;
}
