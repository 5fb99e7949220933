/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job/event-trigger.h"

#include "base/string-util.h"
#include "job/run.h"
#include "job/spec.h"

/* All events that are the end of a run. */
static unsigned ended_bits(void)
{
        unsigned bits = 0;

        for (int type = EVENT_SUCCEEDED; type <= EVENT_LOST; type++)
                bits |= EVENT_BIT(type);
        return bits;
}

const char *event_bit_to_string(unsigned bit)
{
        return bit == EVENT_BIT_CHANGED ? "changed" : event_type_to_string((EventType)__builtin_ctz(bit));
}

/* The events of the name in S[0…N); 0 where there is none. */
static unsigned find_events(const char *s, size_t n)
{
        if (n == 7 && strncmp(s, "changed", n) == 0)
                return EVENT_BIT_CHANGED;
        if (n == 5 && strncmp(s, "ended", n) == 0)
                return ended_bits();
        for (int type = 0; type <= EVENT_LOST; type++) {
                const char *name = event_type_to_string((EventType)type);

                if (strlen(name) == n && strncmp(name, s, n) == 0)
                        return EVENT_BIT(type);
        }
        return 0;
}

static int refuse_event(const char *value, const char *event, size_t n, const ConfigSite *site)
{
        _cleanup_free_ char *name = strndup(event, n);
        Nearest nearest = { .name = name ?: "" };

        if (!name)
                return -ENOMEM;
        for (int type = 0; type <= EVENT_LOST; type++)
                nearest_look(&nearest, event_type_to_string((EventType)type));
        nearest_look(&nearest, "changed");
        nearest_look(&nearest, "ended");
        if (nearest.found)
                return config_item_error(site->item, site->report, (size_t)(event - value),
                                         "'%s' is no event of a run; did you mean %s?", name, nearest.found);
        return config_item_error(site->item, site->report, (size_t)(event - value),
                                 "'%s' is no event of a run; say queued, running, progress, yield, stale, fresh, "
                                 "retrying, succeeded, failed, timeout, cancelled, skipped, missed, "
                                 "lost, changed or ended", name);
}

static int parse_events(const char *value, const char *events, const ConfigSite *site, unsigned *ret)
{
        unsigned all = 0;

        for (const char *s = events;;) {
                size_t n = strcspn(s, "|");
                unsigned bits = find_events(s, n);

                if (bits == 0)
                        return refuse_event(value, s, n, site);
                all |= bits;
                if (!s[n])
                        break;
                s += n + 1;
        }
        *ret = all;
        return 0;
}

/* The name before the last dot, as a name may hold dots as well. */
static int parse_job(const char *value, const char *dot, const ConfigSite *site, EventTrigger *trigger)
{
        trigger->job = strndup(value, (size_t)(dot - value));
        if (!trigger->job)
                return -ENOMEM;
        trigger->is_pattern = strpbrk(trigger->job, "*?[") != NULL;
        if (trigger->is_pattern || job_name_is_valid(trigger->job))
                return 0;
        return config_item_error(site->item, site->report, 0, "'%s' can't be the name of a job", trigger->job);
}

static void trigger_deinit(EventTrigger *trigger)
{
        free(trigger->job);
        free(trigger->text);
}

static int parse_trigger(const char *value, const ConfigSite *site, EventTrigger *trigger)
{
        const char *dot = strrchr(value, '.');
        int r;

        if (!dot || dot == value || !dot[1])
                return config_item_error(site->item, site->report, 0, "expected a job and an event, such as backup.failed");
        trigger->text = xasprintf("On=%s", value);
        if (!trigger->text)
                return -ENOMEM;
        r = parse_job(value, dot, site, trigger);
        return r < 0 ? r : parse_events(value, dot + 1, site, &trigger->events);
}

static int parse_event_trigger(_unused_ const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        EventTriggerList *list = target;
        EventTrigger trigger = {}, *grown;
        int r;

        if (list->n >= EVENT_TRIGGERS_MAX)
                return config_item_error(site->item, site->report, 0, "given more than %u times", EVENT_TRIGGERS_MAX);
        r = parse_trigger(value, site, &trigger);
        grown = r >= 0 ? reallocarray(list->triggers, list->n + 1, sizeof(*grown)) : NULL;
        if (!grown) {
                trigger_deinit(&trigger);
                return r < 0 ? r : -ENOMEM;
        }
        list->triggers = grown;
        list->triggers[list->n++] = trigger;
        return 0;
}

static void clear_event_triggers(_unused_ const ConfigKey *key, void *target)
{
        EventTriggerList *list = target;

        for (size_t i = 0; i < list->n; i++)
                trigger_deinit(&list->triggers[i]);
        free(list->triggers);
        *list = (EventTriggerList){};
}

const char *const event_members[] = {
        "event", "job", "run", "state", "time", "message", "data", "params", "result", "outputs", "error", NULL,
};

const ConfigType config_type_event_triggers = {
        .metavar = "JOB.EVENT", .repeatable = true, .parse = parse_event_trigger, .clear = clear_event_triggers,
};
