/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Where that is looked for which a definition mentions beside other jobs, and what is said where it is not there. The
 * search itself, base/look.h, may take long; who has no time for it has it done elsewhere.
 */

#include "base/look.h"
#include "job/mention.h"

/* Members that are NULL are not known: what hangs on them can't be looked for. */
typedef struct Surroundings {
        const char *directory;   /* absolute: where relative paths begin, and commands run */
        const char *path;        /* PATH of commands */
        const char *leds;        /* the directory of the LED class */
        const char *credentials; /* the daemon's directory of them */
        bool of_daemon;          /* they are those of this process: its variables, its user */
} Surroundings;

/*
 * What is to be looked for. 1: RET has it, with strings of MENTION, S and *RET_DIRECTORY, which the caller frees. 0:
 * nothing is. -ENOENT: it is known not to be there. -ENOMEM.
 */
int mention_to_look(const Mention *mention, const Surroundings *s, Look *ret, char **ret_directory);
/*
 * The sentence for ERROR of look_for(), which is not 0; NULL: none is due, or no memory. NEAREST (may be NULL) is what
 * may have been meant.
 */
char *mention_describe(const Mention *mention, const Surroundings *s, int error, const char *nearest);
