/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * There are three ranges of ids:
 *
 *     1 … 2^40      small   given only below a number that the file held before
 *     2^40 … 2^52   clock   a life begins at the seconds since 2026 times 2^21, or above
 *     2^52 … 2^53   chance  a life begins at a random place
 *
 * The file names the end of a block of ids before the first of them is given. A clean stop leaves "NEXT FILE
 * CHECK". A life has "NEXT LIMIT BOOT FILE CHECK" in the file: all small ids of this life are below LIMIT,
 * and those up to now below NEXT. FILE binds the line to the file that it is in (base/seal.h), so that a copy
 * is known: what was saved and comes back names ids that were given since, and is no witness of them. Nor is
 * a whole environment that was copied. Only the first block of a life is synced. Later ones are not, as the
 * loop must not wait for a disk; but what a process has written is there for the next one, as long as the
 * machine stays up.
 *
 * Small ids don't repeat. Each is below the NEXT of a file that was written whole, under a check that tells of a
 * changed bit. The next life of the same boot begins at NEXT. After a crash of the machine the file may be an older
 * one of the same life, so a life of another boot begins at LIMIT, which has been on the disk since the first id. A
 * life that runs into its LIMIT, or can't write the next block, leaves the small range for good and says so in the
 * file as soon as it can. Where that was never possible, the file still tells where small ids go on, and that is
 * right: what was given beyond it was not small. The same goes for a file that was taken away and comes back.
 *
 * Ids of the clock don't repeat. No life gives more than 2^21 ids a second, so none gets ahead of the clock at which
 * it began, and the next one begins above it. The file is no part of this. Where it names a number that the clock has
 * not reached, the clock was set back and proves nothing: then, and where it was never set, as on boards without a
 * battery, chance decides. It errs once in thousands of lives that all give a billion ids.
 *
 * So a file that is missing, garbled, copied, or from an older version, which ignored that it couldn't write,
 * costs small numbers and nothing else. A new environment has a file that says 1. Whoever sets back the whole
 * file system, or the virtual machine, takes with it all that could tell; ids of the clock don't repeat even
 * then.
 *
 * Only who makes the environment can write that file, as "taktctl env create" does. A directory that is empty
 * proves nothing, not even to the one who has just made it: it is made anew as well where it was removed,
 * where its disk was not mounted, and at each boot where it is on one that is volatile, and the ids of the
 * lives before are still in logs and with clients. The same goes for the service manager (StateDirectory=,
 * ExecStartPre=, tmpfiles.d) and for an installation, which may be the second one. So the environments of the
 * system and of users, which nobody makes, begin by the clock.
 */
#include "sched/run-id.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/seal.h"
#include "base/siphash.h"
#include "base/string-util.h"

#define RUN_ID_FILE_MAX 160U
#define BOOT_HEX_MAX 33U

#define CLOCK_EPOCH (UINT64_C(1767225600) * USEC_PER_SEC) /* 2026-01-01 */
#define CLOCK_END (UINT64_C(1) << 52)
#define CLOCK_BITS 21
/* A file may be so far ahead of a clock that was never set back: a block, or what a life may give. */
#define CLOCK_SLACK (2 * (uint64_t)RUN_ID_LIFE_MAX)
/* There is room for a life of some years behind each place that chance may choose. */
#define CHANCE_RANGE (RUN_ID_END - CLOCK_END - (UINT64_C(1) << 48))

struct RunIds {
        char *path; /* NULL: in memory alone */
        Clock *clock;
        char boot[BOOT_HEX_MAX];
        uint64_t next;
        uint64_t turn;     /* the id at which the next block is to be reserved */
        uint64_t reserved; /* the file vouches for ids below */
        uint64_t limit;    /* of the small ids of this life */
        uint64_t small_end; /* small ids from here on were not given by this life, which has left them */
        uint64_t first;     /* of the last row of ids without a gap that this life gives */
        uint64_t block;
        int error;         /* of the last attempt to write the file */
        dev_t device;      /* of the file, once it was written; inode 0: it never was */
        ino_t inode;
};

static uint64_t by_chance(const RunIds *ids)
{
        const uint64_t seed[] = { clock_realtime(ids->clock), clock_boottime(ids->clock), (uint64_t)getpid() };
        const SipKey key = { { (uintptr_t)ids, 0 } };
        uint64_t number;

        if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
                number = siphash24(&key, seed, sizeof(seed)) ^ siphash24(&key, ids->boot, sizeof(ids->boot));
        return CLOCK_END + number % CHANCE_RANGE;
}

