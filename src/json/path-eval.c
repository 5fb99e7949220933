/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A query is evaluated depth first: a node that one segment names goes through all later segments
 * before its next sibling does, which gives the RFC's order without a list between segments, and
 * lets a test of existence end at the first node.
 *
 * Every node that is looked at, in inner queries as well, is taken from one budget, and so is the
 * size of what is compared and matched: what a filter costs is bounded, whoever wrote it.
 */
#include "json/path-internal.h"

#include "json/number.h"
#include "json/object.h"

#define EVALUATION_MAX_DEPTH 2048U /* calls of eval_segment() in one another */

typedef struct Walk {
        Evaluation *e;
        NodeSink *sink;
} Walk;

static int eval_segment(Walk *w, const Segment *segment, const JsonValue *node);

void evaluation_init(Evaluation *e, const JsonValue *root)
{
        *e = (Evaluation){ .root = root, .budget = JSON_PATH_MAX_NODES };
}

void evaluation_deinit(Evaluation *e)
{
        e->pattern_regex = regex_free(e->pattern_regex);
}

int evaluation_charge(Evaluation *e, size_t cost)
{
        if (e->budget < cost)
                return -E2BIG;
        e->budget -= cost;
        return 0;
}

/* --- selectors: each returns what a sink does --- */

static int select_name(Walk *w, const Segment *segment, const Selector *s, const JsonValue *node)
{
        const JsonValue *child = json_get_n(node, s->name, s->name_len);

        return child ? eval_segment(w, segment->next, child) : 0;
}

static int select_wildcard(Walk *w, const Segment *segment, _unused_ const Selector *s, const JsonValue *node)
{
        uint32_t n = node->type == JSON_ARRAY || node->type == JSON_OBJECT ? node->n : 0;

        for (uint32_t i = 0; i < n; i++) {
                int r = eval_segment(w, segment->next, node->type == JSON_ARRAY ? &node->items[i] : &node->members[i].value);

                if (r != 0)
                        return r;
        }
        return 0;
}

static int select_index(Walk *w, const Segment *segment, const Selector *s, const JsonValue *node)
{
        int64_t index = s->index;

        if (node->type != JSON_ARRAY)
                return 0;
        if (index < 0)
                index += node->n;
        return index >= 0 && index < node->n ? eval_segment(w, segment->next, &node->items[index]) : 0;
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
        return MIN(MAX(value, low), high);
}

/* RFC 9535, section 2.3.4.2.2. */
static int select_slice(Walk *w, const Segment *segment, const Selector *s, const JsonValue *node)
{
        int64_t n = node->n, step = s->step, start, end;

        if (node->type != JSON_ARRAY || step == 0)
                return 0;
        start = s->has_start ? s->start : step > 0 ? 0 : n - 1;
        end = s->has_end ? s->end : step > 0 ? n : -n - 1;
        if (start < 0 && s->has_start)
                start += n;
        if (end < 0)
                end += n;
        start = step > 0 ? clamp(start, 0, n) : clamp(start, -1, n - 1);
        end = step > 0 ? clamp(end, 0, n) : clamp(end, -1, n - 1);

        for (int64_t i = start; step > 0 ? i < end : i > end; i += step) {
                int r = eval_segment(w, segment->next, &node->items[i]);

                if (r != 0)
                        return r;
        }
        return 0;
}

static int select_filter(Walk *w, const Segment *segment, const Selector *s, const JsonValue *node)
{
        uint32_t n = node->type == JSON_ARRAY || node->type == JSON_OBJECT ? node->n : 0;

        for (uint32_t i = 0; i < n; i++) {
                const JsonValue *child = node->type == JSON_ARRAY ? &node->items[i] : &node->members[i].value;
                bool selected;
                int r;

                r = evaluation_charge(w->e, 1);
                if (r < 0)
                        return r;
                r = path_eval_logical(w->e, s->filter, child, &selected);
                if (r < 0)
                        return r;
                if (!selected)
                        continue;
                r = eval_segment(w, segment->next, child);
                if (r != 0)
                        return r;
        }
        return 0;
}

static int apply_selectors(Walk *w, const Segment *segment, const JsonValue *node)
{
        static int (*const select[])(Walk *, const Segment *, const Selector *, const JsonValue *) = {
                [SELECT_NAME] = select_name,   [SELECT_WILDCARD] = select_wildcard, [SELECT_INDEX] = select_index,
                [SELECT_SLICE] = select_slice, [SELECT_FILTER] = select_filter,
        };

        for (const Selector *s = segment->selectors; s; s = s->next) {
                int r = select[s->type](w, segment, s, node);

                if (r != 0)
                        return r;
        }
        return 0;
}

/* --- segments --- */

static int eval_descendants(Walk *w, const Segment *segment, const JsonValue *node)
{
        uint32_t n = node->type == JSON_ARRAY || node->type == JSON_OBJECT ? node->n : 0;
        int r;

        r = evaluation_charge(w->e, 1);
        if (r < 0)
                return r;
        if (w->e->depth >= EVALUATION_MAX_DEPTH)
                return -E2BIG;
        w->e->depth++;
        r = apply_selectors(w, segment, node);
        for (uint32_t i = 0; i < n && r == 0; i++)
                r = eval_descendants(w, segment, node->type == JSON_ARRAY ? &node->items[i] : &node->members[i].value);
        w->e->depth--;
        return r;
}

