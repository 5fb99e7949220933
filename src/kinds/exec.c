/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Type=exec: a command, started by takt-spawn. Its standard output becomes the result; its standard
 * error goes to the log, line by line, with the job's fields.
 */

#include "process/spawner.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/string-util.h"
#include "config/environment.h"
#include "job/expand.h"
#include "job/job.h"
#include "job/spec.h"
#include "job/types.h"
#include "kinds/kinds.h"
#include "kinds/outcome.h"

/* Lines of standard error that a run may log a second; those beyond are counted. */
#define EXEC_LOG_LINES_A_SECOND 10U
/* The last line of standard error is quoted in the error up to here. */
#define EXEC_QUOTE_MAX 200U
#define EXEC_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

typedef struct ExitStatusSet {
        uint64_t statuses[4]; /* a bit an exit status */
        uint64_t signals;     /* a bit a signal */
} ExitStatusSet;

typedef struct LimitSet {
        SpawnLimit limits[RLIM_NLIMITS];
        size_t n;
} LimitSet;

typedef struct ExecConfig {
        CommandLine *command;
        Template *working_directory;
        TemplateList environment;
        Template *input;
        int output; /* index of output_names */
        uint64_t max_bytes;
        int kill_signal; /* signal number */
        usec_t kill_after;
        ExitStatusSet success;
        int umask;
        int nice;
        LimitSet limits;
} ExecConfig;

typedef struct ExecRun {
        SpawnedCommand *command;
        pid_t pid;
        usec_t log_second_boottime;
        unsigned log_lines;
        uint64_t log_suppressed;
        char last_line[EXEC_QUOTE_MAX + 1];
        bool stopped; /* asked to end */
} ExecRun;

static const char *const output_names[] = { "json", "text", "lines", "number", "none", NULL };
static const ResultFormat output_formats[] = { RESULT_JSON, RESULT_TEXT, RESULT_LINES, RESULT_NUMBER, RESULT_NONE };

/* "SIGTERM" or "TERM" or "15". */
static int signal_from_string(const char *s)
{
        uint64_t number;

        if (parse_uint64(s, &number) >= 0)
                return number >= 1 && number < NSIG ? (int)number : -EINVAL;
        s = startswith(s, "SIG") ?: s;
        for (int signo = 1; signo < NSIG; signo++) {
                const char *name = sigabbrev_np(signo);

                if (name && streq(name, s))
                        return signo;
        }
        return -EINVAL;
}

static int parse_signal(_unused_ const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        int signo = signal_from_string(value);

        if (signo < 0)
                return config_item_error(site->item, site->report, 0, "'%s' is no signal; say SIGTERM or a number", value);
        *(int *)target = signo;
        return 0;
}

static int parse_success(_unused_ const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        _cleanup_free_ char *copy = strdup(value);
        ExitStatusSet *set = target;
        char *rest = NULL;

        if (!copy)
                return -ENOMEM;
        for (char *word = strtok_r(copy, " ,", &rest); word; word = strtok_r(NULL, " ,", &rest)) {
                uint64_t status;
                int signo;

                if (parse_uint64(word, &status) >= 0 && status <= 255)
                        set->statuses[status / 64] |= UINT64_C(1) << (status % 64);
                else if ((signo = signal_from_string(word)) > 0 && signo < 64)
                        set->signals |= UINT64_C(1) << signo;
                else
                        return config_item_error(site->item, site->report, (size_t)(word - copy),
                                                 "'%s' is neither an exit status nor a signal", word);
        }
        return 0;
}

static void clear_success(_unused_ const ConfigKey *key, void *target)
{
        *(ExitStatusSet *)target = (ExitStatusSet){};
}

static int parse_umask(_unused_ const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        char *end;
        unsigned long mask = strtoul(value, &end, 8);

        if (*end || mask > 0777)
                return config_item_error(site->item, site->report, 0, "'%s' is no file mode in octal, such as 0022", value);
        *(int *)target = (int)mask;
        return 0;
}

