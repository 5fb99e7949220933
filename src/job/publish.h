/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Results that go to a file besides the history: [Publish] of a job. */

#include "base/buffer.h"
#include "job/template.h"

#define PUBLISH_INDENT_MAX 8U
#define PUBLISH_MODE 0644

/* As the keys of [Publish] say. */
typedef struct Publish {
        Template *file;  /* File=, compiled with TEMPLATE_PATH; NULL: nothing is published */
        unsigned indent; /* Indent=: blanks a level, 0: all on one line */
} Publish;

void publish_deinit(Publish *publish);

/*
 * Writes the result JSON (N bytes of valid JSON) and a line break to the file, which is replaced as a whole or
 * stays what it was: a reader never sees half of it. It isn't synced, so a power cut may bring the old one back.
 * A relative File= is one of DIRECTORY; directories aren't made. *RET_ERROR (may be NULL) is a sentence for
 * people that the caller frees. Errors of template_expand(), errno.
 */
int publish_write(const Publish *publish, const TemplateContext *context, const char *directory, const char *json,
                  size_t n, char **ret_error);
