/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "when/schedule.h"
#include "when/timestamp.h"

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
        now = at(10 * USEC_PER_SEC);
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
        /* Every= and After= begin at the same instant, which is one occurrence; so are 20 s. */
        schedule_missed(&schedule, &s, &now, 100, &missed);
        assert_int_equal(missed.n, 1);
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

static usec_t parse_time(const Schedule *schedule, const char *s)
{
        usec_t t = 0;

        assert_ok(timestamp_parse(s, schedule->zone, &t, NULL));
        return t;
}

static void add_calendar(Schedule *schedule, const char *s)
{
        Trigger trigger = { .type = TRIGGER_CALENDAR };

        assert_ok(calendar_parse(s, &trigger.calendar, NULL));
        assert_ok(schedule_add_trigger(schedule, trigger));
}

static void add_cron(Schedule *schedule, const char *s)
{
        Trigger trigger = { .type = TRIGGER_CRON };

        assert_ok(cron_parse(s, &trigger.cron, NULL));
        assert_ok(schedule_add_trigger(schedule, trigger));
}

static void add_exclude(Schedule *schedule, const char *s)
{
        Calendar *calendar = NULL;

        assert_ok(calendar_parse(s, &calendar, NULL));
        assert_ok(schedule_add_exclude(schedule, calendar));
}

static void add_every(Schedule *schedule, usec_t span)
{
        assert_ok(schedule_add_trigger(schedule, (Trigger)EVERY(span)));
}

/* Looks ahead from FROM and compares with the times named, up to NULL; "-": never again. */
static void assert_times(const Schedule *schedule, const char *from, const char *const *times)
{
        ScheduleNow now = { .boottime = BOOT, .realtime = parse_time(schedule, from) };
        ScheduleState state;
        Occurrence o;

        schedule_state_init(&state, &now);
        for (; *times; times++) {
                char text[TIMESTAMP_MAX];
                int r = schedule_next(schedule, &state, &now, &o);

                if (streq(*times, "-")) {
                        assert_int_equal(r, 0);
                        return;
                }
                assert_int_equal(r, 1);
                if (o.scheduled_realtime != parse_time(schedule, *times))
                        fail_msg("%s instead of %s", timestamp_format(o.scheduled_realtime, schedule->zone, text), *times);
                schedule_take(schedule, &state, &now, &o);
        }
}
#define TIMES(...) (const char *const[]){ __VA_ARGS__, NULL }

static void test_calendars(_unused_ void **state)
{
        _cleanup_schedule_ Schedule schedule = SCHEDULE_NULL;

        add_calendar(&schedule, "Mon..Fri 09:00");
        add_calendar(&schedule, "*-*-* 12:00");
        add_cron(&schedule, "0 9,15 * * *");
        /* Monday 09:00 comes from two triggers, and once. */
        assert_times(&schedule, "2026-11-22 10:00",
                     TIMES("2026-11-22 12:00", "2026-11-22 15:00", "2026-11-23 09:00", "2026-11-23 12:00"));
        add_exclude(&schedule, "2026-11-23");
        assert_times(&schedule, "2026-11-22 13:00", TIMES("2026-11-22 15:00", "2026-11-24 09:00"));
        schedule.until_realtime = parse_time(&schedule, "2026-11-24 12:00");
        assert_times(&schedule, "2026-11-24 10:00", TIMES("2026-11-24 12:00", "-"));
}

