/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The keys of [Exec]. */

#include "job/key-need.h"
#include "job/spec.h"
#include "job/types.h"
#include "kinds/command.h"
#include "process/spawner.h"
#include "result/result.h"

typedef struct ExitStatusSet {
        uint64_t statuses[4]; /* a bit an exit status */
        uint64_t signals;     /* a bit a signal */
} ExitStatusSet;

typedef struct LimitSet {
        SpawnLimit limits[RLIM_NLIMITS];
        size_t n;
} LimitSet;

/* What every process of a command has, however it is started. */
typedef struct ProcessSettings {
        int umask;
        int nice;
        LimitSet limits;
        int exit_type;   /* SpawnExitType */
        int kill_mode;   /* SpawnKillMode */
        int kill_signal; /* signal number */
        usec_t kill_after;
} ProcessSettings;

/* REQUEST points to the limits in SETTINGS afterwards. */
void process_settings_apply(const ProcessSettings *settings, SpawnRequest *request);

typedef enum ExecStartMethod {
        EXEC_SPAWN, /* a process a run */
        EXEC_POOL,  /* a pool of processes that take one run after another */
        EXEC_UNIT,  /* a transient service of systemd a run */
        _EXEC_START_METHOD_MAX,
} ExecStartMethod;

typedef enum ExecProtocol {
        EXEC_PROTOCOL_JSON,  /* an object a line, with an id that the answer repeats */
        EXEC_PROTOCOL_LINES, /* a line of the job's own for a line */
} ExecProtocol;

/* Keys of StartMethod=pool. */
typedef struct ExecPoolConfig {
        int protocol;       /* ExecProtocol */
        unsigned processes; /* 0: as many as there are processors */
        unsigned min_processes;
        unsigned max_queued;
        unsigned max_requests;
        usec_t idle;
} ExecPoolConfig;

typedef struct ExecConfig {
        int start_method; /* ExecStartMethod */
        ExecPoolConfig pool;
        CommandLine *command;
        Template *working_directory;
        TemplateList environment;
        StringList environment_files; /* a "-" first: it may be missing */
        Template *input;      /* Input= or … */
        Template *input_json; /* … InputJson= */
        int output; /* index of exec_output_formats */
        uint64_t max_bytes;
        ExitStatusSet success;
        ProcessSettings process;
        StringList unit_keys;  /* User=, MemoryMax= and their like, NAME=VALUE each */
        StringList properties; /* Property= */

        /* Not read from a file: what the runs of this definition share. */
        CommandLog log;
        struct SharedPool *shared_pool; /* NULL: none was needed so far */
} ExecConfig;

/* What the command reads; NULL: nothing. */
static inline const Template *exec_config_input(const ExecConfig *config)
{
        return config->input_json ?: config->input;
}

extern const ConfigSection exec_section;
extern const KeyNeed exec_needs[];

/* By the choices of Output=. */
extern const ResultFormat exec_output_formats[];

/* What ExitType= and KillMode= may be, for [Worker] as well. */
extern const char *const process_exit_types[];
extern const char *const process_kill_modes[];
#define PROCESS_EXIT_TYPE_HELP \
        "Whether the run ends with the process that was started (main), or with the last one of those that belong to it (cgroup)."
#define PROCESS_KILL_MODE_HELP \
        "Who is told to end with the run: all its processes (control-group), the main one, and the others are killed after it (mixed), " \
        "or the main one alone, and the others go on (process)."

/* The types of keys that [Worker] has as well. */
extern const ConfigType config_type_signal;  /* int */
extern const ConfigType config_type_success; /* ExitStatusSet */
extern const ConfigType config_type_umask;   /* int */
extern const ConfigType config_type_nice;    /* int */
extern const ConfigType config_type_limit;   /* LimitSet */

int exec_config_load(JobSpec *spec, void *config, const ConfigItems *items, ConfigReport *report);

void exec_config_unload(void *config);

/* Whether a command that ended so did well, by SuccessExitStatus=. */
bool exit_status_is_success(const ExitStatusSet *set, const SpawnExit *exit);
