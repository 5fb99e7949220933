/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Files of EnvironmentFile=: NAME=VALUE lines as systemd.exec(5) has them. */

#include "config/key.h"

/* The most that is read of one. */
#define ENVIRONMENT_FILE_MAX (256U * 1024)

/*
 * Puts the assignments of TEXT (which ends with a NUL) into LIST, over those of the same name. Empty lines and
 * those that begin with # or ; are comments; a backslash at the end of a line joins the next one; '…' is
 * literal, in "…" a backslash stands before one of "\`$, outside of quotes before any character; blanks
 * around a value are no part of it. -EBADMSG with the number of the first line that is none of that, -E2BIG
 * where there are too many, -ENOMEM.
 */
int environment_file_parse(const char *text, StringList *list, unsigned *ret_line);

/* Appends ASSIGNMENT to LIST, or puts it in the place of one of the same name. -ENOMEM. */
int environment_assign(StringList *list, const char *assignment);
