/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What is kept of a job's place in time, so that the next daemon goes on from there: an interface of
 * whoever keeps it. Stamps are memory that the scheduler writes to with no call; what becomes of that
 * memory, and when, is the keeper's. So one may hold anything when it is read, and is checked then.
 */

#include "base/clock.h"

typedef struct ScheduleStamp {
        uint64_t schedule;       /* a hash of [Schedule]; 0: nothing is known */
        usec_t anchor_boottime;  /* as in ScheduleState; 0: of another boot, as are the next two */
        usec_t last_boottime;
        usec_t ended_boottime;
        usec_t last_realtime;    /* 0: not known */
        uint64_t done;
        uint32_t count;
        uint32_t n_catch_up;     /* missed occurrences that were to be caught up on */
} ScheduleStamp;

typedef struct StampStore StampStore;

typedef struct StampStoreOperations {
        /*
         * The stamp of job NAME, as it was left or zeroed. It stays where it is until it is dropped. NULL: it can't be
         * kept.
         */
        ScheduleStamp *(*get)(StampStore *store, const char *name);
        /* The job is no more. */
        void (*drop)(StampStore *store, ScheduleStamp *stamp);
        /* All jobs that there are have got theirs: others are forgotten. */
        void (*settle)(StampStore *store);
        uint64_t (*hash)(StampStore *store, const char *text);
        /*
         * Looks whether what is written to stamps is kept, and has it kept where that can be had again. 0: it is;
         * 1: call again soon; else why it is not. RET_LOST: stamps became zeros since the last call, and no longer
         * are of the jobs that they were given to.
         */
        int (*keep)(StampStore *store, bool *ret_lost);
        /* STAMP is of job NAME, as it was when it was given. */
        void (*name)(StampStore *store, ScheduleStamp *stamp, const char *name);
        StampStore *(*free)(StampStore *store);
} StampStoreOperations;

struct StampStore {
        const StampStoreOperations *operations;
};

static inline ScheduleStamp *stamp_store_get(StampStore *store, const char *name)
{
        return store->operations->get(store, name);
}

static inline void stamp_store_drop(StampStore *store, ScheduleStamp *stamp)
{
        store->operations->drop(store, stamp);
}

static inline void stamp_store_settle(StampStore *store)
{
        store->operations->settle(store);
}

/* Of equal texts the same, in this process and the next one; never 0. */
static inline uint64_t stamp_store_hash(StampStore *store, const char *text)
{
        return store->operations->hash(store, text);
}

static inline int stamp_store_keep(StampStore *store, bool *ret_lost)
{
        return store->operations->keep(store, ret_lost);
}

static inline void stamp_store_name(StampStore *store, ScheduleStamp *stamp, const char *name)
{
        store->operations->name(store, stamp, name);
}

static inline StampStore *stamp_store_free(StampStore *store)
{
        return store ? store->operations->free(store) : NULL;
}
DEFINE_CLEANUP(StampStore *, stamp_store_free);
