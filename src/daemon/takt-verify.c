/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks job files and takt.conf, those of a directory or environment as well; taktctl verify becomes this
 * program. Problems go to standard error, with --json to standard output, in the order of the files' names
 * and their lines.
 */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/string-util.h"
#include "config/settings.h"
#include "daemon/neighbourhood.h"
#include "job/name-check.h"
#include "job/problem.h"
#include "job/references.h"
#include "job/resource.h"
#include "job/spec.h"
#include "json/writer.h"
#include "work/work.h"

/* As those of taktctl. */
enum {
        STATUS_OK = 0,
        STATUS_BROKEN = 1,
        STATUS_UNUSABLE = 2,
};

static int complain(const char *what, int r)
{
        fprintf(stderr, "taktctl: %s: %s\n", what, strerror(-r));
        return STATUS_UNUSABLE;
}

/* A file was wanted. */
static int complain_of_name(const char *name)
{
        fprintf(stderr, "taktctl: there is no file %s; to check a job, name its file, such as jobs/%s.job\n", name, name);
        return STATUS_UNUSABLE;
}

static int print_problems(const ConfigReport *report)
{
        for (size_t i = 0; i < report->n; i++) {
                _cleanup_buffer_ Buffer line = BUFFER_NULL;

                if (config_problem_format(&report->problems[i], &line) < 0)
                        return -ENOMEM;
                fprintf(stderr, "%s\n", buffer_string(&line));
        }
        if (report->n_dropped > 0)
                fprintf(stderr, "and %zu more\n", report->n_dropped);
        if (report->n_dropped_warnings > 0)
                fprintf(stderr, "and %zu warnings more\n", report->n_dropped_warnings);
        return 0;
}

static int print_json(const ConfigReport *report)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        JsonWriter w;
        int r;

        json_writer_init(&w, &text, 0);
        json_begin_array(&w);
        for (size_t i = 0; i < report->n; i++) {
                json_begin_object(&w);
                problem_write(&report->problems[i], &w);
                json_end_object(&w);
        }
        json_end_array(&w);
        r = json_writer_end(&w);
        if (r >= 0)
                puts(buffer_string(&text));
        return r;
}

/* Where a daemon looks for what jobs name: the directory above that of the job at PATH. NULL: no memory. */
static char *find_base(const char *path)
{
        const char *slash = strrchr(path, '/');

        return slash ? xasprintf("%.*s/..", (int)(slash - path), path) : strdup("..");
}

/* The resources that a job uses, in the takt.conf of its environment. */
static int check_uses(const char *path, const JobSpec *spec, ConfigReport *report)
{
        _cleanup_(config_report_deinit) ConfigReport ignored = CONFIG_REPORT_NULL;
        _cleanup_(resource_set_deinit) ResourceSet resources = {};
        _cleanup_free_ char *base = find_base(path), *conf = base ? path_join(base, "takt.conf") : NULL;
        int r;

        if (!conf)
                return -ENOMEM;
        r = access(conf, F_OK) < 0 ? negative_errno() : resource_set_load(conf, &ignored, &resources);
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                fprintf(stderr, "%s: Use= was not looked at, as %s %s\n", path, conf, r == -EBADMSG ? "is broken" : "is not there");
                return 0;
        }
        return resource_set_check(&resources, spec, report);
}

/* The instances that a template names. */
static int check_instances(const char *path, const JobSpec *spec, ConfigReport *report)
{
        _cleanup_(instance_reader_freep) InstanceReader *reader = NULL;
        _cleanup_free_ char *base = find_base(path);
        const char *name;
        int r;

        if (!base)
                return -ENOMEM;
        r = instance_reader_new(spec->job.instances, spec->name, base, &reader);
        if (r < 0)
                return r;
        do
                r = instance_reader_next(reader, report, &name);
        while (r > 0);
        return r;
}

/* A file that was given. */
typedef struct Checked {
        char *path;
        JobSpec *spec;  /* NULL: takt.conf, a broken job, or a template for links */
        MentionList mentions; /* of takt.conf */
        int status;
        size_t n_warnings;
} Checked;

