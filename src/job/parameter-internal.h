/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What declarations (parameter.c), values (parameter-value.c) and arguments (parameter-bind.c) share. */

#include "job/parameter.h"

/* One end of a range. */
typedef struct ParameterBound {
        char *text; /* as it was declared; NULL: there is no such end */
        int64_t integer; /* of int; characters of string; usec of duration */
        double number;   /* of float */
} ParameterBound;

typedef struct Parameter {
        char *name;
        char *type_text; /* "int(1..5)" */
        char *help;      /* NULL: none */
        ParameterType type;
        ParameterBound minimum, maximum;
        char **choices;     /* NULL-terminated; of choice */
        char *default_text; /* NULL: required */
        char *default_json; /* of all but time, whose default may be relative to the run */
} Parameter;

struct ParameterSet {
        size_t n;
        Parameter *parameters; /* grown one by one: there are few */
};

/* "string" and so on. -EINVAL. */
int parameter_type_from_string(const char *s, ParameterType *ret);
const char *parameter_type_to_string(ParameterType type);
/* Whether the type takes a range. */
bool parameter_type_has_range(ParameterType type);

/* Reads the end of a range as TYPE writes values. -EINVAL. */
int parameter_bound_parse(ParameterType type, const char *s, ParameterBound *ret);
/* Whether the range has no value at all. */
bool parameter_range_is_empty(const Parameter *parameter);

/*
 * Writes a value of PARAMETER in its canonical form. -EINVAL with RET_ERROR (may be NULL) where it is not of
 * the type or range; -ENOMEM; errors of W are left to its end.
 */
int parameter_put_word(const Parameter *parameter, const char *word, const ParameterContext *context,
                       JsonWriter *w, ParameterError *ret_error);
int parameter_put_json(const Parameter *parameter, const JsonValue *value, const ParameterContext *context,
                       JsonWriter *w, ParameterError *ret_error);

/* Fills E, which may be NULL; NAME may be NULL. Returns -EINVAL. */
int parameter_error(ParameterError *e, const char *name, const char *format, ...) _printf_(3, 4);
