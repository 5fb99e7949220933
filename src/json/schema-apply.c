/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keywords that apply other schemas, to the instance itself or to what it contains. */
#include "json/schema-check.h"

/* --- to the instance itself --- */

int check_ref(Frame *f, const Keyword *k, const JsonValue *instance)
{
        return frame_apply(f, k, k->schema, instance);
}

/* The outermost of the resources that have been entered and know the anchor decides. */
int check_dynamic_ref(Frame *f, const Keyword *k, const JsonValue *instance)
{
        const Schema *schema = k->schema;

        for (const Scope *scope = f->scope; k->anchor && scope; scope = scope->parent) {
                const Anchor *anchor = resource_anchor(scope->resource, k->anchor->name, k->anchor->name_len);

                if (anchor && anchor->dynamic)
                        schema = anchor->schema;
        }
        return frame_apply(f, k, schema, instance);
}

int check_all_of(Frame *f, const Keyword *k, const JsonValue *instance)
{
        int valid = 1;

        for (uint32_t i = 0; i < k->n_named && (valid || frame_wants_all(f)); i++) {
                int r = frame_apply(f, k, k->named[i].schema, instance);

                if (r < 0)
                        return r;
                valid &= r;
        }
        return valid;
}

/* How many are satisfied; LIMIT ends the count where nobody needs to know what the others evaluate. */
static int count_valid(Frame *f, const Keyword *k, const JsonValue *instance, int limit)
{
        int n = 0;

        for (uint32_t i = 0; i < k->n_named && (n < limit || f->evaluated); i++) {
                int r = frame_try(f, k, k->named[i].schema, instance);

                if (r < 0)
                        return r;
                n += r;
        }
        return n;
}

int check_any_of(Frame *f, const Keyword *k, const JsonValue *instance)
{
        int n = count_valid(f, k, instance, 1);

        if (n < 0)
                return n;
        return n > 0 ? 1 : frame_fail(f, k, "satisfies none of the %u schemas", k->n_named);
}

int check_one_of(Frame *f, const Keyword *k, const JsonValue *instance)
{
        int n = count_valid(f, k, instance, 2);

        if (n < 0)
                return n;
        if (n == 1)
                return 1;
        return frame_fail(f, k, "satisfies %s of the %u schemas, not one", n == 0 ? "none" : "several", k->n_named);
}

int check_not(Frame *f, const Keyword *k, const JsonValue *instance)
{
        Frame apart = *f;
        int r;

        /* What it evaluates counts for nothing, whichever way it ends. */
        apart.evaluated = NULL;
        r = frame_try(&apart, k, k->schema, instance);
        if (r < 0)
                return r;
        return r == 0 ? 1 : frame_fail(f, k, "satisfies the schema that it must not");
}

int check_if(Frame *f, const Keyword *k, const JsonValue *instance)
{
        const Schema *schema;
        int r;

        r = frame_try(f, k, k->schema, instance);
        if (r < 0)
                return r;
        schema = r > 0 ? k->then : k->otherwise;
        return schema ? frame_apply(f, k, schema, instance) : 1;
}

int check_dependent_schemas(Frame *f, const Keyword *k, const JsonValue *instance)
{
        int valid = 1;

        for (uint32_t i = 0; i < k->n_named && (valid || frame_wants_all(f)); i++) {
                int r;

                if (!json_get_n(instance, k->named[i].name, k->named[i].name_len))
                        continue;
                r = frame_apply(f, k, k->named[i].schema, instance);
                if (r < 0)
                        return r;
                valid &= r;
        }
        return valid;
}

/* --- to items --- */

int check_prefix_items(Frame *f, const Keyword *k, const JsonValue *instance)
{
        int valid = 1;

        for (uint32_t i = 0; i < MIN(k->n_named, instance->n) && (valid || frame_wants_all(f)); i++) {
                int r = frame_apply_item(f, k, k->named[i].schema, instance, i);

                if (r < 0)
                        return r;
                valid &= r;
                frame_evaluated(f, i);
        }
        return valid;
}

int check_items(Frame *f, const Keyword *k, const JsonValue *instance)
{
        int valid = 1;

        for (uint32_t i = (uint32_t)k->min; i < instance->n && (valid || frame_wants_all(f)); i++) {
                int r = frame_apply_item(f, k, k->schema, instance, i);

                if (r < 0)
                        return r;
                valid &= r;
                frame_evaluated(f, i);
        }
        return valid;
}

