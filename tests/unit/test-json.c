/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>

#include "base/buffer.h"
#include "json/json.h"
#include "json/writer.h"
#include "test-memory.h"

static JsonDoc *parse(const char *text)
{
        JsonDoc *doc = NULL;
        JsonError error;
        int r;

        r = json_parse(text, strlen(text), NULL, &doc, &error);
        if (r < 0)
                fail_msg("%s: line %u, column %u: %s", text, error.line, error.column, error.message);
        return doc;
}

static void test_values(_unused_ void **state)
{
        _cleanup_(json_doc_freep) JsonDoc *doc = parse(
                " {\"a\": [1, -2.5, \"x\\u00e9\\ud83d\\ude00\\u0000y\", true, false, null, {}, []],\n\"\": {\"b\": 1e2}} ");
        const JsonValue *root = json_root(doc), *a = json_get(root, "a");

        assert_true(json_is(root, JSON_OBJECT));
        assert_int_equal(root->n, 2);
        assert_string_equal(root->members[0].key, "a");
        assert_true(json_is(a, JSON_ARRAY));
        assert_int_equal(a->n, 8);
        assert_true(json_is(&a->items[0], JSON_INT) && a->items[0].integer == 1);
        assert_true(json_is(&a->items[1], JSON_DOUBLE) && a->items[1].number == -2.5);
        assert_int_equal(a->items[2].n, 9);
        assert_memory_equal(a->items[2].string, "x\xc3\xa9\xf0\x9f\x98\x80\0y", 10);
        assert_null(json_string_or_null(&a->items[2]));
        assert_true(a->items[3].boolean);
        assert_false(a->items[4].boolean);
        assert_true(json_is(&a->items[5], JSON_NULL));
        assert_true(json_is(&a->items[6], JSON_OBJECT) && a->items[6].n == 0);
        assert_true(json_is(&a->items[7], JSON_ARRAY) && a->items[7].n == 0);
        assert_true(json_get(json_get(root, ""), "b")->number == 100);
        assert_null(json_get(root, "c"));
        assert_null(json_get(a, "c"));
        assert_null(json_get(NULL, "c"));
        assert_false(json_is(NULL, JSON_NULL));
        assert_string_equal(json_type_name(a->type), "array");
}

static void test_numbers(_unused_ void **state)
{
        static const struct {
                const char *text;
                JsonType type;
                int64_t integer;
                double number;
        } table[] = {
                { "0", JSON_INT, .integer = 0 },
                { "-0", JSON_INT, .integer = 0 },
                { "9223372036854775807", JSON_INT, .integer = INT64_MAX },
                { "-9223372036854775808", JSON_INT, .integer = INT64_MIN },
                { "9223372036854775808", JSON_DOUBLE, .number = 0x1p63 },
                { "-9223372036854775809", JSON_DOUBLE, .number = -0x1p63 },
                { "18446744073709551616", JSON_DOUBLE, .number = 0x1p64 },
                { "1.0", JSON_DOUBLE, .number = 1 },
                { "1e0", JSON_DOUBLE, .number = 1 },
                { "0.1", JSON_DOUBLE, .number = 0.1 },
                { "123.456E-2", JSON_DOUBLE, .number = 1.23456 },
                { "9007199254740993.0", JSON_DOUBLE, .number = 9007199254740992.0 },
                { "9007199254740993.00000000000000000000000001", JSON_DOUBLE, .number = 9007199254740994.0 },
                { "5e-324", JSON_DOUBLE, .number = 5e-324 },
                { "1e-999999999999", JSON_DOUBLE, .number = 0 },
                { "0e999999999999", JSON_DOUBLE, .number = 0 },
                { "1.7976931348623157e308", JSON_DOUBLE, .number = 1.7976931348623157e308 },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                _cleanup_(json_doc_freep) JsonDoc *doc = parse(table[i].text);
                const JsonValue *v = json_root(doc);

                assert_int_equal(v->type, table[i].type);
                if (v->type == JSON_INT)
                        assert_true(v->integer == table[i].integer);
                else
                        assert_true(v->number == table[i].number);
        }
}

