/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * How the reader lays out the members of an object. One of more than OBJECT_UNSORTED_MAX members
 * has, just before them, the numbers of its members in the order of their keys: the sort that
 * finds duplicates is kept for look-ups and comparisons.
 */

#include "json/arena.h"
#include "json/json.h"

#define OBJECT_UNSORTED_MAX 16U

/* Some total order of keys: not the alphabet's. */
static inline int key_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
        if (a_len != b_len)
                return a_len < b_len ? -1 : 1;
        return memcmp(a, b, a_len);
}

/* As object_alloc() and object_seal(), for more than OBJECT_UNSORTED_MAX members. */
JsonMember *object_alloc_sorted(Arena *arena, uint32_t n);
uint32_t object_seal_sorted(JsonMember *members, uint32_t n);

/* Room for N members (and their order, where there is one), set to nothing yet; or NULL. */
static inline JsonMember *object_alloc(Arena *arena, uint32_t n)
{
        return n > OBJECT_UNSORTED_MAX ? object_alloc_sorted(arena, n) : arena_alloc(arena, n * sizeof(JsonMember));
}

/* Fills in the order. Returns the first member whose key an earlier one has too, or N. */
static inline uint32_t object_seal(JsonMember *members, uint32_t n)
{
        if (n > OBJECT_UNSORTED_MAX)
                return object_seal_sorted(members, n);
        for (uint32_t i = 1; i < n; i++)
                for (uint32_t k = 0; k < i; k++)
                        if (key_compare(members[i].key, members[i].key_len, members[k].key, members[k].key_len) == 0)
                                return i;
        return n;
}

/* Member numbers in the order of their keys; NULL for an object of up to OBJECT_UNSORTED_MAX. */
const uint32_t *object_order(const JsonMember *members, uint32_t n);

/*
 * json_equal() with a price: BUDGET goes down by the values compared and the length of strings.
 * Where it is used up it is 0, and the result means nothing.
 */
bool json_equal_within(const JsonValue *a, const JsonValue *b, size_t *budget);

/* Equal values have equal hashes. */
uint64_t json_hash(const JsonValue *value);
