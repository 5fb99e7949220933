/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What kinds that run commands have in common: a command's surroundings, and what it says on standard error. */

#include "job/run.h"
#include "job/types.h"
#include "process/spawner.h"

/* Lines of standard error that a job may log a second; those beyond are counted. */
#define COMMAND_LOG_LINES_A_SECOND 10U
/* A line of standard error is quoted in an error up to here. */
#define COMMAND_QUOTE_MAX 200U

/* For load(): VARIABLES of SECTION are NAME=VALUE; what looks like a secret is noted. Errors as in kind->load(). */
int command_check_environment(JobSpec *spec, const TemplateList *variables, const char *section, const ConfigItems *items,
                              ConfigReport *report);

/* What a command's section names, for command_note_mentions(). */
typedef struct CommandMentions {
        const char *section;
        const CommandLine *command;
        const Template *directory;           /* NULL: not said */
        const TemplateList *environment;
        const StringList *environment_files; /* a "-" first: it may be missing */
        bool foreign;                        /* the service manager starts it */
} CommandMentions;

/* For load(): notes the program, the directory and the files, as far as they are the same for all runs. -ENOMEM. */
int command_note_mentions(JobSpec *spec, const CommandMentions *command, const ConfigItems *items);

struct Environment;

/* PATH of commands that say nothing else. ENVIRONMENT may be NULL. The caller frees it; NULL: no memory. */
char *command_default_path(const struct Environment *environment);

/* As command_environment() without variables. -ENOMEM. */
int command_base_environment(Run *run, const char *shared, StringList *ret);
/* Where commands run that say nothing else; the caller frees it. ENVIRONMENT may be NULL. NULL: no memory. */
char *command_default_directory(const struct Environment *environment);

/*
 * The environment of RUN's command: PATH with the environment's bin directories first, HOME, USER, LANG,
 * TAKT_*, then VARIABLES and ASSIGNMENTS (of EnvironmentFile=: environment-fetch.h); nothing else of the daemon's
 * own leaks in. SHARED (NULL: not) is the name of what serves other runs too, and so gets nothing of this one. On
 * failure the run has ended.
 */
int command_environment(Run *run, const char *shared, const TemplateList *variables, const StringList *assignments,
                        StringList *ret);
/* The part of it that the job says, over what LIST has already. */
int command_add_environment(Run *run, const TemplateList *variables, const StringList *assignments, StringList *list);
/* DIRECTORY (NULL: not said) expanded and made absolute; the caller frees it. On failure the run has ended. */
int command_directory(Run *run, const Template *directory, char **ret);

/* Ends RUN as failed: its command LINE could not be started, as EXIT says. */
void command_fail_start(Run *run, const CommandLine *line, const SpawnExit *exit);
/* Ends RUN as failed: its command ended as EXIT says. LAST_LINE of its standard error is quoted; "" for none. */
void command_fail_exit(Run *run, const SpawnExit *exit, const char *last_line);

/* How much the runs of a definition have logged of late; lives in its configuration. Zeroed: nothing. */
typedef struct CommandLog {
        usec_t second_boottime;
        unsigned n_lines;
        uint64_t n_suppressed;
        bool told_left; /* that commands leave processes behind */
} CommandLog;

/* Logs N bytes LINE of standard error with the job's fields. RUN_ID 0: of no run in particular. */
void command_log_line(CommandLog *log, Clock *clock, const char *job, uint64_t run_id, const char *line, size_t n);
/*
 * The command of RUN has left LEFT processes, which are ended: the first time of a definition that is told, in the words
 * of the keys of SECTION.
 */
void command_log_left(CommandLog *log, const Run *run, const char *section, unsigned left);
/* Tells how many lines were not logged since it was told last. */
void command_log_flush(CommandLog *log, const char *job);