/* 0 before 2026. */
static uint64_t by_clock(const RunIds *ids)
{
        usec_t age = usec_sub(clock_realtime(ids->clock), CLOCK_EPOCH);

        return (age / USEC_PER_SEC << CLOCK_BITS) + ((age % USEC_PER_SEC) << CLOCK_BITS) / USEC_PER_SEC;
}

/* A number from AT_LEAST on that no earlier life has reached. */
static uint64_t unreached(const RunIds *ids, uint64_t at_least)
{
        uint64_t now = by_clock(ids);

        if (now < RUN_ID_SMALL_END || now >= CLOCK_END || now + CLOCK_SLACK < at_least)
                return by_chance(ids);
        return MAX(now, at_least);
}

static bool is_small(const RunIds *ids)
{
        return ids->next < RUN_ID_SMALL_END;
}

static void go_on_at(RunIds *ids, uint64_t id)
{
        ids->next = ids->first = id;
}

/* Also from the clock's range, in which nothing is to be told: to where the clock is now. */
static void leave_small(RunIds *ids, const char *why)
{
        bool small = is_small(ids);

        if (small)
                ids->small_end = ids->next;
        go_on_at(ids, unreached(ids, ids->next));
        ids->reserved = 0;
        if (small)
                log_notice("Run ids go on at %llu, as %s %s", (unsigned long long)ids->next, ids->path, why);
}

/* --- the file --- */

/* Whether what has the name now is another file than the one that was written last, or none. */
static bool was_taken(const RunIds *ids)
{
        struct stat st;

        return ids->inode > 0 && (lstat(ids->path, &st) < 0 || st.st_ino != ids->inode || st.st_dev != ids->device);
}

static int write_words(RunIds *ids, const char *words, bool sync)
{
        struct stat st;
        int r;

        r = seal_file(ids->path, words, 0644, sync);
        /* Something has made a directory there. One that holds nothing is no loss. */
        if (r == -EISDIR && rmdir(ids->path) == 0)
                r = seal_file(ids->path, words, 0644, sync);
        if (r >= 0 && lstat(ids->path, &st) < 0)
                r = negative_errno();
        if (r < 0)
                return r;
        ids->device = st.st_dev;
        ids->inode = st.st_ino;
        return 0;
}

static int write_reserved(RunIds *ids, uint64_t end, bool sync)
{
        _cleanup_buffer_ Buffer words = BUFFER_NULL;
        int r = buffer_appendf(&words, "%llu %llu %s", (unsigned long long)end,
                               (unsigned long long)(is_small(ids) ? ids->limit : end + RUN_ID_LIFE_MAX), ids->boot);

        return r < 0 ? r : write_words(ids, words.data, sync);
}

static int write_next(RunIds *ids)
{
        _cleanup_buffer_ Buffer words = BUFFER_NULL;
        int r = buffer_appendf(&words, "%llu", (unsigned long long)ids->next);

        return r < 0 ? r : write_words(ids, words.data, true);
}

/* Where the file can't be written, what it vouches for is used up first. */
static void reserve(RunIds *ids, bool sync)
{
        uint64_t end;

        if (is_small(ids) && was_taken(ids))
                leave_small(ids, "was taken away");
        if (is_small(ids) && ids->next + ids->block > ids->limit)
                leave_small(ids, "has no more of them for one life");
        end = ids->next + ids->block;
        ids->error = write_reserved(ids, end, sync);
        if (ids->error >= 0) {
                ids->reserved = end;
                ids->turn = end - ids->block / 4;
                return;
        }
        ids->turn = ids->reserved;
        if (ids->next < ids->reserved)
                return;
        if (ids->next < CLOCK_END)
                leave_small(ids, "can't be written");
        ids->turn = ids->next + ids->block;
}

static bool parse_id(const char *text, uint64_t *ret)
{
        return text && parse_uint64(text, ret) >= 0 && *ret > 0 && *ret < RUN_ID_END;
}

/* Of an older version: "NUMBER\n". A part of a line of today has no end. */
static int parse_old(Buffer *text, uint64_t *ret)
{
        if (text->len < 2 || text->data[text->len - 1] != '\n')
                return -EBADMSG;
        text->data[text->len - 1] = '\0';
        return parse_id(text->data, ret) ? -EUCLEAN : -EBADMSG;
}

