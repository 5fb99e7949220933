/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* A pipe that another process writes to: the first bytes are kept, the rest is counted, lines are told. */

#include "base/buffer.h"
#include "loop/loop.h"

/* Longest piece of a line that is told; a longer line comes in several pieces. */
#define OUTPUT_PIPE_LINE_MAX 8192U
#define OUTPUT_PIPE_READ 16384U

typedef struct OutputPipe OutputPipe;

/* Embedded in its owner. Zeroed with FD -1 it is closed. */
struct OutputPipe {
        Loop *loop;
        IoSource *io;
        int fd; /* -1 once its end was read */
        size_t max_bytes;
        Buffer kept;
        uint64_t dropped;
        Buffer line; /* begun, not ended */
        void (*tell_line)(OutputPipe *pipe, const char *line, size_t n); /* without its newline; NULL: not wanted */
        void (*ended)(OutputPipe *pipe);                                 /* its owner may be freed here */
};

#define OUTPUT_PIPE_NULL ((OutputPipe){ .fd = -1 })

/* Makes the pipe; what is to write to it gets *RET_WRITE_END, which the caller closes. -errno. */
int output_pipe_open(OutputPipe *pipe, Loop *loop, size_t max_bytes, int *ret_write_end);
/* Reads no more and forgets a line that has begun; what was kept stays. Harmless when repeated. */
void output_pipe_close(OutputPipe *pipe);
void output_pipe_deinit(OutputPipe *pipe);
