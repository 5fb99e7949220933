/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* A look ahead on one job: its next times, and what puts each of them off. */

#include "sched/scheduler.h"
#include "when/outlook.h"

typedef struct JobOutlook {
        OutlookTime time;
        bool decided;        /* JITTER and SLACK are what will be, as the clocks stand; else the most they may be, as JITTER is drawn when it comes up */
        usec_t jitter, slack; /* of RandomizedDelaySec= and AccuracySec= */
} JobOutlook;

/* When it begins; where that is not decided, at the earliest … */
usec_t job_outlook_earliest(const JobOutlook *outlook);
/* … and at the latest. */
usec_t job_outlook_latest(const JobOutlook *outlook);

/* Whether nothing but a call starts JOB again, whose schedule has come to END: no event does either. */
bool job_outlook_is_final(const Job *job, OutlookEnd end);

/*
 * The next N occurrences of JOB, as if it were neither paused nor disabled, into OUTLOOK. Returns their
 * number; where these are fewer than N, *RET_END says why.
 */
size_t scheduler_job_outlook(Scheduler *scheduler, const Job *job, JobOutlook *outlook, size_t n, OutlookEnd *ret_end);
