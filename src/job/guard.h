/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Commands around a run, of Enter= and Exit=: who can start processes (kinds/) runs them for the
 * scheduler, which knows when.
 */

#include "job/run.h"
#include "job/words.h"

/* How long one may take; then it is ended, and has failed. */
#define GUARD_COMMAND_USEC (90 * USEC_PER_SEC)

typedef struct GuardCommand GuardCommand;

typedef struct GuardOperations {
        /*
         * Runs LINE for RUN, with TAKT_STATE=STATE in its environment (NULL: without). DONE is called once, from
         * the loop: ERROR is NULL where the command did well, else a sentence that lives for the call. On failure
         * to start -errno, and *RET_ERROR is such a sentence, or NULL without memory; the caller frees it.
         */
        int (*start)(Run *run, const CommandLine *line, const char *state, void (*done)(Run *run, const char *error),
                     GuardCommand **ret, char **ret_error);
        /* Asks the command to end soon; DONE is called as it would be. */
        void (*stop)(GuardCommand *command);
        /* Stops it where it is under way, and nothing is heard of it any more. Accepts NULL. */
        GuardCommand *(*free)(GuardCommand *command);
} GuardOperations;

/* Those that start processes, in kinds/guard-command.c. */
extern const GuardOperations guard_commands;