int check_contains(Frame *f, const Keyword *k, const JsonValue *instance)
{
        uint64_t n = 0;

        for (uint32_t i = 0; i < instance->n; i++) {
                int r = frame_try_item(f, k, k->schema, instance, i);

                if (r < 0)
                        return r;
                if (r == 0)
                        continue;
                n++;
                frame_evaluated(f, i);
                if (n >= k->min && k->max == UINT64_MAX && !f->evaluated)
                        break;
        }
        if (n < k->min)
                return frame_fail(f, k, "has %llu items of the kind that it needs, fewer than %llu", (unsigned long long)n,
                                  (unsigned long long)k->min);
        if (n > k->max)
                return frame_fail(f, k, "has %llu items of a kind, more than %llu", (unsigned long long)n,
                                  (unsigned long long)k->max);
        return 1;
}

int check_unevaluated_items(Frame *f, const Keyword *k, const JsonValue *instance)
{
        int valid = 1;

        for (uint32_t i = 0; i < instance->n && (valid || frame_wants_all(f)); i++) {
                int r;

                if (frame_is_evaluated(f, i))
                        continue;
                r = frame_apply_item(f, k, k->schema, instance, i);
                if (r < 0)
                        return r;
                valid &= r;
                frame_evaluated(f, i);
        }
        return valid;
}

/* --- to members --- */

static uint32_t member_number(const JsonValue *object, const JsonValue *value)
{
        return (uint32_t)(container_of((JsonValue *)value, JsonMember, value) - object->members);
}

static int apply_member(Frame *f, const Keyword *k, const Schema *schema, const JsonValue *object, uint32_t i)
{
        frame_evaluated(f, i);
        return frame_apply_member(f, k, schema, object, i);
}

int check_properties(Frame *f, const Keyword *k, const JsonValue *instance)
{
        int valid = 1;

        for (uint32_t i = 0; i < k->n_named && (valid || frame_wants_all(f)); i++) {
                const JsonValue *value = json_get_n(instance, k->named[i].name, k->named[i].name_len);
                int r;

                if (!value)
                        continue;
                r = apply_member(f, k, k->named[i].schema, instance, member_number(instance, value));
                if (r < 0)
                        return r;
                valid &= r;
        }
        return valid;
}

static int matches_name(Frame *f, const Regex *regex, const JsonMember *member)
{
        bool matches;
        int r;

        r = regex_match(regex, member->key, member->key_len, &f->v->budget, &matches);
        return r < 0 ? r : matches;
}

int check_pattern_properties(Frame *f, const Keyword *k, const JsonValue *instance)
{
        int valid = 1;

        for (uint32_t i = 0; i < instance->n; i++)
                for (uint32_t j = 0; j < k->n_named && (valid || frame_wants_all(f)); j++) {
                        int r = matches_name(f, k->named[j].regex, &instance->members[i]);

                        if (r > 0)
                                r = apply_member(f, k, k->named[j].schema, instance, i);
                        else if (r == 0)
                                continue;
                        if (r < 0)
                                return r;
                        valid &= r;
                }
        return valid;
}

/* 1: `properties` or `patternProperties` beside it speak of the member. */
static int is_named(Frame *f, const Keyword *k, const JsonMember *member)
{
        if (k->properties && json_get_n(k->properties->value, member->key, member->key_len))
                return 1;
        for (uint32_t i = 0; k->patterns && i < k->patterns->n_named; i++) {
                int r = matches_name(f, k->patterns->named[i].regex, member);

                if (r != 0)
                        return r;
        }
        return 0;
}

int check_additional_properties(Frame *f, const Keyword *k, const JsonValue *instance)
{
        int valid = 1;

        for (uint32_t i = 0; i < instance->n && (valid || frame_wants_all(f)); i++) {
                int r = is_named(f, k, &instance->members[i]);

                if (r > 0)
                        continue;
                if (r == 0)
                        r = apply_member(f, k, k->schema, instance, i);
                if (r < 0)
                        return r;
                valid &= r;
        }
        return valid;
}

int check_unevaluated_properties(Frame *f, const Keyword *k, const JsonValue *instance)
{
        int valid = 1;

        for (uint32_t i = 0; i < instance->n && (valid || frame_wants_all(f)); i++) {
                int r;

                if (frame_is_evaluated(f, i))
                        continue;
                r = apply_member(f, k, k->schema, instance, i);
                if (r < 0)
                        return r;
                valid &= r;
        }
        return valid;
}

int check_property_names(Frame *f, const Keyword *k, const JsonValue *instance)
{
        int valid = 1;

        for (uint32_t i = 0; i < instance->n && (valid || frame_wants_all(f)); i++) {
                const JsonMember *m = &instance->members[i];
                const JsonValue name = { .type = JSON_STRING, .n = m->key_len, .string = m->key };
                const Location location = { .parent = f->location, .member = m };
                Frame at = { .v = f->v, .scope = f->scope, .location = &location };
                int r = frame_apply(&at, k, k->schema, &name);

                if (r < 0)
                        return r;
                valid &= r;
        }
        return valid;
}
