/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * On=JOB.EVENT: what happens to runs of one job starts another. EVENT is one or several of the names of
 * event.h that are of runs, with "|" between them, or
 *
 *      changed     a run succeeded with other outputs than the one before that did
 *      ended       a run ended in whatever way
 *
 * JOB is a name or a pattern of fnmatch(3).
 */

#include "config/key.h"
#include "job/event.h"

#define EVENT_TRIGGERS_MAX 64U /* of one job */

/* In a set of events as EVENT_BIT() has it. */
#define EVENT_BIT_CHANGED (1U << 31)

typedef struct EventTrigger {
        char *job;
        char *text; /* "On=…", for people */
        unsigned events;
        bool is_pattern;
} EventTrigger;

typedef struct EventTriggerList {
        EventTrigger *triggers;
        size_t n;
} EventTriggerList;

/* EventTriggerList, repeatable */
extern const ConfigType config_type_event_triggers;

/* The members of the event that a run is given, as ${event:NAME} names them; ended by NULL. */
extern const char *const event_members[];

/* The name of the one event in BIT. */
const char *event_bit_to_string(unsigned bit);
