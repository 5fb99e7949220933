/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job/spec.h"

#include <ctype.h>

#include "base/string-util.h"
#include "job/schedule-keys.h"
#include "job/types.h"

static int parse_output(_unused_ const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        OutputSet **set = target;
        TextError error = {};
        int r;

        if (!*set)
                *set = output_set_new();
        if (!*set)
                return -ENOMEM;
        r = output_set_add(*set, value, &error);
        return r == -EBADMSG ? config_item_error(site->item, site->report, error.offset, "%s", error.message) : r;
}

static void clear_output(_unused_ const ConfigKey *key, void *target)
{
        OutputSet **set = target;

        *set = output_set_free(*set);
}

static void clear_filter(_unused_ const ConfigKey *key, void *target)
{
        ResultFilter *filter = target;

        free(filter->program);
        free(filter->file);
        *filter = (ResultFilter){};
}

/* Compiling it takes more time than loading a hundred jobs; takt-verify has it done. */
static int parse_filter(const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        ResultFilter *filter = target;

        if (strlen(value) > RESULT_FILTER_MAX)
                return config_item_error(site->item, site->report, 0, "a program has at most %u bytes", RESULT_FILTER_MAX);
        clear_filter(key, filter);
        filter->line = site->item->line;
        filter->column = site->item->column;
        filter->program = strdup(value);
        filter->file = strdup(site->item->file);
        return filter->program && filter->file ? 0 : -ENOMEM;
}

