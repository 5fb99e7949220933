/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Condition= of a job: a filter expression of JSONPath, asked of each new run about the object
 *
 *      {"trigger": …, "params": {…}, "event": {…} or null, "last": {…}}
 *
 * with the outputs of the job's last run that succeeded.
 */

#include "config/key.h"
#include "json/path.h"

typedef struct Run Run;

typedef struct JobCondition {
        JsonCondition *compiled; /* NULL: there is none */
        char *text;
} JobCondition;

/* JobCondition */
extern const ConfigType config_type_condition;

/* Whether RUN may begin. -E2BIG: the limits of json/path.h; -ENOMEM. */
int job_condition_test(const JobCondition *condition, const Run *run, bool *ret);
