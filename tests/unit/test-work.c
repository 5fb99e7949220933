/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What takt-worker answers to each kind of line, without a process around it. */
#include "test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "work/jq-filter.h"
#include "work/limits.h"
#include "work/request.h"

static int open_file(const char *path)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

static const WorkFiles files = { .open = open_file, .look = look_for };

/* The answer to a header and, where TEXT is not NULL, a document: as it goes over the pipe, but for its newline. */
static char *ask(const char *request, const char *text)
{
        _cleanup_buffer_ Buffer header = BUFFER_NULL, out = BUFFER_WITH_MAX(WORK_MAX_ANSWER), line = BUFFER_NULL;

        assert_ok(buffer_appendf(&line, "%s%s%s", request, text ? "\t" : "", text ?: ""));
        assert_ok(work_answer(&files, line.data, line.len, &header, &out));
        assert_ok(buffer_append(&header, buffer_string(&out), out.len));
        assert_int_equal(header.data[header.len - 1], '\n');
        header.data[--header.len] = '\0';
        return buffer_steal(&header);
}

static void assert_answer(const char *request, const char *text, const char *expected)
{
        _cleanup_free_ char *found = ask(request, text);

        assert_string_equal(found, expected);
}

/* An error of this kind, whose message has PART. */
static void assert_error(const char *request, const char *text, const char *kind, const char *part)
{
        _cleanup_free_ char *found = ask(request, text), *begin = NULL;

        assert_true(asprintf(&begin, "{\"error\":{\"kind\":\"%s\",\"message\":\"", kind) > 0);
        if (strncmp(found, begin, strlen(begin)) != 0 || !strstr(found, part))
                fail_msg("%s: expected %s…%s…, found %s", request, begin, part, found);
}

static void test_result(_unused_ void **state)
{
        static const char outputs[] = "{\"do\":\"result\",\"outputs\":[\"n: $.n\",\"m?: $.m\"]}";

        assert_answer("{\"do\":\"result\"}", "{\"a\":1}", "{}\t{\"a\":1}");
        assert_answer("{\"do\":\"result\",\"decode\":true}", " [1, 2\x1e ,3.50]\x1e", "{}\t[1,2,3.50]");
        assert_answer("{\"do\":\"result\",\"decode\":true,\"program\":\".[1]\"}", "[1,{\"b\":2}]", "{}\t{\"b\":2}");
        assert_answer("{\"do\":\"result\",\"program\":\".[]\"}", "[1,2]", "{}\t[1,2]");
        assert_answer("{\"do\":\"result\",\"program\":\"empty\"}", "[1,2]", "{}\tnull");
        assert_answer(outputs, "{\"n\":5}", "{\"outputs\":{\"n\":5,\"m\":null}}\t{\"n\":5}");
        assert_answer("{\"do\":\"result\",\"program\":\".x\",\"outputs\":[\"n: $.n\"]}", "{\"x\":{\"n\":1}}",
                      "{\"outputs\":{\"n\":1}}\t{\"n\":1}");
        assert_error("{\"do\":\"result\",\"decode\":true}", "[1,", "bad-json", "");
        assert_error("{\"do\":\"result\",\"decode\":true}", "", "bad-json", "");
        assert_error("{\"do\":\"result\",\"decode\":true}", NULL, "bad-json", "");
        assert_error("{\"do\":\"result\",\"program\":\".a\"}", "[1]", "filter", "Filter=: Cannot index array");
        assert_error("{\"do\":\"result\",\"program\":\".[\"}", "[1]", "filter", "");
        assert_error("{\"do\":\"result\",\"program\":\".\"}", "no JSON", "filter", "");
        /* The result is told all the same. */
        assert_answer("{\"do\":\"result\",\"outputs\":[\"n: $.n\"]}", "{\"m\":1}",
                      "{\"error\":{\"kind\":\"output-missing\",\"message\":\"output 'n': $.n names nothing in the result; 'n?: …' would allow that\"}}\t{\"m\":1}");
        assert_error("{\"do\":\"result\",\"outputs\":[7]}", "1", "bad-json", "");
        assert_error("{\"do\":\"result\",\"outputs\":[\"n: $.n\"]}", "no JSON", "bad-json", "");
}

