/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What takt-worker is asked for, and answers: the lines of work/limits.h. */

#include "base/buffer.h"

/* Opens a file for reading. -errno. */
typedef int (*WorkOpen)(const char *path);

/*
 * Answers the N bytes LINE, without its newline, which are changed; a NUL follows them. HEADER and OUT, one after the other,
 * are the answer; OUT has at most what it takes. Whatever is asked is answered: -ENOMEM where not even that can be said.
 */
int work_answer(WorkOpen open_file, char *line, size_t n, Buffer *header, Buffer *out);
