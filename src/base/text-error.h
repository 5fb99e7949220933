/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What is wrong with a piece of text that a person wrote, and where in it. Every compiler of such
 * text (templates, words, parameters, outputs) fills one; the caller knows file and line.
 */

#include "base/macro.h"

typedef struct TextError {
        size_t offset; /* in bytes from the start of the text */
        char message[192]; /* without a full stop; says what would be right */
} TextError;

/* Fills E, which may be NULL, cutting what is too long at a character. Returns -EBADMSG. */
int text_error(TextError *e, size_t offset, const char *format, ...) _printf_(3, 4);
