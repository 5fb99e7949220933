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
