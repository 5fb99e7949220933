/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kinds/exec-config.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/string-util.h"
#include "process/pool-set.h"
#include "process/unit-property.h"

#define EXEC_POOL_QUEUED_MAX 100000U
#define EXEC_PROPERTIES_MAX 256U

/* In the order of ExecStartMethod and ExecProtocol. */
static const char *const start_methods[] = { "spawn", "pool", "unit", NULL };
static const char *const protocols[] = { "json", "lines", NULL };
/* In the order of SpawnExitType and SpawnKillMode. */
const char *const process_exit_types[] = { "main", "cgroup", NULL };
const char *const process_kill_modes[] = { "control-group", "mixed", "process", NULL };
static const char *const output_names[] = { "json", "text", "lines", "number", "none", NULL };
const ResultFormat exec_output_formats[] = { RESULT_JSON, RESULT_TEXT, RESULT_LINES, RESULT_NUMBER, RESULT_NONE };

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

const ConfigType config_type_signal = { .metavar = "SIGNAL", .parse = parse_signal };
const ConfigType config_type_success = { .metavar = "STATUS…", .repeatable = true, .parse = parse_success, .clear = clear_success };
const ConfigType config_type_umask = { .metavar = "MODE", .parse = parse_umask };
const ConfigType config_type_nice = { .metavar = "NUMBER", .parse = parse_nice };
const ConfigType config_type_limit = { .metavar = "LIMIT=NUMBER", .repeatable = true, .parse = parse_limit, .clear = clear_limit };

static int add_property(const char *assignment, const ConfigSite *site, StringList *list)
{
        _cleanup_free_ char *error = NULL;
        int r = unit_property_append(NULL, assignment, &error);

        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return config_item_error(site->item, site->report, 0, "%s", error ?: "can't be passed on");
        if (list->n >= EXEC_PROPERTIES_MAX)
                return config_item_error(site->item, site->report, 0, "given too often");
        return string_list_append(list, assignment);
}

static int parse_properties(_unused_ const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        return add_property(value, site, target);
}

static void clear_properties(_unused_ const ConfigKey *key, void *target)
{
        string_list_deinit(target);
}

static void clear_property(const ConfigKey *key, void *target)
{
        size_t n = strlen(key->name), kept = 0;
        StringList *list = target;

        for (size_t i = 0; i < list->n; i++)
                if (strncmp(list->strings[i], key->name, n) == 0 && list->strings[i][n] == '=')
                        free(list->strings[i]);
                else
                        list->strings[kept++] = list->strings[i];
        list->n = kept;
        if (kept == 0)
                string_list_deinit(list);
        else
                list->strings[kept] = NULL;
}

/* "MemoryMax=1G" is what "Property=MemoryMax=1G" is, but that the last one counts. */
static int parse_property(const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        _cleanup_free_ char *assignment = xasprintf("%s=%s", key->name, value);

        if (!assignment)
                return -ENOMEM;
        clear_property(key, target);
        return add_property(assignment, site, target);
}

static const ConfigType config_type_property = { .metavar = "VALUE", .parse = parse_property, .clear = clear_property };
static const ConfigType config_type_properties = {
        .metavar = "NAME=VALUE", .repeatable = true, .parse = parse_properties, .clear = clear_properties,
};

#define EXEC(member, type_) .type = &config_type_##type_, .offset = offsetof(ExecConfig, member)

