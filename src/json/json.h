/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * JSON values, read-only trees in one arena per document, and the reader that makes them.
 *
 * What is accepted is RFC 8259 with: strict UTF-8, no lone surrogate, no duplicate key, numbers
 * that are finite, integers of 64 bits in full (others become doubles), and caps on depth and size.
 */

#include "base/macro.h"

typedef enum JsonType {
        JSON_NULL,
        JSON_BOOL,
        JSON_INT,
        JSON_DOUBLE,
        JSON_STRING,
        JSON_ARRAY,
        JSON_OBJECT,
} JsonType;

typedef struct JsonValue JsonValue;
typedef struct JsonMember JsonMember;
typedef struct JsonDoc JsonDoc;

struct JsonValue {
        JsonType type;
        uint32_t n; /* bytes of a string, items of an array, members of an object */
        union {
                bool boolean;
                int64_t integer;
                double number;
                const char *string; /* followed by a NUL that N does not count; may hold NULs */
                const JsonValue *items;
                const JsonMember *members; /* in the order of the text; only json_parse() makes objects */
        };
};

struct JsonMember {
        const char *key; /* followed by a NUL */
        uint32_t key_len;
        JsonValue value;
};

typedef struct JsonLimits {
        size_t max_bytes;   /* of text; 0: JSON_MAX_BYTES_DEFAULT */
        unsigned max_depth; /* of nested arrays and objects; 0: JSON_MAX_DEPTH_DEFAULT */
} JsonLimits;

#define JSON_MAX_BYTES_DEFAULT (64U * 1024 * 1024)
#define JSON_MAX_BYTES_CEILING (1024U * 1024 * 1024) /* a larger max_bytes counts as this one */
#define JSON_MAX_DEPTH_DEFAULT 128U
#define JSON_MAX_DEPTH_CEILING 1024U /* a larger max_depth counts as this one: a tree can be walked by recursion */

typedef struct JsonError {
        unsigned line;    /* from 1 */
        unsigned column;  /* in bytes, from 1 */
        char message[128];
} JsonError;

/*
 * Reads one value that takes all of TEXT (blanks around it aside). LIMITS and RET_ERROR may be NULL.
 * -EBADMSG: not JSON as above; -E2BIG: over a limit; -ENOMEM. RET_ERROR is set on every failure.
 */
int json_parse(const char *text, size_t n, const JsonLimits *limits, JsonDoc **ret, JsonError *ret_error);
/*
 * As json_parse(), in the memory of *DOC where that is enough: for who reads one short text after
 * another. What *DOC (NULL: nothing) held is gone; after a failure it is NULL.
 */
int json_parse_again(JsonDoc **doc, const char *text, size_t n, const JsonLimits *limits, JsonError *ret_error);
JsonDoc *json_doc_free(JsonDoc *doc);
DEFINE_CLEANUP(JsonDoc *, json_doc_free);

/* Lives as long as DOC. */
const JsonValue *json_root(const JsonDoc *doc);

/* The member KEY of OBJECT; NULL where there is none, or OBJECT is NULL or no object. */
const JsonValue *json_get(const JsonValue *object, const char *key);
const JsonValue *json_get_n(const JsonValue *object, const char *key, size_t key_len);

/* Deep equality as RFC 9535 has it: 1 and 1.0 are equal, the order of members does not matter. */
bool json_equal(const JsonValue *a, const JsonValue *b);

static inline bool json_is(const JsonValue *value, JsonType type)
{
        return value && value->type == type;
}

/* The string, where VALUE is one without a NUL inside; else NULL. */
const char *json_string_or_null(const JsonValue *value);

/* "null", "boolean", "integer", "number", "string", "array", "object" */
const char *json_type_name(JsonType type);
