/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An expression is kept twice: as the parts that were written, for the normal form, and as bit
 * sets of the months, days, hours and minutes that match, for the search. The search goes down
 * from year to second and skips whatever can't match, so that it looks at no more than the months
 * up to WHEN_YEAR_MAX. Days counted from the end of the month are a set of their own, in which bit
 * 1 is the last day.
 */
#include "when/calendar.h"

#include "base/buffer.h"
#include "when/bits.h"
#include "when/calendar-internal.h"
#include "when/names.h"

#define SECOND_MAX ((int32_t)(LOCAL_PER_MINUTE - 1))

Calendar *calendar_free(Calendar *calendar)
{
        if (!calendar)
                return NULL;
        for (size_t i = 0; i < _CALENDAR_FIELD_MAX; i++)
                free(calendar->chains[i].parts);
        zone_unref(calendar->zone);
        free(calendar);
        return NULL;
}

int32_t calendar_chain_next(const CalendarChain *chain, int32_t from, int32_t max)
{
        int32_t best = chain->n == 0 && from <= max ? from : -1;

        for (size_t i = 0; i < chain->n; i++) {
                const CalendarPart *part = &chain->parts[i];
                int32_t value = part->start;

                if (value < from) {
                        if (part->repeat == 0)
                                continue;
                        value += (from - value + part->repeat - 1) / part->repeat * part->repeat;
                }
                if (value <= (part->stop >= 0 ? part->stop : max) && (best < 0 || value < best))
                        best = value;
        }
        return best;
}

/* The days of a month that match, as bits 1 … 31. */
static uint64_t days_of(const Calendar *calendar, int year, int month)
{
        int length = civil_days_in_month(year, month);
        uint64_t days = calendar->days;

        if (calendar->end_of_month) {
                days = 0;
                for (int i = bits_next(calendar->days, 1); i >= 0 && i <= length;
                     i = bits_next(calendar->days, i + 1))
                        days |= BIT(length + 1 - i);
        }
        if (calendar->weekdays != CALENDAR_ALL_WEEKDAYS)
                days &= bits_weekdays(calendar->weekdays, civil_weekday(civil_to_days(year, month, 1)));
        return days & bits_range(1, length);
}

/* The first time of day (microseconds) at or after FROM, or -1. */
static int64_t next_time(const Calendar *calendar, int64_t from)
{
        const CalendarChain *seconds = &calendar->chains[CALENDAR_SECOND];
        int hour = (int)(from / LOCAL_PER_HOUR), minute = (int)(from / LOCAL_PER_MINUTE % 60);
        int32_t second = (int32_t)(from % LOCAL_PER_MINUTE);

        for (int h = bits_next(calendar->hours, hour); h >= 0; h = bits_next(calendar->hours, h + 1)) {
                if (h > hour)
                        minute = 0, second = 0;
                for (int m = bits_next(calendar->minutes, minute); m >= 0;
                     m = bits_next(calendar->minutes, m + 1)) {
                        int32_t s = calendar_chain_next(seconds, m > minute ? 0 : second, SECOND_MAX);

                        if (s >= 0)
                                return h * LOCAL_PER_HOUR + m * LOCAL_PER_MINUTE + s;
                }
        }
        return -1;
}

int calendar_local_next(const void *pattern, int64_t local, int64_t *ret)
{
        const Calendar *calendar = pattern;
        int64_t today = floor_div(local, LOCAL_PER_DAY), time;
        CivilDate now = civil_from_days(today);
        const CalendarChain *years = &calendar->chains[CALENDAR_YEAR];

        if (now.year < WHEN_YEAR_MIN) {
                now = (CivilDate){ .year = WHEN_YEAR_MIN, .month = 1, .day = 1 };
                local = 0;
                today = 0;
        }
        for (int y = calendar_chain_next(years, now.year, WHEN_YEAR_MAX); y >= 0;
             y = calendar_chain_next(years, y + 1, WHEN_YEAR_MAX))
                for (int m = bits_next(calendar->months, y > now.year ? 1 : now.month); m >= 0;
                     m = bits_next(calendar->months, m + 1)) {
                        bool this_month = y == now.year && m == now.month;
                        uint64_t days = days_of(calendar, y, m);

                        for (int d = bits_next(days, this_month ? now.day : 1); d >= 0;
                             d = bits_next(days, d + 1)) {
                                bool is_today = this_month && d == now.day;

                                time = next_time(calendar, is_today ? local - today * LOCAL_PER_DAY : 0);
                                if (time < 0)
                                        continue;
                                *ret = civil_to_days(y, m, d) * LOCAL_PER_DAY + time;
                                return 1;
                        }
                }
        return 0;
}