static int parse_nice(_unused_ const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        int64_t nice;

        if (parse_int64(value, &nice) < 0 || nice < -20 || nice > 19)
                return config_item_error(site->item, site->report, 0, "must be from -20 to 19");
        *(int *)target = (int)nice;
        return 0;
}

/* "NOFILE=1024", "AS=1G", "CPU=10" or "NOFILE=1024:4096": the limit of setrlimit(2) without RLIMIT_. */
static int parse_limit(_unused_ const ConfigKey *key, const char *value, const ConfigSite *site, void *target);
static void clear_limit(const ConfigKey *key, void *target);

static const ConfigType config_type_signal = { .metavar = "SIGNAL", .parse = parse_signal };
static const ConfigType config_type_success = { .metavar = "STATUS…", .repeatable = true, .parse = parse_success, .clear = clear_success };
static const ConfigType config_type_umask = { .metavar = "MODE", .parse = parse_umask };
static const ConfigType config_type_nice = { .metavar = "NUMBER", .parse = parse_nice };
static const ConfigType config_type_limit = { .metavar = "LIMIT=NUMBER", .repeatable = true, .parse = parse_limit, .clear = clear_limit };

#define EXEC(member, type_) .type = &config_type_##type_, .offset = offsetof(ExecConfig, member)

static const ConfigKey exec_keys[] = {
        { "Command", EXEC(command, command), .help = "The program and its arguments; no shell, one argument a word." },
        { "WorkingDirectory", EXEC(working_directory, template), .data = TEMPLATE_PLAIN,
          .help = "Where it runs; relative to the environment's directory, which it is unless it is said here." },
        { "Environment", EXEC(environment, templates), .data = TEMPLATE_PLAIN, .help = "NAME=VALUE, beside PATH, HOME, LANG and TAKT_*." },
        { "Input", EXEC(input, template), .data = TEMPLATE_PLAIN, .help = "What it reads from standard input." },
        { "Output", EXEC(output, choice), .choices = output_names, .default_value = "text", .help = "How its standard output is read." },
        { "MaxBytes", EXEC(max_bytes, size), .min = 1, .max = 1ULL << 30, .default_value = "1M",
          .help = "The most of its output that is kept; the rest is read and counted." },
        { "KillSignal", EXEC(kill_signal, signal), .default_value = "SIGTERM", .help = "What asks it to end." },
        { "KillAfterSec", EXEC(kill_after, span), .default_value = "10s", .help = "How long it has to end after that before it is killed." },
        { "SuccessExitStatus", EXEC(success, success), .help = "Exit statuses and signals that are no failure, beside 0." },
        { "UMask", EXEC(umask, umask), .default_value = "0022", .help = "The mode bits that files it makes don't get." },
        { "Nice", EXEC(nice, nice), .default_value = "0", .help = "Its scheduling priority, from -20 to 19." },
        { "Limit", EXEC(limits, limit), .help = "A resource limit such as NOFILE=1024 or CPU=10, soft:hard where they differ." },
        {},
};

static const ConfigSection exec_section = { "Exec", exec_keys, sizeof(ExecConfig) };

static const struct {
        const char *name;
        int resource;
} limit_names[] = {
        { "AS", RLIMIT_AS },         { "CORE", RLIMIT_CORE },     { "CPU", RLIMIT_CPU },         { "DATA", RLIMIT_DATA },
        { "FSIZE", RLIMIT_FSIZE },   { "LOCKS", RLIMIT_LOCKS },   { "MEMLOCK", RLIMIT_MEMLOCK }, { "NOFILE", RLIMIT_NOFILE },
        { "NPROC", RLIMIT_NPROC },   { "RTPRIO", RLIMIT_RTPRIO }, { "STACK", RLIMIT_STACK },
};

static int parse_rlim(const char *s, rlim_t *ret)
{
        uint64_t value;
        int r;

        if (streq(s, "infinity")) {
                *ret = RLIM_INFINITY;
                return 0;
        }
        r = parse_size(s, &value);
        if (r >= 0)
                *ret = value;
        return r;
}

