/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Runs under way are noted for the daemon that comes after this one: an interface of whoever keeps the notes.
 * The scheduler calls it from the one place where a run changes its state, and where a run enters or leaves
 * something, so that a note is never older than the run.
 */

#include "base/clock.h"

typedef struct Run Run;

/* What a run has entered and is to leave. */
typedef struct RunEntered {
        uint8_t n_resources; /* the first ones of Use= */
        bool job;            /* by Enter= of the job itself */
        bool over;           /* it only leaves, or was asked to end: it is not to be tried again */
} RunEntered;

typedef struct RunKeeper RunKeeper;

typedef struct RunKeeperOperations {
        /* Notes RUN as it is NOW, or changes its note. Sets RUN->noted; what can't be noted is counted. */
        void (*keep)(RunKeeper *keeper, Run *run, RunEntered entered, usec_t now_boottime);
        /* Nothing of RUN is left to the next daemon. Called for every run that ends, noted or not. */
        void (*drop)(RunKeeper *keeper, Run *run);
        /*
         * For checks, as it looks at all notes: IS_NOTED has to say so of the id of each, but for those that the last daemon
         * left. *RET_N is how many there are; 0, or -EINVAL with the id of a note that has no run, or that is there twice.
         */
        int (*check)(const RunKeeper *keeper, bool (*is_noted)(uint64_t id, void *userdata), void *userdata, size_t *ret_n,
                     uint64_t *ret_id);
} RunKeeperOperations;

struct RunKeeper {
        const RunKeeperOperations *operations;
};
