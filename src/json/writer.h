/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Writes JSON text into a Buffer, with no tree in between. Errors stick: write all of it, then ask
 * json_writer_end() once. Commas and colons are the writer's.
 */

#include <assert.h>

#include "base/buffer.h"
#include "json/json.h"

#define JSON_WRITER_MAX_DEPTH 128

typedef struct JsonWriter {
        Buffer *out;
        size_t start; /* where this writer's text begins in OUT */
        int error;
        unsigned indent; /* blanks a level, 0: compact */
        unsigned depth;
        bool comma;     /* the next value or key needs one before it */
        bool after_key; /* a value is due */
} JsonWriter;

/* INDENT 0: compact, on one line. OUT is borrowed and appended to. */
static inline void json_writer_init(JsonWriter *w, Buffer *out, unsigned indent)
{
        *w = (JsonWriter){ .out = out, .start = out->len, .indent = indent };
}

/*
 * TEXT, which opens DEPTH objects and is what this writer would have made of them, at once: for what
 * begins and ends every message. The next is a key; TEXT behind the last one closes as many.
 */
static inline void json_open_with(JsonWriter *w, const char *text, size_t n, unsigned depth)
{
        assert(w->depth == 0 && w->indent == 0);
        w->error = buffer_append(w->out, text, n);
        w->depth = depth;
        w->comma = false;
}

static inline void json_close_with(JsonWriter *w, const char *text, size_t n, unsigned depth)
{
        if (w->error < 0)
                return;
        assert(w->depth == depth && !w->after_key && w->indent == 0);
        w->error = buffer_append(w->out, text, n);
        w->depth = 0;
}

/* 0, or the first error: -ENOMEM, -E2BIG (cap of the buffer or depth), -EINVAL (not UTF-8, inf or nan). */
int json_writer_end(JsonWriter *w);

void json_begin_object(JsonWriter *w);
void json_end_object(JsonWriter *w);
void json_begin_array(JsonWriter *w);
void json_end_array(JsonWriter *w);

/* Only inside an object, before each value. */
void json_key(JsonWriter *w, const char *key);

void json_null(JsonWriter *w);
void json_bool(JsonWriter *w, bool value);
void json_int(JsonWriter *w, int64_t value);
/* Values past INT64_MAX are written as INT64_MAX, as Varlink has no larger integer. */
void json_uint(JsonWriter *w, uint64_t value);
/* The shortest digits that read back as the same double; a whole number keeps a ".0". */
void json_double(JsonWriter *w, double value);
/* NULL is written as null. */
void json_string(JsonWriter *w, const char *value);
void json_string_n(JsonWriter *w, const char *value, size_t n);
/* As json_string(), with what is not UTF-8 replaced by U+FFFD: for text that others wrote. */
void json_string_lossy(JsonWriter *w, const char *value, size_t n);
/* TEXT is JSON already (compact, as this writer makes it) and is copied as it is. */
void json_raw(JsonWriter *w, const char *text, size_t n);
void json_value(JsonWriter *w, const JsonValue *value);

/* A realtime_usec as RFC 3339 text in UTC; USEC_INFINITY and 0 are written as null. */
void json_realtime(JsonWriter *w, uint64_t realtime_usec);

/* One value as compact JSON text, appended to OUT. Errors of json_writer_end(). */
int json_format(const JsonValue *value, unsigned indent, Buffer *out);
