/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json/json.h"

#include "json/object.h"

#define STRING_BYTES_PER_COST 64U

const char *json_type_name(JsonType type)
{
        static const char *const names[] = {
                [JSON_NULL] = "null",     [JSON_BOOL] = "boolean", [JSON_INT] = "integer",   [JSON_DOUBLE] = "number",
                [JSON_STRING] = "string", [JSON_ARRAY] = "array",  [JSON_OBJECT] = "object",
        };

        return names[type];
}

static const JsonValue *get_sorted(const JsonValue *object, const uint32_t *order, const char *key, size_t key_len)
{
        uint32_t low = 0, high = object->n;

        while (low < high) {
                uint32_t middle = low + (high - low) / 2;
                const JsonMember *m = &object->members[order[middle]];
                int c = key_compare(key, key_len, m->key, m->key_len);

                if (c == 0)
                        return &m->value;
                if (c < 0)
                        high = middle;
                else
                        low = middle + 1;
        }
        return NULL;
}

const JsonValue *json_get_n(const JsonValue *object, const char *key, size_t key_len)
{
        const uint32_t *order;

        if (!json_is(object, JSON_OBJECT))
                return NULL;
        order = object_order(object->members, object->n);
        if (order)
                return get_sorted(object, order, key, key_len);
        for (uint32_t i = 0; i < object->n; i++)
                if (key_compare(key, key_len, object->members[i].key, object->members[i].key_len) == 0)
                        return &object->members[i].value;
        return NULL;
}

const JsonValue *json_get(const JsonValue *object, const char *key)
{
        return json_get_n(object, key, strlen(key));
}

const char *json_string_or_null(const JsonValue *value)
{
        return json_is(value, JSON_STRING) && strlen(value->string) == value->n ? value->string : NULL;
}

/* As numbers, not as doubles: 2^53 + 1 is not 2^53. */
static bool integer_equals_double(int64_t integer, double number)
{
        /* -2^63 and 2^63 are doubles; what lies between converts to an integer without loss where it is whole. */
        return number >= -0x1p63 && number < 0x1p63 && (double)(int64_t)number == number &&
               (int64_t)number == integer;
}

static bool members_equal(const JsonValue *a, const JsonValue *b, size_t *budget)
{
        const uint32_t *a_order = object_order(a->members, a->n), *b_order = object_order(b->members, b->n);

        for (uint32_t i = 0; i < a->n; i++) {
                const JsonMember *m = &a->members[a_order ? a_order[i] : i];
                const JsonValue *other;

                if (b_order) {
                        const JsonMember *o = &b->members[b_order[i]];

                        other = key_compare(m->key, m->key_len, o->key, o->key_len) == 0 ? &o->value : NULL;
                } else {
                        other = json_get_n(b, m->key, m->key_len);
                }
                if (!other || !json_equal_within(&m->value, other, budget))
                        return false;
        }
        return true;
}

static bool items_equal(const JsonValue *a, const JsonValue *b, size_t *budget)
{
        for (uint32_t i = 0; i < a->n; i++)
                if (!json_equal_within(&a->items[i], &b->items[i], budget))
                        return false;
        return true;
}

bool json_equal_within(const JsonValue *a, const JsonValue *b, size_t *budget)
{
        size_t cost = 1 + (a->type == JSON_STRING ? a->n / STRING_BYTES_PER_COST : 0);

        *budget -= MIN(*budget, cost);
        if (*budget == 0)
                return false;
        if (a->type == JSON_INT && b->type == JSON_DOUBLE)
                return integer_equals_double(a->integer, b->number);
        if (a->type == JSON_DOUBLE && b->type == JSON_INT)
                return integer_equals_double(b->integer, a->number);
        if (a->type != b->type)
                return false;

        switch (a->type) {
        case JSON_NULL:
                return true;
        case JSON_BOOL:
                return a->boolean == b->boolean;
        case JSON_INT:
                return a->integer == b->integer;
        case JSON_DOUBLE:
                return a->number == b->number;
        case JSON_STRING:
                return key_compare(a->string, a->n, b->string, b->n) == 0;
        case JSON_ARRAY:
                return a->n == b->n && items_equal(a, b, budget);
        case JSON_OBJECT:
                return a->n == b->n && members_equal(a, b, budget);
        }
        return false;
}

bool json_equal(const JsonValue *a, const JsonValue *b)
{
        size_t unlimited = SIZE_MAX;

        return json_equal_within(a, b, &unlimited);
}

static uint64_t hash_mix(uint64_t hash, uint64_t word)
{
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        return hash ^ hash >> 29;
}

static uint64_t hash_bytes(uint64_t hash, const char *s, size_t n)
{
        uint64_t word = 0;
        size_t i = 0;

        for (; i + sizeof(word) <= n; i += sizeof(word)) {
                memcpy(&word, s + i, sizeof(word));
                hash = hash_mix(hash, word);
        }
        word = 0;
        memcpy(&word, s + i, n - i);
        return hash_mix(hash_mix(hash, word), n);
}

static uint64_t hash_number(double number)
{
        uint64_t bits;

        number += 0.0; /* -0.0 is 0.0 */
        memcpy(&bits, &number, sizeof(bits));
        return hash_mix(JSON_DOUBLE, bits);
}

uint64_t json_hash(const JsonValue *value)
{
        uint64_t hash = value->type;

        switch (value->type) {
        case JSON_NULL:
                return hash_mix(hash, 0);
        case JSON_BOOL:
                return hash_mix(hash, value->boolean);
        case JSON_INT:
                return hash_number((double)value->integer);
        case JSON_DOUBLE:
                return hash_number(value->number);
        case JSON_STRING:
                return hash_bytes(hash, value->string, value->n);
        case JSON_ARRAY:
                for (uint32_t i = 0; i < value->n; i++)
                        hash = hash_mix(hash, json_hash(&value->items[i]));
                return hash_mix(hash, value->n);
        case JSON_OBJECT:
                /* A sum: their order does not matter. */
                for (uint32_t i = 0; i < value->n; i++) {
                        const JsonMember *m = &value->members[i];

                        hash += hash_bytes(json_hash(&m->value), m->key, m->key_len);
                }
                return hash_mix(hash, value->n);
        }
        return hash;
}
