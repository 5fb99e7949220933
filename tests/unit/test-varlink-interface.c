/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <stdio.h>

#include "base/buffer.h"
#include "varlink/interface.h"

static const char example[] =
        "# Not the interface's comment: an empty line follows.\n"
        "\n"
        "# What this is.\n"
        "interface org.example.more-things\n"
        "\n"
        "# A tree\r\n"
        "# of nodes.\n"
        "type Node (name: string, children: ?[]Node, parent: ?Node) # not a comment of what follows\n"
        "type Color(red,green , blue)\n"
        "\n"
        "# Not Paint's.\n"
        "\n"
        "method Paint(node: Node, color: ?Color, type: (method, error)) -> (count: int)\n"
        "method Nothing ( ) -> ( )\n"
        "type All (\n"
        "  b: bool, i: int, f: float, s: string, # in between\n"
        "  o: object, a: any,\n"
        "  list: []?[string]()\n"
        ")\n"
        "\t# indented\n"
        "error Wet (color: Color)";

static VarlinkInterface *parse(const char *text)
{
        VarlinkInterface *interface = NULL;
        TextError error = {};
        int r;

        r = varlink_interface_parse(text, strlen(text), &interface, &error);
        if (r < 0)
                fail_msg("%zu: %s", error.offset, error.message);
        return interface;
}

static void assert_comment(const VarlinkMember *member, const char *comment)
{
        assert_int_equal(member->comment_len, strlen(comment));
        if (member->comment)
                assert_memory_equal(member->comment, comment, strlen(comment));
}

static void test_parse(_unused_ void **state)
{
        _cleanup_(varlink_interface_freep) VarlinkInterface *interface = parse(example);
        const VarlinkMember *node, *color, *paint, *all, *members;
        const VarlinkField *fields;
        size_t n;

        assert_string_equal(varlink_interface_name(interface), "org.example.more-things");
        assert_string_equal(varlink_interface_text(interface), example);
        members = varlink_interface_members(interface, &n);
        assert_int_equal(n, 6);
        assert_string_equal(members[5].name, "Wet");
        assert_comment(&members[5], "# indented");

        node = varlink_interface_find(interface, VARLINK_MEMBER_TYPE, "Node", 4);
        assert_comment(node, "# A tree\r\n# of nodes.");
        assert_int_equal(node->type.n_fields, 3);
        assert_int_equal(node->type.n_required, 1);
        fields = node->type.fields;
        assert_int_equal(fields[1].type.kind, VARLINK_TYPE_ARRAY);
        assert_true(fields[1].type.nullable);
        assert_ptr_equal(fields[1].type.element->target, node);
        assert_ptr_equal(fields[2].type.target, node);

        color = varlink_interface_find(interface, VARLINK_MEMBER_TYPE, "Color", 5);
        assert_comment(color, "");
        assert_int_equal(color->type.kind, VARLINK_TYPE_ENUM);
        assert_string_equal(color->type.fields[2].name, "blue");

        paint = varlink_interface_find(interface, VARLINK_MEMBER_METHOD, "Paint", 5);
        assert_comment(paint, "");
        assert_ptr_equal(paint->type.fields[1].type.target, color);
        assert_int_equal(paint->type.fields[2].type.kind, VARLINK_TYPE_ENUM);
        assert_string_equal(paint->output.fields[0].name, "count");
        assert_null(varlink_interface_find(interface, VARLINK_MEMBER_ERROR, "Paint", 5));

        all = varlink_interface_find(interface, VARLINK_MEMBER_TYPE, "All", 3);
        for (unsigned i = 0; i < 6; i++)
                assert_int_equal(all->type.fields[i].type.kind, VARLINK_TYPE_BOOL + i);
        assert_int_equal(all->type.fields[6].type.element->kind, VARLINK_TYPE_MAP);
        assert_true(all->type.fields[6].type.element->nullable);
        assert_int_equal(all->type.fields[6].type.element->element->kind, VARLINK_TYPE_STRUCT);
}