int calendar_next(const Calendar *calendar, const DstRules *rules, usec_t after_realtime, usec_t *ret_realtime)
{
        DstRules own = *rules;

        if (calendar->zone)
                own.zone = calendar->zone;
        return dst_next(calendar_local_next, calendar, calendar->fixed, &own, after_realtime, ret_realtime);
}

/* The minutes or seconds of an hour or minute that are not in SET, from FROM on; 60: none. */
static int first_not_in(uint64_t set, int from)
{
        int i = bits_next(~set, from);

        return i >= 0 && i < 60 ? i : 60;
}

/* The seconds of a minute in which some time lies. */
static uint64_t seconds_of(const Calendar *calendar)
{
        const CalendarChain *chain = &calendar->chains[CALENDAR_SECOND];
        uint64_t set = 0;

        for (int32_t s = calendar_chain_next(chain, 0, SECOND_MAX); s >= 0;
             s = calendar_chain_next(chain, (s / (int32_t)LOCAL_PER_SEC + 1) * (int32_t)LOCAL_PER_SEC, SECOND_MAX))
                set |= BIT(s / (int32_t)LOCAL_PER_SEC);
        return set;
}

/* The first time of day after that of FROM (microseconds) which is not covered, on a day that is; LOCAL_PER_DAY: none. */
static int64_t time_not_covered(const Calendar *calendar, int64_t from)
{
        bool by_minute = calendar->precision == CALENDAR_PRECISION_MINUTE;
        uint64_t seconds = by_minute ? bits_range(0, 59) : seconds_of(calendar);
        int64_t t = from - from % (by_minute ? LOCAL_PER_MINUTE : LOCAL_PER_SEC);

        if (calendar->precision == CALENDAR_PRECISION_DAY)
                return LOCAL_PER_DAY;
        /* By whole hours and minutes, where these are covered whole. */
        while (t < LOCAL_PER_DAY) {
                int minute = (int)(t / LOCAL_PER_MINUTE % 60), second = (int)(t / LOCAL_PER_SEC % 60);

                if (!(calendar->hours & BIT(t / LOCAL_PER_HOUR)) || !(calendar->minutes & BIT(minute)))
                        return t;
                second = first_not_in(seconds, second);
                if (second < 60)
                        return t - t % LOCAL_PER_MINUTE + second * LOCAL_PER_SEC;
                minute = first_not_in(seconds, 0) < 60 ? minute + 1 : first_not_in(calendar->minutes, minute);
                t = t - t % LOCAL_PER_HOUR + minute * LOCAL_PER_MINUTE;
        }
        return LOCAL_PER_DAY;
}

/* The first day at or after DAYS that is not covered at all, or WHEN_YEAR_MAX's end. */
static int64_t day_not_covered(const Calendar *calendar, int64_t days)
{
        CivilDate date = civil_from_days(days);

        while (date.year <= WHEN_YEAR_MAX) {
                int day;

                if (calendar_chain_next(&calendar->chains[CALENDAR_YEAR], date.year, WHEN_YEAR_MAX) != date.year ||
                    !(calendar->months & BIT(date.month)))
                        break;
                day = bits_next(~days_of(calendar, date.year, date.month), date.day);
                if (day <= civil_days_in_month(date.year, date.month))
                        return civil_to_days(date.year, date.month, day);
                date.day = 1;
                if (++date.month > 12) {
                        date.month = 1;
                        date.year++;
                }
        }
        return civil_to_days(date.year, date.month, date.day);
}

static bool day_is_covered(const Calendar *calendar, int64_t days)
{
        CivilDate date = civil_from_days(days);

        return calendar_chain_next(&calendar->chains[CALENDAR_YEAR], date.year, WHEN_YEAR_MAX) == date.year &&
               calendar->months & BIT(date.month) && days_of(calendar, date.year, date.month) & BIT(date.day);
}