/* '~' stands for a NUL, so that texts can be strings. */
static void test_errors(_unused_ void **state)
{
        static const struct {
                const char *text;
                unsigned line, column;
                const char *message; /* a part of it */
        } table[] = {
                { "", 1, 1, "empty" },
                { " \n ", 1, 1, "empty" },
                { "[1, 2", 1, 6, "ends before" },
                { "{\"a\"", 1, 5, "ends before" },
                { "\"abc", 1, 5, "ends before" },
                { "[1,\n  ]", 2, 3, "value was expected" },
                { "[1,,2]", 1, 4, "value was expected" },
                { "[1 \"two\"]", 1, 4, "after an item" },
                { "{\"a\" \"bcd\"}", 1, 6, "':'" },
                { "{\"a\":1 \"bcd\":2}", 1, 8, "after a member" },
                { "{\"a\":1,}", 1, 8, "" },
                { "{a:1}", 1, 2, "" },
                { "{1:1}", 1, 2, "name" },
                { "[nul]", 1, 2, "words" },
                { "[truth]", 1, 2, "words" },
                { "1 2", 1, 3, "nothing may follow" },
                { "{}}", 1, 3, "nothing may follow" },
                { "\"a\"\"", 1, 4, "nothing may follow" },
                { "[] \"\\n", 1, 4, "nothing may follow" },
                { "01", 1, 2, "nothing may follow" },
                { "[1.]", 1, 2, "number" },
                { "[-]", 1, 2, "number" },
                { "+1", 1, 1, "" },
                { "NaN", 1, 1, "" },
                { "[1, 'a']", 1, 5, "begins with" },
                { "[1e999]", 1, 2, "too large" },
                { "-1e999", 1, 1, "too large" },
                { "\"a\tb\"", 1, 3, "control" },
                { "\"a~b\"", 1, 3, "control" },
                { "1~", 1, 2, "" },
                { "[\v1]", 1, 2, "control" },
                { "[1\f]", 1, 3, "control" },
                { "\"\\x\"", 1, 3, "escape" },
                { "\"\\u12g4\"", 1, 6, "hexadecimal" },
                { "\"\\ud800\"", 1, 2, "surrogate" },
                { "\"\\ud800\\n\"", 1, 2, "surrogate" },
                { "\"ab\\udc00\"", 1, 4, "surrogate" },
                { "\"\\ud800\\ud800\"", 1, 2, "surrogate" },
                { "\"\\\\\\ud800\"", 1, 4, "surrogate" },
                { "[\"\xff\"]", 1, 3, "UTF-8" },
                { "\"\xed\xa0\x80\"", 1, 2, "UTF-8" },
                { "\"\xc0\x80\"", 1, 2, "UTF-8" },
                { "[1,,\"\xff\"]", 1, 4, "value was expected" }, /* the first fault counts */
                { "{\"a\":1,\n\"b\":2,\n \"a\":3}", 3, 2, "\"a\" twice" },
                { "{\"a\":1,\"\\u0061\":3}", 1, 15, "\"a\" twice" },
                { "{\"a\\nb\":1,\"a\\nb\":3}", 1, 16, "\"a?b\" twice" },
                { "[1] // no", 1, 5, "" },
                { "\xef\xbb\xbf{}", 1, 1, "" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                _cleanup_free_ char *text = strdup(table[i].text);
                JsonDoc *doc = (JsonDoc *)&doc;
                JsonError error = {};
                size_t n = strlen(text);

                for (char *p = text; (p = strchr(p, '~')); p++)
                        *p = '\0';
                if (json_parse(text, n, NULL, &doc, &error) != -EBADMSG)
                        fail_msg("%s: was accepted", table[i].text);
                assert_ptr_equal(doc, &doc);
                if (error.line != table[i].line || error.column != table[i].column ||
                    !strstr(error.message, table[i].message))
                        fail_msg("%s: line %u, column %u: %s", table[i].text, error.line, error.column, error.message);
        }
}

static void test_limits(_unused_ void **state)
{
        static const JsonLimits limits = { .max_bytes = 10, .max_depth = 3 };
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        char deep[2 * JSON_MAX_DEPTH_DEFAULT + 3] = {};
        JsonError error;

        assert_int_equal(json_parse("[1,2,3,4,5]", 11, &limits, &doc, &error), -E2BIG);
        assert_non_null(strstr(error.message, "11 bytes"));
        assert_int_equal(json_parse("[{\"a\":[1", 8, &limits, &doc, &error), -EBADMSG);
        assert_int_equal(json_parse("[[ [[]]]]", 9, &limits, &doc, &error), -E2BIG);
        assert_int_equal(error.column, 5);
        assert_int_equal(json_parse("[[[]]]", 6, &limits, &doc, NULL), 0);

        memset(deep, '[', JSON_MAX_DEPTH_DEFAULT + 1);
        memset(deep + JSON_MAX_DEPTH_DEFAULT + 1, ']', JSON_MAX_DEPTH_DEFAULT + 1);
        doc = json_doc_free(doc);
        assert_int_equal(json_parse(deep, sizeof(deep) - 1, NULL, &doc, NULL), -E2BIG);
        assert_ok(json_parse(deep + 1, sizeof(deep) - 3, NULL, &doc, NULL));
}

/* Objects past a few members are looked up and compared by other means. */
static void test_large_object(_unused_ void **state)
{
        _cleanup_(json_doc_freep) JsonDoc *forward_doc = NULL, *backward_doc = NULL, *doc = NULL;
        _cleanup_buffer_ Buffer forward = BUFFER_NULL, backward = BUFFER_NULL, twice = BUFFER_NULL;
        JsonError error;

        for (int i = 0; i < 1000; i++) {
                assert_ok(buffer_appendf(&forward, "%c\"key%d\":%d", i ? ',' : '{', i, i));
                assert_ok(buffer_appendf(&backward, "%c\n\"key%d\":%d.0", i ? ',' : '{', 999 - i, 999 - i));
        }
        assert_ok(buffer_append(&twice, backward.data, backward.len));
        assert_ok(buffer_append_string(&twice, ",\n \"key77\":0,\n \"key76\":0}"));
        assert_ok(buffer_append_string(&forward, "}"));
        assert_ok(buffer_append_string(&backward, "}"));

        assert_ok(json_parse(forward.data, forward.len, NULL, &forward_doc, NULL));
        assert_ok(json_parse(backward.data, backward.len, NULL, &backward_doc, NULL));
        assert_int_equal(json_parse(twice.data, twice.len, NULL, &doc, &error), -EBADMSG);
        assert_int_equal(error.line, 1002);
        assert_int_equal(error.column, 2);
        assert_non_null(strstr(error.message, "key77"));

        for (int i = 0; i < 1000; i++) {
                char key[16];

                (void)snprintf(key, sizeof(key), "key%d", i);
                assert_int_equal(json_get(json_root(forward_doc), key)->integer, i);
                assert_string_equal(json_root(forward_doc)->members[i].key, key);
        }
        assert_null(json_get(json_root(forward_doc), "key"));
        assert_null(json_get(json_root(forward_doc), "key1000"));
        assert_true(json_equal(json_root(forward_doc), json_root(backward_doc)));
}

static void test_equal(_unused_ void **state)
{
        static const struct {
                const char *a, *b;
                bool equal;
        } table[] = {
                { "1", "1.0", true },
                { "9007199254740993", "9007199254740992.0", false },
                { "9007199254740992", "9007199254740992.0", true },
                { "9223372036854775807", "9223372036854775808", false },
                { "-9223372036854775808", "-9223372036854775808.0", true },
                { "0", "-0.0", true },
                { "1", "1.5", false },
                { "\"a\"", "\"\\u0061\"", true },
                { "\"a\"", "\"a\\u0000\"", false },
                { "[1,2]", "[1,2]", true },
                { "[1,2]", "[2,1]", false },
                { "[1]", "[1,1]", false },
                { "{\"a\":1,\"b\":[{}]}", "{\"b\":[{}],\"a\":1}", true },
                { "{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":2}", false },
                { "{\"a\":null}", "{}", false },
                { "null", "false", false },
                { "true", "true", true },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                _cleanup_(json_doc_freep) JsonDoc *a = parse(table[i].a), *b = parse(table[i].b);

                assert_int_equal(json_equal(json_root(a), json_root(b)), table[i].equal);
                assert_int_equal(json_equal(json_root(b), json_root(a)), table[i].equal);
        }
}

static void test_no_memory(_unused_ void **state)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        unsigned limit;

        /* Escapes (yajl's own buffers), depth, many slots, a long number, pieces of every size. */
        assert_ok(buffer_append_string(&text, "[\"\\u00e9\\n\",{\"k\\ty\":{"));
        for (int i = 0; i < 40; i++)
                assert_ok(buffer_appendf(&text, "\"name%d\":[[[[%d.5e-3]]]],", i, i));
        assert_ok(buffer_appendf(&text, "\"long\":\"%0*d\\n%0*d\",\"number\":", 9000, 1, 70000, 2));
        assert_ok(buffer_appendf(&text, "0.%0*d},\"many\":[", 300, 1));
        for (int i = 0; i < 3000; i++)
                assert_ok(buffer_append_string(&text, "[],1,"));
        assert_ok(buffer_append_string(&text, "0]}]"));

        for (limit = 0;; limit++) {
                _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
                JsonError error = {};
                int r;

                r = WITH_ALLOCATIONS(limit, json_parse(text.data, text.len, NULL, &doc, &error));
                if (r == 0)
                        break;
                assert_int_equal(r, -ENOMEM);
                assert_null(doc);
                assert_string_equal(error.message, "out of memory");
        }
        assert_in_range(limit, 10, 1000);

        /* A small text is one allocation. */
        buffer_clear(&text);
        assert_ok(buffer_append_string(&text, "{\"parameters\":{\"a\":\"\\n\",\"b\":[1,2.5e-7]}}"));
        for (limit = 0; limit < 2; limit++) {
                _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
                int r;

                r = WITH_ALLOCATIONS(limit, json_parse(text.data, text.len, NULL, &doc, NULL));
                assert_int_equal(r, limit == 0 ? -ENOMEM : 0);
        }
}

