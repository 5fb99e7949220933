/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * A file of the runs that are under way, by which the next daemon knows what this one did not end: a
 * crash and a SIGKILL leave it behind. It is mapped memory that nobody syncs, so keeping it costs two
 * copies a run and no call; a crash of the machine may lose the last seconds of it. What a run has entered
 * (Use=, Enter=) is noted as well: the next daemon leaves it.
 */

#include "job/event.h"
#include "loop/loop.h"
#include "sched/scheduler.h"

typedef struct ActiveRuns ActiveRuns;

/* Runs that are noted at a time; more are not, and are counted. */
#define ACTIVE_RUNS_MAX 65536U

/*
 * Reads what the last daemon left in STATE_DIRECTORY and begins anew there, following the events of BUS
 * and what the runs of SCHEDULER enter (all borrowed, as long as this lives). What can't be read is logged and left
 * out. -ENOMEM, or errno of the new file.
 */
int active_runs_open(const char *state_directory, EventBus *bus, Scheduler *scheduler, Loop *loop, ActiveRuns **ret);
/* The file stays: it is empty where all runs have ended. */
ActiveRuns *active_runs_close(ActiveRuns *active);
DEFINE_CLEANUP(ActiveRuns *, active_runs_close);

/* Until active_runs_recover(): whether the last daemon left run ID under way, and the job_trigger_id() of what it was due by. */
bool active_runs_was_under_way(const ActiveRuns *active, uint64_t id, uint64_t *ret_cause);
/*
 * Ends what was left, and is not under way again, as `lost`, in the order of the ids: at once, but for what has to
 * leave what it entered. A run that had begun counts as a failed attempt: where its job has Retries=, another run
 * takes its place, with the same parameters and scheduled time.
 */
void active_runs_recover(ActiveRuns *active);
