/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "when/timestamp.h"

#include <ctype.h>
#include <stdio.h>

#include "when/civil.h"
#include "when/names.h"

#define BLANKS " \t"
#define YEAR_MAX 9999
#define REALTIME_MAX (UINT64_C(253402300800) * USEC_PER_SEC) /* end of YEAR_MAX */
#define EXPECTED "expected a time such as 2026-11-22 10:00:00 or 2026-11-22T10:00:00Z"

typedef struct Parser {
        const char *start;
        const char *p;
        WhenError *error;
} Parser;

static int refuse(const Parser *parser, const char *what)
{
        return when_error(parser->error, -EINVAL, (size_t)(parser->p - parser->start), "%s", what);
}

static bool skip_char(Parser *parser, char c)
{
        if (*parser->p != c)
                return false;
        parser->p++;
        return true;
}

static void skip_blanks(Parser *parser)
{
        parser->p += strspn(parser->p, BLANKS);
}

/* Exactly DIGITS digits of a number in MIN … MAX, called WHAT. */
static int parse_field(Parser *parser, unsigned digits, int min, int max, const char *what, int *ret)
{
        int n = 0;

        for (unsigned i = 0; i < digits; i++) {
                if (!isdigit((unsigned char)parser->p[i]))
                        return refuse(parser, EXPECTED);
                n = n * 10 + (parser->p[i] - '0');
        }
        if (n < min || n > max)
                return when_error(parser->error, -ERANGE, (size_t)(parser->p - parser->start),
                                  "%s must be from %d to %d", what, min, max);
        parser->p += digits;
        *ret = n;
        return 0;
}

/* ".25" as microseconds; what is below them is cut off. */
static int parse_fraction(Parser *parser, int *ret)
{
        int usec = 0, scale = (int)USEC_PER_SEC;

        if (!skip_char(parser, '.')) {
                *ret = 0;
                return 0;
        }
        if (!isdigit((unsigned char)*parser->p))
                return refuse(parser, "expected digits of a second after the point");
        for (; isdigit((unsigned char)*parser->p); parser->p++) {
                scale /= 10;
                usec += (*parser->p - '0') * scale;
        }
        *ret = usec;
        return 0;
}

static int parse_date(Parser *parser, CivilDate *ret)
{
        const char *start;
        CivilDate date;
        int r, length;

        r = parse_field(parser, 4, 1970, YEAR_MAX, "the year", &date.year);
        if (r < 0)
                return r;
        if (!skip_char(parser, '-'))
                return refuse(parser, EXPECTED);
        r = parse_field(parser, 2, 1, 12, "the month", &date.month);
        if (r < 0)
                return r;
        if (!skip_char(parser, '-'))
                return refuse(parser, EXPECTED);
        start = parser->p;
        r = parse_field(parser, 2, 1, 31, "the day", &date.day);
        if (r < 0)
                return r;
        length = civil_days_in_month(date.year, date.month);
        if (date.day > length)
                return when_error(parser->error, -ERANGE, (size_t)(start - parser->start),
                                  "no such day: %04d-%02d has %d days", date.year, date.month, length);
        *ret = date;
        return 0;
}

/* "10:00", "10:00:00.25" */
static int parse_time(Parser *parser, CivilTime *time)
{
        int r;

        r = parse_field(parser, 2, 0, 23, "the hour", &time->hour);
        if (r < 0)
                return r;
        if (!skip_char(parser, ':'))
                return refuse(parser, EXPECTED);
        r = parse_field(parser, 2, 0, 59, "the minute", &time->minute);
        if (r < 0 || !skip_char(parser, ':'))
                return r;
        r = parse_field(parser, 2, 0, 59, "the second", &time->second);
        if (r < 0)
                return r;
        return parse_fraction(parser, &time->usec);
}

/* "[Sun] 2026-11-22[ 10:00[:00[.25]]]" */
static int parse_civil(Parser *parser, int64_t *ret_local)
{
        CivilTime time = {};
        int weekday = -1, actual, r;
        const char *start;

        skip_blanks(parser);
        start = parser->p;
        if (isalpha((unsigned char)*parser->p)) {
                weekday = weekday_parse(&parser->p);
                if (weekday < 0)
                        return refuse(parser, EXPECTED);
                (void)skip_char(parser, ',');
                skip_blanks(parser);
        }
        r = parse_date(parser, &time.date);
        if (r < 0)
                return r;
        actual = civil_weekday(civil_to_days(time.date.year, time.date.month, time.date.day));
        if (weekday >= 0 && weekday != actual)
                return when_error(parser->error, -EINVAL, (size_t)(start - parser->start), "that day is a %s",
                                  weekday_names[actual]);

        start = parser->p;
        if (!skip_char(parser, 'T') && !skip_char(parser, 't'))
                skip_blanks(parser);
        if (parser->p > start && isdigit((unsigned char)*parser->p)) {
                r = parse_time(parser, &time);
                if (r < 0)
                        return r;
        } else {
                parser->p = start;
        }
        *ret_local = civil_to_local(&time);
        return 0;
}

/* "+01:00", "-0330", "+01" */
static int parse_offset(Parser *parser, int64_t *ret)
{
        int sign = *parser->p == '-' ? -1 : 1, hours, minutes = 0, r;

        parser->p++;
        r = parse_field(parser, 2, 0, 23, "the hours of an offset", &hours);
        if (r < 0)
                return r;
        if (skip_char(parser, ':') || isdigit((unsigned char)*parser->p)) {
                r = parse_field(parser, 2, 0, 59, "the minutes of an offset", &minutes);
                if (r < 0)
                        return r;
        }
        *ret = sign * (hours * LOCAL_PER_HOUR + minutes * LOCAL_PER_MINUTE);
        return 0;
}

