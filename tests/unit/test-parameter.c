/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <stdio.h>

#include "job/parameter.h"

#define NOW (UINT64_C(1795341600) * USEC_PER_SEC) /* 2026-11-22T10:00:00Z */

static const ParameterContext context = { .now_realtime = NOW, .time_zone = "UTC" };

/* A set of the declarations up to NULL. */
static ParameterSet *declare(const char *const *declarations)
{
        ParameterSet *set = parameter_set_new();

        assert_non_null(set);
        for (; *declarations; declarations++) {
                TextError error = {};

                if (parameter_set_add(set, *declarations, &error) < 0)
                        fail_msg("%s: %s", *declarations, error.message);
        }
        return set;
}

#define DECLARE(...) declare((const char *const[]){ __VA_ARGS__, NULL })

/* Binds the words LINE, split at blanks, and the JSON text NAMED. */
static int bind_line(const ParameterSet *set, const char *named, const char *line, Buffer *out, ParameterError *error)
{
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_free_ char *copy = strdup(line ? line : "");
        const char *words[100];
        char *save = NULL;
        size_t n = 0;

        if (named)
                assert_ok(json_parse(named, strlen(named), NULL, &doc, NULL));
        for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
                words[n++] = word;
        return parameter_bind(set, doc ? json_root(doc) : NULL, words, n, &context, out, error);
}

static void test_declarations(_unused_ void **state)
{
        _cleanup_(parameter_set_freep) ParameterSet *set = DECLARE(
                "message:string=\"Hello, world\"  What to blink ", " n:int(1..5)", "ratio:float(..0.5)=0.25",
                "loud:bool=no", "wait-for:duration(1s..)=1min30s", "at:time=tomorrow", "speed:choice(slow|fast)=slow Pace",
                "extra:json={\"a b\": [1, \"}\\\" \"]} Anything", "none:json=null", "quoted:json='\"x y\"'", "empty:string= Help");
        _cleanup_buffer_ Buffer out = BUFFER_NULL;
        size_t i;

        assert_int_equal(parameter_set_size(set), 11);
        assert_string_equal(parameter_set_name(set, 0), "message");
        assert_string_equal(parameter_set_help(set, 0), "What to blink");
        assert_null(parameter_set_help(set, 1));
        assert_int_equal(parameter_set_type(set, 4), PARAMETER_DURATION);
        assert_string_equal(parameter_set_help(set, 10), "Help");
        assert_true(parameter_set_find(set, "speed", &i));
        assert_int_equal(i, 6);
        assert_false(parameter_set_find(set, "sped", NULL));
        assert_int_equal(parameter_set_size(NULL), 0);
        assert_ok(bind_line(set, NULL, "--n 2", &out, NULL));
        assert_string_equal(out.data, "{\"message\":\"Hello, world\",\"n\":2,\"ratio\":0.25,\"loud\":false,\"wait-for\":90,"
                            "\"at\":\"2026-11-23T00:00:00.000000Z\",\"speed\":\"slow\",\"extra\":{\"a b\":[1,\"}\\\" \"]},"
                            "\"none\":null,\"quoted\":\"x y\",\"empty\":\"\"}");
}

