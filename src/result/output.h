/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * From the bytes that a run gave to its result, and from the result to its named outputs.
 */

#include "base/buffer.h"
#include "base/text-error.h"
#include "json/json.h"
#include "json/writer.h"

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

/*
 * A decoded result. It refers to the bytes that it was decoded from, so these must outlive it.
 */
typedef struct Result {
        const JsonValue *root;
        ResultFormat format;
        const char *text; /* what was decoded, borrowed */
        size_t n;
        JsonDoc *doc;     /* of json */
        void *memory;     /* of the other formats, where they needed some */
        JsonValue value;  /* theirs, where ROOT points to */
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

typedef struct OutputSet OutputSet;

#define OUTPUTS_MAX 64U /* of one job */

/* NULL: no memory. */
OutputSet *output_set_new(void);
OutputSet *output_set_free(OutputSet *set);
DEFINE_CLEANUP(OutputSet *, output_set_free);

/*
 * Adds what `Output=NAME: PATH` says; PATH is JSONPath. `NAME?: PATH` may be absent. -EBADMSG with RET_ERROR
 * (may be NULL), -ENOMEM.
 */
int output_set_add(OutputSet *set, const char *declaration, TextError *ret_error);
size_t output_set_size(const OutputSet *set); /* NULL: 0 */
const char *output_set_name(const OutputSet *set, size_t i);
bool output_set_has(const OutputSet *set, const char *name);

/*
 * Writes the object of all outputs of ROOT. A path that can name one node at most gives its value, any other
 * a list, which may be empty. Where the one node is absent: null for a `NAME?:`, for others -ENODATA with
 * *RET_ERROR (may be NULL) naming output and path ("output-missing"), and W is in error as well.
 * Other errors: -E2BIG (too many nodes visited), -ENOMEM.
 */
int outputs_extract(const OutputSet *set, const JsonValue *root, JsonWriter *w, char **ret_error);
