/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The warnings of a definition. It keeps them as long as it lives, for those who ask about its job. They are found
 * anew at each load, as they hang on what else there is; the definition that stays in force then takes over those of
 * the one that was read and is equal to it. So they are shared, and what is found later is seen by both. They
 * lie in the order of their files and places, whichever was found first.
 */

#include "config/report.h"

#define JOB_WARNINGS_MAX 16U /* that a definition keeps; the others are counted */

typedef struct JobWarnings {
        unsigned n_ref;
        ConfigReport report; /* warnings only */
} JobWarnings;

/* NULL: no memory. */
JobWarnings *job_warnings_new(void);
JobWarnings *job_warnings_ref(JobWarnings *warnings);
/* Accepts NULL. */
JobWarnings *job_warnings_unref(JobWarnings *warnings);

/* Adds "KEY=: MESSAGE" at this place. False: it is one too many, and was counted only. */
bool job_warnings_add(JobWarnings *warnings, const char *file, unsigned line, unsigned column, const char *key,
                      const char *message);
/* Adds a copy; false as above. */
bool job_warnings_add_copy(JobWarnings *warnings, const ConfigProblem *problem);
