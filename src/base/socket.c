/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/socket.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "base/string-util.h"

/*
 * The address of PATH. One that doesn't fit is reached through its directory: RET_DIR_FD, which
 * must stay open until the address was used.
 */
static int unix_address(const char *path, struct sockaddr_un *ret, int *ret_dir_fd)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int dir_fd = -1;
        _cleanup_free_ char *dir = NULL;
        const char *base;
        int n;

        if (!*path)
                return -EINVAL;
        if (strlen(path) < sizeof(address.sun_path)) {
                memcpy(address.sun_path, path, strlen(path) + 1);
        } else {
                base = strrchr(path, '/');
                if (!base)
                        return -ENAMETOOLONG;
                dir = strndup(path, (size_t)(base - path) + 1);
                if (!dir)
                        return -ENOMEM;
                dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
                if (dir_fd < 0)
                        return negative_errno();
                n = snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", dir_fd, base + 1);
                if (n >= (int)sizeof(address.sun_path))
                        return -ENAMETOOLONG;
        }
        *ret = address;
        *ret_dir_fd = TAKE_FD(dir_fd);
        return 0;
}

static int connect_fd(const struct sockaddr_un *address, int flags)
{
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

        if (fd < 0)
                return negative_errno();
        while (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
                if (errno != EINTR)
                        return negative_errno();
        return TAKE_FD(fd);
}

int unix_connect(const char *path)
{
        _cleanup_close_ int dir_fd = -1;
        struct sockaddr_un address;
        int r;

        r = unix_address(path, &address, &dir_fd);
        if (r < 0)
                return r;
        return connect_fd(&address, 0);
}

/* Makes way for a new socket at ADDRESS, where the lock is ours already. */
static int remove_stale(const struct sockaddr_un *address)
{
        _cleanup_close_ int fd = -1;
        struct stat st;

        if (lstat(address->sun_path, &st) < 0)
                return errno == ENOENT ? 0 : negative_errno();
        if (!S_ISSOCK(st.st_mode))
                return -EEXIST;
        /* A service manager may listen in a daemon's place, without the lock. */
        fd = connect_fd(address, SOCK_NONBLOCK);
        if (fd >= 0 || fd == -EAGAIN)
                return -EADDRINUSE;
        if (fd != -ECONNREFUSED)
                return fd;
        return unlink(address->sun_path) < 0 && errno != ENOENT ? negative_errno() : 0;
}

static int bind_with_mode(int fd, const struct sockaddr_un *address, mode_t mode)
{
        mode_t saved = umask(0777 & ~mode);
        int r = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? negative_errno() : 0;

        umask(saved);
        return r;
}

int unix_listen(const char *path, mode_t mode, int *ret_lock_fd)
{
        _cleanup_close_ int dir_fd = -1, lock_fd = -1, fd = -1;
        _cleanup_free_ char *lock = xasprintf("%s.lock", path);
        struct sockaddr_un address;
        int r;

        if (!lock)
                return -ENOMEM;
        r = unix_address(path, &address, &dir_fd);
        if (r < 0)
                return r;
        lock_fd = open(lock, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (lock_fd < 0)
                return negative_errno();
        if (flock(lock_fd, LOCK_EX | LOCK_NB) < 0)
                return errno == EWOULDBLOCK ? -EADDRINUSE : negative_errno();
        r = remove_stale(&address);
        if (r < 0)
                return r;

        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return negative_errno();
        r = bind_with_mode(fd, &address, mode);
        if (r < 0)
                return r;
        if (listen(fd, SOMAXCONN) < 0) {
                r = negative_errno();
                (void)unlink(address.sun_path);
                return r;
        }
        *ret_lock_fd = TAKE_FD(lock_fd);
        return TAKE_FD(fd);
}
