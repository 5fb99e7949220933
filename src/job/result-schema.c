/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job/result-schema.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/string-util.h"
#include "json/schema-file.h"

/* --- loading --- */

typedef struct Files {
        JsonFiles files;
        Buffer names;  /* with size and time */
        char *problem; /* with a file; NULL: none, or no memory */
} Files;

static void files_deinit(Files *files)
{
        buffer_deinit(&files->names);
        free(files->problem);
}

/* What is changed while it is read counts as changed, as the time is asked for before. */
static int load_file(JsonFiles *base, const char *path, JsonDoc **ret)
{
        Files *files = container_of(base, Files, files);
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        struct stat st;
        JsonError error;
        int r = stat(path, &st) < 0 ? -errno : read_file_at(AT_FDCWD, path, RESULT_SCHEMA_FILE_MAX, &text);

        if (r >= 0)
                r = buffer_appendf(&files->names, "%s %" PRIu64 " %" PRIu64 ".%09ld\n", path, (uint64_t)st.st_size,
                                   (uint64_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
        if (r < 0) {
                files->problem = xasprintf("%s: %s", path, r == -EINVAL ? "not a regular file" : strerror(-r));
                return r;
        }
        r = json_parse(buffer_string(&text), text.len, NULL, ret, &error);
        if (r < 0)
                files->problem = xasprintf("%s:%u:%u: %s", path, error.line, error.column, error.message);
        return r;
}

typedef struct Reasons {
        JsonSchemaReporter reporter;
        Buffer text;
        unsigned n;
} Reasons;

static void reasons_deinit(Reasons *reasons)
{
        buffer_deinit(&reasons->text);
}

static void add_reason(JsonSchemaReporter *base, const JsonSchemaError *error)
{
        Reasons *reasons = container_of(base, Reasons, reporter);

        if (reasons->n++ >= RESULT_SCHEMA_REASONS_MAX)
                return;
        (void)buffer_appendf(&reasons->text, "%s%.256s: %s%s%s", reasons->n > 1 ? "; " : "", *error->path ? error->path : "/",
                             error->keyword, *error->keyword ? ": " : "", error->message);
}

/* The path of the schema. NULL: no memory. */
static char *find_file(const char *name, const char *job_file)
{
        const char *slash = job_file ? strrchr(job_file, '/') : NULL;
        const char *directory = strchr(name, '/') ? "" : "schemas/";

        if (name[0] == '/')
                return strdup(name);
        if (!job_file)
                return xasprintf("%s%s", directory, name);
        return xasprintf("%.*s../%s%s", slash ? (int)(slash + 1 - job_file) : 0, job_file, directory, name);
}

int result_schema_load(ResultSchema *schema, const char *job_file, const ConfigItems *items, ConfigReport *report)
{
        _cleanup_(files_deinit) Files files = { .files.load = load_file };
        _cleanup_(reasons_deinit) Reasons reasons = { .reporter.report = add_reason };
        _cleanup_free_ char *path = NULL;
        int r;

        if (!schema->name)
                return 0;
        path = find_file(schema->name, job_file);
        if (!path)
                return -ENOMEM;
        r = json_schema_compile_file(path, &files.files, &reasons.reporter, &schema->compiled);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return config_items_error(items, report, "Result", "Schema", 0, "%s",
                                          files.problem ?: reasons.n > 0 ? buffer_string(&reasons.text) : strerror(-r));
        schema->files = buffer_steal(&files.names);
        return schema->files ? 0 : -ENOMEM;
}

void result_schema_unload(ResultSchema *schema)
{
        schema->compiled = json_schema_free(schema->compiled);
        free(schema->files);
        schema->files = NULL;
}

/* --- checking --- */

int result_schema_check(const ResultSchema *schema, const JsonValue *root, size_t n, char **ret_error)
{
        _cleanup_(reasons_deinit) Reasons reasons = { .reporter.report = add_reason };
        bool valid = false;
        int r;

        *ret_error = NULL;
        if (!schema->compiled)
                return 0;
        if (n > RESULT_SCHEMA_BYTES_MAX) {
                *ret_error = xasprintf("the result has %zu bytes, and one that is checked by a schema at most %u", n,
                                       RESULT_SCHEMA_BYTES_MAX);
                return -E2BIG;
        }
        r = json_schema_validate_within(schema->compiled, root, RESULT_SCHEMA_STEPS_MAX, &reasons.reporter, &valid);
        if (r == -E2BIG)
                *ret_error = xasprintf("to check the result by %s takes too many steps", schema->name);
        if (r < 0 || valid)
                return r;
        if (reasons.n > RESULT_SCHEMA_REASONS_MAX)
                (void)buffer_appendf(&reasons.text, "; and %u more", reasons.n - RESULT_SCHEMA_REASONS_MAX);
        *ret_error = xasprintf("the result does not fit %s: %s", schema->name, buffer_string(&reasons.text));
        return -EBADMSG;
}
