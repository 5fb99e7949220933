/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks job files and takt.conf, those of a directory or environment as well; taktctl verify becomes this
 * program. Problems go to standard error, with --json to standard output.
 */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/string-util.h"
#include "config/settings.h"
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

/* An io.takt.Manager.Problem. */
static void write_problem(const ConfigProblem *problem, JsonWriter *w)
{
        json_begin_object(w);
        json_key(w, "file");
        json_string_lossy(w, problem->file, strlen(problem->file));
        json_key(w, "line");
        json_uint(w, problem->line);
        json_key(w, "column");
        json_uint(w, problem->column);
        json_key(w, "message");
        json_string_lossy(w, problem->message, strlen(problem->message));
        json_end_object(w);
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
        return 0;
}

static int print_json(const ConfigReport *report)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        JsonWriter w;
        int r;

        json_writer_init(&w, &text, 0);
        json_begin_array(&w);
        for (size_t i = 0; i < report->n; i++)
                write_problem(&report->problems[i], &w);
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

/* The jobs that were given, for what they say of each other. */
typedef struct Jobs {
        JobSpec **specs;
        size_t n, allocated;
} Jobs;

static int jobs_add(Jobs *jobs, JobSpec *spec)
{
        if (jobs->n == jobs->allocated) {
                size_t allocated = MAX(2 * jobs->allocated, (size_t)16);
                JobSpec **grown = reallocarray(jobs->specs, allocated, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                jobs->specs = grown;
                jobs->allocated = allocated;
        }
        jobs->specs[jobs->n++] = spec;
        return 0;
}

static JobSpec *lookup(const char *name, void *userdata)
{
        const Jobs *jobs = userdata;
        char template[JOB_NAME_MAX + 1] = "";

        (void)job_name_template(name, template);
        for (size_t i = 0; i < jobs->n; i++)
                if (streq(jobs->specs[i]->name, name) || streq(jobs->specs[i]->name, template))
                        return jobs->specs[i];
        return NULL;
}

static int check_references(Jobs *jobs, ConfigReport *report)
{
        int status = STATUS_OK;

        for (size_t i = 0; i < jobs->n; i++) {
                int r = job_references_check(jobs->specs[i], lookup, jobs, report);

                if (r == -EBADMSG)
                        status = STATUS_BROKEN;
                else if (r < 0)
                        return complain(jobs->specs[i]->name, r);
        }
        return status;
}

/* What a daemon sees only when it runs: compiling a program takes too long for thousands of jobs. */
static int check_filter(const ResultFilter *filter, ConfigReport *report)
{
        _cleanup_free_ char *error = NULL;
        int r = filter->program ? work_check_filter(filter->program, &error) : 0;

        return r == -EBADMSG ? config_report_add(report, filter->file, filter->line, filter->column, "Filter=: %s", error) : r;
}

static int load(const char *path, Jobs *jobs, ConfigReport *report)
{
        _cleanup_(settings_freep) Settings *settings = NULL;
        _cleanup_(resource_set_deinit) ResourceSet resources = {};
        const char *slash = strrchr(path, '/');
        JobSpec *spec;
        int r;

        if (streq(slash ? slash + 1 : path, "takt.conf")) {
                r = settings_load(path, report, &settings);
                return r < 0 ? r : resource_set_load(path, report, &resources);
        }
        r = job_spec_load_file(path, report, &spec);
        /* What is wrong in a template for links only shows in its links. */
        if (r < 0)
                return r == -ENOTSUP ? 0 : r;
        r = jobs_add(jobs, spec);
        if (r < 0) {
                job_spec_unref(spec);
                return r;
        }
        r = check_filter(&spec->result.filter, report);
        if (r >= 0 && spec->job.uses.n > 0)
                r = check_uses(path, spec, report);
        if (r < 0)
                return r;
        return spec->job.instances && job_name_is_template(spec->name) ? check_instances(path, spec, report) : 0;
}

/* STATUS_…; problems are added to REPORT. */
static int verify(const char *path, Jobs *jobs, ConfigReport *report, bool quiet)
{
        int r;

        if (access(path, R_OK) < 0)
                return complain(path, negative_errno());
        r = load(path, jobs, report);
        if (r == -EBADMSG)
                return STATUS_BROKEN;
        if (r < 0)
                return complain(path, r);
        if (!quiet)
                printf("%s: ok\n", path);
        return STATUS_OK;
}

static int select_job(const struct dirent *entry)
{
        return job_file_name_is_valid(entry->d_name);
}

/* All job files of DIRECTORY. */
static int verify_jobs(const char *directory, Jobs *jobs, ConfigReport *report, bool quiet)
{
        struct dirent **entries;
        int n = scandir(directory, &entries, select_job, alphasort), status = STATUS_OK;

        if (n < 0)
                return complain(directory, negative_errno());
        for (int i = 0; i < n; i++) {
                _cleanup_free_ char *path = path_join(directory, entries[i]->d_name);
                int r = path ? verify(path, jobs, report, quiet) : complain(directory, -ENOMEM);

                status = MAX(status, r);
                free(entries[i]);
        }
        free(entries);
        return status;
}

static bool is_directory(const char *path)
{
        struct stat st;

        return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* An environment, or a directory of job files. */
static int verify_directory(const char *directory, Jobs *jobs, ConfigReport *report, bool quiet)
{
        _cleanup_free_ char *conf = path_join(directory, "takt.conf"), *files = path_join(directory, "jobs");
        int status, r;

        if (!conf || !files)
                return complain(directory, -ENOMEM);
        status = access(conf, F_OK) < 0 ? STATUS_OK : verify(conf, jobs, report, quiet);
        r = verify_jobs(is_directory(files) ? files : directory, jobs, report, quiet);
        return MAX(status, r);
}

int main(int argc, char **argv)
{
        _cleanup_(config_report_deinit) ConfigReport report = CONFIG_REPORT_NULL;
        bool json = false, quiet = false;
        Jobs jobs = {};
        int status = STATUS_OK, r, i;

        for (i = 1; i < argc && startswith(argv[i], "--"); i++) {
                if (streq(argv[i], "--")) {
                        i++;
                        break;
                }
                json = json || streq(argv[i], "--json");
                quiet = quiet || streq(argv[i], "--quiet");
        }
        for (; i < argc; i++) {
                r = is_directory(argv[i]) ? verify_directory(argv[i], &jobs, &report, quiet || json) :
                                            verify(argv[i], &jobs, &report, quiet || json);
                status = MAX(status, r);
        }
        r = check_references(&jobs, &report);
        status = MAX(status, r);
        for (size_t k = 0; k < jobs.n; k++)
                job_spec_unref(jobs.specs[k]);
        free(jobs.specs);
        r = json ? print_json(&report) : print_problems(&report);
        if (r < 0)
                return complain("can't tell what is wrong", r);
        return fflush(stdout) == 0 ? status : complain("can't write the output", negative_errno());
}
