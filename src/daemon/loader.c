/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/loader.h"

#include <dirent.h>
#include <unistd.h>

#include "base/file.h"

typedef struct LoaderFile {
        char *name; /* of the job, or of the file where that is no job's name */
        char *path;
        JobSpec *spec; /* NULL: broken */
        char *problem; /* the first one */
        bool vanished;
} LoaderFile;

struct Loader {
        char *directory;
        LoaderFile *files; /* in the order of their names */
        size_t n;
        size_t n_read;
        ConfigReport report;
};

static bool is_job_file(const char *name)
{
        size_t n = strlen(name);

        /* NAME@.job is a template: it becomes a job as NAME@INSTANCE.job, a link to it. */
        return name[0] != '.' && n > 4 && streq(name + n - 4, ".job") && name[n - 5] != '@';
}

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

int loader_new(const char *directory, bool may_be_missing, Loader **ret)
{
        _cleanup_(loader_freep) Loader *loader = new0(Loader, 1);
        _cleanup_(closedirp) DIR *dir = NULL;
        size_t allocated = 0;

        if (!loader)
                return -ENOMEM;
        loader->directory = strdup(directory);
        if (!loader->directory)
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
                if (!is_job_file(entry->d_name))
                        continue;
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
                job_spec_unref(loader->files[i].spec);
        }
        config_report_deinit(&loader->report);
        free(loader->files);
        free(loader->directory);
        free(loader);
        return NULL;
}

/* Moves the problems of one file into the report of all. */
static int keep_problems(Loader *loader, LoaderFile *file, const ConfigReport *report)
{
        _cleanup_buffer_ Buffer first = BUFFER_NULL;

        for (size_t i = 0; i < report->n; i++) {
                const ConfigProblem *p = &report->problems[i];

                (void)config_report_add(&loader->report, p->file, p->line, p->column, "%s", p->message);
        }
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
        }
        config_report_deinit(&report);
        return r;
}

int loader_step(Loader *loader, Clock *clock, usec_t budget)
{
        usec_t end = usec_add(clock_boottime(clock), budget);

        while (loader->n_read < loader->n) {
                int r = read_one(loader, &loader->files[loader->n_read++]);

                if (r < 0)
                        return r;
                if (clock_boottime(clock) >= end)
                        return loader->n_read == loader->n;
        }
        return 1;
}

const ConfigReport *loader_report(const Loader *loader)
{
        return &loader->report;
}

static void refuse(EventBus *events, Job *job, const LoaderFile *file)
{
        Event event = { .type = EVENT_REFUSED, .job = file->name, .message = file->problem };

        if (job)
                job->refused = true;
        event_bus_emit(events, &event);
}

static int apply_one(LoaderFile *file, Scheduler *scheduler, EventBus *events, LoaderCounts *counts)
{
        Job *job = scheduler_find_job(scheduler, file->name);

        if (!file->spec) {
                refuse(events, job, file);
                counts->refused++;
                return 0;
        }
        if (!job) {
                counts->added++;
                return scheduler_add_job(scheduler, file->spec, NULL);
        }
        job->refused = false;
        if (streq(job->spec->identity, file->spec->identity)) {
                counts->unchanged++;
                return 0;
        }
        counts->changed++;
        scheduler_change_job(scheduler, job, file->spec);
        return 0;
}

int loader_apply(Loader *loader, Scheduler *scheduler, EventBus *events, LoaderCounts *ret)
{
        Job *job = scheduler_next_job(scheduler, NULL);
        LoaderCounts counts = {};
        size_t i = 0;

        /* Both sides are in the order of their names: what the directory does not have is removed. */
        while (job) {
                Job *next = scheduler_next_job(scheduler, job);

                while (i < loader->n && strcmp(loader->files[i].name, job->name) < 0)
                        i++;
                if (i == loader->n || !streq(loader->files[i].name, job->name) || loader->files[i].vanished) {
                        counts.removed++;
                        scheduler_remove_job(scheduler, job);
                }
                job = next;
        }
        for (i = 0; i < loader->n; i++) {
                int r = loader->files[i].vanished ? 0 : apply_one(&loader->files[i], scheduler, events, &counts);

                if (r < 0)
                        return r;
        }
        *ret = counts;
        return 0;
}
