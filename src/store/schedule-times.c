/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file is a page with its format and an array of slots in no order. It is read whole at the start, and
 * each job that is loaded takes its old slot over into a new file, which gets the name once all of them
 * have: whatever the old one holds, and whoever ends the daemon before, does no harm. The array grows by
 * chunks that are mapped each by itself, so that no slot ever moves. Blocks are allocated before they are
 * mapped, so that a full disk is an error of the growth and no signal.
 */
#include "store/schedule-times.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/siphash.h"
#include "base/string-util.h"

#define HEADER_SIZE 4096U
#define SLOTS_MIN 64U
/* The first chunk has SLOTS_MIN or more, each further one as many as all before it. */
#define CHUNKS_MAX 16U

typedef struct Header {
        char magic[16];
        uint8_t boot_id[16];
        SipKey key; /* of the names' hashes */
} Header;

typedef struct Slot {
        uint64_t name; /* hash; 0: free */
        union {
                ScheduleStamp stamp;
                struct Slot *next_free; /* of this process; nobody reads it from the file */
        };
} Slot;

_Static_assert(sizeof(Slot) == 64, "a slot is a line of the cache");
_Static_assert(SLOTS_MIN * sizeof(Slot) % HEADER_SIZE == 0, "chunks are whole pages");
_Static_assert(SLOTS_MIN << (CHUNKS_MAX - 1) >= SCHEDULE_TIMES_MAX, "there are chunks for all slots");

static const char magic[16] = "takt schedule 1";

typedef struct Chunk {
        Slot *slots;
        size_t n;
} Chunk;

typedef struct ScheduleTimes {
        StampStore store;
        char *path;
        char *new_path; /* until the file has its name */
        int fd;
        Header header;
        Chunk chunks[CHUNKS_MAX];
        size_t n_chunks;
        size_t n; /* slots in all chunks */
        size_t n_used; /* from the first one on, those that are free again included */
        Slot *free;
        bool full; /* can't grow */
        Slot *old; /* of the last daemon, in the order of the names' hashes */
        size_t n_old;
} ScheduleTimes;

static int grow(ScheduleTimes *times, size_t n)
{
        off_t offset = (off_t)(HEADER_SIZE + times->n * sizeof(Slot));
        void *map;
        int r;

        if (times->n_chunks == CHUNKS_MAX || n > SCHEDULE_TIMES_MAX - times->n)
                return -E2BIG;
        r = posix_fallocate(times->fd, offset, (off_t)(n * sizeof(Slot)));
        if (r > 0)
                return -r;
        map = mmap(NULL, n * sizeof(Slot), PROT_READ | PROT_WRITE, MAP_SHARED, times->fd, offset);
        if (map == MAP_FAILED)
                return negative_errno();
        times->chunks[times->n_chunks++] = (Chunk){ .slots = map, .n = n };
        times->n += n;
        return 0;
}

static Slot *slot_at(const ScheduleTimes *times, size_t i)
{
        for (size_t k = 0; k < times->n_chunks; k++) {
                if (i < times->chunks[k].n)
                        return &times->chunks[k].slots[i];
                i -= times->chunks[k].n;
        }
        return NULL;
}

static Slot *take_slot(ScheduleTimes *times)
{
        Slot *slot = times->free;
        int r;

        if (slot) {
                times->free = slot->next_free;
                return slot;
        }
        if (times->full)
                return NULL;
        if (times->n_used == times->n) {
                r = grow(times, times->n);
                if (r < 0) {
                        log_warning("%s can't grow beyond %zu jobs (%s); the times of others won't survive the daemon",
                                    times->path, times->n, strerror(-r));
                        times->full = true;
                        return NULL;
                }
        }
        return slot_at(times, times->n_used++);
}

static uint64_t hash(const ScheduleTimes *times, const char *text)
{
        return siphash24(&times->header.key, text, strlen(text)) ?: 1;
}

static int slot_compare(const void *a, const void *b)
{
        const Slot *x = a, *y = b;

        return x->name < y->name ? -1 : x->name > y->name;
}

static ScheduleStamp *times_get(StampStore *store, const char *name)
{
        ScheduleTimes *times = container_of(store, ScheduleTimes, store);
        const Slot key = { .name = hash(times, name) };
        Slot *slot = take_slot(times), *old;

        if (!slot)
                return NULL;
        old = times->n_old > 0 ? bsearch(&key, times->old, times->n_old, sizeof(Slot), slot_compare) : NULL;
        slot->stamp = old ? old->stamp : (ScheduleStamp){};
        slot->name = key.name;
        return &slot->stamp;
}

