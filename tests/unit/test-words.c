/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "job/words.h"

static void test_split(_unused_ void **state)
{
        static const struct {
                const char *line;
                const char *words[6];
        } table[] = {
                { "", { NULL } },
                { " \t ", { NULL } },
                { "/bin/echo one  two", { "/bin/echo", "one", "two" } },
                { "a 'b c' \"d e\"", { "a", "b c", "d e" } },
                { "a '' \"\"", { "a", "", "" } },
                { "a b'c d'e", { "a", "bc de" } },
                { "'it is \"x\"' \"it's\"", { "it is \"x\"", "it's" } },
                { "a\\nb \"\\t\" '\\s'", { "a\nb", "\t", " " } },
                { "\\x41\\101\\u00fc\\U0001F600", { "AA\xc3\xbc\xf0\x9f\x98\x80" } },
                { "find . -exec ls {} \\;", { "find", ".", "-exec", "ls", "{}", ";" } },
                { "echo $HOME * | cat", { "echo", "$HOME", "*", "|", "cat" } },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                _cleanup_(words_freep) char **words = NULL;
                int n = words_split(table[i].line, &words, NULL);
                int k = 0;

                for (; k < 6 && table[i].words[k]; k++) {
                        assert_true(k < n);
                        assert_string_equal(words[k], table[i].words[k]);
                }
                assert_int_equal(n, k);
                assert_null(words[n]);
        }
}

static void test_refused(_unused_ void **state)
{
        static const struct {
                const char *line;
                size_t offset;
                const char *says;
        } table[] = {
                { "a 'b c", 2, "never closed" },
                { "a \"b\\\"", 2, "never closed" },
                { "ab \\q", 3, "unknown escape" },
                { "ab \\", 3, "unknown escape" },
                { "\\x00", 0, "unknown escape" },
                { "\\000", 0, "unknown escape" },
                { "\\777", 0, "unknown escape" },
                { "\\ud800", 0, "unknown escape" },
                { "\\U00110000", 0, "unknown escape" },
                { "\\x4", 0, "unknown escape" },
                { "\\\xc3\xbc", 0, "unknown escape" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                char **words = NULL;
                TextError error;

                assert_int_equal(words_split(table[i].line, &words, &error), -EBADMSG);
                assert_int_equal(error.offset, table[i].offset);
                assert_non_null(strstr(error.message, table[i].says));
                assert_null(words);
        }
}

static void test_many(_unused_ void **state)
{
        _cleanup_(words_freep) char **words = NULL;
        _cleanup_buffer_ Buffer line = BUFFER_NULL;
        TextError error;

        for (unsigned i = 0; i < WORDS_MAX; i++)
                assert_ok(buffer_append_string(&line, "x "));
        assert_int_equal(words_split(line.data, &words, &error), WORDS_MAX);
        assert_ok(buffer_append_string(&line, "x "));
        assert_int_equal(words_split(line.data, &words, &error), -EBADMSG);
}

static void test_command_line(_unused_ void **state)
{
        static const char evil[] = "{\"name\": \"a b; $(rm) 'x' \\\"y\\\" *\\n${other}\", \"other\": \"\"}";
        _cleanup_(command_line_freep) CommandLine *line = NULL;
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_(words_freep) char **argv = NULL;
        _cleanup_free_ char *error = NULL;
        TemplateContext context = {};

        assert_ok(json_parse(evil, strlen(evil), NULL, &doc, NULL));
        context.params = json_root(doc);
        assert_ok(command_line_compile("show --name=${name} '${name}' \"a ${other}\" ${other} $${name}", &line, NULL));
        assert_int_equal(command_line_size(line), 6);
        assert_true(template_is_constant(command_line_word(line, 0)));
        assert_false(command_line_has_credential(line));
        assert_ok(command_line_expand(line, &context, &argv, &error));
        assert_string_equal(argv[0], "show");
        assert_string_equal(argv[1], "--name=a b; $(rm) 'x' \"y\" *\n${other}");
        assert_string_equal(argv[2], "a b; $(rm) 'x' \"y\" *\n${other}");
        assert_string_equal(argv[3], "a ");
        assert_string_equal(argv[4], "");
        assert_string_equal(argv[5], "${name}");
        assert_null(argv[6]);
}

static void test_command_line_refused(_unused_ void **state)
{
        static const struct {
                const char *line;
                size_t offset;
        } table[] = {
                { "", 0 },
                { "  ", 0 },
                { "'' x", 0 },
                { "a ; b", 2 },
                { "echo hi > file", 8 },
                { "echo hi >file", 8 },
                { "a 2>&1", 2 },
                { "a <", 2 },
                { "a </dev/null", 2 },
                { "a | b", 2 },
                { "a && b", 2 },
                { "a &", 2 },
                { "echo ${random:5..1}", 14 },
                { "echo ${scheduled:%Y %m}", 5 },
                { "echo ${nosuch:x}", 7 },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                CommandLine *line = NULL;
                TextError error;

                assert_int_equal(command_line_compile(table[i].line, &line, &error), -EBADMSG);
                assert_int_equal(error.offset, table[i].offset);
                assert_null(line);
        }
}

/* What a shell would take for its own is an argument where it is quoted, or is more than that. */
static void test_command_line_not_for_shell(_unused_ void **state)
{
        static const char *const lines[] = {
                "echo '>' \"|\" \\x3e", "awk $1>2", "test 1 -lt 2", "x >= 3", "x <tag>", "x a|b", "x a&b", "x '2>&1'", "x 22>x",
        };

        for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
                _cleanup_(command_line_freep) CommandLine *line = NULL;

                assert_ok(command_line_compile(lines[i], &line, NULL));
        }
}

static bool knows_a(const char *name, _unused_ bool *ret_is_time, _unused_ void *userdata)
{
        return streq(name, "a");
}

static void test_command_line_names(_unused_ void **state)
{
        static const TemplateNames names = { .parameter = knows_a };
        _cleanup_(command_line_freep) CommandLine *good = NULL, *bad = NULL;
        TextError error;

        assert_ok(command_line_compile("x ${a} ${credential:key}", &good, NULL));
        assert_ok(command_line_check_names(good, &names, &error));
        assert_true(command_line_has_credential(good));
        assert_ok(command_line_compile("x ${a} pre${b}", &bad, NULL));
        assert_int_equal(command_line_check_names(bad, &names, &error), -EBADMSG);
        assert_int_equal(error.offset, 10);
        assert_non_null(strstr(error.message, "'b'"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                RUN(test_split), RUN(test_refused), RUN(test_many), RUN(test_command_line),
                RUN(test_command_line_refused), RUN(test_command_line_not_for_shell),
                RUN(test_command_line_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
