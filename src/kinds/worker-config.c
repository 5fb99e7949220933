/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kinds/worker-config.h"

#include <signal.h>
#include <string.h>

#define WORKER(member, type_) .type = &config_type_##type_, .offset = offsetof(WorkerConfig, member)

static const ConfigKey worker_keys[] = {
        { "Command", WORKER(command, command), .help = "The program and its arguments; no shell, one argument a word." },
        { "WorkingDirectory", WORKER(working_directory, template), .data = TEMPLATE_PLAIN,
          .help = "Where it runs; relative to the environment's directory, which it is unless it is said here." },
        { "Environment", WORKER(environment, templates), .data = TEMPLATE_PLAIN, .help = "NAME=VALUE, beside PATH, HOME, LANG and TAKT_*." },
        { "EnvironmentFile", WORKER(environment_files, strings),
          .help = "A file of NAME=VALUE lines, in UTF-8 and 256K at most, which count over Environment=; relative to the environment's directory, after - it may be missing." },
        { "MaxBytes", WORKER(max_bytes, size), .min = 1, .max = 1ULL << 30, .default_value = "1M",
          .help = "The most bytes of a value; what is longer is dropped and counted." },
        { "MaxRate", WORKER(max_rate, unsigned), .min = 1, .max = 100000, .default_value = "100",
          .help = "The most values a second; those beyond are dropped and counted." },
        { "MaxUnsent", WORKER(max_unsent, size), .min = 1, .max = 1ULL << 30, .default_value = "1M",
          .help = "The most bytes that were sent to it and wait until it reads them; more are refused." },
        { "MaxRequests", WORKER(max_requests, unsigned), .max = UINT32_MAX, .default_value = "0",
          .help = "After so many values that were sent to it, its process is replaced; 0: never." },
        { "IdleSec", WORKER(idle, span), .default_value = "infinity",
          .help = "When no value went either way for so long, its input is closed." },
        { "StaleSec", WORKER(stale, span), .default_value = "infinity",
          .help = "When it gave no value for so long, that is told as an event." },
        { "ExitType", WORKER(process.exit_type, choice), .choices = process_exit_types, .default_value = "main", .help = PROCESS_EXIT_TYPE_HELP },
        { "KillMode", WORKER(process.kill_mode, choice), .choices = process_kill_modes, .default_value = "control-group",
          .help = PROCESS_KILL_MODE_HELP },
        { "KillSignal", WORKER(process.kill_signal, signal), .default_value = "SIGTERM", .help = "What asks it to end." },
        { "KillAfterSec", WORKER(process.kill_after, span), .default_value = "10s", .help = "How long it has to end after that before it is killed." },
        { "SuccessExitStatus", WORKER(success, success), .help = "Exit statuses and signals that are no failure, beside 0." },
        { "UMask", WORKER(process.umask, umask), .default_value = "0022", .help = "The mode bits that files it makes don't get." },
        { "Nice", WORKER(process.nice, nice), .default_value = "0", .help = "Its scheduling priority, from -20 to 19." },
        { "Limit", WORKER(process.limits, limit), .help = "A resource limit such as NOFILE=1024 or CPU=10, soft:hard where they differ." },
        {},
};

const ConfigSection worker_section = { "Worker", worker_keys, sizeof(WorkerConfig) };

static bool waits_before_kill(const JobSpec *spec)
{
        const WorkerConfig *c = spec->config;

        return c->process.kill_signal != SIGKILL;
}

const KeyNeed worker_needs[] = {
        { "KillAfterSec", waits_before_kill, "KillSignal= is SIGKILL already", "KillSignal" },
        {},
};

int worker_config_load(JobSpec *spec, void *config, const ConfigItems *items, ConfigReport *report)
{
        WorkerConfig *c = config;
        int r;

        if (!c->command)
                return config_items_error(items, report, "Worker", "Command", 0, "is missing");
        if (spec->result.format > 1)
                return config_items_contradiction(items, report, "Result", "Format", "Job", "Type", "what a worker gives is JSON, a value a line");
        if (spec->result.filter.program)
                return config_items_contradiction(items, report, "Result", "Filter", "Job", "Type",
                                                  "is not for a worker's values, which come before its end; let it give what is wanted");
        r = command_check_environment(spec, &c->environment, "Worker", items, report);
        return r < 0 ? r : command_note_mentions(spec, &(CommandMentions){
                .section = "Worker",
                .command = c->command,
                .directory = c->working_directory,
                .environment = &c->environment,
                .environment_files = &c->environment_files,
        }, items);
}

unsigned worker_events(const void *config)
{
        const WorkerConfig *c = config;
        bool becomes_stale = c->stale > 0 && c->stale != USEC_INFINITY;

        return EVENT_BIT(EVENT_PROGRESS) | EVENT_BIT(EVENT_YIELD) |
               (becomes_stale ? EVENT_BIT(EVENT_STALE) | EVENT_BIT(EVENT_FRESH) : 0);
}
