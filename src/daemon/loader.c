/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/loader.h"

#include <dirent.h>
#include <unistd.h>

#include "base/file.h"
#include "job/name-check.h"
#include "job/references.h"

/* Names or jobs between two looks at the clock. */
#define CLOCK_EVERY 64U
/* Bytes of the names of a template's instances that are searched for one that is named. */
#define INSTANCES_LOOKED_MAX (1024U * 1024)
/* Files between two turns that are passed over, as they mention nothing. */
#define PASSED_OVER_MAX 4096U

typedef struct LoaderFile {
        char *name; /* of the job, or of the file where that is no job's name */
        char *path;
        JobSpec *spec; /* NULL: broken */
        char *problem; /* the first one */
        bool vanished;
        Buffer instances; /* names of the jobs that a template is, each with its NUL */
} LoaderFile;

struct Loader {
        char *directory;
        char *base;        /* where relative paths begin: the environment, which holds DIRECTORY */
        const ResourceSet *resources;
        LoaderFile *files; /* in the order of their names */
        size_t n;
        size_t n_read;
        InstanceReader *reader; /* of the last file that was read, whose names are */
        ConfigReport report;

        /* of what they name */
        bool cycles_known; /* refuse_references() was here */
        JobNames names;
        NameCheck check;
        size_t n_checked;
        ConfigReport warnings;
        unsigned n_warnings;

        /* of loader_apply() */
        uint32_t generation;
        size_t n_applied;
        size_t instance; /* where the next name of the file begins */
        char removed[JOB_NAME_MAX + 1]; /* up to this name, what is not there any more was removed */
        LoaderCounts counts;
};

static int file_compare(const void *a, const void *b)
{
        const LoaderFile *x = a, *y = b;

        return strcmp(x->name, y->name);
}

static int add_file(Loader *loader, size_t *allocated, const char *name)
{
        LoaderFile *file;

        if (loader->n >= JOBS_MAX)
                return -E2BIG;
        if (loader->n == *allocated) {
                LoaderFile *files;

                *allocated = MAX(*allocated * 2, (size_t)16);
                files = reallocarray(loader->files, *allocated, sizeof(*files));
                if (!files)
                        return -ENOMEM;
                loader->files = files;
        }
        file = &loader->files[loader->n];
        *file = (LoaderFile){ .name = strndup(name, strlen(name) - 4), .path = path_join(loader->directory, name) };
        if (!file->name || !file->path) {
                free(file->name);
                free(file->path);
                return -ENOMEM;
        }
        loader->n++;
        return 0;
}

/* The job directory is one of the environment's. */
static size_t parent_length(const char *directory)
{
        const char *slash = strrchr(directory, '/');

        return slash ? MAX((size_t)(slash - directory), (size_t)1) : strlen(directory);
}

static void warn_of_oddity(Loader *loader, const char *name)
{
        const char *oddity = job_file_name_oddity(name);
        _cleanup_free_ char *path = oddity ? path_join(loader->directory, name) : NULL;

        if (!path)
                return;
        loader->n_warnings++;
        config_report_warn(&loader->warnings, path, 0, 0, "%s", oddity);
}

int loader_new(const char *directory, bool may_be_missing, const ResourceSet *resources, Loader **ret)
{
        _cleanup_(loader_freep) Loader *loader = new0(Loader, 1);
        _cleanup_(closedirp) DIR *dir = NULL;
        size_t allocated = 0;

        if (!loader)
                return -ENOMEM;
        loader->resources = resources;
        loader->directory = strdup(directory);
        loader->base = strndup(directory, parent_length(directory));
        if (!loader->directory || !loader->base)
                return -ENOMEM;
        dir = opendir(directory);
        if (!dir && !(errno == ENOENT && may_be_missing))
                return negative_errno();
        while (dir) {
                struct dirent *entry;
                int r;

                errno = 0;
                entry = readdir(dir);
                if (!entry) {
                        if (errno != 0)
                                return negative_errno();
                        break;
                }
                if (!job_file_name_is_valid(entry->d_name)) {
                        warn_of_oddity(loader, entry->d_name);
                        continue;
                }
                r = add_file(loader, &allocated, entry->d_name);
                if (r < 0)
                        return r;
        }
        if (loader->n > 0)
                qsort(loader->files, loader->n, sizeof(*loader->files), file_compare);
        *ret = TAKE_PTR(loader);
        return 0;
}

