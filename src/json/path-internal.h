/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What a JSONPath is compiled to. The names are those of RFC 9535: a query is a chain of segments,
 * a segment has selectors, and a filter selector has an expression in which queries occur again.
 */

#include "json/arena.h"
#include "json/path.h"
#include "json/regex.h"

#define JSON_PATH_MAX_BYTES 65536U /* of an expression */

typedef struct Query Query;
typedef struct Segment Segment;
typedef struct Selector Selector;
typedef struct Expression Expression;
typedef struct Function Function;

typedef enum SelectorType {
        SELECT_NAME,
        SELECT_WILDCARD,
        SELECT_INDEX,
        SELECT_SLICE,
        SELECT_FILTER,
} SelectorType;

struct Selector {
        SelectorType type;
        Selector *next;
        union {
                struct {
                        const char *name;
                        size_t name_len;
                };
                int64_t index;
                struct {
                        int64_t start, end, step;
                        bool has_start, has_end;
                };
                const Expression *filter;
        };
};

struct Segment {
        bool descendant;
        Selector *selectors;
        Segment *next;
};

struct Query {
        bool relative; /* begins at "@" */
        bool singular;
        Segment *segments;
};

typedef enum ExpressionType {
        EXPRESSION_OR,  /* of all operands */
        EXPRESSION_AND, /* of all operands */
        EXPRESSION_NOT,
        EXPRESSION_COMPARE, /* two operands */
        EXPRESSION_LITERAL,
        EXPRESSION_QUERY, /* in a comparison its value, else whether it names a node */
        EXPRESSION_FUNCTION,
} ExpressionType;

typedef enum Comparison {
        COMPARE_EQUAL,
        COMPARE_NOT_EQUAL,
        COMPARE_LESS_EQUAL,
        COMPARE_GREATER_EQUAL,
        COMPARE_LESS,
        COMPARE_GREATER,
} Comparison;

struct Expression {
        ExpressionType type;
        Expression *next; /* operand or argument */
        union {
                struct {
                        Expression *operands;
                        Comparison comparison;
                };
                JsonValue literal;
                const Query *query;
                struct {
                        const Function *function;
                        Expression *arguments;
                        const Regex *regex; /* of a literal pattern */
                };
        };
};

/* The type system of functions: RFC 9535, section 2.4.1. */
typedef enum FunctionType {
        TYPE_VALUE,
        TYPE_LOGICAL,
        TYPE_NODES,
} FunctionType;

#define FUNCTION_MAX_ARGUMENTS 2

typedef struct Evaluation Evaluation;

/* What an expression gives: VALUE is NULL for "Nothing". */
typedef struct Operand {
        const JsonValue *value;
        JsonValue made; /* where VALUE points to if it is in no document */
        bool logical;
} Operand;

struct Function {
        const char *name;
        FunctionType result;
        unsigned n_parameters;
        FunctionType parameters[FUNCTION_MAX_ARGUMENTS];
        bool has_pattern; /* the second argument is an I-Regexp … */
        bool whole;       /* … for all of the text */
        int (*call)(Evaluation *e, const Expression *function, const JsonValue *current, Operand *ret);
};

const Function *path_function_find(const char *name, size_t n);

/* Compiled things and what they own. */
typedef struct OwnedRegex OwnedRegex;

struct OwnedRegex {
        Regex *regex;
        OwnedRegex *next;
};

typedef struct Program {
        Arena arena;
        OwnedRegex *regexes;
} Program;

void program_deinit(Program *program);

/* -EBADMSG with RET_ERROR (may be NULL) set, -ENOMEM. */
int path_parse_query(Program *program, const char *text, const Query **ret, JsonPathError *ret_error);
int path_parse_condition(Program *program, const char *text, const Expression **ret, JsonPathError *ret_error);

/* One run of a query or condition. */
struct Evaluation {
        const JsonValue *root;
        size_t budget;
        unsigned depth;

        /* The last pattern that was no literal. */
        const JsonValue *pattern;
        bool pattern_whole;
        Regex *pattern_regex; /* NULL: not an I-Regexp */
};

void evaluation_init(Evaluation *e, const JsonValue *root);
void evaluation_deinit(Evaluation *e);
#define _cleanup_evaluation_ _cleanup_(evaluation_deinit)

/* Takes COST from the budget; -E2BIG where it is used up. */
int evaluation_charge(Evaluation *e, size_t cost);

/* Gets each node in turn. Returns 0, 1 to end the query, or an error, which ends it as well. */
typedef struct NodeSink NodeSink;

struct NodeSink {
        int (*node)(NodeSink *sink, const JsonValue *node);
};

/* 0 or an error. */
int path_eval_query(Evaluation *e, const Query *query, const JsonValue *current, NodeSink *sink);
int path_eval_logical(Evaluation *e, const Expression *x, const JsonValue *current, bool *ret);
int path_eval_value(Evaluation *e, const Expression *x, const JsonValue *current, Operand *ret);
