/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * A file of the runs that are under way, by which the next daemon knows what this one did not end: a
 * crash and a SIGKILL leave it behind. It is mapped memory that nobody syncs, so keeping it costs two
 * copies a run and no call; a crash of the machine may lose the last seconds of it. What a run has entered
 * (Use=, Enter=) is noted as well: the next daemon leaves it.
 *
 * A run that was lost is told of, and where its job has Retries=, another one takes its place with the attempts that it
 * has left. Its note stays until both have happened, so that a daemon that ends in the midst of it leaves the rest to
 * the one after it.
 */

#include "job/services.h"
#include "sched/scheduler.h"

typedef struct ActiveRuns ActiveRuns;

/* Runs that are noted at a time; more are not, and are counted. */
#define ACTIVE_RUNS_MAX 65536U
/* A run is not tried again if the daemon ended so soon after the start of its attempt … */
#define POISON_WINDOW_USEC (10 * USEC_PER_SEC)
/* … and did so in so many lives, one after the other. */
#define POISON_DEATHS 2U

/*
 * Reads what the last daemon left in STATE_DIRECTORY, and changes nothing there: who ends before
 * active_runs_begin() leaves it to the next one. What can't be read is logged and left out. All is borrowed
 * as long as this lives. -ENOMEM.
 */
int active_runs_open(const char *state_directory, Scheduler *scheduler, const Services *services, ActiveRuns **ret);
/*
 * From now on the runs of the scheduler are noted, beside those that were left. What can't be kept is the
 * answer of active_runs_check(). -ENOMEM.
 */
int active_runs_begin(ActiveRuns *active);
/* The file stays: it is empty where all runs have ended. */
ActiveRuns *active_runs_close(ActiveRuns *active);
DEFINE_CLEANUP(ActiveRuns *, active_runs_close);

/* The daemon is about to end on purpose while runs are under way: they are not to blame for it. */
void active_runs_leave(ActiveRuns *active);

/*
 * Looks whether what is noted is in the file, and makes another one where it is not. 0: it is kept; 1: call again soon;
 * else why it is not. What was lost of it is noted anew.
 */
int active_runs_check(ActiveRuns *active);

/* Until active_runs_recover(): the greatest id that the last daemon left under way; 0: there is none. */
uint64_t active_runs_greatest_id(const ActiveRuns *active);
/*
 * Until active_runs_recover(): whether the last daemon left the run of NOTE under way, in the attempt that
 * NOTE is of, and what NOTE has not in its text.
 */
bool active_runs_was_under_way(const ActiveRuns *active, RunNote *note);
/*
 * Ends what was left, and is not under way again, as `lost`, in the order of the ids: at once, but for what
 * has to leave what it entered. A run that had begun counts as a failed attempt: where its job's Retries=
 * then allows more, and nobody has cancelled it meanwhile, another run takes its place, with the same
 * parameters and scheduled time. A run that ended the daemon POISON_DEATHS times in a row ends as failed
 * instead, with the error `poison`.
 */
void active_runs_recover(ActiveRuns *active);
