/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The words of a JSONPath expression. Functions return 0 or an error that is told in `error` as well. */

#include "json/path-internal.h"

typedef struct PathLexer {
        const char *text;
        const char *p;
        const char *end; /* where a NUL stands */
        Program *program;
        Arena *arena; /* of the program */
        unsigned depth;
        JsonPathError *error; /* may be NULL */
} PathLexer;

/* -EBADMSG */
int path_lex_fail(PathLexer *l, const char *at, const char *format, ...) _printf_(3, 4);

void path_lex_blanks(PathLexer *l);
bool path_lex_at(const PathLexer *l, const char *sign);
bool path_lex_take(PathLexer *l, const char *sign);
int path_lex_expect(PathLexer *l, const char *sign, const char *message);

bool path_lex_at_number(const PathLexer *l);
/* An index or a part of a slice, within ±(2^53 - 1). */
int path_lex_integer(PathLexer *l, int64_t *ret);
/* In single or double quotes. */
int path_lex_string(PathLexer *l, const char **ret, size_t *ret_len);
int path_lex_member_name(PathLexer *l, const char **ret, size_t *ret_len);
/* Goes over a name as functions have; returns its length, which may be 0. */
size_t path_lex_function_name(PathLexer *l);
/* 1: there was one; 0: something else is here. */
int path_lex_literal(PathLexer *l, JsonValue *ret);
