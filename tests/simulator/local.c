/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "local.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/macro.h"

#define YEARS (LOCAL_YEAR_MAX - LOCAL_YEAR_MIN)
#define CHANGES_MAX 8    /* a year */
#define STEP (3 * 3600)  /* no two changes of offset are nearer to each other */
#define ZONES_MAX 64U
#define DAY 86400

typedef struct Year {
        bool known;
        unsigned n;
        int64_t offset; /* at its beginning */
        struct {
                int64_t at, offset;
        } changes[CHANGES_MAX];
} Year;

struct LocalZone {
        char *name;
        Stretch recent; /* the last answer: who walks asks for it again and again */
        Year years[YEARS];
};

static LocalZone *zones[ZONES_MAX];
static unsigned n_zones;
static const LocalZone *current; /* whose rules localtime_r() follows */

static bool is_leap(int year)
{
        return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days from 1 January 1970 to that of YEAR. */
static int64_t year_start(int year)
{
        static int64_t starts[YEARS + 2];

        assert(year >= LOCAL_YEAR_MIN && year <= LOCAL_YEAR_MAX + 1);
        if (starts[YEARS + 1] == 0) {
                int64_t days = 0;

                for (int y = 1969; y >= LOCAL_YEAR_MIN; y--) {
                        days -= is_leap(y) ? 366 : 365;
                        starts[y - LOCAL_YEAR_MIN] = days;
                }
                days = 0;
                for (int y = 1970; y <= LOCAL_YEAR_MAX + 1; y++) {
                        starts[y - LOCAL_YEAR_MIN] = days;
                        days += is_leap(y) ? 366 : 365;
                }
        }
        return starts[year - LOCAL_YEAR_MIN];
}

static int year_of(int64_t days)
{
        int year = 1970 + (int)(days / 366) - (days < 0);

        while (year_start(year + 1) <= days)
                year++;
        while (year_start(year) > days)
                year--;
        return year;
}

Date local_date(int64_t days)
{
        static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        int year = year_of(days), rest = (int)(days - year_start(year)), month = 0;

        for (;; month++) {
                int length = lengths[month] + (month == 1 && is_leap(year));

                if (rest < length)
                        /* 1 January 1970 was a Thursday. */
                        return (Date){ year, month + 1, rest + 1, (int)(((days + 3) % 7 + 7) % 7), length };
                rest -= length;
        }
}

static int64_t offset_at(const LocalZone *zone, int64_t t)
{
        time_t time = (time_t)t;
        struct tm tm;

        if (current != zone) {
                char path[300];

                (void)snprintf(path, sizeof(path), ":/usr/share/zoneinfo/%s", zone->name);
                (void)setenv("TZ", path, true);
                tzset();
                current = zone;
        }
        localtime_r(&time, &tm);
        return tm.tm_gmtoff;
}

static void learn_year(const LocalZone *zone, Year *year, int y)
{
        int64_t start = year_start(y) * DAY, end = year_start(y + 1) * DAY;
        int64_t offset = year->offset = offset_at(zone, start);

        for (int64_t t = start; t < end; t += STEP) {
                int64_t low = t, high = MIN(t + STEP, end - 1), after = offset_at(zone, high);

                if (after == offset)
                        continue;
                while (high - low > 1) {
                        int64_t middle = low + (high - low) / 2;

                        *(offset_at(zone, middle) == offset ? &low : &high) = middle;
                }
                assert(year->n < CHANGES_MAX);
                year->changes[year->n].at = high;
                year->changes[year->n++].offset = offset = after;
        }
        year->known = true;
}

LocalZone *local_zone(const char *name)
{
        LocalZone *zone;

        for (unsigned i = 0; i < n_zones; i++)
                if (strcmp(zones[i]->name, name) == 0)
                        return zones[i];
        assert(n_zones < ZONES_MAX);
        zone = calloc(1, sizeof(*zone));
        assert(zone);
        zone->name = strdup(name);
        assert(zone->name);
        return zones[n_zones++] = zone;
}

const char *local_zone_name(const LocalZone *zone)
{
        return zone->name;
}

void local_zones_free(void)
{
        while (n_zones > 0) {
                free(zones[--n_zones]->name);
                free(zones[n_zones]);
        }
        current = NULL;
}

static void find_stretch(LocalZone *zone, int64_t t, Stretch *ret)
{
        int y = year_of(t >= 0 ? t / DAY : (t - DAY + 1) / DAY);
        Year *year = &zone->years[y - LOCAL_YEAR_MIN];

        if (!year->known)
                learn_year(zone, year, y);
        *ret = (Stretch){ year_start(y) * DAY, year_start(y + 1) * DAY, year->offset };
        for (unsigned i = 0; i < year->n; i++) {
                if (t < year->changes[i].at) {
                        ret->end = year->changes[i].at;
                        return;
                }
                ret->start = year->changes[i].at;
                ret->offset = year->changes[i].offset;
        }
}

void local_stretch(LocalZone *zone, int64_t t, Stretch *ret)
{
        if (t < zone->recent.start || t >= zone->recent.end)
                find_stretch(zone, t, &zone->recent);
        *ret = zone->recent;
}

int local_is_quiet(LocalZone *zone, int64_t t)
{
        Stretch before, at, after;

        local_stretch(zone, t - 2 * DAY, &before);
        local_stretch(zone, t, &at);
        local_stretch(zone, t + 2 * DAY, &after);
        return before.offset == at.offset && at.offset == after.offset;
}

int64_t local_instant(LocalZone *zone, int64_t local)
{
        Stretch stretch;

        local_stretch(zone, local / 1000000, &stretch);
        return local - stretch.offset * 1000000;
}
