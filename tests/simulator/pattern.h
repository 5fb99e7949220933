/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Expressions of the oracle: made at random as sets of numbers, with the text that says the same as
 * a calendar or cron expression, and matched by a walk through real time that asks of every day,
 * hour, minute and second whether it is in the sets. Nothing here knows src/when.
 */

#include <stddef.h>

#include "local.h"
#include "random.h"

#define PATTERN_TEXT_MAX 600
#define PATTERN_SECONDS_MAX 128

typedef enum PatternPrecision {
        PATTERN_DAY, /* no time was written: Exclude= covers the whole day */
        PATTERN_MINUTE,
        PATTERN_SECOND,
} PatternPrecision;

/* Of a calendar expression or a cron line. Bits of days, months … are their numbers; of weekdays, 0 is Monday. */
typedef struct Pattern {
        char text[PATTERN_TEXT_MAX];
        LocalZone *zone; /* named in the text; NULL: none */
        bool fixed;      /* neither hours nor minutes are a wildcard */
        PatternPrecision precision;

        bool all_years;
        uint64_t years[4]; /* from 1970 on */
        uint32_t months, hours;
        uint64_t minutes;
        uint64_t whole_seconds; /* in which some of the next lie */
        unsigned n_seconds;
        uint32_t seconds[PATTERN_SECONDS_MAX]; /* microseconds in the minute, ascending */

        uint32_t days;      /* of the month */
        uint32_t days_back; /* 1 is the last one */
        uint32_t nearest;   /* 15W */
        bool last_workday;  /* LW */
        uint32_t weekdays;
        uint32_t last_weekdays;   /* 5L */
        uint32_t nth_weekdays[6]; /* 5#2 in [2] */
        bool either; /* cron: a day is as well as the other is */

        int64_t known_day; /* the answer of the last question for a day */
        bool known_match;
} Pattern;

/* At most DAILY times a day on the days it has. ZONE: of the job. NAMED: the zones that the text may name. */
void pattern_random_calendar(Pattern *pattern, Random *random, unsigned daily, const char *const named[], unsigned n_named);
void pattern_random_cron(Pattern *pattern, Random *random, unsigned daily);
/* For Exclude=: days, or parts of days. */
void pattern_random_exclude(Pattern *pattern, Random *random);

/* On a day that it has. */
unsigned pattern_times_a_day(const Pattern *pattern);

typedef struct PatternRules {
        LocalZone *zone;
        bool skip_gaps;                     /* DstGap=skip */
        enum { FIRST, SECOND, BOTH } fold;  /* DstFold= */
} PatternRules;

/* Told the instants (microseconds) that match, in their order. */
typedef void (*PatternFound)(void *userdata, int64_t instant);

/* Walks through FROM < t <= TO. */
void pattern_walk(Pattern *pattern, const PatternRules *rules, int64_t from, int64_t to, PatternFound found, void *userdata);

/* An aligned Every=: local time ORIGIN + k × SPAN (seconds), with FROM_ORIGIN only k >= 0. */
typedef struct Grid {
        int64_t origin, span;
        bool from_origin;
} Grid;

void grid_walk(const Grid *grid, const PatternRules *rules, int64_t from, int64_t to, PatternFound found, void *userdata);

/*
 * Whether the local time of INSTANT is covered by the day, minute or second that PATTERN names; *RET_END is then the
 * end of that one, or of the offset.
 */
bool pattern_covers(Pattern *pattern, LocalZone *zone, int64_t instant, int64_t *ret_end);
