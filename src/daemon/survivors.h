/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Commands that outlive a restart of taktd: the service manager keeps a copy of each connection with
 * takt-spawn, so that neither a restart nor a crash ends it. The next taktd gets those connections, and
 * goes on with the runs. New commands are started by a helper of its own, of its own version and in its
 * own sandbox; an old one only sees its commands to their end.
 */

#include "daemon/active-runs.h"
#include "daemon/service-manager.h"
#include "process/spawner.h"

typedef struct Survivors Survivors;

/* Helpers of earlier daemons at a time; the commands of further ones are ended. */
#define SURVIVORS_MAX 8U
/* FDNAME= of the connections. */
#define SURVIVORS_NAME "spawn"

/*
 * Takes over what the manager kept. Blocks, SPAWNER_RESUME_USEC for a helper that does not answer; what can't
 * be taken over is logged and ended. -ENOMEM.
 */
int survivors_new(ServiceManager *manager, Loop *loop, Survivors **ret);
/* What is left of their commands ends, but for survivors_leave(). */
Survivors *survivors_free(Survivors *survivors);
DEFINE_CLEANUP(Survivors *, survivors_free);

/*
 * Ends the commands with which nobody can go on: ACTIVE does not have the run as left under way, or the job
 * is no more, or another one. survivors_find_ending() tells of them until they are gone.
 */
void survivors_end_others(Survivors *survivors, Scheduler *scheduler, const ActiveRuns *active);
/* Goes on with the runs of all others. */
void survivors_resume(Survivors *survivors, Scheduler *scheduler, const ActiveRuns *active);
/* Whether process PID is one of these helpers. */
bool survivors_have(const Survivors *survivors, pid_t pid);
/* One of these helpers that still ends commands which nobody goes on with; 0: none. */
pid_t survivors_find_ending(const Survivors *survivors);
/* Of the runs whose commands there are; 0: there are none. */
uint64_t survivors_greatest_id(const Survivors *survivors);
/* Leaves them to the next daemon. */
void survivors_leave(Survivors *survivors);
