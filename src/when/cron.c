/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cron keeps its own meaning here, after crontab(5) and the Open Cron Pattern Specification:
 *
 *  - If both the day of the month and the day of the week are restricted, a day that either of
 *    them allows matches; otherwise both must. A field that begins with `*` is unrestricted, so
 *    that a step on `*` only thins it out; a `+` before the weekdays asks for both all the same.
 *  - `L` is the last day, `L-2` two days before it, `15W` the weekday nearest to the 15th within
 *    the month, `LW` the last weekday; `5L` is the last Friday and `5#2` the second one.
 *
 * The fields become bit sets. What depends on the month is worked out for each month.
 */
#include "when/cron.h"

#include "base/buffer.h"
#include "when/bits.h"
#include "when/cron-internal.h"

Cron *cron_free(Cron *cron)
{
        if (!cron)
                return NULL;
        for (size_t i = 0; i < _CRON_FIELD_MAX; i++)
                free(cron->fields[i].parts);
        free(cron);
        return NULL;
}

static bool is_weekend(int first, int day)
{
        return (first + day - 1) % 7 >= 5;
}

/* The Monday to Friday nearest to DAY without leaving the month. */
static int nearest_weekday(int first, int length, int day)
{
        int weekday = (first + day - 1) % 7;

        if (weekday == 5)
                return day > 1 ? day - 1 : day + 2;
        if (weekday == 6)
                return day < length ? day + 1 : day - 2;
        return day;
}

/* The days of a month of LENGTH that begins on weekday FIRST which the day-of-month field allows. */
static uint64_t month_days(const CronDays *allowed, int first, int length)
{
        uint64_t days = allowed->days;
        int last = length;

        for (int i = bits_next(allowed->from_end, 0); i >= 0; i = bits_next(allowed->from_end, i + 1))
                if (i < length)
                        days |= BIT(length - i);
        for (int i = bits_next(allowed->nearest, 1); i >= 0 && i <= length; i = bits_next(allowed->nearest, i + 1))
                days |= BIT(nearest_weekday(first, length, i));
        if (allowed->last_weekday) {
                while (is_weekend(first, last))
                        last--;
                days |= BIT(last);
        }
        return days;
}

/* The same for the day-of-week field. */
static uint64_t week_days(const CronDays *allowed, int first, int length)
{
        uint64_t days = bits_weekdays(allowed->weekdays, first);

        days |= bits_weekdays(allowed->last, first) & bits_range(length - 6, length);
        for (int n = 0; n < CRON_NTH_MAX; n++)
                if (allowed->nth[n] != 0)
                        days |= bits_weekdays(allowed->nth[n], first) & bits_range(7 * n + 1, 7 * n + 7);
        return days;
}

static uint64_t days_of(const Cron *cron, int year, int month)
{
        int length = civil_days_in_month(year, month), first = civil_weekday(civil_to_days(year, month, 1));
        uint64_t of_month = month_days(&cron->days, first, length), of_week = week_days(&cron->days, first, length);

        return (cron->either ? of_month | of_week : of_month & of_week) & bits_range(1, length);
}

/* The first time of day (seconds) at or after FROM, or -1. */
static int next_time(const Cron *cron, int from)
{
        int hour = from / 3600, minute = from / 60 % 60, second = from % 60;

        for (int h = bits_next(cron->hours, hour); h >= 0; h = bits_next(cron->hours, h + 1)) {
                if (h > hour)
                        minute = 0, second = 0;
                for (int m = bits_next(cron->minutes, minute); m >= 0; m = bits_next(cron->minutes, m + 1)) {
                        int s = bits_next(cron->seconds, m > minute ? 0 : second);

                        if (s >= 0)
                                return h * 3600 + m * 60 + s;
                }
        }
        return -1;
}

int cron_local_next(const void *pattern, int64_t local, int64_t *ret)
{
        const Cron *cron = pattern;
        int64_t seconds = floor_div(local + LOCAL_PER_SEC - 1, LOCAL_PER_SEC), today;
        CivilDate now;

        seconds = MAX(seconds, (int64_t)0);
        today = seconds / SEC_PER_DAY;
        now = civil_from_days(today);
        for (int y = now.year; y <= WHEN_YEAR_MAX; y++)
                for (int m = bits_next(cron->months, y > now.year ? 1 : now.month); m >= 0;
                     m = bits_next(cron->months, m + 1)) {
                        bool this_month = y == now.year && m == now.month;
                        uint64_t days = days_of(cron, y, m);

                        for (int d = bits_next(days, this_month ? now.day : 1); d >= 0;
                             d = bits_next(days, d + 1)) {
                                bool is_today = this_month && d == now.day;
                                int time = next_time(cron, is_today ? (int)(seconds - today * SEC_PER_DAY) : 0);

                                if (time < 0)
                                        continue;
                                *ret = (civil_to_days(y, m, d) * SEC_PER_DAY + time) * LOCAL_PER_SEC;
                                return 1;
                        }
                }
        return 0;
}

int cron_next(const Cron *cron, const DstRules *rules, usec_t after_realtime, usec_t *ret_realtime)
{
        return dst_next(cron_local_next, cron, cron->fixed, rules, after_realtime, ret_realtime);
}

static int format_part(Buffer *out, const CronPart *part)
{
        int r;

        switch (part->form) {
        case CRON_FORM_ALL:
                r = buffer_append_char(out, '*');
                break;
        case CRON_FORM_LAST:
                return part->start > 0 ? buffer_appendf(out, "L-%d", part->start) : buffer_append_char(out, 'L');
        case CRON_FORM_LAST_WEEKDAY:
                return buffer_append_string(out, "LW");
        case CRON_FORM_NEAREST:
                return buffer_appendf(out, "%dW", part->start);
        case CRON_FORM_LAST_OF:
                return buffer_appendf(out, "%dL", part->start);
        case CRON_FORM_NTH_OF:
                return buffer_appendf(out, "%d#%d", part->start, part->stop);
        case CRON_FORM_RANGE:
                r = buffer_appendf(out, "%d-%d", part->start, part->stop);
                break;
        default:
                r = buffer_appendf(out, "%d", part->start);
        }
        return r < 0 || part->step == 0 ? r : buffer_appendf(out, "/%d", part->step);
}

char *cron_format(const Cron *cron)
{
        _cleanup_buffer_ Buffer out = BUFFER_NULL;
        int r = 0;

        for (size_t i = cron->fields[CRON_SECOND].n == 0; r >= 0 && i < _CRON_FIELD_MAX; i++) {
                if (out.len > 0)
                        r = buffer_append_char(&out, ' ');
                if (r >= 0 && i == CRON_WEEKDAY && cron->both)
                        r = buffer_append_char(&out, '+');
                for (size_t k = 0; r >= 0 && k < cron->fields[i].n; k++) {
                        if (k > 0)
                                r = buffer_append_char(&out, ',');
                        if (r >= 0)
                                r = format_part(&out, &cron->fields[i].parts[k]);
                }
        }
        return r < 0 ? NULL : buffer_steal(&out);
}
