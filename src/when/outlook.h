/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * A look ahead on a schedule for people: the coming occurrences, what the clock's changes and Exclude=
 * did to each, and why there are no more. Pure, like when/schedule.h.
 */

#include "when/schedule.h"

/* Occurrences before one that Exclude= takes out are counted up to here. */
#define OUTLOOK_EXCLUDED_MAX 100U

/* What a change of the zone's offset does to a time. */
typedef enum OutlookShift {
        OUTLOOK_AS_WRITTEN,
        OUTLOOK_GAP,         /* it does not exist; this is the first instant after the gap (DstGap=after) */
        OUTLOOK_FOLD_FIRST,  /* it comes twice; this is the first (DstFold=) */
        OUTLOOK_FOLD_SECOND,
        _OUTLOOK_SHIFT_MAX,
} OutlookShift;

/* "gap", "fold-first", "fold-second"; NULL for a time as it is written. */
const char *outlook_shift_to_string(OutlookShift shift);

typedef struct OutlookTime {
        Occurrence occurrence;
        OutlookShift shift;
        unsigned n_excluded; /* right before it, that Exclude= takes out */
} OutlookTime;

/* The next occurrence, which STATE then has taken and counted. 1 found, 0 none. */
int outlook_next(const Schedule *schedule, ScheduleState *state, const ScheduleNow *now, OutlookTime *ret);

/* Why STATE has nothing ahead. */
typedef enum OutlookEnd {
        OUTLOOK_GOES_ON,    /* it has */
        OUTLOOK_NO_TRIGGER, /* it is started by hand or by events */
        OUTLOOK_COUNT,      /* Count= is reached */
        OUTLOOK_UNTIL,      /* the rest lies behind Until= */
        OUTLOOK_AFTER_RUN,  /* After= counts from the end of a run that has not ended */
        OUTLOOK_STARTUP,    /* OnStartup= is due again when the daemon is started */
        OUTLOOK_EXCLUDED,   /* Exclude= takes out all that is left */
        OUTLOOK_PASSED,     /* the last time has passed */
        _OUTLOOK_END_MAX,
} OutlookEnd;

/* Nothing that may still happen gives it another time. */
static inline bool outlook_end_is_for_good(OutlookEnd end)
{
        return end != OUTLOOK_GOES_ON && end != OUTLOOK_NO_TRIGGER && end != OUTLOOK_AFTER_RUN && end != OUTLOOK_STARTUP;
}

OutlookEnd outlook_end(const Schedule *schedule, const ScheduleState *state, const ScheduleNow *now);
#define OUTLOOK_TEXT_MAX 96U
/* "count", "until", …; NULL where it goes on. */
const char *outlook_end_to_string(OutlookEnd end);
/* The same as a sentence, of less than OUTLOOK_TEXT_MAX bytes. */
const char *outlook_end_to_text(OutlookEnd end);
