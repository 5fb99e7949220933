/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Looks after state/: whether what is written there is there, and what can't be written is tried again. Tells the log
 * once when something can't be kept, and once when all of it is again.
 */

#include "daemon/active-runs.h"
#include "daemon/engine.h"

typedef struct StateKeeper StateKeeper;

/* How often it looks, in a few calls that don't wait. */
#define STATE_CHECK_USEC (5 * USEC_PER_SEC)
/* As long as something can't be kept. */
#define STATE_RETRY_USEC (1 * USEC_PER_SEC)
/* Who asks is told of what was seen no longer ago. */
#define STATE_ASKED_USEC (100 * USEC_PER_MSEC)
/* Until more is copied of what takes several turns. */
#define STATE_COPY_USEC (1 * USEC_PER_MSEC)
/* Jobs whose places in time are written anew in a turn, where these were lost. */
#define STATE_JOBS_A_TURN 1024U

/*
 * Looks for the first time, and then by itself as long as it lives. DIRECTORY, ENGINE and ACTIVE are borrowed. CHANGED
 * is called after each later change of state_keeper_problem(). -ENOMEM.
 */
int state_keeper_new(const char *directory, Engine *engine, ActiveRuns *active, void (*changed)(void *userdata),
                     void *userdata, StateKeeper **ret);
/* Accepts NULL, returns NULL. */
StateKeeper *state_keeper_free(StateKeeper *keeper);
DEFINE_CLEANUP(StateKeeper *, state_keeper_free);

/* What can't be kept and why, "FILE: REASON; …"; NULL: all is, or KEEPER is NULL. */
const char *state_keeper_problem(const StateKeeper *keeper);
/*
 * The same, after a look where the last one is too long ago; a problem that is known is looked at each
 * STATE_RETRY_USEC anyway.
 */
const char *state_keeper_ask(StateKeeper *keeper);
