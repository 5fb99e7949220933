/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Templates of a definition, expanded for one run: its parameters, its times, the job's last outputs. */

#include "config/file.h"
#include "job/run.h"
#include "job/template.h"
#include "job/words.h"

/* Lives as long as RUN. */
void run_template_context(Run *run, TemplateContext *ret);

/*
 * Expand, or end the run as failed ("template") with a sentence about why: then -EBADMSG, and the
 * run may be gone. T may be NULL, which appends nothing.
 */
int run_expand(Run *run, const Template *t, Buffer *out);
/* As above, of a span and of a number that must be finite; T is not NULL. */
int run_expand_span(Run *run, const Template *t, const char *key, usec_t *ret);
int run_expand_double(Run *run, const Template *t, const char *key, double *ret);
/* As above; the words are for words_free(). */
int run_expand_command(Run *run, const CommandLine *line, char ***ret);

/*
 * Writes the result as [Publish] says; nothing where it says nothing. On failure *RET_ERROR is a
 * sentence that the caller frees, or NULL without memory.
 */
int run_publish(Run *run, char **ret_error);

/* For load(): where T is constant, it must be a span (a number) within [MIN, MAX]. Errors as in kind->load(). */
int template_check_span(const Template *t, usec_t min, usec_t max, const char *section, const char *key,
                        const ConfigItems *items, ConfigReport *report);
int template_check_double(const Template *t, double min, double max, const char *section, const char *key,
                          const ConfigItems *items, ConfigReport *report);