static int parse_limit(_unused_ const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        _cleanup_free_ char *copy = strdup(value);
        LimitSet *set = target;
        SpawnLimit limit = { .resource = -1 };
        char *equals, *colon;

        if (!copy)
                return -ENOMEM;
        equals = strchr(copy, '=');
        if (!equals)
                return config_item_error(site->item, site->report, 0, "say which limit: NOFILE=1024");
        *equals = '\0';
        colon = strchr(equals + 1, ':');
        if (colon)
                *colon = '\0';
        for (size_t i = 0; i < ARRAY_SIZE(limit_names); i++)
                if (streq(limit_names[i].name, copy))
                        limit.resource = limit_names[i].resource;
        if (limit.resource < 0)
                return config_item_error(site->item, site->report, 0, "there is no limit '%s'; see setrlimit(2)", copy);
        if (parse_rlim(equals + 1, &limit.limit.rlim_cur) < 0 ||
            parse_rlim(colon ? colon + 1 : equals + 1, &limit.limit.rlim_max) < 0 ||
            limit.limit.rlim_cur > limit.limit.rlim_max)
                return config_item_error(site->item, site->report, (size_t)(equals + 1 - copy),
                                         "say a number, infinity, or SOFT:HARD with a soft limit that is no larger");
        if (set->n >= ARRAY_SIZE(set->limits))
                return config_item_error(site->item, site->report, 0, "given too often");
        set->limits[set->n++] = limit;
        return 0;
}

static void clear_limit(_unused_ const ConfigKey *key, void *target)
{
        *(LimitSet *)target = (LimitSet){};
}

static int exec_load(JobSpec *spec, void *config, const ConfigItems *items, ConfigReport *report)
{
        ExecConfig *c = config;

        if (!c->command)
                return config_items_error(items, report, "Exec", "Command", 0, "is missing");
        for (size_t i = 0; i < c->environment.n; i++) {
                const char *text = template_constant(c->environment.templates[i]);

                if (text && (!strchr(text, '=') || text[0] == '='))
                        return config_items_error(items, report, "Exec", "Environment", 0, "'%s' is not of the form NAME=VALUE", text);
        }
        if (spec->result.format != 0 && config_items_find(items, "Exec", "Output"))
                return config_items_error(items, report, "Result", "Format", 0, "[Exec] Output= says it already");
        return 0;
}

static int add_variable(StringList *list, const char *name, const char *value)
{
        _cleanup_free_ char *variable = value ? xasprintf("%s=%s", name, value) : NULL;

        if (!value)
                return 0;
        return variable ? string_list_append(list, variable) : -ENOMEM;
}

/* The environment's bin directories come first on PATH; nothing of the daemon's own leaks in. */
static int base_environment(Run *run, StringList *list)
{
        const Environment *e = run->services->environment;
        char number[24], time[REALTIME_ISO_MAX];
        _cleanup_free_ char *path = NULL;
        int r;

        path = e ? xasprintf("%s:%s", e->bin, EXEC_PATH) : strdup(EXEC_PATH);
        if (!path)
                return -ENOMEM;
        (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)run->id);
        r = add_variable(list, "PATH", path);
        if (r >= 0)
                r = add_variable(list, "HOME", getenv("HOME"));
        if (r >= 0)
                r = add_variable(list, "USER", getenv("USER"));
        if (r >= 0)
                r = add_variable(list, "LANG", getenv("LANG") ?: "C.UTF-8");
        if (r >= 0 && e)
                r = add_variable(list, "TAKT_ENV", e->path);
        if (r >= 0)
                r = add_variable(list, "TAKT_JOB", run->job->name);
        if (r >= 0)
                r = add_variable(list, "TAKT_RUN", number);
        if (r >= 0)
                r = add_variable(list, "TAKT_SCHEDULED", realtime_to_iso(run->scheduled_realtime ?: run->created_realtime, time));
        return r;
}

