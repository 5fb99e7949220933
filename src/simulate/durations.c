/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "simulate/durations.h"

#include <stdio.h>

#include "base/string-util.h"
#include "when/timespan.h"

#define HISTORY_RUNS 10
#define HISTORY_JOBS_MAX 10000U /* that the daemon is asked about */
#define CALLS_AHEAD 32U

static int send_call(VarlinkClient *client, const char *job)
{
        static const char *const states[] = { "succeeded", "failed", "timeout" };
        _cleanup_params_ Params params = PARAMS_NULL;
        const char *text;
        int r;

        params_init(&params);
        params_strings(&params, "jobs", &job, 1);
        params_strings(&params, "states", states, ARRAY_SIZE(states));
        params_int(&params, "limit", HISTORY_RUNS);
        json_key(&params.writer, "omitResults");
        json_bool(&params.writer, true);
        r = params_end(&params, &text);
        return r != 0 ? -EINVAL : varlink_client_send(client, "io.takt.Runs.List", text, 0);
}

static int take_reply(VarlinkClient *client, SimulatedJob *job)
{
        _cleanup_(varlink_reply_deinit) VarlinkReply reply = VARLINK_REPLY_NULL;
        usec_t sum = 0, n = 0;
        const JsonValue *runs;
        int r = varlink_client_receive(client, CTL_TIMEOUT, &reply);

        if (r < 0)
                return r;
        /* A job that the daemon does not know is an error, and has no history. */
        runs = json_get(reply.parameters, "runs");
        for (uint32_t i = 0; json_is(runs, JSON_ARRAY) && i < runs->n; i++) {
                usec_t took = json_get_span(&runs->items[i], "durationUsec");

                if (took == USEC_INFINITY)
                        continue;
                sum = usec_add(sum, took);
                n++;
        }
        if (n > 0)
                job->duration = sum / n;
        return 0;
}

/* A daemon that is not there, or goes away, is no error: its history is a help only. */
static void ask_history(Ctl *ctl, Simulation *s)
{
        _cleanup_(varlink_client_freep) VarlinkClient *client = NULL;
        size_t n = MIN(s->n_jobs, (size_t)HISTORY_JOBS_MAX), asked = 0;

        if (!ctl->environment || varlink_client_connect(ctl->environment->socket, &client) < 0)
                return;
        for (size_t i = 0; i < n; i++) {
                for (; asked < n && asked < i + CALLS_AHEAD; asked++)
                        if (send_call(client, s->jobs[asked]->name) < 0)
                                return;
                if (take_reply(client, s->jobs[i]) < 0)
                        return;
        }
}

/* SPAN, or JOB=SPAN. */
static int set_one(Simulation *s, const char *word, bool of_all)
{
        const char *equals = strrchr(word, '='), *text = equals ? equals + 1 : word;
        _cleanup_free_ char *name = equals ? strndup(word, (size_t)(equals - word)) : NULL;
        SimulatedJob *job;
        WhenError error;
        usec_t span;

        if (of_all != !equals)
                return 0;
        if (timespan_parse(text, &span, &error) < 0)
                return ctl_error(STATUS_USAGE, "--duration %s: %s", word, error.message);
        for (size_t i = 0; !equals && i < s->n_jobs; i++)
                s->jobs[i]->duration = span;
        if (!equals)
                return 0;
        if (!name)
                return ctl_oom();
        job = simulation_find_job(s, name);
        if (!job)
                return ctl_error(STATUS_NOT_FOUND, "--duration %s: there is no job %s in this simulation", word, name);
        job->duration = span;
        return 0;
}

int durations_set(Ctl *ctl, Simulation *s)
{
        const Words *words = &ctl->options.durations;
        bool of_all = false;
        int r = 0;

        for (size_t i = 0; i < words->n; i++)
                of_all = of_all || !strchr(words->words[i], '=');
        if (!of_all)
                ask_history(ctl, s);
        for (size_t i = 0; i < words->n && r == 0; i++)
                r = set_one(s, words->words[i], true);
        for (size_t i = 0; i < words->n && r == 0; i++)
                r = set_one(s, words->words[i], false);
        return r;
}
