/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checking job files takes the whole engine with its libraries, whose loading would cost every other
 * verb more than its call: takt-verify takes the place of this process.
 */
#include <stdio.h>
#include <unistd.h>

#include "ctl/verb.h"
#include "process/helper.h"

int verb_verify(Ctl *ctl, char **args, size_t n)
{
        _cleanup_free_ char *path = NULL;
        _cleanup_free_ char **argv = new0(char *, n + 5);
        size_t k = 0;
        int r;

        if (!argv)
                return ctl_oom();
        r = helper_find("takt-verify", &path);
        if (r == -ENOMEM)
                return ctl_oom();
        if (r < 0)
                return ctl_error(STATUS_FAILED, "takt-verify is not installed: %s", strerror(-r));
        argv[k++] = (char *)"takt-verify";
        if (ctl->options.json)
                argv[k++] = (char *)"--json";
        if (ctl->options.quiet)
                argv[k++] = (char *)"--quiet";
        argv[k++] = (char *)"--";
        memcpy(argv + k, args, n * sizeof(*args));
        r = ctl_flush();
        if (r != 0)
                return r;
        execv(path, argv);
        return ctl_error(STATUS_FAILED, "can't run %s: %s", path, strerror(errno));
}
