/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compiling goes in two steps. When a document comes in, all its subschemas are entered in an index
 * by the address of their values, each with the resource that it lies in, and $id and the anchors
 * are noted. Then what can be reached from the root is compiled from a list of pending schemas, on
 * which a keyword puts the schemas that it names: a schema that refers to itself is no special case.
 */
#include "json/schema.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/string-util.h"
#include "json/schema-internal.h"
#include "json/uri.h"

#define INDEX_MAX_DEPTH 512U
#define TABLE_MIN_SIZE 64U

static int index_schema(Compiler *c, const JsonValue *value, Resource *resource, unsigned depth, Schema **ret);

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

/* --- the index --- */

static size_t table_slot(Schema *const *table, size_t size, const JsonValue *value)
{
        size_t i = ((uintptr_t)value >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 20 & (size - 1);

        while (table[i] && table[i]->value != value)
                i = (i + 1) & (size - 1);
        return i;
}

static Schema *index_find(const Compiler *c, const JsonValue *value)
{
        return c->table ? c->table[table_slot(c->table, c->table_size, value)] : NULL;
}

static int index_add(Compiler *c, Schema *s)
{
        if (c->n_schemas >= JSON_SCHEMA_MAX_SCHEMAS)
                return -E2BIG;
        if (2 * c->n_schemas >= c->table_size) {
                size_t size = MAX(2 * c->table_size, (size_t)TABLE_MIN_SIZE);
                Schema **table = new0(Schema *, size);

                if (!table)
                        return -ENOMEM;
                for (size_t i = 0; i < c->table_size; i++)
                        if (c->table[i])
                                table[table_slot(table, size, c->table[i]->value)] = c->table[i];
                free(c->table);
                c->table = table;
                c->table_size = size;
        }
        c->table[table_slot(c->table, c->table_size, s->value)] = s;
        c->n_schemas++;
        return 0;
}

static void pend(Compiler *c, Schema *s)
{
        if (s->pending)
                return;
        s->pending = true;
        s->next_pending = c->pending;
        c->pending = s;
        if (s->resource->used)
                return;
        /* Once it can be entered, a $dynamicRef anywhere may lead into it. */
        s->resource->used = true;
        for (const Anchor *a = s->resource->anchors; a; a = a->next)
                if (a->dynamic)
                        pend(c, a->schema);
}

Schema *compiler_use(Compiler *c, const JsonValue *value)
{
        Schema *s = index_find(c, value);

        if (s)
                pend(c, s);
        return s;
}

static Resource *find_resource(const Compiler *c, const char *uri)
{
        for (ResourceName *name = c->schema->names; name; name = name->next)
                if (streq(name->uri, uri))
                        return name->resource;
        return NULL;
}

static int add_name(Compiler *c, Resource *resource, const char *uri)
{
        ResourceName *name;

        if (find_resource(c, uri))
                return 0;
        name = arena_calloc(&c->schema->arena, 1, sizeof(*name));
        if (!name)
                return -ENOMEM;
        name->uri = uri;
        name->resource = resource;
        name->next = c->schema->names;
        c->schema->names = name;
        return 0;
}

/* A new resource if the schema says so with $id, else RESOURCE. */
static int enter_resource(Compiler *c, const JsonValue *value, Resource *resource, Resource **ret)
{
        const char *id = json_string_or_null(json_get(value, "$id"));
        _cleanup_buffer_ Buffer uri = BUFFER_NULL;
        Resource *own;
        int r;

        *ret = resource;
        if (!id || id[0] == '#')
                return 0;
        r = uri_resolve(resource->uri, id, strlen(id), &uri);
        if (r < 0)
                return r;
        own = value == resource->root ? resource : arena_calloc(&c->schema->arena, 1, sizeof(*own));
        if (!own)
                return -ENOMEM;
        own->root = value;
        own->vocabularies = resource->vocabularies;
        own->uri = arena_strndup(&c->schema->arena, buffer_string(&uri), uri.len);
        if (!own->uri)
                return -ENOMEM;
        *ret = own;
        return add_name(c, own, own->uri);
}

static int add_anchor(Compiler *c, Schema *s, const char *keyword, bool dynamic)
{
        const JsonValue *value = json_get(s->value, keyword);
        Anchor *anchor;

        if (!value)
                return 0;
        if (!json_string_or_null(value))
                return compiler_fail(c, s, keyword, "must be a string");
        anchor = arena_calloc(&c->schema->arena, 1, sizeof(*anchor));
        if (!anchor)
                return -ENOMEM;
        anchor->name = value->string;
        anchor->name_len = value->n;
        anchor->dynamic = dynamic;
        anchor->schema = s;
        anchor->next = s->resource->anchors;
        s->resource->anchors = anchor;
        if (dynamic && s->resource->used)
                pend(c, s);
        return 0;
}

static int index_inside(Compiler *c, const JsonValue *value, Shape shape, Schema *s, unsigned depth)
{
        bool map = shape == SHAPE_DEFINITIONS || shape == SHAPE_PATTERN_MAP || shape == SHAPE_SCHEMA_MAP;
        bool object = map && value->type == JSON_OBJECT;
        Schema *ignored;
        int r = 0;

        if (shape == SHAPE_SCHEMA)
                return index_schema(c, value, s->resource, depth + 1, &ignored);
        if (!object && (shape != SHAPE_SCHEMAS || value->type != JSON_ARRAY))
                return 0;
        for (uint32_t i = 0; i < value->n && r >= 0; i++)
                r = index_schema(c, object ? &value->members[i].value : &value->items[i], s->resource, depth + 1, &ignored);
        return r;
}

/* What is no schema is entered as well, and found to be wrong if it is ever used. */
static int index_schema(Compiler *c, const JsonValue *value, Resource *resource, unsigned depth, Schema **ret)
{
        Schema *s = index_find(c, value);
        int r;

        *ret = s;
        if (s)
                return 0;
        if (depth > INDEX_MAX_DEPTH)
                return -E2BIG;
        r = enter_resource(c, value, resource, &resource);
        if (r < 0)
                return r;
        s = *ret = arena_calloc(&c->schema->arena, 1, sizeof(*s));
        if (!s)
                return -ENOMEM;
        s->value = value;
        s->resource = resource;
        r = index_add(c, s);
        if (r >= 0)
                r = add_anchor(c, s, "$anchor", false);
        if (r >= 0)
                r = add_anchor(c, s, "$dynamicAnchor", true);
        for (size_t i = 0; i < n_keyword_types && r >= 0 && value->type == JSON_OBJECT; i++) {
                const JsonValue *inside = json_get(value, keyword_types[i].name);

                if (inside)
                        r = index_inside(c, inside, keyword_types[i].shape, s, depth);
        }
        return r;
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
        r = add_name(c, resource, resource->uri);
        if (r < 0)
                return r;
        r = read_vocabularies(c, &root, resource);
        if (r < 0)
                return r;
        *ret = resource;
        return index_schema(c, resource->root, resource, 0, ret_schema);
}

/* -ENOENT where there is none. */
static int load_resource(Compiler *c, const char *uri, Resource **ret)
{
        JsonDoc *doc = NULL;
        Schema *ignored;
        int r = -ENOENT;

        *ret = find_resource(c, uri);
        if (*ret)
                return 0;
        if (streq(uri, METASCHEMA_URI))
                r = json_parse(metaschema_text, strlen(metaschema_text), NULL, &doc, NULL);
        else if (c->loader)
                r = c->loader->load(c->loader, uri, &doc);
        return r < 0 ? r : add_document(c, doc, uri, ret, &ignored);
}

/* --- references --- */

const Anchor *resource_anchor(const Resource *resource, const char *name, size_t name_len)
{
        const Anchor *found = NULL;

        /* Where one name is both, it stands for the same schema, but only the dynamic one may be overridden. */
        for (const Anchor *a = resource->anchors; a; a = a->next)
                if (a->name_len == name_len && memcmp(a->name, name, name_len) == 0 && (!found || a->dynamic))
                        found = a;
        return found;
}

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
                s = index_find(c, value);
                if (s)
                        resource = s->resource;
        }
        if (value->type != JSON_OBJECT && value->type != JSON_BOOL)
                return 0;
        /* It may lie where no keyword expects a schema. */
        r = index_schema(c, value, resource, 0, ret);
        return r < 0 ? r : 1;
}

static int follow_fragment(Compiler *c, Resource *resource, Buffer *fragment, Schema **ret, const Anchor **ret_anchor)
{
        const Anchor *anchor;

        if (fragment->len == 0) {
                *ret = index_find(c, resource->root);
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
        pend(c, *ret);
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
                pend(&c, schema->root);
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
