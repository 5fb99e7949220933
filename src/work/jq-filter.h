/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * jq programs, for takt-worker alone: they have no limit of steps, and libjq ends the process where memory
 * runs out. A program is compiled once, which takes some 35 ms, and kept; the one that was not used for
 * longest makes room.
 */

#include "base/buffer.h"

/*
 * Programs can open no file from now on, as there is no descriptor left for one: what is to be opened by others
 * raises the soft limit of 3 to 4 for that. OUT_OF_MEMORY is called where
 * memory runs out, and must not return.
 */
void filter_init(void (*out_of_memory)(void));
void filter_deinit(void);

/* -EBADMSG: PROGRAM is none, and *RET_ERROR says why; -ENOMEM. */
int filter_check(const char *program, char **ret_error);
/*
 * Appends to OUT what PROGRAM makes of the JSON text TEXT, as JSON text: its value; an array, where there are
 * several; null, where there is none. -EBADMSG: the program is none or failed, as *RET_ERROR says, which the
 * caller frees. -E2BIG: more than OUT takes. -ENOMEM.
 */
int filter_run(const char *program, const char *text, size_t n, Buffer *out, char **ret_error);
