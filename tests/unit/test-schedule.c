/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "when/schedule.h"

#define BOOT (100 * USEC_PER_SEC)
#define WALL (UINT64_C(1795341600) * USEC_PER_SEC) /* 2026-11-22 10:00 UTC */

static ScheduleNow at(usec_t usec)
{
        return (ScheduleNow){
                .boottime = BOOT + usec,
                .realtime = WALL + usec,
                .startup_boottime = BOOT - 5 * USEC_PER_SEC,
        };
}

#define SCHEDULE_OF(...)                                                           \
        (Schedule)                                                                 \
        {                                                                          \
                .triggers = (Trigger[]){ __VA_ARGS__ },                            \
                .n_triggers = ARRAY_SIZE(((Trigger[]){ __VA_ARGS__ })),            \
                .until_realtime = USEC_INFINITY                                    \
        }
#define EVERY(s) { .type = TRIGGER_EVERY, .span = (s) }
#define AFTER(s) { .type = TRIGGER_AFTER, .span = (s) }
#define STARTUP(s) { .type = TRIGGER_STARTUP, .span = (s) }
#define AT(t) { .type = TRIGGER_AT, .at_realtime = (t) }

/* Takes the next occurrence and checks that it is due USEC after the start. */
#define assert_take(schedule, state, now, usec)                                              \
        do {                                                                                 \
                Occurrence _occurrence = {};                                                 \
                                                                                             \
                assert_int_equal(schedule_next(schedule, state, now, &_occurrence), 1);      \
                assert_true(_occurrence.due_boottime == BOOT + (usec));                      \
                assert_true(_occurrence.scheduled_realtime - (now)->realtime ==              \
                            _occurrence.due_boottime - (now)->boottime);                     \
                schedule_take(schedule, state, now, &_occurrence);                           \
        } while (0)

static void test_every(_unused_ void **state)
{
        Schedule schedule = SCHEDULE_OF(EVERY(USEC_PER_SEC));
        ScheduleNow now = at(0);
        ScheduleState s;
        ScheduleMissed missed;

        schedule_state_init(&s, &now);
        assert_true(sizeof(s) <= 48);
        assert_take(&schedule, &s, &now, 0);
        assert_take(&schedule, &s, &now, USEC_PER_SEC);
        now = at(USEC_PER_SEC + 300);
        assert_take(&schedule, &s, &now, 2 * USEC_PER_SEC);

        /* A wall clock that steps changes what the run is told, and nothing else. */
        now = at(3 * USEC_PER_SEC);
        now.realtime += 7200 * USEC_PER_SEC;
        assert_take(&schedule, &s, &now, 3 * USEC_PER_SEC);

        now = at(10 * USEC_PER_SEC + 1);
        schedule_missed(&schedule, &s, &now, 1, &missed);
        assert_int_equal(missed.n, 7);
        assert_false(missed.more);
        assert_true(missed.last.due_boottime == BOOT + 10 * USEC_PER_SEC);
        schedule_take_until(&schedule, &s, &now);
        assert_take(&schedule, &s, &now, 11 * USEC_PER_SEC);
        schedule_missed(&schedule, &s, &now, 1, &missed);
        assert_int_equal(missed.n, 0);
}

static void test_every_overflow(_unused_ void **state)
{
        Schedule schedule = SCHEDULE_OF(EVERY(USEC_INFINITY - 1));
        ScheduleNow now = at(0);
        Occurrence o;
        ScheduleState s;

        schedule_state_init(&s, &now);
        assert_take(&schedule, &s, &now, 0);
        assert_int_equal(schedule_next(&schedule, &s, &now, &o), 0);
}

static void test_after(_unused_ void **state)
{
        Schedule schedule = SCHEDULE_OF(AFTER(10 * USEC_PER_SEC));
        ScheduleNow now = at(0);
        ScheduleMissed missed;
        Occurrence o;
        ScheduleState s;

        schedule_state_init(&s, &now);
        assert_take(&schedule, &s, &now, 0);
        assert_int_equal(schedule_next(&schedule, &s, &now, &o), 0);
        schedule_run_ended(&s, BOOT + 3 * USEC_PER_SEC);
        now = at(3 * USEC_PER_SEC);
        assert_take(&schedule, &s, &now, 13 * USEC_PER_SEC);
        schedule_run_ended(&s, BOOT + 13 * USEC_PER_SEC);
        now = at(60 * USEC_PER_SEC);
        schedule_missed(&schedule, &s, &now, 100, &missed);
        assert_int_equal(missed.n, 1);
        schedule_take_until(&schedule, &s, &now);
        assert_take(&schedule, &s, &now, 70 * USEC_PER_SEC);
}