static const ConfigKey exec_keys[] = {
        { "Command", EXEC(command, command), .help = "The program and its arguments; no shell, one argument a word." },
        { "StartMethod", EXEC(start_method, choice), .choices = start_methods, .default_value = "spawn",
          .help = "Whether each run has a process of its own (spawn), processes are kept that take one run after another (pool), "
                  "or each run is a transient service of systemd (unit)." },
        { "WorkingDirectory", EXEC(working_directory, template), .data = TEMPLATE_PLAIN,
          .help = "Where it runs; relative to the environment's directory, which it is unless it is said here." },
        { "Environment", EXEC(environment, templates), .data = TEMPLATE_PLAIN, .help = "NAME=VALUE, beside PATH, HOME, LANG and TAKT_*." },
        { "EnvironmentFile", EXEC(environment_files, strings),
          .help = "A file of NAME=VALUE lines, in UTF-8 and 256K at most, which count over Environment=; relative to the environment's directory, after - it may be missing." },
        { "Input", EXEC(input, template), .data = TEMPLATE_PLAIN, .help = "What it reads from standard input." },
        { "InputJson", EXEC(input_json, template), .data = TEMPLATE_JSON, .help = "A JSON text that it reads from standard input." },
        { "Output", EXEC(output, choice), .choices = output_names, .default_value = "text", .help = "How its standard output is read." },
        { "MaxBytes", EXEC(max_bytes, size), .min = 1, .max = 1ULL << 30, .default_value = "1M",
          .help = "The most of its output that is kept; the rest is read and counted." },
        { "ExitType", EXEC(process.exit_type, choice), .choices = process_exit_types, .default_value = "main", .help = PROCESS_EXIT_TYPE_HELP },
        { "KillMode", EXEC(process.kill_mode, choice), .choices = process_kill_modes, .default_value = "control-group",
          .help = PROCESS_KILL_MODE_HELP },
        { "KillSignal", EXEC(process.kill_signal, signal), .default_value = "SIGTERM", .help = "What asks it to end." },
        { "KillAfterSec", EXEC(process.kill_after, span), .default_value = "10s", .help = "How long it has to end after that before it is killed." },
        { "SuccessExitStatus", EXEC(success, success), .help = "Exit statuses and signals that are no failure, beside 0." },
        { "UMask", EXEC(process.umask, umask), .default_value = "0022", .help = "The mode bits that files it makes don't get." },
        { "Nice", EXEC(process.nice, nice), .default_value = "0", .help = "Its scheduling priority, from -20 to 19." },
        { "Limit", EXEC(process.limits, limit), .help = "A resource limit such as NOFILE=1024 or CPU=10, soft:hard where they differ." },
        { "Protocol", EXEC(pool.protocol, choice), .choices = protocols, .default_value = "json",
          .help = "What a process of a pool reads and writes, a line each: objects with an id (json), or Input= and the output (lines)." },
        { "Processes", EXEC(pool.processes, unsigned), .min = 1, .max = POOL_MAX_PROCESSES,
          .help = "The most processes of a pool, which are started when needed; as many as there are processors, unless it is said." },
        { "MinProcesses", EXEC(pool.min_processes, unsigned), .max = POOL_MAX_PROCESSES, .default_value = "0",
          .help = "Processes of a pool that are kept ready from the first run on." },
        { "MaxQueued", EXEC(pool.max_queued, unsigned), .max = EXEC_POOL_QUEUED_MAX, .default_value = "1000",
          .help = "Runs that may wait for a process of the pool; others fail with pool-full." },
        { "MaxRequests", EXEC(pool.max_requests, unsigned), .max = UINT32_MAX, .default_value = "0",
          .help = "After so many runs a process of a pool is replaced; 0: never." },
        { "IdleSec", EXEC(pool.idle, span), .default_value = "1min",
          .help = "A process of a pool above MinProcesses= that had nothing to do for so long is ended; infinity: never." },
        { "User", EXEC(unit_keys, property), .help = "The user that a unit runs as; root, or the user whose systemd it is, unless it is said." },
        { "Group", EXEC(unit_keys, property), .help = "The group that a unit runs as." },
        { "MemoryMax", EXEC(unit_keys, property), .help = "The most memory of a unit, such as 512M; what takes more is killed." },
        { "CPUQuota", EXEC(unit_keys, property), .help = "The processor time of a unit, such as 50% of one processor." },
        { "TasksMax", EXEC(unit_keys, property), .help = "The most processes and threads of a unit." },
        { "Property", EXEC(properties, properties), .help = "NAME=VALUE, a property of a unit as its unit file would have it." },
        {},
};

static bool waits_before_kill(const JobSpec *spec)
{
        const ExecConfig *c = spec->config;

        return c->process.kill_signal != SIGKILL;
}

