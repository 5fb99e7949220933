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

#define BLANKS " \t\r\n"
#define NO_CONTAINER UINT32_MAX
#define STACK_INLINE 64       /* slots */
#define YAJL_ARENA_INLINE 6144 /* bytes: its handle, and both of its 2 KiB buffers */

struct JsonDoc {
        Arena arena;
        JsonValue root;
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

        JsonDoc *doc;
        yajl_handle yajl; /* NULL: plain text is read without it */
        Arena yajl_arena;
        bool finishing; /* all of the text was handed to yajl */
        size_t plain;   /* without yajl: just after the token that was looked at last */
        size_t accepted; /* just after the last token that made a callback */

        Slot *stack;
        uint32_t top;
        uint32_t allocated;
        uint32_t open; /* slot of the innermost container; its `n` is the slot of the one around it */
        unsigned depth;

        int error;
        size_t error_offset;

        /* From here on it begins with anything. */
        char message[sizeof((JsonError){}.message)];
        jmp_buf out_of_memory;

        Slot stack_inline[STACK_INLINE];
        max_align_t yajl_inline[YAJL_ARENA_INLINE / sizeof(max_align_t)];
} Reader;

/* Notes the error, and returns it. */
int reader_fail(Reader *r, int error, size_t offset, const char *format, ...) _printf_(4, 5);
/* Just after the token that was looked at last. */
size_t reader_offset(const Reader *r);

/* Each adds what it says and returns 1; or notes an error and returns 0, as yajl's callbacks do. */
int reader_add_null(void *reader);
int reader_add_boolean(void *reader, int boolean);
int reader_add_number(void *reader, const char *text, size_t n);
int reader_add_string(void *reader, const unsigned char *s, size_t n);
int reader_add_key(void *reader, const unsigned char *s, size_t n);
int reader_start_object(void *reader);
int reader_end_object(void *reader);
int reader_start_array(void *reader);
int reader_end_array(void *reader);

/*
 * Reads a text that is plain: whose strings have no escapes, as nearly all short ones are. 1: all of
 * it was read; 0: it is not plain, or is no JSON, and nothing is known of it; or a negative errno, noted.
 */
int reader_read_plain(Reader *r);
