/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kinds/command.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/string-util.h"
#include "config/environment.h"
#include "job/expand.h"
#include "job/job.h"
#include "job/spec.h"
#include "kinds/environment-file.h"
#include "process/protocol.h"

#define COMMAND_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

int command_check_environment(JobSpec *spec, const TemplateList *variables, const char *section, const ConfigItems *items,
                              ConfigReport *report)
{
        for (size_t i = 0; i < variables->n; i++) {
                const char *text = template_constant(variables->templates[i]);

                if (text && (!strchr(text, '=') || text[0] == '='))
                        return config_items_error(items, report, section, "Environment", 0, "is not of the form NAME=VALUE");
                if (text && secret_set_add_pair(&spec->secrets, text) == -ENOMEM)
                        return -ENOMEM;
        }
        return 0;
}

/* --- what is looked up at load --- */

/*
 * Where the program is looked for, as far as Environment= says it: *RET is NULL where it does not. False: that can't be
 * said before a run.
 */
static bool find_search_path(const CommandMentions *command, const ConfigItems *items, const char **ret)
{
        const ConfigItem *item = NULL;

        *ret = NULL;
        for (size_t i = 0; i < command->environment->n; i++) {
                const char *text = template_constant(command->environment->templates[i]);

                item = config_items_next(items, command->section, "Environment", item);
                if (text && startswith(text, "PATH="))
                        *ret = startswith(text, "PATH=");
                else if (!text && item && (startswith(item->value, "PATH=") || item->value[0] == '$'))
                        return false;
        }
        /* A file counts over Environment=. */
        return command->environment_files->n == 0;
}

static int note_program(JobSpec *spec, const CommandMentions *command, const ConfigItems *items)
{
        const char *program = template_constant(command_line_word(command->command, 0)), *path = NULL;
        const char *directory = command->directory ? template_constant(command->directory) : NULL;
        const ConfigItem *item = config_items_find(items, command->section, "Command");

        if (!program || !item)
                return 0;
        if (!strchr(program, '/') ? !find_search_path(command, items, &path) : program[0] != '/' && command->directory && !directory)
                return 0;
        return job_spec_mention(spec, &(Mention){
                .type = MENTION_PROGRAM,
                .key = "Command",
                .name = (char *)program,
                .directory = (char *)directory,
                .path = (char *)path,
                .foreign = command->foreign,
        }, item, 0);
}

static int note_directory(JobSpec *spec, const CommandMentions *command, const ConfigItems *items)
{
        const char *directory = command->directory ? template_constant(command->directory) : NULL;
        const ConfigItem *item = config_items_find(items, command->section, "WorkingDirectory");
        const Mention mention = {
                .type = MENTION_DIRECTORY, .key = "WorkingDirectory", .name = (char *)directory, .foreign = command->foreign,
        };

        return directory && item ? job_spec_mention(spec, &mention, item, 0) : 0;
}

static int note_files(JobSpec *spec, const CommandMentions *command, const ConfigItems *items)
{
        const ConfigItem *item = NULL;
        int r = 0;

        for (size_t i = 0; i < command->environment_files->n && r >= 0; i++) {
                char *file = command->environment_files->strings[i];
                const Mention mention = { .type = MENTION_FILE, .key = "EnvironmentFile", .name = file };

                item = config_items_next(items, command->section, "EnvironmentFile", item);
                if (item && file[0] != '-')
                        r = job_spec_mention(spec, &mention, item, 0);
        }
        return r;
}

int command_note_mentions(JobSpec *spec, const CommandMentions *command, const ConfigItems *items)
{
        int r = note_program(spec, command, items);

        if (r >= 0)
                r = note_directory(spec, command, items);
        return r < 0 ? r : note_files(spec, command, items);
}

/* --- what a run is given --- */

char *command_default_path(const Environment *environment)
{
        return environment ? string_join(environment->bin, ":", COMMAND_PATH) : strdup(COMMAND_PATH);
}

static int add_variable(StringList *list, const char *name, const char *value)
{
        return value ? string_list_take(list, string_join(name, "=", value)) : 0;
}

int command_base_environment(Run *run, const char *shared, StringList *list)
{
        const Environment *e = run->services->environment;
        char number[UINT64_DIGITS_MAX + 1], time[REALTIME_ISO_MAX];
        int r;

        *put_uint64(number, run->id) = '\0';
        r = e ? string_list_take(list, string_join("PATH=", e->bin, ":" COMMAND_PATH)) : add_variable(list, "PATH", COMMAND_PATH);
        if (r >= 0)
                r = add_variable(list, "HOME", getenv("HOME"));
        if (r >= 0)
                r = add_variable(list, "USER", getenv("USER"));
        if (r >= 0)
                r = add_variable(list, "LANG", getenv("LANG") ?: "C.UTF-8");
        if (r >= 0 && e)
                r = add_variable(list, "TAKT_ENV", e->path);
        if (r >= 0)
                r = add_variable(list, "TAKT_JOB", shared ?: run->job->name);
        if (r >= 0 && !shared)
                r = add_variable(list, "TAKT_RUN", number);
        if (r >= 0 && !shared)
                r = add_variable(list, "TAKT_SCHEDULED", realtime_to_iso(run->scheduled_realtime ?: run->created_realtime, time));
        return r;
}

