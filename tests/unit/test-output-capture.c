/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "process/output-capture.h"

typedef struct Lines {
        OutputCapture capture;
        unsigned n;
        size_t last; /* bytes of the last one */
        Buffer text; /* all of them, with a newline behind each */
} Lines;

static void on_line(OutputCapture *capture, const char *line, size_t n)
{
        Lines *lines = container_of(capture, Lines, capture);

        lines->n++;
        lines->last = n;
        assert_ok(buffer_append(&lines->text, line, n));
        assert_ok(buffer_append_char(&lines->text, '\n'));
}

static void lines_deinit(Lines *lines)
{
        output_capture_deinit(&lines->capture);
        buffer_deinit(&lines->text);
}

static void test_lines(_unused_ void **state)
{
        static const char text[] = "one\n\ntwo\nthree";

        /* Whatever pieces it comes in. */
        for (size_t piece = 1; piece <= sizeof(text); piece++) {
                _cleanup_(lines_deinit) Lines lines = { .capture = { .max_bytes = 5, .tell_line = on_line } };

                for (size_t i = 0; i < strlen(text); i += piece)
                        output_capture_take(&lines.capture, text + i, MIN(piece, strlen(text) - i));
                assert_int_equal(lines.n, 3);
                output_capture_end(&lines.capture);
                output_capture_end(&lines.capture);
                assert_string_equal(buffer_string(&lines.text), "one\n\ntwo\nthree\n");
                assert_string_equal(buffer_string(&lines.capture.kept), "one\n\n");
                assert_int_equal(lines.capture.dropped, strlen(text) - 5);
        }
}

static void test_long(_unused_ void **state)
{
        static const size_t sizes[] = { OUTPUT_LINE_MAX - 1, OUTPUT_LINE_MAX, OUTPUT_LINE_MAX + 1, 3 * OUTPUT_LINE_MAX + 7 };

        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
                _cleanup_(lines_deinit) Lines lines = { .capture = { .tell_line = on_line } };
                _cleanup_free_ char *data = malloc(sizes[i] + 1);

                assert_non_null(data);
                memset(data, 'x', sizes[i]);
                data[sizes[i]] = '\n';
                output_capture_take(&lines.capture, data, sizes[i] + 1);
                assert_int_equal(lines.n, MAX((sizes[i] + OUTPUT_LINE_MAX - 1) / OUTPUT_LINE_MAX, 1U));
                assert_int_equal(lines.text.len, sizes[i] + lines.n);
                assert_int_equal(lines.capture.kept.len, 0);
                assert_int_equal(lines.capture.dropped, sizes[i] + 1);
        }
}

static void test_unwanted(_unused_ void **state)
{
        _cleanup_(lines_deinit) Lines lines = { .capture = { .max_bytes = 100 } };

        output_capture_take(&lines.capture, "a\nb", 3);
        output_capture_end(&lines.capture);
        assert_int_equal(lines.n, 0);
        assert_string_equal(buffer_string(&lines.capture.kept), "a\nb");
}

int main(void)
{
        const struct CMUnitTest tests[] = { RUN(test_lines), RUN(test_long), RUN(test_unwanted) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
