/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Run ids: 1, 2, … and never one twice, also after a crash. A file holds the end of a reserved
 * block; a clean stop writes the exact next id, so that only a crash leaves a gap.
 */

#include "base/macro.h"

typedef struct RunIds RunIds;

/* Blocks grow with the pace at which they are used up, between these. */
#define RUN_ID_BLOCK_MIN 256U
#define RUN_ID_BLOCK_MAX (1U << 20)

/*
 * Reads PATH (copied) and reserves a block, synced to disk. A NULL path keeps ids in memory only.
 * -EBADMSG where the file holds no number: it is not overwritten, since ids might repeat; errno; -ENOMEM.
 */
int run_ids_open(const char *path, RunIds **ret);
/* Gives back what was reserved and not used. */
RunIds *run_ids_close(RunIds *ids);
DEFINE_CLEANUP(RunIds *, run_ids_close);

/* The next id; never fails: where the file can't be written any more, an error is kept for run_ids_error(). */
uint64_t run_ids_next(RunIds *ids);
/* 0, or the negative errno of the last attempt to write the file. */
int run_ids_error(const RunIds *ids);
