/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Descriptors and files: closing, reading whole, replacing whole. */

#include <dirent.h>
#include <stdio.h>

#include "base/buffer.h"

/* Closes FD (which may be -1), keeps errno. Returns -1. */
int safe_close(int fd);

static inline void closep(int *fd)
{
        safe_close(*fd);
}
#define _cleanup_close_ _cleanup_(closep)

DEFINE_CLEANUP(FILE *, fclose);
DEFINE_CLEANUP(DIR *, closedir);

/*
 * Appends the contents of the regular file PATH (relative to DIR_FD, or AT_FDCWD) to BUFFER.
 * -EFBIG where it holds more than MAX bytes, -EISDIR, -EINVAL for what is no regular file, errno.
 */
int read_file_at(int dir_fd, const char *path, size_t max, Buffer *buffer);
/* As read_file_at(), of a file that nobody but takt makes: -ELOOP for a symbolic link. */
int read_plain_file(const char *path, size_t max, Buffer *buffer);
/* The descriptor that read_plain_file() would read from. */
int open_plain_file(const char *path, size_t max);
/* Appends what FD gives until its end, at most MAX bytes (-EFBIG), to BUFFER. */
int read_fd(int fd, size_t max, Buffer *buffer);
/* Writes all N bytes to a blocking FD. */
int write_all(int fd, const void *data, size_t n);

/*
 * Replaces PATH by a file of MODE with these bytes: whole or not at all. With SYNC the bytes are
 * on disk before the name is, and the name when this returns. -errno; nothing is left behind on failure.
 */
int write_file_atomic(const char *path, const void *data, size_t n, mode_t mode, bool sync);
/*
 * The same with what WRITE puts into the new file FD, which may depend on that file. WRITE returns 0 or
 * -errno.
 */
int write_file_atomic_by(const char *path, int (*write)(int fd, void *userdata), void *userdata, mode_t mode, bool sync);

/* Makes PATH and its missing parents with MODE. An existing directory is success. */
int mkdir_p(const char *path, mode_t mode);

/* Sets O_NONBLOCK. */
int fd_set_nonblocking(int fd);

/* "DIR/NAME" that the caller frees; NAME alone where it is absolute. NULL: no memory. */
char *path_join(const char *dir, const char *name);
