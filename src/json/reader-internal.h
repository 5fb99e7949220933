/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What the files of the reader share: values are put on a stack of slots; when an array or object
 * ends, its slots are copied as one block into the document's arena.
 */

#include <setjmp.h>
#include <yajl/yajl_parse.h>

#include "json/arena.h"
#include "json/json.h"

#define NO_CONTAINER UINT32_MAX
#define READER_PAD 16 /* NULs behind the copy of a text: where everything ends, though read sixteen bytes at a time */
#define STACK_INLINE 64 /* slots */
#define YAJL_ARENA_INLINE 6144 /* bytes: its handle, and both of its 2 KiB buffers */

struct JsonDoc {
        Arena arena;
        JsonValue root;
        size_t first_size; /* bytes of FIRST */
        max_align_t first[];
};

/* A value, or the key of the member whose value is in the next slot. */
typedef union Slot {
        JsonValue value;
        struct {
                uint32_t offset; /* in the text */
                uint32_t len;
                const char *string;
        } key;
} Slot;

_Static_assert(sizeof(Slot) == sizeof(JsonValue), "slots of an array are copied as its items");

typedef struct Reader {
        const char *text;
        size_t n;
        unsigned max_depth;
        unsigned depth;

        JsonDoc *doc;
        Slot *stack;
        uint32_t top;
        uint32_t allocated;
        uint32_t open; /* slot of the innermost container; its `n` is the slot of the one around it */

        int error;
        size_t error_offset;

        /* Of yajl, where the text is not plain. */
        yajl_handle yajl;
        Arena yajl_arena;
        bool finishing;  /* all of the text was handed to it */
        size_t accepted; /* just after the last token that made a callback */

        /* From here on it begins with anything. */
        char message[sizeof((JsonError){}.message)];
        jmp_buf out_of_memory;

        Slot stack_inline[STACK_INLINE];
        max_align_t yajl_inline[YAJL_ARENA_INLINE / sizeof(max_align_t)];
} Reader;

/* Notes the error, and returns it. */
int reader_fail(Reader *r, int error, size_t offset, const char *format, ...) _printf_(4, 5);

/* As reader_push(), where the stack is full. */
Slot *reader_push_slowly(Reader *r);

/* The next slot, to be filled; NULL: no memory. */
static inline Slot *reader_push(Reader *r)
{
        return r->top < r->allocated ? &r->stack[r->top++] : reader_push_slowly(r);
}

/* Opens an array or object. -E2BIG: too deep; -ENOMEM. */
static inline int reader_open(Reader *r, JsonType type)
{
        Slot *slot;

        if (r->depth >= r->max_depth)
                return -E2BIG;
        slot = reader_push(r);
        if (!slot)
                return -ENOMEM;
        slot->value.type = type;
        slot->value.n = r->open;
        r->open = r->top - 1;
        r->depth++;
        return 0;
}

/*
 * The slots of the innermost container become its contents. -ENOMEM; -EEXIST, where RET_DUPLICATE,
 * which may be NULL, is set to the slot of a key that the object has before already.
 */
int reader_close(Reader *r, const Slot **ret_duplicate);

/*
 * Reads a text that is plain: whose strings have no escapes, as nearly all short ones are. 1: all of
 * it was read; 0: it is not plain, or is no JSON, and nothing is known of it; -ENOMEM.
 */
int reader_read_plain(Reader *r);
/* Reads any text. 0, or a negative errno, noted. */
int reader_read_with_yajl(Reader *r);
