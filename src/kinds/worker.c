/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Type=worker: a coroutine in a process of its own. Each line that it prints is a JSON value that the
 * run yields; each line that it reads is one that was sent to it, an error that was thrown into it
 * being {"throw":…}. The end of its input asks it to return, and the run ends with its process: the
 * last value is the result.
 *
 * Whatever it does costs the loop a bounded share: values beyond MaxRate= are dropped unread, and of
 * a flood no more is read than WORKER_BYTES_A_SECOND, after which it waits in its own write().
 */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/string-util.h"
#include "job/expand.h"
#include "job/job.h"
#include "kinds/kinds.h"
#include "kinds/outcome.h"
#include "kinds/worker-config.h"
#include "when/timespan.h"

#define WORKER_READ_CHUNK 65536U
#define WORKER_BYTES_A_SECOND (16U * 1024 * 1024)
/* What a pipe holds at most, 1 MiB, and more. */
#define WORKER_READS_AT_EXIT 20U

typedef struct WorkerRun {
        SpawnedCommand *command;
        pid_t pid;
        int input_fd; /* what it reads; -1: closed */
        int output_fd;
        IoSource *input_io;
        IoSource *output_io;
        Buffer input;   /* sent, not written yet */
        Buffer pending; /* sent while a process is being replaced: for the next one */
        Buffer output;  /* a line that has begun */
        bool skipping;  /* of a line that is too long, up to its end */
        bool closing;   /* its input is closed once all is written */
        bool closed;    /* asked for: no process comes after this one */
        bool stopped;   /* asked to end */
        bool is_stale;
        unsigned n_requests; /* of this process */

        usec_t second_boottime; /* in which these two were counted */
        unsigned n_in_second;
        size_t bytes_in_second;
        uint64_t lost_told;
        Timer resume; /* reading, after a flood */
        Timer idle;
        Timer stale;
        usec_t value_boottime; /* when the last value came, or it began */
        usec_t active_boottime;

        uint64_t n_values, n_sent, n_lost, n_garbage, n_too_long, n_partial, n_stale, n_processes;
        char last_line[COMMAND_QUOTE_MAX + 1];
} WorkerRun;

static int start_process(Run *run);

static CommandLog *worker_log(Run *run)
{
        WorkerConfig *config = run->spec->config;

        return &config->log;
}

static usec_t now_of(const Run *run)
{
        return clock_boottime(run->services->clock);
}

static bool is_span(usec_t span)
{
        return span > 0 && span != USEC_INFINITY;
}

static void note_details(Run *run, const WorkerRun *w)
{
        run_set_details(run, xasprintf("{\"pid\":%d,\"processes\":%llu,\"values\":%llu,\"sent\":%llu,\"unsentBytes\":%zu,\"lost\":%llu,"
                                       "\"garbage\":%llu,\"tooLong\":%llu,\"partial\":%llu,\"stale\":%llu}",
                                       (int)w->pid, (unsigned long long)w->n_processes, (unsigned long long)w->n_values,
                                       (unsigned long long)w->n_sent, w->input.len + w->pending.len, (unsigned long long)w->n_lost,
                                       (unsigned long long)w->n_garbage, (unsigned long long)w->n_too_long,
                                       (unsigned long long)w->n_partial, (unsigned long long)w->n_stale));
}

/* --- what it says --- */

static void tell_lost(Run *run, WorkerRun *w)
{
        char message[96], data[64];

        if (w->n_lost == w->lost_told)
                return;
        (void)snprintf(message, sizeof(message), "%llu values were more than MaxRate= allows", (unsigned long long)(w->n_lost - w->lost_told));
        (void)snprintf(data, sizeof(data), "{\"lost\":%llu}", (unsigned long long)(w->n_lost - w->lost_told));
        w->lost_told = w->n_lost;
        run_progress(run, message, data);
}