static bool may_end_idle_processes(const JobSpec *spec)
{
        const ExecConfig *c = spec->config;

        return c->pool.min_processes < c->pool.processes;
}

const KeyNeed exec_needs[] = {
        { "KillAfterSec", waits_before_kill, "KillSignal= is SIGKILL already", "KillSignal" },
        { "IdleSec", may_end_idle_processes, "MinProcesses= is as many as Processes=, and so all are kept", "MinProcesses" },
        {},
};

const ConfigSection exec_section = { "Exec", exec_keys, sizeof(ExecConfig) };

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
        /* The last one counts, as one may not be raised again. */
        for (size_t i = 0; i < set->n; i++)
                if (set->limits[i].resource == limit.resource) {
                        set->limits[i] = limit;
                        return 0;
                }
        if (set->n >= ARRAY_SIZE(set->limits))
                return config_item_error(site->item, site->report, 0, "given too often");
        set->limits[set->n++] = limit;
        return 0;
}

static void clear_limit(_unused_ const ConfigKey *key, void *target)
{
        *(LimitSet *)target = (LimitSet){};
}

/* The first key of a table that the job's start method does not know. */
static int check_foreign_keys(const ExecConfig *c, const ConfigItems *items, ConfigReport *report)
{
        enum { SPAWN = 1 << EXEC_SPAWN, POOL = 1 << EXEC_POOL, UNIT = 1 << EXEC_UNIT };
        static const struct {
                const char *key;
                unsigned methods;
        } keys[] = {
                { "Protocol", POOL },    { "Processes", POOL },  { "MinProcesses", POOL },
                { "MaxQueued", POOL },   { "MaxRequests", POOL }, { "IdleSec", POOL },
                { "User", UNIT },        { "Group", UNIT },      { "MemoryMax", UNIT },
                { "CPUQuota", UNIT },    { "TasksMax", UNIT },   { "Property", UNIT },
                { "SuccessExitStatus", SPAWN | UNIT }, { "ExitType", SPAWN | UNIT }, { "KillMode", SPAWN | UNIT },
        };
        unsigned mine = 1U << c->start_method;

        for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
                if (!(keys[i].methods & mine) && config_items_find(items, "Exec", keys[i].key))
                        return config_items_contradiction(items, report, "Exec", keys[i].key, "Exec", "StartMethod",
                                                          "belongs to StartMethod=%s",
                                                          keys[i].methods & POOL    ? "pool"
                                                          : keys[i].methods & SPAWN ? "spawn or unit"
                                                                                    : "unit");
        return 0;
}

/* A process serves many runs: what it is started with can't be of one of them. */
static int check_pool_constant(const ExecConfig *c, const ConfigItems *items, ConfigReport *report)
{
        static const char why[] = "differs from run to run, and a process of a pool serves many; give it as a parameter";

        for (size_t i = 0; i < command_line_size(c->command); i++)
                if (template_varies(command_line_word(c->command, i)))
                        return config_items_error(items, report, "Exec", "Command", 0, why);
        for (size_t i = 0; i < c->environment.n; i++)
                if (template_varies(c->environment.templates[i]))
                        return config_items_error(items, report, "Exec", "Environment", 0, why);
        if (c->working_directory && template_varies(c->working_directory))
                return config_items_error(items, report, "Exec", "WorkingDirectory", 0, why);
        return 0;
}

