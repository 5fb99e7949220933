/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "when/calendar.h"

#include <ctype.h>
#include <strings.h>

#include "when/bits.h"
#include "when/calendar-internal.h"
#include "when/names.h"

#define BLANKS " \t"
#define HALF_DAY "hours go from 0 to 23, with the minute: 03:00, or 15:00 for 3pm"
#define EXPECTED "expected a calendar expression such as Mon..Fri *-*-* 09:30:00"
/* What no field comes near, and of seconds fits as microseconds. */
#define VALUE_MAX 9999
#define SECOND_VALUE_MAX 999
#define END_OF_MONTH_MAX 28 /* days back that each month has */

typedef struct Parser {
        const char *start;
        const char *p;
        WhenError *error;
        Calendar *calendar;
} Parser;

typedef struct FieldInfo {
        const char *name;
        int32_t min;
        int32_t max;
        int32_t scale;
} FieldInfo;

static const FieldInfo fields[_CALENDAR_FIELD_MAX] = {
        [CALENDAR_YEAR] = { "the year", WHEN_YEAR_MIN, WHEN_YEAR_MAX, 1 },
        [CALENDAR_MONTH] = { "the month", 1, 12, 1 },
        [CALENDAR_DAY] = { "the day", 1, 31, 1 },
        [CALENDAR_HOUR] = { "the hour", 0, 23, 1 },
        [CALENDAR_MINUTE] = { "the minute", 0, 59, 1 },
        [CALENDAR_SECOND] = { "the second", 0, (int32_t)LOCAL_PER_MINUTE - 1, (int32_t)LOCAL_PER_SEC },
};

static int refuse_at(const Parser *parser, size_t offset, const char *what)
{
        return when_error(parser->error, -EINVAL, offset, "%s", what);
}

static int refuse(const Parser *parser, const char *what)
{
        return refuse_at(parser, (size_t)(parser->p - parser->start), what);
}

static bool is_half_day(const char *s)
{
        return strncasecmp(s, "am", 2) == 0 || strncasecmp(s, "pm", 2) == 0;
}

/* What is at P belongs to no date and no time. */
static int refuse_rest(const Parser *parser)
{
        return refuse(parser, is_half_day(parser->p) ? HALF_DAY : EXPECTED);
}

static bool skip_char(Parser *parser, char c)
{
        if (*parser->p != c)
                return false;
        parser->p++;
        return true;
}

/* --- one component --- */

/* A number, of seconds with a fraction that is rounded to microseconds as systemd does. */
static int parse_value(Parser *parser, int32_t scale, int32_t *ret)
{
        size_t offset = (size_t)(parser->p - parser->start);
        int32_t value = 0;

        if (!isdigit((unsigned char)*parser->p))
                return refuse(parser, "expected a number");
        for (; isdigit((unsigned char)*parser->p); parser->p++) {
                value = value * 10 + (*parser->p - '0');
                if (value > (scale > 1 ? SECOND_VALUE_MAX : VALUE_MAX))
                        return refuse_at(parser, offset, "the number is too large");
        }
        value *= scale;
        if (scale > 1 && *parser->p == '.' && isdigit((unsigned char)parser->p[1])) {
                int32_t unit = scale;

                for (parser->p++; isdigit((unsigned char)*parser->p); parser->p++) {
                        if (unit == 1 && *parser->p >= '5')
                                value++;
                        unit /= 10;
                        value += (*parser->p - '0') * unit;
                        if (unit == 0)
                                break;
                }
                parser->p += strspn(parser->p, "0123456789");
        }
        *ret = value;
        return 0;
}

static int parse_part(Parser *parser, int32_t scale, CalendarPart *ret)
{
        CalendarPart part = { .stop = -1, .offset = (int32_t)(parser->p - parser->start) };
        int r;

        r = parse_value(parser, scale, &part.start);
        if (r < 0)
                return r;
        if (parser->p[0] == '.' && parser->p[1] == '.') {
                parser->p += 2;
                r = parse_value(parser, scale, &part.stop);
                if (r < 0)
                        return r;
                part.repeat = scale;
        }
        if (skip_char(parser, '/')) {
                r = parse_value(parser, scale, &part.repeat);
                if (r < 0)
                        return r;
                if (part.repeat == 0)
                        return refuse(parser, "a step can't be 0; 1 is the least");
        } else if (part.stop >= part.start && part.stop - part.start < scale && scale > 1) {
                return refuse_at(parser, (size_t)part.offset, "the range is shorter than a second; give it a step");
        }
        if (*parser->p && !strchr(" \t,-~:", *parser->p))
                return refuse_rest(parser);
        *ret = part;
        return 0;
}

