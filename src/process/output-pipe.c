/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "process/output-pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"

static void end_line(OutputPipe *pipe, const char *data, size_t n)
{
        if (pipe->line.len == 0 || buffer_append(&pipe->line, data, n) < 0) {
                pipe->tell_line(pipe, data, n);
                return;
        }
        pipe->tell_line(pipe, buffer_string(&pipe->line), pipe->line.len);
        buffer_clear(&pipe->line);
}

static void split_lines(OutputPipe *pipe, const char *data, size_t n)
{
        while (n > 0) {
                size_t room = OUTPUT_PIPE_LINE_MAX - pipe->line.len;
                const char *newline = memchr(data, '\n', MIN(n, room + 1));
                size_t length = newline ? (size_t)(newline - data) : MIN(n, room);

                /* A piece that there is no memory to keep is a line of its own. */
                if (newline || length == room || buffer_append(&pipe->line, data, length) < 0)
                        end_line(pipe, data, length);
                data += length + (newline ? 1 : 0);
                n -= length + (newline ? 1 : 0);
        }
}

static void take(OutputPipe *pipe, const char *data, size_t n)
{
        size_t keep = MIN(n, pipe->max_bytes - pipe->kept.len);

        if (keep > 0 && buffer_append(&pipe->kept, data, keep) < 0) {
                /* What follows a gap is not kept either. */
                pipe->max_bytes = pipe->kept.len;
                keep = 0;
        }
        pipe->dropped += n - keep;
        if (pipe->tell_line)
                split_lines(pipe, data, n);
}

static void on_output(_unused_ IoSource *source, int fd, _unused_ unsigned events, void *userdata)
{
        OutputPipe *pipe = userdata;
        char data[OUTPUT_PIPE_READ];
        ssize_t n = read(fd, data, sizeof(data));

        if (n > 0)
                take(pipe, data, (size_t)n);
        if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
                return;
        if (pipe->line.len > 0)
                end_line(pipe, NULL, 0);
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
        pipe->max_bytes = max_bytes;
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
        buffer_clear(&pipe->line);
}

void output_pipe_deinit(OutputPipe *pipe)
{
        output_pipe_close(pipe);
        buffer_deinit(&pipe->kept);
        buffer_deinit(&pipe->line);
}
