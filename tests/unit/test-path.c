/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <stdio.h>

#include "base/buffer.h"
#include "json/path.h"
#include "json/writer.h"
#include "test-memory.h"

static const char document[] =
        "{\"main\":{\"temp\":21.5,\"humidity\":40},\"ok\":true,\"name\":\"Kl\xc3\xb6ntal\","
        "\"days\":[{\"t\":3,\"rain\":false},{\"t\":-1,\"rain\":true,\"note\":\"snow^2\"},{\"t\":7}],"
        "\"big\":9007199254740993,\"pattern\":\"s.*\",\"empty\":[]}";

static JsonDoc *parse(const char *text)
{
        JsonDoc *doc = NULL;

        assert_ok(json_parse(text, strlen(text), NULL, &doc, NULL));
        return doc;
}

/* The nodes as one JSON array. */
static void check_select(const JsonValue *root, const char *expression, const char *expected)
{
        _cleanup_(json_path_freep) JsonPath *path = NULL;
        _cleanup_buffer_ Buffer out = BUFFER_NULL;
        JsonNodes nodes = JSON_NODES_NULL;
        JsonPathError error;
        JsonWriter w;

        if (json_path_compile(expression, &path, &error) < 0)
                fail_msg("%s: at %zu: %s", expression, error.offset, error.message);
        assert_ok(json_path_select(path, root, &nodes));
        json_writer_init(&w, &out, 0);
        json_begin_array(&w);
        for (size_t i = 0; i < nodes.n; i++)
                json_value(&w, nodes.nodes[i]);
        json_end_array(&w);
        assert_ok(json_writer_end(&w));
        json_nodes_deinit(&nodes);
        assert_string_equal(out.data, expected);
}

static void test_select(_unused_ void **state)
{
        static const struct {
                const char *expression;
                const char *nodes;
        } table[] = {
                { "$.main.temp", "[21.5]" },
                { "$['main'][\"hu\\u006didity\"]", "[40]" },
                { "$.days[*].t", "[3,-1,7]" },
                { "$..t", "[3,-1,7]" },
                { "$.days[-1].t", "[7]" },
                { "$.days[::-2].t", "[7,3]" },
                { "$.days[1:].t", "[-1,7]" },
                { "$.days[0,0].t", "[3,3]" },
                { "$.days[?@.rain].t", "[3,-1]" },
                { "$.days[?@.t < $.main.temp && !@.rain].t", "[7]" },
                { "$.days[?@.note == 'snow^2'].t", "[-1]" },
                { "$.days[?match(@.note, 'snow\\\\^[0-9]')].t", "[-1]" },
                { "$.days[?search(@.note, $.pattern)].t", "[-1]" },
                { "$.days[?match(@.note, 'now')].t", "[]" },
                { "$[?count(@.*) == 2].temp", "[21.5]" },
                { "$[?length(@) == 7]", "[\"Kl\xc3\xb6ntal\"]" },
                { "$[?@ == 9007199254740993]", "[9007199254740993]" },
                { "$[?@ == 9007199254740992.0]", "[]" },
                { "$[?@ > 9007199254740992.0]", "[9007199254740993]" },
                { "$.days[?value(@..t) == 3].rain", "[false]" },
                { "$.nothing[?@.a]", "[]" },
        };
        _cleanup_(json_doc_freep) JsonDoc *doc = parse(document);

        for (size_t i = 0; i < ARRAY_SIZE(table); i++)
                check_select(json_root(doc), table[i].expression, table[i].nodes);
}

static void test_singular(_unused_ void **state)
{
        static const struct {
                const char *expression;
                bool singular;
        } table[] = {
                { "$", true },       { "$.a[0]['b'][-1]", true }, { "$.*", false },      { "$[0,1]", false },
                { "$[0:1]", false }, { "$..a", false },           { "$[?@.a]", false },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                _cleanup_(json_path_freep) JsonPath *path = NULL;

                assert_ok(json_path_compile(table[i].expression, &path, NULL));
                assert_int_equal(json_path_is_singular(path), table[i].singular);
        }
}

static void test_conditions(_unused_ void **state)
{
        static const struct {
                const char *expression;
                bool value;
        } table[] = {
                { "@.main.temp > 20 && @.ok == true", true },
                { " @.main.temp > 30 || @.ok == true ", true },
                { "@.main.temp > 30 && @.ok == true", false },
                { "!(@.ok == true)", false },
                { "@.missing", false },
                { "!@.missing", true },
                { "@.missing == $.missing", true },
                { "$.name >= 'K' && @.name < 'L'", true },
                { "@.name < 1", false },
                { "@.empty == $.empty", true },
                { "length(@.days) == 3", true },
                { "length(@.ok) == 3", false },
                { "search(@.name, '\\\\p{Ll}{3}')", true },
                { "search(@.name, '(?i)KL')", false },
                { "search(@.name, 'a*?')", false },
                { "search(@.days[1].note, '[$^]')", true },
        };
        _cleanup_(json_doc_freep) JsonDoc *doc = parse(document);

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                _cleanup_(json_condition_freep) JsonCondition *condition = NULL;
                JsonPathError error;
                bool value;

                if (json_condition_compile(table[i].expression, &condition, &error) < 0)
                        fail_msg("%s: at %zu: %s", table[i].expression, error.offset, error.message);
                assert_ok(json_condition_test(condition, json_root(doc), json_root(doc), &value));
                if (value != table[i].value)
                        fail_msg("%s is %d", table[i].expression, value);
        }
}

