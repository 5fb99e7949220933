/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job/resource.h"

#include <unistd.h>

#include "base/string-util.h"
#include "config/settings.h"
#include "job/spec.h"
#include "job/types.h"

#define RESOURCE(member, type_) .type = &config_type_##type_, .offset = offsetof(ResourceSpec, member)

static const ConfigKey resource_keys[] = {
        { "Capacity", RESOURCE(capacity, unsigned), .min = 1, .max = 1000000, .default_value = "1",
          .help = "How many runs may hold it at a time. Others wait, first come, first served." },
        { "WaitSec", RESOURCE(wait, span), .default_value = "infinity",
          .help = "How long a run waits for it at most; then it ends as a timeout." },
        { "Enter", RESOURCE(enter, command), .help = "A command that is run each time a run takes it, before the run begins." },
        { "Exit", RESOURCE(exit, command), .help = "A command that is run each time a run that took it has ended, however it did." },
        {},
};

const ConfigSection resource_section = { "Resource", resource_keys, sizeof(ResourceSpec) };

ResourceSpec *resource_spec_ref(ResourceSpec *spec)
{
        spec->n_ref++;
        return spec;
}

ResourceSpec *resource_spec_unref(ResourceSpec *spec)
{
        if (!spec || --spec->n_ref > 0)
                return NULL;
        config_section_deinit(&resource_section, spec);
        free(spec->name);
        free(spec);
        return NULL;
}

void resource_set_deinit(ResourceSet *set)
{
        for (size_t i = 0; i < set->n; i++)
                resource_spec_unref(set->resources[i]);
        free(set->resources);
        mention_list_deinit(&set->mentions);
        *set = (ResourceSet){};
}

static int compare_names(const void *a, const void *b)
{
        const ResourceSpec *const *x = a, *const *y = b;

        return strcmp((*x)->name, (*y)->name);
}

