/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Numbers as JSON writes them, to and from C's, whatever the locale. */

#include "json/json.h"

/* "-1.7976931348623157e+308" and a NUL */
#define JSON_NUMBER_MAX 32

/*
 * TEXT follows JSON's grammar for numbers. Makes an integer where it is written as one and has 64
 * bits, else a double. -ERANGE where that would be infinite; -ENOMEM (only past some 100 digits).
 */
int json_number_parse(const char *text, size_t n, JsonValue *ret);

/* The shortest digits that read back as VALUE, which is finite; a whole number keeps a ".0". Returns the length. */
size_t json_number_format(double value, char buffer[static JSON_NUMBER_MAX]);

/* VALUE, which is an integer or a double, likewise. Returns BUFFER. */
char *json_number_print(const JsonValue *value, char buffer[static JSON_NUMBER_MAX]);

/* The order of two numbers of either type, exactly: less than 0, 0, greater than 0. */
int json_number_compare(const JsonValue *a, const JsonValue *b);

/* Whether VALUE is a number without a fraction: 1, and 1.0 as well. */
bool json_number_is_whole(const JsonValue *value);

/* Whether A is a multiple of B, which is not 0, as they are written in decimal: 0.3 is one of 0.1. */
bool json_number_is_multiple(const JsonValue *a, const JsonValue *b);
