/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Type=exec, StartMethod=spawn: a command a run, started by takt-spawn. Its standard output becomes
 * the result; its standard error goes to the log, line by line, with the job's fields.
 */

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/string-util.h"
#include "job/expand.h"
#include "job/job.h"
#include "job/run-note.h"
#include "kinds/exec.h"
#include "kinds/kinds.h"
#include "kinds/outcome.h"

typedef struct ExecSpawnRun {
        SpawnedCommand *command;
        pid_t pid;
        char last_line[COMMAND_QUOTE_MAX + 1];
        bool stopped; /* asked to end */
} ExecSpawnRun;
_Static_assert(sizeof(ExecSpawnRun) <= EXEC_RUN_SIZE_MAX, "fits a run");

static void on_started(_unused_ SpawnedCommand *command, pid_t pid, void *userdata)
{
        ExecSpawnRun *state = userdata;

        state->pid = pid;
        run_set_details(run_from_state(state), xasprintf("{\"pid\":%d}", (int)pid));
}

static void on_line(_unused_ SpawnedCommand *command, int fd, const char *line, size_t n, void *userdata)
{
        ExecSpawnRun *state = userdata;
        Run *run = run_from_state(state);
        _cleanup_free_ char *shown = fd == 2 ? strndup(line, n) : NULL;

        if (!shown)
                return;
        n = strlen(shown);
        run_redact(run, shown, &n);
        if (n > 0)
                (void)snprintf(state->last_line, sizeof(state->last_line), "%s", shown);
        command_log_line(exec_log(run), run->services->clock, run->job->name, run->id, shown, n);
}

static void set_details(Run *run, const ExecSpawnRun *state, const SpawnExit *exit, uint64_t dropped)
{
        char left[sizeof(",\"leftProcesses\":") + UINT64_DIGITS_MAX] = "";

        if (exit->left > 0)
                (void)snprintf(left, sizeof(left), ",\"leftProcesses\":%u", exit->left);
        run_set_details(run, xasprintf("{\"pid\":%d,\"%s\":%d,\"core\":%s,\"userUsec\":%llu,\"systemUsec\":%llu,"
                                       "\"maxResidentBytes\":%llu,\"droppedBytes\":%llu,\"outputCut\":%s%s}",
                                       (int)state->pid, exit->code == CLD_EXITED ? "exitStatus" : "signal", exit->status,
                                       exit->code == CLD_DUMPED ? "true" : "false", (unsigned long long)exit->user_usec,
                                       (unsigned long long)exit->system_usec, (unsigned long long)exit->max_resident,
                                       (unsigned long long)dropped, exit->truncated ? "true" : "false", left));
}

static void on_exited(SpawnedCommand *command, const SpawnExit *exit, void *userdata)
{
        ExecSpawnRun *state = userdata;
        Run *run = run_from_state(state);
        const ExecConfig *config = run_config(run);
        ResultFormat format = run_result_format(run, exec_output_formats[config->output]);
        const Buffer *output = spawned_command_output(command, 1);
        uint64_t dropped = spawned_command_dropped(command, 1);

        command_log_flush(exec_log(run), run->job->name);
        if (exit->error < 0) {
                command_fail_start(run, config->command, exit);
                return;
        }
        set_details(run, state, exit, dropped);
        if (config->process.kill_mode != SPAWN_KILL_MAIN)
                command_log_left(exec_log(run), run, "Exec", exit->left);
        if (state->stopped || !exit_status_is_success(&config->success, exit))
                command_fail_exit(run, exit, state->last_line);
        else if (dropped > 0 && (format == RESULT_JSON || format == RESULT_NUMBER))
                run_fail(run, "too-large", "the output has %llu bytes more than MaxBytes= allows", (unsigned long long)dropped);
        else
                run_finish_with_bytes(run, format, output ? buffer_string(output) : "", output ? output->len : 0);
}

static const SpawnCallbacks callbacks = { .started = on_started, .line = on_line, .exited = on_exited };

static void spawn_start(Run *run)
{
        const ExecConfig *config = run_config(run);
        ExecSpawnRun *state = run_state(run);
        _cleanup_(words_freep) char **argv = NULL;
        _cleanup_(string_list_deinit) StringList environment = {};
        _cleanup_buffer_ Buffer input = BUFFER_NULL, note = BUFFER_NULL;
        char mark[sizeof("TAKT_RUN=") + UINT64_DIGITS_MAX];
        _cleanup_free_ char *directory = NULL;
        SpawnRequest request;
        int r;

        if (run_expand_command(run, config->command, &argv) < 0 || command_directory(run, config->working_directory, &directory) < 0 ||
            command_environment(run, NULL, &config->environment, exec_assignments(run), &environment) < 0 ||
            run_expand(run, exec_config_input(config), &input) < 0)
                return;
        *put_uint64(stpcpy(mark, "TAKT_RUN="), run->id) = '\0';
        /* Without one the command ends with the daemon. */
        if (run_note_write(run, &note) < 0)
                buffer_clear(&note);
        request = (SpawnRequest){
                .argv = argv,
                .environment = environment.strings,
                .directory = directory,
                .mark = mark,
                .note = note.len > 0 ? buffer_string(&note) : NULL,
                .input = { .mode = exec_config_input(config) ? SPAWN_BYTES : SPAWN_NULL, .data = input.data, .n = input.len },
                .output = { .mode = SPAWN_CAPTURE, .max_bytes = config->max_bytes },
                .error_output = { .mode = SPAWN_CAPTURE, .max_bytes = 0 },
        };
        process_settings_apply(&config->process, &request);
        r = spawner_start(run->services->spawner, &request, &callbacks, state, &state->command);
        if (r < 0)
                run_fail(run, r == -EAGAIN ? "too-many-commands" : "exec", "the command could not be started: %s", strerror(-r));
}

/* SURVIVOR is the command. What decides of its output and exit status is the definition of now. */
static int spawn_resume(Run *run, void *survivor)
{
        const ExecConfig *config = run_config(run);
        ExecSpawnRun *state = run_state(run);
        int r;

        r = spawner_adopt(survivor, config->max_bytes, &callbacks, state, &state->command);
        if (r < 0)
                return r;
        state->pid = spawned_command_pid(state->command);
        state->stopped = run_is_stopping(run);
        return 0;
}

static void spawn_cancel(Run *run)
{
        ExecSpawnRun *state = run_state(run);

        state->stopped = true;
        spawned_command_stop(state->command);
}

static void spawn_reset(Run *run)
{
        ExecSpawnRun *state = run_state(run);

        state->command = spawned_command_free(state->command);
}

const ExecMethod exec_by_spawn = {
        .start = spawn_start,
        .resume = spawn_resume,
        .cancel = spawn_cancel,
        .reset = spawn_reset,
};
