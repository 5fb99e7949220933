/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/look.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/string-util.h"

/* Of names that come and go. */
typedef struct Search {
        Nearest nearest;
        char *found; /* a copy of what NEAREST points to */
        unsigned n;  /* looked at so far */
} Search;

static void search_look(Search *search, const char *name)
{
        search->n++;
        /* A link to nowhere has the very name. */
        if (streq(search->nearest.name, name))
                return;
        nearest_look(&search->nearest, name);
        if (search->nearest.found == search->found)
                return;
        /* Without memory there is no hint, and nothing nearer than none. */
        if (free_and_strdup(&search->found, search->nearest.found) < 0)
                search->found = (free(search->found), NULL);
        search->nearest.found = search->found;
}

static void search_directory(Search *search, const char *directory)
{
        _cleanup_(closedirp) DIR *dir = opendir(directory);
        const struct dirent *entry;

        while (dir && search->n < LOOK_ENTRIES_MAX && (entry = readdir(dir)))
                if (entry->d_name[0] != '.' || search->nearest.name[0] == '.')
                        search_look(search, entry->d_name);
}

/* --- files --- */

static int check_program(const char *path, const struct stat *st, bool by_another)
{
        if (S_ISDIR(st->st_mode))
                return -EISDIR;
        if (!S_ISREG(st->st_mode) || !(st->st_mode & 0111))
                return -EACCES;
        return by_another || access(path, X_OK) >= 0 ? 0 : negative_errno();
}

static int check_file(const Look *look, const char *path)
{
        struct stat st;

        if (stat(path, &st) < 0)
                return errno == EACCES && look->by_another ? 0 : negative_errno();
        if (look->type == LOOK_PROGRAM)
                return check_program(path, &st, look->by_another);
        if (look->type == LOOK_DIRECTORY)
                return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
        return S_ISDIR(st.st_mode) ? -EISDIR : 0;
}

/* The name in the same directory that is nearest to the last part of NAME, with what stands before that. */
static char *nearest_file(const Look *look, const char *path)
{
        const char *slash = strrchr(look->name, '/'), *end = strrchr(path, '/');
        size_t n_before = slash ? (size_t)(slash + 1 - look->name) : 0;
        _cleanup_free_ char *directory = end ? strndup(path, MAX((size_t)(end - path), (size_t)1)) : NULL, *found = NULL;
        Search search = { .nearest.name = look->name + n_before };

        if (directory && *search.nearest.name)
                search_directory(&search, directory);
        found = search.found;
        return found ? xasprintf("%.*s%s", (int)n_before, look->name, found) : NULL;
}

static int look_at_path(const Look *look, char **ret_nearest)
{
        _cleanup_free_ char *path = path_join(look->directory, look->name);
        int r = path ? check_file(look, path) : 0;

        if (r == -ENOENT && ret_nearest)
                *ret_nearest = nearest_file(look, path);
        return r;
}

/* --- programs --- */

typedef int (*DirectoryVisit)(const Look *look, const char *directory, void *userdata);

/* Each directory of the path, an empty part of which is the working directory, until VISIT returns other than 0. */
static int each_directory(const Look *look, DirectoryVisit visit, void *userdata)
{
        const char *part = look->path;
        int r = 0;

        while (part && r == 0) {
                const char *colon = strchrnul(part, ':');
                _cleanup_free_ char *name = strndup(part, (size_t)(colon - part));
                _cleanup_free_ char *directory = name ? path_join(look->directory, *name ? name : ".") : NULL;

                r = directory ? visit(look, directory, userdata) : 1;
                part = *colon ? colon + 1 : NULL;
        }
        return r;
}

/* 1: the search ends here. USERDATA is what is to be told, where nothing better comes: as of execvpe(3). */
static int try_program(const Look *look, const char *directory, void *userdata)
{
        _cleanup_free_ char *path = path_join(directory, look->name);
        int *error = userdata, r = path ? check_file(look, path) : 0;

        if (r == 0)
                *error = 0;
        else if (r != -ENOENT && r != -ENOTDIR && *error == -ENOENT)
                *error = r == -EISDIR ? -EACCES : r;
        return r == 0;
}

static int try_nearest(_unused_ const Look *look, const char *directory, void *userdata)
{
        Search *search = userdata;

        search_directory(search, directory);
        return search->n >= LOOK_ENTRIES_MAX;
}

static int look_on_path(const Look *look, char **ret_nearest)
{
        Search search = { .nearest.name = look->name };
        int error = -ENOENT;

        (void)each_directory(look, try_program, &error);
        if (error == -ENOENT && ret_nearest) {
                (void)each_directory(look, try_nearest, &search);
                *ret_nearest = search.found;
        }
        return error;
}

/* --- users and groups --- */

/* The C library says in errno whether the databases could be asked. */
static bool is_unknown(const void *entry)
{
        return !entry && (errno == 0 || errno == ENOENT || errno == ESRCH);
}

static int look_at_user(const Look *look, char **ret_nearest)
{
        Search search = { .nearest.name = look->name };
        const struct passwd *user;

        errno = 0;
        if (!is_unknown(getpwnam(look->name)))
                return 0;
        setpwent();
        while (ret_nearest && search.n < LOOK_ENTRIES_MAX && (user = getpwent()))
                search_look(&search, user->pw_name);
        endpwent();
        if (ret_nearest)
                *ret_nearest = search.found;
        return -ENOENT;
}

static int look_at_group(const Look *look, char **ret_nearest)
{
        Search search = { .nearest.name = look->name };
        const struct group *group;

        errno = 0;
        if (!is_unknown(getgrnam(look->name)))
                return 0;
        setgrent();
        while (ret_nearest && search.n < LOOK_ENTRIES_MAX && (group = getgrent()))
                search_look(&search, group->gr_name);
        endgrent();
        if (ret_nearest)
                *ret_nearest = search.found;
        return -ENOENT;
}

int look_for(const Look *look, char **ret_nearest)
{
        uint64_t id;

        if (ret_nearest)
                *ret_nearest = NULL;
        if (look->type == LOOK_USER || look->type == LOOK_GROUP) {
                if (parse_uint64(look->name, &id) >= 0)
                        return 0;
                return look->type == LOOK_USER ? look_at_user(look, ret_nearest) : look_at_group(look, ret_nearest);
        }
        if (look->type == LOOK_PROGRAM && !strchr(look->name, '/'))
                return look_on_path(look, ret_nearest);
        return look_at_path(look, ret_nearest);
}
