/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A recursive descent over the grammar of RFC 9535, appendix A. Types are checked as soon as they are known. */
#include "json/path-internal.h"


#include "base/string-util.h"
#include "json/number.h"
#include "json/path-lex.h"

static int parse_query(PathLexer *l, const Query **ret);
static int parse_or(PathLexer *l, Expression **ret);


/* Each level of brackets, parentheses and arguments comes through here. */
static int enter(PathLexer *l)
{
        if (l->depth >= JSON_PATH_MAX_DEPTH)
                return path_lex_fail(l, l->p, "expressions are nested more than %u deep", JSON_PATH_MAX_DEPTH);
        l->depth++;
        return 0;
}

/* --- segments and selectors --- */

/* After the first number, or none. */
static int parse_slice_rest(PathLexer *l, Selector *s)
{
        int r;

        s->type = SELECT_SLICE;
        s->step = 1;
        path_lex_blanks(l);
        if (path_lex_at_number(l)) {
                s->has_end = true;
                r = path_lex_integer(l, &s->end);
                if (r < 0)
                        return r;
                path_lex_blanks(l);
        }
        if (!path_lex_take(l, ":"))
                return 0;
        path_lex_blanks(l);
        return path_lex_at_number(l) ? path_lex_integer(l, &s->step) : 0;
}

static int parse_index_or_slice(PathLexer *l, Selector *s)
{
        const char *after;
        int64_t number = 0;
        bool has_number = path_lex_at_number(l);
        int r;

        if (has_number) {
                r = path_lex_integer(l, &number);
                if (r < 0)
                        return r;
        }
        after = l->p;
        path_lex_blanks(l);
        if (path_lex_take(l, ":")) {
                s->start = number;
                s->has_start = has_number;
                return parse_slice_rest(l, s);
        }
        if (!has_number)
                return path_lex_fail(l, after, "a selector was expected: a name in quotes, a number, *, ?, or :");
        l->p = after;
        s->type = SELECT_INDEX;
        s->index = number;
        return 0;
}

static int parse_selector(PathLexer *l, Selector *s)
{
        Expression *filter;
        int r;

        if (path_lex_at(l, "'") || path_lex_at(l, "\"")) {
                s->type = SELECT_NAME;
                return path_lex_string(l, &s->name, &s->name_len);
        }
        if (path_lex_take(l, "*")) {
                s->type = SELECT_WILDCARD;
                return 0;
        }
        if (!path_lex_take(l, "?"))
                return parse_index_or_slice(l, s);

        s->type = SELECT_FILTER;
        path_lex_blanks(l);
        r = enter(l);
        if (r < 0)
                return r;
        r = parse_or(l, &filter);
        l->depth--;
        s->filter = filter;
        return r;
}

/* After "[". */
static int parse_selectors(PathLexer *l, Segment *segment)
{
        Selector **tail = &segment->selectors;
        int r;

        do {
                Selector *s = arena_calloc(l->arena, 1, sizeof(*s));

                if (!s)
                        return -ENOMEM;
                path_lex_blanks(l);
                r = parse_selector(l, s);
                if (r < 0)
                        return r;
                *tail = s;
                tail = &s->next;
                path_lex_blanks(l);
        } while (path_lex_take(l, ","));
        return path_lex_expect(l, "]", "',' or ']' was expected after a selector");
}

