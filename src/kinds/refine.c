/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job/refine.h"

#include "job/spec.h"
#include "json/writer.h"
#include "work/limits.h"
#include "work/work.h"

struct RefineCall {
        Run *run;
        WorkCall *call;
        void (*done)(Run *run, const char *kind, const char *message);
};

static int make_header(const Run *run, Buffer *header)
{
        const ResultSettings *settings = &run->spec->result;
        JsonWriter w;

        json_writer_init(&w, header, 0);
        json_begin_object(&w);
        json_key(&w, "do");
        json_string(&w, "result");
        json_key(&w, "decode");
        json_bool(&w, run->undecoded);
        if (settings->filter.program) {
                json_key(&w, "program");
                json_string(&w, settings->filter.program);
        }
        json_key(&w, "outputs");
        json_begin_array(&w);
        for (size_t i = 0; i < output_set_size(settings->outputs); i++)
                json_string(&w, output_set_declaration(settings->outputs, i));
        json_end_array(&w);
        json_end_object(&w);
        return json_writer_end(&w);
}

/* 0, or -ENOMEM. */
static int take_answer(Run *run, const WorkAnswer *answer)
{
        const JsonValue *outputs = json_get(answer->header, "outputs");
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        char *result;
        int r = buffer_append(&text, answer->text, answer->n);

        if (r < 0)
                return r;
        result = buffer_steal(&text);
        if (!result)
                return -ENOMEM;
        run_set_result(run, result, answer->n);
        if (!json_is(outputs, JSON_OBJECT))
                return 0;
        r = json_format(outputs, 0, &text);
        if (r < 0)
                return r;
        result = buffer_steal(&text);
        if (!result)
                return -ENOMEM;
        return run_set_outputs(run, result);
}

static void on_done(_unused_ WorkCall *work_call, const WorkAnswer *answer, void *userdata)
{
        _cleanup_free_ RefineCall *call = userdata;
        Run *run = call->run;
        const char *kind = answer->kind, *message = answer->message;
        int r = answer->error >= 0 || answer->n > 0 ? take_answer(run, answer) : 0;

        if (r < 0) {
                kind = "memory";
                message = "no memory for the result";
        } else if (answer->error == -ETIMEDOUT && run->spec->result.filter.program) {
                kind = "filter";
                message = "Filter= did not end in time; it may take 30 s, and less where TimeoutSec= says so";
        } else if (answer->error == -EPIPE && run->spec->result.filter.program) {
                kind = "filter";
                message = "takt-worker died in Filter=; the program may need more memory or nest deeper than it can";
        }
        call->done(run, answer->error < 0 || r < 0 ? kind : NULL, message);
}

static int start(Run *run, void (*done)(Run *run, const char *kind, const char *message), RefineCall **ret)
{
        _cleanup_free_ RefineCall *call = new0(RefineCall, 1);
        _cleanup_buffer_ Buffer header = BUFFER_NULL;
        int r = call ? make_header(run, &header) : -ENOMEM;

        if (r < 0)
                return r;
        if (!run->services->work)
                return -EOPNOTSUPP;
        call->run = run;
        call->done = done;
        r = work_ask(run->services->work, WORK_COMPUTE, buffer_string(&header), header.len, run->result ?: "null",
                     run->result ? run->result_len : strlen("null"), WORK_TIMEOUT_USEC, on_done, call, &call->call);
        if (r < 0)
                return r;
        run_set_result(run, NULL, 0);
        *ret = TAKE_PTR(call);
        return 0;
}

static RefineCall *stop(RefineCall *call)
{
        if (!call)
                return NULL;
        work_call_stop(call->call);
        free(call);
        return NULL;
}

const RefineOperations refine_by_worker = { .start = start, .stop = stop };
