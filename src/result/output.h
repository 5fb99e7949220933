/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Named values out of a result: the declarations of Output=, compiled once, and their evaluation. */

#include "base/text-error.h"
#include "json/json.h"
#include "json/writer.h"

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
/* What output_set_add() was given, without the blanks around it. */
const char *output_set_declaration(const OutputSet *set, size_t i);
bool output_set_has(const OutputSet *set, const char *name);

/*
 * Writes the object of all outputs of ROOT. A path that can name one node at most gives its value, any other
 * a list, which may be empty. Where the one node is absent: null for a `NAME?:`, for others -ENODATA with
 * *RET_ERROR (may be NULL) naming output and path ("output-missing"). Other errors: -E2BIG (too many nodes
 * visited), -ENOMEM. On failure W is in error as well, and what it wrote is of no use.
 */
int outputs_extract(const OutputSet *set, const JsonValue *root, JsonWriter *w, char **ret_error);
