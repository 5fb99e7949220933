/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A schema is applied to an instance by checking its keywords one by one. `unevaluatedItems` and
 * `unevaluatedProperties` ask what the other keywords have looked at, down through all schemas
 * that were applied to the same instance and satisfied: only below a schema that has one of them
 * is this kept, as a set of bits for each schema and instance, merged upwards on success.
 */
#include "json/schema-check.h"

#include <stdarg.h>
#include <stdio.h>

static int apply(Frame *f, const Keyword *via, const Schema *s, const JsonValue *instance);

/* --- errors --- */

int pointer_append(Buffer *out, const char *key, size_t n)
{
        int r;

        r = buffer_append_char(out, '/');
        for (size_t i = 0; i < n && r >= 0; i++) {
                if (key[i] == '~')
                        r = buffer_append_string(out, "~0");
                else if (key[i] == '/')
                        r = buffer_append_string(out, "~1");
                else
                        r = buffer_append_char(out, key[i]);
        }
        return r;
}

static int append_location(Buffer *out, const Location *location)
{
        int r;

        if (!location)
                return 0;
        r = append_location(out, location->parent);
        if (r < 0)
                return r;
        if (location->member)
                return pointer_append(out, location->member->key, location->member->key_len);
        return buffer_appendf(out, "/%u", location->index);
}

bool frame_wants_all(const Frame *f)
{
        return f->v->reporter && f->v->quiet == 0 && f->v->n_errors < JSON_SCHEMA_MAX_ERRORS;
}

int frame_fail(Frame *f, const Keyword *k, const char *format, ...)
{
        _cleanup_buffer_ Buffer path = BUFFER_NULL, message = BUFFER_NULL;
        va_list ap;
        int r;

        if (!frame_wants_all(f))
                return 0;
        r = append_location(&path, f->location);
        if (r < 0)
                return r;
        va_start(ap, format);
        r = buffer_appendv(&message, format, ap);
        va_end(ap);
        if (r < 0)
                return r;
        f->v->n_errors++;
        f->v->reporter->report(f->v->reporter, &(JsonSchemaError){
                .path = buffer_string(&path), .keyword = k ? k->type->name : "", .message = message.data,
        });
        return 0;
}

/* --- what was evaluated --- */

static int evaluated_init(Evaluated *e, const JsonValue *instance)
{
        size_t words = ((size_t)instance->n + 63) / 64;

        e->n = instance->n;
        e->bits = e->inline_bits;
        if (words <= ARRAY_SIZE(e->inline_bits))
                return 0;
        e->bits = new0(uint64_t, words);
        return e->bits ? 0 : -ENOMEM;
}

static void evaluated_deinit(Evaluated *e)
{
        if (e->bits != e->inline_bits)
                free(e->bits);
}

static void evaluated_merge(Evaluated *to, const Evaluated *from)
{
        for (size_t i = 0; i < ((size_t)from->n + 63) / 64; i++)
                to->bits[i] |= from->bits[i];
}

void frame_evaluated(Frame *f, uint32_t i)
{
        if (f->evaluated)
                f->evaluated->bits[i / 64] |= UINT64_C(1) << i % 64;
}

bool frame_is_evaluated(const Frame *f, uint32_t i)
{
        return f->evaluated->bits[i / 64] >> i % 64 & 1;
}

/* --- applying a schema --- */

static int check_keywords(Frame *f, const Schema *s, const JsonValue *instance)
{
        int valid = 1;

        for (const Keyword *k = s->keywords; k; k = k->next) {
                int r;

                if (!k->type->check || !(k->type->applies_to & APPLIES_TO(instance->type)))
                        continue;
                /* What failed has evaluated nothing: all would be complained about. */
                if (!valid && k->type->vocabulary == VOCABULARY_UNEVALUATED)
                        break;
                r = k->type->check(f, k, instance);
                if (r < 0)
                        return r;
                valid &= r;
                if (!valid && !frame_wants_all(f))
                        break;
        }
        return valid;
}

/* FROM is the frame of the keyword that applies S. */
static int check_tracked(Frame *f, const Frame *from, const Schema *s, const JsonValue *instance)
{
        _cleanup_(evaluated_deinit) Evaluated evaluated = {};
        int r;

        r = evaluated_init(&evaluated, instance);
        if (r < 0)
                return r;
        f->evaluated = &evaluated;
        r = check_keywords(f, s, instance);
        if (r > 0 && from->evaluated)
                evaluated_merge(from->evaluated, &evaluated);
        return r;
}

static int apply_object(const Frame *from, const Schema *s, const JsonValue *instance)
{
        const Scope scope = { .parent = from->scope, .resource = s->resource };
        bool container = instance->type == JSON_ARRAY || instance->type == JSON_OBJECT;
        bool same = from->scope && from->scope->resource == s->resource;
        Frame f = { .v = from->v, .scope = same ? from->scope : &scope, .location = from->location };

        if (container && (from->evaluated || s->has_unevaluated))
                return check_tracked(&f, from, s, instance);
        return check_keywords(&f, s, instance);
}

static int apply(Frame *f, const Keyword *via, const Schema *s, const JsonValue *instance)
{
        Validator *v = f->v;
        int r;

        if (v->budget == 0 || v->depth >= JSON_SCHEMA_MAX_DEPTH)
                return -E2BIG;
        v->budget--;
        if (s->value->type == JSON_BOOL)
                return s->value->boolean ? 1 : frame_fail(f, via, "is not allowed here");
        v->depth++;
        r = apply_object(f, s, instance);
        v->depth--;
        return r;
}

int frame_apply(Frame *f, const Keyword *k, const Schema *schema, const JsonValue *instance)
{
        return apply(f, k, schema, instance);
}

int frame_apply_item(Frame *f, const Keyword *k, const Schema *schema, const JsonValue *array, uint32_t i)
{
        const Location location = { .parent = f->location, .index = i };
        Frame at = { .v = f->v, .scope = f->scope, .location = &location };

        return apply(&at, k, schema, &array->items[i]);
}

int frame_apply_member(Frame *f, const Keyword *k, const Schema *schema, const JsonValue *object, uint32_t i)
{
        const Location location = { .parent = f->location, .member = &object->members[i] };
        Frame at = { .v = f->v, .scope = f->scope, .location = &location };

        return apply(&at, k, schema, &object->members[i].value);
}

int frame_try(Frame *f, const Keyword *k, const Schema *schema, const JsonValue *instance)
{
        int r;

        f->v->quiet++;
        r = apply(f, k, schema, instance);
        f->v->quiet--;
        return r;
}

int frame_try_item(Frame *f, const Keyword *k, const Schema *schema, const JsonValue *array, uint32_t i)
{
        int r;

        f->v->quiet++;
        r = frame_apply_item(f, k, schema, array, i);
        f->v->quiet--;
        return r;
}

int json_schema_validate_within(const JsonSchema *schema, const JsonValue *instance, unsigned steps,
                                JsonSchemaReporter *reporter, bool *ret_valid)
{
        Validator v = { .reporter = reporter, .budget = MIN(steps, JSON_SCHEMA_MAX_STEPS) };
        Frame f = { .v = &v };
        int r;

        r = apply(&f, NULL, schema->root, instance);
        if (r < 0)
                return r;
        *ret_valid = r;
        return 0;
}

int json_schema_validate(const JsonSchema *schema, const JsonValue *instance, JsonSchemaReporter *reporter,
                         bool *ret_valid)
{
        return json_schema_validate_within(schema, instance, JSON_SCHEMA_MAX_STEPS, reporter, ret_valid);
}
