/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Schema= of [Result]: a JSON Schema that each result has to fit, compiled when the job is loaded. */

#include "config/file.h"
#include "json/schema.h"

#define RESULT_SCHEMA_FILE_MAX (1024U * 1024) /* bytes of a schema, or one that it refers to */
/* Of a result that is checked: this takes milliseconds, and all else waits for it. */
#define RESULT_SCHEMA_BYTES_MAX (256U * 1024)
#define RESULT_SCHEMA_STEPS_MAX 200000U
#define RESULT_SCHEMA_REASONS_MAX 20U /* that are told */

/* [Result] Schema= */
typedef struct ResultSchema {
        char *name; /* NULL: there is none */
        JsonSchema *compiled;
        char *files; /* what was read, and of when: the definition is another one where that changes */
} ResultSchema;

/*
 * Reads and compiles it: NAME is a file of schemas/ or a path, in the directory above that of JOB_FILE. Problems
 * go to REPORT, at the place of the key: -EBADMSG; -ENOMEM.
 */
int result_schema_load(ResultSchema *schema, const char *job_file, const ConfigItems *items, ConfigReport *report);
/* Frees what was loaded, but for the name. */
void result_schema_unload(ResultSchema *schema);

/*
 * Whether ROOT, of N bytes, fits: 0, or -EBADMSG with each reason in *RET_ERROR, -E2BIG, -ENOMEM. The caller
 * frees *RET_ERROR, which is NULL where there was no memory for it.
 */
int result_schema_check(const ResultSchema *schema, const JsonValue *root, size_t n, char **ret_error);