static int make_environment(Run *run, const ExecConfig *config, StringList *list)
{
        if (base_environment(run, list) < 0) {
                run_fail(run, "memory", "no memory for the environment");
                return -ENOMEM;
        }
        for (size_t i = 0; i < config->environment.n; i++) {
                _cleanup_buffer_ Buffer variable = BUFFER_NULL;

                if (run_expand(run, config->environment.templates[i], &variable) < 0)
                        return -EBADMSG;
                if (string_list_append(list, buffer_string(&variable)) < 0) {
                        run_fail(run, "memory", "no memory for the environment");
                        return -ENOMEM;
                }
        }
        return 0;
}

static void on_started(_unused_ SpawnedCommand *command, pid_t pid, void *userdata)
{
        ExecRun *state = userdata;

        state->pid = pid;
}

static void log_suppressed(Run *run, ExecRun *state)
{
        const LogField fields[] = { { "TAKT_JOB", run->job->name }, {} };

        if (state->log_suppressed > 0)
                log_at(LOG_INFO, fields, "%s: %llu more lines on standard error", run->job->name,
                       (unsigned long long)state->log_suppressed);
        state->log_suppressed = 0;
}

static void on_line(_unused_ SpawnedCommand *command, int fd, const char *line, size_t n, void *userdata)
{
        ExecRun *state = userdata;
        Run *run = run_from_state(state);
        usec_t now = clock_boottime(run->services->clock);
        char id[24];

        if (fd != 2)
                return;
        if (n > 0) {
                (void)snprintf(state->last_line, sizeof(state->last_line), "%.*s", (int)MIN(n, (size_t)EXEC_QUOTE_MAX), line);
        }
        if (now - state->log_second_boottime >= USEC_PER_SEC) {
                log_suppressed(run, state);
                state->log_second_boottime = now;
                state->log_lines = 0;
        }
        if (++state->log_lines > EXEC_LOG_LINES_A_SECOND) {
                state->log_suppressed++;
                return;
        }
        (void)snprintf(id, sizeof(id), "%llu", (unsigned long long)run->id);
        log_at(LOG_INFO, ((const LogField[]){ { "TAKT_JOB", run->job->name }, { "TAKT_RUN", id }, {} }), "%s[%s]: %.*s",
               run->job->name, id, (int)n, line);
}

static bool is_success(const ExecConfig *config, const SpawnExit *exit)
{
        if (exit->code == CLD_EXITED)
                return exit->status == 0 || (config->success.statuses[exit->status / 64] >> (exit->status % 64) & 1);
        return exit->status < 64 && (config->success.signals >> exit->status & 1);
}

static void set_details(Run *run, const ExecRun *state, const SpawnExit *exit, uint64_t dropped)
{
        run_set_details(run, xasprintf("{\"pid\":%d,\"%s\":%d,\"core\":%s,\"userUsec\":%llu,\"systemUsec\":%llu,"
                                       "\"maxResidentBytes\":%llu,\"droppedBytes\":%llu,\"outputCut\":%s}",
                                       (int)state->pid, exit->code == CLD_EXITED ? "exitStatus" : "signal", exit->status,
                                       exit->code == CLD_DUMPED ? "true" : "false", (unsigned long long)exit->user_usec,
                                       (unsigned long long)exit->system_usec, (unsigned long long)exit->max_resident,
                                       (unsigned long long)dropped, exit->truncated ? "true" : "false"));
}

static void fail_start(Run *run, const SpawnExit *exit)
{
        const ExecConfig *config = run_config(run);
        const char *program = template_constant(command_line_word(config->command, 0)) ?: "the command";

        if (exit->error == -EOWNERDEAD)
                run_fail(run, "helper-died", "takt-spawn died; the command was ended");
        else if (streq_ptr(exit->stage, "exec"))
                run_fail(run, "exec", "%s can't be executed: %s", program, strerror(-exit->error));
        else
                run_fail(run, "exec", "%s: %s", exit->stage ?: "start", strerror(-exit->error));
}

