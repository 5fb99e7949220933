/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Tells when a name of the file system stands for something else: made, replaced, written or removed. */

#include "loop/loop.h"

/* After the last change, before it is told: a name that is removed and made again is one change. */
#define FILE_WATCH_SETTLE (50 * USEC_PER_MSEC)

typedef struct FileWatch FileWatch;

/*
 * Watches PATH, which need not exist, in its directory, which must. What a symbolic link there points to is
 * not watched. -errno.
 */
int file_watch_new(Loop *loop, const char *path, void (*callback)(void *userdata), void *userdata, FileWatch **ret);
FileWatch *file_watch_free(FileWatch *watch);
DEFINE_CLEANUP(FileWatch *, file_watch_free);