/* Whatever a byte of a string is, and wherever it stands, it is read as RFC 8259 has it. */
static void test_string_places(_unused_ void **state)
{
        for (size_t n = 1; n <= 36; n++)
                for (size_t i = 0; i < n; i++)
                        for (unsigned c = 0; c < 0x100; c++) {
                                _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
                                bool good = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
                                char text[40];
                                int r;

                                text[0] = text[n + 1] = '"';
                                memset(text + 1, i % 2 ? 'a' : '!', n);
                                text[1 + i] = (char)c;
                                r = json_parse(text, n + 2, NULL, &doc, NULL);
                                assert_int_equal(r, good ? 0 : -EBADMSG);
                                if (!good)
                                        continue;
                                assert_int_equal(json_root(doc)->n, n);
                                assert_memory_equal(json_root(doc)->string, text + 1, n);
                                assert_int_equal(json_root(doc)->string[n], '\0');
                        }
}

static void test_again(_unused_ void **state)
{
        static const char small[] = "{\"a\":[1,\"two\",null]}", other[] = "[\"\xc3\xa4\",{\"b\":true}]";
        _cleanup_buffer_ Buffer large = BUFFER_NULL;
        JsonDoc *doc = NULL, *first;
        int r;

        assert_ok(json_parse_again(&doc, small, strlen(small), NULL, NULL));
        first = doc;
        /* It takes no memory but that, of which the pieces beyond the first are given back. */
        for (unsigned i = 0; i < 3; i++) {
                r = WITH_ALLOCATIONS(0, json_parse_again(&doc, other, strlen(other), NULL, NULL));
                assert_ok(r);
                assert_ptr_equal(doc, first);
                assert_string_equal(json_root(doc)->items[0].string, "\xc3\xa4");
                r = WITH_ALLOCATIONS(0, json_parse_again(&doc, small, strlen(small), NULL, NULL));
                assert_ok(r);
                assert_string_equal(json_get(json_root(doc), "a")->items[1].string, "two");
        }
        for (unsigned i = 0; i < 100000; i++)
                assert_ok(buffer_append_string(&large, i == 0 ? "[\"\\n\"" : ",\"some text\""));
        assert_ok(buffer_append_char(&large, ']'));
        assert_ok(json_parse_again(&doc, large.data, large.len, NULL, NULL));
        assert_int_equal(json_root(doc)->n, 100000);
        assert_ok(json_parse_again(&doc, small, strlen(small), NULL, NULL));
        assert_int_equal(json_root(doc)->n, 1);
        assert_int_equal(json_parse_again(&doc, "[", 1, NULL, NULL), -EBADMSG);
        assert_null(doc);
}

