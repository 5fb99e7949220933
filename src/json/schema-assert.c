/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keywords that look at the instance alone. */
#include "json/number.h"
#include "json/object.h"
#include "json/schema-check.h"

#define NAME_MAX_SHOWN 60 /* bytes of a string in a message */

static int shown(size_t n)
{
        return (int)MIN(n, (size_t)NAME_MAX_SHOWN);
}

/* --- any type --- */

static bool has_type(const JsonValue *instance, const char *name)
{
        if (streq(name, "number"))
                return instance->type == JSON_INT || instance->type == JSON_DOUBLE;
        if (streq(name, "integer"))
                return json_number_is_whole(instance);
        return streq(name, json_type_name(instance->type));
}

int check_type(Frame *f, const Keyword *k, const JsonValue *instance)
{
        bool several = k->value->type == JSON_ARRAY;
        const JsonValue *types = several ? k->value->items : k->value;

        for (uint32_t i = 0; i < (several ? k->value->n : 1); i++)
                if (has_type(instance, types[i].string))
                        return 1;
        if (several && k->value->n > 1)
                return frame_fail(f, k, "is of type %s, which is none of those allowed", json_type_name(instance->type));
        return frame_fail(f, k, "is of type %s, not %s", json_type_name(instance->type), types->string);
}

static int equal(Frame *f, const JsonValue *a, const JsonValue *b)
{
        bool same = json_equal_within(a, b, &f->v->budget);

        return f->v->budget == 0 ? -E2BIG : same;
}

int check_const(Frame *f, const Keyword *k, const JsonValue *instance)
{
        int r = equal(f, k->value, instance);

        return r != 0 ? r : frame_fail(f, k, "is not the value that is asked for");
}

int check_enum(Frame *f, const Keyword *k, const JsonValue *instance)
{
        for (uint32_t i = 0; i < k->value->n; i++) {
                int r = equal(f, &k->value->items[i], instance);

                if (r != 0)
                        return r;
        }
        return frame_fail(f, k, "is none of the %u values that are allowed", k->value->n);
}

/* --- numbers --- */

static int fail_number(Frame *f, const Keyword *k, const JsonValue *instance, const char *relation)
{
        char is[JSON_NUMBER_MAX], limit[JSON_NUMBER_MAX];

        json_number_print(instance, is);
        json_number_print(k->value, limit);
        return frame_fail(f, k, "%s is not %s %s", is, relation, limit);
}

int check_minimum(Frame *f, const Keyword *k, const JsonValue *instance)
{
        return json_number_compare(instance, k->value) >= 0 ? 1 : fail_number(f, k, instance, "at least");
}

int check_maximum(Frame *f, const Keyword *k, const JsonValue *instance)
{
        return json_number_compare(instance, k->value) <= 0 ? 1 : fail_number(f, k, instance, "at most");
}

int check_exclusive_minimum(Frame *f, const Keyword *k, const JsonValue *instance)
{
        return json_number_compare(instance, k->value) > 0 ? 1 : fail_number(f, k, instance, "greater than");
}

int check_exclusive_maximum(Frame *f, const Keyword *k, const JsonValue *instance)
{
        return json_number_compare(instance, k->value) < 0 ? 1 : fail_number(f, k, instance, "less than");
}

int check_multiple_of(Frame *f, const Keyword *k, const JsonValue *instance)
{
        return json_number_is_multiple(instance, k->value) ? 1 : fail_number(f, k, instance, "a multiple of");
}

/* --- sizes --- */

static int check_least(Frame *f, const Keyword *k, uint64_t n, const char *what)
{
        return n >= k->count ? 1 : frame_fail(f, k, "has %llu %s, fewer than %llu", (unsigned long long)n, what,
                                              (unsigned long long)k->count);
}

static int check_most(Frame *f, const Keyword *k, uint64_t n, const char *what)
{
        return n <= k->count ? 1 : frame_fail(f, k, "has %llu %s, more than %llu", (unsigned long long)n, what,
                                              (unsigned long long)k->count);
}

