/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "when/cron.h"
#include "when/timestamp.h"

static void test_normal_form(_unused_ void **state)
{
        static const struct {
                const char *s;
                const char *normal;
        } table[] = {
                { "* * * * *", "* * * * *" },
                { " 0\t12 * jan-MAR mon-Fri ", "0 12 * 1-3 1-5" },
                { "*/15 * * * *", "*/15 * * * *" },
                { "5/15 0 * * *", "5/15 0 * * *" },
                { "0 0 ? * 7", "0 0 * * 7" },
                { "30 0 0 1,15,L * *", "30 0 0 1,15,L * *" },
                { "0 0 L-3,15w,lw * 5L,1#2", "0 0 L-3,15W,LW * 5L,1#2" },
                { "0 0 1 * +Mon", "0 0 1 * +1" },
                { "0 0 * * fri-sun", "0 0 * * 5-7" },
                { "@hourly", "0 * * * *" },
                { "@Daily ", "0 0 * * *" },
                { "@weekly", "0 0 * * 0" },
                { "@yearly", "0 0 1 1 *" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                _cleanup_(cron_freep) Cron *cron = NULL;
                _cleanup_free_ char *normal = NULL;
                WhenError error = {};

                if (cron_parse(table[i].s, &cron, &error) < 0)
                        fail_msg("%s: %s", table[i].s, error.message);
                normal = cron_format(cron);
                assert_string_equal(normal, table[i].normal);
        }
}

static void test_refused(_unused_ void **state)
{
        static const struct {
                const char *s;
                size_t offset;
                const char *message;
        } table[] = {
                { "", 0, "five fields" },
                { "* * * *", 0, "five fields" },
                { "* * * * * * *", 0, "five fields" },
                { "60 * * * *", 0, "the minute must be from 0 to 59" },
                { "* 24 * * *", 2, "the hour must be from 0 to 23" },
                { "* * 0 * *", 4, "the day of the month must be from 1 to 31" },
                { "* * * 13 *", 6, "the month must be from 1 to 12" },
                { "* * * * 8", 8, "the day of the week must be from 0 to 7" },
                { "*/0 * * * *", 2, "step can't be 0" },
                { "*/60 * * * *", 2, "the step must be from 1 to 59" },
                { "5-1 * * * *", 1, "backwards" },
                { "* * * * sat-mon", 11, "backwards" },
                { "x * * * *", 0, "expected a number" },
                { "1x * * * *", 1, "expected a blank" },
                { "1, * * * *", 2, "expected a number" },
                { "* * * foo *", 6, "month such as" },
                { "* * * * foo", 8, "weekday such as" },
                { "* * * * L", 8, "as in 5L" },
                { "* * * * 1#6", 10, "from 1 to 5" },
                { "* * 32W * *", 4, "from 1 to 31" },
                { "0 0 31 2 *", 0, "no such date" },
                { "0 0 30,31 2 *", 0, "no such date" },
                { "@reboot", 0, "OnStartup=" },
                { "@every 5m", 0, "Every=" },
                { "@never", 0, "@hourly" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                WhenError error = {};
                Cron *cron = NULL;
                int r = cron_parse(table[i].s, &cron, &error);

                assert_null(cron);
                if (r != -EINVAL || error.offset != table[i].offset || !strstr(error.message, table[i].message))
                        fail_msg("%s: %d at %zu: %s", table[i].s, r, error.offset, error.message);
        }
}

static void test_next(_unused_ void **state)
{
        static const struct {
                const char *s;
                const char *zone;
                const char *from;
                const char *next[3];
        } table[] = {
                { "*/15 * * * *", "UTC", "2026-11-22 10:00",
                  { "2026-11-22 10:15", "2026-11-22 10:30", "2026-11-22 10:45" } },
                { "0 */23 * * *", "UTC", "2026-11-22 10:00",
                  { "2026-11-22 23:00", "2026-11-23 00:00", "2026-11-23 23:00" } },
                { "30 59 23 31 12 *", "UTC", "2026-11-22",
                  { "2026-12-31 23:59:30", "2027-12-31 23:59:30", "2028-12-31 23:59:30" } },
                /* Either one where both are restricted; a field that begins with a star isn't. */
                { "0 0 13 * 5", "UTC", "2026-11-01", { "2026-11-06", "2026-11-13", "2026-11-20" } },
                { "0 0 13 * +5", "UTC", "2026-11-01", { "2026-11-13", "2027-08-13", "2028-10-13" } },
                { "0 0 */2 * 5", "UTC", "2026-11-01", { "2026-11-13", "2026-11-27", "2026-12-11" } },
                { "0 0 1-31/2 * 5", "UTC", "2026-11-01", { "2026-11-03", "2026-11-05", "2026-11-06" } },
                { "0 0 * * 0", "UTC", "2026-11-22", { "2026-11-29", "2026-12-06", "2026-12-13" } },
                { "0 0 * * 7", "UTC", "2026-11-22", { "2026-11-29", "2026-12-06", "2026-12-13" } },
                { "0 0 L * *", "UTC", "2028-01-31", { "2028-02-29", "2028-03-31", "2028-04-30" } },
                { "0 0 L-2 2 *", "UTC", "2027-01-01", { "2027-02-26", "2028-02-27", "2029-02-26" } },
                { "0 0 15W * *", "UTC", "2026-08-01", { "2026-08-14", "2026-09-15", "2026-10-15" } },
                { "0 0 1W * *", "UTC", "2026-07-31", { "2026-08-03", "2026-09-01", "2026-10-01" } },
                { "0 0 31W * *", "UTC", "2026-04-30", { "2026-05-29", "2026-07-31", "2026-08-31" } },
                { "0 0 LW * *", "UTC", "2026-05-01", { "2026-05-29", "2026-06-30", "2026-07-31" } },
                { "0 0 * * 5L", "UTC", "2026-11-01", { "2026-11-27", "2026-12-25", "2027-01-29" } },
                { "0 0 * * 1#5", "UTC", "2026-11-01", { "2026-11-30", "2027-03-29", "2027-05-31" } },
                { "0 0 29 2 *", "UTC", "2096-03-01", { "2104-02-29", "2108-02-29", "2112-02-29" } },
                { "30 2 * * *", "America/New_York", "2024-03-09 12:00",
                  { "2024-03-10 07:00 UTC", "2024-03-11 02:30", "2024-03-12 02:30" } },
                { "30 1 * * *", "America/New_York", "2024-11-02 12:00",
                  { "2024-11-03 05:30 UTC", "2024-11-04 01:30", "2024-11-05 01:30" } },
                { "30 * * * *", "America/New_York", "2024-11-03 05:00 UTC",
                  { "2024-11-03 05:30 UTC", "2024-11-03 06:30 UTC", "2024-11-03 07:30 UTC" } },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                _cleanup_(cron_freep) Cron *cron = NULL;
                _cleanup_zone_ Zone *zone = NULL;
                DstRules rules = {};
                usec_t t, expected;

                assert_ok(zone_load(table[i].zone, &zone, NULL));
                rules.zone = zone;
                assert_ok(cron_parse(table[i].s, &cron, NULL));
                assert_ok(timestamp_parse(table[i].from, zone, &t, NULL));
                for (size_t n = 0; n < 3; n++) {
                        char text[TIMESTAMP_MAX];

                        assert_int_equal(cron_next(cron, &rules, t, &t), 1);
                        assert_ok(timestamp_parse(table[i].next[n], zone, &expected, NULL));
                        if (t != expected)
                                fail_msg("%s: %s instead of %s", table[i].s, timestamp_format(t, zone, text),
                                         table[i].next[n]);
                }
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                RUN(test_normal_form),
                RUN(test_refused),
                RUN(test_next),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