static void begin_second(Run *run, WorkerRun *w)
{
        usec_t now = now_of(run);

        if (now - w->second_boottime < USEC_PER_SEC)
                return;
        w->second_boottime = now;
        w->n_in_second = 0;
        w->bytes_in_second = 0;
        tell_lost(run, w);
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
        w->value_boottime = w->active_boottime = now_of(run);
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
                note_details(run, w);
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

static void on_output(_unused_ IoSource *source, _unused_ int fd, _unused_ unsigned events, void *userdata)
{
        WorkerRun *w = userdata;
        Run *run = run_from_state(w);

        /* The end of its output is not its end: it may have closed it to go on without. */
        if (read_output(run, w) == -EPIPE) {
                w->output_io = io_source_free(w->output_io);
                return;
        }
        /* What was lost is told, and reading goes on, once the second is over. */
        if (w->bytes_in_second > WORKER_BYTES_A_SECOND)
                (void)io_source_set_events(w->output_io, 0);
        if ((w->bytes_in_second > WORKER_BYTES_A_SECOND || w->n_lost > w->lost_told) && !timer_is_armed(&w->resume))
                (void)timer_arm(run->services->timers, &w->resume, usec_add(w->second_boottime, USEC_PER_SEC));
}

static void on_line(_unused_ SpawnedCommand *command, int fd, const char *line, size_t n, void *userdata)
{
        WorkerRun *w = userdata;
        Run *run = run_from_state(w);
        _cleanup_free_ char *shown = fd == 2 ? strndup(line, n) : NULL;

        if (!shown)
                return;
        n = strlen(shown);
        run_redact(run, shown, &n);
        if (n > 0)
                (void)snprintf(w->last_line, sizeof(w->last_line), "%s", shown);
        command_log_line(worker_log(run), run->services->clock, run->job->name, run->id, shown, n);
}

/* --- what it is told --- */

static void close_input(WorkerRun *w)
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
                        close_input(w);
                        return;
                }
                if (n > 0)
                        buffer_consume(&w->input, (size_t)n);
        }
        if (w->input.len == 0 && w->closing)
                close_input(w);
        else
                (void)io_source_set_events(w->input_io, w->input.len > 0 ? IO_WRITE : 0);
}

static void on_input(_unused_ IoSource *source, _unused_ int fd, _unused_ unsigned events, void *userdata)
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

static int send_line(Run *run, WorkerRun *w, const RunMessage *message)
{
        const WorkerConfig *config = run_config(run);
        bool replacing = w->closing && !w->closed;
        int r;

        if (w->closed || w->stopped || (w->input_fd < 0 && !replacing))
                return -EPIPE;
        if (w->input.len + w->pending.len + message->n > config->max_unsent)
                return -ENOBUFS;
        r = append_line(replacing ? &w->pending : &w->input, message);
        if (r < 0)
                return r;
        w->n_sent++;
        w->active_boottime = now_of(run);
        if (!replacing) {
                w->n_requests++;
                if (config->max_requests > 0 && w->n_requests >= config->max_requests)
                        w->closing = true;
                write_input(w);
        }
        return 0;
}

static int worker_send(Run *run, const RunMessage *message, size_t *ret_unsent)
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
        note_details(run, w);
        *ret_unsent = w->input.len + w->pending.len;
        return 0;
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
                note_details(run, w);
                (void)snprintf(message, sizeof(message), "no value for %s (StaleSec=)", timespan_format(config->stale, span));
                run_tell(run, EVENT_STALE, message, NULL);
        }
        (void)timer_arm(run->services->timers, timer, due > now ? due : usec_add(now, config->stale));
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

/* --- its process --- */

static void close_process(WorkerRun *w)
{
        close_input(w);
        w->output_io = io_source_free(w->output_io);
        w->output_fd = safe_close(w->output_fd);
        w->command = spawned_command_free(w->command);
}

static void on_started(_unused_ SpawnedCommand *command, pid_t pid, void *userdata)
{
        WorkerRun *w = userdata;

        w->pid = pid;
        note_details(run_from_state(w), w);
}

static void finish(Run *run, WorkerRun *w)
{
        size_t n = run->result_len;
        char *last = TAKE_PTR(run->result);

        tell_lost(run, w);
        note_details(run, w);
        run_succeed(run, last, n);
}

static void on_exited(_unused_ SpawnedCommand *command, const SpawnExit *exit, void *userdata)
{
        WorkerRun *w = userdata;
        Run *run = run_from_state(w);
        const WorkerConfig *config = run_config(run);
        bool replace = w->closing && !w->closed && !w->stopped;
        SpawnExit how = *exit;

        for (unsigned i = 0; i < WORKER_READS_AT_EXIT && w->output_fd >= 0 && read_output(run, w) > 0; i++)
                ;
        w->n_partial += w->output.len > 0 || w->skipping;
        w->skipping = false;
        buffer_clear(&w->output);
        close_process(w);
        command_log_flush(worker_log(run), run->job->name);
        note_details(run, w);
        if (how.error < 0)
                command_fail_start(run, config->command, &how);
        else if (w->stopped || !exit_status_is_success(&config->success, &how))
                command_fail_exit(run, &how, w->last_line);
        else if (!replace)
                finish(run, w);
        else
                (void)start_process(run);
}

