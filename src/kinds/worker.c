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
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/string-util.h"
#include "job/expand.h"
#include "kinds/kinds.h"
#include "kinds/outcome.h"
#include "kinds/worker-internal.h"

static int start_process(Run *run);

static char *format_details(const WorkerRun *w)
{
        return xasprintf("{\"pid\":%d,\"processes\":%llu,\"values\":%llu,\"sent\":%llu,\"unsentBytes\":%zu,\"lost\":%llu,"
                         "\"garbage\":%llu,\"tooLong\":%llu,\"partial\":%llu,\"stale\":%llu,\"leftProcesses\":%u}",
                         (int)w->pid, (unsigned long long)w->n_processes, (unsigned long long)w->n_values,
                         (unsigned long long)w->n_sent, w->input.len + w->pending.len, (unsigned long long)w->n_lost,
                         (unsigned long long)w->n_garbage, (unsigned long long)w->n_too_long, (unsigned long long)w->n_partial,
                         (unsigned long long)w->n_stale, w->n_left);
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

/* --- its process --- */

static void close_process(WorkerRun *w)
{
        worker_input_close(w);
        w->output_io = io_source_free(w->output_io);
        w->output_fd = safe_close(w->output_fd);
        w->command = spawned_command_free(w->command);
}

static void on_started(_unused_ SpawnedCommand *command, pid_t pid, void *userdata)
{
        WorkerRun *w = userdata;

        w->pid = pid;
}

static void finish(Run *run, WorkerRun *w)
{
        size_t n = run->result_len;
        char *last = TAKE_PTR(run->result);

        worker_tell_dropped(run, w);
        run_set_details(run, format_details(w));
        run_succeed(run, last, n);
}

/* Who waits for an answer learns that none comes of the old one, unless what it sent is carried over. */
static void replace_process(Run *run, WorkerRun *w)
{
        char data[80];

        (void)snprintf(data, sizeof(data), "{\"processes\":%llu,\"carriedBytes\":%zu}", (unsigned long long)w->n_processes + 1,
                       w->pending.len);
        run_progress(run, "another process takes over (MaxRequests=)", data);
        (void)start_process(run);
}

static void on_exited(_unused_ SpawnedCommand *command, const SpawnExit *exit, void *userdata)
{
        WorkerRun *w = userdata;
        Run *run = run_from_state(w);
        const WorkerConfig *config = run_config(run);
        bool replace = w->closing && !w->closed && !w->stopped;
        SpawnExit how = *exit;

        worker_output_drain(run, w);
        close_process(w);
        command_log_flush(worker_log(run), run->job->name);
        w->n_left += how.left;
        if (config->process.kill_mode != SPAWN_KILL_MAIN)
                command_log_left(worker_log(run), run, "Worker", how.left);
        run_set_details(run, format_details(w));
        if (how.error < 0)
                command_fail_start(run, config->command, &how);
        else if (w->stopped || !exit_status_is_success(&config->success, &how))
                command_fail_exit(run, &how, w->last_line);
        else if (!replace)
                finish(run, w);
        else
                replace_process(run, w);
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
            command_environment(run, NULL, &config->environment, environment_fetch_result(w->fetch), &environment) < 0)
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
        };
        process_settings_apply(&config->process, &request);
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
        r = io_source_new(run->services->loop, w->input_fd, 0, worker_on_input, w, &w->input_io);
        if (r >= 0)
                r = io_source_new(run->services->loop, w->output_fd, IO_READ, worker_on_output, w, &w->output_io);
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
        worker_input_renew(run, w);
        return 0;
}

static void begin(Run *run)
{
        WorkerRun *w = run_state(run);

        if (start_process(run) >= 0 && (worker_output_start(run, w) < 0 || worker_input_start(run, w) < 0))
                run_fail(run, "memory", "no memory for a timer");
}

static void worker_start(Run *run)
{
        const WorkerConfig *config = run_config(run);
        WorkerRun *w = run_state(run);

        worker_output_init(w);
        worker_input_init(w);
        w->begun = true;
        if (environment_fetch_start(run, &config->environment_files, begin, &w->fetch) == 0)
                begin(run);
}

static void worker_cancel(Run *run)
{
        WorkerRun *w = run_state(run);

        if (environment_fetch_is_under_way(w->fetch)) {
                w->fetch = environment_fetch_free(w->fetch);
                run_fail(run, "cancelled", "ended before its time");
                return;
        }
        w->stopped = true;
        spawned_command_stop(w->command);
}

static char *worker_details(const Run *run)
{
        const WorkerRun *w = run_const_state(run);

        return w->begun ? format_details(w) : NULL;
}

static void worker_reset(Run *run)
{
        WorkerRun *w = run_state(run);

        /* One that was never started has no descriptors: they would be 0. */
        if (!w->begun)
                return;
        w->fetch = environment_fetch_free(w->fetch);
        close_process(w);
        worker_output_deinit(run, w);
        worker_input_deinit(run, w);
}

const JobKind worker_kind = {
        .name = "worker",
        .help = "Runs a process that gives values as it likes, and takes them.",
        .section = &worker_section,
        .load = worker_config_load,
        .needs = worker_needs,
        .events = worker_events,
        .run_size = sizeof(WorkerRun),
        .start = worker_start,
        .cancel = worker_cancel,
        .send = worker_send,
        .details = worker_details,
        .reset = worker_reset,
};