static void test_refused(_unused_ void **state)
{
        /* '!' stands right before where the parser must point to, and is not part of the text. */
        static const char *const texts[] = {
                "!",
                "!interfaces a.b",
                "interface !foo",
                "interface !a.",
                "interface !-a.b",
                "interface a.b !.c",
                "interface a.b !methods A() -> ()",
                "interface a.b method !a() -> ()",
                "interface a.b method A() !",
                "interface a.b method A() -> (!",
                "interface a.b method A() -> (a: int!",
                "interface a.b method A(a) !-> ()",
                "interface a.b method A(a, b) !-> ()",
                "interface a.b method A(a: !integer) -> ()",
                "interface a.b method A(a: ?!?int) -> ()",
                "interface a.b method A(a: int, !) -> ()",
                "interface a.b method A(a: int, !a: int) -> ()",
                "interface a.b method A(!_a: int) -> ()",
                "interface a.b method A(a!__a: int) -> ()",
                "interface a.b type A !int",
                "interface a.b type A (a: B)!",
                "interface a.b type A (a: ![int]string)",
                "interface a.b type A () type !A ()",
                "interface a.b type A () error !A ()",
                "interface a.b type A ()\n!\xff",
        };

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                VarlinkInterface *interface = NULL;
                _cleanup_buffer_ Buffer text = BUFFER_NULL;
                size_t at = strcspn(texts[i], "!");
                TextError error = {};
                int r;

                assert_ok(buffer_append(&text, texts[i], at));
                assert_ok(buffer_append_string(&text, texts[i] + at + 1));
                r = varlink_interface_parse(text.data, text.len, &interface, &error);
                if (r != -EBADMSG)
                        fail_msg("%s: %d", texts[i], r);
                if (error.offset != at)
                        fail_msg("%s: %s at %zu", texts[i], error.message, error.offset);
                assert_null(interface);
                assert_true(error.message[0] != '\0');
        }
        assert_int_equal(varlink_interface_parse("interface a.b\0", 14, NULL, NULL), -EBADMSG);
}

/* N times LEFT, then MIDDLE, then N times RIGHT inside of one type. */
static int parse_nested(unsigned n, const char *left, const char *middle, const char *right)
{
        _cleanup_(varlink_interface_freep) VarlinkInterface *interface = NULL;
        _cleanup_buffer_ Buffer text = BUFFER_NULL;

        assert_ok(buffer_append_string(&text, "interface a.b type A (a: "));
        for (unsigned i = 0; i < n; i++)
                assert_ok(buffer_append_string(&text, left));
        assert_ok(buffer_append_string(&text, middle));
        for (unsigned i = 0; i < n; i++)
                assert_ok(buffer_append_string(&text, right));
        assert_ok(buffer_append_string(&text, ")"));
        return varlink_interface_parse(text.data, text.len, &interface, NULL);
}

static void test_caps(_unused_ void **state)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        VarlinkInterface *interface = NULL;

        assert_ok(parse_nested(VARLINK_INTERFACE_MAX_DEPTH - 1, "[]", "int", ""));
        assert_int_equal(parse_nested(VARLINK_INTERFACE_MAX_DEPTH, "[]", "int", ""), -E2BIG);
        assert_int_equal(parse_nested(100000, "(a:", "int", ")"), -E2BIG);

        assert_ok(buffer_append_string(&text, "interface a.b type A (a"));
        for (unsigned i = 1; i < VARLINK_INTERFACE_MAX_FIELDS; i++)
                assert_ok(buffer_appendf(&text, ",a%u", i));
        assert_ok(buffer_append_string(&text, ")"));
        assert_ok(varlink_interface_parse(text.data, text.len, &interface, NULL));
        varlink_interface_free(interface);
        text.len--;
        assert_ok(buffer_append_string(&text, ",b)"));
        assert_int_equal(varlink_interface_parse(text.data, text.len, &interface, NULL), -E2BIG);

        buffer_clear(&text);
        assert_ok(buffer_append_string(&text, "interface a.b"));
        while (text.len <= VARLINK_INTERFACE_MAX_TEXT)
                assert_ok(buffer_append_char(&text, '\n'));
        assert_int_equal(varlink_interface_parse(text.data, text.len, &interface, NULL), -E2BIG);
}