static void test_align(_unused_ void **state)
{
        _cleanup_schedule_ Schedule quarter = SCHEDULE_NULL, week = SCHEDULE_NULL, fortnight = SCHEDULE_NULL;
        WhenError error = {};

        assert_ok(zone_load("Europe/Berlin", &quarter.zone, NULL));
        add_every(&quarter, 15 * USEC_PER_MINUTE);
        assert_ok(schedule_parse_align(&quarter, "yes", NULL));
        assert_times(&quarter, "2026-11-22 10:07", TIMES("2026-11-22 10:15", "2026-11-22 10:30"));
        assert_times(&quarter, "2026-10-25 00:50 UTC",
                     TIMES("2026-10-25 01:00 UTC", "2026-10-25 01:15 UTC", "2026-10-25 01:30 UTC"));

        assert_ok(zone_load("Europe/Berlin", &week.zone, NULL));
        add_every(&week, 7 * USEC_PER_DAY);
        assert_ok(schedule_parse_align(&week, "yes", NULL));
        assert_times(&week, "2026-11-22 10:07", TIMES("2026-11-23 00:00", "2026-11-30 00:00"));

        /* Every two weeks from a date, at the same local time in winter and in summer. */
        assert_ok(zone_load("Europe/Berlin", &fortnight.zone, NULL));
        add_every(&fortnight, 14 * USEC_PER_DAY);
        assert_ok(schedule_parse_align(&fortnight, "2027-03-15 02:30", NULL));
        assert_times(&fortnight, "2026-11-22 10:00",
                     TIMES("2027-03-15 02:30", "2027-03-29 02:30", "2027-04-12 02:30", "2027-04-26 02:30"));
        assert_times(&fortnight, "2199-12-31", TIMES("-"));

        assert_int_equal(schedule_parse_align(&fortnight, "10 min", &error), -EINVAL);
        assert_int_equal(schedule_parse_align(&fortnight, "2027-02-29", &error), -ERANGE);
}

static void test_exclude_intervals(_unused_ void **state)
{
        _cleanup_schedule_ Schedule every = SCHEDULE_NULL, after = SCHEDULE_NULL, never = SCHEDULE_NULL;
        WhenError error = {};
        ScheduleNow now = { .boottime = BOOT };
        ScheduleMissed missed;
        ScheduleState s;

        /* Friday noon: the grid goes on after the weekend, where it would have been. */
        add_every(&every, 7 * USEC_PER_HOUR);
        add_exclude(&every, "Sat,Sun");
        add_exclude(&every, "Fri 19:*");
        assert_times(&every, "2026-11-20 12:00", TIMES("2026-11-20 12:00", "2026-11-23 03:00", "2026-11-23 10:00"));

        now.realtime = parse_time(&every, "2026-11-20 12:00");
        schedule_state_init(&s, &now);
        now.boottime += 4 * USEC_PER_DAY;
        now.realtime += 4 * USEC_PER_DAY;
        schedule_missed(&every, &s, &now, 2, &missed);
        assert_int_equal(missed.n, 2);
        assert_true(missed.more);
        assert_true(missed.last.scheduled_realtime == parse_time(&every, "2026-11-24 07:00"));

        /* A delay waits for the end of what is excluded. */
        assert_ok(schedule_add_trigger(&after, (Trigger)AFTER(USEC_PER_HOUR)));
        add_exclude(&after, "Sun");
        assert_times(&after, "2026-11-22 10:00", TIMES("2026-11-23 00:00", "-"));

        add_every(&never, USEC_PER_HOUR);
        add_exclude(&never, "*-*-*");
        now = at(0);
        assert_int_equal(schedule_check(&never, &now, &error), -EINVAL);
        assert_non_null(strstr(error.message, "Exclude="));
}

