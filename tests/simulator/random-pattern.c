/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Expressions made at random: sets of numbers, and beside them the text that says the same. */
#include "pattern-internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void _printf_(2, 3) say(Pattern *p, const char *format, ...)
{
        size_t n = strlen(p->text);
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(p->text + n, sizeof(p->text) - n, format, ap);
        va_end(ap);
}

/* How an expression writes ranges, and whether it fills with zeros. */
typedef struct Grammar {
        const char *range;
        bool zeros;
} Grammar;

static const Grammar calendar_grammar = { "..", true }, cron_grammar = { "-", false };

/* A field of LOW … HIGH, `*` in STAR of 100 cases. Returns its set; *RET_WILD: it has a wildcard. */
static uint64_t random_field(Pattern *p, Random *random, const Grammar *grammar, int low, int high, unsigned star, bool *ret_wild)
{
        unsigned n = chance(random, 70) ? 1 : 1 + (unsigned)draw(random, 3);
        int width = grammar->zeros && chance(random, 50) ? 2 : 1;
        uint64_t set = 0;

        *ret_wild = chance(random, star);
        if (*ret_wild) {
                int step = grammar == &cron_grammar && chance(random, 40) ? (int)draw_range(random, 2, MAX(2, (high - low) / 2)) : 1;

                say(p, step > 1 ? "*/%d" : "*", step);
                for (int i = low; i <= high; i += step)
                        set |= UINT64_C(1) << i;
                return set;
        }
        for (unsigned i = 0; i < n; i++) {
                int first = (int)draw_range(random, low, high), last = first, step = 1;

                say(p, i > 0 ? ",%0*d" : "%0*d", width, first);
                switch (draw(random, 6)) {
                case 0:
                        last = (int)draw_range(random, first, high);
                        say(p, "%s%0*d", grammar->range, width, last);
                        if (last > first && chance(random, 40)) {
                                step = (int)draw_range(random, 1, last - first);
                                say(p, "/%d", step);
                        }
                        break;
                case 1:
                        if (low > 0 || first + 2 > high || chance(random, 50))
                                break;
                        step = (int)draw_range(random, 2, high - first);
                        say(p, "/%d", step);
                        last = high;
                        *ret_wild = true;
                }
                for (int k = first; k <= last; k += step)
                        set |= UINT64_C(1) << k;
        }
        return set;
}

static unsigned count_bits(uint64_t set)
{
        return (unsigned)__builtin_popcountll(set);
}

unsigned pattern_times_a_day(const Pattern *p)
{
        return count_bits(p->hours) * count_bits(p->minutes) * p->n_seconds;
}

static void add_second(Pattern *p, uint32_t usec)
{
        unsigned at = 0;

        while (at < p->n_seconds && p->seconds[at] < usec)
                at++;
        if ((at < p->n_seconds && p->seconds[at] == usec) || p->n_seconds == PATTERN_SECONDS_MAX)
                return;
        memmove(&p->seconds[at + 1], &p->seconds[at], (p->n_seconds - at) * sizeof(p->seconds[0]));
        p->seconds[at] = usec;
        p->whole_seconds |= UINT64_C(1) << usec / USEC;
        p->n_seconds++;
}

static void random_seconds(Pattern *p, Random *random)
{
        static const struct {
                const char *text;
                uint32_t first, step; /* microseconds */
        } forms[] = {
                { ":*", 0, 1000000 }, { ":0/15", 0, 15000000 }, { ":7/20.5", 7000000, 20500000 }, { ":00.25/30", 250000, 30000000 },
        };

        switch (draw(random, 4)) {
        case 0:
                add_second(p, 0);
                p->precision = PATTERN_MINUTE;
                return;
        case 1: {
                unsigned i = (unsigned)draw(random, ARRAY_SIZE(forms));

                say(p, "%s", forms[i].text);
                for (uint32_t s = forms[i].first; s < MINUTE * USEC; s += forms[i].step)
                        add_second(p, s);
                break;
        }
        default:
                say(p, ":");
                for (unsigned i = 0, n = 1 + (unsigned)draw(random, 2); i < n; i++) {
                        uint32_t second = (uint32_t)draw(random, 60), fraction = chance(random, 20) ? (uint32_t)draw(random, 1000000) : 0;

                        say(p, i > 0 ? ",%02u" : "%02u", second);
                        if (fraction > 0)
                                say(p, ".%06u", fraction);
                        add_second(p, second * (uint32_t)USEC + fraction);
                }
        }
        p->precision = PATTERN_SECOND;
}

