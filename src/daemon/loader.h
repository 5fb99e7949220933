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

/*
 * Reads files and the names of instances, then looks for the jobs that they name, for about BUDGET (USEC_INFINITY: all).
 * 1 all is read, 0 there is more, -ENOMEM.
 */
int loader_step(Loader *loader, Clock *clock, usec_t budget);

/* Whether loader_apply() has begun. */
bool loader_is_applying(const Loader *loader);

/* What was wrong; lives as long as LOADER. */
const ConfigReport *loader_report(const Loader *loader);
/* What is legal and surely not meant, in the order of its places. Of names it is known once all files are read. */
const ConfigReport *loader_warnings(Loader *loader);
/* How many there are, also of those that are not kept. */
unsigned loader_n_warnings(const Loader *loader);

/*
 * For who looks for what files mention beside jobs: a definition at or behind number *I that mentions anything; *I is
 * behind it then. NULL: there was none among as many as may be looked at in a turn; at loader_n_files() is the end.
 */
JobSpec *loader_next_mentions(const Loader *loader, size_t *i);
size_t loader_n_files(const Loader *loader);
/*
 * Adds a warning about MENTION of SPEC, also for the definition that stays in force in its place. SPEC may be NULL: it
 * is of takt.conf.
 */
void loader_warn(Loader *loader, JobSpec *spec, const Mention *mention, const char *message);
/* Adds one about the load as a whole. */
void loader_warn_of_load(Loader *loader, const char *message);

/*
 * Once all is read: adds, changes and then removes jobs, for about BUDGET (USEC_INFINITY: all). One whose file,
 * or whose template's, is broken stays as it is; where it was never loaded it stays away. What was wrong is
 * told as events as well. 1 done, with the counts in RET; 0 there is more; -ENOMEM.
 */
int loader_apply(Loader *loader, Scheduler *scheduler, EventBus *events, usec_t budget, LoaderCounts *ret);
