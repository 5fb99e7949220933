/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Events as log messages, with fields by which the journal finds them. */

#include "job/event.h"

/* Of one type of event of one job, so many are logged in this time; the rest is folded into one message. */
#define EVENT_LOG_BURST 20U
#define EVENT_LOG_INTERVAL (10 * USEC_PER_SEC)
/* Bursts that are counted at a time. */
#define EVENT_LOG_BURSTS_MAX 64U

typedef struct EventBurst {
        char *job; /* NULL: none */
        EventType type;
        usec_t began_realtime;
        unsigned n;        /* events so far */
        unsigned n_folded; /* of these, not logged */
} EventBurst;

typedef struct EventLog {
        EventObserver observer;
        bool live;   /* every event as a line on standard output as well */
        bool colour; /* of these lines */
        EventBurst bursts[EVENT_LOG_BURSTS_MAX];
} EventLog;

void event_log_init(EventLog *log, bool live);
/* Tells what is folded so far. LOG may be zeroed. */
void event_log_deinit(EventLog *log);
