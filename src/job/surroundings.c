/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job/surroundings.h"

#include "base/file.h"
#include "base/string-util.h"

/* What the sandbox of a service hides of the machine that a unit of systemd sees. */
static const char *const hidden[] = { "/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/", "/dev/" };

static const struct {
        LookType look; /* _LOOK_TYPE_MAX: it is no file */
        const char *what;
} types[_MENTION_TYPE_MAX] = {
        [MENTION_EVENTS] = { _LOOK_TYPE_MAX, "job" },
        [MENTION_PROGRAM] = { LOOK_PROGRAM, "program" },
        [MENTION_DIRECTORY] = { LOOK_DIRECTORY, "directory" },
        [MENTION_FILE] = { LOOK_FILE, "file" },
        [MENTION_LED] = { LOOK_DIRECTORY, "LED" },
        [MENTION_CREDENTIAL] = { LOOK_FILE, "credential" },
        [MENTION_VARIABLE] = { _LOOK_TYPE_MAX, "variable" },
        [MENTION_USER] = { LOOK_USER, "user" },
        [MENTION_GROUP] = { LOOK_GROUP, "group" },
};

static bool is_bare_program(const Mention *mention)
{
        return mention->type == MENTION_PROGRAM && !strchr(mention->name, '/');
}

/* Where a relative name begins. NULL with *RET 0: that is not known. */
static char *find_directory(const Mention *mention, const Surroundings *s, int *ret)
{
        const char *begin = mention->type == MENTION_LED        ? s->leds :
                            mention->type == MENTION_CREDENTIAL ? s->credentials :
                                                                  s->directory;
        char *directory;

        *ret = 0;
        if (mention->directory && mention->directory[0] == '/')
                begin = "/";
        /* An absolute name needs none. */
        if (!begin && mention->name[0] != '/')
                return NULL;
        directory = path_join(begin ?: "/", mention->directory ?: ".");
        if (!directory)
                *ret = -ENOMEM;
        return directory;
}

int mention_to_look(const Mention *mention, const Surroundings *s, Look *ret, char **ret_directory)
{
        const char *path = mention->path ?: s->path;
        int r;

        *ret_directory = NULL;
        if (mention->type == MENTION_VARIABLE)
                return !s->of_daemon || getenv(mention->name) ? 0 : -ENOENT;
        if (mention->type == MENTION_CREDENTIAL && !s->credentials)
                return s->of_daemon ? -ENOENT : 0;
        if (types[mention->type].look == _LOOK_TYPE_MAX || (is_bare_program(mention) && !path))
                return 0;
        *ret_directory = find_directory(mention, s, &r);
        if (!*ret_directory)
                return r;
        *ret = (Look){
                .type = types[mention->type].look,
                .name = mention->name,
                .directory = *ret_directory,
                .path = path,
                .by_another = mention->foreign || !s->of_daemon,
        };
        return 1;
}

static bool is_hidden(const Mention *mention)
{
        for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
                if (startswith(mention->name, hidden[i]) ||
                    (mention->name[0] != '/' && mention->directory && startswith(mention->directory, hidden[i])))
                        return true;
        return false;
}

char *mention_describe(const Mention *mention, const Surroundings *s, int error, const char *nearest)
{
        const char *name = mention->name, *what = types[mention->type].what;

        if (mention->foreign && s->of_daemon && is_hidden(mention))
                return NULL;
        if (error == -EISDIR)
                return xasprintf("%s is a directory", name);
        if (error == -EACCES && mention->type == MENTION_PROGRAM)
                return xasprintf("%s is not executable", name);
        if (error == -ENOTDIR && mention->type == MENTION_DIRECTORY)
                return xasprintf("%s is no directory", name);
        if (error != -ENOENT)
                return xasprintf("the %s %s can't be reached: %s", what, name, strerror(-error));
        if (mention->type == MENTION_VARIABLE)
                return xasprintf("the daemon has no environment variable %s", name);
        return xasprintf("there is no %s %s%s%s%s%s", what, name, is_bare_program(mention) ? " on PATH" : "",
                         nearest ? "; did you mean " : "", nearest ?: "", nearest ? "?" : "");
}
