/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changes of offset against a walk over every real second around them. A random pattern is made
 * as sets of hours, minutes, seconds and weekdays; the walk matches the sets, and calendar and cron
 * get them as text.
 */
#include "test.h"

#include <stdio.h>

#include "base/buffer.h"
#include "when/calendar.h"
#include "when/civil.h"
#include "when/cron.h"
#include "when/names.h"

#define WINDOW (7 * 3600) /* seconds on either side of a change, besides the change itself */
#define CHANGE_MAX (25 * 3600)
#define LENGTH_MAX (2 * (WINDOW + CHANGE_MAX))
#define PATTERNS 6

typedef struct Pattern {
        uint64_t hours, minutes, seconds;
        unsigned weekdays;   /* bit 0 Monday */
        bool wildcard_hours; /* as written: the rest is a list */
        bool wildcard_minutes;
} Pattern;

/* The seconds around a change, as a clock on the wall shows them. */
typedef struct Window {
        int64_t start;
        size_t n;
        int64_t local[LENGTH_MAX];
} Window;

static uint64_t random_set(unsigned size, unsigned n)
{
        uint64_t set = 0;

        for (unsigned i = 0; i < n; i++)
                set |= UINT64_C(1) << (unsigned)rand() % size;
        return set;
}

static uint64_t full_set(unsigned size)
{
        return UINT64_MAX >> (64 - size);
}

static Pattern random_pattern(int hour)
{
        Pattern p = {
                .wildcard_hours = rand() % 3 == 0,
                .wildcard_minutes = rand() % 3 == 0,
                .weekdays = rand() % 4 == 0 ? (unsigned)random_set(7, 4) : 0x7f,
        };

        p.hours = p.wildcard_hours ? full_set(24) : random_set(24, 4) | UINT64_C(1) << hour;
        p.minutes = p.wildcard_minutes ? full_set(60) : random_set(60, 3);
        p.seconds = rand() % 8 == 0 ? full_set(60) : rand() % 2 ? 1 : random_set(60, 2);
        return p;
}

static bool matches(const Pattern *p, int64_t local)
{
        int64_t day = floor_div(local, SEC_PER_DAY), time = local - day * SEC_PER_DAY;

        return p->hours >> (time / 3600) & 1 && p->minutes >> (time / 60 % 60) & 1 && p->seconds >> (time % 60) & 1 &&
               p->weekdays >> civil_weekday(day) & 1;
}

static void append_set(Buffer *out, uint64_t set, bool wildcard)
{
        const char *comma = "";

        if (wildcard) {
                assert_ok(buffer_append_char(out, '*'));
                return;
        }
        for (int i = 0; i < 64; i++)
                if (set >> i & 1) {
                        assert_ok(buffer_appendf(out, "%s%d", comma, i));
                        comma = ",";
                }
}

static Calendar *to_calendar(const Pattern *p)
{
        _cleanup_buffer_ Buffer out = BUFFER_NULL;
        Calendar *calendar = NULL;

        for (int i = 0; i < 7; i++)
                if (p->weekdays != 0x7f && p->weekdays >> i & 1)
                        assert_ok(buffer_appendf(&out, "%s,", weekday_names[i]));
        assert_ok(buffer_append_string(&out, p->weekdays != 0x7f ? " *-*-* " : "*-*-* "));
        append_set(&out, p->hours, p->wildcard_hours);
        assert_ok(buffer_append_char(&out, ':'));
        append_set(&out, p->minutes, p->wildcard_minutes);
        assert_ok(buffer_append_char(&out, ':'));
        append_set(&out, p->seconds, false);
        assert_ok(calendar_parse(out.data, &calendar, NULL));
        return calendar;
}