static void test_startup(_unused_ void **state)
{
        Schedule schedule = SCHEDULE_OF(STARTUP(20 * USEC_PER_SEC));
        ScheduleNow now = at(0);
        Occurrence o;
        ScheduleState s;

        schedule_state_init(&s, &now);
        assert_take(&schedule, &s, &now, 15 * USEC_PER_SEC);
        assert_int_equal(schedule_next(&schedule, &s, &now, &o), 0);

        /* Loaded when its time had passed: at once. */
        now = at(100 * USEC_PER_SEC);
        schedule_state_init(&s, &now);
        assert_take(&schedule, &s, &now, 100 * USEC_PER_SEC);
        assert_int_equal(schedule_next(&schedule, &s, &now, &o), 0);
}

static void test_at(_unused_ void **state)
{
        Schedule schedule = SCHEDULE_OF(AT(WALL + 20 * USEC_PER_SEC), AT(WALL + 10 * USEC_PER_SEC), AT(WALL));
        ScheduleNow now = at(0);
        Occurrence o;
        ScheduleState s;

        schedule_state_init(&s, &now);
        assert_take(&schedule, &s, &now, 10 * USEC_PER_SEC);

        /* The wall clock goes back a day: the time that has run stays done, the other is a day off. */
        now = at(11 * USEC_PER_SEC);
        now.realtime -= USEC_PER_DAY;
        assert_int_equal(schedule_next(&schedule, &s, &now, &o), 1);
        assert_int_equal(o.trigger, 2);
        assert_int_equal(o.clock, SCHEDULE_CLOCK_WALL);
        schedule_take(&schedule, &s, &now, &o);
        assert_take(&schedule, &s, &now, USEC_PER_DAY + 20 * USEC_PER_SEC);
        assert_int_equal(schedule_next(&schedule, &s, &now, &o), 0);
}

static void test_several(_unused_ void **state)
{
        Schedule schedule = SCHEDULE_OF(EVERY(10 * USEC_PER_SEC), STARTUP(25 * USEC_PER_SEC), AFTER(USEC_PER_SEC),
                                        AT(WALL + 15 * USEC_PER_SEC));
        ScheduleNow now = at(0);
        ScheduleMissed missed;
        ScheduleState s;
        Occurrence o;

        schedule_state_init(&s, &now);
        schedule_missed(&schedule, &s, &now, 100, &missed);
        assert_int_equal(missed.n, 2);
        /* Every= and After= begin at the same instant, which is one occurrence; so are 20 s. */
        assert_take(&schedule, &s, &now, 0);
        assert_take(&schedule, &s, &now, 10 * USEC_PER_SEC);
        assert_take(&schedule, &s, &now, 15 * USEC_PER_SEC);
        assert_take(&schedule, &s, &now, 20 * USEC_PER_SEC);
        schedule_run_ended(&s, BOOT + 21 * USEC_PER_SEC);
        assert_take(&schedule, &s, &now, 22 * USEC_PER_SEC);
        assert_take(&schedule, &s, &now, 30 * USEC_PER_SEC);

        schedule.until_realtime = WALL + 40 * USEC_PER_SEC;
        assert_take(&schedule, &s, &now, 40 * USEC_PER_SEC);
        assert_int_equal(schedule_next(&schedule, &s, &now, &o), 0);
        schedule.until_realtime = USEC_INFINITY;
        s.count = 3;
        schedule.max_count = 3;
        assert_int_equal(schedule_next(&schedule, &s, &now, &o), 0);
}

/* Decades between what the clock said at boot and what is true. */
static void test_wrong_clock(_unused_ void **state)
{
        Schedule schedule = SCHEDULE_OF(AT(WALL + 10 * USEC_PER_SEC));
        ScheduleNow now = at(0);
        ScheduleMissed missed;
        ScheduleState s;

        now.realtime = WALL + 3650 * USEC_PER_DAY;
        schedule_state_init(&s, &now);
        now = at(USEC_PER_SEC);
        assert_take(&schedule, &s, &now, 10 * USEC_PER_SEC);

        now.realtime = 0;
        schedule_state_init(&s, &now);
        now = at(USEC_PER_DAY);
        schedule_missed(&schedule, &s, &now, 100, &missed);
        assert_int_equal(missed.n, 1);
        assert_true(missed.last.scheduled_realtime == WALL + 10 * USEC_PER_SEC);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                RUN(test_every),
                RUN(test_every_overflow),
                RUN(test_after),
                RUN(test_startup),
                RUN(test_at),
                RUN(test_several),
                RUN(test_wrong_clock),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
