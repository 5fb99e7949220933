/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compiling goes in two steps. When a document comes in, all its subschemas are entered in an index
 * (schema-index.c). Then what can be reached from the root is compiled from a list of pending schemas, on
 * which a keyword puts the schemas that it names: a schema that refers to itself is no special case.
 */
#include "json/schema.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/string-util.h"
#include "json/schema-internal.h"
#include "json/uri.h"

/* --- errors --- */

static int append_pointer(const JsonValue *from, const JsonValue *to, Buffer *out)
{
        size_t before = out->len;
        bool object = from->type == JSON_OBJECT;
        int r = 0;

        if (from == to)
                return 1;
        if (!object && from->type != JSON_ARRAY)
                return 0;
        for (uint32_t i = 0; i < from->n; i++) {
                if (object)
                        r = pointer_append(out, from->members[i].key, from->members[i].key_len);
                else
                        r = buffer_appendf(out, "/%u", i);
                if (r >= 0)
                        r = append_pointer(object ? &from->members[i].value : &from->items[i], to, out);
                if (r != 0)
                        return r;
                out->len = before;
                out->data[before] = '\0';
        }
        return 0;
}

int compiler_fail(Compiler *c, const Schema *s, const char *keyword, const char *format, ...)
{
        _cleanup_buffer_ Buffer path = BUFFER_NULL;
        _cleanup_free_ char *message = NULL;
        va_list ap;
        int r;

        if (!c->reporter)
                return -EBADMSG;
        va_start(ap, format);
        r = vasprintf(&message, format, ap);
        va_end(ap);
        if (r < 0) {
                message = NULL;
                return -ENOMEM;
        }
        /* The way to it is looked for only now: few schemas are ever at fault. */
        r = buffer_appendf(&path, "%s#", s->resource->uri);
        if (r >= 0)
                r = append_pointer(s->resource->root, s->value, &path);
        if (r < 0)
                return r;
        c->reporter->report(c->reporter, &(JsonSchemaError){
                .path = buffer_string(&path), .keyword = keyword, .message = message,
        });
        return -EBADMSG;
}

/* --- documents --- */

static int load_resource(Compiler *c, const char *uri, Resource **ret);

/* Which keywords mean anything says the metaschema that $schema names, if it is at hand. */
static int read_vocabularies(Compiler *c, const Schema *s, Resource *resource)
{
        static const struct {
                const char *name;
                unsigned bit;
        } vocabularies[] = {
                { "core", VOCABULARY_CORE },
                { "applicator", VOCABULARY_APPLICATOR },
                { "unevaluated", VOCABULARY_UNEVALUATED },
                { "validation", VOCABULARY_VALIDATION },
                { "meta-data", VOCABULARY_OTHER },
                { "format-annotation", VOCABULARY_OTHER },
                { "format-assertion", VOCABULARY_OTHER },
                { "content", VOCABULARY_OTHER },
        };
        const char *uri = json_string_or_null(json_get(resource->root, "$schema"));
        const JsonValue *list;
        Resource *metaschema;
        int r;

        if (!uri || streq(uri, METASCHEMA_URI))
                return 0;
        r = load_resource(c, uri, &metaschema);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        list = json_get(metaschema->root, "$vocabulary");
        if (!json_is(list, JSON_OBJECT))
                return 0;
        resource->vocabularies = VOCABULARY_CORE;
        for (uint32_t i = 0; i < list->n; i++) {
                const char *name = startswith(list->members[i].key, "https://json-schema.org/draft/2020-12/vocab/");
                unsigned bit = 0;

                for (size_t k = 0; name && k < ARRAY_SIZE(vocabularies); k++)
                        if (streq(name, vocabularies[k].name))
                                bit = vocabularies[k].bit;
                if (bit == 0 && json_is(&list->members[i].value, JSON_BOOL) && list->members[i].value.boolean)
                        return compiler_fail(c, s, "$schema", "needs the vocabulary %s, which is not known here",
                                             list->members[i].key);
                resource->vocabularies |= bit;
        }
        return 0;
}

/* Takes DOC over. */
static int add_document(Compiler *c, JsonDoc *doc, const char *uri, Resource **ret, Schema **ret_schema)
{
        struct SchemaOwnedDoc *owned = arena_calloc(&c->schema->arena, 1, sizeof(*owned));
        Resource *resource = arena_calloc(&c->schema->arena, 1, sizeof(*resource));
        Schema root = { .resource = resource };
        int r;

        if (!owned || !resource || c->n_documents >= JSON_SCHEMA_MAX_DOCUMENTS) {
                json_doc_free(doc);
                return owned && resource ? -E2BIG : -ENOMEM;
        }
        c->n_documents++;
        owned->doc = doc;
        owned->next = c->schema->docs;
        c->schema->docs = owned;

        resource->root = root.value = json_root(doc);
        resource->vocabularies = VOCABULARY_ALL;
        resource->uri = arena_strndup(&c->schema->arena, uri, strcspn(uri, "#"));
        if (!resource->uri)
                return -ENOMEM;
        r = compiler_add_name(c, resource, resource->uri);
        if (r < 0)
                return r;
        r = read_vocabularies(c, &root, resource);
        if (r < 0)
                return r;
        *ret = resource;
        return compiler_index(c, resource->root, resource, ret_schema);
}

/* -ENOENT where there is none. */
static int load_resource(Compiler *c, const char *uri, Resource **ret)
{
        JsonDoc *doc = NULL;
        Schema *ignored;
        int r = -ENOENT;

        *ret = compiler_find_resource(c, uri);
        if (*ret)
                return 0;
        if (streq(uri, METASCHEMA_URI))
                r = json_parse(metaschema_text, strlen(metaschema_text), NULL, &doc, NULL);
        else if (c->loader)
                r = c->loader->load(c->loader, uri, &doc);
        return r < 0 ? r : add_document(c, doc, uri, ret, &ignored);
}