typedef struct Checkup {
        Checked *files;
        size_t n, allocated;
        Neighbourhood *neighbourhoods;
        size_t n_odd; /* files that were passed over, and warned of */
        bool quiet;
} Checkup;

/* NULL: no memory. */
static Checked *checkup_add(Checkup *checkup, const char *path)
{
        Checked *file;

        if (checkup->n == checkup->allocated) {
                size_t allocated = MAX(2 * checkup->allocated, (size_t)16);
                Checked *grown = reallocarray(checkup->files, allocated, sizeof(*grown));

                if (!grown)
                        return NULL;
                checkup->files = grown;
                checkup->allocated = allocated;
        }
        file = &checkup->files[checkup->n];
        *file = (Checked){ .path = strdup(path) };
        if (!file->path)
                return NULL;
        checkup->n++;
        return file;
}

static void checkup_deinit(Checkup *checkup)
{
        for (size_t i = 0; i < checkup->n; i++) {
                free(checkup->files[i].path);
                mention_list_deinit(&checkup->files[i].mentions);
                job_spec_unref(checkup->files[i].spec);
        }
        free(checkup->files);
        neighbourhood_free_all(checkup->neighbourhoods);
}

static JobSpec *lookup(const char *name, void *userdata)
{
        const Checkup *checkup = userdata;
        char template[JOB_NAME_MAX + 1] = "";

        (void)job_name_template(name, template);
        for (size_t i = 0; i < checkup->n; i++) {
                JobSpec *spec = checkup->files[i].spec;

                if (spec && (streq(spec->name, name) || streq(spec->name, template)))
                        return spec;
        }
        return NULL;
}

static void check_references(Checkup *checkup, ConfigReport *report)
{
        for (size_t i = 0; i < checkup->n; i++) {
                Checked *file = &checkup->files[i];
                int r = file->spec ? job_references_check(file->spec, lookup, checkup, report) : 0;

                if (r == -EBADMSG)
                        file->status = STATUS_BROKEN;
                else if (r < 0)
                        file->status = complain(file->path, r);
        }
}

/* --- warnings --- */

/* The directory of the jobs beside which the file at PATH stands. NULL: no memory. */
static char *find_jobs(const char *path, bool is_job)
{
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *directory = slash ? strndup(path, MAX((size_t)(slash - path), (size_t)1)) : strdup(".");

        if (is_job || !directory)
                return TAKE_PTR(directory);
        return path_join(directory, "jobs");
}

static int check_names(const Neighbourhood *neighbourhood, JobSpec *spec)
{
        NameCheck check = { .names = neighbourhood_names(neighbourhood) };
        int r = 0;

        if (!check.names)
                return 0;
        name_check_begin(&check, spec);
        while (r == 0)
                r = name_check_step(&check);
        return r;
}

static int look_around(const Neighbourhood *neighbourhood, const MentionList *mentions, JobWarnings *warnings)
{
        const Surroundings *s = neighbourhood_surroundings(neighbourhood);

        for (size_t i = 0; i < mentions->n; i++) {
                const Mention *mention = &mentions->mentions[i];
                _cleanup_free_ char *directory = NULL, *nearest = NULL, *message = NULL;
                Look look;
                int r = mention_to_look(mention, s, &look, &directory);

                if (r > 0)
                        r = look_for(&look, &nearest);
                if (r == -ENOMEM)
                        return r;
                message = r < 0 ? mention_describe(mention, s, r, nearest) : NULL;
                if (message)
                        (void)job_warnings_add(warnings, mention->file, mention->line, mention->column, mention->key, message);
        }
        return 0;
}

static void take_warnings(Checked *file, JobWarnings *warnings, ConfigReport *report)
{
        config_report_sort(&warnings->report);
        for (size_t i = 0; i < warnings->report.n; i++)
                config_report_add_copy(report, &warnings->report.problems[i]);
        report->n_dropped_warnings += warnings->report.n_dropped_warnings;
        file->n_warnings = warnings->report.n + warnings->report.n_dropped_warnings;
}

