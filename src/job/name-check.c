/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job/name-check.h"

#include <fnmatch.h>

/* Where a definition names a job. */
typedef struct Place {
        const char *key, *name;
        const char *file;
        unsigned line, column;
        unsigned events; /* 0: it runs the job … */
        const JobReference *reference; /* … so; else NULL */
} Place;

void name_check_begin(NameCheck *check, JobSpec *spec)
{
        check->spec = spec;
        check->next = 0;
        check->searching = false;
}

/* Number I of the jobs that SPEC names; 0: that mention is of something else, -ENOENT: there are no more. */
static int get_place(const JobSpec *spec, size_t i, Place *ret)
{
        const Mention *mention;

        if (i < spec->n_references) {
                const JobReference *r = &spec->references[i];

                *ret = (Place){ "Run", r->job, r->file ?: spec->name, r->line, r->column, 0, r };
                return 1;
        }
        i -= spec->n_references;
        if (i >= spec->mentions.n)
                return -ENOENT;
        mention = &spec->mentions.mentions[i];
        *ret = (Place){ mention->key, mention->name, mention->file, mention->line, mention->column, mention->events, NULL };
        return mention->type == MENTION_EVENTS;
}

static int warn(NameCheck *check, const Place *place, char *message)
{
        _cleanup_free_ char *owned = message;

        return owned ? job_spec_warn(check->spec, place->file, place->line, place->column, place->key, owned) : -ENOMEM;
}

/* --- names --- */