/* --- references --- */

static const JsonValue *pointer_step(const JsonValue *value, char *token)
{
        char *out = token;
        uint64_t index;

        for (const char *p = token; *p; p++) {
                if (*p == '~' && (p[1] == '0' || p[1] == '1'))
                        *out++ = *++p == '0' ? '~' : '/';
                else
                        *out++ = *p;
        }
        *out = '\0';
        if (value->type == JSON_OBJECT)
                return json_get(value, token);
        if (value->type == JSON_ARRAY && parse_uint64(token, &index) == 0 && index < value->n)
                return &value->items[index];
        return NULL;
}

/* POINTER begins with "/" and is written to. 1: found, 0: there is nothing. */
static int follow_pointer(Compiler *c, Resource *resource, char *pointer, Schema **ret)
{
        const JsonValue *value = resource->root;
        char *rest = pointer + 1, *token;
        int r;

        while ((token = strsep(&rest, "/"))) {
                Schema *s;

                value = pointer_step(value, token);
                if (!value)
                        return 0;
                /* Further down, another $id may have begun. */
                s = compiler_find(c, value);
                if (s)
                        resource = s->resource;
        }
        if (value->type != JSON_OBJECT && value->type != JSON_BOOL)
                return 0;
        /* It may lie where no keyword expects a schema. */
        r = compiler_index(c, value, resource, ret);
        return r < 0 ? r : 1;
}

static int follow_fragment(Compiler *c, Resource *resource, Buffer *fragment, Schema **ret, const Anchor **ret_anchor)
{
        const Anchor *anchor;

        if (fragment->len == 0) {
                *ret = compiler_find(c, resource->root);
                return 1;
        }
        if (fragment->data[0] == '/')
                return follow_pointer(c, resource, fragment->data, ret);
        anchor = resource_anchor(resource, fragment->data, fragment->len);
        if (!anchor)
                return 0;
        *ret = anchor->schema;
        *ret_anchor = anchor;
        return 1;
}

int compiler_resolve(Compiler *c, const Schema *s, const Keyword *k, Schema **ret, const Anchor **ret_anchor)
{
        const char *reference = k->value->string, *fragment = uri_fragment(reference, k->value->n);
        const char *name = k->type->name;
        _cleanup_buffer_ Buffer uri = BUFFER_NULL, decoded = BUFFER_NULL;
        Resource *resource;
        int r;

        r = uri_resolve(s->resource->uri, reference, k->value->n, &uri);
        if (r >= 0 && fragment)
                r = uri_percent_decode(fragment, strlen(fragment), &decoded);
        if (r == -EINVAL)
                return compiler_fail(c, s, name, "has a %% that no two hexadecimal digits follow");
        if (r < 0)
                return r;
        r = load_resource(c, buffer_string(&uri), &resource);
        if (r == -ENOENT)
                return compiler_fail(c, s, name, "leads to %s, which is not at hand", buffer_string(&uri));
        if (r < 0)
                return r;
        *ret_anchor = NULL;
        r = follow_fragment(c, resource, &decoded, ret, ret_anchor);
        if (r == 0)
                return compiler_fail(c, s, name, "leads to nothing in %s: %s",
                                     resource->uri[0] ? resource->uri : "this document", reference);
        if (r < 0)
                return r;
        compiler_pend(c, *ret);
        return 0;
}

/* --- the whole --- */

int compiler_regex(Compiler *c, const Schema *s, const char *keyword, const char *pattern, size_t n, const Regex **ret)
{
        struct SchemaOwnedRegex *owned = arena_calloc(&c->schema->arena, 1, sizeof(*owned));
        int r;

        if (!owned)
                return -ENOMEM;
        r = regex_compile(REGEX_ECMA, pattern, n, false, &owned->regex);
        if (r == -EINVAL)
                return compiler_fail(c, s, keyword, "is no regular expression: %s", pattern);
        if (r < 0)
                return r;
        owned->next = c->schema->regexes;
        c->schema->regexes = owned;
        *ret = owned->regex;
        return 0;
}

static int compile_pending(Compiler *c)
{
        int r = 0;

        while (c->pending && r >= 0) {
                Schema *s = c->pending;

                c->pending = s->next_pending;
                r = schema_compile_keywords(c, s);
        }
        return r;
}

int json_schema_compile(JsonDoc *doc, const char *uri, JsonSchemaLoader *loader, JsonSchemaReporter *reporter,
                        JsonSchema **ret)
{
        _cleanup_(json_schema_freep) JsonSchema *schema = new0(JsonSchema, 1);
        Compiler c = { .schema = schema, .loader = loader, .reporter = reporter };
        Resource *resource;
        int r;

        if (!schema) {
                json_doc_free(doc);
                return -ENOMEM;
        }
        r = add_document(&c, doc, uri, &resource, &schema->root);
        if (r >= 0) {
                compiler_pend(&c, schema->root);
                r = compile_pending(&c);
        }
        free(c.table);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(schema);
        return 0;
}

JsonSchema *json_schema_free(JsonSchema *schema)
{
        if (!schema)
                return NULL;
        for (struct SchemaOwnedRegex *owned = schema->regexes; owned; owned = owned->next)
                regex_free(owned->regex);
        for (struct SchemaOwnedDoc *owned = schema->docs; owned; owned = owned->next)
                json_doc_free(owned->doc);
        arena_deinit(&schema->arena);
        free(schema);
        return NULL;
}
