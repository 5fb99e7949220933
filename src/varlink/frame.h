/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Messages out of a byte stream: each ends with one NUL. A byte is looked at once however slowly
 * it comes, and only what has come takes memory.
 */

#include "base/buffer.h"

typedef struct VarlinkFrames {
        Buffer buffer;
        size_t start;       /* of the first message that was not handed out */
        size_t scanned;     /* bytes from START on that hold no NUL */
        size_t max_message; /* bytes of one message without its NUL */
        size_t room;        /* bytes that a read finds free at least; grows with what comes at once */
} VarlinkFrames;

#define VARLINK_FRAMES_INIT(max) ((VarlinkFrames){ .max_message = (max) })
void varlink_frames_deinit(VarlinkFrames *frames);

/* Reads once from FD, which does not block. The number of bytes, 0 at the end; -EAGAIN, -ENOMEM, errno. */
ssize_t varlink_frames_read(VarlinkFrames *frames, int fd);

/*
 * Hands out the next message: 1, with RET valid until the next read; 0 where none is complete;
 * -EMSGSIZE where it is longer than may be, which can't be recovered from.
 */
int varlink_frames_next(VarlinkFrames *frames, const char **ret, size_t *ret_n);

/* Bytes that were not handed out. */
static inline size_t varlink_frames_pending(const VarlinkFrames *frames)
{
        return frames->buffer.len - frames->start;
}

/* Gives back the memory that a long message took, where nothing is pending. */
void varlink_frames_trim(VarlinkFrames *frames);
