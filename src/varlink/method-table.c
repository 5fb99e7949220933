/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A table with open addressing. Names differ most at their end, so that the last eight bytes make the
 * hash (multiplication by 2^64 / phi: Knuth, TAOCP 3, 6.4). Peers choose what is looked for but not
 * what is in the table: a look-up can't get longer than the longest run of slots taken.
 */
#include "varlink/method-table.h"

#include <stdio.h>

#define BITS_MIN 4U

int served_method_init(ServedMethod *ret, const VarlinkMethod *method, const VarlinkMember *member, void *userdata)
{
        char *head;
        int n;

        /* A name has no character that JSON escapes. */
        n = asprintf(&head, "{\"method\":\"%s\",\"parameters\":", method->name);
        if (n < 0)
                return -ENOMEM;
        *ret = (ServedMethod){
                .method = method,
                .member = member,
                .name_len = strlen(method->name),
                .userdata = userdata,
                .head = head,
                .head_len = (size_t)n,
                .method_len = (size_t)n - strlen(",\"parameters\":"),
        };
        return 0;
}

void served_method_deinit(ServedMethod *served)
{
        free(served->head);
}

void varlink_method_table_deinit(VarlinkMethodTable *table)
{
        free(table->slots);
        *table = (VarlinkMethodTable){};
}

static size_t first_slot(unsigned bits, const char *name, size_t n)
{
        uint64_t word = 0;

        if (n >= sizeof(word))
                memcpy(&word, name + n - sizeof(word), sizeof(word));
        else
                memcpy(&word, name, n);
        return (word + n) * UINT64_C(0x9e3779b97f4a7c15) >> (64 - bits);
}

static size_t next_slot(unsigned bits, size_t i)
{
        return (i + 1) & (((size_t)1 << bits) - 1);
}

static void put(const ServedMethod **slots, unsigned bits, const ServedMethod *method)
{
        size_t i = first_slot(bits, method->method->name, method->name_len);

        while (slots[i])
                i = next_slot(bits, i);
        slots[i] = method;
}

static int grow(VarlinkMethodTable *table, size_t n)
{
        const ServedMethod **slots;
        unsigned bits = MAX(table->bits, BITS_MIN);

        while ((size_t)1 << bits < 2 * n)
                bits++;
        if (bits == table->bits)
                return 0;
        slots = new0(const ServedMethod *, (size_t)1 << bits);
        if (!slots)
                return -ENOMEM;
        for (size_t i = 0; table->bits > 0 && i < (size_t)1 << table->bits; i++)
                if (table->slots[i])
                        put(slots, bits, table->slots[i]);
        free(table->slots);
        table->slots = slots;
        table->bits = bits;
        return 0;
}

int varlink_method_table_add(VarlinkMethodTable *table, const ServedMethod *methods, size_t n)
{
        int r;

        r = grow(table, table->n + n);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++)
                put(table->slots, table->bits, &methods[i]);
        table->n += n;
        return 0;
}

const ServedMethod *varlink_method_table_find(const VarlinkMethodTable *table, const char *name, size_t n)
{
        if (table->bits == 0)
                return NULL;
        for (size_t i = first_slot(table->bits, name, n); table->slots[i]; i = next_slot(table->bits, i)) {
                const ServedMethod *method = table->slots[i];

                if (method->name_len == n && memcmp(method->method->name, name, n) == 0)
                        return method;
        }
        return NULL;
}
