/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The world of a simulation: the real scheduler on a virtual clock, with its real file of scheduled times, a
 * kind whose runs take random times, and everything that a machine does to a scheduler: clocks that step,
 * another zone, suspends, restarts, crashes, reboots, reloads, pauses, runs by hand and cancels.
 */

#include "model.h"

typedef struct Plan {
        uint64_t seed;
        unsigned jobs;
        unsigned days;
        bool verbose; /* prints every event and disturbance … */
        int job;      /* … but events of this job alone; -1: of all */
} Plan;

typedef struct Outcome {
        uint64_t hash; /* of all events */
        uint64_t events;
        uint64_t runs, skipped, missed; /* occurrences */
        uint64_t by_hand;
        uint64_t disturbances;
} Outcome;

/* Runs PLAN to its end; what goes wrong ends the program with a message. */
void world_run(const Plan *plan, Outcome *ret);

/* NULL where TEXT is refused because it would never fire; anything else that is refused is an error. */
JobSpec *world_parse(const World *world, const char *name, const char *text);