static int append_part(CalendarChain *chain, const CalendarPart *part)
{
        CalendarPart *parts;

        if (chain->n >= CALENDAR_PARTS_MAX)
                return -E2BIG;
        parts = reallocarray(chain->parts, chain->n + 1, sizeof(*parts));
        if (!parts)
                return -ENOMEM;
        chain->parts = parts;
        chain->parts[chain->n++] = *part;
        return 0;
}

static void chain_deinit(CalendarChain *chain)
{
        free(chain->parts);
        *chain = (CalendarChain){};
}

/* "*", or parts with commas between. What they mean is not known yet: only seconds differ. */
static int parse_chain(Parser *parser, bool seconds, CalendarChain *ret)
{
        _cleanup_(chain_deinit) CalendarChain chain = {};
        int32_t scale = seconds ? (int32_t)LOCAL_PER_SEC : 1;
        CalendarPart part = { .stop = -1, .repeat = scale };
        int r;

        if (skip_char(parser, '*')) {
                if (*parser->p == '/')
                        return refuse(parser, "`*` takes no step; write the first value in its place, as in 0/5");
                r = seconds ? append_part(&chain, &part) : 0;
                if (r < 0)
                        return r;
        } else {
                do {
                        r = parse_part(parser, scale, &part);
                        if (r < 0)
                                return r;
                        r = append_part(&chain, &part);
                        if (r == -E2BIG)
                                return when_error(parser->error, r, (size_t)part.offset, "more than %d values",
                                                  CALENDAR_PARTS_MAX);
                        if (r < 0)
                                return r;
                } while (skip_char(parser, ','));
        }
        *ret = chain;
        chain = (CalendarChain){};
        return 0;
}

static int compare_parts(const void *a, const void *b)
{
        const CalendarPart *x = a, *y = b;

        if (x->start != y->start)
                return x->start < y->start ? -1 : 1;
        if (x->stop != y->stop)
                return x->stop < y->stop ? -1 : 1;
        return x->repeat < y->repeat ? -1 : x->repeat > y->repeat;
}

/* Whether PART alone is each second, and the other parts add no fraction of one. */
static bool is_each_second(const CalendarChain *chain, const CalendarPart *part, int32_t scale)
{
        if (scale == 1 || part->start != 0 || part->stop >= 0 || part->repeat != scale)
                return false;
        for (size_t i = 0; i < chain->n; i++)
                if (chain->parts[i].start % scale != 0 || chain->parts[i].repeat % scale != 0)
                        return false;
        return true;
}

/* Cuts what a step can't reach off a range, sorts, drops what is there twice. */
static void normalize_chain(CalendarChain *chain, int32_t scale)
{
        size_t n = 0;

        for (size_t i = 0; i < chain->n; i++) {
                CalendarPart *part = &chain->parts[i];

                if (part->stop > part->start)
                        part->stop -= (part->stop - part->start) % part->repeat;
                if (part->stop == part->start) {
                        part->stop = -1;
                        part->repeat = 0;
                }
        }
        if (chain->n > 0)
                qsort(chain->parts, chain->n, sizeof(*chain->parts), compare_parts);
        for (size_t i = 0; i < chain->n; i++)
                if (n == 0 || compare_parts(&chain->parts[n - 1], &chain->parts[i]) != 0)
                        chain->parts[n++] = chain->parts[i];
        chain->n = n;
        for (size_t i = 0; i < chain->n; i++)
                if (is_each_second(chain, &chain->parts[i], scale)) {
                        chain->parts[0] = chain->parts[i];
                        chain->n = 1;
                }
}

static int check_part(const Parser *parser, const FieldInfo *field, bool from_end, const CalendarPart *part)
{
        size_t offset = (size_t)part->offset;
        int32_t max = from_end ? END_OF_MONTH_MAX : field->max, last;

        if (part->start < field->min || part->start > max || part->stop > max)
                return when_error(parser->error, -EINVAL, offset, "%s%s must be from %d to %d", field->name,
                                  from_end ? " from the month's end" : "", field->min, max / field->scale);
        if (part->stop >= 0 && part->stop < part->start)
                return refuse_at(parser, offset, "the range runs backwards; put the smaller value first");
        /* Of days from the end of the month, a step goes towards that end. */
        last = from_end ? part->start - part->repeat : part->start + part->repeat;
        if (part->stop < 0 && part->repeat > 0 && (last < field->min || last > max))
                return when_error(parser->error, -EINVAL, offset, "the step leaves the range of %s", field->name);
        return 0;
}

