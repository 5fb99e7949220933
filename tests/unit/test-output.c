/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <stdio.h>

#include "result/output.h"
#include "result/result.h"

#define OUTPUTS(...) declare((const char *const[]){ __VA_ARGS__, NULL })

static OutputSet *declare(const char *const *declarations)
{
        OutputSet *set = output_set_new();

        assert_non_null(set);
        for (; *declarations; declarations++) {
                TextError error = {};

                if (output_set_add(set, *declarations, &error) < 0)
                        fail_msg("%s: %s", *declarations, error.message);
        }
        return set;
}

static int extract(const OutputSet *set, ResultFormat format, const char *text, Buffer *out, char **ret_error)
{
        _cleanup_result_ Result result = RESULT_NULL;
        JsonWriter w;
        int r;

        assert_ok(result_decode(&result, format, text, strlen(text), NULL, NULL));
        json_writer_init(&w, out, 0);
        r = outputs_extract(set, result.root, &w, ret_error);
        assert_int_equal(json_writer_end(&w), r);
        return r;
}

static void test_extract(_unused_ void **state)
{
        static const char weather[] = "{\"main\": {\"temp\": 21.5, \"none\": null}, \"days\": [{\"t\": 1}, {\"t\": 2}, {}]}";
        static const struct {
                ResultFormat format;
                const char *text, *path, *expected;
        } table[] = {
                { RESULT_JSON, weather, "x: $.main.temp", "{\"x\":21.5}" },
                { RESULT_JSON, weather, "x?: $.main.nosuch", "{\"x\":null}" },
                { RESULT_JSON, weather, "x? : $.main.temp ", "{\"x\":21.5}" },
                { RESULT_JSON, weather, "x: $.main.none", "{\"x\":null}" },
                { RESULT_JSON, weather, "x:$['days'][1]", "{\"x\":{\"t\":2}}" },
                { RESULT_JSON, weather, "x: $.days[-1]", "{\"x\":{}}" },
                { RESULT_JSON, weather, "x: $.days[*].t", "{\"x\":[1,2]}" },
                { RESULT_JSON, weather, "x: $.days[1:]", "{\"x\":[{\"t\":2},{}]}" },
                { RESULT_JSON, weather, "x: $.days[?@.t > 5]", "{\"x\":[]}" },
                { RESULT_JSON, "5", "x: $", "{\"x\":5}" },
                { RESULT_TEXT, "hello\n", "x: $", "{\"x\":\"hello\"}" },
                { RESULT_NUMBER, "42\n", "x: $", "{\"x\":42}" },
                { RESULT_LINES, "a\nb\n", "x: $[1]", "{\"x\":\"b\"}" },
                { RESULT_LINES, "a\nb\n", "x: $[*]", "{\"x\":[\"a\",\"b\"]}" },
                { RESULT_NONE, "", "x: $", "{\"x\":null}" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                _cleanup_(output_set_freep) OutputSet *set = OUTPUTS(table[i].path);
                _cleanup_buffer_ Buffer out = BUFFER_NULL;
                char *error = NULL;

                if (extract(set, table[i].format, table[i].text, &out, &error) < 0)
                        fail_msg("%s: %s", table[i].path, error);
                assert_string_equal(out.data, table[i].expected);
        }
}

static void test_set(_unused_ void **state)
{
        _cleanup_(output_set_freep) OutputSet *set = OUTPUTS("a: $[0]", " rest-2 :  $[1:]  ");
        _cleanup_buffer_ Buffer out = BUFFER_NULL, none = BUFFER_NULL;

        assert_int_equal(output_set_size(set), 2);
        assert_int_equal(output_set_size(NULL), 0);
        assert_string_equal(output_set_name(set, 1), "rest-2");
        assert_true(output_set_has(set, "a"));
        assert_false(output_set_has(set, "b"));
        assert_ok(extract(set, RESULT_JSON, "[1, 2, 3]", &out, NULL));
        assert_string_equal(out.data, "{\"a\":1,\"rest-2\":[2,3]}");
        assert_ok(extract(NULL, RESULT_JSON, "[1, 2, 3]", &none, NULL));
        assert_string_equal(none.data, "{}");
}

static void test_missing(_unused_ void **state)
{
        _cleanup_(output_set_freep) OutputSet *set = OUTPUTS("a: $[0]", "temp: $.main.temp");
        _cleanup_buffer_ Buffer out = BUFFER_NULL;
        _cleanup_free_ char *error = NULL;

        assert_int_equal(extract(set, RESULT_JSON, "[1, 2, 3]", &out, &error), -ENODATA);
        assert_string_equal(error, "output 'temp': $.main.temp names nothing in the result; 'temp?: …' would allow that");
        assert_int_equal(extract(set, RESULT_JSON, "[1]", &out, NULL), -ENODATA);
}

static void test_refused(_unused_ void **state)
{
        static const struct {
                const char *text;
                size_t offset;
                const char *says;
        } table[] = {
                { "", 0, "NAME: PATH" },
                { ": $", 0, "NAME: PATH" },
                { "1a: $", 0, "begins with a letter" },
                { "a b: $", 2, "expected ':'" },
                { "a $.b", 2, "expected ':'" },
                { "taken: $", 0, "already" },
                { "a: $.", SIZE_MAX, "" },
                { "a: b", 3, "" },
                { "a:", 2, "" },
                { "a?: $[*]", 4, "leave out the '?'" },
        };
        _cleanup_(output_set_freep) OutputSet *set = OUTPUTS("taken: $");

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                TextError error;

                assert_int_equal(output_set_add(set, table[i].text, &error), -EBADMSG);
                if ((table[i].offset != SIZE_MAX && error.offset != table[i].offset) || !strstr(error.message, table[i].says))
                        fail_msg("%s: %zu: %s", table[i].text, error.offset, error.message);
        }
        for (unsigned i = 1; i <= OUTPUTS_MAX; i++) {
                _cleanup_free_ char *declaration = NULL;

                assert_true(asprintf(&declaration, "o%u: $", i) > 0);
                assert_int_equal(output_set_add(set, declaration, NULL), i < OUTPUTS_MAX ? 0 : -EBADMSG);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { RUN(test_extract), RUN(test_set), RUN(test_missing), RUN(test_refused) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
