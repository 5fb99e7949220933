/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Runs as the verbs show them. */

#include "ctl/ctl.h"
#include "ctl/table.h"

#define RUN_COLUMNS 8
extern const TableColumn run_columns[RUN_COLUMNS];

/* A run, an io.takt.Runs.Run, as a row of a table with these columns. -ENOMEM. */
int run_add_row(const Ctl *ctl, Table *table, const JsonValue *run);

/* Whether the run has ended. */
bool run_is_final(const JsonValue *run);
/* The exit status that stands for the end of the run. */
int run_status(const JsonValue *run);
/* Says on standard error how a run that did not succeed ended. */
void run_print_failure(const JsonValue *run);
/* Its result on standard output: text as it is, all else as JSON, nothing for none. 0 or an exit status. */
int run_print_result(const Ctl *ctl, const JsonValue *run);

/* What names runs on the command line: ids, and jobs or patterns for their runs under way. */
typedef struct RunNames {
        int64_t *ids;
        size_t n_ids;
        const char **jobs;
        size_t n_jobs;
} RunNames;

#define RUN_NAMES_NULL ((RunNames){})
void run_names_deinit(RunNames *names);
/* 0, or an exit status. Words of digits are ids; one that is too large for any run is told of and left out. */
int run_names_parse(Ctl *ctl, char **args, size_t n, RunNames *ret);
static inline bool run_names_are_none(const RunNames *names)
{
        return names->n_ids == 0 && names->n_jobs == 0;
}
/* Adds the ids of the runs under way of the jobs named, and forgets these. 0 or an exit status. */
int run_names_resolve(Ctl *ctl, RunNames *names);
/* Adds the ids as the parameter "runs". */
void run_names_write(const RunNames *names, Params *params);