/* Makes CHAIN, which it takes over, that of FIELD. */
static int set_chain(Parser *parser, CalendarField field, CalendarChain *chain)
{
        bool from_end = field == CALENDAR_DAY && parser->calendar->end_of_month;
        int r;

        for (size_t i = 0; i < chain->n; i++) {
                CalendarPart *part = &chain->parts[i];

                if (field == CALENDAR_YEAR) {
                        /* Two digits, as systemd takes them. */
                        part->start += part->start < 70 ? 2000 : part->start < 100 ? 1900 : 0;
                        if (part->stop >= 0)
                                part->stop += part->stop < 70 ? 2000 : part->stop < 100 ? 1900 : 0;
                }
                r = check_part(parser, &fields[field], from_end, part);
                if (r < 0)
                        return r;
        }
        normalize_chain(chain, fields[field].scale);
        chain_deinit(&parser->calendar->chains[field]);
        parser->calendar->chains[field] = *chain;
        *chain = (CalendarChain){};
        return 0;
}

static int set_value(Parser *parser, CalendarField field, int32_t value)
{
        _cleanup_(chain_deinit) CalendarChain chain = {};
        CalendarPart part = { .start = value, .stop = -1 };
        int r;

        r = append_part(&chain, &part);
        return r < 0 ? r : set_chain(parser, field, &chain);
}

/* --- shorthands --- */

typedef struct Shorthand {
        const char *name;
        const char *expression;
        const char *moved; /* what the name would stand for at another time, for who writes both */
} Shorthand;

static const Shorthand shorthands[] = {
        { "minutely", "*-*-* *:*:00", "*-*-* *:*:30" },
        { "hourly", "*-*-* *:00:00", "*-*-* *:15" },
        { "daily", "*-*-* 00:00:00", "*-*-* 03:00" },
        { "weekly", "Mon *-*-* 00:00:00", "Mon *-*-* 03:00" },
        { "monthly", "*-*-01 00:00:00", "*-*-01 03:00" },
        { "quarterly", "*-01,04,07,10-01 00:00:00", "*-01,04,07,10-01 03:00" },
        { "semiannually", "*-01,07-01 00:00:00", "*-01,07-01 03:00" },
        { "semi-annually", "*-01,07-01 00:00:00", "*-01,07-01 03:00" },
        { "biannually", "*-01,07-01 00:00:00", "*-01,07-01 03:00" },
        { "bi-annually", "*-01,07-01 00:00:00", "*-01,07-01 03:00" },
        { "yearly", "*-01-01 00:00:00", "*-01-01 03:00" },
        { "annually", "*-01-01 00:00:00", "*-01-01 03:00" },
        { "anually", "*-01-01 00:00:00", "*-01-01 03:00" },
};

/* The one that S[0…N) is; NULL where it is none. */
static const Shorthand *find_shorthand(const char *s, size_t n)
{
        for (size_t i = 0; i < ARRAY_SIZE(shorthands); i++)
                if (strlen(shorthands[i].name) == n && strncasecmp(s, shorthands[i].name, n) == 0)
                        return &shorthands[i];
        return NULL;
}

/* --- the three parts of an expression --- */

/* The word at P should be a weekday; "daily 03:00" is what many would say. */
static int refuse_word(const Parser *parser)
{
        size_t n = strcspn(parser->p, BLANKS);
        const Shorthand *shorthand = find_shorthand(parser->p, n);

        if (!shorthand)
                return refuse(parser, "expected a weekday such as Mon, or a shorthand such as daily");
        return when_error(parser->error, -EINVAL, (size_t)(parser->p - parser->start) + n,
                          "nothing but a zone stands behind %s; for another time, say it in full, such as %s",
                          shorthand->name, shorthand->moved);
}

/* "Mon..Wed,Fri "; nothing where the text doesn't begin with a letter. */
static int parse_weekdays(Parser *parser)
{
        unsigned weekdays = 0;
        int first = -1;

        if (!isalpha((unsigned char)*parser->p))
                return 0;
        do {
                const char *start = parser->p;
                int day = weekday_parse(&parser->p);

                if (day < 0)
                        return refuse_word(parser);
                if (first > day)
                        return refuse_at(parser, (size_t)(start - parser->start),
                                         "the range runs backwards; a week begins on Monday");
                weekdays |= (unsigned)bits_range(first >= 0 ? first : day, day);
                if (first < 0 && (startswith(parser->p, "..") || *parser->p == '-')) {
                        first = day;
                        parser->p += *parser->p == '-' ? 1 : 2;
                        continue;
                }
                first = -1;
                if (!skip_char(parser, ','))
                        break;
        } while (*parser->p && *parser->p != ' ');

        if (first >= 0)
                return refuse(parser, "expected the last weekday of the range");
        if (*parser->p && !strchr(BLANKS, *parser->p))
                return refuse(parser, "expected a blank after the weekdays");
        parser->p += strspn(parser->p, BLANKS);
        parser->calendar->weekdays = (uint8_t)weekdays;
        return 0;
}

