/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * JSON Schema, draft 2020-12: compiled once, with all that it refers to, then asked about any
 * number of documents. `format` and the content keywords are annotations and check nothing;
 * patterns are those of ECMAScript as PCRE2 takes them. Other schema documents come from a loader:
 * nothing is fetched over a network.
 */

#include "json/json.h"

typedef struct JsonSchema JsonSchema;
typedef struct JsonSchemaLoader JsonSchemaLoader;
typedef struct JsonSchemaReporter JsonSchemaReporter;

struct JsonSchemaLoader {
        /* The document at URI, which is absolute where the first one's was and has no fragment. -ENOENT: none. */
        int (*load)(JsonSchemaLoader *loader, const char *uri, JsonDoc **ret);
};

/* The strings live for the time of the call. */
typedef struct JsonSchemaError {
        const char *path;    /* JSON Pointer (RFC 6901) into the instance; into the schema, after its URI and "#", for compile */
        const char *keyword; /* "" where the schema as a whole is at fault */
        const char *message;
} JsonSchemaError;

struct JsonSchemaReporter {
        void (*report)(JsonSchemaReporter *reporter, const JsonSchemaError *error);
};

#define JSON_SCHEMA_MAX_DOCUMENTS 256U
#define JSON_SCHEMA_MAX_SCHEMAS 100000U /* subschemas of all documents */
#define JSON_SCHEMA_MAX_ERRORS 100U     /* reported for one instance; validation ends there */
#define JSON_SCHEMA_MAX_STEPS 10000000U /* of one validation: subschemas applied, values compared */
#define JSON_SCHEMA_MAX_DEPTH 1000U     /* subschemas applied within one another */

/*
 * Takes DOC over, on failure too. URI is where it came from ("" if nowhere): relative references
 * count from there, unless an $id says otherwise. LOADER and REPORTER may be NULL.
 * -EBADMSG: no schema, or a reference leads nowhere, which is reported; -E2BIG, -ENOMEM, or the loader's error.
 */
int json_schema_compile(JsonDoc *doc, const char *uri, JsonSchemaLoader *loader, JsonSchemaReporter *reporter,
                        JsonSchema **ret);
JsonSchema *json_schema_free(JsonSchema *schema);
DEFINE_CLEANUP(JsonSchema *, json_schema_free);

/* Each way in which INSTANCE is not valid goes to REPORTER (may be NULL). -E2BIG: a limit above; -ENOMEM. */
int json_schema_validate(const JsonSchema *schema, const JsonValue *instance, JsonSchemaReporter *reporter,
                         bool *ret_valid);
/* The same within STEPS at most, of those of JSON_SCHEMA_MAX_STEPS: for who may not take long. */
int json_schema_validate_within(const JsonSchema *schema, const JsonValue *instance, unsigned steps,
                                JsonSchemaReporter *reporter, bool *ret_valid);