Loader *loader_free(Loader *loader)
{
        if (!loader)
                return NULL;
        for (size_t i = 0; i < loader->n; i++) {
                free(loader->files[i].name);
                free(loader->files[i].path);
                free(loader->files[i].problem);
                if (loader->files[i].spec)
                        job_spec_forget_mentions(loader->files[i].spec);
                job_spec_unref(loader->files[i].spec);
                buffer_deinit(&loader->files[i].instances);
        }
        instance_reader_free(loader->reader);
        config_report_deinit(&loader->report);
        config_report_deinit(&loader->warnings);
        free(loader->files);
        free(loader->directory);
        free(loader->base);
        free(loader);
        return NULL;
}

/* Moves the problems of one file into the report of all. */
static int keep_problems(Loader *loader, LoaderFile *file, const ConfigReport *report)
{
        _cleanup_buffer_ Buffer first = BUFFER_NULL;

        for (size_t i = 0; i < report->n; i++)
                config_report_add_copy(&loader->report, &report->problems[i]);
        loader->report.n_dropped += report->n_dropped;
        if (report->n > 0 && config_problem_format(&report->problems[0], &first) < 0)
                return -ENOMEM;
        file->problem = buffer_steal(&first);
        return file->problem ? 0 : -ENOMEM;
}

static int read_one(Loader *loader, LoaderFile *file)
{
        ConfigReport report = CONFIG_REPORT_NULL;
        int r = job_spec_load_file(file->path, &report, &file->spec);

        if (r == -EBADMSG) {
                /* Gone since it was listed: that is a job that was removed, and no problem. */
                file->vanished = access(file->path, F_OK) < 0 && errno == ENOENT;
                r = file->vanished ? 0 : keep_problems(loader, file, &report);
        } else if (r == -ENOTSUP) {
                /* A template for links only: they are the jobs. */
                file->vanished = true;
                r = 0;
        } else if (r >= 0 && file->spec->job.instances && job_name_is_template(file->name)) {
                r = instance_reader_new(file->spec->job.instances, file->name, loader->base, &loader->reader);
        }
        config_report_deinit(&report);
        return r;
}

/* Reads on in what Instances= names of the last file. 1 all of it, 0 there is more. */
static int read_instances(Loader *loader, LoaderFile *file)
{
        _cleanup_(config_report_deinit) ConfigReport report = CONFIG_REPORT_NULL;
        const char *name;
        int r = 1;

        for (unsigned n = 0; n < CLOCK_EVERY && r > 0; n++) {
                r = instance_reader_next(loader->reader, &report, &name);
                if (r > 0)
                        r = buffer_append(&file->instances, name, strlen(name) + 1) < 0 ? -ENOMEM : 1;
        }
        if (r > 0)
                return 0;
        loader->reader = instance_reader_free(loader->reader);
        if (r == -EBADMSG) {
                file->spec = job_spec_unref(file->spec);
                r = keep_problems(loader, file, &report);
        }
        return r < 0 ? r : 1;
}

static LoaderFile *find_file(Loader *loader, const char *name)
{
        return loader->n > 0 ? bsearch(&(LoaderFile){ .name = (char *)name }, loader->files, loader->n,
                                       sizeof(*loader->files), file_compare) : NULL;
}

static JobSpec *lookup(const char *name, void *userdata)
{
        char template[JOB_NAME_MAX + 1];
        LoaderFile *file = find_file(userdata, name);

        if (!file && job_name_template(name, template) >= 0)
                file = find_file(userdata, template);
        return file ? file->spec : NULL;
}

/*
 * Groups that would run themselves are refused, once all are known; each sees the others as they were read.
 * So are jobs that use what there is not.
 */
static int refuse_references(Loader *loader)
{
        int r = 0;

        for (size_t i = 0; i < loader->n && r >= 0; i++) {
                LoaderFile *file = &loader->files[i];
                ConfigReport report = CONFIG_REPORT_NULL;

                r = file->spec ? job_references_check(file->spec, lookup, loader, &report) : 0;
                if (r == 0 && file->spec)
                        r = resource_set_check(loader->resources, file->spec, &report);
                if (r == -EBADMSG)
                        r = keep_problems(loader, file, &report);
                config_report_deinit(&report);
        }
        for (size_t i = 0; i < loader->n; i++)
                if (loader->files[i].problem)
                        loader->files[i].spec = job_spec_unref(loader->files[i].spec);
        return r;
}

/* --- what is named and not there --- */

static const char *name_of(size_t i, void *userdata)
{
        const Loader *loader = userdata;

        return loader->files[i].name;
}