static const char *const weekday_texts[] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" };

static void random_weekdays(Pattern *p, Random *random)
{
        int first = (int)draw(random, 7), last = chance(random, 50) ? first : (int)draw_range(random, first, 6), other;

        p->weekdays = 0;
        for (int i = first; i <= last; i++)
                p->weekdays |= 1U << i;
        say(p, last > first ? "%s..%s" : "%s", weekday_texts[first], weekday_texts[last]);
        if (chance(random, 30)) {
                other = (int)draw(random, 7);
                p->weekdays |= 1U << other;
                say(p, ",%s", weekday_texts[other]);
        }
        say(p, " ");
}

static void random_date(Pattern *p, Random *random)
{
        bool wild;

        p->days = 0;
        if (chance(random, 12)) {
                int first = (int)draw_range(random, 2009, 2030), last = first + (int)draw(random, 8), step = (int)draw_range(random, 1, 3);

                say(p, "%d..%d/%d-", first, last, step);
                p->all_years = false;
                for (int y = first; y <= last; y += step)
                        p->years[(y - 1970) / 64] |= UINT64_C(1) << (y - 1970) % 64;
        } else if (chance(random, 70)) {
                say(p, "*-");
        }
        p->months = (uint32_t)random_field(p, random, &calendar_grammar, 1, 12, 70, &wild);
        if (chance(random, 15)) {
                int back = (int)draw_range(random, 1, 7);

                say(p, "~%02d", back);
                p->days_back = 1U << back;
        } else {
                say(p, "-");
                p->days = (uint32_t)random_field(p, random, &calendar_grammar, 1, 31, 60, &wild);
        }
        say(p, " ");
}

static void begin(Pattern *p)
{
        *p = (Pattern){ .all_years = true, .weekdays = 0x7f, .known_day = INT64_MIN };
}

static void random_calendar(Pattern *p, Random *random)
{
        bool date, wild_hours, wild_minutes;

        begin(p);
        if (chance(random, 30))
                random_weekdays(p, random);
        date = chance(random, 50);
        if (date) {
                random_date(p, random);
        } else {
                p->months = 0x1ffe;
                p->days = UINT32_MAX;
        }
        p->hours = (uint32_t)random_field(p, random, &calendar_grammar, 0, 23, 25, &wild_hours);
        say(p, ":");
        p->minutes = random_field(p, random, &calendar_grammar, 0, 59, 15, &wild_minutes);
        p->fixed = !wild_hours && !wild_minutes;
        random_seconds(p, random);
}

/* Whether it has a day at all: 30 February is refused. */
static bool ever(Pattern *p)
{
        for (int64_t day = 0; day < 84000; day++) {
                Date date = local_date(day % 69000);

                if (date_matches(p, &date))
                        return true;
        }
        return false;
}

void pattern_random_calendar(Pattern *p, Random *random, unsigned daily, const char *const named[], unsigned n_named)
{
        do
                random_calendar(p, random);
        while (pattern_times_a_day(p) > daily || !ever(p));
        if (chance(random, 8)) {
                const char *name = named[draw(random, n_named)];

                say(p, " %s", name);
                p->zone = local_zone(name);
        }
}

/* Sunday is 0 and 7 in TEXT's numbers. */
static uint32_t from_sunday(uint64_t set)
{
        uint32_t days = 0;

        for (int i = 0; i < 8; i++)
                if (has(set, i))
                        days |= 1U << (i + 6) % 7;
        return days;
}

