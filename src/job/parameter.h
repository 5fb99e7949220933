/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Typed parameters: declarations `Parameter=NAME:TYPE[(RANGE)][=DEFAULT] [HELP]`, and the binding of
 * arguments to them. NAME is a letter or "_", then letters, digits, "_" and "-".
 *
 *     string(1..64)     text without NUL; the range counts characters
 *     int(1..5)         64 bits; either end may be left out
 *     float(0..1)       finite
 *     bool              systemd's spellings and nothing else
 *     duration(1s..1h)  a time span as in systemd.time(7), under 71 years; bound as a number of seconds
 *     time              a time stamp as in systemd.time(7) ("2026-11-22 10:00 Europe/Kyiv", "tomorrow",
 *                       "+2h", "5min ago", "now") or RFC 3339; bound as RFC 3339 text in UTC
 *     choice(a|b|c)     one of these strings
 *     json              any JSON value
 *
 * DEFAULT is one word by the rules of words.h, or for json the JSON text itself. A parameter without
 * a default is required.
 */

#include "base/buffer.h"
#include "base/clock.h"
#include "base/text-error.h"
#include "json/json.h"
#include "json/writer.h"

#define PARAMETERS_MAX 64U                  /* of one job */
#define PARAMETERS_TEXT_MAX (2U * 1024 * 1024) /* bytes of the bound object */
#define PARAMETER_NAME_MAX 63U

typedef enum ParameterType {
        PARAMETER_STRING,
        PARAMETER_INT,
        PARAMETER_FLOAT,
        PARAMETER_BOOL,
        PARAMETER_DURATION,
        PARAMETER_TIME,
        PARAMETER_CHOICE,
        PARAMETER_JSON,
} ParameterType;

typedef struct ParameterSet ParameterSet;

/* NULL: no memory. */
ParameterSet *parameter_set_new(void);
ParameterSet *parameter_set_free(ParameterSet *set);
DEFINE_CLEANUP(ParameterSet *, parameter_set_free);

/* Adds the parameter that DECLARATION describes. -EBADMSG with RET_ERROR (may be NULL), -ENOMEM. */
int parameter_set_add(ParameterSet *set, const char *declaration, TextError *ret_error);

/* The accessors below take NULL for the empty set. Strings live as long as SET. */
size_t parameter_set_size(const ParameterSet *set);
const char *parameter_set_name(const ParameterSet *set, size_t i);
const char *parameter_set_help(const ParameterSet *set, size_t i); /* NULL: none */
ParameterType parameter_set_type(const ParameterSet *set, size_t i);
/* "string" and so on. */
const char *parameter_set_type_name(const ParameterSet *set, size_t i);
/* Whether it has no default. */
bool parameter_set_is_required(const ParameterSet *set, size_t i);
/* Whether NAME is declared, and its index. RET may be NULL. */
bool parameter_set_find(const ParameterSet *set, const char *name, size_t *ret);

/* What is wrong with the arguments of a run. */
typedef struct ParameterError {
        char name[PARAMETER_NAME_MAX + 1]; /* the parameter; "" where the fault is of none in particular */
        char message[256];
} ParameterError;

typedef struct ParameterContext {
        /* What times that name no zone or are relative ("now", "tomorrow") are relative to. */
        usec_t now_realtime;
        const char *time_zone; /* NULL: the machine's */
        /* The object that was bound for an earlier run, with the values of what is not given now; NULL: none. */
        const JsonValue *earlier;
} ParameterContext;

/*
 * Binds NAMED (a JSON object; NULL or null: none) and then the N words ARGS, and appends the object of
 * all parameters in the order of their declaration, defaults filled in, as compact JSON to OUT.
 * A word is `--NAME=VALUE`, `--NAME` with the value in the next word, or a value by position: of the first
 * parameter that is not named anywhere, and so on; `--` ends the names. A bool's `--NAME` is true where no
 * spelling of a bool follows. In NAMED a value has its JSON type, or is the text that a word would be.
 * What the context's EARLIER run had counts less than what is given, and more than defaults.
 * -EINVAL with RET_ERROR (may be NULL) for one that is missing, unknown, surplus, given twice, or not of
 * its type or range; -E2BIG; -ENOMEM. OUT is as it was on failure.
 */
int parameter_bind(const ParameterSet *set, const JsonValue *named, const char *const *args, size_t n,
                   const ParameterContext *context, Buffer *out, ParameterError *ret_error);

/*
 * Appends the usage made from the declarations: "Usage: PROGRAM MESSAGE [SECONDS]" and a line a parameter.
 * EARLIER are the values of a run that is to be repeated, which stand in for those that are not given; NULL:
 * none is.
 */
int parameter_usage(const ParameterSet *set, const char *program, const JsonValue *earlier, Buffer *out);
/* Writes the declarations as an array of {name, type, required, default, minimum, maximum, choices, help}. */
void parameter_describe(const ParameterSet *set, JsonWriter *w);
