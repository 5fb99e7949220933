/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tree, out of values in the order of the text. */
#include "json/reader-internal.h"

#include <stdarg.h>
#include <stdio.h>

#include "json/object.h"

int reader_fail(Reader *r, int error, size_t offset, const char *format, ...)
{
        va_list ap;

        r->error = error;
        r->error_offset = offset;
        va_start(ap, format);
        (void)vsnprintf(r->message, sizeof(r->message), format, ap);
        va_end(ap);
        return error;
}

Slot *reader_push_slowly(Reader *r)
{
        uint32_t allocated = r->allocated * 2;
        bool is_inline = r->stack == r->stack_inline;
        Slot *stack = realloc(is_inline ? NULL : r->stack, (size_t)allocated * sizeof(Slot));

        if (!stack)
                return NULL;
        if (is_inline)
                memcpy(stack, r->stack_inline, sizeof(r->stack_inline));
        r->stack = stack;
        r->allocated = allocated;
        return &r->stack[r->top++];
}

static int take_items(Reader *r, const Slot *slots, uint32_t n, JsonValue *array)
{
        JsonValue *items = arena_alloc(&r->doc->arena, (size_t)n * sizeof(*items));

        if (!items)
                return -ENOMEM;
        memcpy(items, slots, (size_t)n * sizeof(*items));
        array->items = items;
        return 0;
}

static int take_members(Reader *r, const Slot *slots, uint32_t n, JsonValue *object, const Slot **ret_duplicate)
{
        JsonMember *members = object_alloc(&r->doc->arena, n);
        uint32_t duplicate;

        if (!members)
                return -ENOMEM;
        for (uint32_t i = 0; i < n; i++) {
                members[i].key = slots[2 * i].key.string;
                members[i].key_len = slots[2 * i].key.len;
                members[i].value = slots[2 * i + 1].value;
        }
        object->members = members;
        duplicate = object_seal(members, n);
        if (duplicate == n)
                return 0;
        if (ret_duplicate)
                *ret_duplicate = &slots[2 * duplicate];
        return -EEXIST;
}

int reader_close(Reader *r, const Slot **ret_duplicate)
{
        JsonValue *container = &r->stack[r->open].value;
        const Slot *slots = &r->stack[r->open + 1];
        uint32_t n = r->top - r->open - 1, around = container->n;
        int error = 0;

        if (container->type == JSON_OBJECT)
                n /= 2;
        container->n = n;
        container->items = NULL;
        if (n > 0)
                error = container->type == JSON_ARRAY ? take_items(r, slots, n, container) :
                                                        take_members(r, slots, n, container, ret_duplicate);
        if (error < 0)
                return error;
        r->top = r->open + 1;
        r->open = around;
        r->depth--;
        return 0;
}
