/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Verbs that need libraries whose loading would cost every other verb more than its call: the engine,
 * regular expressions. A helper program takes the place of this process.
 */
#include <stdio.h>
#include <unistd.h>

#include "ctl/verb.h"
#include "process/helper.h"

/* Becomes "HELPER [WORD] [--json] [--quiet] [--strict] -- ARG…"; an exit status where that fails. */
static int become(Ctl *ctl, const char *helper, const char *word, char **args, size_t n)
{
        _cleanup_free_ char *path = NULL;
        _cleanup_free_ char **argv = new0(char *, n + 7);
        size_t k = 0;
        int r;

        if (!argv)
                return ctl_oom();
        r = helper_find(helper, &path);
        if (r == -ENOMEM)
                return ctl_oom();
        if (r < 0)
                return ctl_error(STATUS_FAILED, "%s is not installed: %s", helper, strerror(-r));
        argv[k++] = (char *)helper;
        if (word)
                argv[k++] = (char *)word;
        if (ctl->options.json)
                argv[k++] = (char *)"--json";
        if (ctl->options.quiet)
                argv[k++] = (char *)"--quiet";
        if (ctl->options.strict)
                argv[k++] = (char *)"--strict";
        argv[k++] = (char *)"--";
        memcpy(argv + k, args, n * sizeof(*args));
        r = ctl_flush();
        if (r != 0)
                return r;
        execv(path, argv);
        return ctl_error(STATUS_FAILED, "can't run %s: %s", path, strerror(errno));
}

int verb_simulate(Ctl *ctl, _unused_ char **args, _unused_ size_t n)
{
        _cleanup_free_ char *path = NULL;
        int r = helper_find("takt-simulate", &path);

        if (r == -ENOMEM)
                return ctl_oom();
        if (r < 0)
                return ctl_error(STATUS_FAILED, "takt-simulate is not installed: %s", strerror(-r));
        /* It reads the command line as this program does. */
        execv(path, ctl->argv);
        return ctl_error(STATUS_FAILED, "can't run %s: %s", path, strerror(errno));
}

int verb_path(Ctl *ctl, char **args, size_t n)
{
        return become(ctl, "takt-json", "path", args, n);
}

int verb_validate(Ctl *ctl, char **args, size_t n)
{
        return become(ctl, "takt-json", "validate", args, n);
}

int verb_verify(Ctl *ctl, char **args, size_t n)
{
        int r;

        if (n == 0) {
                r = ctl_resolve(ctl);
                return r != 0 ? r : become(ctl, "takt-verify", NULL, &ctl->environment->path, 1);
        }
        return become(ctl, "takt-verify", NULL, args, n);
}