/* --- the writer --- */

static void test_writer(_unused_ void **state)
{
        _cleanup_buffer_ Buffer out = BUFFER_NULL;
        JsonWriter w;

        assert_ok(buffer_append_string(&out, "> "));
        json_writer_init(&w, &out, 0);
        json_begin_object(&w);
        json_key(&w, "a");
        json_begin_array(&w);
        json_int(&w, INT64_MIN);
        json_uint(&w, UINT64_MAX);
        json_double(&w, 0.1);
        json_bool(&w, true);
        json_null(&w);
        json_raw(&w, "{\"x\":1}", 7);
        json_begin_object(&w);
        json_end_object(&w);
        json_end_array(&w);
        json_key(&w, "q\"\\\n\x01\x7f");
        json_string(&w, "\b\f\n\r\t\x1f/\xc3\xa9");
        json_key(&w, "n");
        json_string(&w, NULL);
        json_key(&w, "nul");
        json_string_n(&w, "a\0b", 3);
        json_key(&w, "lossy");
        json_string_lossy(&w, "a\xff\"\xc3", 4);
        json_key(&w, "at");
        json_realtime(&w, UINT64_C(1795341600000180));
        json_key(&w, "never");
        json_realtime(&w, UINT64_MAX);
        json_end_object(&w);
        assert_ok(json_writer_end(&w));
        assert_string_equal(out.data,
                            "> {\"a\":[-9223372036854775808,9223372036854775807,0.1,true,null,{\"x\":1},{}],"
                            "\"q\\\"\\\\\\n\\u0001\x7f\":\"\\b\\f\\n\\r\\t\\u001f/\xc3\xa9\",\"n\":null,"
                            "\"nul\":\"a\\u0000b\",\"lossy\":\"a\xef\xbf\xbd\\\"\xef\xbf\xbd\","
                            "\"at\":\"2026-11-22T10:00:00.000180Z\",\"never\":null}");
}

