/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an expression of the oracle matches: days, hours, minutes and seconds that are in its sets. */
#include "pattern-internal.h"

/* The Monday to Friday that is nearest to DAY in the month of DATE. */
static int workday_near(const Date *date, int day)
{
        static const int distances[] = { 0, -1, 1, -2, 2 };

        for (unsigned i = 0; i < ARRAY_SIZE(distances); i++) {
                int near = day + distances[i];

                if (near >= 1 && near <= date->length && ((date->weekday + near - date->day) % 7 + 7) % 7 < 5)
                        return near;
        }
        return 0;
}

static bool month_day_matches(const Pattern *p, const Date *date)
{
        int last_workday = date->length;

        if (has(p->days, date->day) || has(p->days_back, date->length + 1 - date->day))
                return true;
        for (int day = 1; day <= date->length; day++)
                if (has(p->nearest, day) && workday_near(date, day) == date->day)
                        return true;
        while (((date->weekday + last_workday - date->day) % 7 + 7) % 7 >= 5)
                last_workday--;
        return p->last_workday && date->day == last_workday;
}

static bool weekday_matches(const Pattern *p, const Date *date)
{
        return has(p->weekdays, date->weekday) || has(p->nth_weekdays[(date->day + 6) / 7], date->weekday) ||
               (has(p->last_weekdays, date->weekday) && date->day + 7 > date->length);
}

bool date_matches(const Pattern *p, const Date *date)
{
        int year = date->year - 1970;
        bool by_month, by_week;

        if (year < 0 || (!p->all_years && (year >= 256 || !has(p->years[year / 64], year % 64))) ||
            !has(p->months, date->month))
                return false;
        by_month = month_day_matches(p, date);
        by_week = weekday_matches(p, date);
        return p->either ? by_month || by_week : by_month && by_week;
}

bool day_matches(Pattern *p, int64_t day)
{
        if (p->known_day != day) {
                Date date = local_date(day);

                p->known_day = day;
                p->known_match = date_matches(p, &date);
        }
        return p->known_match;
}

bool second_matches(Pattern *p, int64_t local)
{
        int64_t day = floor_to(local, DAY);

        if (!day_matches(p, day / DAY) || !has(p->hours, (int)((local - day) / HOUR)) ||
            !has(p->minutes, (int)((local - day) / MINUTE % 60)))
                return false;
        return has(p->whole_seconds, (int)((local - day) % MINUTE));
}

bool pattern_covers(Pattern *p, LocalZone *zone, int64_t instant, int64_t *ret_end)
{
        static const int64_t lengths[] = { [PATTERN_DAY] = DAY, [PATTERN_MINUTE] = MINUTE, [PATTERN_SECOND] = 1 };
        int64_t t = floor_to(instant, USEC) / USEC, local, day;
        Stretch stretch;

        local_stretch(p->zone ?: zone, t, &stretch);
        local = t + stretch.offset;
        day = floor_to(local, DAY);
        if (!day_matches(p, day / DAY))
                return false;
        if (p->precision != PATTERN_DAY &&
            (!has(p->hours, (int)((local - day) / HOUR)) || !has(p->minutes, (int)((local - day) / MINUTE % 60))))
                return false;
        if (p->precision == PATTERN_SECOND && !has(p->whole_seconds, (int)((local - day) % MINUTE)))
                return false;
        t = floor_to(local, lengths[p->precision]) + lengths[p->precision] - stretch.offset;
        *ret_end = MIN(t, stretch.end) * USEC;
        return true;
}