/* NODE is what the segments before SEGMENT have named. */
static int eval_segment(Walk *w, const Segment *segment, const JsonValue *node)
{
        int r;

        r = evaluation_charge(w->e, 1);
        if (r < 0)
                return r;
        if (!segment)
                return w->sink->node(w->sink, node);
        if (segment->descendant)
                return eval_descendants(w, segment, node);
        if (w->e->depth >= EVALUATION_MAX_DEPTH)
                return -E2BIG;
        w->e->depth++;
        r = apply_selectors(w, segment, node);
        w->e->depth--;
        return r;
}

int path_eval_query(Evaluation *e, const Query *query, const JsonValue *current, NodeSink *sink)
{
        Walk w = { .e = e, .sink = sink };

        return MIN(eval_segment(&w, query->segments, query->relative ? current : e->root), 0);
}

/* --- expressions --- */

typedef struct FirstSink {
        NodeSink sink;
        const JsonValue *node;
} FirstSink;

static int first_node(NodeSink *sink, const JsonValue *node)
{
        container_of(sink, FirstSink, sink)->node = node;
        return 1;
}

static int eval_first(Evaluation *e, const Query *query, const JsonValue *current, const JsonValue **ret)
{
        FirstSink first = { .sink.node = first_node };
        int r;

        r = path_eval_query(e, query, current, &first.sink);
        if (r < 0)
                return r;
        *ret = first.node;
        return 0;
}

int path_eval_value(Evaluation *e, const Expression *x, const JsonValue *current, Operand *ret)
{
        switch (x->type) {
        case EXPRESSION_LITERAL:
                ret->value = &x->literal;
                return 0;
        case EXPRESSION_QUERY:
                return eval_first(e, x->query, current, &ret->value);
        default:
                return x->function->call(e, x, current, ret);
        }
}

static bool is_number(const JsonValue *v)
{
        return v->type == JSON_INT || v->type == JSON_DOUBLE;
}

/* By code point, which for UTF-8 is by byte. */
static int compare_strings(const JsonValue *a, const JsonValue *b)
{
        int c = memcmp(a->string, b->string, MIN(a->n, b->n));

        return c != 0 ? c : a->n < b->n ? -1 : a->n > b->n;
}

static int equal_operands(Evaluation *e, const JsonValue *a, const JsonValue *b, bool *ret)
{
        if (!a || !b) {
                *ret = a == b;
                return 0;
        }
        *ret = json_equal_within(a, b, &e->budget);
        return e->budget > 0 ? 0 : -E2BIG;
}

static bool less(const JsonValue *a, const JsonValue *b)
{
        if (!a || !b)
                return false;
        if (is_number(a) && is_number(b))
                return json_number_compare(a, b) < 0;
        return a->type == JSON_STRING && b->type == JSON_STRING && compare_strings(a, b) < 0;
}

/* All six follow from "equal" and "less": RFC 9535, section 2.3.5.2.2. */
static int eval_comparison(Evaluation *e, const Expression *x, const JsonValue *current, bool *ret)
{
        Operand left = {}, right = {};
        const JsonValue *a, *b;
        bool swap = x->comparison == COMPARE_GREATER || x->comparison == COMPARE_GREATER_EQUAL, equal = false;
        int r;

        r = path_eval_value(e, x->operands, current, &left);
        if (r < 0)
                return r;
        r = path_eval_value(e, x->operands->next, current, &right);
        if (r < 0)
                return r;
        a = swap ? right.value : left.value;
        b = swap ? left.value : right.value;

        if (x->comparison != COMPARE_LESS && x->comparison != COMPARE_GREATER) {
                r = equal_operands(e, a, b, &equal);
                if (r < 0)
                        return r;
        }
        if (x->comparison == COMPARE_EQUAL)
                *ret = equal;
        else if (x->comparison == COMPARE_NOT_EQUAL)
                *ret = !equal;
        else
                *ret = equal || less(a, b);
        return 0;
}

static int eval_chain(Evaluation *e, const Expression *x, const JsonValue *current, bool *ret)
{
        bool decisive = x->type == EXPRESSION_OR, value = !decisive;

        for (const Expression *operand = x->operands; operand; operand = operand->next) {
                int r = path_eval_logical(e, operand, current, &value);

                if (r < 0)
                        return r;
                if (value == decisive)
                        break;
        }
        *ret = value;
        return 0;
}

int path_eval_logical(Evaluation *e, const Expression *x, const JsonValue *current, bool *ret)
{
        const JsonValue *first;
        Operand operand = {};
        bool value;
        int r;

        switch (x->type) {
        case EXPRESSION_OR:
        case EXPRESSION_AND:
                return eval_chain(e, x, current, ret);
        case EXPRESSION_NOT:
                r = path_eval_logical(e, x->operands, current, &value);
                if (r >= 0)
                        *ret = !value;
                return r;
        case EXPRESSION_COMPARE:
                return eval_comparison(e, x, current, ret);
        case EXPRESSION_QUERY:
                r = eval_first(e, x->query, current, &first);
                if (r >= 0)
                        *ret = first;
                return r;
        default:
                r = x->function->call(e, x, current, &operand);
                if (r >= 0)
                        *ret = operand.logical;
                return r;
        }
}
