/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "when/calendar.h"
#include "when/timestamp.h"

static void test_normal_form(_unused_ void **state)
{
        static const struct {
                const char *s;
                const char *normal;
        } table[] = {
                { "minutely", "*-*-* *:*:00" },
                { "hourly", "*-*-* *:00:00" },
                { "daily", "*-*-* 00:00:00" },
                { "Weekly", "Mon *-*-* 00:00:00" },
                { "monthly", "*-*-01 00:00:00" },
                { "quarterly", "*-01,04,07,10-01 00:00:00" },
                { "semi-annually", "*-01,07-01 00:00:00" },
                { "yearly", "*-01-01 00:00:00" },
                { "daily UTC", "*-*-* 00:00:00 UTC" },
                { "Sat,Thu,Mon..Wed,Sat..Sun", "Mon..Thu,Sat,Sun *-*-* 00:00:00" },
                { "Mon-Fri 9:30", "Mon..Fri *-*-* 09:30:00" },
                { "monday,", "Mon *-*-* 00:00:00" },
                { "Mon,Sun 12-*-* 2,1:23", "Mon,Sun 2012-*-* 01,02:23:00" },
                { "Wed *-1", "Wed *-*-01 00:00:00" },
                { "Wed..Wed,Wed *-1", "Wed *-*-01 00:00:00" },
                { "Fri 17:48", "Fri *-*-* 17:48:00" },
                { "99-1-1", "1999-01-01 00:00:00" },
                { "03-05", "*-03-05 00:00:00" },
                { "*:20/15", "*-*-* *:20/15:00" },
                { "0..3,4/5:00", "*-*-* 00..03,04/5:00:00" },
                { "1..3/5:00", "*-*-* 01:00:00" },
                { "2020..2030/3-*-*", "2020..2029/3-*-* 00:00:00" },
                { "*-*-1,1,1", "*-*-01 00:00:00" },
                { "*-02~01", "*-02~01 00:00:00" },
                { "*-05~07/1", "*-05~07/1 00:00:00" },
                { "*-*~*", "*-*-* 00:00:00" },
                { "*:*:*", "*-*-* *:*:*" },
                { "*:*:30,0/1", "*-*-* *:*:*" },
                { "*:*:30.5,0/1", "*-*-* *:*:00/1,30.500000" },
                { "*:*:0/0.5", "*-*-* *:*:00/0.500000" },
                { "*:*:00.5..03", "*-*-* *:*:00.500000..02.500000" },
                { "10:00:00.1234567", "*-*-* 10:00:00.123457" },
                { "10:00 utc", "*-*-* 10:00:00 UTC" },
                { "10:00  Europe/Berlin", "*-*-* 10:00:00 Europe/Berlin" },
                { "@1795341600", "2026-11-22 10:00:00 UTC" },
                { " 10:00 ", "*-*-* 10:00:00" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                _cleanup_(calendar_freep) Calendar *calendar = NULL, *again = NULL;
                _cleanup_free_ char *normal = NULL, *normal_again = NULL;
                WhenError error = {};

                if (calendar_parse(table[i].s, &calendar, &error) < 0)
                        fail_msg("%s: %s", table[i].s, error.message);
                normal = calendar_format(calendar);
                assert_string_equal(normal, table[i].normal);
                assert_ok(calendar_parse(normal, &again, NULL));
                normal_again = calendar_format(again);
                assert_string_equal(normal_again, normal);
        }
}

static void test_refused(_unused_ void **state)
{
        static const struct {
                const char *s;
                int error;
                size_t offset;
                const char *message;
        } table[] = {
                { "", -EINVAL, 0, "expected a calendar" },
                { "10", -EINVAL, 2, "expected a date" },
                { "10:", -EINVAL, 3, "expected a number" },
                { "dayly", -EINVAL, 0, "weekday" },
                { "Sun..Mon", -EINVAL, 5, "Monday" },
                { "Mon..", -EINVAL, 5, "last weekday" },
                { "*-13-1", -EINVAL, 2, "the month must be from 1 to 12" },
                { "*-*-32", -EINVAL, 4, "the day must be from 1 to 31" },
                { "*-*~29", -EINVAL, 4, "month's end must be from 1 to 28" },
                { "24:00", -EINVAL, 0, "the hour must be from 0 to 23" },
                { "*:60", -EINVAL, 2, "the minute must be from 0 to 59" },
                { "*:*:60", -EINVAL, 4, "the second must be from 0 to 59" },
                { "2200-1-1", -EINVAL, 0, "the year must be" },
                { "5..1:00", -EINVAL, 0, "backwards" },
                { "0/0:00", -EINVAL, 3, "step can't be 0" },
                { "*-*-31/1", -EINVAL, 4, "step leaves" },
                { "*:*/5", -EINVAL, 3, "0/5" },
                { "*:*:0..0.5", -EINVAL, 4, "shorter than a second" },
                { "*-02-30", -EINVAL, 0, "no such date" },
                { "Mon *-02-31 10:00", -EINVAL, 0, "no such date" },
                { "Mon 2026-11-22", -EINVAL, 0, "no such date" },
                { "10:00 Nowhere/City", -ENOENT, 6, "unknown time zone" },
                { "10:00:00x", -EINVAL, 8, "expected a calendar" },
                { "10:00:00:00", -EINVAL, 8, "expected a calendar" },
                { "2026-11-22-1", -EINVAL, 10, "expected a calendar" },
                { "@", -EINVAL, 1, "seconds since 1970" },
                { "@9999999999999", -EINVAL, 0, "after the year" },
                { "99999999999999:00", -EINVAL, 0, "too large" },
                { "*:*:75", -EINVAL, 4, "the second must be from 0 to 59" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                Calendar *calendar = NULL;
                WhenError error = {};
                int r = calendar_parse(table[i].s, &calendar, &error);

                assert_null(calendar);
                if (r != table[i].error || error.offset != table[i].offset ||
                    !strstr(error.message, table[i].message))
                        fail_msg("%s: %d at %zu: %s", table[i].s, r, error.offset, error.message);
        }
}

/* A list beyond its cap and a text beyond its cap. */
static void test_caps(_unused_ void **state)
{
        char text[CALENDAR_TEXT_MAX + 2];
        Calendar *calendar;

        memset(text, '1', sizeof(text));
        text[sizeof(text) - 1] = '\0';
        assert_int_equal(calendar_parse(text, &calendar, NULL), -E2BIG);
        for (size_t i = 0; i < 2 * (CALENDAR_PARTS_MAX + 1); i += 2)
                memcpy(text + i, "1,", 2);
        strcpy(text + 2 * (CALENDAR_PARTS_MAX + 1), "1:00");
        assert_int_equal(calendar_parse(text, &calendar, NULL), -E2BIG);
}

/* Up to three next times after FROM, in ZONE's local time. */
static void test_next(_unused_ void **state)
{
        static const struct {
                const char *s;
                const char *zone;
                const char *from;
                const char *next[3];
        } table[] = {
                { "*:0/30", "UTC", "2026-11-22 10:00",
                  { "2026-11-22 10:30", "2026-11-22 11:00", "2026-11-22 11:30" } },
                { "*-02-29", "UTC", "2096-03-01", { "2104-02-29", "2108-02-29", "2112-02-29" } },
                { "*-*~1 12:00", "UTC", "2028-01-31 12:00", { "2028-02-29 12:00", "2028-03-31 12:00", "2028-04-30 12:00" } },
                { "Mon *-05~07/1", "UTC", "2026-01-01", { "2026-05-25", "2027-05-31", "2028-05-29" } },
                { "*:*:59.5", "UTC", "2026-11-22 23:59:59.25",
                  { "2026-11-22 23:59:59.5", "2026-11-23 00:00:59.5", "2026-11-23 00:01:59.5" } },
                { "2026-11-22 10:00", "UTC", "2026-11-22 10:00", { NULL } },
                { "2199-12-31 23:59:59", "UTC", "2026-01-01", { "2199-12-31 23:59:59", NULL } },
                { "daily Asia/Tokyo", "UTC", "2026-11-22 10:00",
                  { "2026-11-22 15:00", "2026-11-23 15:00", "2026-11-24 15:00" } },
                /* The gap takes 02:30 away; the fold gives 01:30 twice. */
                { "02:30", "America/New_York", "2024-03-09 12:00",
                  { "2024-03-10 07:00 UTC", "2024-03-11 02:30", "2024-03-12 02:30" } },
                { "02,03:00", "America/New_York", "2024-03-09 12:00",
                  { "2024-03-10 07:00 UTC", "2024-03-11 02:00", "2024-03-11 03:00" } },
                { "01:30", "America/New_York", "2024-11-02 12:00",
                  { "2024-11-03 05:30 UTC", "2024-11-04 01:30", "2024-11-05 01:30" } },
                { "*:0/30", "America/New_York", "2024-11-03 05:00 UTC",
                  { "2024-11-03 05:30 UTC", "2024-11-03 06:00 UTC", "2024-11-03 06:30 UTC" } },
                { "2024-11-03 01:*", "America/New_York", "2024-11-03 05:58 UTC",
                  { "2024-11-03 05:59 UTC", "2024-11-03 06:00 UTC", "2024-11-03 06:01 UTC" } },
                { "2024-11-03 01:*", "America/New_York", "2024-11-03 06:59 UTC", { NULL } },
                { "02:*", "America/New_York", "2024-03-09 02:58",
                  { "2024-03-09 02:59", "2024-03-11 02:00", "2024-03-11 02:01" } },
                /* São Paulo's midnight gap, Apia's day that never was. */
                { "daily", "America/Sao_Paulo", "2018-11-03 12:00",
                  { "2018-11-04 01:00", "2018-11-05 00:00", "2018-11-06 00:00" } },
                { "2011-12-30 12:00", "Pacific/Apia", "2011-12-29 12:00", { "2011-12-31 00:00", NULL } },
                { "02:15", "Australia/Lord_Howe", "2024-10-05 12:00",
                  { "2024-10-06 02:30", "2024-10-07 02:15", "2024-10-08 02:15" } },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                _cleanup_(calendar_freep) Calendar *calendar = NULL;
                _cleanup_zone_ Zone *zone = NULL;
                DstRules rules = {};
                usec_t t, expected;

                assert_ok(zone_load(table[i].zone, &zone, NULL));
                rules.zone = zone;
                assert_ok(calendar_parse(table[i].s, &calendar, NULL));
                assert_ok(timestamp_parse(table[i].from, zone, &t, NULL));
                for (size_t n = 0; n < 3; n++) {
                        char text[TIMESTAMP_MAX];
                        int r = calendar_next(calendar, &rules, t, &t);

                        if (!table[i].next[n]) {
                                assert_int_equal(r, 0);
                                break;
                        }
                        assert_int_equal(r, 1);
                        assert_ok(timestamp_parse(table[i].next[n], zone, &expected, NULL));
                        if (t != expected)
                                fail_msg("%s: %s instead of %s", table[i].s, timestamp_format(t, zone, text),
                                         table[i].next[n]);
                }
        }
}

static void test_covers(_unused_ void **state)
{
        static const struct {
                const char *s;
                const char *at;
                const char *end; /* NULL: not covered */
        } table[] = {
                { "Sat,Sun", "2026-11-22 10:00", "2026-11-23" },
                { "Sat,Sun", "2026-11-23 00:00", NULL },
                { "*-12-25", "2026-12-25 23:59:59.999999", "2026-12-26" },
                { "12..13:*", "2026-11-22 13:59:30", "2026-11-22 14:00" },
                { "12..13:*", "2026-11-22 14:00", NULL },
                { "12:00:00", "2026-11-22 12:00:00.5", "2026-11-22 12:00:01" },
                { "12:00:00", "2026-11-22 12:00:01", NULL },
                { "daily", "2026-11-22 12:00", NULL },
                /* Berlin's days of 23 and of 25 hours */
                { "Sun", "2026-03-29 00:00", "2026-03-30 00:00" },
                { "Sun", "2026-10-25 00:00", "2026-10-26 00:00" },
                { "*-*-* 02:*", "2026-10-25 01:30 UTC", "2026-10-25 02:00 UTC" },
                /* All without a break */
                { "*-07-* *:*", "2026-07-02 10:00:30", "2026-08-01" },
                { "*-*-1..30 *:*:*", "2026-10-20 10:00:30", "2026-10-31" },
                { "22..23,0..5:*", "2026-11-22 22:30", "2026-11-23 06:00" },
                { "Sun 22..23,0..5:*", "2026-11-22 22:30", "2026-11-23" },
                { "12:30..59:30..59", "2026-11-22 12:59:30", "2026-11-22 13:00" },
                { "12:30..59:30..59", "2026-11-22 12:58:30", "2026-11-22 12:59:00" },
                { "12:30..59:*", "2026-11-22 12:30:30", "2026-11-22 13:00" },
                { "*-*-* *:*:0/2", "2026-11-22 12:58:30", "2026-11-22 12:58:31" },
                { "*:0/2", "2026-11-22 12:58:30", "2026-11-22 12:59" },
                { "2026..2199-*-*", "2026-11-22 12:58:30", "2200-01-01" },
        };
        _cleanup_zone_ Zone *zone = NULL;
        DstRules rules = {};

        assert_ok(zone_load("Europe/Berlin", &zone, NULL));
        rules.zone = zone;
        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                _cleanup_(calendar_freep) Calendar *calendar = NULL;
                usec_t at, expected, end = 0;

                assert_ok(calendar_parse(table[i].s, &calendar, NULL));
                assert_ok(timestamp_parse(table[i].at, zone, &at, NULL));
                assert_int_equal(calendar_covers(calendar, &rules, at, &end), table[i].end != NULL);
                if (!table[i].end)
                        continue;
                /* A change of offset is a break. */
                for (unsigned n = 0; n < 400 && calendar_covers(calendar, &rules, end, &at); n++)
                        end = at;
                assert_ok(timestamp_parse(table[i].end, zone, &expected, NULL));
                assert_true(end == expected);
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                RUN(test_normal_form),
                RUN(test_refused),
                RUN(test_caps),
                RUN(test_next),
                RUN(test_covers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
