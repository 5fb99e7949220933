/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Local time for the oracle, out of the C library's localtime_r(): nothing here knows when/zone.c.
 * All times are seconds.
 */

#include <stdint.h>

#define LOCAL_YEAR_MIN 1960
#define LOCAL_YEAR_MAX 2160

typedef struct LocalZone LocalZone;

/* Part of a stretch of one offset; two neighbours may have the same. */
typedef struct Stretch {
        int64_t start;
        int64_t end; /* the first second that is not in it */
        int64_t offset;
} Stretch;

typedef struct Date {
        int year, month, day;
        int weekday; /* 0 Monday */
        int length;  /* days of the month */
} Date;

/* The zone NAME, which must exist; made at its first use and kept. */
LocalZone *local_zone(const char *name);
const char *local_zone_name(const LocalZone *zone);
void local_zones_free(void);

void local_stretch(LocalZone *zone, int64_t t, Stretch *ret);
/* Whether the offset is the same two days before and after T, so that its local time names T alone. */
int local_is_quiet(LocalZone *zone, int64_t t);

/* The instant (microseconds) of a local time at which ZONE is quiet. */
int64_t local_instant(LocalZone *zone, int64_t local);

/* The date that is DAYS days after 1 January 1970, counted month by month from a table of years. */
Date local_date(int64_t days);
