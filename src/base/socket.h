/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* UNIX stream sockets by path; the path may be longer than the kernel's sun_path. */

#include "base/macro.h"

/* Connects to PATH, blocking. Returns the descriptor; -ENOENT, -ECONNREFUSED, -EACCES … of connect(2). */
int unix_connect(const char *path);

/*
 * Listens on PATH with access rights MODE and holds a lock on "PATH.lock" as long as RET_LOCK_FD is
 * open, so that of two that start at once only one gets it. A socket that nobody serves any more is
 * replaced. Returns the descriptor, which does not block; -EADDRINUSE: somebody serves it, -EEXIST:
 * PATH is no socket, errno. Not for programs that have threads, as the umask is changed meanwhile.
 */
int unix_listen(const char *path, mode_t mode, int *ret_lock_fd);
