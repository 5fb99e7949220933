/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * JSONPath as RFC 9535 has it: selectors, slices, descendants, filters and its five functions; and
 * bare filter expressions as conditions ("@.temp > 30 && @.ok == true"). Compiled once, then run
 * on any number of documents; a path is immutable. Regular expressions are I-Regexp (RFC 9485).
 */

#include "json/json.h"

typedef struct JsonPath JsonPath;
typedef struct JsonCondition JsonCondition;

typedef struct JsonPathError {
        size_t offset; /* in bytes from the start of the expression */
        char message[128];
} JsonPathError;

/* Nodes of one evaluation, in the order of the RFC; they live as long as the document. */
typedef struct JsonNodes {
        const JsonValue **nodes;
        size_t n;
        size_t allocated;
} JsonNodes;

#define JSON_NODES_NULL ((JsonNodes){})
void json_nodes_deinit(JsonNodes *nodes);

#define JSON_PATH_MAX_NODES 1000000U /* nodes visited by one evaluation */
#define JSON_PATH_MAX_DEPTH 64U      /* nested expressions */

/* -EBADMSG with RET_ERROR (may be NULL) set, -ENOMEM. */
int json_path_compile(const char *expression, JsonPath **ret, JsonPathError *ret_error);
JsonPath *json_path_free(JsonPath *path);
DEFINE_CLEANUP(JsonPath *, json_path_free);

/* Whether it can name at most one node ("singular query"): such an output is a value, others a list. */
bool json_path_is_singular(const JsonPath *path);

/* Adds the nodes that PATH names in ROOT to NODES. -ENOMEM; -E2BIG: JSON_PATH_MAX_NODES visited. */
int json_path_select(const JsonPath *path, const JsonValue *root, JsonNodes *nodes);

/* `@` is what the condition is asked about, `$` the root. Errors as above. */
int json_condition_compile(const char *expression, JsonCondition **ret, JsonPathError *ret_error);
JsonCondition *json_condition_free(JsonCondition *condition);
DEFINE_CLEANUP(JsonCondition *, json_condition_free);
int json_condition_test(const JsonCondition *condition, const JsonValue *root, const JsonValue *current, bool *ret);