/* The one of that name, made where there is none. */
static int set_get(ResourceSet *set, const char *name, ResourceSpec **ret)
{
        _cleanup_(resource_spec_unrefp) ResourceSpec *spec = NULL;
        ResourceSpec **grown;
        int r;

        for (size_t i = 0; i < set->n; i++)
                if (streq(set->resources[i]->name, name)) {
                        *ret = set->resources[i];
                        return 0;
                }
        if (set->n == RESOURCES_MAX)
                return -E2BIG;
        grown = reallocarray(set->resources, set->n + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        set->resources = grown;
        spec = new0(ResourceSpec, 1);
        if (!spec)
                return -ENOMEM;
        spec->n_ref = 1;
        spec->name = strdup(name);
        if (!spec->name)
                return -ENOMEM;
        r = config_section_init(&resource_section, spec);
        if (r < 0)
                return r;
        *ret = set->resources[set->n++] = TAKE_PTR(spec);
        return 0;
}

static bool knows_none(_unused_ const char *name, _unused_ bool *ret_is_time, _unused_ void *userdata)
{
        return false;
}

static bool knows_no_output(_unused_ const char *name, _unused_ void *userdata)
{
        return false;
}

/* The commands of a resource serve runs of all jobs: no parameter of one can stand in them. */
static int check_command(const CommandLine *line, const ConfigItem *item, ConfigReport *report)
{
        const TemplateNames names = { .parameter = knows_none, .output = knows_no_output, .zone = knows_no_output };
        TextError error = {};

        if (!line || command_line_check_names(line, &names, &error) >= 0)
                return 0;
        return config_item_error(item, report, error.offset, "%s", error.message);
}

/* A section makes a resource, and need say no more about it. */
static int add_resource(ResourceSet *set, const ConfigItem *head, ConfigReport *report)
{
        const char *name = head->section + strlen(SETTINGS_RESOURCE_PREFIX);
        ResourceSpec *spec;
        int r;

        if (!job_name_is_valid(name))
                return config_item_key_error(head, report, "[%s]: the name of a resource has letters, digits and :-_.@ only", head->section);
        r = set_get(set, name, &spec);
        return r == -E2BIG ? config_item_key_error(head, report, "there are at most %u resources", RESOURCES_MAX) : r;
}

/* Where a later assignment counts, the program of an earlier one is told of as well. */
static int note_program(ResourceSet *set, const ConfigItem *item, const char *key, const CommandLine *line)
{
        const char *program = line ? template_constant(command_line_word(line, 0)) : NULL;
        const Mention mention = { .type = MENTION_PROGRAM, .key = key, .name = (char *)program };

        return program ? mention_list_add(&set->mentions, &mention, item, 0) : 0;
}

static int apply_command(ResourceSet *set, const ConfigItem *item, const char *key, const CommandLine *line, ConfigReport *report)
{
        int r = streq(item->key, key) ? check_command(line, item, report) : 0;

        return r < 0 || !streq(item->key, key) ? r : note_program(set, item, key, line);
}

static int apply_item(ResourceSet *set, const ConfigItem *item, ConfigReport *report)
{
        const char *name = item->section + strlen(SETTINGS_RESOURCE_PREFIX);
        ResourceSpec *spec;
        int r = set_get(set, name, &spec);

        if (r >= 0)
                r = config_section_apply(&resource_section, item, spec, report);
        if (r >= 0)
                r = apply_command(set, item, "Enter", spec->enter, report);
        if (r >= 0)
                r = apply_command(set, item, "Exit", spec->exit, report);
        return r;
}

/* Each section makes a resource, also one whose keys are wrong. */
static int add_resources(ResourceSet *set, const ConfigItems *items, ConfigReport *report)
{
        int r = 0;

        for (size_t i = 0; i < items->n_heads && r != -ENOMEM; i++)
                if (startswith(items->heads[i].section, SETTINGS_RESOURCE_PREFIX)) {
                        int k = add_resource(set, &items->heads[i], report);

                        r = k < 0 ? k : r;
                }
        return r;
}

/* Whether ITEM is of a resource that add_resources() has made; the names of the others were refused. */
static bool is_of_resource(const ResourceSet *set, const ConfigItem *item)
{
        const char *name = startswith(item->section, SETTINGS_RESOURCE_PREFIX);

        for (size_t i = 0; name && i < set->n; i++)
                if (streq(set->resources[i]->name, name))
                        return true;
        return false;
}

static int resource_set_load_items(const ConfigItems *items, ConfigReport *report, ResourceSet *ret)
{
        _cleanup_(resource_set_deinit) ResourceSet set = {};
        int r = add_resources(&set, items, report);

        for (size_t i = 0; i < items->n && r != -ENOMEM; i++) {
                int k = is_of_resource(&set, &items->items[i]) ? apply_item(&set, &items->items[i], report) : 0;

                r = k < 0 ? k : r;
        }
        if (r < 0)
                return r;
        if (set.n > 0)
                qsort(set.resources, set.n, sizeof(*set.resources), compare_names);
        *ret = set;
        set = (ResourceSet){};
        return 0;
}

int resource_set_load(const char *path, ConfigReport *report, ResourceSet *ret)
{
        _cleanup_(config_items_deinit) ConfigItems items = CONFIG_ITEMS_NULL;
        int r = settings_read(path, &items, report);

        return r < 0 ? r : resource_set_load_items(&items, report, ret);
}

/* All that is wrong with a file is told at once, in the order of its lines. */
static void hand_on_problems(ConfigReport *found, ConfigReport *report)
{
        config_report_sort(found);
        for (size_t i = 0; i < found->n; i++)
                config_report_add_copy(report, &found->problems[i]);
        report->n_dropped += found->n_dropped;
}

int resource_set_load_with_settings(const char *path, ConfigReport *report, Settings **ret_settings, ResourceSet *ret_set)
{
        _cleanup_(config_items_deinit) ConfigItems items = CONFIG_ITEMS_NULL;
        _cleanup_(config_report_deinit) ConfigReport found = CONFIG_REPORT_NULL;
        _cleanup_(resource_set_deinit) ResourceSet set = {};
        _cleanup_(settings_freep) Settings *settings = NULL;
        int parts[3] = { settings_read(path, &items, &found) }, r = 0;

        if (parts[0] != -ENOMEM)
                parts[1] = settings_load_items(&items, &found, &settings);
        if (parts[0] != -ENOMEM && parts[1] != -ENOMEM)
                parts[2] = resource_set_load_items(&items, &found, &set);
        for (size_t i = 0; i < ARRAY_SIZE(parts) && r != -ENOMEM; i++)
                r = parts[i] < 0 ? parts[i] : r;
        hand_on_problems(&found, report);
        if (r < 0)
                return r;
        *ret_settings = TAKE_PTR(settings);
        *ret_set = set;
        set = (ResourceSet){};
        return 0;
}

static int compare_name(const void *name, const void *element)
{
        const ResourceSpec *const *spec = element;

        return strcmp(name, (*spec)->name);
}

int resource_set_check(const ResourceSet *set, const JobSpec *spec, ConfigReport *report)
{
        int r = 0;

        for (size_t i = 0; i < spec->job.uses.n; i++) {
                const JobUse *use = &spec->job.uses.uses[i];
                Nearest nearest = { .name = use->name };

                if (set->n > 0 && bsearch(use->name, set->resources, set->n, sizeof(*set->resources), compare_name))
                        continue;
                for (size_t k = 0; k < set->n; k++)
                        nearest_look(&nearest, set->resources[k]->name);
                r = nearest.found ? config_report_add(report, use->file, use->line, use->column,
                                                      "[Job] Use=: there is no resource %s; did you mean %s?", use->name, nearest.found) :
                                    config_report_add(report, use->file, use->line, use->column,
                                                      "[Job] Use=: there is no resource %s; takt.conf would say [Resource:%s]",
                                                      use->name, use->name);
        }
        return r;
}
