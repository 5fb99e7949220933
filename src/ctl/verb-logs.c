/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The journal is read by a program of its own, as libsystemd takes longer to load than a call takes. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/string-util.h"
#include "ctl/text.h"
#include "ctl/verb.h"
#include "process/helper.h"

#define LINES_DEFAULT 100U
#define LINES_FOLLOW 10U /* before those that come */

/* A time, or "-SPAN" before now. */
static int parse_since(const Ctl *ctl, usec_t *ret)
{
        const char *s = ctl->options.since;
        WhenError error;
        usec_t span;
        int r;

        if (*s != '-') {
                r = timestamp_parse(s, ctl->zone, ret, &error);
        } else {
                r = timespan_parse(s + 1, &span, &error);
                if (r >= 0)
                        *ret = usec_sub(clock_realtime(clock_system()), span);
        }
        return r < 0 ? ctl_error(STATUS_USAGE, "--since: %s", error.message) : 0;
}

int verb_logs(Ctl *ctl, char **args, size_t n)
{
        _cleanup_free_ char *path = NULL, *env = NULL, *lines = NULL, *zone = NULL, *since_text = NULL;
        const CtlOptions *o = &ctl->options;
        _cleanup_free_ char **argv = new0(char *, n + 11);
        unsigned count = o->lines > 0 ? o->lines : o->since ? 0 : o->follow ? LINES_FOLLOW : LINES_DEFAULT;
        usec_t since = 0;
        size_t k = 0;
        int r;

        r = o->since ? parse_since(ctl, &since) : 0;
        if (r == 0)
                r = ctl_resolve(ctl);
        if (r != 0)
                return r;
        r = helper_find("takt-logs", &path);
        if (r < 0 && r != -ENOMEM)
                return ctl_error(STATUS_FAILED, "takt-logs is not installed: %s", strerror(-r));
        env = xasprintf("--env=%s", ctl->environment->name);
        lines = xasprintf("--lines=%u", count);
        zone = xasprintf("--timezone=%s", o->time_zone ?: "");
        since_text = xasprintf("%" PRIu64, since);
        if (!argv || !path || !env || !lines || !zone || !since_text)
                return ctl_oom();
        argv[k++] = (char *)"takt-logs";
        argv[k++] = env;
        argv[k++] = lines;
        if (o->time_zone)
                argv[k++] = zone;
        if (o->json)
                argv[k++] = (char *)"--json";
        if (o->quiet)
                argv[k++] = (char *)"--quiet";
        if (o->follow)
                argv[k++] = (char *)"--follow";
        if (o->no_pager)
                argv[k++] = (char *)"--no-pager";
        argv[k++] = (char *)"--";
        argv[k++] = since_text;
        memcpy(argv + k, args, n * sizeof(*args));
        execv(path, argv);
        return ctl_error(STATUS_FAILED, "can't run %s: %s", path, strerror(errno));
}
