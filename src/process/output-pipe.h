/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* A pipe that another process writes to, read by the loop. */

#include "loop/loop.h"
#include "process/output-capture.h"

#define OUTPUT_PIPE_READ 16384U

typedef struct OutputPipe OutputPipe;

/* Embedded in its owner. Zeroed with FD -1 it is closed. */
struct OutputPipe {
        Loop *loop;
        IoSource *io;
        int fd; /* -1 once its end was read */
        OutputCapture capture;
        void (*ended)(OutputPipe *pipe); /* its owner may be freed here */
};

#define OUTPUT_PIPE_NULL ((OutputPipe){ .fd = -1 })

/* Makes the pipe; what is to write to it gets *RET_WRITE_END, which the caller closes. -errno. */
int output_pipe_open(OutputPipe *pipe, Loop *loop, size_t max_bytes, int *ret_write_end);
/* Reads no more and forgets a line that has begun; what was kept stays. Harmless when repeated. */
void output_pipe_close(OutputPipe *pipe);
void output_pipe_deinit(OutputPipe *pipe);
