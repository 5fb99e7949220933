/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/logs.h"
#include "ctl/text.h"
#include "ctl/verb.h"

#define LINES_DEFAULT 100U
#define LINES_FOLLOW 10U /* before those that come */
#define ANSWER_TIMEOUT (2 * USEC_PER_SEC) /* of the daemon, which is not needed */

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

/*
 * Where a daemon answers, the names that it does not know are left for takt-logs to look at. All is said there: the
 * journal may know them.
 */
static void ask_for_unknown(Ctl *ctl, char **args, size_t n)
{
        _cleanup_(varlink_reply_deinit) VarlinkReply reply = VARLINK_REPLY_NULL;
        _cleanup_params_ Params params = PARAMS_NULL;
        const char *parameters;

        params_init(&params);
        params_strings(&params, "jobs", (const char *const *)args, n);
        params_int(&params, "limit", 1);
        json_key(&params.writer, "omitResults");
        json_bool(&params.writer, true);
        if (params_end(&params, &parameters) != 0 || varlink_client_connect(ctl->environment->socket, &ctl->client) < 0)
                return;
        if (varlink_client_call(ctl->client, "io.takt.Runs.List", parameters, ANSWER_TIMEOUT, &reply) >= 0)
                (void)ctl_note_unknown(ctl, reply.parameters);
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

        if (r == 0)
                r = ctl_resolve(ctl);
        if (r != 0)
                return r;
        ask_for_unknown(ctl, args, n);
        return logs_become(ctl, &request);
}
