/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Blanks in JSON that is text already: nothing but them changes, so numbers keep their digits. */

#include "base/buffer.h"

/*
 * Appends the N bytes JSON, a text that json_parse() took, with INDENT blanks a level, or on one line for 0.
 * Errors of buffer_append().
 */
int json_text_format(const char *json, size_t n, unsigned indent, Buffer *out);
