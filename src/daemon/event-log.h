/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Events as log messages, with fields by which the journal finds them. */

#include "base/rotation.h"
#include "job/event.h"
#include "loop/timer.h"

/* What is counted is so in stretches of this length. */
#define EVENT_LOG_INTERVAL (10 * USEC_PER_SEC)
/* Of one type of event of one job, or of all instances of a template, so many have a line each. */
#define EVENT_LOG_BURST 20U
/* Of all events together. */
#define EVENT_LOG_LINES_MAX 500U
/* Bursts that are counted at a time, but for those of all other jobs. */
#define EVENT_LOG_BURSTS_MAX 64U
/* Names in the message that stands for what was folded, and the bytes of these. */
#define EVENT_LOG_NAMES_MAX 256U
#define EVENT_LOG_NAMES_BYTES 6000U

typedef struct EventBurst {
        char *job; /* the job or the template, "NAME@"; "": all other jobs; NULL: none */
        EventType type;
        int level;                 /* of what was folded last */
        usec_t began_realtime;     /* 0: there was nothing in this stretch so far */
        unsigned n;                /* events that had a line, but for those that were due */
        unsigned n_folded;
        Rotation named;            /* who is named in the message that stands for these */
        Rotation next;             /* who has a line of its own in the next stretch … */
        char *due[EVENT_LOG_BURST]; /* … and in this one; NULL: it had it */
        unsigned n_due;
} EventBurst;

typedef struct EventLog {
        EventObserver observer;
        bool live;   /* every event as a line on standard output as well */
        bool colour; /* of these lines */
        Clock *clock;
        TimerQueue *timers;
        Timer timer;             /* while something is folded */
        usec_t last_realtime;    /* of the last event */
        usec_t check_realtime;   /* when the first of the bursts is over */
        usec_t began_realtime;   /* of the stretch in which … */
        unsigned n_lines;        /* … so many lines were written */
        EventBurst bursts[EVENT_LOG_BURSTS_MAX];
        EventBurst others[_EVENT_TYPE_MAX];
} EventLog;

/* CLOCK and TIMERS are those of the events; NULL: what is folded is told of with the next event, or at the end. */
void event_log_init(EventLog *log, bool live, Clock *clock, TimerQueue *timers);
/* Tells what is folded so far. LOG may be zeroed, and TIMERS be gone. */
void event_log_deinit(EventLog *log);
