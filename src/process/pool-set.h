/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The pools of a daemon, by what makes them alike: whoever asks for a pool of the same command with
 * the same settings shares its processes. A pool lives as long as somebody holds it, and is drained then.
 */

#include "process/pool.h"

typedef struct PoolSet PoolSet;
typedef struct SharedPool SharedPool;

/* Pools at a time, those that are being drained included. */
#define POOL_SET_MAX_POOLS 1024U

int pool_set_new(Loop *loop, Spawner *spawner, PoolSet **ret);
/* No pool may be held any more. Those being drained are ended at once. */
PoolSet *pool_set_free(PoolSet *set);
DEFINE_CLEANUP(PoolSet *, pool_set_free);

/*
 * The pool NAME with CONFIG, held for the caller: one that there is, or a new one for which all that
 * CONFIG points to is copied (userdata of its callbacks is the SharedPool). NAME is for people, and
 * tells pools of the same configuration apart. 1: it is new, 0: it was there; errors of pool_new(), -EAGAIN
 * at POOL_SET_MAX_POOLS.
 */
int pool_set_hold(PoolSet *set, const char *name, const PoolConfig *config, SharedPool **ret);
/* May be called from a callback of the pool. Accepts NULL, returns NULL. */
SharedPool *shared_pool_release(SharedPool *shared);

/* What its holders have in common; FREE (may be NULL) frees it with the pool. */
void shared_pool_set_data(SharedPool *shared, void *data, void (*free)(void *data));
void *shared_pool_data(const SharedPool *shared);

Pool *shared_pool_get(const SharedPool *shared);
const char *shared_pool_name(const SharedPool *shared);

/* One after the other, oldest first; SHARED NULL: the first. NULL at the end. */
const SharedPool *pool_set_next(const PoolSet *set, const SharedPool *shared);
/* Whether nobody holds it any more. */
bool shared_pool_is_draining(const SharedPool *shared);
