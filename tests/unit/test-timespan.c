/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "when/timespan.h"

static void test_parse(_unused_ void **state)
{
        static const struct {
                const char *s;
                usec_t usec;
        } table[] = {
                { "0", 0 },
                { "5", 5 * USEC_PER_SEC },
                { " 5 ", 5 * USEC_PER_SEC },
                { "500ms", 500 * USEC_PER_MSEC },
                { "2min 30s", 150 * USEC_PER_SEC },
                { "2min30s", 150 * USEC_PER_SEC },
                { "1.5h", 90 * USEC_PER_MINUTE },
                { "1.5 hours", 90 * USEC_PER_MINUTE },
                { ".5s", 500 * USEC_PER_MSEC },
                { "1.s", USEC_PER_SEC },
                { "12.34 .56", 12900 * USEC_PER_MSEC },
                { "12.34s.56", 12900 * USEC_PER_MSEC },
                { "1m", USEC_PER_MINUTE },
                { "1M", USEC_PER_MONTH },
                { "1y 12month", 2 * USEC_PER_YEAR },
                { "1month", USEC_PER_MONTH },
                { "3 weeks", 3 * USEC_PER_WEEK },
                { "7us", 7 },
                { "7 \xc2\xb5s", 7 },
                { "7\xce\xbcs", 7 },
                { "0.0000019s", 1 },
                { "0.3333333333333333333333333333333y", 10519199999999 },
                { "infinity", USEC_INFINITY },
                { " infinity ", USEC_INFINITY },
                { "18446744073709551614us", UINT64_MAX - 1 },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                usec_t usec = 1234;

                assert_ok(timespan_parse(table[i].s, &usec, NULL));
                assert_true(usec == table[i].usec);
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
                { "  ", -EINVAL, 2 },
                { "s", -EINVAL, 0 },
                { ".", -EINVAL, 0 },
                { "-1s", -EINVAL, 0 },
                { "1s -1s", -EINVAL, 3 },
                { "+1s", -EINVAL, 0 },
                { "5 parsecs", -EINVAL, 2 },
                { "5sx", -EINVAL, 1 },
                { "1.2.3", -EINVAL, 3 },
                { "1,5s", -EINVAL, 1 },
                { "infinity 1s", -EINVAL, 0 },
                { "infinit", -EINVAL, 0 },
                { "99999999999999999999", -ERANGE, 0 },
                { "1s 584555y", -ERANGE, 3 },
                { "18446744073709551615us", -ERANGE, 0 },
                { "18446744073709551614us 1us", -ERANGE, 23 },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                WhenError error = {};
                usec_t usec = 1234;

                assert_int_equal(timespan_parse(table[i].s, &usec, &error), table[i].error);
                assert_int_equal(error.offset, table[i].offset);
                assert_true(error.message[0] != '\0');
                assert_true(usec == 1234);
        }
}

static void test_format(_unused_ void **state)
{
        static const struct {
                usec_t usec;
                const char *s;
        } table[] = {
                { 0, "0" },
                { 1, "1us" },
                { 1500, "1.5ms" },
                { 500 * USEC_PER_MSEC, "500ms" },
                { 1500 * USEC_PER_MSEC, "1.5s" },
                { 1000001, "1.000001s" },
                { 150 * USEC_PER_SEC, "2min 30s" },
                { USEC_PER_MINUTE + 250, "1min 250us" },
                { USEC_PER_WEEK, "1w" },
                { 30 * USEC_PER_DAY, "30d" },
                { USEC_PER_DAY + USEC_PER_HOUR + USEC_PER_MINUTE + 1100001, "1d 1h 1min 1.100001s" },
                { USEC_INFINITY, "infinity" },
                { USEC_INFINITY - 1, "213503982d 8h 1min 49.551614s" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                char text[TIMESPAN_MAX];

                assert_string_equal(timespan_format(table[i].usec, text), table[i].s);
        }
}

static void test_round_trip(_unused_ void **state)
{
        srand(1);
        for (unsigned i = 0; i < 20000; i++) {
                usec_t span = ((usec_t)rand() << 33 ^ (usec_t)rand() << 15 ^ (usec_t)rand()) >> rand() % 64, back;
                char text[TIMESPAN_MAX];

                assert_ok(timespan_parse(timespan_format(span, text), &back, NULL));
                assert_true(back == span);
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                RUN(test_parse),
                RUN(test_refused),
                RUN(test_format),
                RUN(test_round_trip),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
