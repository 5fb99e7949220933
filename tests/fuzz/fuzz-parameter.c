/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Input: declarations, one a line; NUL; arguments, one a line; NUL; an object of named ones.
 * Property: what is bound is an object of all parameters, and bound again it stays as it is.
 */
#include "fuzz.h"

#include "job/parameter.h"

#define ARGUMENTS_MAX 100

static const ParameterContext context = {
        .now_realtime = UINT64_C(1795341600) * USEC_PER_SEC,
        .time_zone = "UTC",
};

static void declare(ParameterSet *set, char *lines)
{
        char *save = NULL;

        for (char *line = strtok_r(lines, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                TextError error;

                if (parameter_set_add(set, line, &error) < 0)
                        FUZZ_CHECK(error.offset <= strlen(line));
        }
}

static void check_bound(const ParameterSet *set, const Buffer *bound)
{
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_buffer_ Buffer again = BUFFER_NULL;

        FUZZ_CHECK(json_parse(buffer_string(bound), bound->len, NULL, &doc, NULL) >= 0);
        FUZZ_CHECK(json_root(doc)->n == parameter_set_size(set));
        FUZZ_CHECK(parameter_bind(set, json_root(doc), NULL, 0, &context, &again, NULL) >= 0);
        FUZZ_CHECK(streq(buffer_string(bound), buffer_string(&again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(parameter_set_freep) ParameterSet *set = parameter_set_new();
        _cleanup_free_ char *declarations = NULL, *arguments = NULL;
        _cleanup_buffer_ Buffer bound = BUFFER_NULL, text = BUFFER_NULL;
        _cleanup_(json_doc_freep) JsonDoc *named = NULL;
        const char *words[ARGUMENTS_MAX];
        ParameterError error = {};
        char *save = NULL;
        JsonWriter w;
        size_t n = 0;

        FUZZ_CHECK(set);
        declarations = fuzz_next_string(&data, &size);
        arguments = fuzz_next_string(&data, &size);
        declare(set, declarations);
        for (char *word = strtok_r(arguments, "\n", &save); word && n < ARGUMENTS_MAX;
             word = strtok_r(NULL, "\n", &save))
                words[n++] = word;
        (void)json_parse((const char *)data, size, NULL, &named, NULL);

        if (parameter_bind(set, named ? json_root(named) : NULL, words, n, &context, &bound, &error) >= 0)
                check_bound(set, &bound);
        else
                FUZZ_CHECK(error.message[0] && bound.len == 0);
        FUZZ_CHECK(parameter_usage(set, "x", NULL, &text) >= 0);
        json_writer_init(&w, &text, 0);
        parameter_describe(set, &w);
        (void)json_writer_end(&w);
        return 0;
}
