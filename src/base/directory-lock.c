/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lock is one of flock(2). A mark is a shared lock of fcntl(2) on one byte, the one whose offset is the number of
 * the process: a directory is never opened for writing, which an exclusive lock of that kind would need, but anybody may
 * ask which shared ones would be in its way. The two kinds don't see each other.
 */
#include "base/directory-lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"

int directory_open(const char *path)
{
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 ? negative_errno() : fd;
}

int directory_lock(const char *path)
{
        _cleanup_close_ int fd = directory_open(path);

        if (fd < 0)
                return fd;
        while (flock(fd, LOCK_EX | LOCK_NB) < 0)
                if (errno != EINTR)
                        return errno == EWOULDBLOCK ? -EBUSY : negative_errno();
        return TAKE_FD(fd);
}

int directory_mark(int fd, pid_t pid)
{
        struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = pid, .l_len = 1 };

        return fcntl(fd, F_OFD_SETLK, &lock) < 0 ? negative_errno() : 0;
}

/* The process that some mark from FROM to TO (0: no end) names. */
static pid_t find_between(int fd, pid_t from, pid_t to)
{
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = from, .l_len = to > 0 ? to - from + 1 : 0 };

        if (fcntl(fd, F_OFD_GETLK, &lock) < 0)
                return negative_errno();
        return lock.l_type == F_UNLCK ? 0 : (pid_t)lock.l_start;
}

/* The kernel tells of any one mark in a range. What is skipped divides the range. */
static pid_t find_in_range(int fd, pid_t from, pid_t to, bool (*skip)(pid_t pid, void *userdata), void *userdata)
{
        pid_t pid;

        for (;;) {
                pid = find_between(fd, from, to);
                if (pid <= 0 || !skip(pid, userdata))
                        return pid;
                if (pid > from) {
                        pid_t before = find_in_range(fd, from, pid - 1, skip, userdata);

                        if (before != 0)
                                return before;
                }
                if (pid == to)
                        return 0;
                from = pid + 1;
        }
}

pid_t directory_find_mark(int fd, bool (*skip)(pid_t pid, void *userdata), void *userdata)
{
        return find_in_range(fd, 1, 0, skip, userdata);
}