static int start_command(Run *run, WorkerRun *w, int input, int output)
{
        static const SpawnCallbacks callbacks = { .started = on_started, .line = on_line, .exited = on_exited };
        const WorkerConfig *config = run_config(run);
        _cleanup_(words_freep) char **argv = NULL;
        _cleanup_(string_list_deinit) StringList environment = {};
        _cleanup_free_ char *directory = NULL;
        char mark[48];
        SpawnRequest request;
        int r;

        if (run_expand_command(run, config->command, &argv) < 0 || command_directory(run, config->working_directory, &directory) < 0 ||
            command_environment(run, NULL, &config->environment, &config->environment_files, &environment) < 0)
                return -EBADMSG;
        (void)snprintf(mark, sizeof(mark), "TAKT_RUN=%llu", (unsigned long long)run->id);
        request = (SpawnRequest){
                .argv = argv,
                .environment = environment.strings,
                .directory = directory,
                .mark = mark,
                .input = { .mode = SPAWN_FD, .fd = input },
                .output = { .mode = SPAWN_FD, .fd = output },
                .error_output = { .mode = SPAWN_CAPTURE, .max_bytes = 0 },
                .set_umask = true,
                .umask = (mode_t)config->umask,
                .set_nice = config->nice != 0,
                .nice = config->nice,
                .limits = config->limits.limits,
                .n_limits = config->limits.n,
                .kill_signal = config->kill_signal,
                .kill_after = config->kill_after,
        };
        r = spawner_start(run->services->spawner, &request, &callbacks, w, &w->command);
        if (r < 0)
                run_fail(run, r == -EAGAIN ? "too-many-commands" : "exec", "the command could not be started: %s", strerror(-r));
        return r;
}

/* Two pipes; RET are the ends of the process. */
static int make_pipes(Run *run, WorkerRun *w, int ret[static 2])
{
        _cleanup_close_ int input = -1, output = -1;
        int fds[2], r;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return negative_errno();
        input = fds[0];
        w->input_fd = fds[1];
        if (pipe2(fds, O_CLOEXEC) < 0)
                return negative_errno();
        w->output_fd = fds[0];
        output = fds[1];
        if (fcntl(w->input_fd, F_SETFL, O_NONBLOCK) < 0 || fcntl(w->output_fd, F_SETFL, O_NONBLOCK) < 0)
                return negative_errno();
        r = io_source_new(run->services->loop, w->input_fd, 0, on_input, w, &w->input_io);
        if (r >= 0)
                r = io_source_new(run->services->loop, w->output_fd, IO_READ, on_output, w, &w->output_io);
        if (r < 0)
                return r;
        ret[0] = TAKE_FD(input);
        ret[1] = TAKE_FD(output);
        return 0;
}

/* On failure the run has ended. */
static int start_process(Run *run)
{
        WorkerRun *w = run_state(run);
        int fds[2], r;

        w->closing = false;
        w->n_requests = 0;
        r = make_pipes(run, w, fds);
        if (r < 0) {
                run_fail(run, "exec", "no pipes for the command: %s", strerror(-r));
                return r;
        }
        r = start_command(run, w, fds[0], fds[1]);
        (void)safe_close(fds[0]);
        (void)safe_close(fds[1]);
        if (r < 0)
                return r;
        w->n_processes++;
        buffer_deinit(&w->input);
        w->input = w->pending;
        w->pending = BUFFER_NULL;
        if (w->input.len > 0)
                write_input(w);
        return 0;
}

static void worker_start(Run *run)
{
        const WorkerConfig *config = run_config(run);
        WorkerRun *w = run_state(run);

        w->input_fd = w->output_fd = -1;
        w->resume.callback = on_resume;
        w->stale.callback = on_stale;
        w->idle.callback = on_idle;
        w->second_boottime = w->value_boottime = w->active_boottime = now_of(run);
        if (start_process(run) < 0)
                return;
        if ((is_span(config->stale) && timer_arm_after(run->services->timers, &w->stale, config->stale) < 0) ||
            (is_span(config->idle) && timer_arm_after(run->services->timers, &w->idle, config->idle) < 0))
                run_fail(run, "memory", "no memory for a timer");
}

static void worker_cancel(Run *run)
{
        WorkerRun *w = run_state(run);

        w->stopped = true;
        spawned_command_stop(w->command);
}

static void worker_reset(Run *run)
{
        WorkerRun *w = run_state(run);

        /* One that was never started has no descriptors: they would be 0. */
        if (w->resume.callback)
                close_process(w);
        timer_disarm(run->services->timers, &w->resume);
        timer_disarm(run->services->timers, &w->stale);
        timer_disarm(run->services->timers, &w->idle);
        buffer_deinit(&w->input);
        buffer_deinit(&w->pending);
        buffer_deinit(&w->output);
}

const JobKind worker_kind = {
        .name = "worker",
        .help = "Runs a process that gives values as it likes, and takes them.",
        .section = &worker_section,
        .load = worker_config_load,
        .run_size = sizeof(WorkerRun),
        .start = worker_start,
        .cancel = worker_cancel,
        .send = worker_send,
        .reset = worker_reset,
};
