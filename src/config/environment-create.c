/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/environment.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/seal.h"
#include "base/string-util.h"
#include "config/settings.h"

#define COMMENT_COLUMNS 98U

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
} files[] = {
        { "bin/activate", environment_activate },
        { "bin/activate.fish", environment_activate_fish },
        { "bin/activate.csh", environment_activate_csh },
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

/* TEXT as comment lines of a width that reads well. */
static int append_comment(Buffer *out, const char *text)
{
        size_t column = 0;
        int r = 0;

        while (*text && r >= 0) {
                size_t n = strcspn(text, " ");

                if (column == 0 || column + 1 + n > COMMENT_COLUMNS) {
                        r = buffer_appendf(out, "%s# ", column > 0 ? "\n" : "");
                        column = 2;
                } else {
                        r = buffer_append_char(out, ' ');
                        column++;
                }
                if (r >= 0)
                        r = buffer_append(out, text, n);
                column += n;
                text += n + strspn(text + n, " ");
        }
        return r < 0 ? r : buffer_append_char(out, '\n');
}

/* takt.conf with every setting as a comment that says what it is and shows its default. */
static int create_settings(const char *path)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        int r;

        if (access(path, F_OK) == 0)
                return 0;
        r = buffer_appendf(&text, "%s\n[%s]\n", environment_takt_conf, settings_section.name);
        for (const ConfigKey *key = settings_section.keys; key->name && r >= 0; key++) {
                r = append_comment(&text, key->help);
                if (r >= 0)
                        r = buffer_appendf(&text, "#%s=%s\n", key->name, key->default_value ? key->default_value : "");
        }
        return r < 0 ? r : write_file_atomic(path, text.data, text.len, 0644, false);
}

static int create_directories(const char *dir, char **ret_failed)
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
        return 0;
}

/* Whether nothing was ever kept there. -errno. */
static int is_unused(const char *state)
{
        _cleanup_(closedirp) DIR *d = opendir(state);
        struct dirent *entry;

        if (!d)
                return negative_errno();
        errno = 0;
        while ((entry = readdir(d)))
                if (!streq(entry->d_name, ".") && !streq(entry->d_name, ".."))
                        return 0;
        return errno > 0 ? negative_errno() : 1;
}

/*
 * Its ids begin at 1, which a daemon that finds no such file could not know. In an environment whose state went they
 * may have been given: there the daemon has to see to it.
 */
static int create_first_id(const char *dir, char **ret_failed)
{
        _cleanup_free_ char *state = path_join(dir, "state"), *path = path_join(dir, "state/next-run");
        int r = state && path ? is_unused(state) : -ENOMEM;

        if (r > 0)
                r = seal_file(path, "1", 0644, false);
        if (r < 0)
                *ret_failed = TAKE_PTR(path);
        return r;
}

static int create_files(const char *dir, char **ret_failed)
{
        _cleanup_free_ char *config = NULL;
        int r;

        for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
                _cleanup_free_ char *path = path_join(dir, files[i].name);

                r = path ? write_file_atomic(path, files[i].text, strlen(files[i].text), 0644, false) : -ENOMEM;

                if (r < 0) {
                        *ret_failed = TAKE_PTR(path);
                        return r;
                }
        }
        /* The last one, as it marks the directory. It is the user's once it is there. */
        config = path_join(dir, "takt.conf");
        r = config ? create_settings(config) : -ENOMEM;
        if (r < 0)
                *ret_failed = TAKE_PTR(config);
        return r;
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
        r = create_directories(dir, &failed);
        if (r >= 0 && existed == 0)
                r = create_first_id(dir, &failed);
        if (r >= 0)
                r = create_files(dir, &failed);
        if (r < 0) {
                *ret_error = xasprintf("can't make %s: %s", failed ? failed : dir, strerror(-r));
                return r;
        }
        return existed;
}