bool calendar_covers(const Calendar *calendar, const DstRules *rules, usec_t realtime, usec_t *ret_end)
{
        const Zone *zone = calendar->zone ?: rules->zone ?: zone_utc();
        int64_t utc = (int64_t)realtime, local, days, time, length, match, end;
        ZoneSpan span;

        if (realtime > INT64_MAX / 4)
                return false;
        zone_span(zone, utc / LOCAL_PER_SEC, &span);
        local = utc + span.offset * LOCAL_PER_SEC;
        days = floor_div(local, LOCAL_PER_DAY);
        if (!day_is_covered(calendar, days))
                return false;
        time = local - days * LOCAL_PER_DAY;
        if (calendar->precision != CALENDAR_PRECISION_DAY) {
                length = calendar->precision == CALENDAR_PRECISION_MINUTE ? LOCAL_PER_MINUTE : LOCAL_PER_SEC;
                match = next_time(calendar, time - time % length);
                if (match < 0 || match >= time - time % length + length)
                        return false;
        }

        end = time_not_covered(calendar, time);
        if (end == LOCAL_PER_DAY) {
                int64_t start = time_not_covered(calendar, 0);

                days++;
                end = start < LOCAL_PER_DAY && day_is_covered(calendar, days) ? start : 0;
                if (start == LOCAL_PER_DAY)
                        days = day_not_covered(calendar, days);
        }
        end += days * LOCAL_PER_DAY;
        /* Where the offset changes before that, the caller asks again. */
        *ret_end = (usec_t)(end - span.offset * LOCAL_PER_SEC);
        if (span.end < INT64_MAX / LOCAL_PER_SEC)
                *ret_end = MIN(*ret_end, (usec_t)(span.end * LOCAL_PER_SEC));
        *ret_end = MAX(*ret_end, realtime + 1);
        return true;
}

/* VALUE of a field whose unit is SCALE. */
static int format_value(Buffer *out, int width, int32_t value, int32_t scale)
{
        int r = buffer_appendf(out, "%0*d", width, value / scale);

        if (r >= 0 && value % scale > 0)
                r = buffer_appendf(out, ".%06d", value % scale);
        return r;
}

static int format_chain(Buffer *out, const CalendarChain *chain, int width, int32_t scale)
{
        int r = 0;

        if (chain->n == 0 || (scale > 1 && chain->n == 1 && chain->parts[0].start == 0 &&
                              chain->parts[0].repeat == scale && chain->parts[0].stop < 0))
                return buffer_append_char(out, '*');
        for (size_t i = 0; r >= 0 && i < chain->n; i++) {
                const CalendarPart *part = &chain->parts[i];

                if (i > 0)
                        r = buffer_append_char(out, ',');
                if (r >= 0)
                        r = format_value(out, width, part->start, scale);
                if (r >= 0 && part->stop >= 0) {
                        r = buffer_append_string(out, "..");
                        if (r >= 0)
                                r = format_value(out, width, part->stop, scale);
                }
                if (r >= 0 && part->repeat > 0 && !(part->stop >= 0 && part->repeat == scale)) {
                        r = buffer_append_char(out, '/');
                        if (r >= 0)
                                r = format_value(out, 1, part->repeat, scale);
                }
        }
        return r;
}

/* "Mon..Wed,Sat " */
static int format_weekdays(Buffer *out, uint8_t weekdays)
{
        const char *comma = "";
        int r = 0;

        for (int i = 0; r >= 0 && i < 7; i++) {
                int last = i;

                if (!(weekdays & BIT(i)))
                        continue;
                while (last < 6 && weekdays & BIT(last + 1))
                        last++;
                if (last - i < 2)
                        last = i;
                r = buffer_appendf(out, last > i ? "%s%s..%s" : "%s%s", comma, weekday_names[i], weekday_names[last]);
                comma = ",";
                i = last;
        }
        return r < 0 ? r : buffer_append_char(out, ' ');
}

char *calendar_format(const Calendar *calendar)
{
        static const struct {
                int width;
                int32_t scale;
                char after;
        } fields[_CALENDAR_FIELD_MAX] = {
                [CALENDAR_YEAR] = { 4, 1, '-' },
                [CALENDAR_MONTH] = { 2, 1, '-' },
                [CALENDAR_DAY] = { 2, 1, ' ' },
                [CALENDAR_HOUR] = { 2, 1, ':' },
                [CALENDAR_MINUTE] = { 2, 1, ':' },
                [CALENDAR_SECOND] = { 2, (int32_t)LOCAL_PER_SEC, '\0' },
        };
        _cleanup_buffer_ Buffer out = BUFFER_NULL;
        int r = 0;

        if (calendar->weekdays != CALENDAR_ALL_WEEKDAYS)
                r = format_weekdays(&out, calendar->weekdays);
        for (size_t i = 0; r >= 0 && i < _CALENDAR_FIELD_MAX; i++) {
                r = format_chain(&out, &calendar->chains[i], fields[i].width, fields[i].scale);
                if (r >= 0 && fields[i].after)
                        r = buffer_append_char(&out, i == CALENDAR_MONTH && calendar->end_of_month ? '~' : fields[i].after);
        }
        if (r >= 0 && calendar->zone)
                r = buffer_appendf(&out, " %s", zone_name(calendar->zone));
        return r < 0 ? NULL : buffer_steal(&out);
}
