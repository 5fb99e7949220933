/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "process/output-capture.h"

static void end_line(OutputCapture *capture, const char *data, size_t n)
{
        if (capture->line.len == 0) {
                capture->tell_line(capture, data, n);
                return;
        }
        /* A piece that there is no memory to add is a line of its own. */
        if (n > 0 && buffer_append(&capture->line, data, n) < 0)
                capture->tell_line(capture, data, n);
        capture->tell_line(capture, buffer_string(&capture->line), capture->line.len);
        buffer_clear(&capture->line);
}

static void split_lines(OutputCapture *capture, const char *data, size_t n)
{
        while (n > 0) {
                size_t room = OUTPUT_LINE_MAX - capture->line.len;
                const char *newline = memchr(data, '\n', MIN(n, room + 1));
                size_t length = newline ? (size_t)(newline - data) : MIN(n, room);

                if (newline || length == room)
                        end_line(capture, data, length);
                else if (length > 0 && buffer_append(&capture->line, data, length) < 0)
                        capture->tell_line(capture, data, length);
                data += length + (newline ? 1 : 0);
                n -= length + (newline ? 1 : 0);
        }
}

void output_capture_take(OutputCapture *capture, const char *data, size_t n)
{
        size_t keep = MIN(n, capture->max_bytes - capture->kept.len);

        if (keep > 0 && buffer_append(&capture->kept, data, keep) < 0) {
                /* What follows a gap is not kept either. */
                capture->max_bytes = capture->kept.len;
                keep = 0;
        }
        capture->dropped += n - keep;
        if (capture->tell_line)
                split_lines(capture, data, n);
}

void output_capture_end(OutputCapture *capture)
{
        if (capture->line.len > 0)
                end_line(capture, NULL, 0);
}

void output_capture_deinit(OutputCapture *capture)
{
        buffer_deinit(&capture->kept);
        buffer_deinit(&capture->line);
}
