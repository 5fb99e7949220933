/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the reader takes, the writer writes, and the reader takes again as the same. */
#include "fuzz.h"

#include "json/writer.h"

static void check_members(const JsonValue *value)
{
        for (uint32_t i = 0; json_is(value, JSON_OBJECT) && i < value->n; i++)
                FUZZ_CHECK(json_get_n(value, value->members[i].key, value->members[i].key_len) == &value->members[i].value);
}

/* Plain text is read without yajl; beside a string that is not plain, it is not: both must think the same of it. */
static void check_beside(const char *text, size_t n, const JsonValue *root)
{
        static const JsonLimits limits = { .max_depth = JSON_MAX_DEPTH_DEFAULT + 1 };
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_buffer_ Buffer array = BUFFER_NULL;
        int r;

        FUZZ_CHECK(buffer_append_string(&array, "[\"\\n\",") == 0 && buffer_append(&array, text, n) == 0 &&
                   buffer_append_char(&array, ']') == 0);
        r = json_parse(array.data, array.len, &limits, &doc, NULL);
        if (root)
                FUZZ_CHECK(r == 0 && json_root(doc)->n == 2 && json_equal(&json_root(doc)->items[1], root));
        else
                /* Several values with commas between them, or none. */
                FUZZ_CHECK(r < 0 || json_root(doc)->n != 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const unsigned indents[] = { 0, 2 };
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        JsonError error = {};

        if (json_parse((const char *)data, size, NULL, &doc, &error) < 0) {
                FUZZ_CHECK(!doc && error.line >= 1 && error.column >= 1 && error.message[0]);
                check_beside((const char *)data, size, NULL);
                return 0;
        }
        check_members(json_root(doc));
        check_beside((const char *)data, size, json_root(doc));
        for (size_t i = 0; i < ARRAY_SIZE(indents); i++) {
                _cleanup_(json_doc_freep) JsonDoc *again = NULL;
                _cleanup_buffer_ Buffer text = BUFFER_NULL;

                FUZZ_CHECK(json_format(json_root(doc), indents[i], &text) == 0);
                FUZZ_CHECK(json_parse(text.data, text.len, NULL, &again, NULL) == 0);
                FUZZ_CHECK(json_equal(json_root(doc), json_root(again)));
        }
        return 0;
}
