/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "varlink/frame.h"

#include <unistd.h>

#define ROOM_MIN 4096U
#define ROOM_MAX (12U * 1024) /* less than KEEP_MAX, or who sends much would allocate it each time */
#define READ_MAX (64U * 1024)
#define KEEP_MAX (16U * 1024) /* memory that an idle reader keeps */

void varlink_frames_deinit(VarlinkFrames *frames)
{
        buffer_deinit(&frames->buffer);
        frames->start = frames->scanned = 0;
}

/* Moves what is pending to the front; cheap, as this is less than a message unless reads are held back. */
static void make_room(VarlinkFrames *frames)
{
        buffer_consume(&frames->buffer, frames->start);
        frames->start = 0;
}

ssize_t varlink_frames_read(VarlinkFrames *frames, int fd)
{
        Buffer *buffer = &frames->buffer;
        size_t room;
        ssize_t n;
        int r;

        make_room(frames);
        r = buffer_reserve(buffer, MAX(frames->room, (size_t)ROOM_MIN));
        if (r < 0)
                return r;
        room = MIN(buffer->allocated - buffer->len - 1, (size_t)READ_MAX);
        do
                n = read(fd, buffer->data + buffer->len, room);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return negative_errno();
        /* There may be more, that next time comes at once. */
        if ((size_t)n == room)
                frames->room = MIN(2 * room, (size_t)ROOM_MAX);
        buffer->len += (size_t)n;
        buffer->data[buffer->len] = '\0';
        return n;
}

int varlink_frames_next(VarlinkFrames *frames, const char **ret, size_t *ret_n)
{
        size_t pending = varlink_frames_pending(frames), n;
        const char *message, *end;

        if (pending == frames->scanned)
                return 0;
        message = frames->buffer.data + frames->start;
        end = memchr(message + frames->scanned, '\0', pending - frames->scanned);
        n = end ? (size_t)(end - message) : pending;
        if (n > frames->max_message)
                return -EMSGSIZE;
        if (!end) {
                frames->scanned = pending;
                return 0;
        }
        frames->start += n + 1;
        frames->scanned = 0;
        *ret = message;
        *ret_n = n;
        return 1;
}

void varlink_frames_trim(VarlinkFrames *frames)
{
        if (varlink_frames_pending(frames) == 0 && frames->buffer.allocated > KEEP_MAX)
                varlink_frames_deinit(frames);
}
