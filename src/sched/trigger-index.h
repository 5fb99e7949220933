/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Who listens to whom (On=), and the queue of each listening job; what is done with an event is triggers.c. */

#include "sched/internal.h"

typedef struct Listener Listener;

struct Listener {
        List link; /* of its source, or of the patterns */
        TriggerTarget *target;
        EventSource *source; /* NULL: a pattern */
        const EventTrigger *trigger;
};

struct EventSource {
        RB_ENTRY(EventSource) by_name;
        List listeners;
        char name[];
};

/* What a job listens for, and what waits for it. */
struct TriggerTarget {
        Job *job;
        JobSpec *spec; /* that the listeners are of */
        List ring;     /* while something waits: in the index's ring, or among those that are held */
        List pending;
        unsigned n_pending;
        bool held;     /* until a run of its job ends */
        uint64_t n_dropped;
        uint64_t last; /* the last event that was taken, so that none is taken twice */
        size_t n_listeners;
        Listener *listeners;
};

/* NULL: nobody listens to the job NAME by its name. */
EventSource *event_source_find(Scheduler *s, const char *name);
/* Its job listens to nobody any more; what waits for it stays. */
void trigger_target_unlisten(Scheduler *s, TriggerTarget *target);
/* Frees the target of JOB, where it has one, that listens to nobody and for which nothing waits. */
void trigger_target_free_if_idle(Job *job);
