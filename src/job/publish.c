/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job/publish.h"

#include "base/file.h"
#include "base/string-util.h"
#include "result/json-text.h"

void publish_deinit(Publish *publish)
{
        publish->file = template_free(publish->file);
}

int publish_write(const Publish *publish, const TemplateContext *context, const char *directory, const char *json,
                  size_t n, char **ret_error)
{
        _cleanup_buffer_ Buffer name = BUFFER_NULL, text = BUFFER_NULL;
        _cleanup_free_ char *path = NULL;
        int r;

        r = template_expand(publish->file, context, &name, ret_error);
        if (r < 0)
                return r;
        r = json_text_format(json, n, MIN(publish->indent, PUBLISH_INDENT_MAX), &text);
        if (r >= 0)
                r = buffer_append_char(&text, '\n');
        if (r < 0)
                return r;
        path = path_join(directory, buffer_string(&name));
        if (!path)
                return -ENOMEM;
        r = write_file_atomic(path, text.data, text.len, PUBLISH_MODE, false);
        if (r >= 0 || !ret_error)
                return r;
        /* The expanded name may hold a secret; what was written in the file does not. */
        *ret_error = xasprintf("writing the result to %s failed: %s",
                               template_has_credential(publish->file) ? "the file of [Publish]" : path,
                               strerror(-r));
        return *ret_error ? r : -ENOMEM;
}
