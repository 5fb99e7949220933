/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From assignments to a definition. The kind comes first, as it says which sections there may be; then all
 * assignments are applied; then what they say together is looked at. All that is wrong is told in one go.
 */
#include "base/string-util.h"
#include "job/key-need.h"
#include "job/schedule-keys.h"
#include "job/spec-internal.h"
#include "job/types.h"

/* Puts the instance's name where the value says %i. */
static int expand_instance(ConfigItem *item, const char *instance)
{
        _cleanup_buffer_ Buffer out = BUFFER_NULL;
        char *value;
        int r;

        if (!strstr(item->value, INSTANCE_SPECIFIER))
                return 0;
        r = job_instance_substitute(item->value, instance, &out);
        if (r < 0)
                return r;
        value = buffer_steal(&out);
        if (!value)
                return -ENOMEM;
        free(item->value);
        item->value = value;
        return 0;
}

/* In the place of a kind that the file does not say: one whose section it has, so that the rest is checked as well. */
static const JobKind *guess_kind(const ConfigItems *items)
{
        static const JobKind none = { .name = "none" };

        for (size_t i = 0; i < items->n; i++)
                for (size_t k = 0; job_kinds[k]; k++)
                        if (job_kinds[k]->section && streq(job_kinds[k]->section->name, items->items[i].section))
                                return job_kinds[k];
        return &none;
}

/* The kind comes first: it says which sections there may be. -EBADMSG, and *RET may be another one. */
static int find_kind(const ConfigItems *items, ConfigReport *report, const JobKind **ret)
{
        _cleanup_buffer_ Buffer names = BUFFER_NULL;
        const ConfigItem *item = config_items_find(items, "Job", "Type");
        Nearest nearest = { .name = item ? item->value : "" };
        const JobKind *kind;

        if (item && (kind = job_kind_find(item->value))) {
                *ret = kind;
                return 0;
        }
        *ret = guess_kind(items);
        for (size_t i = 0; job_kinds[i]; i++) {
                nearest_look(&nearest, job_kinds[i]->name);
                (void)buffer_appendf(&names, "%s%s", i > 0 ? job_kinds[i + 1] ? ", " : " or " : "", job_kinds[i]->name);
        }
        if (nearest.found)
                return config_item_error(item, report, 0, "'%s' is no kind of job; did you mean %s?", item->value, nearest.found);
        if (item)
                return config_item_error(item, report, 0, "'%s' is no kind of job; say %s", item->value, buffer_string(&names));
        return config_report_add(report, items->n_files > 0 ? items->files[0] : "job", 0, 0,
                                 "[Job] has no Type=; say %s", buffer_string(&names));
}

static const JobKind *kind_of_section(const char *name)
{
        for (size_t i = 0; job_kinds[i]; i++)
                if (job_kinds[i]->section && streq(job_kinds[i]->section->name, name))
                        return job_kinds[i];
        return NULL;
}

/* TYPE says what kind of job it is; where it is NULL, sections of any may be right. */
static int unknown_section(const JobSpec *spec, const ConfigItem *type, const ConfigItem *item, ConfigReport *report)
{
        const ConfigSection *own = spec->kind->section;
        const JobKind *other = kind_of_section(item->section);
        Nearest nearest = { .name = item->section };

        if (other && !type)
                return 0;
        if (other)
                return config_item_key_contradiction(item, type, report, "[%s] belongs to Type=%s, and this job is Type=%s",
                                                     item->section, other->name, spec->kind->name);
        for (size_t i = 0; job_sections[i].name; i++)
                nearest_look(&nearest, job_sections[i].name);
        if (own)
                nearest_look(&nearest, own->name);
        if (nearest.found)
                return config_item_key_error(item, report, "there is no section [%s]; did you mean [%s]?", item->section, nearest.found);
        return config_item_key_error(item, report, "there is no section [%s]; this job may have [Job], [Schedule], [Result], [Publish]%s%s%s",
                                     item->section, own ? " and [" : "", own ? own->name : "", own ? "]" : "");
}

/* The section of the job that has the key which SECTION has not; NULL: none. */
static const ConfigSection *section_of_key(const JobSpec *spec, const ConfigSection *section, const char *key)
{
        if (config_section_find(section, key))
                return NULL;
        for (size_t i = 0; job_sections[i].name; i++)
                if (config_section_find(&job_sections[i], key))
                        return &job_sections[i];
        return spec->kind->section && config_section_find(spec->kind->section, key) ? spec->kind->section : NULL;
}

/*
 * A template's instances share its definition, so that %i in it is left to each run, by the placeholder of
 * that meaning. Keys that are read at load have no use for that: -EBADMSG where the template says which its
 * instances are, -ENOTSUP where links may be.
 */
