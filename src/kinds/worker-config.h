/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The keys of [Worker]. */

#include "kinds/exec-config.h"

typedef struct WorkerConfig {
        CommandLine *command;
        Template *working_directory;
        TemplateList environment;
        StringList environment_files; /* a "-" first: it may be missing */
        uint64_t max_bytes;   /* of a line that it prints */
        unsigned max_rate;    /* values a second */
        uint64_t max_unsent;  /* bytes that wait until it reads them */
        unsigned max_requests; /* values sent to a process; 0: no limit */
        usec_t idle;          /* 0 and USEC_INFINITY: never */
        usec_t stale;
        ExitStatusSet success;
        ProcessSettings process;

        CommandLog log; /* not read from a file: what the runs said of late */
} WorkerConfig;

extern const ConfigSection worker_section;
extern const KeyNeed worker_needs[];

/* As events() of a kind. */
unsigned worker_events(const void *config);

int worker_config_load(JobSpec *spec, void *config, const ConfigItems *items, ConfigReport *report);
