/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* A look ahead on one job: its next times, and what puts each of them off. */

#include "sched/scheduler.h"
#include "when/outlook.h"

typedef struct JobOutlook {
        OutlookTime time;
        bool decided;        /* JITTER and SLACK are what will be; else they are drawn when it comes up: the most they may be */
        usec_t jitter, slack; /* of RandomizedDelaySec= and AccuracySec= */
} JobOutlook;

/*
 * The next N occurrences of JOB, as if it were neither paused nor disabled, into OUTLOOK. Returns their
 * number; where these are fewer than N, *RET_END says why.
 */
size_t scheduler_job_outlook(Scheduler *scheduler, const Job *job, JobOutlook *outlook, size_t n, OutlookEnd *ret_end);
