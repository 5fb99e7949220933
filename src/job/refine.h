/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What becomes of a result between the end of its kind's work and that of the attempt, off the loop: a large one
 * is decoded, Filter= is applied, the outputs are taken out. Who can ask takt-worker (kinds/) does so for the
 * scheduler, which knows when.
 */

#include "job/run.h"

/*
 * A result that is JSON of more bytes than this is decoded off the loop. Decoding so many and printing them again takes
 * 4.0 million instructions where they are records, 8.6 million where they are an array of one-digit numbers, which has most
 * values a byte (x86-64, -O2): 0.6 to 1.4 ms for which all else waits. A megabyte takes 10 to 23 ms. Handing over costs the
 * daemon less than that, and in pieces: 0.2 ms of a run with 66 KiB of records instead of 0.4, 1.5 with 250 KiB instead of 1.9.
 */
#define REFINE_INLINE_MAX (64U * 1024)

typedef struct RefineCall RefineCall;

typedef struct RefineOperations {
        /*
         * Begins with RUN's result, which is given up. DONE is called from the loop, with the result and outputs set;
         * KIND is NULL where all went well, else it and MESSAGE live for the call. -errno: nothing was begun.
         */
        int (*start)(Run *run, void (*done)(Run *run, const char *kind, const char *message), RefineCall **ret);
        /* Ends it where it is under way; nothing is heard of it any more. Accepts NULL. */
        RefineCall *(*stop)(RefineCall *call);
} RefineOperations;

/* Those that ask takt-worker, in kinds/refine.c. */
extern const RefineOperations refine_by_worker;
