/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the sections that every job may have name, and what templates of any section need; see mention.h. */
#include "base/string-util.h"
#include "job/spec-internal.h"
#include "job/types.h"

static int note_events(JobSpec *spec, const ConfigItems *items)
{
        const EventTriggerList *on = &spec->schedule.on;
        const ConfigItem *item = NULL;
        int r = 0;

        for (size_t i = 0; i < on->n && r >= 0; i++) {
                item = config_items_next(items, "Schedule", "On", item);
                if (!item)
                        break;
                r = job_spec_mention(spec, &(Mention){ .type = MENTION_EVENTS, .key = "On", .name = on->triggers[i].job,
                                                       .events = on->triggers[i].events }, item, 0);
        }
        return r;
}

/* The program of LINE, which runs as one of Enter= and Exit= does. With a placeholder in it nothing can be said. */
static int note_program(JobSpec *spec, const ConfigItems *items, const char *key, const CommandLine *line)
{
        const char *program = line ? template_constant(command_line_word(line, 0)) : NULL;
        const ConfigItem *item = config_items_find(items, "Job", key);

        if (!program || !item)
                return 0;
        return job_spec_mention(spec, &(Mention){ .type = MENTION_PROGRAM, .key = key, .name = (char *)program }, item, 0);
}

/* A file is made, but not the directory that it is to be in. */
static int note_published(JobSpec *spec, const ConfigItems *items)
{
        const char *path = spec->publish.file ? template_constant(spec->publish.file) : NULL;
        const char *slash = path ? strrchr(path, '/') : NULL;
        const ConfigItem *item = config_items_find(items, "Publish", "File");
        _cleanup_free_ char *directory = NULL;

        if (!slash || slash == path || !item)
                return 0;
        directory = strndup(path, (size_t)(slash - path));
        if (!directory)
                return -ENOMEM;
        return job_spec_mention(spec, &(Mention){ .type = MENTION_DIRECTORY, .key = "File", .name = directory }, item, 0);
}

/* The name of the item's key, as its row has it. */
static const char *find_key(JobSpec *spec, const ConfigItem *item)
{
        const ConfigSection *section = spec_find_section(spec, item->section).section;
        const ConfigKey *key = section ? config_section_find(section, item->key) : NULL;

        return key ? key->name : "";
}

static int note_needs(const ConfigItem *item, const Template *t, void *userdata)
{
        JobSpec *spec = userdata;
        TemplateNeed need;
        size_t i = 0;
        int r = 0;

        while (r >= 0 && template_next_need(t, &i, &need)) {
                const char *at = strstr(item->value, need.text);
                const Mention mention = {
                        .type = need.is_credential ? MENTION_CREDENTIAL : MENTION_VARIABLE,
                        .key = find_key(spec, item),
                        .name = (char *)need.name,
                };

                r = job_spec_mention(spec, &mention, item, at ? (size_t)(at - item->value) : 0);
        }
        return r;
}

/* --- members of events --- */

/* What is wrong with the placeholder; NULL: nothing, or no memory. */
static char *describe_event(const JobSpec *spec, const TemplateEvent *event)
{
        _cleanup_free_ char *member = strndup(event->name, strcspn(event->name, "."));
        _cleanup_buffer_ Buffer all = BUFFER_NULL;
        Nearest nearest = { .name = member };

        if (!member)
                return NULL;
        if (spec->schedule.on.n == 0 && !event->has_fallback)
                return xasprintf("%s has no value in any run, as no On= is set", event->text);
        for (size_t i = 0; event_members[i]; i++) {
                if (streq(event_members[i], member))
                        return NULL;
                nearest_look(&nearest, event_members[i]);
        }
        if (member[0] == '\0')
                return NULL;
        if (nearest.found)
                return xasprintf("%s: events have no member %s; did you mean %s?", event->text, member, nearest.found);
        for (size_t i = 0; event_members[i]; i++)
                if (buffer_appendf(&all, "%s%s", i == 0 ? "" : event_members[i + 1] ? ", " : " and ", event_members[i]) < 0)
                        return NULL;
        return xasprintf("%s: events have no member %s, but %s", event->text, member, buffer_string(&all));
}

static int check_events(const ConfigItem *item, const Template *t, void *userdata)
{
        JobSpec *spec = userdata;
        TemplateEvent event;
        size_t i = 0;
        int r = 0;

        while (r >= 0 && template_next_event(t, &i, &event)) {
                _cleanup_free_ char *message = describe_event(spec, &event);
                const char *at = strstr(item->value, event.text);

                if (message)
                        r = job_spec_warn_at(spec, item, at ? (size_t)(at - item->value) : 0, find_key(spec, item), message);
        }
        return r;
}

/* A parameter of that name comes before the event, and has whatever members it is given. */
static int check_section_events(JobSpec *spec, const ConfigSection *section, const ConfigItems *items)
{
        if (parameter_set_find(spec->job.parameters, "event", NULL))
                return 0;
        return config_section_each_template(section, spec_find_section(spec, section->name).structure, items, check_events, spec);
}

static int note_section_needs(JobSpec *spec, const ConfigSection *section, const ConfigItems *items)
{
        int r = config_section_each_template(section, spec_find_section(spec, section->name).structure, items, note_needs, spec);

        return r < 0 ? r : check_section_events(spec, section, items);
}

int spec_note_mentions(JobSpec *spec, const ConfigItems *items)
{
        int r = note_events(spec, items);

        if (r >= 0)
                r = note_program(spec, items, "Enter", spec->job.enter);
        if (r >= 0)
                r = note_program(spec, items, "Exit", spec->job.exit);
        if (r >= 0)
                r = note_published(spec, items);
        for (size_t i = 0; job_sections[i].name && r >= 0; i++)
                r = note_section_needs(spec, &job_sections[i], items);
        if (spec->kind->section && r >= 0)
                r = note_section_needs(spec, spec->kind->section, items);
        return r;
}
