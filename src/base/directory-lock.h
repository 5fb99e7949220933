/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Locks on a directory itself: they need no file, outlive what is removed from the directory, and the kernel
 * gives them up when their holder ends, however that comes about. There is one that excludes, and beside it
 * marks: each names a process, many may be held at a time, and they exclude nobody.
 *
 * What is on a directory goes with it. So there are marks of its place as well: they are on the directory
 * that it is in, are of its name there, and are found whatever became of the directory itself.
 */

#include <sys/types.h>

#include "base/macro.h"

/*
 * Locks the directory PATH for as long as the descriptor that is returned, or a copy of it, is open. -EBUSY: somebody
 * else has it. -errno: the directory can't be opened, or its file system has no such locks.
 */
int directory_lock(const char *path);

/* Opens the directory PATH to put a mark on it, or to look for those of others. -errno. */
int directory_open(const char *path);
/*
 * Puts a mark on the directory FD that names process PID, for as long as FD or a copy of it is open; one for
 * each FD, as the kernel makes one of two that lie side by side. -errno.
 */
int directory_mark(int fd, pid_t pid);
/*
 * Looks for a mark that was put by way of another directory_open() of the same directory. SKIP says which are not
 * looked for. The process that it names, 0 where there is none, -errno.
 */
pid_t directory_find_mark(int fd, bool (*skip)(pid_t pid, void *userdata), void *userdata);

typedef enum PlaceMark {
        PLACE_DAEMON, /* who works there */
        PLACE_HELPER, /* who ends what such a one left */
} PlaceMark;

/* Opens the place of the directory PATH, which need not be there, for its marks. -errno. */
int directory_open_place(const char *path);
/* As directory_mark(), on the place FD of directory PATH. */
int directory_mark_place(int fd, const char *path, PlaceMark kind, pid_t pid);
/*
 * As directory_find_mark(), on the place FD of directory PATH; but for marks of other users' processes, and
 * such as /proc does not tell of.
 */
pid_t directory_find_place_mark(int fd, const char *path, PlaceMark kind, bool (*skip)(pid_t pid, void *userdata), void *userdata);