static void test_look(_unused_ void **state)
{
        static const char request[] = "{\"do\":\"look\"}";
        char directory[] = "/tmp/takt-look-XXXXXX";
        _cleanup_free_ char *program = NULL, *text = NULL;
        int fd;

        assert_non_null(mkdtemp(directory));
        assert_true(asprintf(&program, "%s/program", directory) > 0);
        fd = open(program, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
        assert_true(fd >= 0);
        close(fd);
        /* LOOK_PROGRAM 0, LOOK_DIRECTORY 1, LOOK_FILE 2, LOOK_USER 3 */
        assert_true(asprintf(&text,
                             "[{\"type\":0,\"name\":\"program\",\"directory\":\"/\",\"path\":\"/nonexistent:%s\"},"
                             "{\"type\":0,\"name\":\"progam\",\"directory\":\"/\",\"path\":\"/nonexistent:%s\"},"
                             "{\"type\":0,\"name\":\"./porgram\",\"directory\":\"%s\"},"
                             "{\"type\":0,\"name\":\"program\",\"directory\":\"%s\",\"path\":\"\"},"
                             "{\"type\":0,\"name\":\"%s\",\"directory\":\"/\"},"
                             "{\"type\":1,\"name\":\"program\",\"directory\":\"%s\"},"
                             "{\"type\":2,\"name\":\"program/x\",\"directory\":\"%s\"},"
                             "{\"type\":2,\"name\":\"program\",\"directory\":\"%s\"},"
                             "{\"type\":3,\"name\":\"root\",\"directory\":\"/\"},{\"type\":3,\"name\":\"77\",\"directory\":\"/\"}]",
                             directory, directory, directory, directory, directory, directory, directory, directory) > 0);
        assert_answer(request, text,
                      "{}\t[{\"error\":0},{\"error\":2,\"nearest\":\"program\"},{\"error\":2,\"nearest\":\"./program\"},{\"error\":0},"
                      "{\"error\":21},{\"error\":20},{\"error\":20},{\"error\":0},{\"error\":0},{\"error\":0}]");
        assert_ok(chmod(program, 0644));
        free(text);
        /* Directories are read for as many names as may be. */
        assert_true(asprintf(&text, "[{\"type\":2,\"name\":\"progam\",\"directory\":\"%s\"},{\"type\":2,\"name\":\"progam\",\"directory\":\"%s\"}]",
                             directory, directory) > 0);
        assert_answer("{\"do\":\"look\",\"suggestions\":1}", text, "{}\t[{\"error\":2,\"nearest\":\"program\"},{\"error\":2}]");
        free(text);
        assert_true(asprintf(&text, "[{\"type\":0,\"name\":\"program\",\"directory\":\"/\",\"path\":\"%s:/usr/bin\"}]", directory) > 0);
        assert_answer(request, text, "{}\t[{\"error\":13}]");
        assert_error(request, "[{\"type\":9,\"name\":\"x\",\"directory\":\"/\"}]", "request", "can't be looked for");
        assert_error(request, "[{\"type\":0,\"name\":\"x\",\"directory\":\"/\"}]", "request", "can't be looked for");
        assert_error(request, "{}", "request", "");
        assert_error(request, NULL, "request", "");
        assert_ok(unlink(program));
        assert_ok(rmdir(directory));
}

static void test_check(_unused_ void **state)
{
        assert_answer("{\"do\":\"check\",\"program\":\".a | map(.b)\"}", NULL, "{}");
        assert_error("{\"do\":\"check\",\"program\":\".a | \"}", NULL, "filter", "syntax error");
        assert_error("{\"do\":\"check\",\"program\":\"nothing_like_it\"}", NULL, "filter", "nothing_like_it/0 is not defined");
        assert_error("{\"do\":\"check\",\"program\":\"import \\\"a\\\" as b; .\"}", NULL, "filter", "");
        /* More programs than are kept, and the first again. */
        for (unsigned round = 0; round < 2; round++)
                for (unsigned i = 0; i < WORK_MAX_PROGRAMS + 2; i++) {
                        _cleanup_free_ char *request = NULL, *expected = NULL;

                        assert_true(asprintf(&request, "{\"do\":\"result\",\"program\":\". + %u\"}", i) > 0);
                        assert_true(asprintf(&expected, "{}\t%u", 100 + i) > 0);
                        assert_answer(request, "100", expected);
                }
}

static void test_read(_unused_ void **state)
{
        char path[] = "/tmp/takt-test-work-XXXXXX", request[128];
        int fd = mkstemp(path);

        assert_true(fd >= 0);
        assert_ok(write_all(fd, "a \"b\"\nc\xc3\xbc\t", 10));
        (void)snprintf(request, sizeof(request), "{\"do\":\"read\",\"path\":\"%s\",\"max\":10}", path);
        assert_answer(request, NULL, "{}\t\"a \\\"b\\\"\\nc\xc3\xbc\\t\"");
        (void)snprintf(request, sizeof(request), "{\"do\":\"read\",\"path\":\"%s\"}", path);
        assert_answer(request, NULL, "{}\t\"a \\\"b\\\"\\nc\xc3\xbc\\t\"");
        (void)snprintf(request, sizeof(request), "{\"do\":\"read\",\"path\":\"%s\",\"max\":9}", path);
        assert_error(request, NULL, "too-large", "File too large");
        (void)snprintf(request, sizeof(request), "{\"do\":\"read\",\"path\":\"%s\",\"max\":-1}", path);
        assert_answer(request, NULL, "{}\t\"a \\\"b\\\"\\nc\xc3\xbc\\t\"");
        assert_int_equal(pwrite(fd, "\xff", 1, 0), 1);
        assert_error(request, NULL, "read", "no UTF-8");
        close(fd);
        unlink(path);
        assert_error(request, NULL, "missing", "No such file");
        assert_error("{\"do\":\"read\"}", NULL, "missing", "");
        assert_error("{\"do\":\"read\",\"path\":\"/tmp\"}", NULL, "read", "Is a directory");
}

static void test_nonsense(_unused_ void **state)
{
        static const char *const lines[] = {
                "", "{", "[]", "null", "7", "\"result\"", "{}", "{\"do\":7}", "{\"do\":\"\"}", "{\"do\":\"Result\"}",
                "{\"do\":\"result\"", "\t", "\t\t", "{\"do\":\"result\\u0000\"}", "\xff\xfe",
        };

        for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
                assert_error(lines[i], NULL, "request", "");
                assert_error(lines[i], "[1]", "request", "");
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { RUN(test_result), RUN(test_look), RUN(test_check), RUN(test_read), RUN(test_nonsense) };
        int r = cmocka_run_group_tests(tests, NULL, NULL);

        filter_deinit();
        return r;
}
