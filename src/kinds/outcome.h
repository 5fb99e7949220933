/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* From the bytes that a run gave to its end: what kinds with a result have in common. */

#include "job/run.h"
#include "result/output.h"
#include "result/result.h"

/* The format that [Result] Format= asks for, or FALLBACK where it says auto. */
ResultFormat run_result_format(const Run *run, ResultFormat fallback);

/*
 * Decodes BODY, takes the outputs out of it and ends the run: well, or with "bad-json",
 * "bad-number", "too-large", "schema" or "output-missing". RUN may be gone afterwards.
 */
void run_finish_with_bytes(Run *run, ResultFormat format, const char *bytes, size_t n);
/* The same where ROOT is what the JSON text TEXT says, which is taken over. */
void run_finish_with_value(Run *run, ResultFormat format, const JsonValue *root, Buffer *text);
/* The same where the result is JSON text that the kind has made, which is taken over; NULL: null. */
void run_finish_with_json(Run *run, char *json, size_t n);
/*
 * A value that RUN yields: takes the outputs out of it and tells of it. -ENODATA where an output is missing, -EBADMSG
 * where it does not fit Schema=,
 * -ENOMEM; the value then counts for nothing. TEXT is taken over.
 */
int run_yield_value(Run *run, const JsonValue *root, Buffer *text);
/* The same for N bodies at BODIES, each of which is a member of the result, an array. */
void run_finish_with_bodies(Run *run, ResultFormat format, const Buffer *const *bodies, size_t n);
