/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "job/secret.h"

static void check(const SecretSet *set, const char *text, const char *expected)
{
        _cleanup_free_ char *copy = strdup(text);
        size_t n = strlen(text);

        secret_set_redact(set, copy, &n);
        assert_string_equal(copy, expected);
        assert_int_equal(n, strlen(expected));
}

static void check_json(const SecretSet *set, const char *text, const char *expected)
{
        _cleanup_free_ char *copy = strdup(text);
        size_t n = strlen(text);

        secret_set_redact_json(set, copy, &n, "{}");
        assert_string_equal(copy, expected);
        assert_int_equal(n, strlen(expected));
}

static void add(SecretSet *set, const char *value)
{
        assert_int_equal(secret_set_add(set, value, strlen(value)), 0);
}

static void test_text(_unused_ void **state)
{
        _cleanup_(secret_set_deinit) SecretSet set = {};

        check(&set, "nothing is known", "nothing is known");
        add(&set, "abc"); /* too short */
        add(&set, "s3cr et");
        add(&set, "s3cr et/longer");
        add(&set, "s3cr et");
        check(&set, "abc s3cr et s3cr%20et, s3cr et/longer!s3cr%20et%2Flonger", "abc *** ***, ***!***");
        check(&set, "", "");
        check(&set, "s3cr e", "s3cr e");
}

static void test_lines(_unused_ void **state)
{
        _cleanup_(secret_set_deinit) SecretSet set = {};

        add(&set, "-----BEGIN-----\r\nMIIEvgIBAD\nshort\n");
        check(&set, "reading MIIEvgIBAD failed: short", "reading *** failed: short");
        check_json(&set, "[\"-----BEGIN-----\\r\\nMIIEvgIBAD\\nshort\\n\"]", "[\"***\"]");
}

static void test_json(_unused_ void **state)
{
        _cleanup_(secret_set_deinit) SecretSet set = {};

        add(&set, "pa\"ss\\");
        add(&set, "n1234");
        add(&set, "123456");
        add(&set, "\",\"");
        check_json(&set, "{\"a\":\"x pa\\\"ss\\\\ y\",\"b\":[1,2]}", "{\"a\":\"x *** y\",\"b\":[1,2]}");
        /* Not in the middle of an escape, nor across the end of a string. */
        check_json(&set, "[\"\\n1234\",\"n1234\"]", "[\"\\n1234\",\"***\"]");
        check_json(&set, "[\"a\",\"b\"]", "[\"a\",\"b\"]");
        check_json(&set, "[123456,-1234567e2,12345]", "[null,null,12345]");
        check_json(&set, "{\"key n1234\": 1}", "{}");
        check_json(&set, "n1234", "n1234");
}

static void test_places(_unused_ void **state)
{
        _cleanup_(secret_set_deinit) SecretSet set = {};
        _cleanup_buffer_ Buffer url = BUFFER_NULL;

        assert_int_equal(secret_set_add_header(&set, "authorization: Bearer tok-1"), 0);
        assert_int_equal(secret_set_add_header(&set, "Accept: text/plain"), 0);
        assert_int_equal(secret_set_add_header(&set, "Cookie"), 0);
        assert_int_equal(secret_set_add_url(&set, "http://me:p%40ss@host:80/@x"), 0);
        assert_int_equal(secret_set_add_url(&set, "http://host/a:bcde@f"), 0);
        assert_int_equal(secret_set_add_pair(&set, "My_API_Key=k-123"), 0);
        assert_int_equal(secret_set_add_pair(&set, "city=Berlin"), 0);
        assert_int_equal(secret_set_add_pair(&set, "token"), 0);
        check(&set, "Bearer tok-1, tok-1, text/plain, bcde", "***, ***, text/plain, bcde");
        check(&set, "p%40ss, p@ss, bWU6cEBzcw==, host, Berlin, k-123", "***, ***, ***, host, Berlin, ***");

        assert_int_equal(secret_append_url(&url, "http://me:p%40ss@host:80/@x"), 0);
        assert_string_equal(url.data, "http://host:80/@x");
        buffer_clear(&url);
        assert_int_equal(secret_append_url(&url, "me@host"), 0);
        assert_string_equal(url.data, "host");
        buffer_clear(&url);
        assert_int_equal(secret_append_url(&url, "https://host?a@b"), 0);
        assert_string_equal(url.data, "https://host?a@b");
}

static void test_cap(_unused_ void **state)
{
        _cleanup_(secret_set_deinit) SecretSet set = {};
        char text[16];
        int r = 0;

        for (unsigned i = 0; i <= SECRET_TEXTS_MAX && r >= 0; i++) {
                (void)snprintf(text, sizeof(text), "secret-%u", i);
                r = secret_set_add(&set, text, strlen(text));
        }
        assert_int_equal(r, -E2BIG);
        assert_int_equal(set.n, SECRET_TEXTS_MAX);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_text),
                cmocka_unit_test(test_lines),
                cmocka_unit_test(test_json),
                cmocka_unit_test(test_places),
                cmocka_unit_test(test_cap),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
