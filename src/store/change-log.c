/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/change-log.h"

/* One block, the strings behind it. */
typedef struct Entry {
        Change change;
        char strings[];
} Entry;

struct ChangeLog {
        EventObserver observer;
        size_t n; /* of all times; the newest is at (n - 1) % CHANGES_KEPT */
        Entry *entries[CHANGES_KEPT];
};

static bool is_kept(EventType type)
{
        static const bool kept[_EVENT_TYPE_MAX] = {
                [EVENT_CHANGED] = true, [EVENT_REMOVED] = true, [EVENT_PAUSED] = true,
                [EVENT_RESUMED] = true, [EVENT_REFUSED] = true, [EVENT_FINISHED] = true,
        };

        return kept[type];
}

static Entry *entry_new(const Event *event)
{
        size_t job = strlen(event->job) + 1, message = event->message ? strlen(event->message) + 1 : 0;
        Entry *entry = malloc(sizeof(*entry) + job + message);

        if (!entry)
                return NULL;
        entry->change = (Change){
                .type = event->type,
                .realtime = event->realtime,
                .by = event->by ? *event->by : REQUESTER_NONE,
                .job = memcpy(entry->strings, event->job, job),
                .message = event->message ? memcpy(entry->strings + job, event->message, message) : NULL,
        };
        return entry;
}

static void on_event(EventObserver *observer, const Event *event)
{
        ChangeLog *log = container_of(observer, ChangeLog, observer);
        Entry *entry, **place;

        if (!is_kept(event->type))
                return;
        /* Without the memory there is a gap: it is no more than a note. */
        entry = entry_new(event);
        if (!entry)
                return;
        place = &log->entries[log->n++ % CHANGES_KEPT];
        free(*place);
        *place = entry;
}

int change_log_new(EventBus *bus, ChangeLog **ret)
{
        ChangeLog *log = new0(ChangeLog, 1);

        if (!log)
                return -ENOMEM;
        log->observer.notify = on_event;
        event_bus_subscribe(bus, &log->observer);
        *ret = log;
        return 0;
}

ChangeLog *change_log_free(ChangeLog *log)
{
        if (!log)
                return NULL;
        event_bus_unsubscribe(&log->observer);
        for (size_t i = 0; i < CHANGES_KEPT; i++)
                free(log->entries[i]);
        free(log);
        return NULL;
}

void change_log_query(const ChangeLog *log, const char *job, bool (*found)(const Change *change, void *userdata),
                      void *userdata)
{
        size_t oldest = log->n > CHANGES_KEPT ? log->n - CHANGES_KEPT : 0;

        for (size_t i = log->n; i > oldest; i--) {
                const Change *change = &log->entries[(i - 1) % CHANGES_KEPT]->change;

                if (streq(change->job, job) && !found(change, userdata))
                        return;
        }
}