/* What is excluded for long is skipped in a few steps; what is excluded in many pieces is looked through in turns. */
static void test_exclude_long(_unused_ void **state)
{
        _cleanup_schedule_ Schedule every = SCHEDULE_NULL, comb = SCHEDULE_NULL, delay = SCHEDULE_NULL;
        ScheduleNow now = { .boottime = 400 * USEC_PER_DAY };
        ScheduleMissed missed;
        ScheduleState s;
        Occurrence o;
        unsigned n;

        add_every(&every, USEC_PER_MINUTE);
        add_exclude(&every, "*-07-* *:*");
        assert_times(&every, "2026-06-30 23:59", TIMES("2026-06-30 23:59", "2026-08-01 00:00", "2026-08-01 00:01"));

        /* Odd minutes and even ones are excluded by two. */
        add_calendar(&comb, "*:0/2");
        add_exclude(&comb, "*-07-* *:0/2");
        now.realtime = parse_time(&comb, "2026-06-30 23:58");
        schedule_state_init(&s, &now);
        for (n = 0; schedule_next(&comb, &s, &now, &o) == -EAGAIN; n++) {
                assert_true(o.scheduled_realtime < parse_time(&comb, "2026-08-01 00:00"));
                schedule_pass(&comb, &s, &now, &o);
        }
        assert_int_equal(n, 22320 / SCHEDULE_EXCLUDED_MAX);
        assert_true(o.scheduled_realtime == parse_time(&comb, "2026-08-01 00:00"));
        assert_ok(schedule_check(&comb, &now, NULL));
        schedule_state_init(&s, &now);
        assert_int_equal(schedule_find(&comb, &s, &now, &o), 1);
        assert_true(o.scheduled_realtime == parse_time(&comb, "2026-08-01 00:00"));

        /* Of what has passed the same is seen. */
        schedule_state_init(&s, &now);
        now.boottime += 40 * USEC_PER_DAY;
        now.realtime += 40 * USEC_PER_DAY;
        schedule_missed(&comb, &s, &now, 10000, &missed);
        assert_int_equal(missed.n, (24 * 60 * 9 - 2) / 2 + 1);
        assert_false(missed.more);
        schedule_missed(&comb, &s, &now, 2, &missed);
        assert_true(missed.more);
        assert_true(missed.last.scheduled_realtime == parse_time(&comb, "2026-08-09 23:58"));

        assert_ok(schedule_add_trigger(&delay, (Trigger)AFTER(USEC_PER_HOUR)));
        add_exclude(&delay, "*-07-* *:0/2");
        add_exclude(&delay, "*-07-* *:1/2");
        schedule_state_init(&s, &now);
        now.realtime = parse_time(&delay, "2026-07-01 00:00");
        schedule_run_ended(&s, now.boottime);
        for (n = 0; schedule_next(&delay, &s, &now, &o) == -EAGAIN; n++)
                schedule_pass(&delay, &s, &now, &o);
        assert_int_equal(n, (31 * 24 - 1) * 60 / SCHEDULE_EXCLUDED_MAX);
        assert_true(o.scheduled_realtime == parse_time(&delay, "2026-08-01 00:00"));
}

static void test_missed_calendar(_unused_ void **state)
{
        _cleanup_schedule_ Schedule schedule = SCHEDULE_NULL;
        ScheduleNow now = { .boottime = 10 * USEC_PER_SEC };
        ScheduleMissed missed;
        ScheduleState s;

        /* Last run years before this boot. */
        add_calendar(&schedule, "*:0/5");
        now.realtime = parse_time(&schedule, "2020-01-01 00:00");
        schedule_state_init(&s, &now);
        now.realtime = parse_time(&schedule, "2026-11-22 10:04");
        schedule_missed(&schedule, &s, &now, 1000, &missed);
        assert_int_equal(missed.n, 1000);
        assert_true(missed.more);
        assert_true(missed.last.scheduled_realtime == parse_time(&schedule, "2026-11-22 10:00"));
        schedule_take_until(&schedule, &s, &now);
        now.realtime = parse_time(&schedule, "2026-11-22 10:10");
        schedule_missed(&schedule, &s, &now, 1000, &missed);
        assert_int_equal(missed.n, 2);
        assert_false(missed.more);
        assert_true(missed.last.scheduled_realtime == now.realtime);
}

/* The wall clock goes back by an hour, as a correction, and by a year, as a mistake found. */
static void test_step_back(_unused_ void **state)
{
        _cleanup_schedule_ Schedule schedule = SCHEDULE_NULL;
        ScheduleNow now = { .boottime = BOOT };
        ScheduleState s;
        Occurrence o;

        add_calendar(&schedule, "*:0/30");
        now.realtime = parse_time(&schedule, "2026-11-22 10:01");
        schedule_state_init(&s, &now);
        now.realtime = parse_time(&schedule, "2026-11-22 09:01");
        assert_int_equal(schedule_next(&schedule, &s, &now, &o), 1);
        assert_true(o.scheduled_realtime == parse_time(&schedule, "2026-11-22 10:30"));
        assert_true(o.due_boottime == BOOT + 89 * USEC_PER_MINUTE);
        now.realtime = parse_time(&schedule, "2025-11-22 09:01");
        assert_int_equal(schedule_next(&schedule, &s, &now, &o), 1);
        assert_true(o.scheduled_realtime == parse_time(&schedule, "2025-11-22 09:30"));
        schedule_take(&schedule, &s, &now, &o);
        assert_int_equal(schedule_next(&schedule, &s, &now, &o), 1);
        assert_true(o.scheduled_realtime == parse_time(&schedule, "2025-11-22 10:00"));
}

