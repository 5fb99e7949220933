/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json/path.h"

#include "json/path-internal.h"

#define NODES_MIN_ALLOCATED 16U

struct JsonPath {
        Program program;
        const Query *query;
};

struct JsonCondition {
        Program program;
        const Expression *expression;
};

void program_deinit(Program *program)
{
        for (OwnedRegex *owned = program->regexes; owned; owned = owned->next)
                regex_free(owned->regex);
        arena_deinit(&program->arena);
        program->regexes = NULL;
}

/* --- paths --- */

int json_path_compile(const char *expression, JsonPath **ret, JsonPathError *ret_error)
{
        _cleanup_(json_path_freep) JsonPath *path = new0(JsonPath, 1);
        int r;

        if (!path)
                return -ENOMEM;
        r = path_parse_query(&path->program, expression, &path->query, ret_error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(path);
        return 0;
}

JsonPath *json_path_free(JsonPath *path)
{
        if (!path)
                return NULL;
        program_deinit(&path->program);
        free(path);
        return NULL;
}

bool json_path_is_singular(const JsonPath *path)
{
        return path->query->singular;
}

typedef struct CollectSink {
        NodeSink sink;
        JsonNodes *nodes;
} CollectSink;

static int collect_node(NodeSink *sink, const JsonValue *node)
{
        JsonNodes *nodes = container_of(sink, CollectSink, sink)->nodes;

        if (nodes->n == nodes->allocated) {
                size_t allocated = MAX(nodes->allocated * 2, (size_t)NODES_MIN_ALLOCATED);
                const JsonValue **array = reallocarray(nodes->nodes, allocated, sizeof(*array));

                if (!array)
                        return -ENOMEM;
                nodes->nodes = array;
                nodes->allocated = allocated;
        }
        nodes->nodes[nodes->n++] = node;
        return 0;
}

int json_path_select(const JsonPath *path, const JsonValue *root, JsonNodes *nodes)
{
        CollectSink collect = { .sink.node = collect_node, .nodes = nodes };
        _cleanup_evaluation_ Evaluation e;
        size_t before = nodes->n;
        int r;

        evaluation_init(&e, root);
        r = path_eval_query(&e, path->query, root, &collect.sink);
        if (r < 0)
                nodes->n = before;
        return r;
}

void json_nodes_deinit(JsonNodes *nodes)
{
        free(nodes->nodes);
        *nodes = JSON_NODES_NULL;
}

/* --- conditions --- */

int json_condition_compile(const char *expression, JsonCondition **ret, JsonPathError *ret_error)
{
        _cleanup_(json_condition_freep) JsonCondition *condition = new0(JsonCondition, 1);
        int r;

        if (!condition)
                return -ENOMEM;
        r = path_parse_condition(&condition->program, expression, &condition->expression, ret_error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(condition);
        return 0;
}

JsonCondition *json_condition_free(JsonCondition *condition)
{
        if (!condition)
                return NULL;
        program_deinit(&condition->program);
        free(condition);
        return NULL;
}

int json_condition_test(const JsonCondition *condition, const JsonValue *root, const JsonValue *current, bool *ret)
{
        _cleanup_evaluation_ Evaluation e;

        evaluation_init(&e, root);
        return path_eval_logical(&e, condition->expression, current, ret);
}