/* Strings are looked at eight bytes at a time: what needs care is found wherever it stands, and nothing else is. */
static void test_writer_places(_unused_ void **state)
{
        for (size_t n = 1; n <= 20; n++)
                for (size_t i = 0; i < n; i++)
                        for (unsigned c = 1; c < 0x80; c++) {
                                _cleanup_buffer_ Buffer out = BUFFER_NULL;
                                bool special = c < 0x20 || c == '"' || c == '\\';
                                char text[21] = "";
                                JsonWriter w;

                                memset(text, i % 2 ? 'a' : '!', n);
                                text[i] = (char)c;
                                json_writer_init(&w, &out, 0);
                                json_string(&w, text);
                                assert_ok(json_writer_end(&w));
                                assert_int_equal(out.len > n + 2, special);
                                if (!special)
                                        assert_memory_equal(out.data + 1, text, n);
                        }
}

static void test_writer_indent(_unused_ void **state)
{
        _cleanup_(json_doc_freep) JsonDoc *doc = parse("{\"a\":[1,{\"b\":[]}],\"c\":{}}");
        _cleanup_buffer_ Buffer out = BUFFER_NULL;

        assert_ok(json_format(json_root(doc), 2, &out));
        assert_string_equal(out.data,
                            "{\n  \"a\": [\n    1,\n    {\n      \"b\": []\n    }\n  ],\n  \"c\": {}\n}");
}

static void test_writer_errors(_unused_ void **state)
{
        static const double impossible[] = { INFINITY, -INFINITY, NAN };
        Buffer out = BUFFER_WITH_MAX(600);
        JsonWriter w;

        assert_ok(buffer_append_string(&out, "kept"));
        for (size_t i = 0; i < ARRAY_SIZE(impossible); i++) {
                json_writer_init(&w, &out, 0);
                json_begin_object(&w);
                json_key(&w, "a");
                json_double(&w, impossible[i]);
                json_key(&w, "b");
                json_int(&w, 1);
                json_end_object(&w);
                assert_int_equal(json_writer_end(&w), -EINVAL);
                assert_string_equal(out.data, "kept");
        }

        json_writer_init(&w, &out, 0);
        json_string(&w, "\xc3");
        assert_int_equal(json_writer_end(&w), -EINVAL);

        json_writer_init(&w, &out, 0);
        for (int i = 0; i <= JSON_WRITER_MAX_DEPTH; i++)
                json_begin_array(&w);
        for (int i = 0; i <= JSON_WRITER_MAX_DEPTH; i++)
                json_end_array(&w);
        assert_int_equal(json_writer_end(&w), -E2BIG);

        json_writer_init(&w, &out, 1);
        json_begin_array(&w);
        for (int i = 0; i < 200; i++)
                json_int(&w, 100);
        json_end_array(&w);
        assert_int_equal(json_writer_end(&w), -E2BIG);
        assert_string_equal(out.data, "kept");
        buffer_deinit(&out);

        json_writer_init(&w, &out, 1);
        allocations_left = 0;
        json_begin_array(&w);
        json_end_array(&w);
        allocations_left = ALLOCATIONS_UNLIMITED;
        assert_int_equal(json_writer_end(&w), -ENOMEM);
        buffer_deinit(&out);
}

