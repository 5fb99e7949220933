/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who listens to whom (On=): an event finds its listeners by the name of its job, or through the patterns. */
#include "sched/trigger-index.h"

static int source_compare(const EventSource *a, const EventSource *b)
{
        return strcmp(a->name, b->name);
}

TREE_GENERATE(EventSourceTree, EventSource, by_name, source_compare)

EventSource *event_source_find(Scheduler *s, const char *name)
{
        EventSource *source = RB_ROOT(&s->triggers.sources);

        while (source) {
                int order = strcmp(name, source->name);

                if (order == 0)
                        return source;
                source = order < 0 ? RB_LEFT(source, by_name) : RB_RIGHT(source, by_name);
        }
        return NULL;
}

static EventSource *find_or_add_source(Scheduler *s, const char *name)
{
        EventSource *source = event_source_find(s, name);
        size_t n = strlen(name) + 1;

        if (source)
                return source;
        source = calloc(1, sizeof(*source) + n);
        if (!source)
                return NULL;
        memcpy(source->name, name, n);
        list_init(&source->listeners);
        (void)RB_INSERT(EventSourceTree, &s->triggers.sources, source);
        return source;
}

/* Counts who listens for each type, so that the mask says whether anybody does. */
static void count(Scheduler *s, unsigned events, int by)
{
        for (unsigned i = 0; i < 32; i++)
                if (events & (1U << i)) {
                        s->triggers.n_by_bit[i] += (unsigned)by;
                        if (s->triggers.n_by_bit[i] > 0)
                                s->triggers.mask |= 1U << i;
                        else
                                s->triggers.mask &= ~(1U << i);
                }
}

static int listen_for(Scheduler *s, TriggerTarget *target, const EventTrigger *trigger)
{
        Listener *listener = &target->listeners[target->n_listeners];
        EventSource *source = trigger->is_pattern ? NULL : find_or_add_source(s, trigger->job);

        if (!source && !trigger->is_pattern)
                return -ENOMEM;
        if (trigger->is_pattern && s->triggers.n_patterns >= TRIGGER_PATTERNS_MAX) {
                scheduler_emit_job(s, target->job, EVENT_REFUSED, "there are as many patterns in On= as may be; one is not listened for");
                return 0;
        }
        s->triggers.n_patterns += trigger->is_pattern;
        *listener = (Listener){ .target = target, .source = source, .trigger = trigger };
        list_append(source ? &source->listeners : &s->triggers.patterns, &listener->link);
        count(s, trigger->events, 1);
        target->n_listeners++;
        return 0;
}

void trigger_target_unlisten(Scheduler *s, TriggerTarget *target)
{
        for (size_t i = 0; i < target->n_listeners; i++) {
                Listener *listener = &target->listeners[i];

                list_unlink(&listener->link);
                s->triggers.n_patterns -= !listener->source;
                count(s, listener->trigger->events, -1);
                if (listener->source && list_is_empty(&listener->source->listeners)) {
                        RB_REMOVE(EventSourceTree, &s->triggers.sources, listener->source);
                        free(listener->source);
                }
        }
        free(target->listeners);
        target->listeners = NULL;
        target->n_listeners = 0;
        target->spec = job_spec_unref(target->spec);
}

void trigger_target_free_if_idle(Job *job)
{
        TriggerTarget *target = job->triggers;

        if (!target || target->n_listeners > 0 || target->n_pending > 0)
                return;
        list_unlink(&target->ring);
        free(target->listeners);
        job_spec_unref(target->spec);
        free(target);
        job->triggers = NULL;
}

static TriggerTarget *find_or_add_target(Job *job)
{
        TriggerTarget *target = job->triggers;

        if (target)
                return target;
        target = new0(TriggerTarget, 1);
        if (!target)
                return NULL;
        target->job = job;
        list_init(&target->ring);
        list_init(&target->pending);
        return job->triggers = target;
}

int triggers_set(Scheduler *s, Job *job)
{
        const EventTriggerList *on = &job->spec->schedule.on;
        TriggerTarget *target;
        int r = 0;

        if (job->triggers)
                trigger_target_unlisten(s, job->triggers);
        if (on->n > 0 && job->spec->job.enabled && job_has_schedule(job)) {
                target = find_or_add_target(job);
                if (!target)
                        return -ENOMEM;
                target->spec = job_spec_ref(job->spec);
                target->listeners = new0(Listener, on->n);
                r = target->listeners ? 0 : -ENOMEM;
                for (size_t i = 0; i < on->n && r >= 0; i++)
                        r = listen_for(s, target, &on->triggers[i]);
        }
        trigger_target_free_if_idle(job);
        return r;
}
