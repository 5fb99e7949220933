/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json/schema-file.h"

#include "base/string-util.h"
#include "json/uri.h"

typedef struct Neighbours {
        JsonSchemaLoader loader;
        JsonFiles *files;
        const char *file; /* of the schema */
        char *id;         /* its $id up to the last "/", NULL for none */
} Neighbours;

static void neighbours_deinit(Neighbours *neighbours)
{
        free(neighbours->id);
}

/* Whether NAME, decoded, stays below the directory that it is looked up in. */
static bool is_below(const char *name)
{
        if (*name == '/' || *name == '\0')
                return false;
        while (*name) {
                size_t n = strcspn(name, "/");

                if (n == 2 && strncmp(name, "..", n) == 0)
                        return false;
                name += n;
                name += strspn(name, "/");
        }
        return true;
}

static int load_neighbour(JsonSchemaLoader *loader, const char *uri, JsonDoc **ret)
{
        Neighbours *neighbours = (Neighbours *)loader;
        const char *slash = strrchr(neighbours->file, '/');
        _cleanup_buffer_ Buffer path = BUFFER_NULL;
        size_t directory = slash ? (size_t)(slash + 1 - neighbours->file) : 0;
        int r;

        if (neighbours->id && startswith(uri, neighbours->id))
                uri += strlen(neighbours->id);
        else if (*uri++ != '/')
                return -ENOENT;
        r = buffer_append(&path, neighbours->file, directory);
        if (r == 0)
                r = uri_percent_decode(uri, strlen(uri), &path);
        if (r == -ENOMEM)
                return r;
        if (r < 0 || strlen(buffer_string(&path)) != path.len || !is_below(path.data + directory))
                return -ENOENT;
        return neighbours->files->load(neighbours->files, path.data, ret);
}

static int take_id(Neighbours *neighbours, const JsonValue *schema)
{
        const char *id = json_string_or_null(json_get(schema, "$id"));
        const char *slash = id ? strrchr(id, '/') : NULL;

        if (!slash || !strstr(id, "://") || slash - strstr(id, "://") <= 2)
                return 0;
        neighbours->id = strndup(id, (size_t)(slash + 1 - id));
        return neighbours->id ? 0 : -ENOMEM;
}

int json_schema_compile_file(const char *path, JsonFiles *files, JsonSchemaReporter *reporter, JsonSchema **ret)
{
        _cleanup_(neighbours_deinit) Neighbours neighbours = { .loader.load = load_neighbour, .files = files, .file = path };
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *uri = xasprintf("/%s", slash ? slash + 1 : path);
        JsonDoc *doc;
        int r;

        if (!uri)
                return -ENOMEM;
        r = files->load(files, path, &doc);
        if (r < 0)
                return r;
        r = take_id(&neighbours, json_root(doc));
        if (r < 0) {
                json_doc_free(doc);
                return r;
        }
        return json_schema_compile(doc, uri, &neighbours.loader, reporter, ret);
}
