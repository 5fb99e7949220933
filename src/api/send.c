/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Values, errors, signals and the end of input into a run under way: the other half of a coroutine. */
#include "api/internal.h"

#include "base/string-util.h"

/* The one run to talk to: by its id, or the newest of the job that is running. NULL: answered. */
static Run *find_run(Api *api, VarlinkCall *call, const JsonValue *parameters)
{
        const JsonValue *id = json_get(parameters, "run");
        const char *name = json_string_or_null(json_get(parameters, "job"));
        Run *run = NULL, *newest = NULL;
        Job *job;

        if (api_check_run_ids(call, parameters, "run") <= 0)
                return NULL;
        if (json_is(id, JSON_INT)) {
                run = scheduler_find_run(api->context.scheduler, (uint64_t)id->integer);
                if (!run)
                        (void)api_no_such_run(api, call, (uint64_t)id->integer);
                return run;
        }
        if (!name) {
                (void)varlink_call_invalid_parameter(call, "job");
                return NULL;
        }
        job = scheduler_find_job(api->context.scheduler, name);
        if (!job) {
                (void)api_no_such_job(call, name);
                return NULL;
        }
        list_foreach(run, &job->runs, Run, link)
                if (run->state == RUN_RUNNING)
                        newest = run;
        if (!newest)
                (void)varlink_call_error(call, "io.takt.Runs.NotRunning", "job", name);
        return newest;
}

static int reply_error(VarlinkCall *call, const Run *run, const char *error, size_t unsent)
{
        JsonWriter *w = varlink_call_begin_error(call, error);

        json_key(w, "run");
        json_uint(w, run->id);
        if (streq(error, "io.takt.Runs.InputFull")) {
                json_key(w, "unsentBytes");
                json_uint(w, unsent);
                json_key(w, "limit");
                json_string(w, "MaxUnsent");
        }
        return varlink_call_end(call, false);
}

static int refuse(VarlinkCall *call, const Run *run, int r, size_t unsent)
{
        switch (r) {
        case -ENOBUFS:
                return reply_error(call, run, "io.takt.Runs.InputFull", unsent);
        case -EPIPE:
        case -ESRCH:
                return reply_error(call, run, "io.takt.Runs.InputClosed", 0);
        case -EBADMSG:
        case -E2BIG:
                return varlink_call_invalid_parameter(call, "values");
        case -EOPNOTSUPP:
                return reply_error(call, run, "io.takt.Runs.TakesNoInput", 0);
        default:
                return r;
        }
}

static int send_value(Run *run, RunMessageType type, const JsonValue *value, size_t *unsent)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        int r = json_format(value, 0, &text);

        if (r < 0)
                return r;
        return run->spec->kind->send(run, &(RunMessage){ .type = type, .text = text.data, .n = text.len }, unsent);
}

/* A value that comes as JSON text. It takes one line, whatever blanks are in it. -EBADMSG. */
static int send_text(Run *run, const JsonValue *text, size_t *unsent)
{
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        int r = json_parse(text->string, text->n, NULL, &doc, NULL);

        return r < 0 ? r : send_value(run, RUN_MESSAGE_SEND, json_root(doc), unsent);
}

static int send_all(Run *run, const JsonValue *parameters, int signo, size_t *unsent)
{
        const JsonValue *values = json_get(parameters, "values"), *error = json_get(parameters, "throw"),
                        *close = json_get(parameters, "close");
        int r = 0;

        if (!run->spec->kind->send)
                return -EOPNOTSUPP;
        for (uint32_t i = 0; r >= 0 && json_is(values, JSON_ARRAY) && i < values->n; i++)
                r = send_text(run, &values->items[i], unsent);
        if (r >= 0 && json_is(error, JSON_STRING))
                r = send_value(run, RUN_MESSAGE_THROW, error, unsent);
        if (r >= 0 && signo > 0)
                r = run->spec->kind->send(run, &(RunMessage){ .type = RUN_MESSAGE_SIGNAL, .signo = signo }, unsent);
        if (r >= 0 && json_is(close, JSON_BOOL) && close->boolean)
                r = run->spec->kind->send(run, &(RunMessage){ .type = RUN_MESSAGE_CLOSE }, unsent);
        return r;
}

int api_runs_send(VarlinkCall *call, const JsonValue *parameters, void *userdata)
{
        Api *api = userdata;
        const JsonValue *signal = json_get(parameters, "signal");
        Run *run = find_run(api, call, parameters);
        size_t unsent = 0;
        JsonWriter *w;
        int r, signo = 0;

        if (!run)
                return 0;
        if (json_is(signal, JSON_STRING)) {
                signo = signal_from_string(json_string_or_null(signal) ?: "");
                if (signo < 0)
                        return varlink_call_invalid_parameter(call, "signal");
        }
        if (run->state != RUN_RUNNING || run->kind_done)
                return reply_error(call, run, "io.takt.Runs.InputClosed", 0);
        r = send_all(run, parameters, signo, &unsent);
        if (r < 0)
                return refuse(call, run, r, unsent);
        w = varlink_call_begin(call);
        json_key(w, "run");
        json_uint(w, run->id);
        json_key(w, "unsentBytes");
        json_uint(w, unsent);
        return varlink_call_end(call, false);
}
