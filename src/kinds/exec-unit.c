/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Type=exec, StartMethod=unit: a transient service of systemd a run. What it prints comes by pipes, as that of
 * a spawned command does, so that its results, its limits and its secrets are the same.
 */
#include <ctype.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/string-util.h"
#include "config/environment.h"
#include "job/expand.h"
#include "job/job.h"
#include "kinds/exec.h"
#include "kinds/kinds.h"
#include "kinds/outcome.h"
#include "process/transient-unit.h"

#define UNIT_NAME_MAX 255U

typedef struct ExecUnitRun {
        TransientUnit *unit;
        char *name;
        char last_line[128];
        bool stopped; /* asked to end */
} ExecUnitRun;
_Static_assert(sizeof(ExecUnitRun) <= EXEC_RUN_SIZE_MAX, "fits a run");

/* As systemd-escape(1) does, but that a dash stays one. */
static int append_escaped(Buffer *name, const char *s)
{
        int r = 0;

        for (; r >= 0 && *s; s++)
                if (isalnum((unsigned char)*s) || strchr("-_.:", *s))
                        r = buffer_append_char(name, *s);
                else
                        r = buffer_appendf(name, "\\x%02x", (unsigned char)*s);
        return r;
}

/* takt-JOB-RUN.service; units of environments beside the system's and the user's have its name before that of the job. */
static char *unit_name(const Run *run)
{
        const Environment *e = run->services->environment;
        _cleanup_buffer_ Buffer name = BUFFER_NULL;
        int r = buffer_append_string(&name, "takt-");

        if (r >= 0 && e && e->scope == ENVIRONMENT_DIR) {
                r = append_escaped(&name, e->name);
                if (r >= 0)
                        r = buffer_append_char(&name, '-');
        }
        if (r >= 0)
                r = append_escaped(&name, run->job->name);
        /* An earlier attempt's unit may not have been forgotten yet. */
        if (r >= 0)
                r = buffer_appendf(&name, run->attempts > 1 ? "-%llu-%u.service" : "-%llu.service", (unsigned long long)run->id,
                                   run->attempts);
        return r < 0 ? NULL : buffer_steal(&name);
}

static void on_line(_unused_ TransientUnit *unit, const char *line, size_t n, void *userdata)
{
        ExecUnitRun *state = userdata;
        Run *run = run_from_state(state);
        _cleanup_free_ char *shown = strndup(line, n);

        if (!shown)
                return;
        n = strlen(shown);
        run_redact(run, shown, &n);
        if (n > 0)
                (void)snprintf(state->last_line, sizeof(state->last_line), "%s", shown);
        command_log_line(exec_log(run), run->services->clock, run->job->name, run->id, shown, n);
}

static void set_details(Run *run, const ExecUnitRun *state, const UnitExit *exit, uint64_t dropped)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        JsonWriter w;

        json_writer_init(&w, &text, 0);
        json_begin_object(&w);
        json_key(&w, "unit");
        json_string(&w, state->name);
        if (exit->result) {
                json_key(&w, "unitResult");
                json_string(&w, exit->result);
        }
        if (exit->pid > 0) {
                json_key(&w, "pid");
                json_int(&w, exit->pid);
        }
        if (exit->process.code != 0) {
                json_key(&w, exit->process.code == CLD_EXITED ? "exitStatus" : "signal");
                json_int(&w, exit->process.status);
                json_key(&w, "core");
                json_bool(&w, exit->process.code == CLD_DUMPED);
                json_key(&w, "cpuUsec");
                json_uint(&w, exit->process.user_usec);
                json_key(&w, "droppedBytes");
                json_uint(&w, dropped);
                json_key(&w, "outputCut");
                json_bool(&w, exit->process.truncated);
        }
        json_end_object(&w);
        if (json_writer_end(&w) >= 0)
                run_set_details(run, buffer_steal(&text));
}

