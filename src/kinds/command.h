/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What kinds that run commands have in common: a command's surroundings, and what it says on standard error. */

#include "job/run.h"
#include "job/types.h"

/* Lines of standard error that a job may log a second; those beyond are counted. */
#define COMMAND_LOG_LINES_A_SECOND 10U
/* A line of standard error is quoted in an error up to here. */
#define COMMAND_QUOTE_MAX 200U

/*
 * The environment of RUN's command: PATH with the environment's bin directories first, HOME, USER, LANG,
 * TAKT_* and then VARIABLES; nothing else of the daemon's own leaks in. SHARED (NULL: not) is the name of
 * what serves other runs too, and so gets nothing of this one. On failure the run has ended.
 */
int command_environment(Run *run, const char *shared, const TemplateList *variables, StringList *ret);
/* DIRECTORY (NULL: not said) expanded and made absolute; the caller frees it. On failure the run has ended. */
int command_directory(Run *run, const Template *directory, char **ret);

/* How much the runs of a definition have logged of late; lives in its configuration. Zeroed: nothing. */
typedef struct CommandLog {
        usec_t second_boottime;
        unsigned n_lines;
        uint64_t n_suppressed;
} CommandLog;

/* Logs N bytes LINE of standard error with the job's fields. RUN_ID 0: of no run in particular. */
void command_log_line(CommandLog *log, Clock *clock, const char *job, uint64_t run_id, const char *line, size_t n);
/* Tells how many lines were not logged since it was told last. */
void command_log_flush(CommandLog *log, const char *job);