/* What comes due while the clock is far behind stays due, whenever one looks. */
static void test_clock_set_far_back(_unused_ void **state)
{
        _cleanup_schedule_ Schedule schedule = SCHEDULE_NULL;
        ScheduleNow now = { .boottime = BOOT };
        ScheduleMissed missed;
        ScheduleState s;

        add_calendar(&schedule, "*:0/30");
        now.realtime = parse_time(&schedule, "2026-11-22 10:01");
        schedule_state_init(&s, &now);
        schedule_settle(&schedule, &s, &now);
        now.realtime = parse_time(&schedule, "2026-11-22 05:01");
        schedule_clock_set(&s, &now);
        now.realtime = parse_time(&schedule, "2026-11-22 05:30");
        schedule_missed(&schedule, &s, &now, 100, &missed);
        assert_int_equal(missed.n, 1);

        /* The last occurrence is not long ago by the clock as it is, but all before noon has been. */
        now.realtime = parse_time(&schedule, "2026-11-22 12:29");
        schedule_take_until(&schedule, &s, &now);
        now.realtime = parse_time(&schedule, "2026-11-22 12:59");
        schedule_settle(&schedule, &s, &now);
        now.realtime = parse_time(&schedule, "2026-11-22 09:40");
        schedule_clock_set(&s, &now);
        now.realtime = parse_time(&schedule, "2026-11-22 10:00");
        schedule_missed(&schedule, &s, &now, 100, &missed);
        assert_int_equal(missed.n, 1);
}

/* What Exclude= ruled out does not come due for the reason that the clock is set to a day without it. */
static void test_settle(_unused_ void **state)
{
        _cleanup_schedule_ Schedule schedule = SCHEDULE_NULL;
        ScheduleNow now = { .boottime = BOOT, .startup_boottime = BOOT };
        ScheduleMissed missed;
        ScheduleState s;
        Occurrence o;

        assert_ok(schedule_add_trigger(&schedule, (Trigger)EVERY(USEC_PER_HOUR)));
        assert_ok(schedule_add_trigger(&schedule, (Trigger)STARTUP(90 * USEC_PER_MINUTE)));
        assert_ok(schedule_add_trigger(&schedule, (Trigger)AFTER(30 * USEC_PER_HOUR)));
        add_exclude(&schedule, "Sat,Sun");
        now.realtime = parse_time(&schedule, "2026-11-21 00:10"); /* a Saturday */
        schedule_state_init(&s, &now);
        schedule_run_ended(&s, BOOT);
        now.boottime += 30 * USEC_PER_HOUR;
        now.realtime += 30 * USEC_PER_HOUR;
        schedule_settle(&schedule, &s, &now);
        now.realtime -= 48 * USEC_PER_HOUR;
        schedule_clock_set(&s, &now);
        schedule_missed(&schedule, &s, &now, 100, &missed);
        assert_int_equal(missed.n, 1);
        assert_int_equal(missed.last.trigger, 2);

        /* The delay was due before: taking it brings nothing of the grid back. */
        now.boottime += USEC_PER_MINUTE;
        now.realtime += USEC_PER_MINUTE;
        schedule_settle(&schedule, &s, &now);
        assert_int_equal(schedule_next(&schedule, &s, &now, &o), 1);
        assert_int_equal(o.trigger, 2);
        schedule_take(&schedule, &s, &now, &o);
        schedule_missed(&schedule, &s, &now, 100, &missed);
        assert_int_equal(missed.n, 0);
}

