/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/environment.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/string-util.h"

/* The files of src/config/environment/, made into strings when takt is built. */
extern const char environment_takt_conf[];
extern const char environment_activate[];
extern const char environment_activate_fish[];
extern const char environment_activate_csh[];

static const struct {
        const char *name;
        mode_t mode;
} directories[] = {
        { "jobs", 0755 },  { "schemas", 0755 }, { "packs", 0755 },
        { "bin", 0755 },   { "state", 0700 },   { "run", 0755 },
};

static const struct {
        const char *name;
        const char *text;
        bool keep; /* it is the user's once it is there */
} files[] = {
        { "bin/activate", environment_activate, false },
        { "bin/activate.fish", environment_activate_fish, false },
        { "bin/activate.csh", environment_activate_csh, false },
        /* The last one, as it marks the directory. */
        { "takt.conf", environment_takt_conf, true },
};

/* 1: holds a takt.conf, 0: empty or not there, -ENOTEMPTY. */
static int look_at(const char *dir)
{
        _cleanup_free_ char *config = path_join(dir, "takt.conf");
        _cleanup_(closedirp) DIR *d = NULL;
        struct dirent *entry;

        if (!config)
                return -ENOMEM;
        if (access(config, F_OK) == 0)
                return 1;
        d = opendir(dir);
        if (!d)
                return errno == ENOENT ? 0 : negative_errno();
        errno = 0;
        while ((entry = readdir(d)))
                if (!streq(entry->d_name, ".") && !streq(entry->d_name, ".."))
                        return -ENOTEMPTY;
        return errno > 0 ? negative_errno() : 0;
}

static int create_file(const char *path, const char *text, bool keep)
{
        if (keep && access(path, F_OK) == 0)
                return 0;
        return write_file_atomic(path, text, strlen(text), 0644, false);
}

/* Makes all of it; RET_FAILED is what could not be made. */
static int create_tree(const char *dir, char **ret_failed)
{
        for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
                _cleanup_free_ char *path = path_join(dir, directories[i].name);
                int r = path ? mkdir_p(path, 0755) : -ENOMEM;

                if (r >= 0 && directories[i].mode != 0755 && chmod(path, directories[i].mode) < 0)
                        r = negative_errno();
                if (r < 0) {
                        *ret_failed = TAKE_PTR(path);
                        return r;
                }
        }
        for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
                _cleanup_free_ char *path = path_join(dir, files[i].name);
                int r = path ? create_file(path, files[i].text, files[i].keep) : -ENOMEM;

                if (r < 0) {
                        *ret_failed = TAKE_PTR(path);
                        return r;
                }
        }
        return 0;
}

int environment_create(const char *dir, unsigned flags, char **ret_error)
{
        _cleanup_free_ char *failed = NULL;
        int existed, r;

        *ret_error = NULL;
        if (!*dir) {
                *ret_error = strdup("an environment needs a directory");
                return -EINVAL;
        }
        existed = look_at(dir);
        if (existed == -ENOTEMPTY && (flags & ENVIRONMENT_FORCE))
                existed = 0;
        if (existed == -ENOTEMPTY) {
                *ret_error = xasprintf("%s is not empty and is no environment", dir);
                return existed;
        }
        if (existed < 0) {
                *ret_error = xasprintf("can't look into %s: %s", dir, strerror(-existed));
                return existed;
        }
        r = create_tree(dir, &failed);
        if (r < 0) {
                *ret_error = xasprintf("can't make %s: %s", failed ? failed : dir, strerror(-r));
                return r;
        }
        return existed;
}
