/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "kinds/environment-file.h"

/* What TEXT gives, with a bar behind each assignment. */
static void check(const char *text, const char *expected)
{
        _cleanup_(string_list_deinit) StringList list = {};
        char found[256] = "";
        unsigned line = 0;

        assert_int_equal(environment_file_parse(text, &list, &line), 0);
        for (size_t i = 0; i < list.n; i++) {
                strcat(found, list.strings[i]);
                strcat(found, "|");
        }
        assert_string_equal(found, expected);
}

static void test_grammar(_unused_ void **state)
{
        check("", "");
        check("# A=1\n; B=2\n\n  C=3", "C=3|");
        check("A=  one two \t\nB=\n", "A=one two|B=|");
        check("A=\"x  y\" \nB='$a \\n'\nC=a\\ b\\ \n", "A=x  y|B=$a \\n|C=a b |");
        check("A=one\\\ntwo\nB=\"q\\\"\\$\\x\\\nr\ns\"", "A=onetwo|B=q\"$\\xr\ns|");
        check("A=1\nA=2\nB = 3\r\n", "A=2|B=3|");
        check("A='un'quo\"ted\"", "A=unquoted|");
}

static void check_bad(const char *text, unsigned expected_line)
{
        _cleanup_(string_list_deinit) StringList list = {};
        unsigned line = 0;

        assert_int_equal(environment_file_parse(text, &list, &line), -EBADMSG);
        assert_int_equal(line, expected_line);
}

static void test_errors(_unused_ void **state)
{
        check_bad("A=1\nno assignment\n", 2);
        check_bad("A=\"one\ntwo\"\n1A=2\n", 3);
        check_bad("export A=1", 1);
        check_bad("=1", 1);
        check_bad("\nA='open\n", 2);
        check_bad("A=\"open\\", 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_grammar),
                cmocka_unit_test(test_errors),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
