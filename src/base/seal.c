/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/seal.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/siphash.h"
#include "base/string-util.h"

/* The check guards against accidents, so its key is no secret. */
static const SipKey seal_key = { { UINT64_C(0x74616b745f736561), UINT64_C(0x6f6e65206c696e65) } };

/* " 0123456789abcdef\n" */
static void format_check(const char *words, size_t n, char check[static SEAL_SIZE + 1])
{
        (void)snprintf(check, SEAL_SIZE + 1, " %016llx\n", (unsigned long long)siphash24(&seal_key, words, n));
}

int seal_line(Buffer *line)
{
        char check[SEAL_SIZE + 1];

        format_check(buffer_string(line), line->len, check);
        return buffer_append(line, check, SEAL_SIZE);
}

int unseal_line(Buffer *line)
{
        char check[SEAL_SIZE + 1];
        size_t n;

        if (line->len <= SEAL_SIZE)
                return -EBADMSG;
        n = line->len - SEAL_SIZE;
        format_check(line->data, n, check);
        if (memchr(line->data, '\0', n) || memcmp(line->data + n, check, SEAL_SIZE) != 0)
                return -EBADMSG;
        line->len = n;
        line->data[n] = '\0';
        return 0;
}

/* --- bound to a file --- */

/*
 * When the file was made: the kernel notes it, no call changes it, and each copy has a time of its own.
 * False: it is not known.
 */
static bool format_time(int fd, char birth[static SEAL_BOUND_SIZE + 1])
{
        struct statx stx;

        if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &stx) < 0 || !(stx.stx_mask & STATX_BTIME))
                return false;
        (void)snprintf(birth, SEAL_BOUND_SIZE + 1, " @%lld.%09u", (long long)stx.stx_btime.tv_sec, stx.stx_btime.tv_nsec);
        return true;
}

/* Where the file system keeps no such time, or a sandbox refuses to tell it, the file's number has to do. */
static bool format_number(int fd, char birth[static SEAL_BOUND_SIZE + 1])
{
        struct stat st;

        if (fstat(fd, &st) < 0)
                return false;
        (void)snprintf(birth, SEAL_BOUND_SIZE + 1, " #%llu", (unsigned long long)st.st_ino);
        return true;
}

static int write_bound(int fd, void *userdata)
{
        _cleanup_buffer_ Buffer line = BUFFER_NULL;
        char birth[SEAL_BOUND_SIZE + 1];
        const char *words = userdata;
        int r;

        if (!format_time(fd, birth) && !format_number(fd, birth))
                return negative_errno();
        r = buffer_append_string(&line, words);
        if (r >= 0)
                r = buffer_append_string(&line, birth);
        if (r >= 0)
                r = seal_line(&line);
        return r < 0 ? r : write_all(fd, line.data, line.len);
}

int seal_file(const char *path, const char *words, mode_t mode, bool sync)
{
        return write_file_atomic_by(path, write_bound, (char *)words, mode, sync);
}

/* A second name keeps a file that was replaced under its first one, and may bring it back. */
static bool has_one_name(int fd)
{
        struct stat st;

        return fstat(fd, &st) == 0 && st.st_nlink == 1;
}

/* Takes the last word off, which tells of the file. */
static int unbind(int fd, Buffer *line)
{
        char birth[SEAL_BOUND_SIZE + 1], *last = strrchr(line->data, ' ');
        bool same;

        if (!last || (last[1] != '@' && last[1] != '#'))
                return -EUCLEAN;
        same = (last[1] == '@' ? format_time(fd, birth) : format_number(fd, birth)) && streq(last, birth) &&
               has_one_name(fd);
        *last = '\0';
        line->len = (size_t)(last - line->data);
        return same ? 0 : -ESTALE;
}

int unseal_file(const char *path, size_t max, Buffer *ret)
{
        _cleanup_close_ int fd = open_plain_file(path, max);
        int r = fd < 0 ? fd : read_fd(fd, max, ret);

        if (r >= 0)
                r = unseal_line(ret);
        return r < 0 ? r : unbind(fd, ret);
}