static uint64_t count_characters(const JsonValue *string)
{
        uint64_t n = 0;

        for (uint32_t i = 0; i < string->n; i++)
                n += (string->string[i] & 0xc0) != 0x80;
        return n;
}

int check_min_length(Frame *f, const Keyword *k, const JsonValue *instance)
{
        return check_least(f, k, count_characters(instance), "characters");
}

int check_max_length(Frame *f, const Keyword *k, const JsonValue *instance)
{
        return check_most(f, k, count_characters(instance), "characters");
}

int check_min_items(Frame *f, const Keyword *k, const JsonValue *instance)
{
        return check_least(f, k, instance->n, "items");
}

int check_max_items(Frame *f, const Keyword *k, const JsonValue *instance)
{
        return check_most(f, k, instance->n, "items");
}

int check_min_properties(Frame *f, const Keyword *k, const JsonValue *instance)
{
        return check_least(f, k, instance->n, "members");
}

int check_max_properties(Frame *f, const Keyword *k, const JsonValue *instance)
{
        return check_most(f, k, instance->n, "members");
}

/* --- strings, arrays, objects --- */

int check_pattern(Frame *f, const Keyword *k, const JsonValue *instance)
{
        bool matches;
        int r;

        r = regex_match(k->regex, instance->string, instance->n, &f->v->budget, &matches);
        if (r < 0)
                return r;
        return matches ? 1 : frame_fail(f, k, "does not match %.*s", shown(k->value->n), k->value->string);
}

typedef struct HashedItem {
        uint64_t hash;
        uint32_t index;
} HashedItem;

static int compare_hashes(const void *a, const void *b)
{
        const HashedItem *x = a, *y = b;

        if (x->hash != y->hash)
                return x->hash < y->hash ? -1 : 1;
        return x->index < y->index ? -1 : 1;
}

/* Only what has the same hash is compared. */
int check_unique_items(Frame *f, const Keyword *k, const JsonValue *instance)
{
        _cleanup_free_ HashedItem *items = NULL;

        if (!k->value->boolean || instance->n < 2)
                return 1;
        items = new0(HashedItem, instance->n);
        if (!items)
                return -ENOMEM;
        for (uint32_t i = 0; i < instance->n; i++)
                items[i] = (HashedItem){ .hash = json_hash(&instance->items[i]), .index = i };
        qsort(items, instance->n, sizeof(*items), compare_hashes);
        for (uint32_t i = 0; i < instance->n; i++)
                for (uint32_t j = i + 1; j < instance->n && items[j].hash == items[i].hash; j++) {
                        int r = equal(f, &instance->items[items[i].index], &instance->items[items[j].index]);

                        if (r < 0)
                                return r;
                        if (r > 0)
                                return frame_fail(f, k, "has the same item at %u and %u", items[i].index, items[j].index);
                }
        return 1;
}

static int check_names(Frame *f, const Keyword *k, const JsonValue *names, const JsonValue *instance, const char *because)
{
        int valid = 1;

        for (uint32_t i = 0; i < names->n; i++) {
                const JsonValue *name = &names->items[i];

                if (json_get_n(instance, name->string, name->n))
                        continue;
                valid = frame_fail(f, k, "lacks the member \"%.*s\"%s%s", shown(name->n), name->string,
                                   because ? ", which goes with " : "", because ? because : "");
                if (!frame_wants_all(f))
                        break;
        }
        return valid;
}

int check_required(Frame *f, const Keyword *k, const JsonValue *instance)
{
        return check_names(f, k, k->value, instance, NULL);
}

int check_dependent_required(Frame *f, const Keyword *k, const JsonValue *instance)
{
        int valid = 1;

        for (uint32_t i = 0; i < k->value->n; i++) {
                const JsonMember *m = &k->value->members[i];

                if (json_get_n(instance, m->key, m->key_len))
                        valid &= check_names(f, k, &m->value, instance, m->key);
        }
        return valid;
}
