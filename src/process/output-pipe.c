/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "process/output-pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"

static void on_output(_unused_ IoSource *source, int fd, _unused_ unsigned events, void *userdata)
{
        OutputPipe *pipe = userdata;
        char data[OUTPUT_PIPE_READ];
        ssize_t n = read(fd, data, sizeof(data));

        if (n > 0)
                output_capture_take(&pipe->capture, data, (size_t)n);
        if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
                return;
        output_capture_end(&pipe->capture);
        output_pipe_close(pipe);
        pipe->ended(pipe);
}

int output_pipe_open(OutputPipe *pipe, Loop *loop, size_t max_bytes, int *ret_write_end)
{
        _cleanup_close_ int write_end = -1;
        int fds[2], r;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return negative_errno();
        pipe->fd = fds[0];
        write_end = fds[1];
        pipe->loop = loop;
        pipe->capture.max_bytes = max_bytes;
        r = fd_set_nonblocking(pipe->fd);
        if (r >= 0)
                r = io_source_new(loop, pipe->fd, IO_READ, on_output, pipe, &pipe->io);
        if (r < 0) {
                output_pipe_close(pipe);
                return r;
        }
        *ret_write_end = TAKE_FD(write_end);
        return 0;
}

void output_pipe_close(OutputPipe *pipe)
{
        pipe->io = io_source_free(pipe->io);
        pipe->fd = safe_close(pipe->fd);
        buffer_clear(&pipe->capture.line);
}

void output_pipe_deinit(OutputPipe *pipe)
{
        output_pipe_close(pipe);
        output_capture_deinit(&pipe->capture);
}