static int warn_of_file(Checkup *checkup, Checked *file, ConfigReport *report)
{
        JobSpec *spec = file->spec;
        _cleanup_free_ char *jobs = find_jobs(file->path, spec);
        JobWarnings *warnings;
        const Neighbourhood *neighbourhood = jobs ? neighbourhood_get(&checkup->neighbourhoods, jobs) : NULL;
        int r = neighbourhood ? 0 : -ENOMEM;

        if (r >= 0 && spec)
                r = check_names(neighbourhood, spec);
        if (r >= 0 && spec)
                r = job_spec_hold_warnings(spec);
        if (r < 0)
                return r;
        warnings = spec ? job_warnings_ref(spec->warnings) : job_warnings_new();
        r = warnings ? look_around(neighbourhood, spec ? &spec->mentions : &file->mentions, warnings) : -ENOMEM;
        if (r >= 0)
                take_warnings(file, warnings, report);
        job_warnings_unref(warnings);
        return r;
}

static void warn(Checkup *checkup, ConfigReport *report)
{
        for (size_t i = 0; i < checkup->n; i++) {
                Checked *file = &checkup->files[i];
                int r = file->status == STATUS_OK ? warn_of_file(checkup, file, report) : 0;

                if (r < 0)
                        file->status = complain(file->path, r);
        }
}

/* --- files --- */

/* What a daemon sees only when it runs: compiling a program takes too long for thousands of jobs. */
static int check_filter(const ResultFilter *filter, ConfigReport *report)
{
        _cleanup_free_ char *error = NULL;
        int r = filter->program ? work_check_filter(filter->program, &error) : 0;

        return r == -EBADMSG ? config_report_add(report, filter->file, filter->line, filter->column, "Filter=: %s", error) : r;
}

static int load_job(const char *path, Checked *file, ConfigReport *report)
{
        int r = job_spec_load_file(path, report, &file->spec);
        const JobSpec *spec = file->spec;

        /* What is wrong in a template for links only shows in its links. */
        if (r < 0)
                return r == -ENOTSUP ? 0 : r;
        r = check_filter(&spec->result.filter, report);
        if (r >= 0 && spec->job.uses.n > 0)
                r = check_uses(path, spec, report);
        if (r < 0)
                return r;
        return spec->job.instances && job_name_is_template(spec->name) ? check_instances(path, spec, report) : 0;
}

static int load_settings(const char *path, Checked *file, ConfigReport *report)
{
        _cleanup_(settings_freep) Settings *settings = NULL;
        _cleanup_(resource_set_deinit) ResourceSet resources = {};
        int r = resource_set_load_with_settings(path, report, &settings, &resources);

        if (r < 0)
                return r;
        file->mentions = resources.mentions;
        resources.mentions = (MentionList){};
        return 0;
}

/* STATUS_…; problems are added to REPORT. */
static int verify(const char *path, Checkup *checkup, ConfigReport *report)
{
        const char *slash = strrchr(path, '/');
        bool is_settings = streq(slash ? slash + 1 : path, "takt.conf");
        Checked *file;
        int r;

        if (access(path, R_OK) < 0)
                return errno == ENOENT && !slash && job_name_is_valid(path) && !job_file_name_is_valid(path) ?
                               complain_of_name(path) : complain(path, negative_errno());
        file = checkup_add(checkup, path);
        if (!file)
                return complain(path, -ENOMEM);
        r = is_settings ? load_settings(path, file, report) : load_job(path, file, report);
        file->status = r == -EBADMSG ? STATUS_BROKEN : r < 0 ? complain(path, r) : STATUS_OK;
        return file->status;
}

static int select_job(const struct dirent *entry)
{
        return job_file_name_is_valid(entry->d_name);
}

static int select_oddity(const struct dirent *entry)
{
        return job_file_name_oddity(entry->d_name) != NULL;
}