/* "2026-11-22", "11-22", "*-*~3"; goes back to where it began where it meets a time. */
static int parse_date(Parser *parser)
{
        CalendarChain chains[3] = {};
        const char *start = parser->p;
        size_t n = 0;
        int r = 0;

        if (!*parser->p)
                return 0;
        while (n < ARRAY_SIZE(chains)) {
                r = parse_chain(parser, false, &chains[n]);
                if (r < 0)
                        goto finish;
                n++;
                if (n == 1 && *parser->p == ':') {
                        parser->p = start;
                        goto finish;
                }
                if (!*parser->p || strchr(BLANKS, *parser->p))
                        break;
                /* `~` comes before the day, which is the last. */
                if (n == ARRAY_SIZE(chains) || (*parser->p != '~' && *parser->p != '-') ||
                    parser->calendar->end_of_month) {
                        r = refuse_rest(parser);
                        goto finish;
                }
                parser->calendar->end_of_month = *parser->p++ == '~';
        }
        if (n < 2) {
                r = refuse(parser, "expected a date such as 2026-11-22 or a time such as 10:00");
                goto finish;
        }
        parser->p += strspn(parser->p, BLANKS);
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = set_chain(parser, (CalendarField)(CALENDAR_DAY + 1 - n + i), &chains[i]);
        if (parser->calendar->chains[CALENDAR_DAY].n == 0)
                parser->calendar->end_of_month = false;
finish:
        for (size_t i = 0; i < n; i++)
                chain_deinit(&chains[i]);
        return r;
}

