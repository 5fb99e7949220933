/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * A schema in a file. Its URI is "/" and its file's name, as if its directory were the root of a host:
 * relative references lead to names beside it and can't lead above; where it has an $id, what that calls its
 * neighbours is there, too. Nothing else is loaded.
 */

#include "json/schema.h"

typedef struct JsonFiles JsonFiles;

/* How a file becomes a document: -errno or errors of json_parse(). */
struct JsonFiles {
        int (*load)(JsonFiles *files, const char *path, JsonDoc **ret);
};

/* Errors of FILES, whose word it is to tell of them, and of json_schema_compile(). */
int json_schema_compile_file(const char *path, JsonFiles *files, JsonSchemaReporter *reporter, JsonSchema **ret);
