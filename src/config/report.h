/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What is wrong with configuration files: a capped list of problems with their places. */

#include "base/buffer.h"

#define CONFIG_MAX_PROBLEMS 100U
#define CONFIG_MESSAGE_MAX_BYTES 500U /* a longer message is cut in its middle: the end says what would be right */

typedef struct ConfigProblem {
        char *file;
        unsigned line;   /* from 1; 0: the file as a whole */
        unsigned column; /* in characters, from 1; 0: the line as a whole */
        char *message;
} ConfigProblem;

typedef struct ConfigReport {
        ConfigProblem *problems;
        size_t n;
        size_t n_dropped; /* past CONFIG_MAX_PROBLEMS, or for want of memory */
} ConfigReport;

#define CONFIG_REPORT_NULL ((ConfigReport){})
void config_report_deinit(ConfigReport *report);

/* Adds a problem. Returns -EBADMSG, so that `return config_report_add(…)` reads as one step. */
int config_report_add(ConfigReport *report, const char *file, unsigned line, unsigned column, const char *format, ...)
        _printf_(5, 6);

/* "FILE:LINE:COLUMN: MESSAGE", with the zero parts left out. */
int config_problem_format(const ConfigProblem *problem, Buffer *out);