static Cron *to_cron(const Pattern *p)
{
        _cleanup_buffer_ Buffer out = BUFFER_NULL;
        Cron *cron = NULL;

        append_set(&out, p->seconds, false);
        assert_ok(buffer_append_char(&out, ' '));
        append_set(&out, p->minutes, p->wildcard_minutes);
        assert_ok(buffer_append_char(&out, ' '));
        append_set(&out, p->hours, p->wildcard_hours);
        assert_ok(buffer_append_string(&out, " * * "));
        /* From Sunday on. */
        append_set(&out, (p->weekdays << 1 | p->weekdays >> 6) & 0x7f, p->weekdays == 0x7f);
        assert_ok(cron_parse(out.data, &cron, NULL));
        return cron;
}

/* Whether the local time of second I of the window comes again in it. */
static bool comes_again(const Window *window, size_t i)
{
        for (size_t k = i + 1; k < window->n; k++)
                if (window->local[k] == window->local[i])
                        return true;
        return false;
}

/* Whether PATTERN matches a local time that the step to second I of the window skips. */
static bool skips_match(const Window *window, const Pattern *pattern, size_t i)
{
        for (int64_t skipped = i > 0 ? window->local[i - 1] + 1 : INT64_MAX; skipped < window->local[i]; skipped++)
                if (matches(pattern, skipped))
                        return true;
        return false;
}

/* All instants of the window that PATTERN asks for, by looking at each; and how many. */
static size_t walk(const Window *window, const Pattern *pattern, const DstRules *rules, int64_t *found)
{
        bool fixed = !pattern->wildcard_hours && !pattern->wildcard_minutes;
        int64_t high = INT64_MIN; /* the latest local time so far */
        size_t n = 0;

        for (size_t i = 0; i < window->n; i++) {
                int64_t local = window->local[i];
                bool wanted = matches(pattern, local);

                if (wanted && fixed && rules->fold == DST_FOLD_FIRST)
                        wanted = local > high;
                if (wanted && fixed && rules->fold == DST_FOLD_SECOND)
                        wanted = !comes_again(window, i);
                if (!wanted && fixed && rules->gap == DST_GAP_AFTER)
                        wanted = skips_match(window, pattern, i);
                if (wanted)
                        found[n++] = window->start + (int64_t)i;
                high = MAX(high, local);
        }
        return n;
}

static void check(const char *name, const Window *window, const Pattern *pattern, const DstRules *rules)
{
        static int64_t expected[LENGTH_MAX];
        _cleanup_(calendar_freep) Calendar *calendar = to_calendar(pattern);
        _cleanup_(cron_freep) Cron *cron = to_cron(pattern);
        size_t n = walk(window, pattern, rules, expected);
        usec_t from = (usec_t)window->start * USEC_PER_SEC - 1, t = from, c = from;

        for (size_t i = 0; i < n; i++) {
                usec_t wanted = (usec_t)expected[i] * USEC_PER_SEC;
                _cleanup_free_ char *text = NULL;

                if (calendar_next(calendar, rules, t, &t) == 1 && cron_next(cron, rules, c, &c) == 1 && t == wanted &&
                    c == wanted)
                        continue;
                text = calendar_format(calendar);
                fail_msg("%s: \"%s\" gap %d fold %d: calendar %lld, cron %lld instead of %lld", name, text,
                         rules->gap, rules->fold, (long long)(t / USEC_PER_SEC), (long long)(c / USEC_PER_SEC),
                         (long long)expected[i]);
        }
        if (calendar_next(calendar, rules, t, &t) == 1)
                assert_true(t >= (usec_t)(window->start + (int64_t)window->n) * USEC_PER_SEC);
}

/* Fills WINDOW around CHANGE, from the stretches of ZONE one by one. */
static void open_window(const Zone *zone, int64_t change, Window *window)
{
        ZoneSpan span, before, after;
        int64_t shift;

        zone_span(zone, change - 1, &before);
        zone_span(zone, change, &after);
        shift = MIN(llabs((long long)after.offset - before.offset), (long long)CHANGE_MAX);
        window->start = change - WINDOW - shift;
        window->n = (size_t)(2 * (WINDOW + shift));
        zone_span(zone, window->start, &span);
        for (size_t i = 0; i < window->n; i++) {
                int64_t t = window->start + (int64_t)i;

                if (t >= span.end)
                        zone_span(zone, t, &span);
                window->local[i] = t + span.offset;
        }
}

