/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The index: all subschemas of the documents by the address of their values, each with the resource
 * that it lies in; resources by their URIs, and anchors in them.
 */
#include "json/schema-internal.h"

#include "base/string-util.h"
#include "json/uri.h"

#define INDEX_MAX_DEPTH 512U
#define TABLE_MIN_SIZE 64U

static int index_schema(Compiler *c, const JsonValue *value, Resource *resource, unsigned depth, Schema **ret);

static size_t table_slot(Schema *const *table, size_t size, const JsonValue *value)
{
        size_t i = ((uintptr_t)value >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 20 & (size - 1);

        while (table[i] && table[i]->value != value)
                i = (i + 1) & (size - 1);
        return i;
}

Schema *compiler_find(const Compiler *c, const JsonValue *value)
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

void compiler_pend(Compiler *c, Schema *s)
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
                        compiler_pend(c, a->schema);
}

Schema *compiler_use(Compiler *c, const JsonValue *value)
{
        Schema *s = compiler_find(c, value);

        if (s)
                compiler_pend(c, s);
        return s;
}

Resource *compiler_find_resource(const Compiler *c, const char *uri)
{
        for (ResourceName *name = c->schema->names; name; name = name->next)
                if (streq(name->uri, uri))
                        return name->resource;
        return NULL;
}

int compiler_add_name(Compiler *c, Resource *resource, const char *uri)
{
        ResourceName *name;

        if (compiler_find_resource(c, uri))
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
        return compiler_add_name(c, own, own->uri);
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
                compiler_pend(c, s);
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
        Schema *s = compiler_find(c, value);
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

int compiler_index(Compiler *c, const JsonValue *value, Resource *resource, Schema **ret)
{
        return index_schema(c, value, resource, 0, ret);
}

const Anchor *resource_anchor(const Resource *resource, const char *name, size_t name_len)
{
        const Anchor *found = NULL;

        /* Where one name is both, it stands for the same schema, but only the dynamic one may be overridden. */
        for (const Anchor *a = resource->anchors; a; a = a->next)
                if (a->name_len == name_len && memcmp(a->name, name, name_len) == 0 && (!found || a->dynamic))
                        found = a;
        return found;
}
