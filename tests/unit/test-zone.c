/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/string-util.h"
#include "when/civil.h"
#include "when/zone-rule.h"
#include "when/zone.h"

#define ZONEINFO "/usr/share/zoneinfo"

static const char *const zones[] = {
        "Europe/Dublin", "Africa/Cairo", "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Apia",
        "America/New_York", "Asia/Kathmandu", "Africa/Casablanca", "America/Nuuk", "Asia/Gaza",
        "Antarctica/Troll", "Asia/Manila", "Pacific/Kwajalein", "America/Caracas", "Europe/Moscow",
};

/* The C library reads the same files. */
static void test_against_libc(_unused_ void **state)
{
        srand(1);
        for (size_t i = 0; i < ARRAY_SIZE(zones); i++) {
                _cleanup_zone_ Zone *zone = NULL;

                assert_ok(zone_load(zones[i], &zone, NULL));
                setenv("TZ", zones[i], 1);
                tzset();
                for (unsigned n = 0; n < 3000; n++) {
                        time_t t = (time_t)(((int64_t)rand() << 2 | (rand() & 3)) % 7258118400);
                        ZoneSpan span;
                        struct tm tm;

                        assert_non_null(localtime_r(&t, &tm));
                        zone_span(zone, t, &span);
                        if (span.offset != tm.tm_gmtoff || span.dst != (tm.tm_isdst > 0) ||
                            strcmp(span.abbreviation, tm.tm_zone) != 0 || t < span.start || t >= span.end)
                                fail_msg("%s at %lld: %d %s", zones[i], (long long)t, span.offset,
                                         span.abbreviation);
                }
        }
        unsetenv("TZ");
        tzset();
}

/* Each stretch ends where the next begins, and local times resolve to what they came from. */
static void test_spans(_unused_ void **state)
{
        for (size_t i = 0; i < ARRAY_SIZE(zones); i++) {
                _cleanup_zone_ Zone *zone = NULL;
                ZoneSpan span, next;
                unsigned n = 0;

                assert_ok(zone_load(zones[i], &zone, NULL));
                zone_span(zone, 0, &span);
                while (span.end < 4102444800 && n++ < 500) {
                        int64_t first, second, local = span.end + span.offset;

                        zone_span(zone, span.end - 1, &next);
                        assert_int_equal(next.start, span.start);
                        zone_span(zone, span.end, &next);
                        assert_int_equal(next.start, span.end);
                        if (next.offset > span.offset) {
                                assert_int_equal(zone_resolve(zone, local, &first, &second), ZONE_GAP);
                                assert_int_equal(first, span.end);
                                assert_int_equal(second, span.end);
                                assert_int_equal(zone_resolve(zone, local - 1, &first, &second), ZONE_UNIQUE);
                                assert_int_equal(first, span.end - 1);
                                local += next.offset - span.offset;
                                assert_int_equal(zone_resolve(zone, local - 1, &first, &second), ZONE_GAP);
                                assert_int_equal(zone_resolve(zone, local, &first, &second), ZONE_UNIQUE);
                                assert_int_equal(first, span.end);
                        } else if (next.offset < span.offset) {
                                assert_int_equal(zone_resolve(zone, local - 1, &first, &second), ZONE_FOLD);
                                assert_int_equal(first, span.end - 1);
                                assert_int_equal(second, span.end - 1 + span.offset - next.offset);
                                assert_int_equal(zone_resolve(zone, local, &first, &second), ZONE_UNIQUE);
                                assert_int_equal(first, span.end + span.offset - next.offset);
                        }
                        span = next;
                }
        }
}

static void test_rules(_unused_ void **state)
{
        static const struct {
                const char *s;
                bool valid;
        } table[] = {
                { "UTC0", true },
                { "CET-1CEST,M3.5.0,M10.5.0/3", true },
                { "<+0330>-3:30", true },
                { "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", true },
                { "EST5EDT,0/0,J365/25", true },
                { "IST-1GMT0,M10.5.0,M3.5.0/1", true },
                { "EST5EDT4:30:15,M3.2.0,M11.1.0", true },
                { "", false },
                { "UTC", false },
                { "U0", false },
                { "UTC25", false },
                { "CET-1CEST", false },
                { "CET-1CEST,M3.5.0", false },
                { "CET-1CEST,M13.5.0,M10.5.0", false },
                { "CET-1CEST,M3.6.0,M10.5.0", false },
                { "CET-1CEST,M3.5.7,M10.5.0", false },
                { "CET-1CEST,J0,J365", false },
                { "CET-1CEST,0,366", false },
                { "CET-1CEST,M3.5.0/168,M10.5.0", false },
                { "CET-1CEST,M3.5.0,M10.5.0/3 ", false },
                { "<+03-3", false },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                ZoneRule rule;

                assert_int_equal(zone_rule_parse(table[i].s, &rule), table[i].valid ? 0 : -EINVAL);
        }
}

/* Daylight saving time all year (RFC 8536, 3.3.1) has no gap at New Year. */
static void test_rule_all_year(_unused_ void **state)
{
        ZoneRule rule;
        ZoneSpan span;

        assert_ok(zone_rule_parse("EST5EDT,0/0,J365/25", &rule));
        for (int64_t t = 1700000000; t < 1800000000; t += 86399) {
                zone_rule_span(&rule, t, &span);
                assert_true(span.dst);
        }
}

