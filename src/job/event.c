/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job/event.h"

#include "job/run.h"

static const char *const type_names[_EVENT_TYPE_MAX] = {
        [EVENT_QUEUED] = "queued",       [EVENT_RUNNING] = "running",     [EVENT_PROGRESS] = "progress",
        [EVENT_YIELD] = "yield",         [EVENT_STALE] = "stale",         [EVENT_FRESH] = "fresh",
        [EVENT_RETRYING] = "retrying",   [EVENT_SUCCEEDED] = "succeeded", [EVENT_FAILED] = "failed",
        [EVENT_TIMEOUT] = "timeout",     [EVENT_CANCELLED] = "cancelled", [EVENT_SKIPPED] = "skipped",
        [EVENT_MISSED] = "missed",       [EVENT_LOST] = "lost",           [EVENT_ADDED] = "added",
        [EVENT_CHANGED] = "changed",     [EVENT_REMOVED] = "removed",     [EVENT_PAUSED] = "paused",
        [EVENT_RESUMED] = "resumed",     [EVENT_REFUSED] = "refused",     [EVENT_FINISHED] = "finished",
};

void event_bus_init(EventBus *bus, Clock *clock)
{
        bus->clock = clock;
        bus->sequence = 0;
        list_init(&bus->observers);
}

void event_bus_subscribe(EventBus *bus, EventObserver *observer)
{
        list_append(&bus->observers, &observer->link);
}

void event_bus_unsubscribe(EventObserver *observer)
{
        if (observer->link.next)
                list_unlink(&observer->link);
}

void event_bus_emit(EventBus *bus, Event *event)
{
        EventObserver *observer;

        event->sequence = ++bus->sequence;
        if (event->realtime == 0)
                event->realtime = clock_realtime(bus->clock);
        list_foreach(observer, &bus->observers, EventObserver, link)
                if (observer->types == 0 || observer->types & EVENT_BIT(event->type))
                        observer->notify(observer, event);
}

const Requester *event_requester(const Event *event)
{
        const RunStory *story = event->run ? event->run->extra->story : NULL;
        const Requester *by = event->by;

        if (story && event->type == EVENT_CANCELLED)
                by = &story->cancelled_by;
        else if (story && event->run->attempts <= 1 && (event->type == EVENT_QUEUED || event->type == EVENT_RUNNING))
                by = &story->started_by;
        return requester_is_known(by) ? by : NULL;
}

const char *event_type_to_string(EventType type)
{
        return type_names[type];
}

int event_type_from_string(const char *s)
{
        for (int i = 0; i < _EVENT_TYPE_MAX; i++)
                if (streq(type_names[i], s))
                        return i;
        return -EINVAL;
}

void event_write(const Event *event, JsonWriter *w)
{
        json_key(w, "seq");
        json_uint(w, event->sequence);
        json_key(w, "time");
        json_realtime(w, event->realtime);
        json_key(w, "event");
        json_string(w, type_names[event->type]);
        json_key(w, "job");
        json_string(w, event->job);
        if (event->run) {
                json_key(w, "run");
                json_uint(w, event->run->id);
                json_key(w, "state");
                json_string(w, run_state_to_string(event->run->state));
                if (event->run->trigger == RUN_TRIGGER_GROUP) {
                        json_key(w, "parent");
                        json_uint(w, event->run->origin);
                }
        }
        requester_write(event_requester(event), "by", w);
        if (event->message) {
                json_key(w, "message");
                json_string_lossy(w, event->message, strlen(event->message));
        }
        if (event->data) {
                json_key(w, "data");
                json_raw(w, event->data, strlen(event->data));
        }
}
