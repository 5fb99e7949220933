/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "when/timespan.h"

#include <ctype.h>
#include <stdio.h>

#include "base/string-util.h"

#define BLANKS " \t\n\r"
#define DIGITS "0123456789"
/* Digits after the point that can still count for a microsecond of a year. */
#define FRACTION_DIGITS_MAX 15

typedef struct Unit {
        const char *name;
        usec_t usec;
} Unit;

/* Longer names first where one begins like another. */
static const Unit units[] = {
        { "seconds", USEC_PER_SEC },
        { "second", USEC_PER_SEC },
        { "sec", USEC_PER_SEC },
        { "s", USEC_PER_SEC },
        { "minutes", USEC_PER_MINUTE },
        { "minute", USEC_PER_MINUTE },
        { "min", USEC_PER_MINUTE },
        { "months", USEC_PER_MONTH },
        { "month", USEC_PER_MONTH },
        { "M", USEC_PER_MONTH },
        { "msec", USEC_PER_MSEC },
        { "ms", USEC_PER_MSEC },
        { "m", USEC_PER_MINUTE },
        { "hours", USEC_PER_HOUR },
        { "hour", USEC_PER_HOUR },
        { "hr", USEC_PER_HOUR },
        { "h", USEC_PER_HOUR },
        { "days", USEC_PER_DAY },
        { "day", USEC_PER_DAY },
        { "d", USEC_PER_DAY },
        { "weeks", USEC_PER_WEEK },
        { "week", USEC_PER_WEEK },
        { "w", USEC_PER_WEEK },
        { "years", USEC_PER_YEAR },
        { "year", USEC_PER_YEAR },
        { "y", USEC_PER_YEAR },
        { "usec", 1 },
        { "us", 1 },
        { "\xc2\xb5s", 1 }, /* U+00B5 micro sign */
        { "\xce\xbcs", 1 }, /* U+03BC Greek mu */
};

/* The unit whose name is the whole word at P. */
static const Unit *find_unit(const char *p)
{
        for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
                const char *end = startswith(p, units[i].name);

                if (end && !isalpha((unsigned char)*end) && (unsigned char)*end < 0x80)
                        return &units[i];
        }
        return NULL;
}

typedef struct Number {
        uint64_t whole;
        uint64_t fraction; /* of SCALE */
        uint64_t scale;
} Number;

/* Reads "12", "12.5", "12." or ".5" and moves *P behind it. */
static int parse_number(const char **p, Number *ret)
{
        size_t whole = strspn(*p, DIGITS), fraction = 0;
        Number n = { .scale = 1 };

        if ((*p)[whole] == '.')
                fraction = strspn(*p + whole + 1, DIGITS) + 1;
        if (whole == 0 && fraction < 2)
                return -EINVAL;

        for (size_t i = 0; i < whole; i++)
                if (__builtin_mul_overflow(n.whole, 10, &n.whole) ||
                    __builtin_add_overflow(n.whole, (uint64_t)((*p)[i] - '0'), &n.whole))
                        return -ERANGE;
        for (size_t i = 1; i < fraction && i <= FRACTION_DIGITS_MAX; i++) {
                n.fraction = n.fraction * 10 + (uint64_t)((*p)[whole + i] - '0');
                n.scale *= 10;
        }
        *p += whole + fraction;
        *ret = n;
        return 0;
}

/* Adds NUMBER units to *SUM. */
static int add_number(usec_t *sum, const Number *number, usec_t unit)
{
        usec_t whole, fraction = (usec_t)((unsigned __int128)number->fraction * unit / number->scale);

        if (__builtin_mul_overflow(number->whole, unit, &whole) ||
            __builtin_add_overflow(*sum, whole, sum) ||
            __builtin_add_overflow(*sum, fraction, sum) || *sum == USEC_INFINITY)
                return -ERANGE;
        return 0;
}

