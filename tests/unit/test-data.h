/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Published test suites, which are no part of the tree: from $TAKT_TEST_DATA, or beside the checkout. */

#include <stdio.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/string-util.h"

#define TEST_SKIPPED 77
#define TEST_DATA_MAX (256U * 1024 * 1024)

/* The file NAME, for the caller to free; NULL, having said so, where there is none. */
static inline char *test_data_find(const char *name)
{
        const char *data = getenv("TAKT_TEST_DATA"), *source = getenv("TAKT_SRCDIR");
        char *path = NULL;

        if (data) {
                path = xasprintf("%s/%s", data, name);
                if (path && access(path, R_OK) == 0)
                        return path;
                free(path);
                path = NULL;
        }
        if (source) {
                path = xasprintf("%s/../shared/data/%s", source, name);
                if (path && access(path, R_OK) == 0)
                        return path;
                free(path);
        }
        printf("%s: neither in $TAKT_TEST_DATA nor beside the checkout: skipped\n", name);
        return NULL;
}

/* What a shell command prints. */
static inline int test_data_output(const char *command, Buffer *ret)
{
        FILE *f = popen(command, "re");
        int r;

        if (!f)
                return negative_errno();
        r = read_fd(fileno(f), TEST_DATA_MAX, ret);
        if (pclose(f) != 0 && r >= 0)
                r = -EIO;
        return r;
}
