/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/list.h"
#include "base/siphash.h"
#include "base/string-util.h"

static void test_numbers(_unused_ void **state)
{
        uint64_t u;
        int64_t i;
        double d;

        assert_ok(parse_uint64("18446744073709551615", &u));
        assert_true(u == UINT64_MAX);
        assert_int_equal(parse_uint64("18446744073709551616", &u), -ERANGE);
        assert_int_equal(parse_uint64("-1", &u), -EINVAL);
        assert_int_equal(parse_uint64("", &u), -EINVAL);
        assert_int_equal(parse_uint64("1 ", &u), -EINVAL);
        assert_ok(parse_int64("-9223372036854775808", &i));
        assert_true(i == INT64_MIN);
        assert_ok(parse_double("-0.5e3", &d));
        assert_true(d == -500);
        assert_int_equal(parse_double("inf", &d), -EINVAL);
        assert_int_equal(parse_double("0x10", &d), -EINVAL);
        assert_int_equal(parse_double("1e999", &d), -ERANGE);
        assert_ok(parse_size("64K", &u));
        assert_int_equal(u, 65536);
        assert_ok(parse_size("2MB", &u));
        assert_int_equal(u, 2 * 1024 * 1024);
        assert_int_equal(parse_size("99999999999E", &u), -ERANGE);
        assert_int_equal(parse_size("5X", &u), -EINVAL);
}

static void test_boolean(_unused_ void **state)
{
        bool b = false;

        assert_ok(parse_boolean("YES", &b));
        assert_true(b);
        assert_ok(parse_boolean("off", &b));
        assert_false(b);
        assert_int_equal(parse_boolean("2", &b), -EINVAL);
        assert_int_equal(parse_boolean("", &b), -EINVAL);
}

static void test_utf8(_unused_ void **state)
{
        static const struct {
                const char *s;
                size_t valid;
        } table[] = {
                { "plain ascii that is longer than eight", 37 },
                { "gr\xc3\xbc\xc3\x9f", 6 },
                { "\xf0\x9f\x98\x80", 4 },
                { "ab\xc0\x80", 2 },         /* overlong */
                { "ab\xe0\x80\x80", 2 },     /* overlong */
                { "\xed\xa0\x80", 0 },       /* surrogate */
                { "\xf4\x90\x80\x80", 0 },   /* past U+10FFFF */
                { "12345678\xff", 8 },
                { "1234567\xc3", 7 },        /* cut short */
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++)
                assert_int_equal(utf8_check(table[i].s, strlen(table[i].s)), table[i].valid);
}

static void test_buffer(_unused_ void **state)
{
        _cleanup_buffer_ Buffer b = BUFFER_WITH_MAX(10);
        _cleanup_free_ char *s = NULL;

        assert_string_equal(buffer_string(&b), "");
        assert_ok(buffer_append_string(&b, "hello"));
        assert_ok(buffer_appendf(&b, "%03d", 7));
        assert_string_equal(b.data, "hello007");
        assert_int_equal(buffer_append_string(&b, "xyz"), -E2BIG);
        assert_string_equal(b.data, "hello007");
        buffer_consume(&b, 5);
        assert_string_equal(b.data, "007");
        s = buffer_steal(&b);
        assert_string_equal(s, "007");
        assert_int_equal(b.len, 0);
        assert_int_equal(b.max, 10);
}

static void test_distance(_unused_ void **state)
{
        char a[200], b[200];

        assert_int_equal(string_distance("list", "lsit"), 1);
        assert_int_equal(string_distance("TimeoutSec", "timoutsec"), 1);
        assert_int_equal(string_distance("", "abc"), 3);
        assert_int_equal(string_distance("abc", ""), 3);
        assert_int_equal(string_distance("kitten", "sitting"), 3);
        memset(a, 'a', sizeof(a));
        memset(b, 'b', sizeof(b));
        a[sizeof(a) - 1] = b[sizeof(b) - 1] = '\0';
        assert_int_equal(string_distance(a, b), 63);
}

