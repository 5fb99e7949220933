/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The JSONPath compliance test suite: each case is either refused or gives one of its results. */
#include "test.h"

#include "json/path.h"
#include "json/writer.h"
#include "test-data.h"

static bool nodes_are(const JsonNodes *nodes, const JsonValue *expected)
{
        if (nodes->n != expected->n)
                return false;
        for (size_t i = 0; i < nodes->n; i++)
                if (!json_equal(nodes->nodes[i], &expected->items[i]))
                        return false;
        return true;
}

static bool case_passes(const JsonValue *test)
{
        const JsonValue *selector = json_get(test, "selector"), *results = json_get(test, "results");
        const JsonValue *invalid = json_get(test, "invalid_selector"), *result = json_get(test, "result");
        _cleanup_(json_path_freep) JsonPath *path = NULL;
        JsonNodes nodes = JSON_NODES_NULL;
        bool passes = false;
        int r;

        /* A NUL ends a selector for us, and would be refused if it did not. */
        r = selector->n == strlen(selector->string) ? json_path_compile(selector->string, &path, NULL) : -EBADMSG;
        if (invalid && invalid->boolean)
                return r == -EBADMSG;
        if (r < 0 || json_path_select(path, json_get(test, "document"), &nodes) < 0)
                return false;
        if (result)
                passes = nodes_are(&nodes, result);
        for (uint32_t i = 0; results && i < results->n && !passes; i++)
                passes = nodes_are(&nodes, &results->items[i]);
        json_nodes_deinit(&nodes);
        return passes;
}

int main(void)
{
        _cleanup_free_ char *file = test_data_find("jsonpath-cts.json.xz"), *command = NULL;
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        const JsonValue *tests;
        unsigned passed = 0;
        JsonError error;

        if (!file)
                return TEST_SKIPPED;
        command = xasprintf("xz -dc '%s'", file);
        if (!command || test_data_output(command, &text) < 0 ||
            json_parse(text.data, text.len, NULL, &doc, &error) < 0) {
                printf("%s: can't be read\n", file);
                return EXIT_FAILURE;
        }

        tests = json_get(json_root(doc), "tests");
        for (uint32_t i = 0; i < tests->n; i++) {
                if (case_passes(&tests->items[i]))
                        passed++;
                else
                        printf("failed: %s: %s\n", json_get(&tests->items[i], "name")->string,
                               json_get(&tests->items[i], "selector")->string);
        }
        printf("JSONPath compliance test suite: %u of %u cases pass\n", passed, tests->n);
        return passed == tests->n ? EXIT_SUCCESS : EXIT_FAILURE;
}
