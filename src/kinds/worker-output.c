/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a worker says: lines that are values, and all that may come in their place. */
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/string-util.h"
#include "kinds/outcome.h"
#include "kinds/worker-internal.h"
#include "when/timespan.h"

#define WORKER_READ_CHUNK 65536U
#define WORKER_BYTES_A_SECOND (16U * 1024 * 1024)
/* What a pipe holds at most, 1 MiB, and more. */
#define WORKER_READS_AT_EXIT 20U

static bool has_dropped(const WorkerRun *w)
{
        return w->n_lost > w->lost_told || w->n_garbage > w->garbage_told || w->n_too_long > w->too_long_told;
}

void worker_tell_dropped(Run *run, WorkerRun *w)
{
        unsigned long long lost = w->n_lost - w->lost_told, garbage = w->n_garbage - w->garbage_told,
                           too_long = w->n_too_long - w->too_long_told;
        char message[160], data[112];

        if (!has_dropped(w))
                return;
        (void)snprintf(message, sizeof(message), "dropped: %llu beyond MaxRate= or without an output, %llu not JSON, %llu above MaxBytes=",
                       lost, garbage, too_long);
        (void)snprintf(data, sizeof(data), "{\"lost\":%llu,\"garbage\":%llu,\"tooLong\":%llu}", lost, garbage, too_long);
        w->lost_told = w->n_lost;
        w->garbage_told = w->n_garbage;
        w->too_long_told = w->n_too_long;
        run_progress(run, message, data);
}

static void begin_second(Run *run, WorkerRun *w)
{
        usec_t now = worker_now(run);

        if (now - w->second_boottime < USEC_PER_SEC)
                return;
        w->second_boottime = now;
        w->n_in_second = 0;
        w->bytes_in_second = 0;
        worker_tell_dropped(run, w);
}

static void log_garbage(Run *run, const char *line, size_t n)
{
        _cleanup_free_ char *shown = xasprintf("not JSON: %.*s", (int)MIN(n, (size_t)COMMAND_QUOTE_MAX), line);

        if (!shown)
                return;
        n = strlen(shown);
        run_redact(run, shown, &n);
        command_log_line(worker_log(run), run->services->clock, run->job->name, run->id, shown, n);
}

static void take_value(Run *run, WorkerRun *w, const char *line, size_t n)
{
        const WorkerConfig *config = run_config(run);
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_buffer_ Buffer text = BUFFER_NULL;

        if (w->n_in_second >= config->max_rate) {
                w->n_lost++;
                return;
        }
        w->n_in_second++;
        if (json_parse(line, n, NULL, &doc, NULL) < 0) {
                w->n_garbage++;
                log_garbage(run, line, n);
                return;
        }
        if (json_format(json_root(doc), 0, &text) < 0 || run_yield_value(run, json_root(doc), &text) < 0) {
                w->n_lost++;
                return;
        }
        w->n_values++;
        w->value_boottime = w->active_boottime = worker_now(run);
        if (w->is_stale) {
                w->is_stale = false;
                run_tell(run, EVENT_FRESH, "gives values again", NULL);
        }
}

/* Lines out of N new bytes. */
static void take_output(Run *run, WorkerRun *w, const char *data, size_t n)
{
        const WorkerConfig *config = run_config(run);

        while (n > 0) {
                const char *newline = memchr(data, '\n', n);
                size_t length = newline ? (size_t)(newline - data) : n;

                if (!w->skipping && (w->output.len + length > config->max_bytes ||
                                     ((!newline || w->output.len > 0) && buffer_append(&w->output, data, length) < 0))) {
                        w->n_too_long++;
                        w->skipping = true;
                        buffer_clear(&w->output);
                }
                if (!newline)
                        return;
                if (w->skipping)
                        w->skipping = false;
                else if (w->output.len > 0)
                        take_value(run, w, w->output.data, w->output.len);
                else
                        take_value(run, w, data, length);
                buffer_clear(&w->output);
                data += length + 1;
                n -= length + 1;
        }
}

/* 1: there may be more, 0: not now, -EPIPE: it won't say more. */
static int read_output(Run *run, WorkerRun *w)
{
        char chunk[WORKER_READ_CHUNK];
        ssize_t n = read(w->output_fd, chunk, sizeof(chunk));

        if (n > 0) {
                begin_second(run, w);
                w->bytes_in_second += (size_t)n;
                take_output(run, w, chunk, (size_t)n);
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
                return -EPIPE;
        }
        return n > 0;
}

static void on_resume(Timer *timer, _unused_ usec_t now)
{
        WorkerRun *w = container_of(timer, WorkerRun, resume);

        begin_second(run_from_state(w), w);
        if (w->output_io)
                (void)io_source_set_events(w->output_io, IO_READ);
}

void worker_on_output(_unused_ IoSource *source, _unused_ int fd, _unused_ unsigned events, void *userdata)
{
        WorkerRun *w = userdata;
        Run *run = run_from_state(w);

        /* The end of its output is not its end: it may have closed it to go on without. */
        if (read_output(run, w) == -EPIPE) {
                w->output_io = io_source_free(w->output_io);
                return;
        }
        /* What was dropped is told, and reading goes on, once the second is over. */
        if (w->bytes_in_second > WORKER_BYTES_A_SECOND)
                (void)io_source_set_events(w->output_io, 0);
        if ((w->bytes_in_second > WORKER_BYTES_A_SECOND || has_dropped(w)) && !timer_is_armed(&w->resume))
                (void)timer_arm(run->services->timers, &w->resume, usec_add(w->second_boottime, USEC_PER_SEC));
}

void worker_output_drain(Run *run, WorkerRun *w)
{
        for (unsigned i = 0; i < WORKER_READS_AT_EXIT && w->output_fd >= 0 && read_output(run, w) > 0; i++)
                ;
        w->n_partial += w->output.len > 0 || w->skipping;
        w->skipping = false;
        buffer_clear(&w->output);
}

/* --- silence --- */

static void on_stale(Timer *timer, usec_t now)
{
        WorkerRun *w = container_of(timer, WorkerRun, stale);
        Run *run = run_from_state(w);
        const WorkerConfig *config = run_config(run);
        usec_t due = usec_add(w->value_boottime, config->stale);
        char span[TIMESPAN_MAX], message[TIMESPAN_MAX + 32];

        if (due <= now && !w->is_stale) {
                w->is_stale = true;
                w->n_stale++;
                (void)snprintf(message, sizeof(message), "no value for %s (StaleSec=)", timespan_format(config->stale, span));
                run_tell(run, EVENT_STALE, message, NULL);
        }
        (void)timer_arm(run->services->timers, timer, due > now ? due : usec_add(now, config->stale));
}

/* --- for the process --- */

void worker_output_init(WorkerRun *w)
{
        w->output_fd = -1;
        w->resume.callback = on_resume;
        w->stale.callback = on_stale;
}

int worker_output_start(Run *run, WorkerRun *w)
{
        const WorkerConfig *config = run_config(run);

        w->value_boottime = worker_now(run);
        if (config->stale == 0 || config->stale == USEC_INFINITY)
                return 0;
        return timer_arm_after(run->services->timers, &w->stale, config->stale);
}

void worker_output_deinit(Run *run, WorkerRun *w)
{
        timer_disarm(run->services->timers, &w->resume);
        timer_disarm(run->services->timers, &w->stale);
        buffer_deinit(&w->output);
}