static void fail_exit(Run *run, const ExecRun *state, const SpawnExit *exit)
{
        const char *colon = state->last_line[0] ? ": " : "";

        if (exit->code == CLD_EXITED)
                run_fail(run, "exit-status", "exit status %d%s%s", exit->status, colon, state->last_line);
        else
                run_fail(run, "signal", "killed by SIG%s%s%s%s", sigabbrev_np(exit->status) ?: "?",
                         exit->code == CLD_DUMPED ? ", core dumped" : "", colon, state->last_line);
}

static void on_exited(SpawnedCommand *command, const SpawnExit *exit, void *userdata)
{
        ExecRun *state = userdata;
        Run *run = run_from_state(state);
        const ExecConfig *config = run_config(run);
        ResultFormat format = run_result_format(run, output_formats[config->output]);
        const Buffer *output = spawned_command_output(command, 1);
        uint64_t dropped = spawned_command_dropped(command, 1);

        log_suppressed(run, state);
        if (exit->error < 0) {
                fail_start(run, exit);
                return;
        }
        set_details(run, state, exit, dropped);
        if (state->stopped || !is_success(config, exit))
                fail_exit(run, state, exit);
        else if (dropped > 0 && (format == RESULT_JSON || format == RESULT_NUMBER))
                run_fail(run, "too-large", "the output has %llu bytes more than MaxBytes= allows", (unsigned long long)dropped);
        else
                run_finish_with_bytes(run, format, output ? buffer_string(output) : "", output ? output->len : 0);
}

static int make_directory(Run *run, const ExecConfig *config, char **ret)
{
        const Environment *e = run->services->environment;
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        _cleanup_free_ char *here = NULL;

        if (run_expand(run, config->working_directory, &text) < 0)
                return -EBADMSG;
        /* A script in no environment runs where it was called. */
        if (!e)
                here = get_current_dir_name();
        *ret = path_join(e ? environment_work_directory(e) : here ?: "/", buffer_string(&text));
        if (*ret)
                return 0;
        run_fail(run, "memory", "no memory for the command");
        return -ENOMEM;
}

static void exec_start(Run *run)
{
        static const SpawnCallbacks callbacks = { .started = on_started, .line = on_line, .exited = on_exited };
        const ExecConfig *config = run_config(run);
        ExecRun *state = run_state(run);
        _cleanup_(words_freep) char **argv = NULL;
        _cleanup_(string_list_deinit) StringList environment = {};
        _cleanup_buffer_ Buffer input = BUFFER_NULL;
        _cleanup_free_ char *directory = NULL, *mark = NULL;
        SpawnRequest request;
        int r;

        if (run_expand_command(run, config->command, &argv) < 0 || make_directory(run, config, &directory) < 0 ||
            make_environment(run, config, &environment) < 0 || run_expand(run, config->input, &input) < 0)
                return;
        mark = xasprintf("TAKT_RUN=%llu", (unsigned long long)run->id);
        if (!mark) {
                run_fail(run, "memory", "no memory for the command");
                return;
        }
        request = (SpawnRequest){
                .argv = argv,
                .environment = environment.strings,
                .directory = directory,
                .mark = mark,
                .input = { .mode = config->input ? SPAWN_BYTES : SPAWN_NULL, .data = input.data, .n = input.len },
                .output = { .mode = SPAWN_CAPTURE, .max_bytes = config->max_bytes },
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
        r = spawner_start(run->services->spawner, &request, &callbacks, state, &state->command);
        if (r < 0)
                run_fail(run, r == -EAGAIN ? "too-many-commands" : "exec", "the command could not be started: %s", strerror(-r));
}

static void exec_cancel(Run *run)
{
        ExecRun *state = run_state(run);

        state->stopped = true;
        spawned_command_stop(state->command);
}

static void exec_reset(Run *run)
{
        ExecRun *state = run_state(run);

        state->command = spawned_command_free(state->command);
}

const JobKind exec_kind = {
        .name = "exec",
        .help = "Runs a command.",
        .section = &exec_section,
        .load = exec_load,
        .run_size = sizeof(ExecRun),
        .start = exec_start,
        .cancel = exec_cancel,
        .reset = exec_reset,
};
