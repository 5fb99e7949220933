/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tree, out of values in the order of the text. */
#include "json/reader-internal.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/string-util.h"
#include "json/number.h"
#include "json/object.h"

#define QUOTED_KEY_MAX 40 /* bytes of a key in a message */

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

size_t reader_offset(const Reader *r)
{
        if (!r->yajl)
                return r->plain;
        return r->finishing ? r->n : yajl_get_bytes_consumed(r->yajl);
}

static int no_memory(Reader *r)
{
        reader_fail(r, -ENOMEM, reader_offset(r), "out of memory");
        return 0;
}

static Slot *push(Reader *r)
{
        if (r->top == r->allocated) {
                uint32_t allocated = r->allocated * 2;
                bool is_inline = r->stack == r->stack_inline;
                Slot *stack = realloc(is_inline ? NULL : r->stack, (size_t)allocated * sizeof(Slot));

                if (!stack)
                        return NULL;
                if (is_inline)
                        memcpy(stack, r->stack_inline, sizeof(r->stack_inline));
                r->stack = stack;
                r->allocated = allocated;
        }
        return &r->stack[r->top++];
}

/* Callbacks of yajl return 0 to stop it. */
static int add_value(Reader *r, JsonValue value)
{
        Slot *slot = push(r);

        if (!slot)
                return no_memory(r);
        slot->value = value;
        r->accepted = reader_offset(r);
        return 1;
}

int reader_add_null(void *userdata)
{
        return add_value(userdata, (JsonValue){ .type = JSON_NULL });
}

int reader_add_boolean(void *userdata, int boolean)
{
        return add_value(userdata, (JsonValue){ .type = JSON_BOOL, .boolean = boolean });
}

int reader_add_number(void *userdata, const char *text, size_t n)
{
        Reader *r = userdata;
        JsonValue value;
        int error;

        error = json_number_parse(text, n, &value);
        if (error == -ENOMEM)
                return no_memory(r);
        if (error < 0) {
                reader_fail(r, -EBADMSG, reader_offset(r) - n, "the number is too large for a double");
                return 0;
        }
        return add_value(r, value);
}

int reader_add_string(void *userdata, const unsigned char *s, size_t n)
{
        Reader *r = userdata;
        const char *copy = arena_strndup(&r->doc->arena, (const char *)s, n);

        if (!copy)
                return no_memory(r);
        return add_value(r, (JsonValue){ .type = JSON_STRING, .n = (uint32_t)n, .string = copy });
}

int reader_add_key(void *userdata, const unsigned char *s, size_t n)
{
        Reader *r = userdata;
        uintptr_t begin = (uintptr_t)r->text, at = (uintptr_t)s;
        const char *copy = arena_strndup(&r->doc->arena, (const char *)s, n);
        Slot *slot = copy ? push(r) : NULL;
        size_t offset;

        if (!slot)
                return no_memory(r);
        r->accepted = reader_offset(r);
        /* A key without escapes lies in the text, after its quote; of others we know the end. */
        offset = at > begin && at < begin + r->n ? at - begin - 1 : r->accepted - 1;
        slot->key = (typeof(slot->key)){ .offset = (uint32_t)offset, .len = (uint32_t)n, .string = copy };
        return 1;
}

static int open_container(Reader *r, JsonType type)
{
        uint32_t around = r->open;

        if (r->depth >= r->max_depth) {
                reader_fail(r, -E2BIG, reader_offset(r) - 1, "arrays and objects are nested more than %u deep",
                            r->max_depth);
                return 0;
        }
        r->depth++;
        r->open = r->top;
        return add_value(r, (JsonValue){ .type = type, .n = around });
}

/* The slots of the innermost container become its contents. */
static int close_container(Reader *r, uint32_t n, const void *contents)
{
        JsonValue *container = &r->stack[r->open].value;

        r->top = r->open + 1;
        r->open = container->n;
        r->depth--;
        container->n = n;
        if (container->type == JSON_ARRAY)
                container->items = contents;
        else
                container->members = contents;
        r->accepted = reader_offset(r);
        return 1;
}

int reader_start_array(void *userdata)
{
        return open_container(userdata, JSON_ARRAY);
}

int reader_end_array(void *userdata)
{
        Reader *r = userdata;
        uint32_t n = r->top - r->open - 1;
        JsonValue *items = NULL;

        if (n > 0) {
                items = arena_alloc(&r->doc->arena, (size_t)n * sizeof(*items));
                if (!items)
                        return no_memory(r);
                memcpy(items, &r->stack[r->open + 1], (size_t)n * sizeof(*items));
        }
        return close_container(r, n, items);
}

int reader_start_object(void *userdata)
{
        return open_container(userdata, JSON_OBJECT);
}

static void fail_duplicate(Reader *r, const Slot *slot)
{
        char quoted[QUOTED_KEY_MAX + 1];
        size_t n = MIN((size_t)slot->key.len, (size_t)QUOTED_KEY_MAX);

        /* Cut between characters. */
        n = utf8_check(slot->key.string, n);
        for (size_t i = 0; i < n; i++) {
                unsigned char c = (unsigned char)slot->key.string[i];

                quoted[i] = c < 0x20 || c == 0x7f ? '?' : (char)c;
        }
        quoted[n] = '\0';
        reader_fail(r, -EBADMSG, slot->key.offset, "the object has the member \"%s%s\" twice", quoted,
                    n < slot->key.len ? "…" : "");
}

int reader_end_object(void *userdata)
{
        Reader *r = userdata;
        const Slot *slots = &r->stack[r->open + 1];
        uint32_t n = (r->top - r->open - 1) / 2, duplicate;
        JsonMember *members = NULL;

        if (n > 0) {
                members = object_alloc(&r->doc->arena, n);
                if (!members)
                        return no_memory(r);
                for (uint32_t i = 0; i < n; i++)
                        members[i] = (JsonMember){
                                .key = slots[2 * i].key.string,
                                .key_len = slots[2 * i].key.len,
                                .value = slots[2 * i + 1].value,
                        };
                duplicate = object_seal(members, n);
                if (duplicate < n) {
                        fail_duplicate(r, &slots[2 * duplicate]);
                        return 0;
                }
        }
        return close_container(r, n, members);
}