/* A delay that is over, but waits for the end of what is excluded, is not taken with what passed meanwhile. */
static void test_take_until_excluded_delay(_unused_ void **state)
{
        _cleanup_schedule_ Schedule schedule = SCHEDULE_NULL;
        ScheduleNow now = { .boottime = BOOT };
        ScheduleState s;
        Occurrence o;

        assert_ok(schedule_add_trigger(&schedule, (Trigger)AFTER(USEC_PER_HOUR)));
        add_exclude(&schedule, "Sat,Sun");
        now.realtime = parse_time(&schedule, "2026-11-20 23:30");
        schedule_state_init(&s, &now);
        schedule_run_ended(&s, now.boottime);
        now.boottime += 24 * USEC_PER_HOUR;
        now.realtime += 24 * USEC_PER_HOUR;
        schedule_take_until(&schedule, &s, &now);
        assert_int_equal(schedule_next(&schedule, &s, &now, &o), 1);
        assert_true(o.scheduled_realtime == parse_time(&schedule, "2026-11-23 00:00"));
        now.boottime += 25 * USEC_PER_HOUR;
        now.realtime += 25 * USEC_PER_HOUR;
        schedule_take_until(&schedule, &s, &now);
        assert_int_equal(schedule_next(&schedule, &s, &now, &o), 1);
        assert_true(o.scheduled_realtime == now.realtime + USEC_PER_HOUR);
}

/* One instant is one occurrence, whatever clocks it stands on. */
static void test_newest_at_one_instant(_unused_ void **state)
{
        _cleanup_schedule_ Schedule schedule = SCHEDULE_NULL;
        ScheduleNow now = { .boottime = BOOT };
        ScheduleTime times[8];
        ScheduleState s;

        assert_ok(schedule_add_trigger(&schedule, (Trigger)EVERY(USEC_PER_HOUR)));
        add_calendar(&schedule, "*:0/30");
        now.realtime = parse_time(&schedule, "2026-11-22 10:00");
        schedule_state_init(&s, &now);
        schedule_settle(&schedule, &s, &now);
        now.boottime += 2 * USEC_PER_HOUR;
        now.realtime += 2 * USEC_PER_HOUR;
        assert_int_equal(schedule_newest(&schedule, &s, &now, USEC_PER_DAY, times, 8), 4);
        for (unsigned i = 0; i < 4; i++)
                assert_true(times[i].scheduled_realtime == parse_time(&schedule, "2026-11-22 10:30") + i * 30 * USEC_PER_MINUTE);
        /* Half past is the calendar's alone. */
        assert_int_equal(times[0].trigger, 1);
        assert_int_equal(times[2].trigger, 1);
        assert_int_equal(schedule_newest(&schedule, &s, &now, USEC_PER_DAY, times, 3), 3);
        assert_true(times[0].scheduled_realtime == parse_time(&schedule, "2026-11-22 11:00"));
}

static void test_check(_unused_ void **state)
{
        _cleanup_schedule_ Schedule past = SCHEDULE_NULL, over = SCHEDULE_NULL, none = SCHEDULE_NULL;
        ScheduleNow now = at(0);
        WhenError error = {};

        assert_ok(schedule_check(&none, &now, &error));
        add_calendar(&past, "2020-01-01");
        assert_int_equal(schedule_check(&past, &now, &error), -ETIME);
        add_calendar(&past, "2027-01-01");
        assert_ok(schedule_check(&past, &now, &error));
        add_calendar(&over, "daily");
        over.until_realtime = now.realtime - 1;
        assert_int_equal(schedule_check(&over, &now, &error), -ETIME);
        assert_non_null(strstr(error.message, "Until="));
}

static void test_caps(_unused_ void **state)
{
        _cleanup_schedule_ Schedule schedule = SCHEDULE_NULL;
        Trigger trigger = { .type = TRIGGER_CALENDAR };
        Calendar *calendar;

        for (unsigned i = 0; i < SCHEDULE_TRIGGERS_MAX; i++)
                add_calendar(&schedule, "daily");
        assert_ok(calendar_parse("daily", &trigger.calendar, NULL));
        assert_int_equal(schedule_add_trigger(&schedule, trigger), -E2BIG);
        for (unsigned i = 0; i < SCHEDULE_EXCLUDES_MAX; i++)
                add_exclude(&schedule, "Sun");
        assert_ok(calendar_parse("daily", &calendar, NULL));
        assert_int_equal(schedule_add_exclude(&schedule, calendar), -E2BIG);
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
                RUN(test_calendars),
                RUN(test_align),
                RUN(test_exclude_intervals),
                RUN(test_exclude_long),
                RUN(test_missed_calendar),
                RUN(test_step_back),
                RUN(test_clock_set_far_back),
                RUN(test_settle),
                RUN(test_take_until_excluded_delay),
                RUN(test_newest_at_one_instant),
                RUN(test_check),
                RUN(test_caps),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
