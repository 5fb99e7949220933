/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json/schema-check.h"

#include "json/number.h"

/* --- by the shape of the value --- */

static int compile_schema(Compiler *c, Schema *s, Keyword *k)
{
        k->schema = compiler_use(c, k->value);
        if (k->value->type != JSON_OBJECT && k->value->type != JSON_BOOL)
                return compiler_fail(c, s, k->type->name, "must be a schema: an object or a boolean");
        return 0;
}

static int compile_schemas(Compiler *c, Schema *s, Keyword *k)
{
        bool object = k->value->type == JSON_OBJECT;

        if (!object && k->type->shape != SHAPE_SCHEMAS)
                return compiler_fail(c, s, k->type->name, "must be an object of schemas");
        if (object ? k->type->shape == SHAPE_SCHEMAS : k->value->type != JSON_ARRAY || k->value->n == 0)
                return compiler_fail(c, s, k->type->name, "must be an array of schemas that is not empty");
        k->named = arena_calloc(&c->schema->arena, k->value->n, sizeof(*k->named));
        if (!k->named)
                return -ENOMEM;
        k->n_named = k->value->n;
        for (uint32_t i = 0; i < k->n_named; i++) {
                const JsonValue *value = object ? &k->value->members[i].value : &k->value->items[i];
                NamedSchema *named = &k->named[i];
                int r;

                if (value->type != JSON_OBJECT && value->type != JSON_BOOL)
                        return compiler_fail(c, s, k->type->name, "must hold schemas only: objects or booleans");
                named->schema = compiler_use(c, value);
                if (!object)
                        continue;
                named->name = k->value->members[i].key;
                named->name_len = k->value->members[i].key_len;
                if (k->type->shape != SHAPE_PATTERN_MAP)
                        continue;
                r = compiler_regex(c, s, k->type->name, named->name, named->name_len, &named->regex);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int compile_count(Compiler *c, Schema *s, Keyword *k)
{
        if (!json_number_is_whole(k->value) || json_number_compare(k->value, &(JsonValue){ .type = JSON_INT }) < 0)
                return compiler_fail(c, s, k->type->name, "must be an integer that is not negative");
        if (k->value->type == JSON_INT)
                k->count = (uint64_t)k->value->integer;
        else
                k->count = k->value->number < 0x1p63 ? (uint64_t)k->value->number : UINT64_MAX;
        return 0;
}

static bool are_names(const JsonValue *value)
{
        if (value->type != JSON_ARRAY)
                return false;
        for (uint32_t i = 0; i < value->n; i++)
                if (value->items[i].type != JSON_STRING)
                        return false;
        return true;
}

static int compile_names(Compiler *c, Schema *s, Keyword *k)
{
        return are_names(k->value) ? 0 : compiler_fail(c, s, k->type->name, "must be an array of strings");
}

static int compile_names_map(Compiler *c, Schema *s, Keyword *k)
{
        bool right = k->value->type == JSON_OBJECT;

        for (uint32_t i = 0; right && i < k->value->n; i++)
                right = are_names(&k->value->members[i].value);
        return right ? 0 : compiler_fail(c, s, k->type->name, "must be an object of arrays of strings");
}

static int compile_pattern(Compiler *c, Schema *s, Keyword *k)
{
        if (k->value->type != JSON_STRING)
                return compiler_fail(c, s, k->type->name, "must be a string");
        return compiler_regex(c, s, k->type->name, k->value->string, k->value->n, &k->regex);
}

static bool is_type_name(const JsonValue *value)
{
        static const JsonType types[] = {
                JSON_NULL, JSON_BOOL, JSON_INT, JSON_DOUBLE, JSON_STRING, JSON_ARRAY, JSON_OBJECT,
        };

        for (size_t i = 0; value->type == JSON_STRING && i < ARRAY_SIZE(types); i++)
                if (streq(value->string, json_type_name(types[i])))
                        return true;
        return false;
}

static int compile_types(Compiler *c, Schema *s, Keyword *k)
{
        bool right = k->value->type == JSON_ARRAY && k->value->n > 0;

        for (uint32_t i = 0; right && i < k->value->n; i++)
                right = is_type_name(&k->value->items[i]);
        return right || is_type_name(k->value) ? 0 : compiler_fail(c, s, k->type->name, "must be the name of a type, or several");
}

static int compile_number(Compiler *c, Schema *s, Keyword *k)
{
        bool right = k->value->type == JSON_INT || k->value->type == JSON_DOUBLE;

        return right ? 0 : compiler_fail(c, s, k->type->name, "must be a number");
}

static int compile_of_type(Compiler *c, Schema *s, Keyword *k)
{
        JsonType type = k->type->shape == SHAPE_ARRAY ? JSON_ARRAY : k->type->shape == SHAPE_BOOLEAN ? JSON_BOOL : JSON_STRING;

        return k->value->type == type ? 0 : compiler_fail(c, s, k->type->name, "must be of type %s", json_type_name(type));
}

static int (*const compile_shape[])(Compiler *, Schema *, Keyword *) = {
        [SHAPE_ARRAY] = compile_of_type,     [SHAPE_BOOLEAN] = compile_of_type,   [SHAPE_COUNT] = compile_count,
        [SHAPE_NAMES] = compile_names,       [SHAPE_NAMES_MAP] = compile_names_map, [SHAPE_NUMBER] = compile_number,
        [SHAPE_PATTERN] = compile_pattern,   [SHAPE_PATTERN_MAP] = compile_schemas, [SHAPE_SCHEMA] = compile_schema,
        [SHAPE_SCHEMAS] = compile_schemas,   [SHAPE_SCHEMA_MAP] = compile_schemas, [SHAPE_STRING] = compile_of_type,
        [SHAPE_TYPES] = compile_types,
};

/* --- what some need besides --- */

static int compile_ref(Compiler *c, Schema *s, Keyword *k)
{
        const Anchor *ignored;

        return compiler_resolve(c, s, k, &k->schema, &ignored);
}

static int compile_dynamic_ref(Compiler *c, Schema *s, Keyword *k)
{
        const Anchor *anchor;
        int r;

        r = compiler_resolve(c, s, k, &k->schema, &anchor);
        if (r >= 0 && anchor && anchor->dynamic)
                k->anchor = anchor;
        return r;
}

static int compile_additional(_unused_ Compiler *c, Schema *s, Keyword *k)
{
        k->properties = schema_keyword(s, "properties");
        k->patterns = schema_keyword(s, "patternProperties");
        return 0;
}

/* The first one that is not an item of prefixItems. */
static int compile_items(_unused_ Compiler *c, Schema *s, Keyword *k)
{
        const Keyword *prefix = schema_keyword(s, "prefixItems");

        k->min = prefix ? prefix->n_named : 0;
        return 0;
}

static int compile_contains(_unused_ Compiler *c, Schema *s, Keyword *k)
{
        const Keyword *min = schema_keyword(s, "minContains"), *max = schema_keyword(s, "maxContains");

        k->min = min ? min->count : 1;
        k->max = max ? max->count : UINT64_MAX;
        return 0;
}

static int compile_if(_unused_ Compiler *c, Schema *s, Keyword *k)
{
        const Keyword *then = schema_keyword(s, "then"), *otherwise = schema_keyword(s, "else");

        k->then = then ? then->schema : NULL;
        k->otherwise = otherwise ? otherwise->schema : NULL;
        return 0;
}

static int compile_unevaluated(_unused_ Compiler *c, Schema *s, _unused_ Keyword *k)
{
        s->has_unevaluated = true;
        return 0;
}

static int compile_multiple_of(Compiler *c, Schema *s, Keyword *k)
{
        if (json_number_compare(k->value, &(JsonValue){ .type = JSON_INT }) <= 0)
                return compiler_fail(c, s, k->type->name, "must be greater than 0");
        return 0;
}

/* --- the table --- */

#define ARRAYS APPLIES_TO(JSON_ARRAY)
#define OBJECTS APPLIES_TO(JSON_OBJECT)
#define STRINGS APPLIES_TO(JSON_STRING)
#define NUMBERS APPLIES_TO_NUMBERS
#define ALL APPLIES_TO_ALL
#define CORE VOCABULARY_CORE
#define APPLICATOR VOCABULARY_APPLICATOR
#define UNEVALUATED VOCABULARY_UNEVALUATED
#define VALIDATION VOCABULARY_VALIDATION

/* What a keyword looks up beside it stands before it; what looks at the results of others, last. */
const KeywordType keyword_types[] = {
        { "$defs", CORE, SHAPE_DEFINITIONS },
        { "definitions", CORE, SHAPE_DEFINITIONS }, /* the name until draft 7, which many schemas keep */
        { "$ref", CORE, SHAPE_STRING, ALL, compile_ref, check_ref },
        { "$dynamicRef", CORE, SHAPE_STRING, ALL, compile_dynamic_ref, check_dynamic_ref },

        { "type", VALIDATION, SHAPE_TYPES, ALL, NULL, check_type },
        { "const", VALIDATION, SHAPE_ANY, ALL, NULL, check_const },
        { "enum", VALIDATION, SHAPE_ARRAY, ALL, NULL, check_enum },
        { "minimum", VALIDATION, SHAPE_NUMBER, NUMBERS, NULL, check_minimum },
        { "maximum", VALIDATION, SHAPE_NUMBER, NUMBERS, NULL, check_maximum },
        { "exclusiveMinimum", VALIDATION, SHAPE_NUMBER, NUMBERS, NULL, check_exclusive_minimum },
        { "exclusiveMaximum", VALIDATION, SHAPE_NUMBER, NUMBERS, NULL, check_exclusive_maximum },
        { "multipleOf", VALIDATION, SHAPE_NUMBER, NUMBERS, compile_multiple_of, check_multiple_of },
        { "minLength", VALIDATION, SHAPE_COUNT, STRINGS, NULL, check_min_length },
        { "maxLength", VALIDATION, SHAPE_COUNT, STRINGS, NULL, check_max_length },
        { "pattern", VALIDATION, SHAPE_PATTERN, STRINGS, NULL, check_pattern },
        { "minItems", VALIDATION, SHAPE_COUNT, ARRAYS, NULL, check_min_items },
        { "maxItems", VALIDATION, SHAPE_COUNT, ARRAYS, NULL, check_max_items },
        { "uniqueItems", VALIDATION, SHAPE_BOOLEAN, ARRAYS, NULL, check_unique_items },
        { "minProperties", VALIDATION, SHAPE_COUNT, OBJECTS, NULL, check_min_properties },
        { "maxProperties", VALIDATION, SHAPE_COUNT, OBJECTS, NULL, check_max_properties },
        { "required", VALIDATION, SHAPE_NAMES, OBJECTS, NULL, check_required },
        { "dependentRequired", VALIDATION, SHAPE_NAMES_MAP, OBJECTS, NULL, check_dependent_required },
        { "minContains", VALIDATION, SHAPE_COUNT },
        { "maxContains", VALIDATION, SHAPE_COUNT },

        { "prefixItems", APPLICATOR, SHAPE_SCHEMAS, ARRAYS, NULL, check_prefix_items },
        { "items", APPLICATOR, SHAPE_SCHEMA, ARRAYS, compile_items, check_items },
        { "contains", APPLICATOR, SHAPE_SCHEMA, ARRAYS, compile_contains, check_contains },
        { "properties", APPLICATOR, SHAPE_SCHEMA_MAP, OBJECTS, NULL, check_properties },
        { "patternProperties", APPLICATOR, SHAPE_PATTERN_MAP, OBJECTS, NULL, check_pattern_properties },
        { "additionalProperties", APPLICATOR, SHAPE_SCHEMA, OBJECTS, compile_additional, check_additional_properties },
        { "propertyNames", APPLICATOR, SHAPE_SCHEMA, OBJECTS, NULL, check_property_names },
        { "dependentSchemas", APPLICATOR, SHAPE_SCHEMA_MAP, OBJECTS, NULL, check_dependent_schemas },
        { "allOf", APPLICATOR, SHAPE_SCHEMAS, ALL, NULL, check_all_of },
        { "anyOf", APPLICATOR, SHAPE_SCHEMAS, ALL, NULL, check_any_of },
        { "oneOf", APPLICATOR, SHAPE_SCHEMAS, ALL, NULL, check_one_of },
        { "not", APPLICATOR, SHAPE_SCHEMA, ALL, NULL, check_not },
        { "then", APPLICATOR, SHAPE_SCHEMA },
        { "else", APPLICATOR, SHAPE_SCHEMA },
        { "if", APPLICATOR, SHAPE_SCHEMA, ALL, compile_if, check_if },

        { "unevaluatedItems", UNEVALUATED, SHAPE_SCHEMA, ARRAYS, compile_unevaluated, check_unevaluated_items },
        { "unevaluatedProperties", UNEVALUATED, SHAPE_SCHEMA, OBJECTS, compile_unevaluated, check_unevaluated_properties },
};
const size_t n_keyword_types = ARRAY_SIZE(keyword_types);

const Keyword *schema_keyword(const Schema *s, const char *name)
{
        for (const Keyword *k = s->keywords; k; k = k->next)
                if (streq(k->type->name, name))
                        return k;
        return NULL;
}

static int compile_keyword(Compiler *c, Schema *s, const KeywordType *type, const JsonValue *value, Keyword **ret)
{
        Keyword *k = arena_calloc(&c->schema->arena, 1, sizeof(*k));
        int r = 0;

        if (!k)
                return -ENOMEM;
        k->type = type;
        k->value = value;
        if (compile_shape[type->shape])
                r = compile_shape[type->shape](c, s, k);
        if (r >= 0 && type->compile)
                r = type->compile(c, s, k);
        if (r >= 0)
                *ret = k;
        return r;
}

int schema_compile_keywords(Compiler *c, Schema *s)
{
        Keyword **tail = &s->keywords;

        if (s->value->type == JSON_BOOL)
                return 0;
        if (s->value->type != JSON_OBJECT)
                return compiler_fail(c, s, "", "a schema is an object or a boolean");
        for (size_t i = 0; i < n_keyword_types; i++) {
                const KeywordType *type = &keyword_types[i];
                const JsonValue *value = json_get(s->value, type->name);
                int r;

                if (!value || !(s->resource->vocabularies & type->vocabulary) || type->shape == SHAPE_DEFINITIONS)
                        continue;
                r = compile_keyword(c, s, type, value, tail);
                if (r < 0)
                        return r;
                tail = &(*tail)->next;
        }
        return 0;
}