static int parse_use(_unused_ const ConfigKey *key, const char *value, const ConfigSite *site, void *target)
{
        JobUses *list = target;
        JobUse *grown, use = { .line = site->item->line, .column = site->item->column };
        size_t i = 0;

        if (!job_name_is_valid(value))
                return config_item_error(site->item, site->report, 0, "'%s' is no name of a resource", value);
        while (i < list->n && strcmp(list->uses[i].name, value) < 0)
                i++;
        if (i < list->n && streq(list->uses[i].name, value))
                return config_item_error(site->item, site->report, 0, "%s is used already", value);
        if (list->n == JOB_USES_MAX)
                return config_item_error(site->item, site->report, 0, "a job uses at most %u resources", JOB_USES_MAX);
        grown = reallocarray(list->uses, list->n + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        list->uses = grown;
        use.name = strdup(value);
        use.file = strdup(site->item->file);
        if (!use.name || !use.file) {
                free(use.name);
                free(use.file);
                return -ENOMEM;
        }
        memmove(grown + i + 1, grown + i, (list->n - i) * sizeof(*grown));
        grown[i] = use;
        list->n++;
        return 0;
}

static void clear_uses(_unused_ const ConfigKey *key, void *target)
{
        JobUses *list = target;

        for (size_t i = 0; i < list->n; i++) {
                free(list->uses[i].name);
                free(list->uses[i].file);
        }
        free(list->uses);
        *list = (JobUses){};
}

static const ConfigType type_use = { .metavar = "RESOURCE", .repeatable = true, .parse = parse_use, .clear = clear_uses };

static const ConfigType type_output = {
        .metavar = "NAME: PATH", .repeatable = true, .parse = parse_output, .clear = clear_output,
};

static const ConfigType type_filter = { .metavar = "PROGRAM", .parse = parse_filter, .clear = clear_filter };

static const char *const format_names[] = { "auto", "json", "text", "number", "lines", "none", NULL };
static const char *const success_levels[] = { "debug", "info", "notice", NULL };

#define JOB(member, type_) .type = &config_type_##type_, .offset = offsetof(JobSettings, member)

static const ConfigKey job_keys[] = {
        { "Type", JOB(type, string), .help = "What the job does; one of the kinds." },
        { "Description", JOB(description, description), .help = "A line for people." },
        { "Documentation", JOB(documentation, strings), .help = "Where to read more: a URI." },
        { "Enabled", JOB(enabled, bool), .default_value = "yes",
          .help = "Whether the schedule is in force. The job can be started by hand either way." },
        { "TimeoutSec", JOB(timeout, span), .min = 1000,
          .help = "How long an attempt may take; then it is ended and counts as a timeout." },
        { "Retries", JOB(retries, unsigned), .max = 1000,
          .help = "How often a run that failed or timed out is tried again." },
        { "RetryDelaySec", JOB(retry_delay, span), .default_value = "1s", .min = 1000,
          .help = "The time before the first retry. It doubles each time, and each is shortened at random by up to half." },
        { "RetryMaxDelaySec", JOB(retry_max_delay, span), .default_value = "5min", .min = 1000,
          .help = "The most that the time before a retry grows to." },
        { "Parameter", JOB(parameters, parameter), .help = "A value that a run is given: its name, type and default." },
        { "Instances", JOB(instances, instances),
          .help = "Of a template NAME@.job: names of its instances, a range as 1..100, or the path of a file with a name a line." },
        { "Condition", JOB(condition, condition),
          .help = "What has to hold for a run to begin, such as @.params.temp > 30; else it is skipped." },
        { "Use", .type = &type_use, .offset = offsetof(JobSettings, uses),
          .help = "A resource of takt.conf that a run holds from before its beginning to its end; it waits until it is free." },
        { "Enter", JOB(enter, command), .help = "A command that is run before the run begins; where it fails, so does the run." },
        { "Exit", JOB(exit, command),
          .help = "A command that is run once the run has ended, however it did: as TAKT_STATE it gets how." },
        { "LogSuccess", JOB(log_level_success, choice), .choices = success_levels, .default_value = "debug",
          .help = "The level at which runs that succeed are logged." },
        {},
};

static const ConfigKey result_keys[] = {
        { "Format", .type = &config_type_choice, .offset = offsetof(ResultSettings, format), .choices = format_names,
          .default_value = "auto", .help = "How what the run gave is read. auto: as the kind says." },
        { "Output", .type = &type_output, .offset = offsetof(ResultSettings, outputs),
          .help = "A named value taken from the result by a JSONPath." },
        { "Schema", .type = &config_type_string, .offset = offsetof(ResultSettings, schema.name),
          .help = "A JSON Schema that the result has to fit: a file of schemas/ in the environment, or a path." },
        { "Filter", .type = &type_filter, .offset = offsetof(ResultSettings, filter),
          .help = "A program of jq that the result is passed through: what it gives is the result." },
        {},
};


static const ConfigKey publish_keys[] = {
        { "File", .type = &config_type_template, .offset = offsetof(Publish, file), .data = TEMPLATE_PATH,
          .help = "A file that gets each result as JSON; it is replaced as a whole. A relative path is one of the environment." },
        { "Indent", .type = &config_type_unsigned, .offset = offsetof(Publish, indent), .max = PUBLISH_INDENT_MAX, .default_value = "0",
          .help = "Blanks a level; 0 for all on one line." },
        {},
};

const ConfigSection job_sections[] = {
        { "Job", job_keys, sizeof(JobSettings) },
        { "Schedule", schedule_keys, sizeof(ScheduleSettings) },
        { "Result", result_keys, sizeof(ResultSettings) },
        { "Publish", publish_keys, sizeof(Publish) },
        {},
};

bool job_name_is_valid(const char *name)
{
        if (name[0] == '\0' || name[0] == '.' || name[0] == '-' || strlen(name) > JOB_NAME_MAX)
                return false;
        for (const char *c = name; *c; c++)
                if (!isalnum((unsigned char)*c) && !strchr(":-_.@", *c))
                        return false;
        return true;
}

int job_name_from_path(const char *path, char **ret)
{
        const char *base = strrchr(path, '/');
        _cleanup_free_ char *name = NULL;
        size_t n;

        base = base ? base + 1 : path;
        n = strlen(base);
        if (n > 4 && streq(base + n - 4, ".job"))
                n -= 4;
        name = strndup(base, n);
        if (!name)
                return -ENOMEM;
        if (!job_name_is_valid(name))
                return -EINVAL;
        *ret = TAKE_PTR(name);
        return 0;
}

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

/* The kind comes first: it says which sections there may be. */
static int find_kind(const ConfigItems *items, ConfigReport *report, const JobKind **ret)
{
        _cleanup_buffer_ Buffer names = BUFFER_NULL;
        const ConfigItem *item = config_items_find(items, "Job", "Type");
        const JobKind *kind;

        if (item && (kind = job_kind_find(item->value))) {
                *ret = kind;
                return 0;
        }
        for (size_t i = 0; job_kinds[i]; i++)
                (void)buffer_appendf(&names, "%s%s", i > 0 ? job_kinds[i + 1] ? ", " : " or " : "", job_kinds[i]->name);
        if (item)
                return config_item_error(item, report, 0, "'%s' is no kind of job; say %s", item->value, buffer_string(&names));
        return config_report_add(report, items->n_files > 0 ? items->files[0] : "job", 0, 0,
                                 "[Job] has no Type=; say %s", buffer_string(&names));
}

typedef struct SectionTarget {
        const ConfigSection *section;
        void *structure;
} SectionTarget;

static SectionTarget find_section(JobSpec *spec, const char *name)
{
        void *structures[] = { &spec->job, &spec->schedule, &spec->result, &spec->publish };

        for (size_t i = 0; job_sections[i].name; i++)
                if (streq(job_sections[i].name, name))
                        return (SectionTarget){ &job_sections[i], structures[i] };
        if (spec->kind->section && streq(spec->kind->section->name, name))
                return (SectionTarget){ spec->kind->section, spec->config };
        return (SectionTarget){};
}

static int unknown_section(const JobSpec *spec, const ConfigItem *item, ConfigReport *report)
{
        for (size_t i = 0; job_kinds[i]; i++)
                if (job_kinds[i]->section && streq(job_kinds[i]->section->name, item->section))
                        return config_item_key_error(item, report, "[%s] belongs to Type=%s, and this job is Type=%s",
                                                     item->section, job_kinds[i]->name, spec->kind->name);
        return config_item_key_error(item, report, "there is no section [%s]; this job may have [Job], [Schedule], [Result], [Publish]%s%s%s",
                                     item->section, spec->kind->section ? " and [" : "",
                                     spec->kind->section ? spec->kind->section->name : "", spec->kind->section ? "]" : "");
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
                section = find_section(spec, item->section).section;
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

static int apply_items(JobSpec *spec, const ConfigItems *items, ConfigReport *report)
{
        bool bad = false;

        for (size_t i = 0; i < items->n; i++) {
                const ConfigItem *item = &items->items[i];
                SectionTarget target = find_section(spec, item->section);
                int r;

                r = target.section ? config_section_apply(target.section, item, target.structure, report) :
                                     unknown_section(spec, item, report);
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
        const void *structure = find_section(spec, section->name).structure;

        spec->has_secret = spec->has_secret || config_section_has_credential(section, structure);
        return config_section_check_templates(section, structure, items, names, report);
}

static int finish_spec(JobSpec *spec, const ConfigItems *items, ConfigReport *report)
{
        const TemplateNames names = {
                .parameter = knows_parameter, .output = knows_output, .zone = knows_zone, .userdata = spec,
        };
        int r;

        r = schedule_settings_finish(&spec->schedule, &spec->triggers, items, report);
        if (r < 0)
                return r;
        for (size_t i = 0; job_sections[i].name; i++) {
                r = check_section(spec, &job_sections[i], items, report, &names);
                if (r < 0)
                        return r;
        }
        if (spec->kind->section) {
                r = check_section(spec, spec->kind->section, items, report, &names);
                if (r < 0)
                        return r;
        }
        r = result_schema_load(&spec->result.schema, spec->files.n > 0 ? spec->files.strings[0] : NULL, items, report);
        if (r < 0)
                return r;
        /* Zero: no file says it, or an empty value took it back. */
        if (spec->job.timeout == 0)
                spec->job.timeout = spec->kind->default_timeout > 0 ? spec->kind->default_timeout : USEC_INFINITY;
        return spec->kind->load ? spec->kind->load(spec, spec->config, items, report) : 0;
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
                r = config_section_init(&job_sections[i], find_section(spec, job_sections[i].name).structure);
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
        int r;

        for (size_t i = 0; instance && !is_template && i < items->n; i++) {
                r = expand_instance(&items->items[i], instance);
                if (r < 0)
                        return r;
        }
        r = find_kind(items, report, &kind);
        if (r < 0)
                return r;
        r = new_spec(name, kind, items, &spec);
        if (r >= 0 && is_template)
                r = defer_instance(spec, items, report);
        if (r < 0)
                return r;
        r = apply_items(spec, items, report);
        if (r >= 0 && spec->job.instances && !is_template)
                r = instance ? 0 : config_items_error(items, report, "Job", "Instances", 0,
                                                      "belongs to a template, a file NAME@.job");
        if (r >= 0)
                r = finish_spec(spec, items, report);
        else if (r == -EBADMSG)
                /* What is wrong with the schedule as well is told in the same go. */
                (void)schedule_settings_finish(&spec->schedule, &spec->triggers, items, report);
        if (r >= 0)
                r = make_identities(spec, items);
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

const char *job_spec_trigger(const JobSpec *spec, size_t i)
{
        /* Both lists are made in one go: schedule-keys.c. */
        return i < spec->triggers.n ? spec->triggers.strings[i] : NULL;
}

int job_spec_add_reference(JobSpec *spec, const char *name, const ConfigItem *item)
{
        JobReference *reference;

        /* Grown at powers of two. */
        if ((spec->n_references & (spec->n_references - 1)) == 0) {
                JobReference *grown = reallocarray(spec->references, MAX(spec->n_references * 2, (size_t)1), sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                spec->references = grown;
        }
        reference = &spec->references[spec->n_references];
        *reference = (JobReference){ .job = strdup(name), .line = item->line, .column = item->column };
        if (!reference->job)
                return -ENOMEM;
        for (size_t i = 0; i < spec->files.n; i++)
                if (streq(spec->files.strings[i], item->file))
                        reference->file = spec->files.strings[i];
        spec->n_references++;
        return 0;
}

JobSpec *job_spec_ref(JobSpec *spec)
{
        spec->n_ref++;
        return spec;
}

JobSpec *job_spec_unref(JobSpec *spec)
{
        if (!spec || --spec->n_ref > 0)
                return NULL;
        if (spec->config) {
                if (spec->kind->unload)
                        spec->kind->unload(spec->config);
                config_section_deinit(spec->kind->section, spec->config);
                free(spec->config);
        }
        result_schema_unload(&spec->result.schema);
        for (size_t i = 0; job_sections[i].name; i++)
                config_section_deinit(&job_sections[i], find_section(spec, job_sections[i].name).structure);
        for (size_t i = 0; i < spec->n_references; i++)
                free(spec->references[i].job);
        free(spec->references);
        string_list_deinit(&spec->files);
        string_list_deinit(&spec->triggers);
        free(spec->identity);
        free(spec->schedule_identity);
        secret_set_deinit(&spec->secrets);
        free(spec->name);
        free(spec);
        return NULL;
}
