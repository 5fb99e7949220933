/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a definition says that is legal and can't be meant, and that shows without a look at anything else: a
 * run that can't have its parameters, a member that is misspelt in Condition=, an event that is given twice.
 */
#include "base/string-util.h"
#include "job/spec-internal.h"
#include "when/timespan.h"

#define TWICE "%s stands in an earlier On= already, and starts one run only"

/* MESSAGE is taken over; NULL: no memory. */
static int warn(JobSpec *spec, const ConfigItem *item, size_t offset, const char *key, char *message)
{
        _cleanup_free_ char *owned = message;

        return owned ? job_spec_warn_at(spec, item, offset, key, owned) : -ENOMEM;
}

/* --- parameters that nobody gives --- */

static bool is_given(const JobSpec *spec, const char *parameter)
{
        /* A run that an event starts has the event. */
        return spec->schedule.on.n > 0 && spec->schedule.schedule.n_triggers == 0 && streq(parameter, "event");
}

static int check_parameters(JobSpec *spec, const ConfigItems *items)
{
        const ParameterSet *set = spec->job.parameters;
        bool starts_itself = spec->schedule.schedule.n_triggers > 0 || spec->schedule.on.n > 0;
        const ConfigItem *item = NULL;
        int r = 0;

        for (size_t i = 0; starts_itself && i < parameter_set_size(set) && r >= 0; i++) {
                const char *name = parameter_set_name(set, i);

                item = config_items_next(items, "Job", "Parameter", item);
                if (!item)
                        break;
                if (parameter_set_is_required(set, i) && !is_given(spec, name))
                        r = warn(spec, item, 0, "Parameter",
                                 xasprintf("%s has no default, so each run that [Schedule] starts fails; say %s:%s=DEFAULT", name, name,
                                           parameter_set_type_name(set, i)));
        }
        return r;
}

/* --- the same event twice --- */

static int check_event(JobSpec *spec, size_t i, const ConfigItem *item)
{
        const EventTriggerList *on = &spec->schedule.on;
        const EventTrigger *trigger = &on->triggers[i];

        for (size_t k = 0; k < i; k++) {
                const EventTrigger *other = &on->triggers[k];
                unsigned both = trigger->events & other->events;

                if (both && streq(trigger->job, other->job))
                        return warn(spec, item, 0, "On", xasprintf(TWICE, trigger->text + strlen("On=")));
        }
        return 0;
}

static int check_triggers(JobSpec *spec, const ConfigItems *items)
{
        const ConfigItem *item = NULL;
        int r = 0;

        for (size_t i = 0; i < spec->schedule.on.n && r >= 0; i++) {
                item = config_items_next(items, "Schedule", "On", item);
                r = item ? check_event(spec, i, item) : 0;
        }
        return r;
}

/* --- delays --- */

static int check_retry_delays(JobSpec *spec, const ConfigItems *items)
{
        const ConfigItem *item = config_items_find(items, "Job", "RetryDelaySec");
        char span[TIMESPAN_MAX];

        if (!item || !item->value[0] || spec->job.retries == 0 || spec->job.retry_delay <= spec->job.retry_max_delay)
                return 0;
        return warn(spec, item, 0, "RetryDelaySec", xasprintf("it is more than RetryMaxDelaySec=, and so is cut to %s",
                                                              timespan_format(spec->job.retry_max_delay, span)));
}

/* --- Condition= --- */

/* A name of a path, and the names that there are in its place. */
typedef struct Step {
        const char *text; /* in the condition */
        size_t n;
} Step;

static bool step_is(const Step *step, const char *name)
{
        return strlen(name) == step->n && memcmp(step->text, name, step->n) == 0;
}

/* Reads ".NAME" at *P. False: it is something else, of which nothing is known. */
static bool read_step(const char **p, Step *ret)
{
        size_t n;

        if ((*p)[0] != '.')
                return false;
        n = strspn(*p + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
        *ret = (Step){ *p + 1, n };
        *p += 1 + n;
        return n > 0;
}

/* The names that a member may have; number I of what GET has of SPEC, NULL behind the last. */
typedef const char *(*GetName)(const JobSpec *spec, size_t i);

static const char *get_root(_unused_ const JobSpec *spec, size_t i)
{
        static const char *const names[] = { "trigger", "params", "event", "last", NULL };

        return names[i];
}

static const char *get_event(_unused_ const JobSpec *spec, size_t i)
{
        return event_members[i];
}

static const char *get_param(const JobSpec *spec, size_t i)
{
        size_t n = parameter_set_size(spec->job.parameters);

        /* That of a run which an event started comes behind the job's own. */
        return i < n ? parameter_set_name(spec->job.parameters, i) : i == n ? "event" : NULL;
}

static const char *get_output(const JobSpec *spec, size_t i)
{
        return i < output_set_size(spec->result.outputs) ? output_set_name(spec->result.outputs, i) : NULL;
}

/* 0: the name is there, or was warned of. */
static int check_step(JobSpec *spec, const ConfigItem *item, const Step *step, GetName get, const char *nothing)
{
        _cleanup_free_ char *name = strndup(step->text, step->n);
        Nearest nearest = { .name = name };
        const char *candidate;

        if (!name)
                return -ENOMEM;
        for (size_t i = 0; (candidate = get(spec, i)); i++) {
                if (streq(candidate, name))
                        return 0;
                nearest_look(&nearest, candidate);
        }
        return warn(spec, item, (size_t)(step->text - item->value), "Condition",
                    nearest.found ? xasprintf("%s %s; did you mean %s?", nothing, name, nearest.found) :
                                    xasprintf("%s %s", nothing, name));
}

static const struct {
        const char *name;
        GetName get;
        const char *nothing;
} condition_members[] = {
        { "event", get_event, "events have no member" },
        { "params", get_param, "the job has no Parameter=" },
        { "last", get_output, "the job has no Output=" },
};

/* The path that begins behind @ or $ at *P. */
static int check_path(JobSpec *spec, const ConfigItem *item, const char **p)
{
        Step first, second;

        if (!read_step(p, &first))
                return 0;
        for (size_t i = 0; i < ARRAY_SIZE(condition_members); i++)
                if (step_is(&first, condition_members[i].name))
                        return read_step(p, &second) ? check_step(spec, item, &second, condition_members[i].get,
                                                                  condition_members[i].nothing) : 0;
        return check_step(spec, item, &first, get_root, "a condition is asked about trigger, params, event and last, and there is no");
}

/* Behind the string that begins with the quote at P. */
static const char *skip_string(const char *p)
{
        char quote = *p++;

        while (*p && *p != quote)
                p += p[0] == '\\' && p[1] ? 2 : 1;
        return *p ? p + 1 : p;
}

/* Within brackets, @ is about something else. */
static int check_condition(JobSpec *spec, const ConfigItems *items)
{
        const ConfigItem *item = config_items_find(items, "Job", "Condition");
        unsigned depth = 0;
        int r = 0;

        for (const char *p = item ? item->value : ""; *p && r >= 0;) {
                if (*p == '"' || *p == '\'') {
                        p = skip_string(p);
                        continue;
                }
                depth += *p == '[';
                depth -= *p == ']' && depth > 0;
                if ((*p++ == '@' || p[-1] == '$') && depth == 0)
                        r = check_path(spec, item, &p);
        }
        return r;
}

int spec_check_oversights(JobSpec *spec, const ConfigItems *items)
{
        static int (*const checks[])(JobSpec *, const ConfigItems *) = {
                check_parameters, check_triggers, check_retry_delays, check_condition,
        };
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(checks) && r >= 0; i++)
                r = checks[i](spec, items);
        return r;
}
