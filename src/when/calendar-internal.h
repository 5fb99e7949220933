/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What the parser of calendar expressions hands to the search. */

#include "when/calendar.h"

/* "START", "START..STOP", "START/REPEAT" or "START..STOP/REPEAT"; of seconds, in microseconds. */
typedef struct CalendarPart {
        int32_t start;
        int32_t stop;   /* -1: on to the end where REPEAT says so, else START alone */
        int32_t repeat; /* 0: START alone */
        int32_t offset; /* in the text, for messages */
} CalendarPart;

/* A list of parts, sorted; none is `*`. */
typedef struct CalendarChain {
        CalendarPart *parts;
        size_t n;
} CalendarChain;

typedef enum CalendarField {
        CALENDAR_YEAR,
        CALENDAR_MONTH,
        CALENDAR_DAY,
        CALENDAR_HOUR,
        CALENDAR_MINUTE,
        CALENDAR_SECOND,
        _CALENDAR_FIELD_MAX,
} CalendarField;

/* How much of the time was written, which is what Exclude= covers. */
typedef enum CalendarPrecision {
        CALENDAR_PRECISION_DAY,
        CALENDAR_PRECISION_MINUTE,
        CALENDAR_PRECISION_SECOND,
} CalendarPrecision;

struct Calendar {
        CalendarChain chains[_CALENDAR_FIELD_MAX];
        Zone *zone;          /* NULL: none is named */
        uint8_t weekdays;    /* bit 0 Monday … */
        bool end_of_month;   /* days are counted from there */
        bool fixed;          /* neither hour nor minute is a wildcard */
        CalendarPrecision precision;
        uint16_t months;     /* bits 1 … 12 */
        uint32_t days;       /* bits 1 … 31, from the end of the month where END_OF_MONTH */
        uint32_t hours;      /* bits 0 … 23 */
        uint64_t minutes;    /* bits 0 … 59 */
};

#define CALENDAR_ALL_WEEKDAYS 0x7f

/* The least value that CHAIN has at or after FROM and up to MAX, or -1. */
int32_t calendar_chain_next(const CalendarChain *chain, int32_t from, int32_t max);

/* LocalNext of a Calendar. */
int calendar_local_next(const void *calendar, int64_t local, int64_t *ret);
