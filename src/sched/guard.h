/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What is done around a run: resources that it holds (Use=), commands before and after it (Enter=,
 * Exit=). Exits come in the reverse order of what was entered, whatever became of the run.
 */

#include "sched/resource-queue.h"

/*
 * Takes what RUN, which is queued, has to hold. 1: it has all. 0: it waits, in the queue of a resource,
 * which was told; admit_guarded() is called once that is over. -errno: its error is set; -EBUSY: as many wait
 * as may, and it is to end as skipped; else as failed.
 */
int guard_acquire(Scheduler *s, Run *run);
/* The turn of RUN, which waited for RESOURCE, has come: it has it now, or it was removed. RUN may be gone afterwards. */
void guard_granted(Scheduler *s, Run *run, Resource *resource);
/* RUN, of an earlier process, holds again what it had ENTERED; what is no more is told by its error. -ENOMEM. */
int guard_restore(Scheduler *s, Run *run, RunEntered entered);
/* RUN, which has a guard, begins: false where nothing is to be done before; else execute_entered() is called later. */
bool guard_enter(Scheduler *s, Run *run);
/* Of RUN, which has a guard: for its note. */
RunEntered guard_entered(const Run *run);
/* How often RUN holds RESOURCE, and the resource in whose queue it is; NULL: none. */
size_t guard_holds(const Run *run, const Resource *resource);
const Resource *guard_waits_for(const Run *run);
/* RUN, which waits for a resource, does so as long as WaitSec= says, from now on. */
void guard_limit_wait(Scheduler *s, Run *run);
/* Whether commands are under way before, or after RUN. */
bool guard_is_entering(const Run *run);
bool guard_is_exiting(const Run *run);
/* Ends the command under way before the run. */
void guard_stop_entering(Run *run);
/*
 * RUN, which has a guard, has come to its end in *STATE. True: commands are under way, and finish() is to be called again by
 * execute_finish(). False: it holds nothing any more; *STATE may have become RUN_FAILED.
 */
bool guard_leave(Scheduler *s, Run *run, RunState *state);
/*
 * Nobody waits for the end of RUN. True: it has entered what only a command leaves, and that is noted: the next
 * daemon does so. False: nothing is lost by guard_abandon().
 */
bool guard_leave_to_next(Scheduler *s, Run *run);
/* Gives back what RUN holds, without commands. */
void guard_abandon(Scheduler *s, Run *run);
