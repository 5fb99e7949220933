/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pure parts of explaining: a look ahead on schedules, bars, the stretches of a histogram. */
#include "test.h"

#include "simulate/histogram.h"
#include "simulate/simulation.h"
#include "when/outlook.h"

#define START_REALTIME (UINT64_C(1767225600) * USEC_PER_SEC) /* 2026-01-01 00:00:00 UTC */

static const ScheduleNow now = { .boottime = USEC_PER_DAY, .realtime = START_REALTIME, .startup_boottime = USEC_PER_DAY };

static void add_calendar(Schedule *schedule, const char *text)
{
        Trigger trigger = { .type = TRIGGER_CALENDAR };

        assert_ok(calendar_parse(text, &trigger.calendar, NULL));
        assert_ok(schedule_add_trigger(schedule, trigger));
}

/* The only occurrence of TEXT in Berlin. */
static OutlookTime first_of(const char *text, DstFold fold)
{
        _cleanup_schedule_ Schedule schedule = SCHEDULE_NULL;
        ScheduleState state;
        OutlookTime t;

        assert_ok(zone_load("Europe/Berlin", &schedule.zone, NULL));
        schedule.fold = fold;
        add_calendar(&schedule, text);
        schedule_state_init(&state, &now);
        assert_int_equal(outlook_next(&schedule, &state, &now, &t), 1);
        assert_int_equal(state.count, 1);
        return t;
}

static void test_shifts(_unused_ void **state)
{
        assert_int_equal(first_of("2026-03-29 02:30", DST_FOLD_FIRST).shift, OUTLOOK_GAP);
        assert_int_equal(first_of("2026-03-29 03:00", DST_FOLD_FIRST).shift, OUTLOOK_AS_WRITTEN);
        assert_int_equal(first_of("2026-10-25 02:30", DST_FOLD_FIRST).shift, OUTLOOK_FOLD_FIRST);
        assert_int_equal(first_of("2026-10-25 02:30", DST_FOLD_SECOND).shift, OUTLOOK_FOLD_SECOND);
        assert_int_equal(first_of("2026-10-25 01:30", DST_FOLD_FIRST).shift, OUTLOOK_AS_WRITTEN);
        /* A wildcard runs at both, so nothing is chosen. */
        assert_int_equal(first_of("2026-10-25 *:30", DST_FOLD_FIRST).shift, OUTLOOK_AS_WRITTEN);
        assert_null(outlook_shift_to_string(OUTLOOK_AS_WRITTEN));
}

static void test_ends(_unused_ void **unused)
{
        _cleanup_schedule_ Schedule schedule = SCHEDULE_NULL;
        Calendar *exclude;
        ScheduleState state;
        OutlookTime t;

        schedule_state_init(&state, &now);
        assert_int_equal(outlook_end(&schedule, &state, &now), OUTLOOK_NO_TRIGGER);
        add_calendar(&schedule, "2026-01-02,04,06");
        assert_int_equal(outlook_end(&schedule, &state, &now), OUTLOOK_GOES_ON);
        schedule.until_realtime = START_REALTIME + USEC_PER_HOUR;
        assert_int_equal(outlook_end(&schedule, &state, &now), OUTLOOK_UNTIL);
        schedule.until_realtime = USEC_INFINITY;
        schedule.max_count = 1;
        state.count = 1;
        assert_int_equal(outlook_end(&schedule, &state, &now), OUTLOOK_COUNT);
        schedule.max_count = 0;
        assert_ok(calendar_parse("2026-01-02,04", &exclude, NULL));
        assert_ok(schedule_add_exclude(&schedule, exclude));
        assert_int_equal(outlook_next(&schedule, &state, &now, &t), 1);
        assert_int_equal(t.n_excluded, 2);
        assert_int_equal(outlook_next(&schedule, &state, &now, &t), 0);
        assert_int_equal(outlook_end(&schedule, &state, &now), OUTLOOK_PASSED);
        schedule_state_init(&state, &now);
        assert_ok(calendar_parse("2026-01-06", &exclude, NULL));
        assert_ok(schedule_add_exclude(&schedule, exclude));
        assert_int_equal(outlook_end(&schedule, &state, &now), OUTLOOK_EXCLUDED);
        for (OutlookEnd end = OUTLOOK_NO_TRIGGER; end < _OUTLOOK_END_MAX; end++) {
                assert_non_null(outlook_end_to_string(end));
                assert_non_null(outlook_end_to_text(end));
                assert_true(strlen(outlook_end_to_text(end)) < OUTLOOK_TEXT_MAX);
        }
}

static void test_after_a_run(_unused_ void **unused)
{
        _cleanup_schedule_ Schedule schedule = SCHEDULE_NULL;
        ScheduleState state;

        assert_ok(schedule_add_trigger(&schedule, (Trigger){ .type = TRIGGER_AFTER, .span = USEC_PER_SEC }));
        schedule_state_init(&state, &now);
        assert_int_equal(outlook_end(&schedule, &state, &now), OUTLOOK_GOES_ON);
        schedule_run_started(&state);
        assert_int_equal(outlook_end(&schedule, &state, &now), OUTLOOK_AFTER_RUN);
}

static void assert_bar(const char *expected, uint64_t value, uint64_t max, size_t width, bool unicode)
{
        _cleanup_buffer_ Buffer bar = BUFFER_NULL;

        assert_ok(histogram_bar(value, max, width, unicode, &bar));
        assert_string_equal(buffer_string(&bar), expected);
}

static void test_bars(_unused_ void **state)
{
        assert_bar("", 0, 10, 10, true);
        assert_bar("", 5, 0, 10, true);
        assert_bar("█████", 5, 10, 10, true);
        assert_bar("██▌", 1, 4, 10, true);
        assert_bar("▏", 1, 1000000, 10, true);
        assert_bar("##########", 10, 10, 10, false);
        assert_bar("#", 1, 1000000, 10, false);
        assert_bar("###", 1, 4, 10, false);
        assert_bar("██████████", UINT64_MAX, UINT64_MAX, 10, true);
}

static void test_steps(_unused_ void **state)
{
        assert_int_equal(simulation_step(0, USEC_PER_DAY, 40), USEC_PER_HOUR);
        assert_int_equal(simulation_step(0, 7 * USEC_PER_DAY, 40), 6 * USEC_PER_HOUR);
        assert_int_equal(simulation_step(0, 1, 40), USEC_PER_MSEC);
        for (usec_t span = 1; span < USEC_PER_DAY * 100000; span *= 3)
                assert_true(span / simulation_step(0, span, 40) + 2 <= 40);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                RUN(test_shifts), RUN(test_ends), RUN(test_after_a_run), RUN(test_bars), RUN(test_steps),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
