/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What takt-worker is asked for, and answers: the lines of work/limits.h. */

#include "base/buffer.h"
#include "base/look.h"

/* Who reaches for files, which a program must not. */
typedef struct WorkFiles {
        /* Opens one for reading. -errno. */
        int (*open)(const char *path);
        /* As look_for(). */
        int (*look)(const Look *look, char **ret_nearest);
} WorkFiles;

/*
 * Answers the N bytes LINE, without its newline, which are changed; a NUL follows them. HEADER and OUT, one after the other,
 * are the answer; OUT has at most what it takes. Whatever is asked is answered: -ENOMEM where not even that can be said.
 */
int work_answer(const WorkFiles *files, char *line, size_t n, Buffer *header, Buffer *out);
