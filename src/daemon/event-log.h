/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Events as log messages, with fields by which the journal finds them. */

#include "job/event.h"

typedef struct EventLog {
        EventObserver observer;
        const char *environment; /* TAKT_ENV= of each message; borrowed */
        bool live;               /* every event as a line on standard output as well */
        bool colour;             /* of these lines */
} EventLog;

void event_log_init(EventLog *log, const char *environment, bool live);
