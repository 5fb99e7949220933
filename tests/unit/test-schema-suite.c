/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The required cases of the JSON Schema test suite, and the documents of a real API under its own schema. */
#include "test.h"

#include <fcntl.h>

#include "json/schema.h"
#include "json/writer.h"
#include "test-data.h"

/* What we know to be unlike the suite: "file: description of the schema: description of the case". */
static const char *const expected_failures[] = {
        NULL,
};

typedef struct DirectoryLoader {
        JsonSchemaLoader loader;
        const char *prefix; /* of URIs that are files … */
        const char *dir;    /* … in here */
} DirectoryLoader;

static JsonDoc *read_document(const char *dir, const char *name)
{
        _cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        JsonDoc *doc = NULL;
        JsonError error;

        if (!path || read_file_at(AT_FDCWD, path, TEST_DATA_MAX, &text) < 0)
                return NULL;
        if (json_parse(text.data, text.len, NULL, &doc, &error) < 0)
                printf("%s:%u:%u: %s\n", path, error.line, error.column, error.message);
        return doc;
}

static int load(JsonSchemaLoader *base, const char *uri, JsonDoc **ret)
{
        DirectoryLoader *loader = container_of(base, DirectoryLoader, loader);
        const char *name = startswith(uri, loader->prefix);
        JsonDoc *doc = name ? read_document(loader->dir, name) : NULL;

        if (!doc)
                return -ENOENT;
        *ret = doc;
        return 0;
}

typedef struct Printer {
        JsonSchemaReporter reporter;
        unsigned n;
} Printer;

static void print_fault(JsonSchemaReporter *reporter, const JsonSchemaError *error)
{
        container_of(reporter, Printer, reporter)->n++;
        printf("  %s: %s: %s\n", error->path, error->keyword, error->message);
}

/* --- the suite --- */

typedef struct Tally {
        unsigned passed, failed, expected;
} Tally;

static void count(Tally *tally, bool passed, const char *file, const char *schema, const char *test)
{
        _cleanup_free_ char *name = xasprintf("%s: %s: %s", file, schema, test);

        for (size_t i = 0; expected_failures[i]; i++)
                if (streq(expected_failures[i], name)) {
                        tally->expected++;
                        if (passed)
                                printf("passes, although it is not expected to: %s\n", name);
                        return;
                }
        if (passed)
                tally->passed++;
        else
                tally->failed++;
        if (!passed)
                printf("failed: %s\n", name);
}

/* Each schema is a part of a document, but compile takes a whole one. */
static JsonDoc *copy(const JsonValue *value)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        JsonDoc *doc = NULL;

        if (json_format(value, 0, &text) < 0)
                return NULL;
        return json_parse(text.data, text.len, NULL, &doc, NULL) < 0 ? NULL : doc;
}

static void run_group(DirectoryLoader *loader, const char *file, const JsonValue *group, Tally *tally)
{
        const JsonValue *tests = json_get(group, "tests");
        _cleanup_(json_schema_freep) JsonSchema *schema = NULL;
        Printer printer = { .reporter.report = print_fault };
        JsonDoc *doc = copy(json_get(group, "schema"));
        int r;

        r = doc ? json_schema_compile(doc, "", &loader->loader, &printer.reporter, &schema) : -ENOMEM;
        for (uint32_t i = 0; i < tests->n; i++) {
                const JsonValue *test = &tests->items[i];
                bool valid = false, passed;

                passed = r >= 0 && json_schema_validate(schema, json_get(test, "data"), NULL, &valid) == 0 &&
                         valid == json_get(test, "valid")->boolean;
                count(tally, passed, file, json_get(group, "description")->string, json_get(test, "description")->string);
        }
}

static int run_suite(const char *dir)
{
        _cleanup_free_ char *tests = xasprintf("%s/tests/draft2020-12", dir), *remotes = xasprintf("%s/remotes", dir);
        DirectoryLoader loader = { .loader.load = load, .prefix = "http://localhost:1234/", .dir = remotes };
        _cleanup_(closedirp) DIR *files = opendir(tests);
        struct dirent *entry;
        Tally tally = {};

        while (files && (entry = readdir(files))) {
                _cleanup_(json_doc_freep) JsonDoc *doc = NULL;

                if (!strstr(entry->d_name, ".json"))
                        continue;
                doc = read_document(tests, entry->d_name);
                if (!doc)
                        return -EIO;
                for (uint32_t i = 0; i < json_root(doc)->n; i++)
                        run_group(&loader, entry->d_name, &json_root(doc)->items[i], &tally);
        }
        printf("JSON Schema test suite, draft 2020-12: %u of %u required cases pass, %u are expected to fail\n",
               tally.passed, tally.passed + tally.failed + tally.expected, tally.expected);
        return tally.failed == 0 && tally.passed > 0 ? 0 : -EIO;
}

/* --- documents of an API --- */

static int run_documents(const char *dir)
{
        DirectoryLoader loader = { .loader.load = load, .prefix = "https://pokeapi.co/", .dir = dir };
        _cleanup_(json_schema_freep) JsonSchema *schema = NULL;
        Printer printer = { .reporter.report = print_fault };
        JsonDoc *doc = NULL;
        unsigned n = 0, n_valid = 0;
        int r;

        r = load(&loader.loader, "https://pokeapi.co/pokeapi/schema/v2/pokemon/pokemon.json", &doc);
        loader.prefix = "https://pokeapi.co/schema/";
        loader.dir = dir;
        if (r >= 0) {
                _cleanup_free_ char *schemas = xasprintf("%s/pokeapi/schema", dir);

                loader.dir = schemas;
                r = json_schema_compile(doc, "https://pokeapi.co/schema/v2/pokemon/pokemon.json", &loader.loader,
                                        &printer.reporter, &schema);
        }
        if (r < 0)
                return r;
        for (;; n++) {
                _cleanup_free_ char *name = xasprintf("pokeapi/api/v2/pokemon/%u/index.json", n + 1);
                _cleanup_(json_doc_freep) JsonDoc *document = read_document(dir, name);
                bool valid;

                if (!document)
                        break;
                r = json_schema_validate(schema, json_root(document), &printer.reporter, &valid);
                if (r < 0)
                        return r;
                n_valid += valid;
        }
        printf("PokeAPI: %u of %u documents are valid\n", n_valid, n);
        return n > 0 && n_valid == n ? 0 : -EIO;
}

/* -ENOENT: there is no such archive here. */
static int run_archive(const char *archive, int (*run)(const char *dir))
{
        char dir[] = "/tmp/test-schema-suite.XXXXXX";
        _cleanup_free_ char *file = test_data_find(archive), *unpack = NULL, *discard = NULL;
        int r;

        if (!file)
                return -ENOENT;
        if (!mkdtemp(dir))
                return negative_errno();
        unpack = xasprintf("tar -xJf '%s' -C %s", file, dir);
        discard = xasprintf("rm -r %s", dir);
        if (!unpack || !discard)
                return -ENOMEM;
        r = system(unpack) == 0 ? run(dir) : -EIO;
        return system(discard) == 0 ? r : -EIO;
}

int main(void)
{
        int suite = run_archive("json-schema-test-suite-2020-12.tar.xz", run_suite);
        int documents = run_archive("pokeapi.tar.xz", run_documents);

        if ((suite < 0 && suite != -ENOENT) || (documents < 0 && documents != -ENOENT))
                return EXIT_FAILURE;
        return suite == -ENOENT && documents == -ENOENT ? TEST_SKIPPED : EXIT_SUCCESS;
}
