/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "when/zone-rule.h"

#include <ctype.h>

#include "when/civil.h"

#define RULE_HOURS_MAX 167 /* of a rule's time (RFC 8536) */
#define OFFSET_HOURS_MAX 24

/* A decimal number of at most MAX, moving *P behind it. */
static int parse_number(const char **p, int max, int *ret)
{
        int n = 0;

        if (!isdigit((unsigned char)**p))
                return -EINVAL;
        for (; isdigit((unsigned char)**p); (*p)++) {
                n = n * 10 + (**p - '0');
                if (n > max)
                        return -EINVAL;
        }
        *ret = n;
        return 0;
}

/* [+-]hh[:mm[:ss]] in seconds */
static int parse_hms(const char **p, int hours_max, int32_t *ret)
{
        int sign = **p == '-' ? -1 : 1, hours, minutes = 0, seconds = 0;

        if (**p == '-' || **p == '+')
                (*p)++;
        if (parse_number(p, hours_max, &hours) < 0)
                return -EINVAL;
        if (**p == ':') {
                (*p)++;
                if (parse_number(p, 59, &minutes) < 0)
                        return -EINVAL;
                if (**p == ':') {
                        (*p)++;
                        if (parse_number(p, 59, &seconds) < 0)
                                return -EINVAL;
                }
        }
        *ret = sign * (hours * 3600 + minutes * 60 + seconds);
        return 0;
}

/* "CET" or "<+0330>" */
static int parse_name(const char **p, char ret[static ZONE_ABBREVIATION_MAX + 1])
{
        bool quoted = **p == '<';
        const char *start = *p + quoted;
        size_t n = 0;

        while (quoted ? isalnum((unsigned char)start[n]) || start[n] == '+' || start[n] == '-'
                      : isalpha((unsigned char)start[n]))
                n++;
        if (n < 3 || n > ZONE_ABBREVIATION_MAX || (quoted && start[n] != '>'))
                return -EINVAL;
        memcpy(ret, start, n);
        ret[n] = '\0';
        *p = start + n + quoted;
        return 0;
}

/* ",date[/time]" */
static int parse_day(const char **p, RuleDay *ret)
{
        RuleDay day = { .time = 2 * 3600 };

        if (*(*p)++ != ',')
                return -EINVAL;
        if (**p == 'M') {
                day.type = RULE_DAY_MONTH_WEEK;
                (*p)++;
                if (parse_number(p, 12, &day.month) < 0 || day.month < 1 || *(*p)++ != '.' ||
                    parse_number(p, 5, &day.week) < 0 || day.week < 1 || *(*p)++ != '.' ||
                    parse_number(p, 6, &day.day) < 0)
                        return -EINVAL;
        } else if (**p == 'J') {
                day.type = RULE_DAY_JULIAN;
                (*p)++;
                if (parse_number(p, 365, &day.day) < 0 || day.day < 1)
                        return -EINVAL;
        } else {
                day.type = RULE_DAY_ZERO;
                if (parse_number(p, 365, &day.day) < 0)
                        return -EINVAL;
        }
        if (**p == '/') {
                (*p)++;
                if (parse_hms(p, RULE_HOURS_MAX, &day.time) < 0)
                        return -EINVAL;
        }
        *ret = day;
        return 0;
}

int zone_rule_parse(const char *s, ZoneRule *ret)
{
        ZoneRule rule = {};
        const char *p = s;

        /* POSIX counts offsets west of Greenwich. */
        if (parse_name(&p, rule.abbreviation) < 0 || parse_hms(&p, OFFSET_HOURS_MAX, &rule.offset) < 0)
                return -EINVAL;
        rule.offset = -rule.offset;
        if (*p) {
                rule.has_dst = true;
                rule.dst_offset = rule.offset + 3600;
                if (parse_name(&p, rule.dst_abbreviation) < 0)
                        return -EINVAL;
                if (*p != ',') {
                        if (parse_hms(&p, OFFSET_HOURS_MAX, &rule.dst_offset) < 0)
                                return -EINVAL;
                        rule.dst_offset = -rule.dst_offset;
                }
                if (parse_day(&p, &rule.start) < 0 || parse_day(&p, &rule.end) < 0 || *p)
                        return -EINVAL;
        }
        *ret = rule;
        return 0;
}

/* The local second of YEAR at which DAY has its time. */
static int64_t rule_day_in(const RuleDay *day, int year)
{
        int64_t days;

        if (day->type == RULE_DAY_MONTH_WEEK) {
                int length = civil_days_in_month(year, day->month), first;

                days = civil_to_days(year, day->month, 1);
                first = (day->day + 6 - civil_weekday(days)) % 7; /* days from the 1st to that weekday */
                first += 7 * (day->week - 1);
                days += first < length ? first : first - 7;
        } else {
                days = civil_to_days(year, 1, 1) + day->day;
                if (day->type == RULE_DAY_JULIAN && !(civil_is_leap_year(year) && day->day >= 60))
                        days--;
        }
        return days * SEC_PER_DAY + day->time;
}

void zone_rule_span(const ZoneRule *rule, int64_t utc, ZoneSpan *ret)
{
        ZoneSpan span = { .start = INT64_MIN, .end = INT64_MAX };
        int year;

        if (rule->has_dst) {
                year = civil_from_days(floor_div(utc + rule->offset, SEC_PER_DAY)).year;
                /* A rule's time may lie a week outside of its year. */
                for (int y = year - 2; y <= year + 2; y++) {
                        int64_t changes[] = {
                                rule_day_in(&rule->end, y) - rule->dst_offset,
                                rule_day_in(&rule->start, y) - rule->offset,
                        };

                        /* The later of two at one instant is the start: daylight saving all year. */
                        for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
                                if (changes[i] > utc) {
                                        span.end = MIN(span.end, changes[i]);
                                } else if (changes[i] >= span.start) {
                                        span.start = changes[i];
                                        span.dst = i == 1;
                                }
                        }
                }
        }
        span.offset = span.dst ? rule->dst_offset : rule->offset;
        memcpy(span.abbreviation, span.dst ? rule->dst_abbreviation : rule->abbreviation,
               sizeof(span.abbreviation));
        *ret = span;
}
