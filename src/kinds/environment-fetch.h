/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The files of EnvironmentFile=, read before a command is started. They may lie anywhere, on a network file system that
 * has hung too, so takt-worker reads them: what waits for them is the run, and no longer than WORK_TIMEOUT_USEC.
 */

#include "config/key.h"
#include "job/run.h"

typedef struct EnvironmentFetch EnvironmentFetch;

/*
 * Has FILES read, in their order; a "-" before a name: it may be missing. 0: there are none. 1: DONE is called from the
 * loop once all are read. -errno, or where one can't be read later on: RUN has failed. *RET is the run's in any case but
 * 0, to be freed with it. FILES must live as long.
 */
int environment_fetch_start(Run *run, const StringList *files, void (*done)(Run *run), EnvironmentFetch **ret);
bool environment_fetch_is_under_way(const EnvironmentFetch *fetch);
/* The assignments read so far, the last of a name alone; none for NULL. */
const StringList *environment_fetch_result(const EnvironmentFetch *fetch);
/* Ends it; DONE is not called. Accepts NULL. */
EnvironmentFetch *environment_fetch_free(EnvironmentFetch *fetch);
