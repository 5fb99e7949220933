/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * A line of text that people can read and that shows when it was garbled: "WORDS CHECK\n". One changed bit, a
 * missing end and a line that was never sealed are all noticed; a forged line is not. Such a line may be
 * bound to its file.
 */

#include "base/buffer.h"

/* Bytes that a seal adds to the words. */
#define SEAL_SIZE 18U

/* Seals the words in LINE, of which there is one or more, and ends it. -ENOMEM, -E2BIG. */
int seal_line(Buffer *line);
/* Leaves the words alone in LINE. -EBADMSG, and LINE as it was, where they are not what was sealed. */
int unseal_line(Buffer *line);

/* Bytes that a bound line has more than a sealed one: a word of when the file was made. */
#define SEAL_BOUND_SIZE 33U

/*
 * A line that is bound to the one file that it was written to: whoever copies the file, or puts an older copy
 * in its place or into it, leaves a line that says so. To rename or move the file within its file system, to
 * change its owner or mode, and to mount that file system anew doesn't matter. A file with a second name (a
 * hard link) counts as a copy. Not noticed are a file system that was set back as a whole, and a second name
 * that was the file's only one in the end.
 *
 * Replaces PATH by a file with WORDS, which become that line. As write_file_atomic() does.
 */
int seal_file(const char *path, const char *words, mode_t mode, bool sync);
/*
 * Appends the words in the file PATH of at most MAX bytes to the empty RET. 0: they are of that file. With
 * these errors they are there as well: -ESTALE, they were copied; -EUCLEAN, they are sealed and bound to no
 * file. -EBADMSG: RET has all bytes, which are no sealed line. Else an error of read_plain_file().
 */
int unseal_file(const char *path, size_t max, Buffer *ret);
