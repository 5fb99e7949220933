/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What happened to a job or a run. Events are made on the stack and handed to observers in the
 * order in which these subscribed; what an observer keeps it copies.
 */

#include "base/clock.h"
#include "base/list.h"
#include "job/requester.h"
#include "json/writer.h"

typedef struct Event Event;
typedef struct EventBus EventBus;
typedef struct EventObserver EventObserver;

typedef enum EventType {
        /* of a run */
        EVENT_QUEUED,
        EVENT_RUNNING,
        EVENT_PROGRESS, /* of a kind: a flash, a count */
        EVENT_YIELD,    /* a value before its end, the result as far as is known */
        EVENT_STALE,    /* it has given no value for too long */
        EVENT_FRESH,    /* it gives values again */
        EVENT_RETRYING,
        EVENT_SUCCEEDED,
        EVENT_FAILED,
        EVENT_TIMEOUT,
        EVENT_CANCELLED,
        EVENT_SKIPPED,
        EVENT_MISSED,
        EVENT_LOST,
        /* of a job */
        EVENT_ADDED,
        EVENT_CHANGED,
        EVENT_REMOVED,
        EVENT_PAUSED,
        EVENT_RESUMED,
        EVENT_REFUSED, /* its file is broken; an old definition goes on */
        EVENT_FINISHED, /* it never runs by schedule again */
        _EVENT_TYPE_MAX,
} EventType;

/* Types as a set. */
#define EVENT_BIT(type) (1U << (type))
/* Of a run that has ended. */
#define EVENT_BITS_END (EVENT_BIT(EVENT_LOST + 1) - EVENT_BIT(EVENT_SUCCEEDED))

struct Job;
struct Run;

struct Event {
        EventType type;
        uint64_t sequence; /* set by the bus: 1, 2, … */
        usec_t realtime;   /* set by the bus where it is 0 */
        const char *job;   /* name; never NULL */
        const struct Run *run;
        const Requester *by; /* the client who had it happen; NULL: none did, or see RUN */
        const char *message; /* for people; NULL: none */
        const char *data;    /* JSON text; NULL: none */
};

struct EventObserver {
        void (*notify)(EventObserver *observer, const Event *event);
        unsigned types; /* that it is told of, as EVENT_BIT(); 0: all */
        List link;
};

struct EventBus {
        Clock *clock;
        uint64_t sequence;
        List observers;
};

void event_bus_init(EventBus *bus, Clock *clock);
/* OBSERVER is borrowed; it is told of all that happens from now on. */
void event_bus_subscribe(EventBus *bus, EventObserver *observer);
void event_bus_unsubscribe(EventObserver *observer);
/* Numbers EVENT and tells everyone. */
void event_bus_emit(EventBus *bus, Event *event);

/* Of a run that goes on in the state that it was in. */
static inline bool event_type_is_progress(EventType type)
{
        return type >= EVENT_PROGRESS && type <= EVENT_FRESH;
}

/* Who had it happen: of a run, who began it by hand where it begins, and who cancelled it. NULL: nobody, or it is not known. */
const Requester *event_requester(const Event *event);

const char *event_type_to_string(EventType type);
/* -EINVAL */
int event_type_from_string(const char *s);
/* Adds the keys of an Event object as the io.takt.Runs interface has it to the open object. */
void event_write(const Event *event, JsonWriter *w);
