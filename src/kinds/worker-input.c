/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a worker is told: values, errors, signals, the end of its input. */
#include <unistd.h>

#include "base/file.h"
#include "kinds/worker-internal.h"

void worker_input_close(WorkerRun *w)
{
        w->input_io = io_source_free(w->input_io);
        w->input_fd = safe_close(w->input_fd);
        buffer_clear(&w->input);
}

static void write_input(WorkerRun *w)
{
        if (w->input.len > 0) {
                ssize_t n = write(w->input_fd, w->input.data, w->input.len);

                if (n < 0 && errno != EAGAIN && errno != EINTR) {
                        worker_input_close(w);
                        return;
                }
                if (n > 0)
                        buffer_consume(&w->input, (size_t)n);
        }
        if (w->input.len == 0 && w->closing)
                worker_input_close(w);
        else
                (void)io_source_set_events(w->input_io, w->input.len > 0 ? IO_WRITE : 0);
}

void worker_on_input(_unused_ IoSource *source, _unused_ int fd, _unused_ unsigned events, void *userdata)
{
        write_input(userdata);
}

static void close_when_written(WorkerRun *w)
{
        w->closing = true;
        if (w->input_fd >= 0)
                write_input(w);
}

static int append_line(Buffer *buffer, const RunMessage *message)
{
        bool is_throw = message->type == RUN_MESSAGE_THROW;
        size_t before = buffer->len;
        int r = is_throw ? buffer_append_string(buffer, "{\"throw\":") : 0;

        if (r >= 0)
                r = buffer_append(buffer, message->text, message->n);
        if (r >= 0)
                r = buffer_append_string(buffer, is_throw ? "}\n" : "\n");
        if (r < 0)
                buffer->len = before;
        return r;
}

/* The process gets N more; where these are its last, its input is closed behind them. */
static void count_requests(Run *run, WorkerRun *w, unsigned n)
{
        const WorkerConfig *config = run_config(run);

        w->n_requests += n;
        w->closing = w->closed || (config->max_requests > 0 && w->n_requests >= config->max_requests);
}

static int send_line(Run *run, WorkerRun *w, const RunMessage *message)
{
        const WorkerConfig *config = run_config(run);
        bool replacing = (w->closing && !w->closed) || environment_fetch_is_under_way(w->fetch);
        int r;

        if (w->closed || w->stopped || (w->input_fd < 0 && !replacing))
                return -EPIPE;
        if (w->input.len + w->pending.len + message->n > config->max_unsent)
                return -ENOBUFS;
        r = append_line(replacing ? &w->pending : &w->input, message);
        if (r < 0)
                return r;
        w->n_sent++;
        w->active_boottime = worker_now(run);
        if (replacing) {
                w->n_pending++;
        } else {
                count_requests(run, w, 1);
                write_input(w);
        }
        return 0;
}

int worker_send(Run *run, const RunMessage *message, size_t *ret_unsent)
{
        WorkerRun *w = run_state(run);
        int r = 0;

        switch (message->type) {
        case RUN_MESSAGE_SEND:
        case RUN_MESSAGE_THROW:
                r = send_line(run, w, message);
                break;
        case RUN_MESSAGE_SIGNAL:
                r = w->command ? spawned_command_kill(w->command, message->signo) : -ESRCH;
                break;
        case RUN_MESSAGE_CLOSE:
                w->closed = true;
                close_when_written(w);
                break;
        }
        if (r < 0)
                return r;
        *ret_unsent = w->input.len + w->pending.len;
        return 0;
}

static void on_idle(Timer *timer, usec_t now)
{
        WorkerRun *w = container_of(timer, WorkerRun, idle);
        Run *run = run_from_state(w);
        const WorkerConfig *config = run_config(run);
        usec_t due = usec_add(w->active_boottime, config->idle);

        if (due > now) {
                (void)timer_arm(run->services->timers, timer, due);
                return;
        }
        w->closed = true;
        close_when_written(w);
}

/* --- for the process --- */

void worker_input_renew(Run *run, WorkerRun *w)
{
        w->n_requests = 0;
        count_requests(run, w, w->n_pending);
        w->n_pending = 0;
        buffer_deinit(&w->input);
        w->input = w->pending;
        w->pending = BUFFER_NULL;
        if (w->input.len > 0 || w->closing)
                write_input(w);
}

void worker_input_init(WorkerRun *w)
{
        w->input_fd = -1;
        w->idle.callback = on_idle;
}

int worker_input_start(Run *run, WorkerRun *w)
{
        const WorkerConfig *config = run_config(run);

        w->active_boottime = worker_now(run);
        if (config->idle == 0 || config->idle == USEC_INFINITY)
                return 0;
        return timer_arm_after(run->services->timers, &w->idle, config->idle);
}

void worker_input_deinit(Run *run, WorkerRun *w)
{
        timer_disarm(run->services->timers, &w->idle);
        buffer_deinit(&w->input);
        buffer_deinit(&w->pending);
}