static void on_started(_unused_ TransientUnit *unit, pid_t pid, void *userdata)
{
        set_details(run_from_state(userdata), userdata, &(UnitExit){ .pid = pid }, 0);
}

static void on_exited(TransientUnit *unit, const UnitExit *exit, void *userdata)
{
        ExecUnitRun *state = userdata;
        Run *run = run_from_state(state);
        const ExecConfig *config = run_config(run);
        ResultFormat format = run_result_format(run, exec_output_formats[config->output]);
        const Buffer *output = transient_unit_output(unit);
        uint64_t dropped = transient_unit_dropped(unit);

        command_log_flush(exec_log(run), run->job->name);
        set_details(run, state, exit, dropped);
        if (exit->error_kind)
                run_fail(run, exit->error_kind, "%s", exit->message);
        else if (streq_ptr(exit->result, "oom-kill"))
                run_fail(run, "oom-kill", "%s was ended as it used up its memory; see MemoryMax=", state->name);
        else if (state->stopped || !exit_status_is_success(&config->success, &exit->process))
                command_fail_exit(run, &exit->process, state->last_line);
        else if (dropped > 0 && (format == RESULT_JSON || format == RESULT_NUMBER))
                run_fail(run, "too-large", "the output has %llu bytes more than MaxBytes= allows", (unsigned long long)dropped);
        else
                run_finish_with_bytes(run, format, buffer_string(output), output->len);
}

/* As of other commands, but that who the user is and where it lives is the service manager's to say. */
static int make_environment(Run *run, const ExecConfig *config, StringList *ret)
{
        size_t kept = 0;

        if (command_base_environment(run, NULL, ret) < 0) {
                run_fail(run, "memory", "no memory for the environment");
                return -ENOMEM;
        }
        for (size_t i = 0; i < ret->n; i++)
                if (strncmp(ret->strings[i], "HOME=", 5) == 0 || strncmp(ret->strings[i], "USER=", 5) == 0)
                        free(ret->strings[i]);
                else
                        ret->strings[kept++] = ret->strings[i];
        ret->n = kept;
        ret->strings[kept] = NULL;
        return command_add_environment(run, &config->environment, exec_assignments(run), ret);
}

/* systemd wants an absolute path, or a name to look for. */
static int make_program_absolute(Run *run, const char *directory, char **argv)
{
        _cleanup_free_ char *base = directory ? strdup(directory) : command_default_directory(run->services->environment);
        char *path;

        if (argv[0][0] == '/' || !strchr(argv[0], '/'))
                return 0;
        path = base ? path_join(base, argv[0]) : NULL;
        if (!path) {
                run_fail(run, "memory", "no memory for the command");
                return -ENOMEM;
        }
        free(argv[0]);
        argv[0] = path;
        return 0;
}

static int add_properties(const ExecConfig *config, StringList *list)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < config->unit_keys.n; i++)
                r = string_list_append(list, config->unit_keys.strings[i]);
        for (size_t i = 0; r >= 0 && i < config->properties.n; i++)
                r = string_list_append(list, config->properties.strings[i]);
        return r;
}

static void fail_start(Run *run, int error)
{
        static const struct {
                int error;
                const char *kind;
                const char *message;
        } failures[] = {
                { -EAGAIN, "too-many-commands", "there are as many units under way as may be" },
                { -ENOENT, "no-bus", "StartMethod=unit needs a bus, and there is none to connect to" },
                { -ECONNREFUSED, "no-bus", "StartMethod=unit needs a bus, and there is none to connect to" },
                { -ENOMEDIUM, "no-bus", "StartMethod=unit needs a bus, and it is not known where one is" },
                { -ENOTCONN, "no-bus", "StartMethod=unit needs a bus, and this one has hung up" },
                { -ECONNRESET, "no-bus", "StartMethod=unit needs a bus, and this one has hung up" },
                { -EPIPE, "no-bus", "StartMethod=unit needs a bus, and this one has hung up" },
                { -EACCES, "not-permitted", "this user may not connect to the bus" },
                { -ENOMEM, "memory", "no memory for the unit" },
        };
        const char *kind = "unit", *message = "the unit could not be asked for";

        for (size_t i = 0; i < ARRAY_SIZE(failures); i++)
                if (failures[i].error == error) {
                        kind = failures[i].kind;
                        message = failures[i].message;
                }
        run_fail(run, kind, "%s (%s bus: %s)", message, bus_scope_to_string(bus_scope()), strerror(-error));
}

