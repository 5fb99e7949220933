/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The block is extended before it is used up by a write without fsync: a crash of the daemon can't
 * lose that, and the loop doesn't wait for a disk. A crash of the machine can lose the seconds that
 * the kernel had not written back; the first block of a start is synced.
 */
#include "sched/run-id.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/string-util.h"

#define RUN_ID_FILE_MAX 64U

struct RunIds {
        char *path;
        uint64_t next;
        uint64_t reserved; /* ids below this are ours to give */
        uint64_t block;
        int error;
};

static int write_reserved(RunIds *ids, uint64_t value, bool sync)
{
        char text[RUN_ID_FILE_MAX];
        int n = snprintf(text, sizeof(text), "%llu\n", (unsigned long long)value);

        ids->error = ids->path ? write_file_atomic(ids->path, text, (size_t)n, 0644, sync) : 0;
        return ids->error;
}

static int read_first(const char *path, uint64_t *ret)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        int r = read_file_at(AT_FDCWD, path, RUN_ID_FILE_MAX, &text);

        if (r == -ENOENT) {
                *ret = 1;
                return 0;
        }
        if (r == -EFBIG)
                return -EBADMSG;
        if (r < 0)
                return r;
        if (text.len == 0 || strlen(text.data) != text.len || parse_uint64(strip(text.data), ret) < 0 || *ret == 0 || *ret > INT64_MAX / 2)
                return -EBADMSG;
        return 0;
}

int run_ids_open(const char *path, RunIds **ret)
{
        RunIds *ids = new0(RunIds, 1);
        int r = 0;

        if (!ids)
                return -ENOMEM;
        ids->block = RUN_ID_BLOCK_MIN;
        ids->next = 1;
        if (path) {
                ids->path = strdup(path);
                r = ids->path ? read_first(path, &ids->next) : -ENOMEM;
        }
        ids->reserved = ids->next + ids->block;
        if (r >= 0)
                r = write_reserved(ids, ids->reserved, true);
        if (r < 0) {
                free(ids->path);
                free(ids);
                return r;
        }
        *ret = ids;
        return 0;
}

RunIds *run_ids_close(RunIds *ids)
{
        if (!ids)
                return NULL;
        (void)write_reserved(ids, ids->next, true);
        free(ids->path);
        free(ids);
        return NULL;
}

uint64_t run_ids_next(RunIds *ids)
{
        if (ids->next + ids->block / 4 >= ids->reserved) {
                ids->block = MIN(ids->block * 2, (uint64_t)RUN_ID_BLOCK_MAX);
                ids->reserved = ids->next + ids->block;
                (void)write_reserved(ids, ids->reserved, false);
        }
        return ids->next++;
}

int run_ids_error(const RunIds *ids)
{
        return ids->error;
}