static JobSpec *spec_of(size_t i, bool *ret_only_links, void *userdata)
{
        const Loader *loader = userdata;

        *ret_only_links = loader->files[i].vanished;
        return loader->files[i].spec;
}

static bool lists(size_t i, const char *name, void *userdata)
{
        const Loader *loader = userdata;
        const Buffer *names = &loader->files[i].instances;
        size_t n = strlen(name) + 1;
        const char *found = names->data;

        if (names->len > INSTANCES_LOOKED_MAX)
                return true;
        /* Each has its NUL; the one before ends what comes before. */
        while (found && (found = memmem(found, (size_t)(names->data + names->len - found), name, n))) {
                if (found == names->data || found[-1] == '\0')
                        return true;
                found++;
        }
        return false;
}

/* The warnings of one definition go into those of all. */
static void keep_warnings(Loader *loader, const JobSpec *spec)
{
        const ConfigReport *report = spec->warnings ? &spec->warnings->report : NULL;

        for (size_t i = 0; report && i < report->n; i++)
                config_report_add_copy(&loader->warnings, &report->problems[i]);
        if (report)
                loader->n_warnings += (unsigned)(report->n + report->n_dropped_warnings);
}

/* Looks on for the jobs that one file names. 1: these are all. */
static int check_file(Loader *loader, JobSpec *spec)
{
        int r;

        if (loader->check.spec != spec)
                name_check_begin(&loader->check, spec);
        r = name_check_step(&loader->check);
        if (r <= 0)
                return r;
        loader->check.spec = NULL;
        keep_warnings(loader, spec);
        /* What is found later, when the definition may have been put into another's place, is for both. */
        if (spec->mentions.n > 0)
                r = job_spec_hold_warnings(spec);
        return r < 0 ? r : 1;
}

static int check_names(Loader *loader, Clock *clock, usec_t end)
{
        loader->names = (JobNames){ .n = loader->n, .name = name_of, .spec = spec_of, .lists = lists, .userdata = loader };
        loader->check.names = &loader->names;
        while (loader->n_checked < loader->n) {
                JobSpec *spec = loader->files[loader->n_checked].spec;
                int r = spec ? check_file(loader, spec) : 1;

                if (r < 0)
                        return r;
                loader->n_checked += r > 0;
                if (clock_boottime(clock) >= end)
                        break;
        }
        return loader->n_checked == loader->n;
}

const ConfigReport *loader_warnings(Loader *loader)
{
        config_report_sort(&loader->warnings);
        return &loader->warnings;
}

unsigned loader_n_warnings(const Loader *loader)
{
        return loader->n_warnings;
}

JobSpec *loader_next_mentions(const Loader *loader, size_t *i)
{
        for (unsigned n = 0; n < PASSED_OVER_MAX && *i < loader->n; n++) {
                JobSpec *spec = loader->files[(*i)++].spec;

                if (spec && spec->mentions.n > 0)
                        return spec;
        }
        return NULL;
}

size_t loader_n_files(const Loader *loader)
{
        return loader->n;
}

void loader_warn(Loader *loader, JobSpec *spec, const Mention *mention, const char *message)
{
        loader->n_warnings++;
        config_report_warn(&loader->warnings, mention->file, mention->line, mention->column, "%s=: %s", mention->key, message);
        if (spec)
                (void)job_spec_warn(spec, mention->file, mention->line, mention->column, mention->key, message);
}

void loader_warn_of_load(Loader *loader, const char *message)
{
        loader->n_warnings++;
        config_report_warn(&loader->warnings, loader->base, 0, 0, "%s", message);
}

/* --- steps --- */

int loader_step(Loader *loader, Clock *clock, usec_t budget)
{
        usec_t end = usec_add(clock_boottime(clock), budget);
        int r = 0;

        while (loader->reader || loader->n_read < loader->n) {
                r = loader->reader ? read_instances(loader, &loader->files[loader->n_read - 1]) :
                                     read_one(loader, &loader->files[loader->n_read++]);

                if (r < 0)
                        return r;
                if (clock_boottime(clock) >= end)
                        break;
        }
        if (loader->reader || loader->n_read < loader->n)
                return 0;
        if (!loader->cycles_known)
                r = refuse_references(loader);
        loader->cycles_known = true;
        return r < 0 ? r : check_names(loader, clock, end);
}

bool loader_is_applying(const Loader *loader)
{
        return loader->generation > 0;
}

