/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Type=exec: what its start methods (exec-*.c, one file each) and exec.c share. */

#include "job/run.h"
#include "kinds/exec-config.h"

/* Functions as in JobKind; the state of each takes at most EXEC_RUN_SIZE_MAX bytes. */
typedef struct ExecMethod {
        bool (*is_prepared)(const Run *run); /* it needs no files of EnvironmentFile=; NULL: never */
        void (*start)(Run *run);
        int (*resume)(Run *run, void *survivor); /* NULL: what it began ends with the process */
        void (*cancel)(Run *run);
        char *(*details)(const Run *run); /* NULL: what it sets is up to date */
        void (*reset)(Run *run);
} ExecMethod;

#define EXEC_RUN_SIZE_MAX 224U

/* What the files of EnvironmentFile= say; for start(). */
const StringList *exec_assignments(Run *run);

extern const ExecMethod exec_by_pool;
extern const ExecMethod exec_by_spawn;
extern const ExecMethod exec_by_unit;

/* Runs of a job log within one limit, so it is kept where they meet. */
static inline CommandLog *exec_log(Run *run)
{
        ExecConfig *config = run->spec->config;

        return &config->log;
}
