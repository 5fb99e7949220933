/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSONPath and JSON Schema by hand; taktctl path and validate become this program.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/string-util.h"
#include "ctl/ctl.h"
#include "ctl/text.h"
#include "json/path.h"
#include "json/schema-file.h"

typedef struct Flags {
        bool json;
        bool quiet;
} Flags;

/* --- reading --- */

static int open_input(const char *path)
{
        return path ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
}

/* PATH may be NULL: standard input. -errno and errors of json_parse(), which the user was told. */
static int load_json(const char *path, JsonDoc **ret)
{
        _cleanup_close_ int fd = open_input(path);
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        const char *name = path ?: "standard input";
        JsonError error;
        int r;

        r = fd < 0 ? negative_errno() : read_fd(fd, JSON_MAX_BYTES_DEFAULT, &text);
        if (r < 0) {
                ctl_error(STATUS_USAGE, "%s: %s", name, strerror(-r));
                return r;
        }
        r = json_parse(buffer_string(&text), text.len, NULL, ret, &error);
        if (r < 0)
                ctl_error(STATUS_USAGE, "%s:%u:%u: %s", name, error.line, error.column, error.message);
        return r;
}

/* --- path --- */

static int print_nodes(const JsonNodes *nodes)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        JsonWriter w;
        int r;

        json_writer_init(&w, &text, isatty(STDOUT_FILENO) ? 2 : 0);
        json_begin_array(&w);
        for (size_t i = 0; i < nodes->n; i++)
                json_value(&w, nodes->nodes[i]);
        json_end_array(&w);
        r = json_writer_end(&w);
        if (r < 0)
                return ctl_error(STATUS_FAILED, "can't write the nodes: %s", strerror(-r));
        puts(buffer_string(&text));
        return ctl_flush();
}

static int run_path(char **args, size_t n, _unused_ const Flags *flags)
{
        _cleanup_(json_path_freep) JsonPath *path = NULL;
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_(json_nodes_deinit) JsonNodes nodes = JSON_NODES_NULL;
        JsonPathError error;
        int r;

        r = json_path_compile(args[0], &path, &error);
        if (r == -ENOMEM)
                return ctl_oom();
        if (r < 0)
                return ctl_error(STATUS_USAGE, "column %zu of \"%s\": %s", error.offset + 1, args[0], error.message);
        if (load_json(n > 1 ? args[1] : NULL, &doc) < 0)
                return STATUS_USAGE;
        r = json_path_select(path, json_root(doc), &nodes);
        if (r == -E2BIG)
                return ctl_error(STATUS_USAGE, "\"%s\" visits more than %u nodes, or its expressions take too long",
                                 args[0], JSON_PATH_MAX_NODES);
        return r < 0 ? ctl_oom() : print_nodes(&nodes);
}

/* --- validate --- */

typedef struct Reporter {
        JsonSchemaReporter reporter;
        const char *name; /* of the instance; NULL: paths are the schema's, which begin with its URI */
        JsonWriter *json; /* NULL: text */
} Reporter;

static void report_text(const Reporter *reporter, const JsonSchemaError *error)
{
        const char *start = error->path + (!reporter->name && *error->path == '/');
        _cleanup_buffer_ Buffer path = BUFFER_NULL, message = BUFFER_NULL;

        (void)text_append_clean(&path, start, strlen(start), false);
        (void)text_append_clean(&message, error->message, strlen(error->message), false);
        fprintf(stderr, "%s%s%s: %s%s%s\n", reporter->name ?: "", reporter->name ? "#" : "", buffer_string(&path),
                error->keyword, *error->keyword ? ": " : "", buffer_string(&message));
}

static void report(JsonSchemaReporter *base, const JsonSchemaError *error)
{
        Reporter *reporter = (Reporter *)base;
        JsonWriter *w = reporter->json;

        if (!w) {
                report_text(reporter, error);
                return;
        }
        json_begin_object(w);
        json_key(w, "path");
        json_string_lossy(w, error->path, strlen(error->path));
        json_key(w, "keyword");
        json_string_lossy(w, error->keyword, strlen(error->keyword));
        json_key(w, "message");
        json_string_lossy(w, error->message, strlen(error->message));
        json_end_object(w);
}

/* The user is told of what can't be read. */
typedef struct Files {
        JsonFiles files;
        unsigned n_read;
} Files;

static int load_for_schema(JsonFiles *base, const char *path, JsonDoc **ret)
{
        int r = load_json(path, ret);

        container_of(base, Files, files)->n_read += r >= 0;
        return r;
}

static int compile(const char *file, JsonSchema **ret)
{
        Files files = { .files.load = load_for_schema };
        Reporter reporter = { .reporter.report = report };
        int r = json_schema_compile_file(file, &files.files, &reporter.reporter, ret);

        if (r == -ENOMEM)
                return ctl_oom();
        if (r < 0 && files.n_read == 0)
                return STATUS_USAGE; /* the file itself; what it refers to is a fault of the schema */
        return r < 0 ? ctl_error(STATUS_USAGE, "%s: unusable schema%s%s", file, r == -EBADMSG ? "" : ": ",
                                 r == -EBADMSG ? "" : strerror(-r)) : 0;
}

static int run_validate(char **args, size_t n, const Flags *flags)
{
        _cleanup_(json_schema_freep) JsonSchema *schema = NULL;
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        const char *name = n > 1 ? args[1] : NULL;
        JsonWriter w;
        Reporter reporter = { { report }, name ?: "standard input", flags->json ? &w : NULL };
        bool valid;
        int r;

        r = compile(args[0], &schema);
        if (r != 0)
                return r;
        if (load_json(name, &doc) < 0)
                return STATUS_USAGE;
        json_writer_init(&w, &text, isatty(STDOUT_FILENO) ? 2 : 0);
        json_begin_array(&w);
        r = json_schema_validate(schema, json_root(doc), &reporter.reporter, &valid);
        json_end_array(&w);
        if (r == -E2BIG)
                return ctl_error(STATUS_USAGE, "%s: to check it takes too many steps, or nests too deeply", reporter.name);
        if (r < 0 || json_writer_end(&w) < 0)
                return ctl_oom();
        if (flags->json)
                puts(buffer_string(&text));
        else if (valid && !flags->quiet)
                printf("%s: ok\n", reporter.name);
        r = ctl_flush();
        return r != 0 ? r : valid ? STATUS_OK : STATUS_FAILED;
}

/* "-" is standard input, which is NULL from here on. */
static size_t leave_out_dash(char **args, size_t n)
{
        return n == 2 && streq(args[1], "-") ? 1 : n;
}

int main(int argc, char **argv)
{
        static const struct {
                const char *name;
                int (*run)(char **args, size_t n, const Flags *flags);
        } verbs[] = { { "path", run_path }, { "validate", run_validate } };
        Flags flags = {};
        size_t n;
        int i;

        for (i = 2; i < argc && startswith(argv[i], "--"); i++) {
                if (streq(argv[i], "--")) {
                        i++;
                        break;
                }
                flags.json = flags.json || streq(argv[i], "--json");
                flags.quiet = flags.quiet || streq(argv[i], "--quiet");
        }
        n = i < argc ? (size_t)(argc - i) : 0;
        for (size_t k = 0; argc > 1 && k < ARRAY_SIZE(verbs); k++)
                if (streq(argv[1], verbs[k].name) && n >= 1 && n <= 2)
                        return verbs[k].run(argv + i, leave_out_dash(argv + i, n), &flags);
        return ctl_error(STATUS_USAGE, "takt-json is what taktctl path and taktctl validate run");
}