static void test_cache(_unused_ void **state)
{
        _cleanup_zone_ Zone *a = NULL, *b = NULL, *c = NULL, *local = NULL, *utc = NULL;

        assert_ok(zone_load("Europe/Dublin", &a, NULL));
        assert_ok(zone_load("Europe/Dublin", &b, NULL));
        assert_ptr_equal(a, b);
        zone_forget();
        assert_ok(zone_load("Europe/Dublin", &c, NULL));
        assert_ptr_not_equal(a, c);
        assert_string_equal(zone_name(a), "Europe/Dublin");
        assert_ok(zone_load(ZONE_LOCAL, &local, NULL));
        assert_ok(zone_load("UTC", &utc, NULL));
        assert_ptr_equal(utc, zone_utc());
}

static void test_bad_names(_unused_ void **state)
{
        static const struct {
                const char *name;
                int error;
        } table[] = {
                { "", -EINVAL },
                { "/etc/localtime", -EINVAL },
                { "../localtime", -EINVAL },
                { "Europe//Dublin", -EINVAL },
                { "Europe/", -EINVAL },
                { "Europe", -ENOENT },
                { "Europe/Nowhere", -ENOENT },
                { "Europe/Dublin/x", -ENOENT },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                WhenError error = {};
                Zone *zone = NULL;

                assert_int_equal(zone_load(table[i].name, &zone, &error), table[i].error);
                assert_null(zone);
                assert_true(error.message[0]);
        }
}

/* A directory with files cut short and bent: none may be read, none may do harm. */
static void test_damaged_files(_unused_ void **state)
{
        _cleanup_buffer_ Buffer file = BUFFER_NULL;
        char dir[] = "/tmp/test-zone.XXXXXX";
        _cleanup_free_ char *path = NULL, *link = NULL;
        unsigned refused = 0;
        Zone *zone;

        assert_ok(read_file_at(AT_FDCWD, ZONEINFO "/Europe/Dublin", ZONE_FILE_MAX, &file));
        assert_non_null(mkdtemp(dir));
        path = path_join(dir, "Broken");
        link = path_join(dir, "localtime");
        zone_set_root(dir, link);

        /* No /etc/localtime: UTC. */
        assert_ok(zone_load(ZONE_LOCAL, &zone, NULL));
        assert_ptr_equal(zone, zone_utc());

        for (size_t n = 0; n < file.len; n += n < 200 ? 1 : 41) {
                WhenError error = {};

                assert_ok(write_file_atomic(path, file.data, n, 0644, false));
                assert_int_equal(zone_load("Broken", &zone, &error), -EBADMSG);
                assert_non_null(strstr(error.message, "damaged"));
        }
        srand(1);
        for (unsigned i = 0; i < 2000; i++) {
                size_t at = (size_t)rand() % file.len;
                char saved = file.data[at];
                int r;

                file.data[at] = (char)rand();
                assert_ok(write_file_atomic(path, file.data, file.len, 0644, false));
                r = zone_load("Broken", &zone, NULL);
                if (r == 0) {
                        ZoneSpan span;

                        zone_span(zone, rand(), &span);
                        zone_unref(zone);
                } else {
                        assert_int_equal(r, -EBADMSG);
                        refused++;
                }
                file.data[at] = saved;
        }
        assert_true(refused > 100);

        assert_ok(write_file_atomic(path, file.data, file.len, 0644, false));
        assert_ok(truncate(path, ZONE_FILE_MAX + 1));
        assert_int_equal(zone_load("Broken", &zone, NULL), -EFBIG);

        /* The machine's zone is named by its link. */
        assert_ok(symlink(ZONEINFO "/Asia/Kathmandu", link));
        assert_ok(zone_load(ZONE_LOCAL, &zone, NULL));
        assert_string_equal(zone_name(zone), "Asia/Kathmandu");
        zone_unref(zone);

        zone_set_root(NULL, NULL);
        (void)unlink(path);
        (void)unlink(link);
        assert_ok(rmdir(dir));
}

static void test_civil(_unused_ void **state)
{
        int64_t days = civil_to_days(1600, 1, 1);

        for (int year = 1600; year < 2401; year++)
                for (int month = 1; month <= 12; month++)
                        for (int day = 1; day <= civil_days_in_month(year, month); day++, days++) {
                                CivilDate date = civil_from_days(days);

                                assert_true(civil_to_days(year, month, day) == days);
                                assert_true(date.year == year && date.month == month && date.day == day);
                        }
        assert_int_equal(civil_weekday(0), 3);
        assert_int_equal(civil_weekday(-4), 6);
        assert_int_equal(civil_weekday(civil_to_days(2026, 11, 22)), 6);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                RUN(test_against_libc),
                RUN(test_spans),
                RUN(test_rules),
                RUN(test_rule_all_year),
                RUN(test_cache),
                RUN(test_bad_names),
                RUN(test_damaged_files),
                RUN(test_civil),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
