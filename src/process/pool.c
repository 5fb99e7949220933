/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process is idle, busy with room for more calls, or full, and in the list of its kind; so the next
 * one for a call is found at once however many there are. The idle one that worked last is taken
 * first, so that the others can grow old and be ended. A new process is preferred to a place behind
 * another call: that one may take long. Calls are written once a turn of the loop, in one piece.
 */
#include "process/pool-internal.h"

/* --- calls --- */

void pool_call_finish(PoolCall *call, int error, const char *answer, size_t n)
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
                pool_call_finish(call, 0, NULL, 0);
        }
        return NULL;
}

PoolCall *pool_call_stop(PoolCall *call)
{
        PoolProcess *process = call ? call->process : NULL;

        if (!process || list_first(&process->calls, PoolCall, siblings) != call)
                return pool_call_free(call);
        call->freed = call->told = true;
        call->pool->status.n_stopped++;
        pool_process_fail(process, -ECANCELED);
        return NULL;
}

void pool_call_cancel(PoolCall *call)
{
        PoolProcess *process = call->process;

        if (!process) {
                call->pool->status.n_queued--;
                pool_call_finish(call, -ECANCELED, NULL, 0);
        } else if (list_first(&process->calls, PoolCall, siblings) == call) {
                call->pool->status.n_stopped++;
                pool_process_fail(process, -ECANCELED);
        } else if (!call->told) {
                /* It was not its turn; the process will answer nobody. */
                call->told = true;
                call->answer(call, -ECANCELED, NULL, 0, call->userdata);
        }
}

pid_t pool_call_pid(const PoolCall *call)
{
        return call->process && call->process->command ? spawned_command_pid(call->process->command) : 0;
}

void *pool_call_userdata(const PoolCall *call)
{
        return call->userdata;
}

void pool_fail_queue(Pool *pool, int error)
{
        PoolCall *call;
        List failing;

        /* What callbacks add to the queue is not part of this. */
        list_init(&failing);
        list_splice(&failing, &pool->queue);
        while ((call = list_first(&failing, PoolCall, siblings))) {
                pool->status.n_queued--;
                pool_call_finish(call, error, NULL, 0);
        }
}

/* --- dispatch --- */

static void start_process(Pool *pool)
{
        pool->start_error = pool_process_new(pool);
        if (pool->start_error < 0)
                pool_back_off(pool);
}

static bool may_start(const Pool *pool)
{
        /* Those that don't end when asked must not add up without limit. */
        return !pool->draining && !timer_is_armed(&pool->restart) && pool->n_processes < pool->config.max_processes &&
                pool->n_processes + pool->n_ending < 2 * pool->config.max_processes;
}

/* A process for the next call, or NULL: it has to wait. */
static PoolProcess *pick_process(Pool *pool)
{
        if (list_is_empty(&pool->idle) && may_start(pool))
                start_process(pool);
        return list_first(&pool->idle, PoolProcess, processes) ?: list_first(&pool->room, PoolProcess, processes);
}

/* Hands calls to processes. Calls nobody back. */
static void assign_calls(Pool *pool)
{
        PoolCall *call;

        while ((call = list_first(&pool->queue, PoolCall, siblings))) {
                PoolProcess *process = pick_process(pool);

                if (!process || pool_process_ask(process, call) < 0)
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
                pool_fail_queue(pool, pool->start_error);
        pool->start_error = 0;
}

static void on_dispatch(Deferred *deferred)
{
        Pool *pool = container_of(deferred, Pool, dispatch);

        pool_dispatch(pool);
        if (pool->draining && pool->n_processes + pool->n_ending == 0)
                pool->drained(pool, pool->drained_userdata);
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
                pool_call_finish(call, -ETIMEDOUT, NULL, 0);
        } else if (list_first(&process->calls, PoolCall, siblings) == call)
                /* It hangs: of all processes this one alone is ended. */
                pool_process_fail(process, -ETIMEDOUT);
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

        if (memchr(line, '\n', n) || pool->draining)
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
                int r = pool_process_new(pool);

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
                pool_call_finish(call, 0, NULL, 0);
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
                        pool_process_free(process);
                }
        }
        forget_calls(&pool->queue);
        timer_disarm(loop_timers(pool->loop), &pool->restart);
        deferred_cancel(pool->loop, &pool->dispatch);
        free(pool);
        return NULL;
}

/* Those in LIST have nobody left who waits for them. */
static void drain_list(List *list)
{
        PoolProcess *process;

        list_foreach(process, list, PoolProcess, processes) {
                if (process->n_calls > 0)
                        pool_process_fail(process, -ECANCELED);
                else
                        pool_process_close(process);
        }
}

void pool_drain(Pool *pool, void (*drained)(Pool *pool, void *userdata), void *userdata)
{
        pool->draining = true;
        pool->drained = drained;
        pool->drained_userdata = userdata;
        pool_fail_queue(pool, -ECANCELED);
        drain_list(&pool->idle);
        drain_list(&pool->room);
        drain_list(&pool->full);
        loop_defer(pool->loop, &pool->dispatch);
}

void pool_get_status(const Pool *pool, PoolStatus *ret)
{
        *ret = pool->status;
        ret->n_processes = pool->n_processes;
        for (const List *l = pool->idle.next; l != &pool->idle; l = l->next)
                ret->n_idle++;
}
