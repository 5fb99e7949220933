/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The file of the runs that are under way, as one daemon writes it and the next one reads it: a page with its format,
 * and a table of slots of one size. A run's slot is one of the SLOT_PROBE_MAX from its place on: ids go up by
 * one, so the first is nearly always free, and a run that ends is found without an index. A slot counts once
 * its id is written, last. What becomes of the table where there can't be a file is the matter of
 * base/mapped-file.h.
 */

#include "base/clock.h"
#include "base/macro.h"
#include "base/mapped-file.h"

#define SLOT_HEADER_SIZE 4096U
#define SLOT_PROBE_MAX 8U
/* Parameters that don't fit behind the job's name are not kept, and such a run is not repeated. */
#define SLOT_TEXT_SIZE 440U

/* The beginning of the file. */
typedef struct SlotHeader {
        char magic[16];
        uint64_t n;              /* slots in the file */
        uint64_t alive_boottime; /* when the daemon was there for certain */
        uint8_t left;            /* it ended on purpose */
} SlotHeader;

/*
 * Whether another run is to take the place of one that was lost. The file has only REPEAT_NO and REPEAT_NOW.
 */
typedef enum Repeat {
        REPEAT_NO,
        REPEAT_AFTER_END, /* it is leaving what it had entered */
        REPEAT_NOW,       /* its end was told */
        REPEAT_BEGIN,     /* it only waited, and begins itself; its note stays as it is */
} Repeat;

typedef struct Slot {
        uint64_t id; /* 0: free */
        uint64_t scheduled_realtime;
        uint64_t started_realtime; /* 0: it waits */
        uint64_t attempt_boottime; /* when its last attempt began */
        uint64_t cause;            /* job_trigger_id() of what it is due by; 0: of nothing that is known */
        uint64_t origin;           /* as in a Run */
        uint64_t replaces;         /* the lost run whose place it took; 0: none */
        uint32_t attempts;
        uint32_t seal;       /* of all that stays as it is: slot_write() */
        uint8_t trigger;
        uint8_t event_depth;
        uint8_t has_params;
        uint8_t n_resources; /* RunEntered */
        uint8_t entered_job;
        uint8_t over;
        uint8_t repeat;      /* Repeat */
        uint8_t n_deaths;    /* daemons that ended soon after the start of an attempt, one after the other */
        char text[SLOT_TEXT_SIZE]; /* the job's name and the parameters, each ended by a NUL */
} Slot;

static inline const char *slot_job(const Slot *slot)
{
        return slot->text;
}

static inline const char *slot_params(const Slot *slot)
{
        return slot->text + strlen(slot->text) + 1;
}

/* What a slot says of why and when its run is due, which stays as it is. */
typedef struct SlotCause {
        uint64_t scheduled_realtime, cause, origin, replaces;
        uint8_t trigger, event_depth;
} SlotCause;

/*
 * Writes what run ID of JOB is to do and why, and seals that: what a garbled slot asks for must not be
 * executed. Each name fits; PARAMS (NULL: {}) may not, which has_params says. What changes while the run
 * lives can't be sealed, as the daemon may end between two writes.
 */
void slot_write(Slot *slot, uint64_t id, const SlotCause *cause, const char *job, const char *params);

/* --- the table --- */

/* IDS are those of the slots, side by side: a look at SLOT_PROBE_MAX slots costs one line of the cache or two. */
typedef struct SlotTable {
        MappedFile *file; /* NULL: none */
        char *map; /* what is in it */
        uint64_t *ids;
        size_t n;  /* slots, a power of two */
} SlotTable;

static inline Slot *slot_table_slots(const SlotTable *table)
{
        return (Slot *)(void *)(table->map + SLOT_HEADER_SIZE);
}

static inline SlotHeader *slot_table_header(const SlotTable *table)
{
        return (SlotHeader *)(void *)table->map;
}

/*
 * The first place of run ID. Runs that were made one after the other are side by side. What a life after a
 * crash of the machine begins with is 2^24 further on, and would have the places of what was left: the upper
 * bits move it (by the golden ratio; Knuth, The Art of Computer Programming, 6.4).
 */
static inline size_t slot_table_place(const SlotTable *table, uint64_t id)
{
        return (size_t)(id + ((id >> 20) * UINT64_C(0x9e3779b97f4a7c15) >> 32)) & (table->n - 1);
}

/* The slot of run ID, which may be 0 for a free one where a run of id AT would be put. NULL: there is none. */
static inline Slot *slot_table_find(const SlotTable *table, uint64_t at, uint64_t id)
{
        size_t first = slot_table_place(table, at);

        for (size_t i = 0; i < SLOT_PROBE_MAX; i++) {
                size_t k = (first + i) & (table->n - 1);

                if (table->ids[k] == id)
                        return &slot_table_slots(table)[k];
        }
        return NULL;
}

/* Asks the ids and not the slot: of a page that is new to this process, the first access is the one that writes. */
static inline bool slot_table_is_free(const SlotTable *table, const Slot *slot)
{
        return table->ids[slot - slot_table_slots(table)] == 0;
}

/* Takes or frees SLOT, once all else in it is written. */
static inline void slot_table_set_id(SlotTable *table, Slot *slot, uint64_t id)
{
        table->ids[slot - slot_table_slots(table)] = id;
        __atomic_store_n(&slot->id, id, __ATOMIC_RELEASE);
}

/*
 * Copies SLOT into a table that has no name yet, to the place of run ID. Of a slot that became zeros only the
 * place is taken. In line, as a table that grows does so for each. False: there is no place for it.
 */
static inline bool slot_table_put(SlotTable *table, const Slot *slot, uint64_t id)
{
        Slot *place = slot_table_find(table, id, 0);

        if (!place)
                return false;
        *place = *slot;
        table->ids[place - slot_table_slots(table)] = id;
        return true;
}

/* An empty table of N slots, in a file that gets its name by mapped_file_commit(). -ENOMEM. */
int slot_table_create(const char *path, size_t n, SlotTable *ret);
void slot_table_deinit(SlotTable *table);
/* Writes the header of a table whose daemon was not there yet. */
void slot_table_write_header(SlotTable *table);

/* --- what the last daemon left --- */

/* The slots of PATH that are in use, in the order of their ids. */
typedef struct SlotsLeft {
        Slot *slots;
        size_t n;
        bool on_purpose;       /* that daemon ended so */
        usec_t alive_boottime; /* when it was there last */
} SlotsLeft;

/*
 * Reads at most MAX slots. What can't be read is logged and left out, and so is what can't be believed, and the older of
 * two runs that stand for one. -ENOMEM.
 */
int slots_left_read(const char *path, size_t max, SlotsLeft *ret);
void slots_left_deinit(SlotsLeft *left);

static inline int slot_compare(const void *a, const void *b)
{
        const Slot *x = a, *y = b;

        return x->id < y->id ? -1 : x->id > y->id;
}

/* The slot of run ID; NULL: there is none, which each run that ends asks for. */
static inline Slot *slots_left_find(const SlotsLeft *left, uint64_t id)
{
        return left->n == 0 ? NULL : bsearch(&(Slot){ .id = id }, left->slots, left->n, sizeof(Slot), slot_compare);
}
