/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Run ids: 1, 2, … and never one twice, whatever becomes of the daemon, the machine and the file that keeps the
 * next one. How is told in run-id.c.
 */

#include "base/clock.h"

typedef struct RunIds RunIds;

/* Blocks grow with the pace at which they are used up, between these. */
#define RUN_ID_BLOCK_MIN 256U
#define RUN_ID_BLOCK_MAX (1U << 20)
/* Ids that one life may give in the small range: what is skipped after a crash of the machine. */
#define RUN_ID_LIFE_MAX (1U << 24)
/* Small ids are below. */
#define RUN_ID_SMALL_END (UINT64_C(1) << 40)
/* All ids are below: a double holds them exactly, and so does every reader of JSON. */
#define RUN_ID_END (UINT64_C(1) << 53)

/* Ids from 1 on, in memory alone. -ENOMEM. */
int run_ids_new(RunIds **ret);
/*
 * Goes on where the file PATH (copied) says, and keeps it from now on; to be called before the first id is given.
 * CLOCK is borrowed. BOOT_ID tells whether a daemon that crashed did so in this boot. Where the file is missing, or
 * can't be read, believed or written, ids begin at a number that no earlier life has reached; what was wrong with its
 * contents is logged, that it can't be written is the answer of run_ids_check(). Waits for the disk. -ENOMEM.
 */
int run_ids_keep(RunIds *ids, const char *path, Clock *clock, const uint8_t boot_id[static 16]);
/* Writes the exact next id. Accepts NULL, returns NULL. */
RunIds *run_ids_close(RunIds *ids);
DEFINE_CLEANUP(RunIds *, run_ids_close);

/* The next id; never fails, and doesn't wait for the disk. */
uint64_t run_ids_next(RunIds *ids);
/*
 * Whether ID has been given to a run. Of ids beyond the small ones only those of this life are known, and
 * where it has twice gone on at another number, only those since. Small ids that were skipped after a crash
 * of the machine count as given.
 */
bool run_ids_was_given(const RunIds *ids, uint64_t id);
/* An earlier life has given ID, as something else than the file tells. */
void run_ids_seen(RunIds *ids, uint64_t id);
/* Writes the file where it could not be written or was taken away. 0: it is there; else why it can't be written. */
int run_ids_check(RunIds *ids);
