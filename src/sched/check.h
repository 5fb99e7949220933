/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Whether all that the scheduler keeps of jobs and runs agrees: for tests, and for builds that look for mistakes. */

#include "sched/scheduler.h"

/*
 * Walks all jobs and runs and compares them with the counters, queues, timers and the notes for the next daemon. To be
 * called between two callbacks of the loop, when no change is half done. NULL: all agrees; else a sentence that says
 * what does not, which the caller frees.
 */
char *scheduler_check(Scheduler *scheduler);
