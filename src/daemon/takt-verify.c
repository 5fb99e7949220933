/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks job files and takt.conf; taktctl verify becomes this program. Problems go to standard error, with --json to standard output. */
#include <stdio.h>
#include <unistd.h>

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

/* The instances that a template names. Files of names are looked for where a daemon would: above the job's directory. */
static int check_instances(const char *path, const JobSpec *spec, ConfigReport *report)
{
        _cleanup_(instance_reader_freep) InstanceReader *reader = NULL;
        const char *slash = strrchr(path, '/'), *name;
        _cleanup_free_ char *base = slash ? xasprintf("%.*s/..", (int)(slash - path), path) : strdup("..");
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
        size_t n;
} Jobs;

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
        jobs->specs[jobs->n++] = spec;
        r = check_filter(&spec->result.filter, report);
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
        jobs.specs = new0(JobSpec *, (size_t)argc);
        if (!jobs.specs)
                return complain("can't check", -ENOMEM);
        for (; i < argc; i++) {
                r = verify(argv[i], &jobs, &report, quiet || json);
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