static int fail_memory(Run *run)
{
        run_fail(run, "memory", "no memory for the environment");
        return -ENOMEM;
}

static int add_variables(Run *run, const TemplateList *variables, StringList *list)
{
        for (size_t i = 0; i < variables->n; i++) {
                _cleanup_buffer_ Buffer variable = BUFFER_NULL;

                if (run_expand(run, variables->templates[i], &variable) < 0)
                        return -EBADMSG;
                if (environment_assign(list, buffer_string(&variable)) < 0)
                        return fail_memory(run);
        }
        return 0;
}

int command_add_environment(Run *run, const TemplateList *variables, const StringList *assignments, StringList *list)
{
        int r = add_variables(run, variables, list);

        for (size_t i = 0; r >= 0 && i < assignments->n; i++)
                if (environment_assign(list, assignments->strings[i]) < 0)
                        r = fail_memory(run);
        return r;
}

int command_environment(Run *run, const char *shared, const TemplateList *variables, const StringList *assignments,
                        StringList *list)
{
        if (command_base_environment(run, shared, list) < 0)
                return fail_memory(run);
        return command_add_environment(run, variables, assignments, list);
}

char *command_default_directory(const Environment *environment)
{
        char *here;

        if (environment)
                return strdup(environment_work_directory(environment));
        /* A script in no environment runs where it was called. */
        here = get_current_dir_name();
        return here ?: strdup("/");
}

int command_directory(Run *run, const Template *directory, char **ret)
{
        const Environment *e = run->services->environment;
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        _cleanup_free_ char *base = NULL;

        if (run_expand(run, directory, &text) < 0)
                return -EBADMSG;
        base = command_default_directory(e);
        *ret = base ? path_join(base, buffer_string(&text)) : NULL;
        if (*ret)
                return 0;
        run_fail(run, "memory", "no memory for the command");
        return -ENOMEM;
}

void command_fail_start(Run *run, const CommandLine *line, const SpawnExit *exit)
{
        const char *program = template_constant(command_line_word(line, 0)) ?: "the command";

        if (exit->error == -EOWNERDEAD)
                run_fail(run, "helper-died", "takt-spawn died; the command was ended");
        else if (streq_ptr(exit->stage, "exec"))
                run_fail(run, "exec", "%s can't be executed: %s", program, strerror(-exit->error));
        else if (streq_ptr(exit->stage, "request") && exit->error == -EDQUOT)
                run_fail(run, "exec", "%s is not started, as the processes of %u commands were left running already (KillMode=process)",
                         program, SPAWN_SPARED_MAX);
        else
                run_fail(run, "exec", "%s: %s", exit->stage ?: "start", strerror(-exit->error));
}

void command_fail_exit(Run *run, const SpawnExit *exit, const char *last_line)
{
        const char *colon = last_line[0] ? ": " : "";

        if (exit->code == CLD_EXITED)
                run_fail(run, "exit-status", "exit status %d%s%s", exit->status, colon, last_line);
        else
                run_fail(run, "signal", "killed by SIG%s%s%s%s", sigabbrev_np(exit->status) ?: "?",
                         exit->code == CLD_DUMPED ? ", core dumped" : "", colon, last_line);
}

void command_log_flush(CommandLog *log, const char *job)
{
        const LogField fields[] = { { "TAKT_JOB", job }, {} };

        if (log->n_suppressed == 0)
                return;
        log_at(LOG_INFO, fields, "%s: %llu more line%s on standard error", job, (unsigned long long)log->n_suppressed,
               log->n_suppressed == 1 ? "" : "s");
        log->n_suppressed = 0;
}

void command_log_left(CommandLog *log, const Run *run, const char *section, unsigned left)
{
        const LogField fields[] = { { "TAKT_JOB", run->job->name }, {} };

        if (left == 0 || log->told_left)
                return;
        log->told_left = true;
        log_at(LOG_NOTICE, fields,
               "%s[%llu]: %u process%s outlived the command and %s ended, here and in later runs; [%s] ExitType= and KillMode= can say otherwise",
               run->job->name, (unsigned long long)run->id, left, left == 1 ? "" : "es", left == 1 ? "is" : "are", section);
}

void command_log_line(CommandLog *log, Clock *clock, const char *job, uint64_t run_id, const char *line, size_t n)
{
        usec_t now = clock_boottime(clock);
        char id[24];

        if (now - log->second_boottime >= USEC_PER_SEC) {
                command_log_flush(log, job);
                log->second_boottime = now;
                log->n_lines = 0;
        }
        if (++log->n_lines > COMMAND_LOG_LINES_A_SECOND) {
                log->n_suppressed++;
                return;
        }
        (void)snprintf(id, sizeof(id), "%llu", (unsigned long long)run_id);
        log_at(LOG_INFO, ((const LogField[]){ { "TAKT_JOB", job }, { "TAKT_RUN", run_id > 0 ? id : NULL }, {} }), "%s[%s]: %.*s",
               job, run_id > 0 ? id : "-", (int)n, line);
}
