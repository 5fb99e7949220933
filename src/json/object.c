/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json/object.h"

static size_t order_size(uint32_t n)
{
        size_t size = (size_t)n * sizeof(uint32_t);

        return n > OBJECT_UNSORTED_MAX ? (size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN : 0;
}

JsonMember *object_alloc_sorted(Arena *arena, uint32_t n)
{
        size_t before = order_size(n);
        char *block = arena_alloc(arena, before + (size_t)n * sizeof(JsonMember));

        return block ? (JsonMember *)(void *)(block + before) : NULL;
}

const uint32_t *object_order(const JsonMember *members, uint32_t n)
{
        size_t before = order_size(n);

        return before > 0 ? (const uint32_t *)(const void *)((const char *)members - before) : NULL;
}

static int compare_numbers(const void *a, const void *b, void *userdata)
{
        uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
        const JsonMember *members = userdata;
        int c;

        c = key_compare(members[i].key, members[i].key_len, members[k].key, members[k].key_len);
        return c != 0 ? c : i < k ? -1 : 1;
}

uint32_t object_seal_sorted(JsonMember *members, uint32_t n)
{
        uint32_t *order = (uint32_t *)object_order(members, n), first = n;

        for (uint32_t i = 0; i < n; i++)
                order[i] = i;
        qsort_r(order, n, sizeof(*order), compare_numbers, members);
        for (uint32_t i = 1; i < n; i++) {
                const JsonMember *a = &members[order[i - 1]], *b = &members[order[i]];

                if (key_compare(a->key, a->key_len, b->key, b->key_len) == 0)
                        first = MIN(first, order[i]);
        }
        return first;
}
