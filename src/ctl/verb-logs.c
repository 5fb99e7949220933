/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/logs.h"
#include "ctl/text.h"
#include "ctl/verb.h"

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
        const CtlOptions *o = &ctl->options;
        LogsRequest request = {
                .jobs = args,
                .n_jobs = n,
                .lines = o->lines > 0 ? o->lines : o->since ? 0 : o->follow ? LINES_FOLLOW : LINES_DEFAULT,
                .follow = o->follow,
        };
        int r = o->since ? parse_since(ctl, &request.since_realtime) : 0;

        return r != 0 ? r : logs_become(ctl, &request);
}