static void test_bad_declarations(_unused_ void **state)
{
        static const struct {
                const char *text;
                size_t offset;
                const char *says;
        } table[] = {
                { "", 0, "NAME:TYPE" },
                { "1a:int", 0, "begins with a letter" },
                { "name", 4, "':' and a type" },
                { "name=5", 4, "':' and a type" },
                { "taken:int", 0, "already" },
                { "env:string", 0, "is taken" },
                { "help:bool", 0, "is taken" },
                { "a:integer", 2, "'integer' is no type" },
                { "a:", 2, "is no type" },
                { "a:int(1..5", 5, "never closed" },
                { "a:int(5)", 6, "expected a range" },
                { "a:int(..)", 6, "expected a range" },
                { "a:int(5..1)", 6, "empty" },
                { "a:int(a..b)", 6, "no range" },
                { "a:float(1..0.5)", 8, "empty" },
                { "a:string(-1..2)", 9, "no range" },
                { "a:duration(1x..)", 11, "no range" },
                { "a:bool(1..2)", 7, "takes no range" },
                { "a:choice", 2, "choices are missing" },
                { "a:choice()", 9, "empty" },
                { "a:choice(x||y)", 11, "empty" },
                { "a:choice(x|y|x)", 13, "twice" },
                { "a:int=x", 6, "'x' is not a whole number" },
                { "a:int(1..5)=6", 12, "from 1 to 5" },
                { "a:int(1..)=0", 11, "of at least 1" },
                { "a:int=", 6, "'' is not" },
                { "a:bool=maybe", 7, "true, yes" },
                { "a:choice(x|y)=z", 14, "one of x, y" },
                { "a:json={", 7, "is not JSON" },
                { "a:string=\"x", 9, "never closed" },
                { "a:int(1..5)x", 11, "expected '='" },
                { "a:time=someday", 7, "is not a time" },
                { "a:duration=infinity", 11, "is not a time span" },
        };
        _cleanup_(parameter_set_freep) ParameterSet *set = DECLARE("taken:int=1");

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                TextError error;

                if (parameter_set_add(set, table[i].text, &error) != -EBADMSG)
                        fail_msg("%s was accepted", table[i].text);
                if (error.offset != table[i].offset || !strstr(error.message, table[i].says))
                        fail_msg("%s: %zu: %s", table[i].text, error.offset, error.message);
        }
        assert_int_equal(parameter_set_size(set), 1);
}

static void test_places(_unused_ void **state)
{
        static const struct {
                const char *named, *line, *expected;
        } table[] = {
                { NULL, "Hello 5 2", "{\"message\":\"Hello\",\"seconds\":5,\"rate\":2.0,\"loud\":false}" },
                { NULL, "--message Hello --seconds 5", "{\"message\":\"Hello\",\"seconds\":5,\"rate\":1.0,\"loud\":false}" },
                { NULL, "--message=Hello", "{\"message\":\"Hello\",\"seconds\":3,\"rate\":1.0,\"loud\":false}" },
                { NULL, "5 --message Hello", "{\"message\":\"Hello\",\"seconds\":5,\"rate\":1.0,\"loud\":false}" },
                { NULL, "--message= 1500ms", "{\"message\":\"\",\"seconds\":1.5,\"rate\":1.0,\"loud\":false}" },
                { NULL, "--message --loud", "{\"message\":\"--loud\",\"seconds\":3,\"rate\":1.0,\"loud\":false}" },
                { NULL, "-- --loud", "{\"message\":\"--loud\",\"seconds\":3,\"rate\":1.0,\"loud\":false}" },
                { NULL, "-x 1 -2.5", "{\"message\":\"-x\",\"seconds\":1,\"rate\":-2.5,\"loud\":false}" },
                { NULL, "Hi --loud", "{\"message\":\"Hi\",\"seconds\":3,\"rate\":1.0,\"loud\":true}" },
                { NULL, "--loud Hi", "{\"message\":\"Hi\",\"seconds\":3,\"rate\":1.0,\"loud\":true}" },
                { NULL, "--loud off Hi", "{\"message\":\"Hi\",\"seconds\":3,\"rate\":1.0,\"loud\":false}" },
                { NULL, "--loud=YES Hi", "{\"message\":\"Hi\",\"seconds\":3,\"rate\":1.0,\"loud\":true}" },
                { "{\"loud\":true,\"message\":\"Hi\"}", NULL, "{\"message\":\"Hi\",\"seconds\":3,\"rate\":1.0,\"loud\":true}" },
                { "{\"seconds\":\"2min\",\"rate\":\"4\",\"loud\":\"on\"}", "Hi",
                  "{\"message\":\"Hi\",\"seconds\":120,\"rate\":4.0,\"loud\":true}" },
                { "{\"seconds\":null,\"message\":\"Hi\",\"rate\":2}", "7",
                  "{\"message\":\"Hi\",\"seconds\":7,\"rate\":2.0,\"loud\":false}" },
        };
        _cleanup_(parameter_set_freep) ParameterSet *set =
                DECLARE("message:string", "seconds:duration=3s", "rate:float=1", "loud:bool=no");

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                _cleanup_buffer_ Buffer out = BUFFER_NULL;
                ParameterError error = {};

                if (bind_line(set, table[i].named, table[i].line, &out, &error) < 0)
                        fail_msg("%s: %s", table[i].line, error.message);
                assert_string_equal(out.data, table[i].expected);
        }
}

