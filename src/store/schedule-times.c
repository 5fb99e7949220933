/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file is a page with its format and an array of slots in no order. It is read whole at the start, and
 * each job that is loaded takes its old slot over into a new file, which gets the name once all of them
 * have: whatever the old one holds, and whoever ends the daemon before, does no harm. The array grows where it is,
 * so that no slot ever moves (base/mapped-file.h).
 */
#include "store/schedule-times.h"

#include <sys/random.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mapped-file.h"
#include "base/siphash.h"
#include "base/string-util.h"

#define HEADER_SIZE 4096U
#define SLOTS_MIN 64U

typedef struct Header {
        char magic[16];
        uint8_t boot_id[16];
        SipKey key;     /* of the names' hashes */
        uint64_t check; /* of all before; 0: of an older version, that had none, nor the next */
        uint64_t n;     /* slots in the file */
} Header;

typedef struct Slot {
        uint64_t name; /* hash; 0: free */
        union {
                ScheduleStamp stamp;
                uint64_t next_free; /* 1 + its index; 0: none */
        };
} Slot;

_Static_assert(sizeof(Slot) == 64, "a slot is a line of the cache");
_Static_assert(sizeof(Header) <= HEADER_SIZE, "the header fits its page");

static const char magic[16] = "takt schedule 1";

typedef struct ScheduleTimes {
        StampStore store;
        char *path;
        MappedFile *file;
        Slot *slots; /* in the file */
        Header header;
        size_t n; /* slots in the file */
        size_t n_used; /* from the first one on, those that are free again included */
        uint64_t free; /* as next_free */
        bool full; /* can't grow */
        Slot *old; /* of the last daemon, in the order of the names' hashes */
        size_t n_old;
} ScheduleTimes;

static size_t file_size(size_t n)
{
        return HEADER_SIZE + n * sizeof(Slot);
}

static void write_header(ScheduleTimes *times)
{
        times->header.n = times->n;
        memcpy(mapped_file_data(times->file), &times->header, sizeof(times->header));
}

static int grow(ScheduleTimes *times)
{
        int r = mapped_file_grow(times->file, file_size(times->n * 2));

        if (r < 0)
                return r;
        times->n *= 2;
        write_header(times);
        return 0;
}

/* Others can write to the file as well: a list that leads to a slot that isn't free ends before it. */
static Slot *take_free(ScheduleTimes *times)
{
        Slot *slot = times->free > 0 ? &times->slots[times->free - 1] : NULL;
        uint64_t next;

        if (!slot || slot->name != 0) {
                times->free = 0;
                return NULL;
        }
        next = slot->next_free;
        times->free = next <= times->n_used ? next : 0;
        return slot;
}

static Slot *take_slot(ScheduleTimes *times)
{
        Slot *slot = take_free(times);
        int r;

        if (slot || times->full)
                return slot;
        if (times->n_used == times->n) {
                r = grow(times);
                if (r < 0) {
                        log_warning("%s can't grow beyond %zu jobs (%s); the times of others won't survive the daemon",
                                    times->path, times->n, strerror(-r));
                        times->full = true;
                        return NULL;
                }
        }
        return &times->slots[times->n_used++];
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
        times->free = (uint64_t)(slot - times->slots) + 1;
}

static void times_settle(StampStore *store)
{
        ScheduleTimes *times = container_of(store, ScheduleTimes, store);

        free(TAKE_PTR(times->old));
        times->n_old = 0;
        mapped_file_commit(times->file);
}

static uint64_t times_hash(StampStore *store, const char *text)
{
        return hash(container_of(store, ScheduleTimes, store), text);
}

static int times_keep(StampStore *store, bool *ret_lost)
{
        ScheduleTimes *times = container_of(store, ScheduleTimes, store);
        int r = mapped_file_keep(times->file);

        *ret_lost = mapped_file_take_lost(times->file) > 0;
        if (*ret_lost)
                write_header(times);
        return r;
}

static void times_name(StampStore *store, ScheduleStamp *stamp, const char *name)
{
        container_of(stamp, Slot, stamp)->name = hash(container_of(store, ScheduleTimes, store), name);
}

static StampStore *times_free(StampStore *store)
{
        ScheduleTimes *times = container_of(store, ScheduleTimes, store);

        mapped_file_free(times->file);
        free(times->old);
        free(times->path);
        free(times);
        return NULL;
}

static const StampStoreOperations times_operations = {
        .get = times_get,
        .drop = times_drop,
        .settle = times_settle,
        .hash = times_hash,
        .keep = times_keep,
        .name = times_name,
        .free = times_free,
};

/* --- what the last daemon left --- */

static void forget_boot(ScheduleStamp *stamp)
{
        stamp->anchor_boottime = stamp->last_boottime = stamp->ended_boottime = 0;
}

static uint64_t header_check(const Header *header)
{
        return siphash24(&header->key, header, offsetof(Header, check)) ?: 1;
}

/* NULL: it can be used. */
static const char *look_at_header(const Buffer *file, Header *ret)
{
        Header header;

        if (file->len < HEADER_SIZE)
                return "it is cut short";
        memcpy(&header, file->data, sizeof(header));
        if (memcmp(header.magic, magic, sizeof(magic)) != 0)
                return "it is of another format";
        if (header.check != 0 && header.check != header_check(&header))
                return "its head is garbled";
        *ret = header;
        return NULL;
}

/* 1: there is something; 0: there is not, which is told; -ENOMEM. */
static int read_file(ScheduleTimes *times, Buffer *file)
{
        int r = mapped_file_read(times->path, file_size(SCHEDULE_TIMES_MAX), file);
        const char *problem;

        if (r == -ENOENT || r == -ENOMEM)
                return r == -ENOENT ? 0 : r;
        problem = r < 0 ? strerror(-r) : look_at_header(file, &times->header);
        if (problem)
                log_warning("%s is not readable (%s); schedules begin anew", times->path, problem);
        else if (file->len < file_size(MIN(times->header.n, (uint64_t)SCHEDULE_TIMES_MAX)))
                log_warning("%s is not readable to its end (it is cut short); some schedules begin anew", times->path);
        return !problem;
}

static int read_old(ScheduleTimes *times, const uint8_t boot_id[static 16])
{
        _cleanup_buffer_ Buffer file = BUFFER_NULL;
        int r = read_file(times, &file);
        bool same_boot;
        size_t n;

        if (r <= 0)
                return r;
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
        int r;

        times->n = SLOTS_MIN;
        while (times->n < times->n_old && times->n < SCHEDULE_TIMES_MAX)
                times->n *= 2;
        r = mapped_file_new(times->path, file_size(times->n), file_size(SCHEDULE_TIMES_MAX), &times->file);
        if (r < 0)
                return r;
        times->slots = (Slot *)(void *)((char *)mapped_file_data(times->file) + HEADER_SIZE);
        write_header(times);
        return 0;
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
        times->path = path_join(state_directory, "schedule-times");
        if (!times->path)
                return -ENOMEM;
        if (getrandom(&times->header.key, sizeof(times->header.key), GRND_NONBLOCK) < 0)
                times->header.key.k[0] = clock_boottime(clock_system());
        r = read_old(times, boot_id);
        if (r < 0)
                return r;
        memcpy(times->header.magic, magic, sizeof(magic));
        memcpy(times->header.boot_id, boot_id, sizeof(times->header.boot_id));
        times->header.check = header_check(&times->header);
        r = create(times);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(store);
        return 0;
}
