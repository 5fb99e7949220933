/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The last changes of jobs, in memory: who paused and resumed them, what a reload did, when a schedule came
 * to its end. Runs are in the store; these are what stands between them when somebody asks why.
 */

#include "job/event.h"

typedef struct ChangeLog ChangeLog;

/* Of all jobs; the oldest go. */
#define CHANGES_KEPT 4096U

typedef struct Change {
        EventType type; /* EVENT_CHANGED, REMOVED, PAUSED, RESUMED, REFUSED, FINISHED */
        usec_t realtime;
        Requester by;
        const char *message; /* NULL: none */
        const char *job;
} Change;

/* Follows the events of BUS, which is borrowed. -ENOMEM. */
int change_log_new(EventBus *bus, ChangeLog **ret);
ChangeLog *change_log_free(ChangeLog *log);
DEFINE_CLEANUP(ChangeLog *, change_log_free);

/* Calls FOUND with the changes of JOB, the newest first, until it returns false. They live for the call. */
void change_log_query(const ChangeLog *log, const char *job, bool (*found)(const Change *change, void *userdata),
                      void *userdata);