/* "10:00", "*:0/15:30.5"; midnight where nothing is left. */
static int parse_time(Parser *parser)
{
        static const CalendarField order[] = { CALENDAR_HOUR, CALENDAR_MINUTE, CALENDAR_SECOND };
        size_t n = 0;
        int r;

        if (*parser->p)
                do {
                        _cleanup_(chain_deinit) CalendarChain chain = {};

                        r = parse_chain(parser, order[n] == CALENDAR_SECOND, &chain);
                        if (r < 0)
                                return r;
                        r = set_chain(parser, order[n++], &chain);
                        if (r < 0)
                                return r;
                } while (n < ARRAY_SIZE(order) && skip_char(parser, ':'));
        if (*parser->p)
                return refuse_rest(parser);
        if (n == 1)
                return refuse(parser, "expected `:` and the minute");

        parser->calendar->precision = n == 0 ? CALENDAR_PRECISION_DAY
                                             : n == 2 ? CALENDAR_PRECISION_MINUTE : CALENDAR_PRECISION_SECOND;
        for (; n < ARRAY_SIZE(order); n++) {
                r = set_value(parser, order[n], 0);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* "@1795341600": the date and time of that second in UTC. */
static int parse_epoch(Parser *parser)
{
        static const int64_t end = INT64_C(7258118400); /* of WHEN_YEAR_MAX */
        int64_t seconds = 0;
        CivilTime t;
        int r;

        parser->p++;
        if (!isdigit((unsigned char)*parser->p))
                return refuse(parser, "expected seconds since 1970 after @");
        for (; isdigit((unsigned char)*parser->p); parser->p++) {
                seconds = seconds * 10 + (*parser->p - '0');
                if (seconds >= end)
                        return when_error(parser->error, -EINVAL, 0, "the time lies after the year %d", WHEN_YEAR_MAX);
        }
        if (*parser->p)
                return refuse(parser, "unexpected text after the seconds");
        t = civil_from_local(seconds * LOCAL_PER_SEC);
        for (size_t i = 0; i < _CALENDAR_FIELD_MAX; i++) {
                const int values[_CALENDAR_FIELD_MAX] = {
                        t.date.year, t.date.month, t.date.day, t.hour, t.minute, t.second * (int)LOCAL_PER_SEC,
                };

                r = set_value(parser, (CalendarField)i, values[i]);
                if (r < 0)
                        return r;
        }
        zone_unref(parser->calendar->zone);
        parser->calendar->zone = zone_utc();
        parser->calendar->precision = CALENDAR_PRECISION_SECOND;
        return 0;
}

/* Cuts a zone's name off the end of TEXT. */
static int cut_zone(Parser *parser, char *text)
{
        char *name = strrchr(text, ' ');
        WhenError error;
        size_t n;
        int r;

        /* The one of weekdays is followed by a digit, a star or nothing. */
        if (!name || !isalpha((unsigned char)name[1]))
                return 0;
        if (is_half_day(name + 1) && !name[3])
                return when_error(parser->error, -EINVAL, (size_t)(name + 1 - text), HALF_DAY);
        if (strcasecmp(name + 1, "UTC") == 0)
                strcpy(name + 1, "UTC");
        r = zone_load(name + 1, &parser->calendar->zone, &error);
        if (r < 0)
                return r == -ENOMEM ? r : when_error(parser->error, r, (size_t)(name + 1 - text), "%s", error.message);
        n = (size_t)(name - text);
        while (n > 0 && strchr(BLANKS, text[n - 1]))
                n--;
        text[n] = '\0';
        return 0;
}

/* --- the sets --- */

static uint64_t chain_bits(const CalendarChain *chain, int32_t min, int32_t max)
{
        uint64_t bits = 0;

        for (int32_t i = calendar_chain_next(chain, min, max); i >= 0; i = calendar_chain_next(chain, i + 1, max))
                bits |= BIT(i);
        return bits;
}

/* The days that `~START..STOP/REPEAT` asks for, counted from the end: a step goes on to day 1. */
static uint64_t days_from_end(const CalendarChain *chain)
{
        uint64_t bits = 0;

        for (size_t i = 0; i < chain->n; i++) {
                const CalendarPart *part = &chain->parts[i];
                int32_t high = part->stop >= 0 ? part->stop : part->start;
                int32_t low = part->stop >= 0 || part->repeat == 0 ? part->start : 1;

                for (int32_t day = high; day >= low; day -= MAX(part->repeat, 1))
                        bits |= BIT(day);
        }
        return bits;
}

static bool is_wildcard(const CalendarChain *chain)
{
        for (size_t i = 0; i < chain->n; i++)
                if (chain->parts[i].repeat > 0 && chain->parts[i].stop < 0)
                        return true;
        return chain->n == 0;
}

static void fill_sets(Calendar *calendar)
{
        const CalendarChain *chains = calendar->chains;

        calendar->months = (uint16_t)chain_bits(&chains[CALENDAR_MONTH], 1, 12);
        calendar->days = (uint32_t)(calendar->end_of_month ? days_from_end(&chains[CALENDAR_DAY])
                                                           : chain_bits(&chains[CALENDAR_DAY], 1, 31));
        calendar->hours = (uint32_t)chain_bits(&chains[CALENDAR_HOUR], 0, 23);
        calendar->minutes = chain_bits(&chains[CALENDAR_MINUTE], 0, 59);
        calendar->fixed = !is_wildcard(&chains[CALENDAR_HOUR]) && !is_wildcard(&chains[CALENDAR_MINUTE]);
}

static int parse_expression(Parser *parser)
{
        int r;

        if (*parser->p == '@')
                return parse_epoch(parser);
        if (!*parser->p)
                return refuse(parser, EXPECTED);
        r = parse_weekdays(parser);
        if (r < 0)
                return r;
        r = parse_date(parser);
        if (r < 0)
                return r;
        return parse_time(parser);
}

int calendar_parse(const char *s, Calendar **ret, WhenError *error)
{
        _cleanup_(calendar_freep) Calendar *calendar = NULL;
        size_t lead = strspn(s, BLANKS), n = strlen(s);
        _cleanup_free_ char *text = NULL;
        Parser parser = { .error = error };
        const Shorthand *shorthand;
        int64_t local;
        int r;

        if (n > CALENDAR_TEXT_MAX)
                return when_error(error, -E2BIG, CALENDAR_TEXT_MAX, "the expression is too long");
        text = strdup(s);
        parser.calendar = calendar = new0(Calendar, 1);
        if (!text || !calendar)
                return -ENOMEM;
        calendar->weekdays = CALENDAR_ALL_WEEKDAYS;
        while (n > lead && strchr(BLANKS, text[n - 1]))
                text[--n] = '\0';

        r = cut_zone(&parser, text);
        if (r < 0)
                return r;
        shorthand = find_shorthand(text + lead, strlen(text + lead));
        parser.start = shorthand ? shorthand->expression : text;
        parser.p = shorthand ? shorthand->expression : text + lead;
        r = parse_expression(&parser);
        if (r < 0)
                return r;
        fill_sets(calendar);
        if (calendar_local_next(calendar, 0, &local) == 0)
                return refuse_at(&parser, lead, "there is no such date: the day, the month and the weekday never meet");
        *ret = TAKE_PTR(calendar);
        return 0;
}
