/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kinds/outcome.h"

#include "base/string-util.h"
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

/* The outputs' object as text. */
static int extract(Run *run, const Result *result, char **ret_error)
{
        _cleanup_buffer_ Buffer outputs = BUFFER_NULL;
        JsonWriter w;
        char *text;
        int r;

        if (output_set_size(run->spec->result.outputs) == 0)
                return 0;
        json_writer_init(&w, &outputs, 0);
        r = outputs_extract(run->spec->result.outputs, result->root, &w, ret_error);
        if (r < 0)
                return r;
        r = json_writer_end(&w);
        if (r < 0)
                return r;
        text = buffer_steal(&outputs);
        if (!text)
                return -ENOMEM;
        run_set_outputs(run, text);
        return 0;
}

void run_finish_with_bytes(Run *run, ResultFormat format, const char *bytes, size_t n)
{
        _cleanup_result_ Result result = RESULT_NULL;
        _cleanup_free_ char *error = NULL;
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        size_t len;
        int r;

        r = result_decode(&result, format, bytes, n, NULL, &error);
        if (r < 0) {
                run_fail(run, format_error(format, r), "%s", error ?: strerror(-r));
                return;
        }
        r = result_append_text(&result, &text);
        if (r >= 0) {
                r = extract(run, &result, &error);
                if (r < 0) {
                        len = text.len;
                        run_set_result(run, buffer_steal(&text), len);
                        run_fail(run, r == -ENODATA ? "output-missing" : format_error(format, r), "%s", error ?: strerror(-r));
                        return;
                }
        }
        if (r < 0) {
                run_fail(run, format_error(format, r), "%s", strerror(-r));
                return;
        }
        len = text.len;
        run_succeed(run, buffer_steal(&text), len);
}
