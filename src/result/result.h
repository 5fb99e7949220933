/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* From the bytes that a run gave to its result. */

#include "base/buffer.h"
#include "json/json.h"

#define RESULT_LINES_MAX (1024U * 1024) /* of one result */

typedef enum ResultFormat {
        RESULT_JSON,   /* one JSON value */
        RESULT_TEXT,   /* a string: the text without the line break that it ends with */
        RESULT_NUMBER, /* a number with nothing but blanks around it */
        RESULT_LINES,  /* an array of strings, one a line */
        RESULT_NONE,   /* null, whatever the bytes are */
} ResultFormat;

/* "json", "text", "number", "lines", "none". -EINVAL. */
int result_format_from_string(const char *s, ResultFormat *ret);
const char *result_format_to_string(ResultFormat format);

/* A decoded result. It refers to the bytes that it was decoded from, and to itself: it can't be moved. */
typedef struct Result {
        const JsonValue *root;
        ResultFormat format;
        const char *text; /* what was decoded, borrowed */
        size_t n;
        JsonDoc *doc;     /* of json */
        char *copy;       /* of text and lines: the strings */
        JsonValue *items; /* of lines */
        JsonValue value;  /* of all but json: where ROOT points to */
} Result;

#define RESULT_NULL ((Result){})
void result_deinit(Result *result);
#define _cleanup_result_ _cleanup_(result_deinit)

/*
 * Decodes the N bytes TEXT. What is no UTF-8 in text and lines becomes U+FFFD. LIMITS (may be NULL) hold for
 * all formats. On failure RESULT is RESULT_NULL and *RET_ERROR (may be NULL) a sentence for people that the
 * caller frees: -EBADMSG (not of the format), -E2BIG (over a limit), -ENOMEM.
 */
int result_decode(Result *result, ResultFormat format, const char *text, size_t n, const JsonLimits *limits,
                  char **ret_error);

/*
 * Appends the result as JSON text on one line. Of json it is the text that was decoded, without the blanks
 * between its tokens: numbers stay as they were written. Done only when asked for.
 */
int result_append_text(const Result *result, Buffer *out);
