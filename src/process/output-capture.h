/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What becomes of bytes that another process prints: the first are kept, the rest is counted, lines are told. */

#include "base/buffer.h"

/* Longest piece of a line that is told; a longer line comes in several pieces. */
#define OUTPUT_LINE_MAX 8192U

typedef struct OutputCapture OutputCapture;

/* Embedded in its owner. Zeroed it keeps nothing. */
struct OutputCapture {
        size_t max_bytes;
        Buffer kept;
        uint64_t dropped; /* bytes that were not kept */
        Buffer line;      /* begun, not ended */
        void (*tell_line)(OutputCapture *capture, const char *line, size_t n); /* without its newline; NULL: not wanted */
};

/* Takes the next N bytes. The owner must outlive the call, whatever it does when it is told of a line. */
void output_capture_take(OutputCapture *capture, const char *data, size_t n);
/* There are no more: what has begun is a line. Harmless when repeated. */
void output_capture_end(OutputCapture *capture);
void output_capture_deinit(OutputCapture *capture);
