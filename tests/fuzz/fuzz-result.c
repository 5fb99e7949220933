/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Input: a byte that chooses the format, then what a run gave.
 * Property: the text of a result is JSON on one line, and reads back as the same value.
 */
#include "fuzz.h"

#include "result/result.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_result_ Result result = RESULT_NULL;
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        _cleanup_free_ char *error = NULL;

        if (size == 0)
                return 0;
        if (result_decode(&result, (ResultFormat)(data[0] % (RESULT_NONE + 1)), (const char *)data + 1, size - 1,
                          NULL, &error) < 0) {
                FUZZ_CHECK(error);
                return 0;
        }
        FUZZ_CHECK(result_append_text(&result, &text) >= 0);
        FUZZ_CHECK(!strchr(buffer_string(&text), '\n') && strlen(buffer_string(&text)) == text.len);
        FUZZ_CHECK(json_parse(text.data, text.len, NULL, &doc, NULL) >= 0);
        FUZZ_CHECK(json_equal(json_root(doc), result.root));
        return 0;
}
