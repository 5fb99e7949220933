/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A schema, a NUL, and an instance: the answer is the same whether or not anybody wants to hear of errors. */
#include "fuzz.h"

#include "json/schema.h"

typedef struct Counter {
        JsonSchemaReporter reporter;
        unsigned n;
} Counter;

static void count_error(JsonSchemaReporter *reporter, const JsonSchemaError *error)
{
        FUZZ_CHECK(error->path && error->keyword && error->message);
        container_of(reporter, Counter, reporter)->n++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *text = fuzz_next_string(&data, &size);
        _cleanup_(json_schema_freep) JsonSchema *schema = NULL;
        _cleanup_(json_doc_freep) JsonDoc *instance = NULL;
        Counter counter = { .reporter.report = count_error };
        JsonDoc *doc = NULL;
        bool told, quiet;
        int r;

        if (json_parse(text, strlen(text), NULL, &doc, NULL) < 0)
                return 0;
        r = json_schema_compile(doc, "file:///s.json", NULL, &counter.reporter, &schema);
        FUZZ_CHECK(r != -EBADMSG || counter.n == 1);
        if (r < 0 || json_parse((const char *)data, size, NULL, &instance, NULL) < 0)
                return 0;
        if (json_schema_validate(schema, json_root(instance), &counter.reporter, &told) < 0)
                return 0;
        FUZZ_CHECK(told == (counter.n == 0));
        if (json_schema_validate(schema, json_root(instance), NULL, &quiet) == 0)
                FUZZ_CHECK(told == quiet);
        return 0;
}
