/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "base/buffer.h"
#include "json/schema.h"
#include "json/uri.h"
#include "test-memory.h"

typedef struct Collector {
        JsonSchemaReporter reporter;
        Buffer text; /* "path keyword: message", a line each */
} Collector;

static void collect(JsonSchemaReporter *reporter, const JsonSchemaError *error)
{
        Collector *c = container_of(reporter, Collector, reporter);

        (void)buffer_appendf(&c->text, "%s %s: %s\n", error->path, error->keyword, error->message);
}

static JsonDoc *parse(const char *text)
{
        JsonDoc *doc = NULL;

        assert_ok(json_parse(text, strlen(text), NULL, &doc, NULL));
        return doc;
}

static JsonSchema *compile(const char *text)
{
        JsonSchema *schema = NULL;

        assert_ok(json_schema_compile(parse(text), "", NULL, NULL, &schema));
        return schema;
}

static void test_reports(_unused_ void **state)
{
        static const struct {
                const char *schema, *instance, *errors;
        } table[] = {
                { "{\"type\":\"integer\"}", "1.0", "" },
                { "{\"type\":\"integer\"}", "1.5", " type: is of type number, not integer\n" },
                { "{\"type\":[\"null\",\"string\"]}", "[]", " type: is of type array, which is none of those allowed\n" },
                { "false", "1", " : is not allowed here\n" },
                { "{\"required\":[\"a\",\"b\"]}", "{}",
                  " required: lacks the member \"a\"\n required: lacks the member \"b\"\n" },
                { "{\"properties\":{\"a/b\":{\"items\":{\"minimum\":3}}}}", "{\"a/b\":[1,5,2.5]}",
                  "/a~1b/0 minimum: 1 is not at least 3\n/a~1b/2 minimum: 2.5 is not at least 3\n" },
                { "{\"properties\":{\"a\":true},\"additionalProperties\":false}", "{\"a\":1,\"b\":2}",
                  "/b additionalProperties: is not allowed here\n" },
                { "{\"patternProperties\":{\"^x-\":{}},\"unevaluatedProperties\":false}", "{\"x-a\":1,\"y\":2}",
                  "/y unevaluatedProperties: is not allowed here\n" },
                { "{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"string\"}]}", "1", " anyOf: satisfies none of the 2 schemas\n" },
                { "{\"oneOf\":[true,true]}", "1", " oneOf: satisfies several of the 2 schemas, not one\n" },
                { "{\"$ref\":\"#/$defs/n\",\"$defs\":{\"n\":{\"maximum\":5}}}", "6", " maximum: 6 is not at most 5\n" },
                { "{\"uniqueItems\":true}", "[1,{\"a\":1,\"b\":2},{\"b\":2,\"a\":1.0}]",
                  " uniqueItems: has the same item at 1 and 2\n" },
                { "{\"multipleOf\":0.1}", "0.3", "" },
                { "{\"multipleOf\":0.1}", "0.35", " multipleOf: 0.35 is not a multiple of 0.1\n" },
                { "{\"pattern\":\"^\\\\p{Letter}.$\"}", "\"\xc3\xb6x\"", "" },
                { "{\"pattern\":\"^[\\\\s[]$\"}", "\"\xc2\xa0\"", "" },
                { "{\"pattern\":\"a$\"}", "\"a\\n\"", " pattern: does not match a$\n" },
                { "{\"propertyNames\":{\"maxLength\":2}}", "{\"abc\":1}", "/abc maxLength: has 3 characters, more than 2\n" },
                { "{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"a\":1}",
                  " dependentRequired: lacks the member \"b\", which goes with a\n" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                _cleanup_(json_schema_freep) JsonSchema *schema = compile(table[i].schema);
                _cleanup_(json_doc_freep) JsonDoc *doc = parse(table[i].instance);
                Collector collector = { .reporter.report = collect };
                bool valid;

                assert_ok(json_schema_validate(schema, json_root(doc), &collector.reporter, &valid));
                assert_string_equal(buffer_string(&collector.text), table[i].errors);
                assert_int_equal(valid, table[i].errors[0] == '\0');
                /* Where nobody listens, the first error ends it: with the same answer. */
                assert_ok(json_schema_validate(schema, json_root(doc), NULL, &valid));
                assert_int_equal(valid, table[i].errors[0] == '\0');
                buffer_deinit(&collector.text);
        }
}

static void test_compile_errors(_unused_ void **state)
{
        static const struct {
                const char *schema, *error;
        } table[] = {
                { "1", "file:///s.json# : a schema is an object or a boolean\n" },
                { "{\"properties\":{\"a\":{\"type\":\"int\"}}}",
                  "file:///s.json#/properties/a type: must be the name of a type, or several\n" },
                { "{\"items\":[{}]}", "file:///s.json# items: must be a schema: an object or a boolean\n" },
                { "{\"minLength\":-1}", "file:///s.json# minLength: must be an integer that is not negative\n" },
                { "{\"$ref\":\"#/$defs/x\"}", "file:///s.json# $ref: leads to nothing in file:///s.json: #/$defs/x\n" },
                { "{\"$ref\":\"other.json\"}", "file:///s.json# $ref: leads to file:///other.json, which is not at hand\n" },
                { "{\"pattern\":\"(\"}", "file:///s.json# pattern: is no regular expression: (\n" },
                { "{\"pattern\":\"(?R)\"}", "file:///s.json# pattern: is no regular expression: (?R)\n" },
                { "{\"multipleOf\":0}", "file:///s.json# multipleOf: must be greater than 0\n" },
                { "{\"allOf\":[]}", "file:///s.json# allOf: must be an array of schemas that is not empty\n" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                Collector collector = { .reporter.report = collect };
                JsonSchema *schema = NULL;

                assert_int_equal(json_schema_compile(parse(table[i].schema), "file:///s.json", NULL, &collector.reporter,
                                                     &schema), -EBADMSG);
                assert_string_equal(buffer_string(&collector.text), table[i].error);
                buffer_deinit(&collector.text);
        }
}

static int load_other(_unused_ JsonSchemaLoader *loader, const char *uri, JsonDoc **ret)
{
        if (!streq(uri, "file:///dir/b.json"))
                return -ENOENT;
        *ret = parse("{\"$defs\":{\"x\":{\"$ref\":\"a.json#up\"}}}");
        return 0;
}

static void test_loader(_unused_ void **state)
{
        static const char text[] = "{\"$ref\":\"b.json#/$defs/x\",\"$defs\":{\"up\":{\"$anchor\":\"up\",\"const\":1}}}";
        JsonSchemaLoader loader = { .load = load_other };
        _cleanup_(json_schema_freep) JsonSchema *schema = NULL;
        _cleanup_(json_doc_freep) JsonDoc *one = parse("1"), *two = parse("2");
        bool valid;

        assert_ok(json_schema_compile(parse(text), "file:///dir/a.json", &loader, NULL, &schema));
        assert_ok(json_schema_validate(schema, json_root(one), NULL, &valid));
        assert_true(valid);
        assert_ok(json_schema_validate(schema, json_root(two), NULL, &valid));
        assert_false(valid);
}

static void test_limits(_unused_ void **state)
{
        _cleanup_(json_schema_freep) JsonSchema *endless = compile("{\"$ref\":\"#\"}");
        _cleanup_(json_schema_freep) JsonSchema *costly = compile(
                "{\"$defs\":{\"x\":{\"anyOf\":[{\"$ref\":\"#/$defs/y\"},{\"$ref\":\"#/$defs/y\"}]},"
                "\"y\":{\"items\":{\"$ref\":\"#/$defs/x\"},\"maxItems\":1,\"type\":\"array\"}},\"$ref\":\"#/$defs/x\"}");
        _cleanup_(json_schema_freep) JsonSchema *numbers = compile("{\"items\":{\"type\":\"string\"}}");
        _cleanup_buffer_ Buffer deep = BUFFER_NULL, many = BUFFER_NULL;
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL, *many_doc = NULL;
        Collector collector = { .reporter.report = collect };
        unsigned lines = 0;
        bool valid;

        for (int i = 0; i < 120; i++)
                assert_ok(buffer_append_char(&deep, '['));
        for (int i = 0; i < 120; i++)
                assert_ok(buffer_append_char(&deep, ']'));
        doc = parse(deep.data);
        assert_int_equal(json_schema_validate(endless, json_root(doc), NULL, &valid), -E2BIG);

        /* Two ways at each of 120 levels, all of which end in an error. */
        deep.data[119] = '1';
        deep.data[239] = '\0';
        doc = json_doc_free(doc);
        doc = parse(deep.data);
        assert_int_equal(json_schema_validate(costly, json_root(doc), NULL, &valid), -E2BIG);

        for (int i = 0; i < 500; i++)
                assert_ok(buffer_append_string(&many, i ? ",1" : "[1"));
        assert_ok(buffer_append_string(&many, "]"));
        many_doc = parse(many.data);
        assert_ok(json_schema_validate(numbers, json_root(many_doc), &collector.reporter, &valid));
        assert_false(valid);
        for (const char *p = collector.text.data; (p = strchr(p, '\n')); p++)
                lines++;
        assert_int_equal(lines, JSON_SCHEMA_MAX_ERRORS);
        buffer_deinit(&collector.text);
}

static void test_no_memory(_unused_ void **state)
{
        static const char text[] =
                "{\"$id\":\"http://e/a\",\"$ref\":\"#x\",\"properties\":{\"a\":{\"$anchor\":\"x\",\"pattern\":\"^.\","
                "\"$dynamicRef\":\"#y\"},\"b\":{\"$dynamicAnchor\":\"y\",\"uniqueItems\":true}},"
                "\"patternProperties\":{\"c\":true},\"unevaluatedProperties\":false}";
        unsigned limit;

        for (limit = 0;; limit++) {
                JsonDoc *doc = parse(text);
                JsonSchema *schema = NULL;
                int r;

                r = WITH_ALLOCATIONS(limit, json_schema_compile(doc, "", NULL, NULL, &schema));
                json_schema_free(schema);
                if (r == 0)
                        break;
                assert_int_equal(r, -ENOMEM);
        }
        assert_in_range(limit, 5, 500);
}

static void test_uri(_unused_ void **state)
{
        /* RFC 3986, section 5.4, fragments aside. */
        static const struct {
                const char *base, *reference, *uri;
        } table[] = {
                { "http://a/b/c/d;p?q", "g:h", "g:h" },
                { "http://a/b/c/d;p?q", "g", "http://a/b/c/g" },
                { "http://a/b/c/d;p?q", "./g", "http://a/b/c/g" },
                { "http://a/b/c/d;p?q", "g/", "http://a/b/c/g/" },
                { "http://a/b/c/d;p?q", "/g", "http://a/g" },
                { "http://a/b/c/d;p?q", "//g", "http://g" },
                { "http://a/b/c/d;p?q", "?y", "http://a/b/c/d;p?y" },
                { "http://a/b/c/d;p?q", "g?y", "http://a/b/c/g?y" },
                { "http://a/b/c/d;p?q", "#s", "http://a/b/c/d;p?q" },
                { "http://a/b/c/d;p?q", "", "http://a/b/c/d;p?q" },
                { "http://a/b/c/d;p?q", ".", "http://a/b/c/" },
                { "http://a/b/c/d;p?q", "..", "http://a/b/" },
                { "http://a/b/c/d;p?q", "../g", "http://a/b/g" },
                { "http://a/b/c/d;p?q", "../..", "http://a/" },
                { "http://a/b/c/d;p?q", "../../../g", "http://a/g" },
                { "http://a/b/c/d;p?q", "/./g", "http://a/g" },
                { "http://a/b/c/d;p?q", "/../g", "http://a/g" },
                { "http://a/b/c/d;p?q", "..g", "http://a/b/c/..g" },
                { "http://a/b/c/d;p?q", "./../g", "http://a/b/g" },
                { "http://a/b/c/d;p?q", "g/./h", "http://a/b/c/g/h" },
                { "http://a/b/c/d;p?q", "g/../h", "http://a/b/c/h" },
                { "http://a", "g", "http://a/g" },
                { "", "a/b.json#x", "a/b.json" },
                { "urn:uuid:1", "#x", "urn:uuid:1" },
                { "file:///s/a.json", "b.json", "file:///s/b.json" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                _cleanup_buffer_ Buffer out = BUFFER_NULL;

                assert_ok(uri_resolve(table[i].base, table[i].reference, strlen(table[i].reference), &out));
                assert_string_equal(buffer_string(&out), table[i].uri);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                RUN(test_reports), RUN(test_compile_errors), RUN(test_loader),
                RUN(test_limits),  RUN(test_no_memory),      RUN(test_uri),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