static void test_errors(_unused_ void **state)
{
        static const struct {
                const char *expression;
                size_t offset;
                const char *message; /* a part of it */
        } table[] = {
                { "", 0, "begins with $" },
                { "a.b", 0, "begins with $" },
                { "@.a", 0, "only conditions" },
                { "$.", 2, "name" },
                { "$.a b", 3, "end here" },
                { "$.a ", 3, "end here" },
                { "$[", 2, "selector" },
                { "$[01]", 2, "leading zeros" },
                { "$[9007199254740992]", 2, "range" },
                { "$['a", 2, "no end" },
                { "$['\\x']", 3, "escape" },
                { "$['\\ud800']", 3, "surrogate" },
                { "$[?@.a = 1]", 7, "']'" },
                { "$[?@.* == 1]", 3, "several nodes" },
                { "$[?1 == @.*]", 8, "several nodes" },
                { "$[?1]", 3, "literal" },
                { "$[?length(@.a)]", 3, "value only" },
                { "$[?match(@.a, 'b') == true]", 3, "no value" },
                { "$[?len(@.a) == 1]", 3, "no function len()" },
                { "$[?length(@.a, 1) == 1]", 15, "too many" },
                { "$[?match(@.a)]", 12, "2 arguments" },
                { "$[?count(1) == 1]", 9, "no nodes" },
                { "$[?@.a == nope]", 10, "neither" },
                { "$[?(@.a]", 7, "')'" },
                { "$[?@.a == 1e999]", 10, "too large" },
                { "$[?@.a == 1.]", 10, "number" },
                { "$['\xff']", 3, "UTF-8" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                JsonPath *path = NULL;
                JsonPathError error;

                if (json_path_compile(table[i].expression, &path, &error) != -EBADMSG)
                        fail_msg("%s: was accepted", table[i].expression);
                if (error.offset != table[i].offset || !strstr(error.message, table[i].message))
                        fail_msg("%s: at %zu: %s", table[i].expression, error.offset, error.message);
        }
}

/* Neither what is written nor what is read can take more than its share of stack, time or memory. */
static void test_limits(_unused_ void **state)
{
        static const struct {
                const char *begin, *repeated;
        } deep[] = {
                { "$", "[?@" }, { "$[?", "(" }, { "$[?", "!(" }, { "$[?", "length(" }, { "$[?length(@", "[?length(@" },
        };
        _cleanup_buffer_ Buffer text = BUFFER_NULL, many = BUFFER_NULL;
        _cleanup_(json_path_freep) JsonPath *path = NULL, *quadratic = NULL, *slow = NULL;
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL, *a = NULL;
        JsonNodes nodes = JSON_NODES_NULL;
        JsonPathError error;

        for (size_t i = 0; i < ARRAY_SIZE(deep); i++) {
                buffer_clear(&text);
                assert_ok(buffer_append_string(&text, deep[i].begin));
                for (int k = 0; k < 2000; k++)
                        assert_ok(buffer_append_string(&text, deep[i].repeated));
                assert_int_equal(json_path_compile(text.data, &path, &error), -EBADMSG);
        }

        /* A long chain is not a deep one. */
        buffer_clear(&text);
        assert_ok(buffer_append_string(&text, "$[?@.a"));
        for (int k = 0; k < 5000; k++)
                assert_ok(buffer_append_string(&text, "||@[1]"));
        assert_ok(buffer_append_string(&text, "]"));
        assert_ok(json_path_compile(text.data, &path, &error));
        buffer_clear(&text);
        for (int k = 0; k < 70000; k++)
                assert_ok(buffer_append_string(&text, k ? "a" : "$."));
        assert_int_equal(json_path_compile(text.data, &path, &error), -EBADMSG);

        for (int i = 0; i < 1500; i++)
                assert_ok(buffer_appendf(&many, "%c%d", i ? ',' : '[', i));
        assert_ok(buffer_append_string(&many, "]"));
        doc = parse(many.data);
        assert_ok(json_path_compile("$[?count($[*]) > 1]", &quadratic, NULL));
        assert_int_equal(json_path_select(quadratic, json_root(doc), &nodes), -E2BIG);
        assert_int_equal(nodes.n, 0);

        a = parse("[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\"]");
        assert_ok(json_path_compile("$[?match(@, '(a|aa)*(a|aa)*[cd]')]", &slow, NULL));
        assert_int_equal(json_path_select(slow, json_root(a), &nodes), -E2BIG);
        json_nodes_deinit(&nodes);
}

static void test_no_memory(_unused_ void **state)
{
        static const char expression[] = "$..['a','b'][?match(@.c, 'x.*') && length(@.d) > 2 && search(@.c, $.p)]";
        _cleanup_(json_doc_freep) JsonDoc *doc = parse("{\"a\":[{\"c\":\"xyz\",\"d\":\"def\"}],\"p\":\"x\"}");
        _cleanup_(json_path_freep) JsonPath *path = NULL;
        unsigned limit;
        int r;

        for (limit = 0; (r = WITH_ALLOCATIONS(limit, json_path_compile(expression, &path, NULL))) != 0; limit++)
                assert_int_equal(r, -ENOMEM);
        assert_in_range(limit, 3, 100);
        for (limit = 0;; limit++) {
                JsonNodes nodes = JSON_NODES_NULL;

                r = WITH_ALLOCATIONS(limit, json_path_select(path, json_root(doc), &nodes));
                assert_int_equal(nodes.n, r == 0);
                json_nodes_deinit(&nodes);
                if (r == 0)
                        break;
                assert_int_equal(r, -ENOMEM);
        }
        assert_in_range(limit, 1, 100);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                RUN(test_select), RUN(test_singular), RUN(test_conditions), RUN(test_errors),
                RUN(test_limits), RUN(test_no_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