static void random_cron_days(Pattern *p, Random *random, bool *ret_wild)
{
        int n = (int)draw_range(random, 1, 31);

        *ret_wild = false;
        switch (draw(random, 16)) {
        case 0:
                say(p, "L");
                p->days_back = 1U << 1;
                break;
        case 1:
                n = n % 9 + 1;
                say(p, "L-%d", n);
                p->days_back = 1U << (n + 1);
                break;
        case 2:
                say(p, "%dW", n);
                p->nearest = 1U << n;
                break;
        case 3:
                say(p, "LW");
                p->last_workday = true;
                break;
        default:
                p->days = (uint32_t)random_field(p, random, &cron_grammar, 1, 31, 60, ret_wild);
        }
}

static void random_cron_weekdays(Pattern *p, Random *random, bool *ret_wild)
{
        int day = (int)draw(random, 7), nth = (int)draw_range(random, 1, 5);

        *ret_wild = false;
        p->weekdays = 0;
        switch (draw(random, 12)) {
        case 0:
                say(p, "%dL", day);
                p->last_weekdays = from_sunday(1U << day);
                break;
        case 1:
                say(p, "%d#%d", day, nth);
                p->nth_weekdays[nth] = from_sunday(1U << day);
                break;
        case 2:
                say(p, "%s", weekday_texts[(day + 6) % 7]);
                p->weekdays = from_sunday(1U << day);
                break;
        default:
                p->weekdays = from_sunday(random_field(p, random, &cron_grammar, 0, 6, 60, ret_wild));
        }
}

/* A day field is unrestricted where its text begins with `*`. */
static bool is_star(const char *field)
{
        return field[0] == '*';
}

static void random_cron(Pattern *p, Random *random)
{
        bool wild_hours, wild_minutes, wild;
        const char *days, *weekdays;
        bool both;

        begin(p);
        if (chance(random, 25)) {
                uint64_t set = random_field(p, random, &cron_grammar, 0, 59, 5, &wild);

                for (uint32_t i = 0; i < 60; i++)
                        if (has(set, (int)i))
                                add_second(p, i * (uint32_t)USEC);
                say(p, " ");
        } else {
                add_second(p, 0);
        }
        p->minutes = random_field(p, random, &cron_grammar, 0, 59, 15, &wild_minutes);
        say(p, " ");
        p->hours = (uint32_t)random_field(p, random, &cron_grammar, 0, 23, 25, &wild_hours);
        p->fixed = !wild_hours && !wild_minutes;
        say(p, " ");
        days = p->text + strlen(p->text);
        random_cron_days(p, random, &wild);
        say(p, " ");
        p->months = (uint32_t)random_field(p, random, &cron_grammar, 1, 12, 70, &wild);
        say(p, " ");
        both = chance(random, 10);
        if (both)
                say(p, "+");
        weekdays = p->text + strlen(p->text);
        random_cron_weekdays(p, random, &wild);
        p->either = !both && !is_star(days) && !is_star(weekdays);
}

void pattern_random_cron(Pattern *p, Random *random, unsigned daily)
{
        do
                random_cron(p, random);
        while (pattern_times_a_day(p) > daily || !ever(p));
}

void pattern_random_exclude(Pattern *p, Random *random)
{
        bool wild;

        begin(p);
        p->months = 0x1ffe;
        p->days = UINT32_MAX;
        switch (draw(random, 3)) {
        case 0:
                do {
                        begin(p);
                        p->months = 0x1ffe;
                        p->days = UINT32_MAX;
                        if (chance(random, 50))
                                random_weekdays(p, random);
                        else
                                random_date(p, random);
                        p->text[strlen(p->text) - 1] = '\0';
                } while ((p->weekdays == 0x7f && p->all_years && p->months == 0x1ffe && (p->days & ~1U) == ~1U) || !ever(p));
                p->precision = PATTERN_DAY;
                p->hours = 1;
                p->minutes = 1;
                add_second(p, 0);
                break;
        case 1:
                do {
                        p->text[0] = '\0';
                        p->hours = (uint32_t)random_field(p, random, &calendar_grammar, 0, 23, 0, &wild);
                } while (count_bits(p->hours) > 12);
                say(p, ":*");
                p->minutes = UINT64_MAX;
                add_second(p, 0);
                p->precision = PATTERN_MINUTE;
                break;
        default:
                random_calendar(p, random);
                if (pattern_times_a_day(p) > 2000 || !ever(p))
                        pattern_random_exclude(p, random);
        }
}
