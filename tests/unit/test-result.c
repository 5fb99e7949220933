/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <stdlib.h>

#include "json/writer.h"
#include "result/result.h"

static void test_formats(_unused_ void **state)
{
        static const char *const names[] = { "json", "text", "number", "lines", "none" };
        ResultFormat format;

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                assert_ok(result_format_from_string(names[i], &format));
                assert_string_equal(result_format_to_string(format), names[i]);
        }
        assert_int_equal(result_format_from_string("JSON", &format), -EINVAL);
}

static void test_decode(_unused_ void **state)
{
        static const struct {
                ResultFormat format;
                const char *bytes;
                const char *json;
        } table[] = {
                { RESULT_JSON, "{\"a\":[1,2.50,\"x y\"]}", "{\"a\":[1,2.50,\"x y\"]}" },
                { RESULT_JSON, " {\n\t\"a b\" : [ 1 ,\r\n2 ] , \"c\\\" \\\\\" : \" \\\" \" }\n",
                  "{\"a b\":[1,2],\"c\\\" \\\\\":\" \\\" \"}" },
                { RESULT_JSON, "123456789012345678901234567890 ", "123456789012345678901234567890" },
                { RESULT_JSON, "\"\"", "\"\"" },
                { RESULT_JSON, " [ \"\\\\\" , \"\xc3\xbc \" ] ", "[\"\\\\\",\"\xc3\xbc \"]" },
                { RESULT_JSON, "null", "null" },
                { RESULT_TEXT, "", "\"\"" },
                { RESULT_TEXT, "hello\n", "\"hello\"" },
                { RESULT_TEXT, "a\r\nb\r\n", "\"a\\r\\nb\"" },
                { RESULT_TEXT, "a\n\n", "\"a\\n\"" },
                { RESULT_TEXT, "a\xff\xfe" "b\xc3", "\"a\xef\xbf\xbd\xef\xbf\xbd" "b\xef\xbf\xbd\"" },
                { RESULT_NUMBER, " 42\n", "42" },
                { RESULT_NUMBER, "-0.5e1", "-5.0" },
                { RESULT_NUMBER, "9223372036854775807", "9223372036854775807" },
                { RESULT_LINES, "", "[]" },
                { RESULT_LINES, "\n", "[\"\"]" },
                { RESULT_LINES, "a\n\nb", "[\"a\",\"\",\"b\"]" },
                { RESULT_LINES, "a\r\n\xff\n", "[\"a\",\"\xef\xbf\xbd\"]" },
                { RESULT_NONE, "\xff anything", "null" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                _cleanup_result_ Result result = RESULT_NULL;
                _cleanup_buffer_ Buffer text = BUFFER_NULL;
                _cleanup_free_ char *error = NULL;
                /* An exact copy, so that a byte read too far is found out. */
                size_t n = strlen(table[i].bytes);
                _cleanup_free_ char *bytes = malloc(n + 1);

                memcpy(bytes, table[i].bytes, n);
                bytes = realloc(bytes, n > 0 ? n : 1);
                assert_ok(result_decode(&result, table[i].format, bytes, n, NULL, &error));
                assert_ok(result_append_text(&result, &text));
                assert_string_equal(text.data, table[i].json);
        }
}

static void test_nul(_unused_ void **state)
{
        _cleanup_result_ Result text = RESULT_NULL, lines = RESULT_NULL;

        assert_ok(result_decode(&text, RESULT_TEXT, "a\0b\n", 4, NULL, NULL));
        assert_int_equal(text.root->n, 3);
        assert_int_equal(text.root->string[3], '\0');
        assert_ok(result_decode(&lines, RESULT_LINES, "a\0b\nc\0", 6, NULL, NULL));
        assert_int_equal(lines.root->n, 2);
        assert_int_equal(lines.root->items[0].n, 3);
        assert_int_equal(lines.root->items[1].n, 2);
}

static void test_refused(_unused_ void **state)
{
        static const struct {
                ResultFormat format;
                const char *bytes;
                int error;
                const char *says;
        } table[] = {
                { RESULT_JSON, "", -EBADMSG, "empty" },
                { RESULT_JSON, " \n", -EBADMSG, "empty" },
                { RESULT_JSON, "{\"a\":\n1", -EBADMSG, "line 2" },
                { RESULT_JSON, "<html>", -EBADMSG, "not JSON" },
                { RESULT_JSON, "[[[[[1]]]]]", -E2BIG, "too large" },
                { RESULT_JSON, "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]", -E2BIG, "larger than 32 bytes" },
                { RESULT_TEXT, "012345678901234567890123456789012", -E2BIG, "larger than 32 bytes" },
                { RESULT_NUMBER, "", -EBADMSG, "empty" },
                { RESULT_NUMBER, "21.5 C", -EBADMSG, "'21.5 C'" },
                { RESULT_NUMBER, "1 2", -EBADMSG, "number" },
                { RESULT_NUMBER, "0x10", -EBADMSG, "number" },
                { RESULT_NUMBER, "nan", -EBADMSG, "number" },
                { RESULT_NUMBER, "1e999", -EBADMSG, "number" },
        };
        static const JsonLimits limits = { .max_bytes = 32, .max_depth = 4 };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                _cleanup_free_ char *error = NULL;
                Result result;

                assert_int_equal(result_decode(&result, table[i].format, table[i].bytes, strlen(table[i].bytes), &limits,
                                               &error), table[i].error);
                assert_non_null(strstr(error, table[i].says));
                assert_null(result.root);
                assert_int_equal(result_decode(&result, table[i].format, table[i].bytes, strlen(table[i].bytes), &limits,
                                               NULL), table[i].error);
        }
}

static void test_many_lines(_unused_ void **state)
{
        _cleanup_result_ Result result = RESULT_NULL;
        size_t n = RESULT_LINES_MAX + 1;
        _cleanup_free_ char *bytes = malloc(n), *error = NULL;

        memset(bytes, '\n', n);
        assert_int_equal(result_decode(&result, RESULT_LINES, bytes, n, NULL, &error), -E2BIG);
        assert_ok(result_decode(&result, RESULT_LINES, bytes, n - 1, NULL, NULL));
        assert_int_equal(result.root->n, RESULT_LINES_MAX);
}

static void test_full_buffer(_unused_ void **state)
{
        _cleanup_buffer_ Buffer out = BUFFER_WITH_MAX(5);
        _cleanup_result_ Result result = RESULT_NULL;

        assert_ok(buffer_append_string(&out, "="));
        assert_ok(result_decode(&result, RESULT_JSON, "[ 1,\n2 ]", 8, NULL, NULL));
        assert_int_equal(result_append_text(&result, &out), -E2BIG);
        assert_string_equal(out.data, "=");
        out.max = 6;
        assert_ok(result_append_text(&result, &out));
        assert_string_equal(out.data, "=[1,2]");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                RUN(test_formats), RUN(test_decode), RUN(test_nul), RUN(test_refused), RUN(test_many_lines),
                RUN(test_full_buffer),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
