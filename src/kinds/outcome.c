/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kinds/outcome.h"

#include "base/activity.h"
#include "base/string-util.h"
#include "job/job.h"
#include "job/refine.h"
#include "job/spec.h"

ResultFormat run_result_format(const Run *run, ResultFormat fallback)
{
        /* The choices of Format= are "auto" and then the formats in their order. */
        return run->spec->result.format == 0 ? fallback : (ResultFormat)(run->spec->result.format - 1);
}

static const char *format_error(ResultFormat format, int r)
{
        if (r == -E2BIG)
                return "too-large";
        if (r == -ENOMEM)
                return "memory";
        return format == RESULT_NUMBER ? "bad-number" : "bad-json";
}

/* Whether the result, of N bytes, fits; then the outputs' object as text. -EBADMSG: it doesn't. */
static int extract(Run *run, const JsonValue *root, size_t n, char **ret_error)
{
        _cleanup_buffer_ Buffer outputs = BUFFER_NULL;
        JsonWriter w;
        char *text;
        int r;

        r = result_schema_check(&run->spec->result.schema, root, n, ret_error);
        /* Outputs are those of what Filter= makes of the result. */
        if (r < 0 || output_set_size(run->spec->result.outputs) == 0 || run->spec->result.filter.program)
                return r;
        json_writer_init(&w, &outputs, 0);
        r = outputs_extract(run->spec->result.outputs, root, &w, ret_error);
        if (r < 0)
                return r;
        r = json_writer_end(&w);
        if (r < 0)
                return r;
        text = buffer_steal(&outputs);
        if (!text)
                return -ENOMEM;
        return run_set_outputs(run, text);
}

void run_finish_with_value(Run *run, ResultFormat format, const JsonValue *root, Buffer *text)
{
        _cleanup_free_ char *error = NULL;
        size_t len = text->len;
        int r = extract(run, root, len, &error);

        if (r >= 0) {
                run_succeed(run, buffer_steal(text), len);
                return;
        }
        run_set_result(run, buffer_steal(text), len);
        run_fail(run, r == -ENODATA ? "output-missing" : r == -EBADMSG ? "schema" : format_error(format, r), "%s", error ?: strerror(-r));
}

int run_yield_value(Run *run, const JsonValue *root, Buffer *text)
{
        _cleanup_free_ char *error = NULL;
        size_t len = text->len;
        char *value;
        int r = extract(run, root, len, &error);

        if (r < 0)
                return r;
        value = buffer_steal(text);
        if (!value)
                return -ENOMEM;
        run_yield(run, value, len);
        return 0;
}

void run_finish_with_bytes(Run *run, ResultFormat format, const char *bytes, size_t n)
{
        _cleanup_result_ Result result = RESULT_NULL;
        _cleanup_free_ char *error = NULL;
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        int r;

        /* A schema is checked here, and refuses what is larger than that anyway. */
        if (format == RESULT_JSON && n > REFINE_INLINE_MAX && run->services->refine && !run->spec->result.schema.compiled) {
                run_succeed_undecoded(run, bytes, n);
                return;
        }
        activity_note_job("a result to decode", run->job->name);
        r = result_decode(&result, format, bytes, n, NULL, &error);
        if (r >= 0)
                r = result_append_text(&result, &text);
        if (r >= 0)
                run_finish_with_value(run, format, result.root, &text);
        else
                run_fail(run, format_error(format, r), "%s", error ?: strerror(-r));
}

void run_finish_with_json(Run *run, char *json, size_t n)
{
        if (output_set_size(run->spec->result.outputs) == 0 && !run->spec->result.schema.compiled) {
                run_succeed(run, json, n);
                return;
        }
        run_finish_with_bytes(run, RESULT_JSON, json ?: "null", json ? n : 4);
        free(json);
}

/* Decodes body I into RESULT and adds its text to that of the array. */
static int add_body(Result *result, ResultFormat format, const Buffer *body, bool first, Buffer *text, char **ret_error)
{
        int r = result_decode(result, format, buffer_string(body), body->len, NULL, ret_error);

        if (r >= 0 && !first)
                r = buffer_append_char(text, ',');
        return r < 0 ? r : result_append_text(result, text);
}

void run_finish_with_bodies(Run *run, ResultFormat format, const Buffer *const *bodies, size_t n)
{
        _cleanup_free_ Result *results = new0(Result, n);
        _cleanup_free_ JsonValue *items = new0(JsonValue, n);
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        _cleanup_free_ char *error = NULL;
        const JsonValue root = { .type = JSON_ARRAY, .n = (uint32_t)n, .items = items };
        size_t done = 0;
        int r = results && items ? buffer_append_char(&text, '[') : -ENOMEM;

        /* The array is put together from the values as they are: nothing is decoded twice. */
        for (; r >= 0 && done < n; done++) {
                r = add_body(&results[done], format, bodies[done], done == 0, &text, &error);
                if (r >= 0)
                        items[done] = *results[done].root;
        }
        if (r >= 0)
                r = buffer_append_char(&text, ']');
        if (r >= 0)
                run_finish_with_value(run, format, &root, &text);
        else
                run_fail(run, format_error(format, r), "response %zu of %zu: %s", done, n, error ?: strerror(-r));
        for (size_t i = 0; i < done; i++)
                result_deinit(&results[i]);
}
