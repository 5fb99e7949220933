/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Where runs go that have ended: an interface. What is kept, and for how long, is the store's; a
 * query is answered by callback before it returns, so a store keeps in memory what is asked for.
 */

#include "job/run.h"

typedef struct Store Store;

typedef struct StoreQuery {
        uint64_t id;               /* this run only; 0: any */
        const char *const *jobs;   /* names or patterns of fnmatch(3); any of them */
        size_t n_jobs;             /* 0: all */
        unsigned states;           /* a bit a RunState; 0: any */
        uint64_t before;           /* ids below this; 0: no limit */
        uint64_t parent;           /* members of this group; 0: any */
        size_t limit;              /* 0: no limit */
} StoreQuery;

/* Whether a run with this TRIGGER and ORIGIN is a member of the group PARENT. */
static inline bool store_is_member(uint64_t parent, RunTrigger trigger, uint64_t origin)
{
        return trigger == RUN_TRIGGER_GROUP && origin == parent;
}

typedef struct StoreAnswer {
        /* Newest first; RECORD lives for the call only. Returns whether to go on. */
        bool (*found)(const RunRecord *record, void *userdata);
        void *userdata;
} StoreAnswer;

typedef struct StoreOperations {
        /* Takes note of a run that has ended. Must not block; what can't be kept is counted. */
        void (*append)(Store *store, const RunRecord *run);
        void (*query)(Store *store, const StoreQuery *query, const StoreAnswer *answer);
        void (*set_limits)(Store *store, unsigned keep_runs, unsigned keep_runs_total);
        Store *(*free)(Store *store);
} StoreOperations;

struct Store {
        const StoreOperations *operations;
        uint64_t n_lost; /* runs that could not be kept */
};

/* Caps of what is kept: of one job, and of all. */
#define STORE_KEEP_RUNS 100U
#define STORE_KEEP_RUNS_TOTAL 20000U
#define STORE_KEEP_BYTES_TOTAL (64U * 1024 * 1024) /* of a store in memory: results may be large */

/* A store in memory: the last runs of each job. -ENOMEM. */
int memory_store_new(Store **ret);

static inline void store_append(Store *store, const RunRecord *run)
{
        store->operations->append(store, run);
}

static inline void store_query(Store *store, const StoreQuery *query, const StoreAnswer *answer)
{
        store->operations->query(store, query, answer);
}

/* 0 keeps nothing. */
static inline void store_set_limits(Store *store, unsigned keep_runs, unsigned keep_runs_total)
{
        store->operations->set_limits(store, keep_runs, keep_runs_total);
}

static inline Store *store_free(Store *store)
{
        return store ? store->operations->free(store) : NULL;
}
DEFINE_CLEANUP(Store *, store_free);
