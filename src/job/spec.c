/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job/spec-internal.h"

#include <ctype.h>

#include "base/hash.h"
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
          .help = "A file that gets each result as JSON; it is replaced as a whole. A relative path is one of the environment. It belongs on a local disk, as all waits for the write." },
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

const char *job_file_name_oddity(const char *name)
{
        static const char *const theirs[] = {
                ".new", ".old", ".orig", ".rej", ".bak", ".save", ".swp", ".tmp", ".disabled", ".d",
        };
        static const char *const packages[] = { ".dpkg-", ".rpm", ".ucf-" };
        const char *suffix = strrchr(name, '.');
        Nearest nearest = { .name = suffix };

        if (!suffix || suffix == name || name[0] == '.' || name[0] == '#' || job_file_name_is_valid(name))
                return NULL;
        for (size_t i = 0; i < ARRAY_SIZE(theirs); i++)
                if (streq(suffix, theirs[i]))
                        return NULL;
        for (size_t i = 0; i < ARRAY_SIZE(packages); i++)
                if (startswith(suffix, packages[i]))
                        return NULL;
        if (suffix[strlen(suffix) - 1] == '~')
                return NULL;
        if (streq(suffix, ".job"))
                return "the name of a template has one @, at its end";
        nearest_look(&nearest, ".job");
        return nearest.found || strstr(name, ".job.") ? "it is not read, as the name of a job's file ends with .job" : NULL;
}

bool job_file_name_is_valid(const char *name)
{
        char job[JOB_NAME_MAX + 1];
        size_t n = strlen(name);

        if (name[0] == '.' || n <= 4 || !streq(name + n - 4, ".job"))
                return false;
        if (n - 4 > JOB_NAME_MAX || name[n - 5] != '@')
                return true;
        *(char *)mempcpy(job, name, n - 4) = '\0';
        return job_name_is_template(job);
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

SpecSection spec_find_section(JobSpec *spec, const char *name)
{
        void *structures[] = { &spec->job, &spec->schedule, &spec->result, &spec->publish };

        for (size_t i = 0; job_sections[i].name; i++)
                if (streq(job_sections[i].name, name))
                        return (SpecSection){ &job_sections[i], structures[i] };
        if (spec->kind->section && streq(spec->kind->section->name, name))
                return (SpecSection){ spec->kind->section, spec->config };
        return (SpecSection){};
}

const char *job_spec_trigger(const JobSpec *spec, size_t i)
{
        /* Both lists are made in one go: schedule-keys.c. */
        return i < spec->triggers.n ? spec->triggers.strings[i] : NULL;
}

uint64_t job_trigger_id(const char *trigger)
{
        /* Where two lines of a job collide, the other one is shown. */
        return trigger ? hash_text(trigger, strlen(trigger)) : 0;
}

const char *job_spec_trigger_by_id(const JobSpec *spec, uint64_t id)
{
        const EventTriggerList *on = &spec->schedule.on;

        if (id == 0)
                return NULL;
        for (size_t i = 0; i < spec->triggers.n; i++)
                if (job_trigger_id(spec->triggers.strings[i]) == id)
                        return spec->triggers.strings[i];
        for (size_t i = 0; i < on->n; i++)
                if (job_trigger_id(on->triggers[i].text) == id)
                        return on->triggers[i].text;
        return NULL;
}

/* The words of LINE behind the first. */
static int note_arguments(JobReference *reference, const CommandLine *line)
{
        int r = 0;

        for (size_t i = 1; i < command_line_size(line) && r >= 0; i++) {
                const Template *word = command_line_word(line, i);

                reference->args_vary = reference->args_vary || !template_is_constant(word);
                r = string_list_append(&reference->args, template_beginning(word));
        }
        return r;
}

int job_spec_add_reference(JobSpec *spec, const char *name, const CommandLine *line, const ConfigItem *item)
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
        *reference = (JobReference){ .job = strdup(name) };
        config_item_place(item, 0, &reference->line, &reference->column);
        if (!reference->job)
                return -ENOMEM;
        for (size_t i = 0; i < spec->files.n; i++)
                if (streq(spec->files.strings[i], item->file))
                        reference->file = spec->files.strings[i];
        spec->n_references++;
        return note_arguments(reference, line);
}

int job_spec_mention(JobSpec *spec, const Mention *mention, const ConfigItem *item, size_t offset)
{
        return mention_list_add(&spec->mentions, mention, item, offset);
}

void job_spec_forget_mentions(JobSpec *spec)
{
        for (size_t k = 0; k < spec->n_references; k++)
                string_list_deinit(&spec->references[k].args);
        mention_list_deinit(&spec->mentions);
}

int job_spec_hold_warnings(JobSpec *spec)
{
        if (!spec->warnings)
                spec->warnings = job_warnings_new();
        return spec->warnings ? 0 : -ENOMEM;
}

int job_spec_warn(JobSpec *spec, const char *file, unsigned line, unsigned column, const char *key, const char *message)
{
        int r = job_spec_hold_warnings(spec);

        if (r >= 0)
                (void)job_warnings_add(spec->warnings, file, line, column, key, message);
        return r;
}

int job_spec_warn_at(JobSpec *spec, const ConfigItem *item, size_t offset, const char *key, const char *message)
{
        unsigned line, column;

        config_item_place(item, offset, &line, &column);
        return job_spec_warn(spec, item->file, line, column, key, message);
}

void job_spec_share_warnings(JobSpec *spec, const JobSpec *from)
{
        JobWarnings *warnings = from && from->warnings ? job_warnings_ref(from->warnings) : NULL;

        job_warnings_unref(spec->warnings);
        spec->warnings = warnings;
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
                config_section_deinit(&job_sections[i], spec_find_section(spec, job_sections[i].name).structure);
        for (size_t i = 0; i < spec->n_references; i++) {
                free(spec->references[i].job);
                string_list_deinit(&spec->references[i].args);
        }
        free(spec->references);
        mention_list_deinit(&spec->mentions);
        job_warnings_unref(spec->warnings);
        string_list_deinit(&spec->files);
        string_list_deinit(&spec->triggers);
        free(spec->identity);
        free(spec->schedule_identity);
        secret_set_deinit(&spec->secrets);
        free(spec->name);
        free(spec);
        return NULL;
}