/* The first name that does not come before NAME. */
static size_t lower_bound(const JobNames *names, const char *name)
{
        size_t low = 0, high = names->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (strcmp(names->name(middle, names->userdata), name) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static bool is_name(const JobNames *names, size_t i, const char *name)
{
        return i < names->n && streq(names->name(i, names->userdata), name);
}

/* Whether a template of this name is there that has instances beside those by links. *RET_I: its number. */
static bool find_template(const JobNames *names, const char *template, size_t *ret_i, JobSpec **ret)
{
        bool only_links = false;

        *ret_i = lower_bound(names, template);
        if (!is_name(names, *ret_i, template))
                return false;
        *ret = names->spec(*ret_i, &only_links, names->userdata);
        return !only_links;
}

/*
 * Whether the template of NAME has this instance, or any can be made of it. *RET: its definition, NULL where that can't
 * be had.
 */
static bool find_instance(const JobNames *names, const char *name, JobSpec **ret)
{
        char template[JOB_NAME_MAX + 1];
        JobSpec *spec;
        size_t i;

        if (job_name_template(name, template) < 0 || !find_template(names, template, &i, &spec))
                return false;
        *ret = spec;
        return !spec || !spec->job.instances || names->lists(i, name, names->userdata);
}

/* Whether there is the job NAME; *RET as above. */
static bool find_job(const JobNames *names, const char *name, JobSpec **ret)
{
        size_t i = lower_bound(names, name);
        bool only_links;

        *ret = NULL;
        if (is_name(names, i, name)) {
                *ret = names->spec(i, &only_links, names->userdata);
                return true;
        }
        return find_instance(names, name, ret);
}

/* --- events that can't happen --- */

static bool has_no_retries(const JobSpec *spec)
{
        return spec->job.retries == 0;
}

static bool has_no_timeout(const JobSpec *spec)
{
        /* A wait for a resource may time out as well. */
        return spec->job.timeout == USEC_INFINITY && spec->job.uses.n == 0;
}

static bool has_no_schedule(const JobSpec *spec)
{
        return spec->schedule.schedule.n_triggers == 0 && spec->schedule.on.n == 0;
}

static bool has_no_outputs(const JobSpec *spec)
{
        return !spec->result.outputs;
}

static const struct {
        unsigned bit;
        bool (*is_impossible)(const JobSpec *spec);
        const char *why;
} conditions[] = {
        { EVENT_BIT(EVENT_RETRYING), has_no_retries, "it has no Retries=" },
        { EVENT_BIT(EVENT_TIMEOUT), has_no_timeout, "it has no TimeoutSec=" },
        { EVENT_BIT(EVENT_MISSED), has_no_schedule, "it has no schedule" },
        { EVENT_BIT_CHANGED, has_no_outputs, "it has no Output=" },
};

#define EVENT_BITS_OF_KIND \
        (EVENT_BIT(EVENT_PROGRESS) | EVENT_BIT(EVENT_YIELD) | EVENT_BIT(EVENT_STALE) | EVENT_BIT(EVENT_FRESH))

/* Why runs of SPEC never have the event of BIT; NULL: they may. */
static const char *why_impossible(const JobSpec *spec, unsigned bit)
{
        if (bit & EVENT_BITS_OF_KIND && !(spec->kind->events && spec->kind->events(spec->config) & bit))
                return "its kind, with the keys that it has, tells none";
        for (size_t i = 0; i < ARRAY_SIZE(conditions); i++)
                if (conditions[i].bit == bit && conditions[i].is_impossible(spec))
                        return conditions[i].why;
        return NULL;
}

/* A sentence where none of EVENTS can happen. 1, 0 where one can; -ENOMEM. */
static int describe_impossible(const JobSpec *spec, const Place *place, Buffer *out)
{
        const char *why = NULL, *separator = "";
        int r = buffer_appendf(out, "%s never has the event ", place->name);

        for (unsigned i = 0; i < 32 && r >= 0; i++) {
                unsigned bit = place->events & 1U << i;

                if (!bit)
                        continue;
                why = why_impossible(spec, bit);
                if (!why)
                        return 0;
                r = buffer_appendf(out, "%s%s", separator, event_bit_to_string(bit));
                separator = "|";
        }
        if (r >= 0)
                r = buffer_appendf(out, ", as %s", why);
        return r < 0 ? r : 1;
}

/* --- arguments that a member can't take --- */

/* An argument that names a parameter which SPEC has not; NULL: each one does, or no memory. */
static char *describe_unknown_name(const JobSpec *spec, const JobReference *reference)
{
        for (size_t i = 0; i < reference->args.n && !streq(reference->args.strings[i], "--"); i++) {
                const char *word = startswith(reference->args.strings[i], "--");
                size_t n = word ? strcspn(word, "=") : 0;
                _cleanup_free_ char *name = n > 0 ? strndup(word, n) : NULL;
                Nearest nearest = { .name = name };

                /* Where a placeholder comes before the "=", the name is known to nobody. */
                if (!name || parameter_set_find(spec->job.parameters, name, NULL) || (reference->args_vary && !word[n]))
                        continue;
                for (size_t k = 0; k < parameter_set_size(spec->job.parameters); k++)
                        nearest_look(&nearest, parameter_set_name(spec->job.parameters, k));
                return nearest.found ? xasprintf("%s has no parameter %s; did you mean %s?", reference->job, name, nearest.found) :
                                       xasprintf("%s has no parameter %s", reference->job, name);
        }
        return NULL;
}

/*
 * What is wrong with arguments that are all known; NULL as above. Of a chain, a member has its input besides.
 */
static char *describe_arguments(const JobSpec *spec, const JobReference *reference)
{
        const ParameterContext context = { .now_realtime = clock_realtime(clock_system()) };
        _cleanup_buffer_ Buffer bound = BUFFER_NULL;
        ParameterError error = {};

        if (reference->args_vary || parameter_set_find(spec->job.parameters, "input", NULL) ||
            parameter_bind(spec->job.parameters, NULL, (const char *const *)reference->args.strings, reference->args.n, &context,
                           &bound, &error) != -EINVAL)
                return NULL;
        return xasprintf("%s: %s", reference->job, error.message);
}

static int check_arguments(NameCheck *check, const Place *place, const JobSpec *spec)
{
        char *message = describe_unknown_name(spec, place->reference) ?: describe_arguments(spec, place->reference);

        return message ? warn(check, place, message) : 0;
}

static int check_found(NameCheck *check, const Place *place, const JobSpec *spec)
{
        _cleanup_buffer_ Buffer message = BUFFER_NULL;
        int r;

        if (job_name_is_template(place->name))
                return warn(check, place, xasprintf("%s is a template, which does not run itself; say %s%s", place->name, place->name,
                                                    place->events ? "*" : "X for its instance X"));
        if (spec && place->reference)
                return check_arguments(check, place, spec);
        if (!spec || place->events == 0)
                return 0;
        r = describe_impossible(spec, place, &message);
        return r > 0 ? warn(check, place, buffer_steal(&message)) : r;
}

/* --- searches --- */

/* The characters with which all begins that PATTERN matches. */
static void literal_prefix(const char *pattern, char *ret)
{
        size_t n = MIN(strcspn(pattern, "*?[\\"), (size_t)JOB_NAME_MAX);

        *(char *)mempcpy(ret, pattern, n) = '\0';
}

/* An instance that can be made of the template NAME may match about any pattern. */
static bool name_matches(const JobNames *names, size_t i, const char *pattern)
{
        const char *name = names->name(i, names->userdata);
        JobSpec *spec;

        return fnmatch(pattern, name, 0) == 0 || (job_name_is_template(name) && find_template(names, name, &i, &spec));
}

static int begin_pattern(NameCheck *check, const Place *place)
{
        char prefix[JOB_NAME_MAX + 1], *at;
        JobSpec *spec;
        size_t i;

        literal_prefix(place->name, prefix);
        check->position = lower_bound(check->names, prefix);
        check->looked = 0;
        check->searching = true;
        /* "dev@1*" is about instances of dev@. */
        at = strchr(prefix, '@');
        if (at)
                at[1] = '\0';
        if (at && find_template(check->names, prefix, &i, &spec))
                check->searching = false;
        return !check->searching;
}

/* 1: it is known whether anything matches, or that it can't be. */
static int search_pattern(NameCheck *check, const Place *place)
{
        char prefix[JOB_NAME_MAX + 1];

        literal_prefix(place->name, prefix);
        for (unsigned n = 0; n < NAME_CHECK_LOOKS; n++, check->position++, check->looked++) {
                if (check->looked >= NAME_CHECK_LOOKS_MAX)
                        return 1;
                if (check->position >= check->names->n ||
                    !startswith(check->names->name(check->position, check->names->userdata), prefix)) {
                        int r = warn(check, place, xasprintf("no job matches %s", place->name));

                        return r < 0 ? r : 1;
                }
                if (name_matches(check->names, check->position, place->name))
                        return 1;
        }
        return 0;
}

static void begin_nearest(NameCheck *check, const Place *place)
{
        const char first[] = { *place->name, '\0' };

        check->position = lower_bound(check->names, first);
        check->looked = 0;
        check->searching = true;
        check->nearest = (Nearest){ .name = place->name };
        check->end = check->n_suggestions++ < NAME_CHECK_SUGGESTIONS_MAX ? MIN(check->names->n, (size_t)NAME_CHECK_LOOKS_MAX) : 0;
}

/* Of a template it is the instance that is asked for which may have been meant. */
static void look_at_name(NameCheck *check, const char *name)
{
        const char *instance = job_name_instance(check->nearest.name);
        char composed[2 * JOB_NAME_MAX + 1];
        bool is_instance = instance && job_name_is_template(name) && strlen(name) + strlen(instance) <= JOB_NAME_MAX;
        Nearest nearest = check->nearest;
        JobSpec *spec;

        (void)stpcpy(stpcpy(composed, name), is_instance ? instance : "");
        if (streq(composed, check->nearest.name))
                return;
        nearest_look(&nearest, composed);
        if (nearest.found != composed || (is_instance && !find_instance(check->names, composed, &spec)))
                return;
        check->nearest = nearest;
        (void)strcpy(check->suggestion, composed);
        check->nearest.found = check->suggestion;
}

static int search_nearest(NameCheck *check, const Place *place)
{
        const JobNames *names = check->names;
        const char *found;
        int r;

        for (unsigned n = 0; n < NAME_CHECK_LOOKS && check->looked < check->end; n++, check->looked++)
                look_at_name(check, names->name((check->position + check->looked) % names->n, names->userdata));
        if (check->looked < check->end)
                return 0;
        found = check->nearest.found;
        r = warn(check, place, found ? xasprintf("there is no job %s; did you mean %s?", place->name, found) :
                                       xasprintf("there is no job %s", place->name));
        return r < 0 ? r : 1;
}

static bool is_pattern(const char *name)
{
        return strpbrk(name, "*?[") != NULL;
}

/* 1: all of this place is known, 0: a search for it has begun. */
static int begin_place(NameCheck *check, const Place *place)
{
        JobSpec *spec;
        int r;

        if (is_pattern(place->name))
                return begin_pattern(check, place);
        /* Groups that a client makes have runs and events, but no file. */
        if (place->events && streq(place->name, JOB_NAME_GATHER))
                return 1;
        if (find_job(check->names, place->name, &spec)) {
                r = check_found(check, place, spec);
                return r < 0 ? r : 1;
        }
        begin_nearest(check, place);
        return 0;
}

int name_check_step(NameCheck *check)
{
        Place place;
        int r = get_place(check->spec, check->next, &place);

        if (r == -ENOENT)
                return 1;
        if (r > 0)
                r = !check->searching       ? begin_place(check, &place) :
                    is_pattern(place.name) ? search_pattern(check, &place) :
                                             search_nearest(check, &place);
        else
                r = 1;
        if (r > 0) {
                check->next++;
                check->searching = false;
        }
        return MIN(r, 0);
}
