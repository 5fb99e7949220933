/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "when/timestamp.h"

#define T (UINT64_C(1795341600) * USEC_PER_SEC) /* 2026-11-22 10:00 UTC */

static void test_parse(_unused_ void **state)
{
        static const struct {
                const char *s;
                usec_t realtime;
        } table[] = {
                { "2026-11-22 10:00:00", T - USEC_PER_HOUR },
                { "2026-11-22 10:00", T - USEC_PER_HOUR },
                { " 2026-11-22  10:00 ", T - USEC_PER_HOUR },
                { "2026-11-22", T - 11 * USEC_PER_HOUR },
                { "Sun 2026-11-22 10:00", T - USEC_PER_HOUR },
                { "sunday, 2026-11-22 10:00", T - USEC_PER_HOUR },
                { "2026-11-22T10:00:00Z", T },
                { "2026-11-22t10:00:00z", T },
                { "2026-11-22 10:00:00 Z", T },
                { "2026-11-22 10:00 UTC", T },
                { "2026-11-22T10:00:00.25Z", T + 250000 },
                { "2026-11-22T10:00:00.1234567Z", T + 123456 },
                { "2026-11-22T12:00:00+02:00", T },
                { "2026-11-22T12:00:00+0200", T },
                { "2026-11-22T12:00:00+02", T },
                { "2026-11-22T06:30:00-03:30", T },
                { "2026-11-22 05:00 America/New_York", T },
                { "2026-11-22 Asia/Kolkata", T - 15 * USEC_PER_HOUR - 30 * USEC_PER_MINUTE },
                { "@1795341600", T },
                { "@1795341600.5", T + 500000 },
                { "1970-01-01 01:00", 0 },
                /* Berlin: 02:30 doesn't exist, then it comes twice. */
                { "2026-03-29 02:30", UINT64_C(1774746000) * USEC_PER_SEC },
                { "2026-10-25 02:30", UINT64_C(1792888200) * USEC_PER_SEC },
                { "9999-12-31T23:59:59.999999Z", UINT64_C(253402300799999999) },
        };
        _cleanup_zone_ Zone *zone = NULL;

        assert_ok(zone_load("Europe/Berlin", &zone, NULL));
        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                WhenError error = {};
                usec_t realtime = 0;

                if (timestamp_parse(table[i].s, zone, &realtime, &error) < 0)
                        fail_msg("%s: %s", table[i].s, error.message);
                if (realtime != table[i].realtime)
                        fail_msg("%s: %llu", table[i].s, (unsigned long long)realtime);
        }
}

static void test_refused(_unused_ void **state)
{
        static const struct {
                const char *s;
                int error;
                size_t offset;
        } table[] = {
                { "", -EINVAL, 0 },
                { "tomorrow", -EINVAL, 0 },
                { "10:00", -EINVAL, 0 },
                { "2026-1-22", -EINVAL, 5 },
                { "2026-13-22", -ERANGE, 5 },
                { "2026-02-29", -ERANGE, 8 },
                { "1969-12-31", -ERANGE, 0 },
                { "1970-01-01T00:00:00+01:00", -ERANGE, 0 },
                { "2026-11-22 24:00", -ERANGE, 11 },
                { "2026-11-22 10:00:60", -ERANGE, 17 },
                { "2026-11-22 10", -EINVAL, 13 },
                { "2026-11-22 10:00:00.", -EINVAL, 20 },
                { "2026-11-22T", -EINVAL, 10 },
                { "Mon 2026-11-22", -EINVAL, 0 },
                { "2026-11-22 10:00 Nowhere/City", -ENOENT, 17 },
                { "2026-11-22 10:00 UTC x", -EINVAL, 21 },
                { "2026-11-22 10:00x", -EINVAL, 16 },
                { "@", -EINVAL, 1 },
                { "@-1", -EINVAL, 1 },
                { "@99999999999999999999", -ERANGE, 0 },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                WhenError error = {};
                usec_t realtime = 1;
                int r = timestamp_parse(table[i].s, NULL, &realtime, &error);

                if (r != table[i].error || error.offset != table[i].offset || !error.message[0] || realtime != 1)
                        fail_msg("%s: %d at %zu: %s", table[i].s, r, error.offset, error.message);
        }
}

static void test_format(_unused_ void **state)
{
        _cleanup_zone_ Zone *zone = NULL;
        char text[TIMESTAMP_MAX];

        assert_ok(zone_load("Europe/Berlin", &zone, NULL));
        assert_string_equal(timestamp_format(T, zone, text), "Sun 2026-11-22 11:00:00 CET");
        assert_string_equal(timestamp_format(T + 250000, NULL, text), "Sun 2026-11-22 10:00:00.25 UTC");
        (void)timestamp_format(USEC_INFINITY, zone, text);
}

static void test_local(_unused_ void **state)
{
        int64_t local;

        assert_ok(timestamp_parse_local("2026-11-22 10:00", &local, NULL));
        assert_true((usec_t)local == T);
        assert_int_equal(timestamp_parse_local("2026-11-22 10:00 UTC", &local, NULL), -EINVAL);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                RUN(test_parse),
                RUN(test_refused),
                RUN(test_format),
                RUN(test_local),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