static void warn_of_oddities(const char *directory, Checkup *checkup, ConfigReport *report)
{
        struct dirent **entries;
        int n = scandir(directory, &entries, select_oddity, alphasort);

        for (int i = 0; i < n; i++) {
                _cleanup_free_ char *path = path_join(directory, entries[i]->d_name);

                checkup->n_odd++;
                config_report_warn(report, path ?: directory, 0, 0, "%s", job_file_name_oddity(entries[i]->d_name));
                free(entries[i]);
        }
        if (n >= 0)
                free(entries);
}

/* All job files of DIRECTORY, which may name each other. */
static int verify_jobs(const char *directory, Checkup *checkup, ConfigReport *report)
{
        struct dirent **entries;
        int n = scandir(directory, &entries, select_job, alphasort), status = STATUS_OK;

        if (n < 0)
                return complain(directory, negative_errno());
        if (neighbourhood_add(&checkup->neighbourhoods, directory) < 0)
                status = complain(directory, -ENOMEM);
        for (int i = 0; i < n; i++) {
                _cleanup_free_ char *path = path_join(directory, entries[i]->d_name);
                int r = path ? verify(path, checkup, report) : complain(directory, -ENOMEM);

                status = MAX(status, r);
                free(entries[i]);
        }
        free(entries);
        warn_of_oddities(directory, checkup, report);
        return status;
}

static bool is_directory(const char *path)
{
        struct stat st;

        return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* An environment, or a directory of job files. */
static int verify_directory(const char *directory, Checkup *checkup, ConfigReport *report)
{
        _cleanup_free_ char *conf = path_join(directory, "takt.conf"), *files = path_join(directory, "jobs");
        int status, r;

        if (!conf || !files)
                return complain(directory, -ENOMEM);
        status = access(conf, F_OK) < 0 ? STATUS_OK : verify(conf, checkup, report);
        r = verify_jobs(is_directory(files) ? files : directory, checkup, report);
        return MAX(status, r);
}

/* What became of each file; the worst status of all. */
static int print_verdicts(const Checkup *checkup, bool strict)
{
        int status = strict && checkup->n_odd > 0 ? STATUS_BROKEN : STATUS_OK;

        for (size_t i = 0; i < checkup->n; i++) {
                const Checked *file = &checkup->files[i];

                status = MAX(status, file->status);
                if (file->n_warnings > 0 && strict)
                        status = MAX(status, (int)STATUS_BROKEN);
                if (checkup->quiet || file->status != STATUS_OK)
                        continue;
                if (file->n_warnings > 0)
                        printf("%s: ok, with %zu warning%s\n", file->path, file->n_warnings, file->n_warnings == 1 ? "" : "s");
                else
                        printf("%s: ok\n", file->path);
        }
        return status;
}

int main(int argc, char **argv)
{
        _cleanup_(config_report_deinit) ConfigReport report = CONFIG_REPORT_NULL;
        _cleanup_(checkup_deinit) Checkup checkup = {};
        bool json = false, strict = false;
        int status = STATUS_OK, r, i;

        for (i = 1; i < argc && startswith(argv[i], "--"); i++) {
                if (streq(argv[i], "--")) {
                        i++;
                        break;
                }
                json = json || streq(argv[i], "--json");
                strict = strict || streq(argv[i], "--strict");
                checkup.quiet = checkup.quiet || streq(argv[i], "--quiet") || streq(argv[i], "--json");
        }
        for (; i < argc; i++) {
                r = is_directory(argv[i]) ? verify_directory(argv[i], &checkup, &report) : verify(argv[i], &checkup, &report);
                status = MAX(status, r);
        }
        check_references(&checkup, &report);
        warn(&checkup, &report);
        r = print_verdicts(&checkup, strict);
        status = MAX(status, r);
        config_report_sort(&report);
        r = json ? print_json(&report) : print_problems(&report);
        if (r < 0)
                return complain("can't tell what is wrong", r);
        return fflush(stdout) == 0 ? status : complain("can't write the output", negative_errno());
}