static void times_drop(StampStore *store, ScheduleStamp *stamp)
{
        ScheduleTimes *times = container_of(store, ScheduleTimes, store);
        Slot *slot = container_of(stamp, Slot, stamp);

        slot->name = 0;
        slot->next_free = times->free;
        times->free = slot;
}

static void times_settle(StampStore *store)
{
        ScheduleTimes *times = container_of(store, ScheduleTimes, store);

        free(TAKE_PTR(times->old));
        times->n_old = 0;
        if (times->new_path && rename(times->new_path, times->path) < 0)
                log_errno(LOG_WARNING, negative_errno(), "%s can't be replaced, schedules won't survive the daemon: %m",
                          times->path);
        free(TAKE_PTR(times->new_path));
}

static uint64_t times_hash(StampStore *store, const char *text)
{
        return hash(container_of(store, ScheduleTimes, store), text);
}

static StampStore *times_free(StampStore *store)
{
        ScheduleTimes *times = container_of(store, ScheduleTimes, store);

        for (size_t k = 0; k < times->n_chunks; k++)
                (void)munmap(times->chunks[k].slots, times->chunks[k].n * sizeof(Slot));
        if (times->new_path)
                (void)unlink(times->new_path);
        safe_close(times->fd);
        free(times->old);
        free(times->new_path);
        free(times->path);
        free(times);
        return NULL;
}

static const StampStoreOperations times_operations = {
        .get = times_get,
        .drop = times_drop,
        .settle = times_settle,
        .hash = times_hash,
        .free = times_free,
};

/* --- what the last daemon left --- */

static void forget_boot(ScheduleStamp *stamp)
{
        stamp->anchor_boottime = stamp->last_boottime = stamp->ended_boottime = 0;
}

static int read_old(ScheduleTimes *times, const uint8_t boot_id[static 16])
{
        _cleanup_buffer_ Buffer file = BUFFER_NULL;
        int r = read_file_at(AT_FDCWD, times->path, HEADER_SIZE + SCHEDULE_TIMES_MAX * sizeof(Slot), &file);
        bool same_boot;
        size_t n;

        if (r == -ENOENT || r == -ENOMEM)
                return r == -ENOENT ? 0 : r;
        if (r < 0 || file.len < HEADER_SIZE || memcmp(file.data, magic, sizeof(magic)) != 0) {
                log_warning("%s is not readable (%s); schedules begin anew", times->path,
                            r < 0 ? strerror(-r) : "it is of another format");
                return 0;
        }
        memcpy(&times->header, file.data, sizeof(Header));
        same_boot = memcmp(times->header.boot_id, boot_id, sizeof(times->header.boot_id)) == 0;
        n = (file.len - HEADER_SIZE) / sizeof(Slot);
        times->old = new0(Slot, n + 1);
        if (!times->old)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                Slot *slot = &times->old[times->n_old];

                memcpy(slot, file.data + HEADER_SIZE + i * sizeof(Slot), sizeof(Slot));
                if (!same_boot)
                        forget_boot(&slot->stamp);
                times->n_old += slot->name != 0;
        }
        if (times->n_old > 0)
                qsort(times->old, times->n_old, sizeof(Slot), slot_compare);
        return 0;
}

static int create(ScheduleTimes *times)
{
        size_t n = SLOTS_MIN;
        int r;

        (void)unlink(times->new_path);
        times->fd = open(times->new_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (times->fd < 0)
                return negative_errno();
        r = posix_fallocate(times->fd, 0, HEADER_SIZE);
        if (r > 0)
                return -r;
        r = write_all(times->fd, &times->header, sizeof(times->header));
        if (r < 0)
                return r;
        while (n < times->n_old && n < SCHEDULE_TIMES_MAX)
                n *= 2;
        return grow(times, n);
}

int schedule_times_open(const char *state_directory, const uint8_t boot_id[static 16], StampStore **ret)
{
        ScheduleTimes *times = new0(ScheduleTimes, 1);
        _cleanup_(stamp_store_freep) StampStore *store = NULL;
        int r;

        if (!times)
                return -ENOMEM;
        store = &times->store;
        store->operations = &times_operations;
        times->fd = -1;
        times->path = path_join(state_directory, "schedule-times");
        times->new_path = times->path ? xasprintf("%s.new", times->path) : NULL;
        if (!times->new_path)
                return -ENOMEM;
        if (getrandom(&times->header.key, sizeof(times->header.key), GRND_NONBLOCK) < 0)
                times->header.key.k[0] = clock_boottime(clock_system());
        r = read_old(times, boot_id);
        if (r < 0)
                return r;
        memcpy(times->header.magic, magic, sizeof(magic));
        memcpy(times->header.boot_id, boot_id, sizeof(times->header.boot_id));
        r = create(times);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(store);
        return 0;
}
