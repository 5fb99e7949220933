/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Input: a byte that chooses the place, a template, NUL, an object of parameters.
 * Property: a JSON text stays JSON, and a command line keeps its number of arguments.
 */
#include "fuzz.h"

#include "job/template.h"
#include "job/words.h"

static const char *environment(const char *name, _unused_ void *userdata)
{
        return name[0] == 'H' ? "a \"b\"\n/../\xff" : NULL;
}

static uint64_t no_random(_unused_ void *userdata)
{
        return 0;
}

static void check_json(const Buffer *out)
{
        static const JsonLimits limits = { .max_depth = 1000 };
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        JsonError error;

        /* Two placeholders may make the same key, which is JSON still. */
        if (json_parse(buffer_string(out), out->len, &limits, &doc, &error) < 0)
                FUZZ_CHECK(strstr(error.message, "duplicate") || strstr(error.message, "twice"));
}

static void run_template(const char *text, TemplateEscape escape, const TemplateContext *context)
{
        _cleanup_(template_freep) Template *t = NULL;
        _cleanup_buffer_ Buffer out = BUFFER_NULL;
        _cleanup_free_ char *error = NULL;
        TextError text_error;

        if (template_compile(text, escape, &t, &text_error) < 0) {
                FUZZ_CHECK(text_error.offset <= strlen(text));
                return;
        }
        if (template_expand(t, context, &out, &error) < 0) {
                FUZZ_CHECK(error && out.len == 0);
                return;
        }
        FUZZ_CHECK(!template_is_constant(t) || streq(template_constant(t), buffer_string(&out)));
        if (escape == TEMPLATE_JSON)
                check_json(&out);
}

static void run_command_line(const char *text, const TemplateContext *context)
{
        _cleanup_(command_line_freep) CommandLine *line = NULL;
        _cleanup_(words_freep) char **argv = NULL;
        _cleanup_free_ char *error = NULL;
        TextError text_error;
        size_t n = 0;

        if (command_line_compile(text, &line, &text_error) < 0)
                return;
        if (command_line_expand(line, context, &argv, &error) < 0)
                return;
        while (argv[n])
                n++;
        FUZZ_CHECK(n == command_line_size(line));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        TemplateContext context = {
                .scheduled_realtime = UINT64_C(1795341600) * USEC_PER_SEC,
                .environment = environment,
                .random = no_random,
        };
        _cleanup_(json_doc_freep) JsonDoc *params = NULL;
        _cleanup_free_ char *text = NULL;
        unsigned place;

        if (size == 0)
                return 0;
        place = data[0] % (TEMPLATE_PATH + 2);
        data++;
        size--;
        text = fuzz_next_string(&data, &size);
        if (json_parse((const char *)data, size, NULL, &params, NULL) >= 0)
                context.params = context.last_outputs = json_root(params);
        if (place <= TEMPLATE_PATH)
                run_template(text, (TemplateEscape)place, &context);
        else
                run_command_line(text, &context);
        return 0;
}
