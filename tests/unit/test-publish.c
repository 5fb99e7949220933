/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "result/json-text.h"
#include "job/publish.h"

static void test_format(_unused_ void **state)
{
        static const char dense[] = "{\"a\":[1,2.50,{}],\"b c\":\"x, {\\\" \\\\\",\"d\":[ ],\"e\":{\"f\":null}}";
        static const struct {
                const char *json;
                unsigned indent;
                const char *expected;
        } table[] = {
                { "5", 2, "5" },
                { " 123456789012345678901234567890 ", 0, "123456789012345678901234567890" },
                { "{ }", 2, "{}" },
                { " [ 1 , \"a b\" ]\n", 0, "[1,\"a b\"]" },
                { "[[1]]", 1, "[\n [\n  1\n ]\n]" },
                { dense, 2,
                  "{\n"
                  "  \"a\": [\n"
                  "    1,\n"
                  "    2.50,\n"
                  "    {}\n"
                  "  ],\n"
                  "  \"b c\": \"x, {\\\" \\\\\",\n"
                  "  \"d\": [],\n"
                  "  \"e\": {\n"
                  "    \"f\": null\n"
                  "  }\n"
                  "}" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                _cleanup_buffer_ Buffer out = BUFFER_NULL;

                assert_ok(json_text_format(table[i].json, strlen(table[i].json), table[i].indent, &out));
                assert_string_equal(out.data, table[i].expected);
        }
}

/* The contents of NAME in DIRECTORY, or "" where there is no such file. */
static void assert_contents(const char *directory, const char *name, const char *expected)
{
        _cleanup_free_ char *path = path_join(directory, name);
        _cleanup_buffer_ Buffer contents = BUFFER_NULL;

        (void)read_file_at(AT_FDCWD, path, 4096, &contents);
        assert_string_equal(buffer_string(&contents), expected);
}

static void test_write(_unused_ void **state)
{
        static const TemplateContext context = { .scheduled_realtime = UINT64_C(1795341600) * USEC_PER_SEC };
        char directory[] = "/tmp/test-publish-XXXXXX";
        _cleanup_free_ char *path = NULL, *error = NULL;
        _cleanup_(publish_deinit) Publish publish = { .indent = 2 }, missing = {};
        struct stat st;

        assert_non_null(mkdtemp(directory));
        path = path_join(directory, "2026-11-22.json");
        assert_ok(template_compile("${scheduled:%F}.json", TEMPLATE_PATH, &publish.file, NULL));
        assert_ok(publish_write(&publish, &context, directory, "{\"a\":1}", 7, &error));
        assert_contents(directory, "2026-11-22.json", "{\n  \"a\": 1\n}\n");
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, PUBLISH_MODE);

        publish.indent = 0;
        assert_ok(publish_write(&publish, &context, directory, "[1]", 3, NULL));
        assert_contents(directory, "2026-11-22.json", "[1]\n");

        assert_ok(template_compile("no/such/dir.json", TEMPLATE_PATH, &missing.file, NULL));
        assert_int_equal(publish_write(&missing, &context, directory, "1", 1, &error), -ENOENT);
        assert_non_null(strstr(error, "no/such/dir.json failed"));
        assert_int_equal(publish_write(&missing, &context, directory, "1", 1, NULL), -ENOENT);

        assert_int_equal(unlink(path), 0);
        assert_int_equal(rmdir(directory), 0); /* so nothing else was left in it */
}

int main(void)
{
        const struct CMUnitTest tests[] = { RUN(test_format), RUN(test_write) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