static const struct {
        double value;
        const char *text;
} doubles[] = {
        { 0, "0.0" },
        { -0.0, "-0.0" },
        { 1, "1.0" },
        { -100, "-100.0" },
        { 0.1, "0.1" },
        { 0.3, "0.3" },
        { 0.1 + 0.2, "0.30000000000000004" },
        { 1.0 / 3, "0.3333333333333333" },
        { 123.456, "123.456" },
        { 21.5, "21.5" },
        { 1e15, "1000000000000000.0" },
        { 123456789012345678.0, "1.2345678901234568e+17" },
        { 1e22, "1e+22" },
        { 1e-5, "0.00001" },
        { 1.5e-6, "1.5e-06" },
        { 5e-324, "5e-324" },
        { 2.2250738585072014e-308, "2.2250738585072014e-308" },
        { 1.7976931348623157e308, "1.7976931348623157e+308" },
        { 0x1p-1017, "7.120236347223045e-307" },
        { 0x1p-44, "5.684341886080802e-14" },
        { 1e23, "1e+23" },
        { 299792458.25, "299792458.25" },
        { 9007199254740993.0, "9007199254740992.0" },
};

static void check_doubles(void)
{
        for (size_t i = 0; i < ARRAY_SIZE(doubles); i++) {
                const JsonValue value = { .type = JSON_DOUBLE, .number = doubles[i].value };
                _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
                _cleanup_buffer_ Buffer out = BUFFER_NULL;

                assert_ok(json_format(&value, 0, &out));
                assert_string_equal(out.data, doubles[i].text);
                doc = parse(out.data);
                assert_int_equal(json_root(doc)->type, JSON_DOUBLE);
                assert_memory_equal(&json_root(doc)->number, &doubles[i].value, sizeof(double));
        }
}

static void test_doubles(_unused_ void **state)
{
        uint64_t bits = 88172645463325252;

        check_doubles();
        for (int i = 0; i < 20000; i++) {
                JsonValue value = { .type = JSON_DOUBLE };
                _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
                _cleanup_buffer_ Buffer out = BUFFER_NULL;

                bits ^= bits << 13, bits ^= bits >> 7, bits ^= bits << 17;
                memcpy(&value.number, &bits, sizeof(bits));
                if (!isfinite(value.number))
                        continue;
                assert_ok(json_format(&value, 0, &out));
                doc = parse(out.data);
                assert_memory_equal(&json_root(doc)->number, &value.number, sizeof(double));
        }
}

/* Where the decimal point is a comma; skipped where no such locale is installed. */
static void test_locale(_unused_ void **state)
{
        static const char *const names[] = { "de_DE.UTF-8", "fr_FR.UTF-8", "nl_NL.UTF-8", "de_DE.utf8" };
        const char *set = NULL;

        for (size_t i = 0; i < ARRAY_SIZE(names) && !set; i++)
                set = setlocale(LC_NUMERIC, names[i]);
        if (!set)
                skip();
        check_doubles();
        (void)setlocale(LC_NUMERIC, "C");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                RUN(test_values),        RUN(test_numbers), RUN(test_errors),        RUN(test_limits),
                RUN(test_large_object),  RUN(test_equal),   RUN(test_no_memory),     RUN(test_writer),
                RUN(test_string_places), RUN(test_again), RUN(test_writer_places), RUN(test_writer_indent), RUN(test_writer_errors), RUN(test_doubles), RUN(test_locale),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