int timespan_parse_unit(const char *s, usec_t default_unit, usec_t *ret, WhenError *error)
{
        static const char expected[] = "expected a time span such as 500ms, 2min 30s or 1.5h";
        const char *p = s + strspn(s, BLANKS), *rest = startswith(p, "infinity");
        usec_t sum = 0;
        int r;

        if (rest && !rest[strspn(rest, BLANKS)]) {
                *ret = USEC_INFINITY;
                return 0;
        }
        if (!*p)
                return when_error(error, -EINVAL, (size_t)(p - s), "%s", expected);

        while (*p) {
                const char *number_start = p;
                const Unit *unit;
                usec_t usec;
                Number number;

                if (*p == '-')
                        return when_error(error, -EINVAL, (size_t)(p - s), "a time span can't be negative");
                r = parse_number(&p, &number);
                if (r == -EINVAL)
                        return when_error(error, r, (size_t)(p - s), "%s", expected);
                if (r < 0)
                        return when_error(error, r, (size_t)(p - s), "time span is too large; at most 584542y");

                rest = p + strspn(p, BLANKS);
                unit = find_unit(rest);
                if (unit)
                        rest += strlen(unit->name);
                else if (isalpha((unsigned char)*rest) || (unsigned char)*rest >= 0x80)
                        return when_error(error, -EINVAL, (size_t)(rest - s),
                                          "unknown unit; expected us, ms, s, min, h, d, w, month or y");
                else if (*rest && rest == p)
                        return when_error(error, -EINVAL, (size_t)(rest - s), "%s", expected);
                usec = unit ? unit->usec : default_unit;
                r = add_number(&sum, &number, usec);
                if (r < 0)
                        return when_error(error, r, (size_t)(number_start - s), "time span is too large; at most 584542y");
                p = rest + strspn(rest, BLANKS);
        }
        *ret = sum;
        return 0;
}

int timespan_parse(const char *s, usec_t *ret, WhenError *error)
{
        return timespan_parse_unit(s, USEC_PER_SEC, ret, error);
}

/* "1.5": VALUE of a unit that is worth SCALE (a power of ten), with no trailing zeros. Returns what is behind it. */
static char *put_decimal(char *p, usec_t value, usec_t scale)
{
        usec_t fraction = value % scale;

        p = put_uint64(p, value / scale);
        if (fraction > 0)
                *p++ = '.';
        for (; fraction > 0; fraction %= scale) {
                scale /= 10;
                *p++ = (char)('0' + fraction / scale);
        }
        return p;
}

/* Records of what was missed have one each, and snprintf() takes ten times as long. */
char *timespan_format(usec_t span, char buffer[static TIMESPAN_MAX])
{
        static const Unit large[] = {
                { "w", USEC_PER_WEEK },
                { "d", USEC_PER_DAY },
                { "h", USEC_PER_HOUR },
                { "min", USEC_PER_MINUTE },
        };
        static const Unit small[] = {
                { "s", USEC_PER_SEC },
                { "ms", USEC_PER_MSEC },
                { "us", 1 },
        };
        char *p = buffer;

        if (span == USEC_INFINITY)
                return strcpy(buffer, "infinity");
        if (span == 0)
                return strcpy(buffer, "0");

        for (size_t i = 0; i < ARRAY_SIZE(large); i++) {
                const Unit *unit = &large[i];

                /* 30 days are 30d and not 4w 2d. */
                if (span < unit->usec || (unit->usec == USEC_PER_WEEK && span % USEC_PER_WEEK != 0))
                        continue;
                if (p > buffer)
                        *p++ = ' ';
                p = stpcpy(put_uint64(p, span / unit->usec), unit->name);
                span %= unit->usec;
        }
        for (size_t i = 0; i < ARRAY_SIZE(small) && span > 0; i++) {
                const Unit *unit = &small[i];

                if (span < unit->usec)
                        continue;
                if (p > buffer)
                        *p++ = ' ';
                (void)stpcpy(put_decimal(p, span, unit->usec), unit->name);
                break;
        }
        return buffer;
}
