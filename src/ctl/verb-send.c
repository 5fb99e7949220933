/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* send: values, an error, a signal or the end of input into a run; with --wait, the value that it yields next. */
#include <inttypes.h>
#include <stdio.h>

#include "base/string-util.h"
#include "ctl/text.h"
#include "ctl/verb.h"
#include "when/timespan.h"

static void write_target(Params *params, const char *target)
{
        uint64_t run;

        if (parse_uint64(target, &run) >= 0 && run <= INT64_MAX)
                params_int(params, "run", (int64_t)run);
        else
                params_string(params, "job", target);
}

/* What is no JSON is sent as a string: 5 and true are what they look like, hello needs no quotes. */
static void write_value(JsonWriter *w, const char *text)
{
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_buffer_ Buffer quoted = BUFFER_NULL;
        JsonWriter inner;

        if (json_parse(text, strlen(text), NULL, &doc, NULL) >= 0) {
                json_string(w, text);
                return;
        }
        json_writer_init(&inner, &quoted, 0);
        json_string(&inner, text);
        if (json_writer_end(&inner) < 0)
                w->error = -EINVAL;
        else
                json_string(w, quoted.data);
}

static int write_parameters(Ctl *ctl, char **args, size_t n, Params *params, const char **ret)
{
        const CtlOptions *o = &ctl->options;

        params_init(params);
        write_target(params, args[0]);
        if (n > 1) {
                json_key(&params->writer, "values");
                json_begin_array(&params->writer);
                for (size_t i = 1; i < n; i++)
                        write_value(&params->writer, args[i]);
                json_end_array(&params->writer);
        }
        if (o->throw)
                params_string(params, "throw", o->throw);
        if (o->signal)
                params_string(params, "signal", o->signal);
        if (o->close) {
                json_key(&params->writer, "close");
                json_bool(&params->writer, true);
        }
        return params_end(params, ret);
}

/* Watches before anything is sent, so that no answer is missed. The second connection is WATCH's. */
static int begin_watch(Ctl *watch)
{
        static const char parameters[] =
                "{\"events\":[\"yield\",\"progress\",\"retrying\",\"succeeded\",\"failed\",\"timeout\",\"cancelled\",\"lost\"]}";
        int r = ctl_send(watch, "io.takt.Runs.Watch", parameters, VARLINK_CALL_MORE);

        while (r == 0) {
                _cleanup_(varlink_reply_deinit) VarlinkReply reply = VARLINK_REPLY_NULL;

                r = ctl_receive(watch, CTL_TIMEOUT, &reply);
                if (r == 0 && streq(json_get_string(json_get(reply.parameters, "event"), "event", ""), "live"))
                        return 0;
        }
        return r;
}

/* What RUN did instead of yielding: 0 where a value may come yet. */
static int take_event(const Ctl *ctl, const JsonValue *event, int64_t run)
{
        const char *type = json_get_string(event, "event", "?");
        const JsonValue *data = json_get(event, "data");

        if (streq(type, "retrying"))
                return ctl_error(STATUS_FAILED, "run %" PRIi64 " failed before it yielded, and is tried again", run);
        if (!streq(type, "progress"))
                return ctl_error(STATUS_FAILED, "run %" PRIi64 " ended without another value: %s", run, type);
        if (json_get_int(data, "processes", 0) > 0 && json_get_int(data, "carriedBytes", 0) == 0)
                return ctl_error(STATUS_FAILED, "run %" PRIi64 " has another process (MaxRequests=), and the one before gave no value", run);
        if (json_get(data, "garbage") && !ctl->options.quiet)
                (void)ctl_error(0, "run %" PRIi64 ": %s", run, json_get_string(event, "message", "?"));
        return 0;
}

/* Prints what RUN yields next. Its end without a value, or the end of the time, is a failure. */
static int wait_for_value(Ctl *ctl, Ctl *watch, int64_t run)
{
        usec_t until = usec_add(clock_boottime(clock_system()), ctl->options.timeout);
        char span[TIMESPAN_MAX];

        for (;;) {
                _cleanup_(varlink_reply_deinit) VarlinkReply reply = VARLINK_REPLY_NULL;
                usec_t left = until == USEC_INFINITY ? USEC_INFINITY : usec_sub(until, clock_boottime(clock_system()));
                const JsonValue *event;
                int r = ctl_receive_within(watch, left, &reply);

                if (r == -ETIMEDOUT)
                        return ctl_error(STATUS_FAILED, "run %" PRIi64 " has yielded nothing for %s", run,
                                         timespan_format(ctl->options.timeout, span));
                if (r != 0)
                        return r;
                event = json_get(reply.parameters, "event");
                if (json_get_int(event, "run", 0) != run)
                        continue;
                if (streq(json_get_string(event, "event", ""), "yield") && json_get(event, "data"))
                        return ctl_print_json(ctl, json_get(event, "data"));
                r = take_event(ctl, event, run);
                if (r != 0)
                        return r;
        }
}

static int send_and_wait(Ctl *ctl, const char *parameters)
{
        _cleanup_(varlink_reply_deinit) VarlinkReply reply = VARLINK_REPLY_NULL;
        Ctl watch = *ctl;
        int r;

        watch.client = NULL;
        r = begin_watch(&watch);
        if (r == 0)
                r = ctl_call(ctl, "io.takt.Runs.Send", parameters, &reply);
        if (r == 0)
                r = wait_for_value(ctl, &watch, json_get_int(reply.parameters, "run", 0));
        varlink_client_free(watch.client);
        return r;
}

int verb_send(Ctl *ctl, char **args, size_t n)
{
        _cleanup_(varlink_reply_deinit) VarlinkReply reply = VARLINK_REPLY_NULL;
        _cleanup_params_ Params params = PARAMS_NULL;
        const char *parameters;
        int r;

        if (n == 1 && !ctl->options.throw && !ctl->options.signal && !ctl->options.close)
                return ctl_error(STATUS_USAGE, "say what to send: a VALUE, --throw, --signal or --close");
        r = ctl_resolve(ctl);
        if (r == 0)
                r = write_parameters(ctl, args, n, &params, &parameters);
        if (r != 0)
                return r;
        if (ctl->options.timeout != USEC_INFINITY && !ctl->options.wait)
                return ctl_error(STATUS_USAGE, "--timeout goes with --wait");
        if (ctl->options.wait)
                return send_and_wait(ctl, parameters);
        r = ctl_call(ctl, "io.takt.Runs.Send", parameters, &reply);
        if (r == 0 && ctl->options.json)
                return ctl_print_json(ctl, reply.parameters);
        return r;
}
