/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Helper programs of the daemon: where they are, and how one is started with a connection. The end
 * of the connection is the end of the helper, and of the daemon as the helper sees it.
 */

#include "base/macro.h"

/* The descriptor at which a helper finds its connection. */
#define HELPER_FD 3
/*
 * Those of a directory and its place, whose marks it holds, from the first on; see base/directory-lock.h.
 * They may be closed.
 */
#define HELPER_MARK_FD 4
#define HELPER_MARKS 2

/*
 * The path of helper NAME, which the caller frees: in $TAKT_LIBEXECDIR where that is set, else
 * beside the running program (a build tree), else where it was installed. -ENOENT, -ENOMEM.
 */
int helper_find(const char *name, char **ret);

/*
 * Runs PATH in a session of its own with a SOCK_SEQPACKET connection at HELPER_FD, default signals,
 * standard input and output at /dev/null, and nothing else open but standard error. Returns 0, the
 * other end of the connection (non-blocking), the process, and a pidfd that is readable once it has
 * ended; -errno also where the program can't be executed. Costs the same however large the caller is:
 * its memory is not copied. MARK_FDS (-1: none), borrowed, are directories that the helper keeps open until
 * it ends.
 */
int helper_start(const char *path, const int mark_fds[static HELPER_MARKS], int *ret_fd, pid_t *ret_pid, int *ret_pid_fd);
/* Reaps PID where it has ended. True once it is reaped; RET_CLEAN (may be NULL): by itself, with success. */
bool helper_reap(pid_t pid, bool *ret_clean);
/* Kills and reaps PID. */
void helper_kill(pid_t pid);
/* PID was made by helper_start() and not yet reaped. */
bool helper_is_known(pid_t pid);
/*
 * Reaps children that have ended and are no helpers: those of a program that became this one, what a helper
 * left and, in the first process of a container, whatever comes there. At most HELPER_REAPED_MAX of them:
 * true where there may be more.
 */
bool helper_reap_others(void);
#define HELPER_REAPED_MAX 512U
/* How many it has reaped until now. */
uint64_t helper_n_reaped(void);
