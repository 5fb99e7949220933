/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Memory that a file keeps: written to as memory, at one address for as long as it lives, and read by the next
 * process from the file. Where there can't be a file (the disk is full or read-only, the directory is gone, something
 * stands in its place), it is memory all the same and becomes a file when mapped_file_keep() can make one. A page
 * that the disk can't give when it is touched, which the kernel tells by SIGBUS, reads as zeros.
 *
 * For one thread. Nothing is ever synced.
 */

#include "base/buffer.h"
#include "base/macro.h"

typedef struct MappedFile MappedFile;

/*
 * Puts into BUFFER what an earlier process kept at PATH in a file that might grow to MAX; pages may have made
 * that file larger, by zeros. Errors are those of read_plain_file().
 */
int mapped_file_read(const char *path, size_t max, Buffer *buffer);

/* What one call of mapped_file_keep() copies. */
#define MAPPED_FILE_TURN (1024U * 1024U)

/*
 * SIZE bytes of zeros that may grow to MAX; both are rounded up to pages. The file has the name PATH.new until
 * mapped_file_commit(). Whether there is one is told by mapped_file_error(). -ENOMEM.
 */
int mapped_file_new(const char *path, size_t size, size_t max, MappedFile **ret);
/* The file stays if it has its name. Accepts NULL, returns NULL. */
MappedFile *mapped_file_free(MappedFile *file);
DEFINE_CLEANUP(MappedFile *, mapped_file_free);

void *mapped_file_data(const MappedFile *file);
size_t mapped_file_size(const MappedFile *file);

/* To SIZE bytes; the new ones are zeros. -E2BIG above the maximum, -ENOMEM; that the disk has no room is none of it. */
int mapped_file_grow(MappedFile *file, size_t size);
/*
 * Replaces PATH by the file, now or as soon as that can be: but for a directory that holds something. What is there
 * until then is removed, as it would tell the next process what is not so any more.
 */
void mapped_file_commit(MappedFile *file);
/*
 * The same of a file whose contents another one has at PATH until now: where FILE can't have the name at
 * once, that one keeps it, and nothing has changed. 0 or -errno.
 */
int mapped_file_replace(MappedFile *file);
/* Whether it could not be removed, and is what the next process reads. */
bool mapped_file_is_stale(const MappedFile *file);

/* 0 where all of it is in the file as it was seen last, else why it is not. */
int mapped_file_error(const MappedFile *file);
/*
 * Looks whether the file is still there. 0: it is, and all is kept. -ENOENT, -EIO: it was taken away, or is not whole any
 * more; the next call makes another one. 1: there is more to copy, call again. Else why there can't be one. Waits for
 * no disk but to have blocks allocated.
 */
int mapped_file_keep(MappedFile *file);

/* How many pages became zeros since the last call: what was in them is lost. */
size_t mapped_file_take_lost(MappedFile *file);
