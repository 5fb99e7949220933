/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "ctl/verb.h"

static int create(Ctl *ctl, const char *dir)
{
        _cleanup_free_ char *error = NULL;
        int r;

        r = environment_create(dir, ctl->options.force ? ENVIRONMENT_FORCE : 0, &error);
        if (r == -ENOTEMPTY && error)
                return ctl_error(STATUS_USAGE, "%s; --force makes it one", error);
        if (r < 0)
                return error ? ctl_error(r == -EACCES || r == -EPERM ? STATUS_NOT_PERMITTED : STATUS_USAGE, "%s", error) :
                               ctl_oom();
        if (!ctl->options.quiet)
                printf("%s %s.\nUse it with: . %s/bin/activate\n",
                       r > 0 ? "Brought up to date the environment" : "Made the environment", dir, dir);
        return 0;
}

static int show(Ctl *ctl)
{
        const Environment *e;
        int r;

        r = ctl_resolve(ctl);
        if (r != 0)
                return r;
        e = ctl->environment;

        const struct {
                const char *key;
                const char *value;
        } rows[] = {
                { "name", e->name },       { "path", e->path },   { "configFile", e->config_file }, { "jobs", e->jobs },
                { "schemas", e->schemas }, { "packs", e->packs }, { "bin", e->bin },                { "state", e->state },
                { "run", e->run },         { "socket", e->socket },
        };
        JsonMember members[ARRAY_SIZE(rows)];
        JsonValue object = { .type = JSON_OBJECT, .n = ARRAY_SIZE(rows), .members = members };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                members[i] = (JsonMember){ rows[i].key, (uint32_t)strlen(rows[i].key), { .type = JSON_STRING } };
                members[i].value.string = rows[i].value;
                members[i].value.n = (uint32_t)strlen(rows[i].value);
                if (!ctl->options.json)
                        printf("%10s: %s\n", rows[i].key, rows[i].value);
        }
        return ctl->options.json ? ctl_print_json(ctl, &object) : 0;
}

int verb_env(Ctl *ctl, char **args, size_t n)
{
        if (n == 0)
                return show(ctl);
        if (streq(args[0], "create") && n == 2)
                return create(ctl, args[1]);
        return ctl_error(STATUS_USAGE, "usage: taktctl env, or taktctl env create DIR");
}
