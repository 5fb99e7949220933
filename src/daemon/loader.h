/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Reads the job directory in steps, so that ten thousand files don't hold the loop up, and then
 * compares what it read with the jobs that are loaded, in steps as well: a template may have a million
 * instances.
 */

#include "job/resource.h"
#include "job/spec.h"
#include "sched/scheduler.h"

#define JOBS_MAX 1000000U /* files of one directory */

typedef struct Loader Loader;

typedef struct LoaderCounts {
        unsigned added, changed, removed, unchanged, refused;
} LoaderCounts;

/* Lists DIRECTORY (copied); one that is missing is empty where MAY_BE_MISSING, else -ENOENT. RESOURCES (borrowed) are those that jobs may use. -errno where it can't be read, -E2BIG above JOBS_MAX. */
int loader_new(const char *directory, bool may_be_missing, const ResourceSet *resources, Loader **ret);
Loader *loader_free(Loader *loader);
DEFINE_CLEANUP(Loader *, loader_free);

/* Reads files, and the names of instances, for about BUDGET (USEC_INFINITY: all). 1 all are read, 0 there are more, -ENOMEM. */
int loader_step(Loader *loader, Clock *clock, usec_t budget);

/* Whether loader_apply() has begun. */
bool loader_is_applying(const Loader *loader);

/* What was wrong; lives as long as LOADER. */
const ConfigReport *loader_report(const Loader *loader);

/*
 * Once all is read: adds, changes and then removes jobs, for about BUDGET (USEC_INFINITY: all). One whose file,
 * or whose template's, is broken stays as it is; where it was never loaded it stays away. What was wrong is
 * told as events as well. 1 done, with the counts in RET; 0 there is more; -ENOMEM.
 */
int loader_apply(Loader *loader, Scheduler *scheduler, EventBus *events, usec_t budget, LoaderCounts *ret);