/* After "." or "..": a bare name or "*". */
static int parse_shorthand(PathLexer *l, Segment *segment)
{
        Selector *s = segment->selectors = arena_calloc(l->arena, 1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        if (path_lex_take(l, "*")) {
                s->type = SELECT_WILDCARD;
                return 0;
        }
        s->type = SELECT_NAME;
        return path_lex_member_name(l, &s->name, &s->name_len);
}

static int parse_segment(PathLexer *l, Segment *segment)
{
        if (path_lex_take(l, "..")) {
                segment->descendant = true;
                return path_lex_take(l, "[") ? parse_selectors(l, segment) : parse_shorthand(l, segment);
        }
        if (path_lex_take(l, "."))
                return parse_shorthand(l, segment);
        (void)path_lex_take(l, "[");
        return parse_selectors(l, segment);
}

static bool segment_is_singular(const Segment *segment)
{
        const Selector *s = segment->selectors;

        return !segment->descendant && !s->next && (s->type == SELECT_NAME || s->type == SELECT_INDEX);
}

/* After "$" or "@". Blanks belong to a segment that follows, and to nobody at the end. */
static int parse_segments(PathLexer *l, Query *query)
{
        Segment **tail = &query->segments;

        query->singular = true;
        for (;;) {
                const char *after = l->p;
                Segment *segment;
                int r;

                path_lex_blanks(l);
                if (!path_lex_at(l, ".") && !path_lex_at(l, "[")) {
                        l->p = after;
                        return 0;
                }
                segment = arena_calloc(l->arena, 1, sizeof(*segment));
                if (!segment)
                        return -ENOMEM;
                r = parse_segment(l, segment);
                if (r < 0)
                        return r;
                query->singular = query->singular && segment_is_singular(segment);
                *tail = segment;
                tail = &segment->next;
        }
}

static int parse_query(PathLexer *l, const Query **ret)
{
        Query *query = arena_calloc(l->arena, 1, sizeof(*query));

        if (!query)
                return -ENOMEM;
        query->relative = path_lex_take(l, "@");
        if (!query->relative && !path_lex_take(l, "$"))
                return path_lex_fail(l, l->p, "a path begins with $");
        *ret = query;
        return parse_segments(l, query);
}

/* --- expressions --- */

static Expression *expression_new(PathLexer *l, ExpressionType type)
{
        Expression *x = arena_calloc(l->arena, 1, sizeof(*x));

        if (x)
                x->type = type;
        return x;
}

/* What a literal, query or function gives where TYPE is asked for. NULL: nothing wrong. */
static const char *type_error(const Expression *x, FunctionType type)
{
        switch (x->type) {
        case EXPRESSION_LITERAL:
                return type == TYPE_VALUE ? NULL : "a literal is no condition and names no nodes";
        case EXPRESSION_QUERY:
                return type != TYPE_VALUE || x->query->singular ? NULL : "a path that can name several nodes has no value";
        default:
                if (x->function->result == type)
                        return NULL;
                return type == TYPE_VALUE ? "this function gives no value" : "this function gives a value only";
        }
}

/* A literal pattern is compiled once. What is no I-Regexp matches nothing, says the RFC. */
static int compile_pattern(PathLexer *l, Expression *x)
{
        const Expression *pattern = x->arguments->next;
        OwnedRegex *owned;
        int r;

        if (!x->function->has_pattern || pattern->type != EXPRESSION_LITERAL || pattern->literal.type != JSON_STRING)
                return 0;
        owned = arena_calloc(l->arena, 1, sizeof(*owned));
        if (!owned)
                return -ENOMEM;
        r = regex_compile(REGEX_I_REGEXP, pattern->literal.string, pattern->literal.n, x->function->whole, &owned->regex);
        if (r == -EINVAL)
                return 0;
        if (r < 0)
                return r;
        owned->next = l->program->regexes;
        l->program->regexes = owned;
        x->regex = owned->regex;
        return 0;
}

static int parse_operand(PathLexer *l, Expression **ret);

/* After "(". */
static int parse_arguments(PathLexer *l, Expression *x)
{
        Expression **tail = &x->arguments;
        unsigned n = 0;
        int r;

        path_lex_blanks(l);
        while (!path_lex_at(l, ")")) {
                const char *begin = l->p, *wrong;

                if (n == x->function->n_parameters)
                        return path_lex_fail(l, begin, "too many arguments for %s()", x->function->name);
                r = parse_operand(l, tail);
                if (r < 0)
                        return r;
                wrong = type_error(*tail, x->function->parameters[n]);
                if (wrong)
                        return path_lex_fail(l, begin, "%s", wrong);
                tail = &(*tail)->next;
                n++;
                path_lex_blanks(l);
                if (!path_lex_take(l, ","))
                        break;
                path_lex_blanks(l);
                if (path_lex_at(l, ")"))
                        return path_lex_fail(l, l->p, "an argument was expected after ','");
        }
        if (!path_lex_at(l, ")"))
                return path_lex_fail(l, l->p, "',' or ')' was expected after an argument");
        if (n < x->function->n_parameters)
                return path_lex_fail(l, l->p, "%s() takes %u argument%s", x->function->name, x->function->n_parameters,
                                     x->function->n_parameters == 1 ? "" : "s");
        l->p++;
        return compile_pattern(l, x);
}

static int parse_function(PathLexer *l, Expression **ret)
{
        const char *begin = l->p;
        size_t n = path_lex_function_name(l);
        Expression *x;
        int r;

        if (n == 0)
                return path_lex_fail(l, begin, "a path, a literal or a function was expected");
        if (!path_lex_take(l, "("))
                return path_lex_fail(l, begin, "\"%.*s\" is neither a literal nor a function", (int)MIN(n, (size_t)32), begin);
        x = expression_new(l, EXPRESSION_FUNCTION);
        if (!x)
                return -ENOMEM;
        x->function = path_function_find(begin, n);
        if (!x->function)
                return path_lex_fail(l, begin, "there is no function %.*s()", (int)MIN(n, (size_t)32), begin);
        r = enter(l);
        if (r < 0)
                return r;
        r = parse_arguments(l, x);
        l->depth--;
        *ret = x;
        return r;
}

/* A literal, a query, or a function. */
static int parse_operand(PathLexer *l, Expression **ret)
{
        Expression *x;
        JsonValue literal;
        int r;

        if (path_lex_at(l, "@") || path_lex_at(l, "$")) {
                x = *ret = expression_new(l, EXPRESSION_QUERY);
                return x ? parse_query(l, &x->query) : -ENOMEM;
        }
        r = path_lex_literal(l, &literal);
        if (r < 0)
                return r;
        if (r == 0)
                return parse_function(l, ret);
        x = *ret = expression_new(l, EXPRESSION_LITERAL);
        if (!x)
                return -ENOMEM;
        x->literal = literal;
        return 0;
}

static bool take_comparison(PathLexer *l, Comparison *ret)
{
        static const char *const signs[] = {
                [COMPARE_EQUAL] = "==",        [COMPARE_NOT_EQUAL] = "!=", [COMPARE_LESS_EQUAL] = "<=",
                [COMPARE_GREATER_EQUAL] = ">=", [COMPARE_LESS] = "<",       [COMPARE_GREATER] = ">",
        };

        for (size_t i = 0; i < ARRAY_SIZE(signs); i++)
                if (path_lex_take(l, signs[i])) {
                        *ret = (Comparison)i;
                        return true;
                }
        return false;
}

/* A comparison, or a test of existence. */
static int parse_test(PathLexer *l, bool may_compare, Expression **ret)
{
        const char *begin = l->p, *wrong;
        Expression *x;
        Comparison comparison;
        int r;

        r = parse_operand(l, ret);
        if (r < 0)
                return r;
        path_lex_blanks(l);
        if (!may_compare || !take_comparison(l, &comparison)) {
                wrong = type_error(*ret, (*ret)->type == EXPRESSION_QUERY ? TYPE_NODES : TYPE_LOGICAL);
                return wrong ? path_lex_fail(l, begin, "%s", wrong) : 0;
        }

        wrong = type_error(*ret, TYPE_VALUE);
        if (wrong)
                return path_lex_fail(l, begin, "%s", wrong);
        x = expression_new(l, EXPRESSION_COMPARE);
        if (!x)
                return -ENOMEM;
        x->operands = *ret;
        x->comparison = comparison;
        path_lex_blanks(l);
        begin = l->p;
        r = parse_operand(l, &x->operands->next);
        if (r < 0)
                return r;
        wrong = type_error(x->operands->next, TYPE_VALUE);
        if (wrong)
                return path_lex_fail(l, begin, "%s", wrong);
        *ret = x;
        return 0;
}

static int parse_parenthesised(PathLexer *l, Expression **ret)
{
        int r;

        r = enter(l);
        if (r < 0)
                return r;
        path_lex_blanks(l);
        r = parse_or(l, ret);
        if (r < 0)
                return r;
        l->depth--;
        path_lex_blanks(l);
        return path_lex_expect(l, ")", "')' was expected");
}

static int parse_basic(PathLexer *l, Expression **ret)
{
        Expression *not = NULL;
        int r;

        if (path_lex_take(l, "!")) {
                not = expression_new(l, EXPRESSION_NOT);
                if (!not)
                        return -ENOMEM;
                path_lex_blanks(l);
        }
        if (path_lex_take(l, "("))
                r = parse_parenthesised(l, ret);
        else
                r = parse_test(l, !not, ret);
        if (r < 0 || !not)
                return r;
        not->operands = *ret;
        *ret = not;
        return 0;
}

/* Operands of PARSE with SIGN between them; one alone stands for itself. */
static int parse_chain(PathLexer *l, ExpressionType type, const char *sign, int (*parse)(PathLexer *, Expression **),
                       Expression **ret)
{
        Expression *chain, **tail;
        const char *after;
        int r;

        r = parse(l, ret);
        if (r < 0)
                return r;
        after = l->p;
        path_lex_blanks(l);
        if (!path_lex_at(l, sign)) {
                l->p = after;
                return 0;
        }

        chain = expression_new(l, type);
        if (!chain)
                return -ENOMEM;
        chain->operands = *ret;
        tail = &chain->operands->next;
        while (path_lex_take(l, sign)) {
                path_lex_blanks(l);
                r = parse(l, tail);
                if (r < 0)
                        return r;
                tail = &(*tail)->next;
                after = l->p;
                path_lex_blanks(l);
        }
        l->p = after;
        *ret = chain;
        return 0;
}

static int parse_and(PathLexer *l, Expression **ret)
{
        return parse_chain(l, EXPRESSION_AND, "&&", parse_basic, ret);
}

static int parse_or(PathLexer *l, Expression **ret)
{
        return parse_chain(l, EXPRESSION_OR, "||", parse_and, ret);
}

/* --- whole texts --- */

static int lexer_init(PathLexer *l, Program *program, const char *text, JsonPathError *ret_error)
{
        size_t n = strlen(text), good;

        *l = (PathLexer){
                .text = text, .p = text, .end = text + n,
                .program = program, .arena = &program->arena, .error = ret_error,
        };
        if (n > JSON_PATH_MAX_BYTES)
                return path_lex_fail(l, text, "the expression is longer than %u bytes", JSON_PATH_MAX_BYTES);
        good = utf8_check(text, n);
        if (good < n)
                return path_lex_fail(l, text + good, "this is not UTF-8");
        return 0;
}

static int expect_end(PathLexer *l)
{
        return l->p == l->end ? 0 : path_lex_fail(l, l->p, "the expression should end here");
}

int path_parse_query(Program *program, const char *text, const Query **ret, JsonPathError *ret_error)
{
        const Query *query;
        PathLexer l;
        int r;

        r = lexer_init(&l, program, text, ret_error);
        if (r < 0)
                return r;
        if (path_lex_at(&l, "@"))
                return path_lex_fail(&l, l.p, "a path begins with $; only conditions know @");
        r = parse_query(&l, &query);
        if (r < 0)
                return r;
        r = expect_end(&l);
        if (r < 0)
                return r;
        *ret = query;
        return 0;
}

int path_parse_condition(Program *program, const char *text, const Expression **ret, JsonPathError *ret_error)
{
        Expression *expression;
        PathLexer l;
        int r;

        r = lexer_init(&l, program, text, ret_error);
        if (r < 0)
                return r;
        path_lex_blanks(&l);
        r = parse_or(&l, &expression);
        if (r < 0)
                return r;
        path_lex_blanks(&l);
        r = expect_end(&l);
        if (r < 0)
                return r;
        *ret = expression;
        return 0;
}