static int defer_instance(JobSpec *spec, ConfigItems *items, ConfigReport *report)
{
        const ConfigItem *instances = config_items_find(items, "Job", "Instances");
        bool bad = false;

        for (size_t i = 0; i < items->n; i++) {
                ConfigItem *item = &items->items[i];
                const ConfigSection *section;
                const ConfigKey *key;

                if (!strstr(item->value, INSTANCE_SPECIFIER))
                        continue;
                section = spec_find_section(spec, item->section).section;
                key = section ? config_section_find(section, item->key) : NULL;
                /* Unknown ones are told of when they are applied; texts for people are expanded when they are shown. */
                if (!key || key->type == &config_type_description)
                        continue;
                if (config_type_is_expanded(key->type) && !job_instance_is_nested(item->value)) {
                        if (expand_instance(item, INSTANCE_PLACEHOLDER) < 0)
                                return -ENOMEM;
                } else if (!instances || !instances->value[0]) {
                        return -ENOTSUP;
                } else {
                        config_item_error(item, report, (size_t)(strstr(item->value, INSTANCE_SPECIFIER) - item->value),
                                          "%%i can't stand here, as the instances share what is read at load; "
                                          "one that differs in it is made by a link %sX.job", spec->name);
                        bad = true;
                }
        }
        return bad ? -EBADMSG : 0;
}

static int apply_item(JobSpec *spec, const ConfigItem *type, const ConfigItem *item, ConfigReport *report)
{
        SpecSection target = spec_find_section(spec, item->section);
        const ConfigSection *other;

        if (!target.section)
                return unknown_section(spec, type, item, report);
        other = section_of_key(spec, target.section, item->key);
        if (other)
                return config_item_key_error(item, report, "[%s] has no key %s=, which is one of [%s]", target.section->name,
                                             item->key, other->name);
        return config_section_apply(target.section, item, target.structure, report);
}

/* KIND_KNOWN: the file says what kind of job it is. */
static int apply_items(JobSpec *spec, bool kind_known, const ConfigItems *items, ConfigReport *report)
{
        const ConfigItem *type = kind_known ? config_items_find(items, "Job", "Type") : NULL;
        bool bad = false;

        for (size_t i = 0; i < items->n; i++) {
                int r = apply_item(spec, type, &items->items[i], report);

                if (r == -ENOMEM)
                        return r;
                bad = bad || r < 0;
        }
        return bad ? -EBADMSG : 0;
}

/* What tells one definition from another: every assignment, in order; comments and blanks don't count. */
static int make_identities(JobSpec *spec, const ConfigItems *items)
{
        _cleanup_buffer_ Buffer all = BUFFER_NULL, schedule = BUFFER_NULL;

        for (size_t i = 0; i < items->n; i++) {
                const ConfigItem *item = &items->items[i];
                bool is_schedule = streq(item->section, "Schedule");
                int r = buffer_appendf(&all, "%s.%s=%s\n", item->section, item->key, item->value);

                if (r >= 0 && is_schedule)
                        r = buffer_appendf(&schedule, "%s=%s\n", item->key, item->value);
                if (r < 0)
                        return r;
        }
        if (spec->result.schema.files && buffer_append_string(&all, spec->result.schema.files) < 0)
                return -ENOMEM;
        spec->identity = buffer_steal(&all);
        spec->schedule_identity = buffer_steal(&schedule);
        return spec->identity && spec->schedule_identity ? 0 : -ENOMEM;
}

static bool knows_parameter(const char *name, bool *ret_is_time, void *userdata)
{
        const JobSpec *spec = userdata;
        size_t i;

        for (const char *const *p = spec->kind->placeholders; p && *p; p++)
                if (streq(*p, name)) {
                        *ret_is_time = false;
                        return true;
                }
        if (!parameter_set_find(spec->job.parameters, name, &i))
                return false;
        *ret_is_time = parameter_set_type(spec->job.parameters, i) == PARAMETER_TIME;
        return true;
}

static bool knows_output(const char *name, void *userdata)
{
        const JobSpec *spec = userdata;

        return spec->result.outputs && output_set_has(spec->result.outputs, name);
}

static bool knows_zone(const char *name, _unused_ void *userdata)
{
        Zone *zone;

        if (zone_load(name, &zone, NULL) < 0)
                return false;
        zone_unref(zone);
        return true;
}

/* Templates name what there is; secrets are noted. */
static int check_section(JobSpec *spec, const ConfigSection *section, const ConfigItems *items, ConfigReport *report,
                         const TemplateNames *names)
{
        const void *structure = spec_find_section(spec, section->name).structure;

        spec->has_secret = spec->has_secret || config_section_has_credential(section, structure);
        spec->uses_zone = spec->uses_zone || config_section_uses_job_zone(section, structure);
        return config_section_check_templates(section, structure, items, names, report);
}

static int finish_schedule(JobSpec *spec, const ConfigItems *items, ConfigReport *report)
{
        _cleanup_(config_report_deinit) ConfigReport warnings = CONFIG_REPORT_NULL;
        int r = schedule_settings_finish(&spec->schedule, &spec->triggers, items, report, &warnings);

        if (r >= 0 && warnings.n > 0)
                r = job_spec_hold_warnings(spec);
        for (size_t i = 0; i < warnings.n && r >= 0; i++)
                (void)job_warnings_add_copy(spec->warnings, &warnings.problems[i]);
        return r;
}

