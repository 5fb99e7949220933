/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The first line is a path or a condition, the rest a document. */
#include "fuzz.h"

#include "json/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const uint8_t *newline = memchr(data, '\n', size);
        size_t n = newline ? (size_t)(newline - data) : size;
        _cleanup_free_ char *expression = strndup((const char *)data, n);
        _cleanup_(json_path_freep) JsonPath *path = NULL;
        _cleanup_(json_condition_freep) JsonCondition *condition = NULL;
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        JsonNodes nodes = JSON_NODES_NULL;
        JsonPathError error = {};
        bool value;

        if (!expression)
                return 0;
        if (json_path_compile(expression, &path, &error) < 0)
                FUZZ_CHECK(error.offset <= strlen(expression) && error.message[0]);
        if (json_condition_compile(expression, &condition, &error) < 0)
                FUZZ_CHECK(error.offset <= strlen(expression) && error.message[0]);
        if (!newline || json_parse((const char *)newline + 1, size - n - 1, NULL, &doc, NULL) < 0)
                return 0;
        if (path && json_path_select(path, json_root(doc), &nodes) == 0)
                FUZZ_CHECK(!json_path_is_singular(path) || nodes.n <= 1);
        if (condition)
                (void)json_condition_test(condition, json_root(doc), json_root(doc), &value);
        json_nodes_deinit(&nodes);
        return 0;
}
