/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/string-util.h"

#define READ_CHUNK 16384

int safe_close(int fd)
{
        if (fd >= 0) {
                int saved = errno;

                (void)close(fd);
                errno = saved;
        }
        return -1;
}

int read_fd(int fd, size_t max, Buffer *buffer)
{
        size_t total = 0;

        for (;;) {
                ssize_t n;
                int r;

                r = buffer_reserve(buffer, READ_CHUNK);
                if (r < 0)
                        return r == -E2BIG ? -EFBIG : r;
                n = read(fd, buffer->data + buffer->len, READ_CHUNK);
                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        return negative_errno();
                }
                if (n == 0)
                        return 0;
                total += (size_t)n;
                if (total > max)
                        return -EFBIG;
                buffer->len += (size_t)n;
                buffer->data[buffer->len] = '\0';
        }
}

/* Opens it to be read, if it holds no more than MAX bytes. */
static int open_regular(int dir_fd, const char *path, int flags, size_t max)
{
        _cleanup_close_ int fd = -1;
        struct stat st;

        /* O_NONBLOCK: a FIFO that someone put there must not hold us up. */
        fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags);
        if (fd < 0)
                return negative_errno();
        if (fstat(fd, &st) < 0)
                return negative_errno();
        if (S_ISDIR(st.st_mode))
                return -EISDIR;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        if (st.st_size > 0 && (uint64_t)st.st_size > max)
                return -EFBIG;
        return TAKE_FD(fd);
}

static int read_regular(int dir_fd, const char *path, int flags, size_t max, Buffer *buffer)
{
        _cleanup_close_ int fd = open_regular(dir_fd, path, flags, max);

        return fd < 0 ? fd : read_fd(fd, max, buffer);
}

int read_file_at(int dir_fd, const char *path, size_t max, Buffer *buffer)
{
        return read_regular(dir_fd, path, 0, max, buffer);
}

int read_plain_file(const char *path, size_t max, Buffer *buffer)
{
        return read_regular(AT_FDCWD, path, O_NOFOLLOW, max, buffer);
}

int open_plain_file(const char *path, size_t max)
{
        return open_regular(AT_FDCWD, path, O_NOFOLLOW, max);
}

int write_all(int fd, const void *data, size_t n)
{
        const char *p = data;

        while (n > 0) {
                ssize_t k = write(fd, p, n);

                if (k < 0) {
                        if (errno == EINTR)
                                continue;
                        return negative_errno();
                }
                p += k;
                n -= (size_t)k;
        }
        return 0;
}

/* A new name is on the disk when its directory is. Some file systems can't tell that of directories. */
static int sync_directory_of(const char *path)
{
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *dir = slash ? strndup(path, MAX((size_t)(slash - path), (size_t)1)) : strdup(".");
        _cleanup_close_ int fd = -1;

        if (!dir)
                return -ENOMEM;
        fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return negative_errno();
        return fsync(fd) < 0 && errno != EINVAL ? negative_errno() : 0;
}

int write_file_atomic_by(const char *path, int (*write)(int fd, void *userdata), void *userdata, mode_t mode, bool sync)
{
        _cleanup_free_ char *temporary = NULL;
        _cleanup_close_ int fd = -1;
        int r;

        temporary = xasprintf("%s.XXXXXX", path);
        if (!temporary)
                return -ENOMEM;
        fd = mkostemp(temporary, O_CLOEXEC);
        if (fd < 0)
                return negative_errno();
        r = write(fd, userdata);
        if (r >= 0 && fchmod(fd, mode) < 0)
                r = negative_errno();
        if (r >= 0 && sync && fsync(fd) < 0)
                r = negative_errno();
        if (r >= 0 && rename(temporary, path) < 0)
                r = negative_errno();
        if (r < 0)
                (void)unlink(temporary);
        return r >= 0 && sync ? sync_directory_of(path) : r;
}

typedef struct Bytes {
        const void *data;
        size_t n;
} Bytes;

static int write_bytes(int fd, void *userdata)
{
        const Bytes *bytes = userdata;

        return write_all(fd, bytes->data, bytes->n);
}

int write_file_atomic(const char *path, const void *data, size_t n, mode_t mode, bool sync)
{
        return write_file_atomic_by(path, write_bytes, &(Bytes){ data, n }, mode, sync);
}

int mkdir_p(const char *path, mode_t mode)
{
        _cleanup_free_ char *copy = strdup(path);
        struct stat st;

        if (!copy)
                return -ENOMEM;
        for (char *p = copy + 1; *copy; p++) {
                bool end = *p == '\0';

                if (*p != '/' && !end)
                        continue;
                *p = '\0';
                if (mkdir(copy, mode) < 0 && errno != EEXIST)
                        return negative_errno();
                if (end)
                        break;
                *p = '/';
        }
        if (stat(path, &st) < 0)
                return negative_errno();
        return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int fd_set_nonblocking(int fd)
{
        int flags = fcntl(fd, F_GETFL);

        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
                return negative_errno();
        return 0;
}

char *path_join(const char *dir, const char *name)
{
        size_t n = strlen(dir);

        if (name[0] == '/')
                return strdup(name);
        return string_join(dir, n > 0 && dir[n - 1] == '/' ? "" : "/", name);
}