static int parse_words(const RunIds *ids, char *words, uint64_t *ret)
{
        uint64_t next, limit;
        char *rest = strchr(words, ' ');

        if (rest)
                *rest++ = '\0';
        if (!parse_id(words, &next))
                return -EBADMSG;
        *ret = next;
        if (!rest)
                return 0;
        words = rest;
        rest = strchr(words, ' ');
        if (rest)
                *rest++ = '\0';
        if (!rest || !parse_id(words, &limit) || limit < next)
                return -EBADMSG;
        *ret = streq(rest, ids->boot) ? next : limit;
        return 0;
}

/* -EUCLEAN: the number is of an older version, -ESTALE: it is of another time. */
static int read_next(const RunIds *ids, uint64_t *ret)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        int r = unseal_file(ids->path, RUN_ID_FILE_MAX, &text), k;

        if (r == -EFBIG || strlen(buffer_string(&text)) != text.len)
                return -EBADMSG;
        if (r == -EBADMSG)
                return parse_old(&text, ret);
        if (r < 0 && r != -ESTALE && r != -EUCLEAN)
                return r;
        k = parse_words(ids, text.data, ret);
        return k < 0 ? k : r;
}

static void log_begin(const RunIds *ids, int error)
{
        const char *what = error == -EBADMSG ? "it holds no run id that can be believed" :
                           error == -EUCLEAN ? "it is of an older version, which may have gone beyond it" :
                           error == -ESTALE ? "it is a copy, and later ids than it knows may have been given" : strerror(-error);

        if (error == -ENOENT)
                log_info("There is no %s; run ids begin at %llu", ids->path, (unsigned long long)ids->next);
        else
                log_warning("%s can't be trusted (%s); run ids go on at %llu", ids->path, what, (unsigned long long)ids->next);
}

/* --- */

int run_ids_new(RunIds **ret)
{
        RunIds *ids = new0(RunIds, 1);

        if (!ids)
                return -ENOMEM;
        go_on_at(ids, 1);
        ids->small_end = RUN_ID_SMALL_END;
        ids->turn = UINT64_MAX;
        ids->block = RUN_ID_BLOCK_MIN;
        *ret = ids;
        return 0;
}

int run_ids_keep(RunIds *ids, const char *path, Clock *clock, const uint8_t boot_id[static 16])
{
        char *copy = strdup(path);
        uint64_t next = 1;
        int r;

        if (!copy)
                return -ENOMEM;
        ids->path = copy;
        ids->clock = clock;
        for (unsigned i = 0; i < 16; i++)
                (void)snprintf(ids->boot + 2 * i, 3, "%02x", boot_id[i]);
        r = read_next(ids, &next);
        if (r == -ENOMEM)
                return r;
        go_on_at(ids, r >= 0 && next <= RUN_ID_SMALL_END - RUN_ID_LIFE_MAX ? next : unreached(ids, next));
        ids->limit = ids->next + RUN_ID_LIFE_MAX;
        if (r < 0)
                log_begin(ids, r);
        reserve(ids, true);
        return 0;
}

RunIds *run_ids_close(RunIds *ids)
{
        if (!ids)
                return NULL;
        /* What is there still says where to go on if this fails. */
        if (ids->path)
                (void)write_next(ids);
        free(ids->path);
        free(ids);
        return NULL;
}

static _noinline_ void advance(RunIds *ids)
{
        ids->block = MIN(ids->block * 2, (uint64_t)RUN_ID_BLOCK_MAX);
        reserve(ids, false);
}

uint64_t run_ids_next(RunIds *ids)
{
        if (ids->next >= ids->turn)
                advance(ids);
        return ids->next++;
}

bool run_ids_was_given(const RunIds *ids, uint64_t id)
{
        return id > 0 && id < ids->next && (id < ids->small_end || id >= ids->first);
}

void run_ids_seen(RunIds *ids, uint64_t id)
{
        if (id < ids->next || id >= RUN_ID_END)
                return;
        go_on_at(ids, unreached(ids, id + 1));
        ids->reserved = 0;
        if (ids->path)
                reserve(ids, false);
}

int run_ids_check(RunIds *ids)
{
        if (ids->path && (ids->error < 0 || was_taken(ids)))
                reserve(ids, false);
        return ids->error;
}
