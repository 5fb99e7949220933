/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Jobs that run other jobs: whether one would run itself in the end. */

#include "job/spec.h"

/* The definition of the job NAME; NULL where there is none. */
typedef JobSpec *(*JobLookup)(const char *name, void *userdata);

/*
 * Looks whether SPEC lies on a cycle of references among what LOOKUP knows. -EBADMSG: it does, and
 * REPORT has the place of the reference with the path of the shortest such cycle; -ENOMEM.
 */
int job_references_check(JobSpec *spec, JobLookup lookup, void *userdata, ConfigReport *report);
