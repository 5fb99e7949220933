/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What is wrong with configuration files: a capped list of problems with their places. An error makes a file useless;
 * a warning tells of what is legal and surely not meant, and the file is used all the same.
 */

#include "base/buffer.h"

#define CONFIG_MAX_PROBLEMS 100U /* errors of a report … */
#define CONFIG_MAX_WARNINGS 100U /* … and warnings, which take no error's place */
#define CONFIG_MESSAGE_MAX_BYTES 500U /* a longer message is cut in its middle: the end says what would be right */

typedef enum ConfigSeverity {
        CONFIG_ERROR,
        CONFIG_WARNING,
        _CONFIG_SEVERITY_MAX,
} ConfigSeverity;

typedef struct ConfigProblem {
        ConfigSeverity severity;
        char *file;
        unsigned line;   /* from 1; 0: the file as a whole */
        unsigned column; /* in characters, from 1; 0: the line as a whole */
        char *message;
} ConfigProblem;

typedef struct ConfigReport {
        ConfigProblem *problems;
        size_t n;
        size_t n_warnings; /* of these */
        size_t n_dropped;  /* errors past CONFIG_MAX_PROBLEMS, or for want of memory … */
        size_t n_dropped_warnings; /* … and warnings past CONFIG_MAX_WARNINGS */
} ConfigReport;

#define CONFIG_REPORT_NULL ((ConfigReport){})
void config_report_deinit(ConfigReport *report);

/* Adds a problem. Returns -EBADMSG, so that `return config_report_add(…)` reads as one step. */
int config_report_add(ConfigReport *report, const char *file, unsigned line, unsigned column, const char *format, ...)
        _printf_(5, 6);

/* Adds a warning. */
void config_report_warn(ConfigReport *report, const char *file, unsigned line, unsigned column, const char *format, ...)
        _printf_(5, 6);
/* Adds a copy of PROBLEM, be it an error or a warning. */
void config_report_add_copy(ConfigReport *report, const ConfigProblem *problem);
/* Puts the problems in the order of their files and places. */
void config_report_sort(ConfigReport *report);

/* "error" or "warning". */
const char *config_severity_to_string(ConfigSeverity severity);
/* "FILE:LINE:COLUMN: MESSAGE", with the zero parts left out and "warning: " before the message of one. */
int config_problem_format(const ConfigProblem *problem, Buffer *out);
