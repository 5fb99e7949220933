/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Resources that runs hold (Use=): who holds how much of each, and who waits for it. What a run does with what
 * it was given is guard.h.
 */

#include "sched/internal.h"

typedef struct Resource Resource;

struct Resource {
        ResourceSpec *spec;
        bool removed;
        unsigned n_holders;
        unsigned n_waiting;
        uint64_t holder; /* the run that took it last */
        List waiting;    /* Run.queue, in the order of their coming */
};

/* NULL: none of that name is in force. */
Resource *resource_find(const Scheduler *s, const char *name);

/* RUN holds one more of it, whether that is free or not. */
void resource_hold(Resource *resource, const Run *run);
/* One is given back: who waits goes on. RESOURCE may be gone afterwards. */
void resource_leave(Scheduler *s, Resource *resource);

static inline bool resource_is_free(const Resource *resource)
{
        return resource->n_holders < resource->spec->capacity && resource->n_waiting == 0;
}

/* RUN, in no queue so far, waits at the end of this one. guard_granted() is called when its turn has come. */
void resource_wait(Resource *resource, Run *run);
/* It waits no more. */
void resource_unwait(Resource *resource, Run *run);

/* Frees all, which nobody holds. */
void resources_free(Scheduler *s);