static void test_faults(_unused_ void **state)
{
        static const struct {
                const char *named, *line, *name, *says;
        } table[] = {
                { NULL, NULL, "message", "'message' is missing" },
                { NULL, "--message", "message", "needs a value" },
                { NULL, "a --nosuch 1", "nosuch", "no parameter 'nosuch'; there are message, n, loud" },
                { NULL, "a 1 yes more", "", "surplus argument 'more'" },
                { NULL, "--message a 1 yes more", "", "surplus argument 'more'" },
                { NULL, "--message a --message b", "message", "twice" },
                { "{\"message\":\"a\"}", "--message b", "message", "twice" },
                { NULL, "a x", "n", "'x' is not a whole number from 1 to 5" },
                { NULL, "a 6", "n", "'6' is not a whole number from 1 to 5" },
                { NULL, "a 1.0", "n", "'1.0' is not a whole number" },
                { NULL, "a 1 2", "loud", "'2' is not one of true, yes" },
                { NULL, "a 1 --loud=text", "loud", "'text' is not one of true, yes" },
                { NULL, "\xff", "message", "is not text" },
                { "{\"x\\u0000y\":1}", "a", "x", "no parameter" },
                { "[1]", "a", "", "are an object, not array" },
                { "{\"message\":1}", NULL, "message", "'1' is not text" },
                { "{\"message\":\"a\\u0000b\"}", NULL, "message", "is not text" },
                { "{\"n\":1.5}", "a", "n", "'1.5' is not a whole number" },
                { "{\"n\":true}", "a", "n", "'true' is not a whole number" },
                { "{\"loud\":1}", "a", "loud", "'1' is not one of" },
                { "{\"loud\":\"sure\"}", "a", "loud", "'sure' is not one of" },
                { "{\"n\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]}", "a", "n", "…' is not" },
        };
        _cleanup_(parameter_set_freep) ParameterSet *set = DECLARE("message:string", "n:int(1..5)=1", "loud:bool=no");

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                _cleanup_buffer_ Buffer out = BUFFER_NULL;
                ParameterError error;

                assert_ok(buffer_append_string(&out, "="));
                assert_int_equal(bind_line(set, table[i].named, table[i].line, &out, &error), -EINVAL);
                assert_string_equal(out.data, "=");
                if (!streq(error.name, table[i].name) || !strstr(error.message, table[i].says))
                        fail_msg("%s: '%s': %s", table[i].line, error.name, error.message);
                assert_int_equal(bind_line(set, table[i].named, table[i].line, &out, NULL), -EINVAL);
        }
}

