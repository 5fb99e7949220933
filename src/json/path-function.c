/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The function extensions that RFC 9535 registers: section 2.4. */
#include "json/path-internal.h"

#define COMPILE_COST 256U /* of a pattern that stands in the document, in nodes visited */

static void give_integer(Operand *ret, int64_t integer)
{
        ret->made = (JsonValue){ .type = JSON_INT, .integer = integer };
        ret->value = &ret->made;
}

static int call_length(Evaluation *e, const Expression *function, const JsonValue *current, Operand *ret)
{
        Operand argument = {};
        int64_t characters = 0;
        int r;

        r = path_eval_value(e, function->arguments, current, &argument);
        if (r < 0)
                return r;
        if (json_is(argument.value, JSON_ARRAY) || json_is(argument.value, JSON_OBJECT)) {
                give_integer(ret, argument.value->n);
        } else if (json_is(argument.value, JSON_STRING)) {
                for (uint32_t i = 0; i < argument.value->n; i++)
                        characters += (argument.value->string[i] & 0xc0) != 0x80;
                give_integer(ret, characters);
                return evaluation_charge(e, argument.value->n / 64);
        }
        return 0;
}

typedef struct CountSink {
        NodeSink sink;
        int64_t n;
        const JsonValue *last;
} CountSink;

static int count_node(NodeSink *sink, const JsonValue *node)
{
        CountSink *count = container_of(sink, CountSink, sink);

        count->n++;
        count->last = node;
        return 0;
}

static int call_count(Evaluation *e, const Expression *function, const JsonValue *current, Operand *ret)
{
        CountSink count = { .sink.node = count_node };
        int r;

        r = path_eval_query(e, function->arguments->query, current, &count.sink);
        if (r < 0)
                return r;
        give_integer(ret, count.n);
        return 0;
}

static int call_value(Evaluation *e, const Expression *function, const JsonValue *current, Operand *ret)
{
        CountSink count = { .sink.node = count_node };
        int r;

        r = path_eval_query(e, function->arguments->query, current, &count.sink);
        if (r < 0)
                return r;
        ret->value = count.n == 1 ? count.last : NULL;
        return 0;
}

/* A pattern out of the document; the last one is kept, as a filter asks for the same again and again. */
static int find_regex(Evaluation *e, const Function *function, const JsonValue *pattern, const Regex **ret)
{
        int r;

        if (e->pattern != pattern || e->pattern_whole != function->whole) {
                r = evaluation_charge(e, COMPILE_COST);
                if (r < 0)
                        return r;
                e->pattern_regex = regex_free(e->pattern_regex);
                e->pattern = NULL;
                r = regex_compile(REGEX_I_REGEXP, pattern->string, pattern->n, function->whole, &e->pattern_regex);
                if (r < 0 && r != -EINVAL)
                        return r;
                e->pattern = pattern;
                e->pattern_whole = function->whole;
        }
        *ret = e->pattern_regex;
        return 0;
}

static int call_regex(Evaluation *e, const Expression *function, const JsonValue *current, Operand *ret)
{
        const Expression *text_argument = function->arguments, *pattern_argument = text_argument->next;
        const Regex *regex = function->regex;
        Operand text = {}, pattern = {};
        int r;

        ret->logical = false;
        r = path_eval_value(e, text_argument, current, &text);
        if (r < 0 || !json_is(text.value, JSON_STRING))
                return r;
        if (!regex && pattern_argument->type != EXPRESSION_LITERAL) {
                r = path_eval_value(e, pattern_argument, current, &pattern);
                if (r < 0 || !json_is(pattern.value, JSON_STRING))
                        return r;
                r = find_regex(e, function->function, pattern.value, &regex);
                if (r < 0)
                        return r;
        }
        if (!regex)
                return 0;
        return regex_match(regex, text.value->string, text.value->n, &e->budget, &ret->logical);
}

static const Function functions[] = {
        { "count", TYPE_VALUE, 1, { TYPE_NODES }, .call = call_count },
        { "length", TYPE_VALUE, 1, { TYPE_VALUE }, .call = call_length },
        { "match", TYPE_LOGICAL, 2, { TYPE_VALUE, TYPE_VALUE }, .has_pattern = true, .whole = true, .call = call_regex },
        { "search", TYPE_LOGICAL, 2, { TYPE_VALUE, TYPE_VALUE }, .has_pattern = true, .call = call_regex },
        { "value", TYPE_VALUE, 1, { TYPE_NODES }, .call = call_value },
};

const Function *path_function_find(const char *name, size_t n)
{
        for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
                if (strlen(functions[i].name) == n && memcmp(functions[i].name, name, n) == 0)
                        return &functions[i];
        return NULL;
}