/* All that is wrong is told in one go: -EBADMSG of one step hides nothing of the next. */
static int finish_spec(JobSpec *spec, const ConfigItems *items, ConfigReport *report)
{
        const TemplateNames names = {
                .parameter = knows_parameter, .output = knows_output, .zone = knows_zone, .userdata = spec,
        };
        const char *file = spec->files.n > 0 ? spec->files.strings[0] : NULL;
        int r, k;

        r = finish_schedule(spec, items, report);
        for (size_t i = 0; job_sections[i].name && r != -ENOMEM; i++) {
                k = check_section(spec, &job_sections[i], items, report, &names);
                r = k < 0 ? k : r;
        }
        if (spec->kind->section && r != -ENOMEM) {
                k = check_section(spec, spec->kind->section, items, report, &names);
                r = k < 0 ? k : r;
        }
        if (r != -ENOMEM) {
                k = result_schema_load(&spec->result.schema, file, items, report);
                r = k < 0 ? k : r;
        }
        /* Zero: no file says it, or an empty value took it back. */
        if (spec->job.timeout == 0)
                spec->job.timeout = spec->kind->default_timeout > 0 ? spec->kind->default_timeout : USEC_INFINITY;
        if (spec->kind->load && r != -ENOMEM) {
                k = spec->kind->load(spec, spec->config, items, report);
                r = k < 0 ? k : r;
        }
        if (r >= 0)
                r = spec_check_needs(spec, items);
        if (r >= 0)
                r = spec_check_oversights(spec, items);
        return r < 0 ? r : spec_note_mentions(spec, items);
}

static int new_spec(const char *name, const JobKind *kind, const ConfigItems *items, JobSpec **ret)
{
        _cleanup_(job_spec_unrefp) JobSpec *spec = new0(JobSpec, 1);
        int r = 0;

        if (!spec)
                return -ENOMEM;
        spec->n_ref = 1;
        spec->kind = kind;
        spec->name = strdup(name);
        if (!spec->name)
                return -ENOMEM;
        if (kind->section) {
                spec->config = calloc(1, kind->section->size);
                if (!spec->config)
                        return -ENOMEM;
                r = config_section_init(kind->section, spec->config);
        }
        for (size_t i = 0; r >= 0 && job_sections[i].name; i++)
                r = config_section_init(&job_sections[i], spec_find_section(spec, job_sections[i].name).structure);
        for (size_t i = 0; r >= 0 && i < items->n_files; i++)
                r = string_list_append(&spec->files, items->files[i]);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(spec);
        return 0;
}

int job_spec_load_items(const char *name, ConfigItems *items, ConfigReport *report, JobSpec **ret)
{
        _cleanup_(job_spec_unrefp) JobSpec *spec = NULL;
        const char *instance = job_name_instance(name);
        bool is_template = job_name_is_template(name);
        const JobKind *kind = NULL;
        int r, known;

        for (size_t i = 0; instance && !is_template && i < items->n; i++) {
                r = expand_instance(&items->items[i], instance);
                if (r < 0)
                        return r;
        }
        known = find_kind(items, report, &kind);
        r = new_spec(name, kind, items, &spec);
        if (r >= 0 && is_template)
                r = defer_instance(spec, items, report);
        if (r < 0)
                return r;
        r = apply_items(spec, known >= 0, items, report);
        if (r >= 0 && spec->job.instances && !is_template)
                r = instance ? 0 : config_items_error(items, report, "Job", "Instances", 0,
                                                      "belongs to a template, a file NAME@.job");
        if (r >= 0)
                r = finish_spec(spec, items, report);
        else if (r == -EBADMSG)
                /* What is wrong with the schedule as well is told in the same go. */
                (void)finish_schedule(spec, items, report);
        if (r >= 0)
                r = known < 0 ? known : make_identities(spec, items);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(spec);
        return 0;
}

int job_spec_load_file(const char *path, ConfigReport *report, JobSpec **ret)
{
        _cleanup_(config_items_deinit) ConfigItems items = CONFIG_ITEMS_NULL;
        _cleanup_free_ char *name = NULL;
        int r, k;

        r = job_name_from_path(path, &name);
        if (r == -EINVAL)
                return config_report_add(report, path, 0, 0,
                                         "no name for a job: letters, digits and :-_.@ only, and at most %u of them", JOB_NAME_MAX);
        if (r < 0)
                return r;
        r = config_parse_file_with_dropins(path, &items, report);
        if (r == -ENOMEM || items.n_files == 0)
                return r;
        /* Where the grammar is broken, what could be read is checked too: all problems in one go. */
        k = job_spec_load_items(name, &items, report, ret);
        if (r < 0 && k >= 0)
                *ret = job_spec_unref(*ret);
        return r < 0 ? r : k;
}