static void assert_check(const VarlinkType *type, const char *text, const char *wrong)
{
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        char path[VARLINK_PATH_MAX] = "untouched";
        JsonError error;
        int r;

        if (json_parse(text, strlen(text), NULL, &doc, &error) < 0)
                fail_msg("%s: %s", text, error.message);
        r = varlink_type_check(type, json_root(doc), path);
        if (r != (wrong ? -EINVAL : 0) || !streq(path, wrong ?: "untouched"))
                fail_msg("%s: %s", text, path);
}

static void test_check(_unused_ void **state)
{
        static const struct {
                const char *value; /* of Good, without its braces */
                const char *wrong;
        } cases[] = {
                { "\"i\":1", NULL },
                { "\"i\":-9223372036854775808", NULL },
                { "\"i\":9223372036854775808", "i" },
                { "\"i\":1.0", "i" },
                { "\"i\":\"1\"", "i" },
                { "\"i\":null", "i" },
                { "", "i" },
                { "\"i\":1,\"I\":1", "I" },
                { "\"i\":1,\"i\\u0000\":1", "i" },
                { "\"b\":true,\"i\":1", NULL },
                { "\"i\":1,\"b\":0", "b" },
                { "\"i\":1,\"f\":1", NULL },
                { "\"i\":1,\"f\":1e300", NULL },
                { "\"i\":1,\"f\":\"1\"", "f" },
                { "\"i\":1,\"s\":\"\"", NULL },
                { "\"i\":1,\"s\":\"a\\u0000\"", "s" },
                { "\"i\":1,\"o\":{\"x\":[]}", NULL },
                { "\"i\":1,\"o\":[]", "o" },
                { "\"i\":1,\"a\":[]", NULL },
                { "\"i\":1,\"a\":null", NULL },
                { "\"i\":1,\"e\":\"two\"", NULL },
                { "\"i\":1,\"e\":\"tw\"", "e" },
                { "\"i\":1,\"e\":2", "e" },
                { "\"i\":1,\"l\":[[1],[],null,[2,3]]", NULL },
                { "\"i\":1,\"l\":[[1],[2,null]]", "l[1][1]" },
                { "\"i\":1,\"l\":{}", "l" },
                { "\"i\":1,\"m\":{\"k\":{},\"j\":{\"i\":1}}", "m.k.i" },
                { "\"i\":1,\"m\":{\"j\":{\"i\":1}}", NULL },
                { "\"i\":1,\"m\":{\"a\\u0000b\":{\"i\":1}}", "m.a" },
                { "\"i\":1,\"m\":[]", "m" },
                { "\"r\":{\"r\":{\"i\":1,\"x\":1},\"i\":1},\"i\":1", "r.r.x" },
                { "\"r\":{\"r\":{\"i\":1},\"i\":1},\"i\":1", NULL },
        };
        _cleanup_(varlink_interface_freep) VarlinkInterface *interface = parse(
                "interface a.b type Good (i: int, b: ?bool, f: ?float, s: ?string, o: ?object, a: ?any,\n"
                "e: ?(one, two), l: ?[]?[]int, m: ?[string]Good, r: ?Good)");
        const VarlinkType *good = &varlink_interface_find(interface, VARLINK_MEMBER_TYPE, "Good", 4)->type;
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        char expected[VARLINK_PATH_MAX];

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                buffer_clear(&text);
                assert_ok(buffer_appendf(&text, "{%s}", cases[i].value));
                assert_check(good, text.data, cases[i].wrong);
        }
        assert_check(good, "[]", "");
        assert_check(good, "null", "");

        /* A path is cut where it gets too long, between characters. */
        buffer_clear(&text);
        assert_ok(buffer_append_string(&text, "{\"r\":{\"r\":{\""));
        for (unsigned i = 0; i < 200; i++)
                assert_ok(buffer_append_string(&text, "\xc3\xa4"));
        assert_ok(buffer_append_string(&text, "\":1}}}"));
        memcpy(expected, "r.r.", 4);
        for (unsigned i = 0; i < 125; i++)
                memcpy(expected + 4 + 2 * i, "\xc3\xa4", 3);
        assert_check(good, text.data, expected);
}

int main(void)
{
        const struct CMUnitTest tests[] = { RUN(test_parse), RUN(test_refused), RUN(test_caps), RUN(test_check) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