static int to_realtime(const Parser *parser, int64_t utc, usec_t *ret)
{
        if (utc < 0 || (usec_t)utc >= REALTIME_MAX)
                return when_error(parser->error, -ERANGE, 0, "the time must lie in the years 1970 to 9999");
        *ret = (usec_t)utc;
        return 0;
}

/* "@1795341600.5" */
static int parse_epoch(Parser *parser, usec_t *ret)
{
        usec_t seconds = 0;
        int usec, r;

        parser->p++;
        if (!isdigit((unsigned char)*parser->p))
                return refuse(parser, "expected seconds since 1970 after @");
        for (; isdigit((unsigned char)*parser->p); parser->p++) {
                seconds = seconds * 10 + (usec_t)(*parser->p - '0');
                if (seconds >= REALTIME_MAX / USEC_PER_SEC)
                        return to_realtime(parser, -1, ret);
        }
        r = parse_fraction(parser, &usec);
        if (r < 0)
                return r;
        skip_blanks(parser);
        if (*parser->p)
                return refuse(parser, "unexpected text after the time");
        *ret = seconds * USEC_PER_SEC + (usec_t)usec;
        return 0;
}

/* The first instant of LOCAL in ZONE; behind a gap, the gap's end. */
static int64_t resolve(const Zone *zone, int64_t local)
{
        int64_t seconds = floor_div(local, LOCAL_PER_SEC), first, second;

        if (zone_resolve(zone, seconds, &first, &second) == ZONE_GAP)
                return first * LOCAL_PER_SEC;
        return first * LOCAL_PER_SEC + (local - seconds * LOCAL_PER_SEC);
}

int timestamp_resolve(int64_t local, const Zone *zone, usec_t *ret_realtime)
{
        return to_realtime(&(Parser){}, resolve(zone, local), ret_realtime);
}

/* The zone's name at the end of the text. */
static int parse_zone(Parser *parser, Zone **ret)
{
        char name[ZONE_NAME_MAX + 1];
        size_t n = strcspn(parser->p, BLANKS);
        WhenError error;
        int r;

        if (n > ZONE_NAME_MAX)
                return refuse(parser, "not a time zone; expected a name such as Europe/Berlin");
        memcpy(name, parser->p, n);
        name[n] = '\0';
        r = zone_load(name, ret, &error);
        if (r < 0)
                return r == -ENOMEM ? r : when_error(parser->error, r, (size_t)(parser->p - parser->start), "%s",
                                                     error.message);
        parser->p += n;
        return 0;
}

int timestamp_parse(const char *s, const Zone *zone, usec_t *ret_realtime, WhenError *error)
{
        Parser parser = { .start = s, .p = s + strspn(s, BLANKS), .error = error };
        _cleanup_zone_ Zone *own = NULL;
        int64_t local, offset = 0, utc;
        const char *end;
        int r;

        if (*parser.p == '@')
                return parse_epoch(&parser, ret_realtime);
        r = parse_civil(&parser, &local);
        if (r < 0)
                return r;

        end = parser.p;
        skip_blanks(&parser);
        if (skip_char(&parser, 'Z') || skip_char(&parser, 'z')) {
                utc = local;
        } else if (*parser.p == '+' || *parser.p == '-') {
                r = parse_offset(&parser, &offset);
                if (r < 0)
                        return r;
                utc = local - offset;
        } else {
                if (*parser.p && parser.p == end)
                        return refuse(&parser, EXPECTED);
                if (*parser.p) {
                        r = parse_zone(&parser, &own);
                        if (r < 0)
                                return r;
                }
                utc = resolve(own ?: zone ?: zone_utc(), local);
        }
        skip_blanks(&parser);
        if (*parser.p)
                return refuse(&parser, "unexpected text after the time");
        return to_realtime(&parser, utc, ret_realtime);
}

int timestamp_parse_local(const char *s, int64_t *ret_local, WhenError *error)
{
        Parser parser = { .start = s, .p = s, .error = error };
        int64_t local;
        int r;

        r = parse_civil(&parser, &local);
        if (r < 0)
                return r;
        skip_blanks(&parser);
        if (*parser.p)
                return refuse(&parser, "unexpected text after the time; no zone can be named here");
        *ret_local = local;
        return 0;
}

char *timestamp_format(usec_t realtime, const Zone *zone, char buffer[static TIMESTAMP_MAX])
{
        usec_t clamped = MIN(realtime, REALTIME_MAX - 1 - USEC_PER_DAY * 2);
        char fraction[8] = "";
        ZoneSpan span;
        CivilTime t;
        size_t n;

        zone_span(zone ?: zone_utc(), (int64_t)(clamped / USEC_PER_SEC), &span);
        t = civil_from_local((int64_t)clamped + span.offset * LOCAL_PER_SEC);
        if (t.usec > 0) {
                n = (size_t)snprintf(fraction, sizeof(fraction), ".%06u", (unsigned)t.usec % 1000000);
                while (fraction[n - 1] == '0')
                        fraction[--n] = '\0';
        }
        (void)snprintf(buffer, TIMESTAMP_MAX, "%s %04d-%02d-%02d %02d:%02d:%02d%s %s",
                       weekday_names[civil_weekday(floor_div((int64_t)clamped + span.offset * LOCAL_PER_SEC,
                                                             LOCAL_PER_DAY))],
                       t.date.year, t.date.month, t.date.day, t.hour, t.minute, t.second, fraction,
                       span.abbreviation);
        return buffer;
}