static void test_types(_unused_ void **state)
{
        static const struct {
                const char *type;
                const char *named; /* the value in JSON */
                const char *expected; /* NULL: refused */
        } table[] = {
                { "int", "-9223372036854775808", "-9223372036854775808" },
                { "int", "5.0", "5" },
                { "int", "1e3", "1000" },
                { "int", "1e300", NULL },
                { "int", "\"9223372036854775808\"", NULL },
                { "int", "\" 5\"", NULL },
                { "int", "\"0x10\"", NULL },
                { "float", "1", "1.0" },
                { "float", "\"1e3\"", "1000.0" },
                { "float", "\"nan\"", NULL },
                { "float", "\"inf\"", NULL },
                { "float(0..1)", "1.0001", NULL },
                { "float(0..1)", "1", "1.0" },
                { "string(2..3)", "\"\u00fc\u00fc\u00fc\"", "\"\u00fc\u00fc\u00fc\"" },
                { "string(2..3)", "\"\u00fc\"", NULL },
                { "string(..3)", "\"abcd\"", NULL },
                { "string", "\"\"", "\"\"" },
                { "bool", "\"TRUE\"", "true" },
                { "bool", "\"2\"", NULL },
                { "bool", "\"\"", NULL },
                { "duration", "2.5", "2.5" },
                { "duration", "0", "0" },
                { "duration", "-1", NULL },
                { "duration", "1e300", NULL },
                { "duration", "\"1h 30min\"", "5400" },
                { "duration", "\"5\"", "5" },
                { "duration", "\"1us\"", "1e-06" },
                { "duration", "\"infinity\"", NULL },
                { "duration(1s..1h)", "\"61min\"", NULL },
                { "duration(1s..1h)", "3600", "3600" },
                { "time", "\"2026-11-22 10:00\"", "\"2026-11-22T10:00:00.000000Z\"" },
                { "time", "\"2026-11-22T12:00:00.25+02:00\"", "\"2026-11-22T10:00:00.250000Z\"" },
                { "time", "\"now\"", "\"2026-11-22T10:00:00.000000Z\"" },
                { "time", "\"today\"", "\"2026-11-22T00:00:00.000000Z\"" },
                { "time", "\"yesterday\"", "\"2026-11-21T00:00:00.000000Z\"" },
                { "time", "\"+1h 30min\"", "\"2026-11-22T11:30:00.000000Z\"" },
                { "time", "\"-1s\"", "\"2026-11-22T09:59:59.000000Z\"" },
                { "time", "\"5min ago\"", "\"2026-11-22T09:55:00.000000Z\"" },
                { "time", "\"5min left\"", "\"2026-11-22T10:05:00.000000Z\"" },
                { "time", "\"-1000y\"", NULL },
                { "time", "\"+500000y\"", NULL },
                { "time", "\"+infinity\"", NULL },
                { "time", "\"\"", NULL },
                { "time", "5", NULL },
                { "choice(a|b c)", "\"b c\"", "\"b c\"" },
                { "choice(a|b)", "\"A\"", NULL },
                { "choice(1|2)", "1", NULL },
                { "json", "{\"a\": [1, null]}", "{\"a\":[1,null]}" },
                { "json", "\"text\"", "\"text\"" },
                { "json", "null", "null" },
                { "json", "\"a\\u0000b\"", "\"a\\u0000b\"" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                _cleanup_free_ char *declaration = NULL, *named = NULL, *expected = NULL;
                _cleanup_(parameter_set_freep) ParameterSet *set = NULL;
                _cleanup_buffer_ Buffer out = BUFFER_NULL;
                ParameterError error = {};
                int r;

                assert_true(asprintf(&declaration, "v:%s", table[i].type) > 0);
                assert_true(asprintf(&named, "{\"v\": %s}", table[i].named) > 0);
                set = DECLARE(declaration);
                r = bind_line(set, named, NULL, &out, &error);
                if ((r < 0) != !table[i].expected)
                        fail_msg("%s %s: %s", table[i].type, table[i].named, r < 0 ? error.message : out.data);
                if (r < 0)
                        continue;
                assert_true(asprintf(&expected, "{\"v\":%s}", table[i].expected) > 0);
                assert_string_equal(out.data, expected);
        }
}

/* Midnight and zone-less times are those of the zone that the context names. */
static void test_zone(_unused_ void **state)
{
        static const ParameterContext kyiv = { .now_realtime = NOW, .time_zone = "Europe/Kyiv" };
        static const ParameterContext nowhere = { .now_realtime = NOW, .time_zone = "No/Where" };
        _cleanup_(parameter_set_freep) ParameterSet *set = DECLARE("a:time", "b:time=today");
        _cleanup_buffer_ Buffer out = BUFFER_NULL;
        const char *word = "2026-07-01 10:00";

        assert_ok(parameter_bind(set, NULL, &word, 1, &kyiv, &out, NULL));
        assert_string_equal(out.data, "{\"a\":\"2026-07-01T07:00:00.000000Z\",\"b\":\"2026-11-21T22:00:00.000000Z\"}");
        assert_int_equal(parameter_bind(set, NULL, &word, 1, &nowhere, &out, NULL), -EINVAL);
}

static void test_caps(_unused_ void **state)
{
        _cleanup_(parameter_set_freep) ParameterSet *set = parameter_set_new();
        _cleanup_buffer_ Buffer large = BUFFER_NULL, out = BUFFER_NULL;
        const char *words[2];
        ParameterError error;
        TextError text_error;

        for (unsigned i = 0; i < PARAMETERS_MAX; i++) {
                _cleanup_free_ char *declaration = NULL;

                assert_true(asprintf(&declaration, "p%u:string=", i) > 0);
                assert_ok(parameter_set_add(set, declaration, NULL));
        }
        assert_int_equal(parameter_set_add(set, "more:int", &text_error), -EBADMSG);

        for (unsigned i = 0; i < 1024 * 1024; i++)
                assert_ok(buffer_append_char(&large, 'x'));
        words[0] = words[1] = large.data;
        assert_ok(parameter_bind(set, NULL, words, 1, &context, &out, &error));
        assert_true(out.len > large.len);
        buffer_clear(&out);
        assert_int_equal(parameter_bind(set, NULL, words, 2, &context, &out, &error), -E2BIG);
        assert_non_null(strstr(error.message, "larger than"));
        assert_int_equal(out.len, 0);
        assert_int_equal(parameter_bind(NULL, NULL, words, 1, &context, &out, &error), -EINVAL);
        assert_ok(parameter_bind(NULL, NULL, NULL, 0, &context, &out, &error));
        assert_string_equal(out.data, "{}");
}

static void test_usage(_unused_ void **state)
{
        _cleanup_(parameter_set_freep) ParameterSet *set =
                DECLARE("message:string What to blink", "seconds:duration(1s..)=5s For how long", "mood:choice(a|b)=a");
        _cleanup_buffer_ Buffer usage = BUFFER_NULL, none = BUFFER_NULL, json = BUFFER_NULL;
        JsonWriter w;

        assert_ok(parameter_usage(set, "blink", NULL, &usage));
        assert_string_equal(usage.data,
                            "Usage: blink MESSAGE [SECONDS] [MOOD]\n"
                            "\n"
                            "By position in this order, or by name:\n"
                            "  --message string          What to blink\n"
                            "  --seconds duration(1s..)  For how long (default: 5s)\n"
                            "  --mood choice(a|b)        (default: a)\n");
        assert_ok(parameter_usage(NULL, "x", NULL, &none));
        assert_string_equal(none.data, "Usage: x\n\nTakes no parameters.\n");
        json_writer_init(&w, &json, 0);
        parameter_describe(set, &w);
        assert_ok(json_writer_end(&w));
        assert_string_equal(json.data,
                            "[{\"name\":\"message\",\"type\":\"string\",\"required\":true,\"help\":\"What to blink\"},"
                            "{\"name\":\"seconds\",\"type\":\"duration\",\"required\":false,\"default\":\"5s\","
                            "\"minimum\":\"1s\",\"help\":\"For how long\"},"
                            "{\"name\":\"mood\",\"type\":\"choice\",\"required\":false,\"default\":\"a\","
                            "\"choices\":[\"a\",\"b\"]}]");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                RUN(test_declarations), RUN(test_bad_declarations), RUN(test_places), RUN(test_faults),
                RUN(test_types), RUN(test_zone), RUN(test_caps), RUN(test_usage),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