static int load_pool(const JobSpec *spec, ExecConfig *c, const ConfigItems *items, ConfigReport *report)
{
        long cpus = sysconf(_SC_NPROCESSORS_ONLN);

        if (c->pool.processes > 1 && spec->schedule.overlap != OVERLAP_PARALLEL && !job_name_instance(spec->name))
                return config_items_contradiction(items, report, "Exec", "Processes", "Schedule", "Overlap",
                                                  "one process is all that can be used: runs of this job don't overlap; say [Schedule] Overlap=parallel");
        if (c->pool.processes == 0)
                c->pool.processes = MAX(MIN((unsigned)MAX(cpus, 1L), POOL_MAX_PROCESSES), c->pool.min_processes);
        if (c->pool.min_processes > c->pool.processes)
                return config_items_contradiction(items, report, "Exec", "MinProcesses", "Exec", "Processes",
                                                  "is more than Processes=%u", c->pool.processes);
        if (c->pool.protocol == EXEC_PROTOCOL_JSON && config_items_find(items, "Exec", "Output"))
                return config_items_contradiction(items, report, "Exec", "Output", "Exec", "Protocol", "Protocol=json says it already: the member result");
        if (c->pool.protocol == EXEC_PROTOCOL_JSON && spec->result.format > 1)
                return config_items_contradiction(items, report, "Result", "Format", "Exec", "Protocol", "[Exec] Protocol=json says it already: JSON");
        return check_pool_constant(c, items, report);
}

/* User= and Group=; with DynamicUser= the service manager makes them. */
static int note_users(JobSpec *spec, const ExecConfig *c, const ConfigItems *items)
{
        static const struct {
                const char *key;
                MentionType type;
        } keys[] = { { "User", MENTION_USER }, { "Group", MENTION_GROUP } };
        int r = 0;

        for (size_t i = 0; i < c->properties.n; i++)
                if (startswith(c->properties.strings[i], "DynamicUser="))
                        return 0;
        for (size_t i = 0; i < ARRAY_SIZE(keys) && r >= 0; i++) {
                const ConfigItem *item = config_items_find(items, "Exec", keys[i].key);

                if (item && item->value[0])
                        r = job_spec_mention(spec, &(Mention){ .type = keys[i].type, .key = keys[i].key, .name = item->value }, item, 0);
        }
        return r;
}

static int note_mentions(JobSpec *spec, const ExecConfig *c, const ConfigItems *items)
{
        int r = note_users(spec, c, items);

        return r < 0 ? r : command_note_mentions(spec, &(CommandMentions){
                .section = "Exec",
                .command = c->command,
                .directory = c->working_directory,
                .environment = &c->environment,
                .environment_files = &c->environment_files,
                .foreign = c->start_method == EXEC_UNIT,
        }, items);
}

int exec_config_load(JobSpec *spec, void *config, const ConfigItems *items, ConfigReport *report)
{
        ExecConfig *c = config;
        int r;

        if (!c->command)
                return config_items_error(items, report, "Exec", "Command", 0, "is missing");
        r = command_check_environment(spec, &c->environment, "Exec", items, report);
        if (r < 0)
                return r;
        if (c->input && c->input_json)
                return config_items_contradiction(items, report, "Exec", "InputJson", "Exec", "Input", "there can be one input only, of Input= and InputJson=");
        if (spec->result.format != 0 && config_items_find(items, "Exec", "Output"))
                return config_items_contradiction(items, report, "Result", "Format", "Exec", "Output", "[Exec] Output= says it already");
        r = check_foreign_keys(c, items, report);
        if (r >= 0 && c->start_method == EXEC_POOL)
                r = load_pool(spec, c, items, report);
        return r < 0 ? r : note_mentions(spec, c, items);
}

void exec_config_unload(void *config)
{
        ExecConfig *c = config;

        c->shared_pool = shared_pool_release(c->shared_pool);
}

void process_settings_apply(const ProcessSettings *settings, SpawnRequest *request)
{
        request->set_umask = true;
        request->umask = (mode_t)settings->umask;
        request->set_nice = settings->nice != 0;
        request->nice = settings->nice;
        request->limits = settings->limits.limits;
        request->n_limits = settings->limits.n;
        request->exit_type = (SpawnExitType)settings->exit_type;
        request->kill_mode = (SpawnKillMode)settings->kill_mode;
        request->kill_signal = settings->kill_signal;
        request->kill_after = settings->kill_after;
}

bool exit_status_is_success(const ExitStatusSet *set, const SpawnExit *exit)
{
        if (exit->code == CLD_EXITED)
                return exit->status == 0 || (set->statuses[exit->status / 64] >> (exit->status % 64) & 1);
        return exit->status < 64 && (set->signals >> exit->status & 1);
}
