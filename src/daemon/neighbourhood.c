/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/neighbourhood.h"

#include <dirent.h>
#include <sys/stat.h>

#include "base/file.h"
#include "config/environment.h"
#include "config/settings.h"
#include "kinds/command.h"

/* A job of the directory; its file is read when somebody asks. */
typedef struct Neighbour {
        char *name;
        JobSpec *spec;
        bool read;
        bool only_links;
} Neighbour;

struct Neighbourhood {
        Neighbourhood *next;
        char *directory;
        Environment *environment; /* NULL: it is none's */
        Neighbour *jobs;          /* in the order of their names */
        bool listed;
        JobNames names;
        char *path, *leds;
        Surroundings surroundings;
};

static Neighbourhood *neighbourhood_free(Neighbourhood *n)
{
        if (!n)
                return NULL;
        for (size_t i = 0; i < n->names.n; i++) {
                free(n->jobs[i].name);
                job_spec_unref(n->jobs[i].spec);
        }
        free(n->jobs);
        free(n->directory);
        free(n->path);
        free(n->leds);
        environment_free(n->environment);
        free(n);
        return NULL;
}
DEFINE_CLEANUP(Neighbourhood *, neighbourhood_free);

void neighbourhood_free_all(Neighbourhood *list)
{
        while (list) {
                Neighbourhood *next = list->next;

                neighbourhood_free(list);
                list = next;
        }
}

/* --- its jobs --- */

static const char *name_of(size_t i, void *userdata)
{
        const Neighbourhood *n = userdata;

        return n->jobs[i].name;
}

static JobSpec *spec_of(size_t i, bool *ret_only_links, void *userdata)
{
        const Neighbourhood *n = userdata;
        Neighbour *job = &n->jobs[i];

        if (!job->read) {
                _cleanup_(config_report_deinit) ConfigReport ignored = CONFIG_REPORT_NULL;
                _cleanup_free_ char *path = xasprintf("%s/%s.job", n->directory, job->name);

                job->read = true;
                job->only_links = path && job_spec_load_file(path, &ignored, &job->spec) == -ENOTSUP;
        }
        *ret_only_links = job->only_links;
        return job->spec;
}

static bool lists(size_t i, const char *name, void *userdata)
{
        const Neighbourhood *n = userdata;
        _cleanup_(config_report_deinit) ConfigReport ignored = CONFIG_REPORT_NULL;
        _cleanup_(instance_reader_freep) InstanceReader *reader = NULL;
        _cleanup_free_ char *above = path_join(n->directory, "..");
        const char *found;
        int r = above ? instance_reader_new(n->jobs[i].spec->job.instances, n->jobs[i].name, above, &reader) : -ENOMEM;

        while (r >= 0 && (r = instance_reader_next(reader, &ignored, &found)) > 0)
                if (streq(found, name))
                        return true;
        /* What is wrong with the list is told of the template. */
        return r < 0;
}

static int compare_jobs(const void *a, const void *b)
{
        const Neighbour *x = a, *y = b;

        return strcmp(x->name, y->name);
}

static int select_job(const struct dirent *entry)
{
        return job_file_name_is_valid(entry->d_name);
}

static int take_names(Neighbourhood *n, struct dirent **entries, size_t n_entries)
{
        n->jobs = new0(Neighbour, MAX(n_entries, (size_t)1));
        for (size_t i = 0; i < n_entries; i++) {
                if (n->jobs)
                        n->jobs[n->names.n].name = strndup(entries[i]->d_name, strlen(entries[i]->d_name) - strlen(".job"));
                n->names.n += n->jobs && n->jobs[n->names.n].name;
                free(entries[i]);
        }
        free(entries);
        if (!n->jobs || n->names.n < n_entries)
                return -ENOMEM;
        /* Not that of the files, whose names go on with ".job". */
        qsort(n->jobs, n->names.n, sizeof(*n->jobs), compare_jobs);
        return 0;
}

/* A directory that can't be listed has no names that are known. */
static int list_jobs(Neighbourhood *n)
{
        struct dirent **entries;
        int k = n->listed ? -1 : scandir(n->directory, &entries, select_job, NULL);

        if (k < 0)
                return 0;
        n->names = (JobNames){ .name = name_of, .spec = spec_of, .lists = lists, .userdata = n };
        n->listed = true;
        return take_names(n, entries, (size_t)k);
}

/* --- its environment --- */

static bool is_same_file(const char *a, const char *b)
{
        struct stat x, y;

        return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* The system's and the user's are spread over several directories, which a directory's own takt.conf does not tell. */
static Environment *find_environment(const char *directory)
{
        static const EnvironmentScope scopes[] = { ENVIRONMENT_SYSTEM, ENVIRONMENT_USER, ENVIRONMENT_DIR };
        _cleanup_free_ char *above = path_join(directory, "..");

        for (size_t i = 0; above && i < ARRAY_SIZE(scopes); i++) {
                _cleanup_(environment_freep) Environment *e = NULL;
                _cleanup_free_ char *error = NULL;
                const char *dir = scopes[i] == ENVIRONMENT_DIR ? above : NULL;

                if (environment_resolve(scopes[i], dir, 0, &e, &error) >= 0 && is_same_file(e->jobs, directory))
                        return TAKE_PTR(e);
        }
        return NULL;
}

static int know_surroundings(Neighbourhood *n)
{
        _cleanup_(config_report_deinit) ConfigReport ignored = CONFIG_REPORT_NULL;
        _cleanup_(settings_freep) Settings *settings = NULL;
        const Environment *e = n->environment;

        if (!e)
                return 0;
        (void)settings_load(e->config_file, &ignored, &settings);
        n->path = command_default_path(e);
        n->leds = path_join(settings ? settings->sysfs_root : "/sys", "class/leds");
        n->surroundings = (Surroundings){ .directory = environment_work_directory(e), .path = n->path, .leds = n->leds };
        return n->path && n->leds ? 0 : -ENOMEM;
}

static int neighbourhood_new(const char *directory, Neighbourhood **ret)
{
        _cleanup_(neighbourhood_freep) Neighbourhood *n = new0(Neighbourhood, 1);
        int r;

        if (!n)
                return -ENOMEM;
        n->directory = strdup(directory);
        if (!n->directory)
                return -ENOMEM;
        n->environment = find_environment(directory);
        r = know_surroundings(n);
        if (r >= 0 && n->environment)
                r = list_jobs(n);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(n);
        return 0;
}

Neighbourhood *neighbourhood_get(Neighbourhood **list, const char *directory)
{
        Neighbourhood *n;

        for (n = *list; n; n = n->next)
                if (streq(n->directory, directory))
                        return n;
        if (neighbourhood_new(directory, &n) < 0)
                return NULL;
        n->next = *list;
        return *list = n;
}

int neighbourhood_add(Neighbourhood **list, const char *directory)
{
        Neighbourhood *n = neighbourhood_get(list, directory);

        return n ? list_jobs(n) : -ENOMEM;
}

const JobNames *neighbourhood_names(const Neighbourhood *neighbourhood)
{
        return neighbourhood->listed ? &neighbourhood->names : NULL;
}

const Surroundings *neighbourhood_surroundings(const Neighbourhood *neighbourhood)
{
        return &neighbourhood->surroundings;
}
