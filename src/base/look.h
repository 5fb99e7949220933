/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Whether what a configuration names is there: a program as the start of a command would find it, a file, a directory,
 * a user, a group; and if not, what may have been meant. It may lie on a network file system that has hung and users
 * may be known by the network alone, so this is not for a program that must not wait.
 */

#include "base/macro.h"

typedef enum LookType {
        LOOK_PROGRAM,
        LOOK_DIRECTORY,
        LOOK_FILE,
        LOOK_USER,  /* by name or id */
        LOOK_GROUP,
        _LOOK_TYPE_MAX,
} LookType;

/* Entries of directories that are looked at for what may have been meant. */
#define LOOK_ENTRIES_MAX 20000U

typedef struct Look {
        LookType type;
        const char *name;
        const char *directory; /* absolute: where a relative name, or part of PATH, begins */
        const char *path;      /* directories with colons between them, where programs without a slash are looked for */
        bool by_another;       /* it is for a user other than the one who looks: what may not be seen or run here may be there */
} Look;

/*
 * 0: it is there, or nothing can be said. -errno: the error of who would use it, such as -ENOENT, -EACCES (no
 * program that may be run), -EISDIR and -ENOTDIR. Where nothing of that name was found and RET_NEAREST is not NULL, it gets the
 * nearest name that there is, in the same form; the caller frees it. NULL: none is near, or no memory.
 */
int look_for(const Look *look, char **ret_nearest);