const ConfigReport *loader_report(const Loader *loader)
{
        return &loader->report;
}

static void refuse(EventBus *events, Job *job, const LoaderFile *file)
{
        Event event = { .type = EVENT_REFUSED, .job = file->name, .message = file->problem };

        if (job && !job->removed) {
                job->refused = true;
                /* They were about what the file said before. */
                job_spec_share_warnings(job->spec, NULL);
        }
        event_bus_emit(events, &event);
}

static int apply_spec(Loader *loader, const char *name, JobSpec *spec, Scheduler *scheduler)
{
        Job *job = scheduler_find_job(scheduler, name);
        int r;

        if (!job || job->removed) {
                r = scheduler_add_instance(scheduler, spec, name, &job);
                if (r < 0)
                        return r;
                loader->counts.added++;
        } else if (job->generation == loader->generation) {
                /* Named twice. */
                return 0;
        } else if (!job->on_demand && (job->spec == spec || streq(job->spec->identity, spec->identity))) {
                loader->counts.unchanged++;
                if (job->spec != spec)
                        job_spec_share_warnings(job->spec, spec);
        } else {
                loader->counts.changed++;
                scheduler_change_job(scheduler, job, spec);
        }
        job->refused = false;
        job->generation = loader->generation;
        return 0;
}

/* The next instance of FILE, unless a link makes a job of its own of it. 1: there was none left. */
static int apply_instance(Loader *loader, LoaderFile *file, Scheduler *scheduler)
{
        const char *name;

        if (loader->instance >= file->instances.len)
                return 1;
        name = file->instances.data + loader->instance;
        loader->instance += strlen(name) + 1;
        return find_file(loader, name) ? 0 : apply_spec(loader, name, file->spec, scheduler);
}

/* 1: FILE is done. */
static int apply_file(Loader *loader, LoaderFile *file, Scheduler *scheduler, EventBus *events)
{
        int r = 0;

        if (file->vanished)
                return 1;
        if (!file->spec) {
                Job *job = scheduler_find_job(scheduler, file->name);

                refuse(events, job, file);
                if (job)
                        job->generation = loader->generation;
                loader->counts.refused++;
                return 1;
        }
        if (loader->instance == 0)
                r = apply_spec(loader, file->name, file->spec, scheduler);
        return r < 0 ? r : apply_instance(loader, file, scheduler);
}

/*
 * JOB may not be named any more. Instances of a broken template stay. What is made on demand goes by itself, but nothing
 * new of it may start once its template, which comes before it by its name, is gone.
 */
static void remove_unnamed(Loader *loader, Job *job, Scheduler *scheduler)
{
        char template[JOB_NAME_MAX + 1];
        const LoaderFile *file;

        if (job->generation == loader->generation || job->removed)
                return;
        if (job->on_demand) {
                if (!scheduler_find_template(scheduler, job->name))
                        scheduler_remove_job(scheduler, job);
                return;
        }
        file = job_name_template(job->name, template) >= 0 ? find_file(loader, template) : NULL;
        if (file && !file->spec && !file->vanished && job->spec->job.instances) {
                job->refused = true;
                return;
        }
        loader->counts.removed++;
        scheduler_remove_job(scheduler, job);
}

/* 1: that was the last step. */
static int apply_step(Loader *loader, Scheduler *scheduler, EventBus *events)
{
        Job *job;
        int r;

        if (loader->n_applied < loader->n) {
                r = apply_file(loader, &loader->files[loader->n_applied], scheduler, events);
                if (r > 0) {
                        loader->n_applied++;
                        loader->instance = 0;
                }
                return MIN(r, 0);
        }
        job = scheduler_job_after(scheduler, loader->removed);
        if (!job)
                return 1;
        (void)strcpy(loader->removed, job->name);
        remove_unnamed(loader, job, scheduler);
        return 0;
}

int loader_apply(Loader *loader, Scheduler *scheduler, EventBus *events, usec_t budget, LoaderCounts *ret)
{
        Clock *clock = events->clock;
        usec_t end = usec_add(clock_boottime(clock), budget);
        int r = 0;

        if (loader->generation == 0)
                loader->generation = scheduler_next_generation(scheduler);
        do
                for (unsigned n = 0; n < CLOCK_EVERY && r == 0; n++)
                        r = apply_step(loader, scheduler, events);
        while (r == 0 && clock_boottime(clock) < end);
        if (r > 0)
                *ret = loader->counts;
        return r;
}
