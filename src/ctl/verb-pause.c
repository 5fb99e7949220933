/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pause and resume. */
#include <stdio.h>

#include "ctl/verb.h"

static int change(Ctl *ctl, char **args, size_t n, const char *method, const char *done)
{
        _cleanup_(varlink_reply_deinit) VarlinkReply reply = VARLINK_REPLY_NULL;
        _cleanup_params_ Params params = PARAMS_NULL;
        const char *parameters;
        const JsonValue *jobs;
        int r;

        params_init(&params);
        params_strings(&params, "jobs", (const char *const *)args, n);
        r = params_end(&params, &parameters);
        if (r == 0)
                r = ctl_call(ctl, method, parameters, &reply);
        if (r != 0)
                return r;
        jobs = json_get(reply.parameters, "jobs");
        if (ctl->options.json)
                return jobs ? ctl_print_json(ctl, jobs) : 0;
        if (ctl->options.quiet)
                return 0;
        if (!json_is(jobs, JSON_ARRAY) || jobs->n == 0)
                return ctl_tell_none(ctl);
        for (uint32_t i = 0; json_is(jobs, JSON_ARRAY) && i < jobs->n; i++) {
                const char *job = json_string_or_null(&jobs->items[i]);

                printf("%s is %s.\n", job ? job : "?", done);
        }
        return 0;
}

int verb_pause(Ctl *ctl, char **args, size_t n)
{
        return change(ctl, args, n, "io.takt.Jobs.Pause", "paused");
}

int verb_resume(Ctl *ctl, char **args, size_t n)
{
        return change(ctl, args, n, "io.takt.Jobs.Resume", "going on");
}