static void test_nearest(_unused_ void **state)
{
        static const char *const names[] = { "run", "runs", "list", "logs", "calendar" };
        static const struct {
                const char *name, *found;
        } cases[] = {
                { "rnus", "runs" }, { "LIST", "list" }, { "calandar", "calendar" }, { "calandre", NULL }, { "rm", NULL }, { "ls", NULL }, { "lis", "list" }, { "rub", "run" }, { "clndar", "calendar" }, { "", NULL }, { "elephant", NULL },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                Nearest nearest = { .name = cases[i].name };

                for (size_t k = 0; k < ARRAY_SIZE(names); k++)
                        nearest_look(&nearest, names[k]);
                if (cases[i].found)
                        assert_string_equal(nearest.found, cases[i].found);
                else
                        assert_null(nearest.found);
        }
}

typedef struct Item {
        int value;
        List link;
} Item;

static void test_list(_unused_ void **state)
{
        List head = LIST_INIT(head), other = LIST_INIT(other);
        Item items[4];
        Item *item;
        int sum = 0;

        for (int i = 0; i < 4; i++) {
                items[i].value = i;
                list_append(i < 2 ? &head : &other, &items[i].link);
        }
        list_splice(&head, &other);
        assert_true(list_is_empty(&other));
        list_foreach(item, &head, Item, link) {
                sum = sum * 10 + item->value;
                list_unlink(&item->link);
        }
        assert_int_equal(sum, 123);
        assert_true(list_is_empty(&head));
        assert_null(list_first(&head, Item, link));
}

static void test_files(_unused_ void **state)
{
        char dir[] = "/tmp/test-base.XXXXXX";
        _cleanup_free_ char *nested = NULL, *path = NULL;
        _cleanup_buffer_ Buffer b = BUFFER_NULL;

        assert_non_null(mkdtemp(dir));
        nested = path_join(dir, "a/b/c");
        assert_ok(mkdir_p(nested, 0755));
        assert_ok(mkdir_p(nested, 0755));
        path = path_join(nested, "file");
        assert_ok(write_file_atomic(path, "content", 7, 0644, true));
        assert_ok(read_file_at(AT_FDCWD, path, 7, &b));
        assert_string_equal(b.data, "content");
        assert_int_equal(read_file_at(AT_FDCWD, path, 6, &b), -EFBIG);
        assert_int_equal(read_file_at(AT_FDCWD, nested, 6, &b), -EISDIR);
        assert_int_equal(mkdir_p(path, 0755), -ENOTDIR);
        assert_int_equal(write_file_atomic("/proc/no/such", "", 0, 0644, false), -ENOENT);
        assert_int_equal(unlink(path), 0);
        for (int i = 0; i < 3; i++) {
                assert_int_equal(rmdir(nested), 0);
                *strrchr(nested, '/') = '\0';
        }
        assert_int_equal(rmdir(dir), 0);
}

static void test_iso(_unused_ void **state)
{
        char text[REALTIME_ISO_MAX];

        assert_string_equal(realtime_to_iso(UINT64_C(1795341600000180), text), "2026-11-22T10:00:00.000180Z");
        assert_string_equal(realtime_to_iso(0, text), "1970-01-01T00:00:00.000000Z");
        assert_true(usec_add(USEC_INFINITY - 1, 5) == USEC_INFINITY);
        assert_true(usec_sub(3, 5) == 0);
        assert_true(usec_sub(USEC_INFINITY, 5) == USEC_INFINITY);
}

/* The vectors of the paper's appendix and of the authors' code: key 00…0f, data 00, 01, … */
static void test_siphash(_unused_ void **state)
{
        const SipKey key = { { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) } };
        uint8_t data[15];

        for (uint8_t i = 0; i < sizeof(data); i++)
                data[i] = i;
        assert_true(siphash24(&key, data, 0) == UINT64_C(0x726fdb47dd0e0e31));
        assert_true(siphash24(&key, data, 8) == UINT64_C(0x93f5f5799a932462));
        assert_true(siphash24(&key, data, 15) == UINT64_C(0xa129ca6149be45e5));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                RUN(test_numbers), RUN(test_boolean), RUN(test_utf8),  RUN(test_distance), RUN(test_nearest),
                RUN(test_buffer),  RUN(test_list),    RUN(test_files), RUN(test_iso),
                RUN(test_siphash),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