static void test_changes(_unused_ void **state)
{
        static const struct {
                const char *zone;
                int from, to; /* years whose changes are walked */
        } table[] = {
                { "Europe/Dublin", 2024, 2024 },       { "Africa/Cairo", 2014, 2014 },
                { "Africa/Cairo", 2023, 2023 },        { "America/Sao_Paulo", 2018, 2019 },
                { "Australia/Lord_Howe", 2024, 2024 }, { "Pacific/Apia", 2011, 2011 },
                { "America/New_York", 2024, 2024 },    { "America/New_York", 2050, 2050 },
                { "Europe/London", 2024, 2024 },       { "America/Caracas", 2007, 2007 },
                { "America/Nuuk", 2023, 2024 },        { "Asia/Pyongyang", 2015, 2018 },
                { "Antarctica/Troll", 2024, 2024 },    { "America/St_Johns", 2006, 2006 },
        };
        static Window window;
        unsigned changes = 0;

        srand(1);
        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                int64_t t = civil_to_days(table[i].from, 1, 1) * SEC_PER_DAY;
                int64_t end = civil_to_days(table[i].to + 1, 1, 1) * SEC_PER_DAY;
                _cleanup_zone_ Zone *zone = NULL;
                ZoneSpan span;

                assert_ok(zone_load(table[i].zone, &zone, NULL));
                for (zone_span(zone, t, &span); span.end < end; zone_span(zone, span.end, &span)) {
                        open_window(zone, span.end, &window);
                        changes++;
                        for (unsigned k = 0; k < PATTERNS; k++) {
                                int hour = (int)((span.end + span.offset) / 3600 % 24);
                                Pattern pattern = random_pattern((hour + rand() % 3 + 22) % 24);
                                DstRules rules = {
                                        .zone = zone,
                                        .gap = (DstGap)(rand() % 2),
                                        .fold = (DstFold)(rand() % 3),
                                };

                                check(table[i].zone, &window, &pattern, &rules);
                        }
                }
        }
        assert_in_range(changes, 20, 60);
}

/* Thursday's last hour comes twice in Cairo, and nothing else in the week matches. */
static void test_fold_before_long_wait(_unused_ void **state)
{
        _cleanup_(cron_freep) Cron *cron = NULL;
        _cleanup_zone_ Zone *zone = NULL;
        DstRules rules = {};
        usec_t t = UINT64_C(1730404800) * USEC_PER_SEC; /* 2024-10-31 23:00 EEST */

        assert_ok(zone_load("Africa/Cairo", &zone, NULL));
        rules.zone = zone;
        assert_ok(cron_parse("22 13/2 * * 4", &cron, NULL));
        assert_int_equal(cron_next(cron, &rules, t, &t), 1);
        assert_int_equal(t / USEC_PER_SEC, 1730406120);
        assert_int_equal(cron_next(cron, &rules, t, &t), 1);
        assert_int_equal(t / USEC_PER_SEC, 1730409720);
        assert_int_equal(cron_next(cron, &rules, t, &t), 1);
        assert_int_equal(t / USEC_PER_SEC, 1730978520);
}

static void test_names(_unused_ void **state)
{
        DstGap gap;
        DstFold fold;

        assert_ok(dst_gap_from_string("skip", &gap));
        assert_int_equal(gap, DST_GAP_SKIP);
        assert_int_equal(dst_gap_from_string("before", &gap), -EINVAL);
        assert_ok(dst_fold_from_string("both", &fold));
        assert_int_equal(fold, DST_FOLD_BOTH);
        assert_int_equal(dst_fold_from_string("", &fold), -EINVAL);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                RUN(test_names),
                RUN(test_changes),
                RUN(test_fold_before_long_wait),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