static void start_unit(Run *run, char *const *argv, char *const *environment, const char *directory, const Buffer *input)
{
        static const UnitCallbacks callbacks = { .started = on_started, .line = on_line, .exited = on_exited };
        const ExecConfig *config = run_config(run);
        ExecUnitRun *state = run_state(run);
        _cleanup_(string_list_deinit) StringList properties = {};
        _cleanup_free_ char *description = xasprintf("Run %llu of job %s", (unsigned long long)run->id, run->job->name);
        _cleanup_free_ char *job = xasprintf("TAKT_JOB=%s", run->job->name);
        _cleanup_free_ char *id = xasprintf("TAKT_RUN=%llu", (unsigned long long)run->id);
        _cleanup_free_ char *env = run->services->environment ? xasprintf("TAKT_ENV=%s", run->services->environment->name) : NULL;
        char *fields[] = { job, id, env, NULL };
        UnitRequest request;
        int r;

        r = description && job && id ? add_properties(config, &properties) : -ENOMEM;
        if (r < 0) {
                run_fail(run, "memory", "no memory for the unit");
                return;
        }
        request = (UnitRequest){
                .name = state->name,
                .description = description,
                .command = {
                        .argv = argv,
                        .environment = environment,
                        .directory = directory,
                        .input = { .mode = exec_config_input(config) ? SPAWN_BYTES : SPAWN_NULL, .data = input->data, .n = input->len },
                        .output = { .mode = SPAWN_CAPTURE, .max_bytes = config->max_bytes },
                },
                .properties = properties.strings,
                .log_fields = fields,
        };
        process_settings_apply(&config->process, &request.command);
        r = transient_unit_start(run->services->units, &request, &callbacks, state, &state->unit);
        if (r < 0)
                fail_start(run, r);
}

static void unit_start(Run *run)
{
        const ExecConfig *config = run_config(run);
        ExecUnitRun *state = run_state(run);
        _cleanup_(words_freep) char **argv = NULL;
        _cleanup_(string_list_deinit) StringList environment = {};
        _cleanup_buffer_ Buffer input = BUFFER_NULL;
        _cleanup_free_ char *directory = NULL;

        state->name = unit_name(run);
        if (!state->name) {
                run_fail(run, "memory", "no memory for the unit");
                return;
        }
        if (strlen(state->name) > UNIT_NAME_MAX) {
                run_fail(run, "unit", "the name of the job is too long for that of a unit");
                return;
        }
        if (run_expand_command(run, config->command, &argv) < 0 || make_environment(run, config, &environment) < 0 ||
            run_expand(run, exec_config_input(config), &input) < 0)
                return;
        if (config->working_directory && command_directory(run, config->working_directory, &directory) < 0)
                return;
        if (make_program_absolute(run, directory, argv) < 0)
                return;
        start_unit(run, argv, environment.strings, directory, &input);
}

static void unit_cancel(Run *run)
{
        ExecUnitRun *state = run_state(run);

        state->stopped = true;
        transient_unit_stop(state->unit);
}

static void unit_reset(Run *run)
{
        ExecUnitRun *state = run_state(run);

        state->unit = transient_unit_free(state->unit);
        state->name = (free(state->name), NULL);
}

const ExecMethod exec_by_unit = {
        .start = unit_start,
        .cancel = unit_cancel,
        .reset = unit_reset,
};
