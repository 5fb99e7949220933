/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The reader stands on yajl's callbacks. What they bring is put on a stack of slots; when an array
 * or object ends, its slots are copied as one block into the document's arena.
 *
 * yajl does not look at what its allocator returns, so that it is given one that never returns
 * NULL: the allocator jumps out of the parse, and since everything of yajl's lies in one arena,
 * nothing is lost by it. That arena begins on the C stack, the document's in the document itself:
 * a small text costs one malloc().
 *
 * yajl takes more than RFC 8259 does: vertical tabs and form feeds as blanks, lone surrogates in
 * escapes ("?" is put in their place), and ill-formed UTF-8 that its own check does not know. We
 * look for these first, and let yajl see only what lies before.
 */
#include "json/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <yajl/yajl_parse.h>

#include "base/string-util.h"
#include "json/arena.h"
#include "json/number.h"
#include "json/object.h"

#define BLANKS " \t\r\n"
#define NO_CONTAINER UINT32_MAX
#define STACK_INLINE 64       /* slots */
#define YAJL_ARENA_INLINE 6144 /* bytes: its handle, and both of its 2 KiB buffers */
#define FIRST_CHUNK_MAX (64U * 1024)
#define QUOTED_KEY_MAX 40 /* bytes of a key in a message */

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
        yajl_handle yajl;
        Arena yajl_arena;
        jmp_buf out_of_memory;
        bool finishing; /* all of the text was handed to yajl */
        size_t accepted; /* just after the last token that made a callback */

        Slot *stack;
        uint32_t top;
        uint32_t allocated;
        uint32_t open; /* slot of the innermost container; its `n` is the slot of the one around it */
        unsigned depth;

        int error;
        size_t error_offset;
        char message[sizeof((JsonError){}.message)];

        Slot stack_inline[STACK_INLINE];
        max_align_t yajl_inline[YAJL_ARENA_INLINE / sizeof(max_align_t)];
} Reader;

static int _printf_(4, 5) reader_fail(Reader *r, int error, size_t offset, const char *format, ...)
{
        va_list ap;

        r->error = error;
        r->error_offset = offset;
        va_start(ap, format);
        (void)vsnprintf(r->message, sizeof(r->message), format, ap);
        va_end(ap);
        return error;
}

/* --- yajl's memory: each piece is preceded by its size, which yajl does not tell again --- */

static void *yajl_arena_malloc(void *userdata, size_t n)
{
        Reader *r = userdata;
        size_t *piece = NULL;

        if (n <= SIZE_MAX - ARENA_ALIGN)
                piece = arena_alloc(&r->yajl_arena, ARENA_ALIGN + n);
        if (!piece)
                longjmp(r->out_of_memory, 1);
        *piece = n;
        return (char *)piece + ARENA_ALIGN;
}

static void *yajl_arena_realloc(void *userdata, void *old, size_t n)
{
        size_t old_size = old ? *(size_t *)(void *)((char *)old - ARENA_ALIGN) : 0;
        void *piece;

        if (n <= old_size)
                return old;
        piece = yajl_arena_malloc(userdata, n);
        if (old)
                memcpy(piece, old, old_size);
        return piece;
}

static void yajl_arena_free(_unused_ void *userdata, _unused_ void *piece)
{
}

/* --- the stack of slots --- */

/* Just after the token that yajl looked at last. */
static size_t reader_offset(const Reader *r)
{
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

static int on_null(void *userdata)
{
        return add_value(userdata, (JsonValue){ .type = JSON_NULL });
}

static int on_boolean(void *userdata, int boolean)
{
        return add_value(userdata, (JsonValue){ .type = JSON_BOOL, .boolean = boolean });
}

static int on_number(void *userdata, const char *text, size_t n)
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

static int on_string(void *userdata, const unsigned char *s, size_t n)
{
        Reader *r = userdata;
        const char *copy = arena_strndup(&r->doc->arena, (const char *)s, n);

        if (!copy)
                return no_memory(r);
        return add_value(r, (JsonValue){ .type = JSON_STRING, .n = (uint32_t)n, .string = copy });
}

static int on_key(void *userdata, const unsigned char *s, size_t n)
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

static int on_start_array(void *userdata)
{
        return open_container(userdata, JSON_ARRAY);
}

static int on_end_array(void *userdata)
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

static int on_start_map(void *userdata)
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

static int on_end_map(void *userdata)
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

static const yajl_callbacks callbacks = {
        .yajl_null = on_null,
        .yajl_boolean = on_boolean,
        .yajl_number = on_number,
        .yajl_string = on_string,
        .yajl_start_map = on_start_map,
        .yajl_map_key = on_key,
        .yajl_end_map = on_end_map,
        .yajl_start_array = on_start_array,
        .yajl_end_array = on_end_array,
};

/* --- errors --- */

/*
 * Where the token begins that yajl did not accept. It tells the end; between the last token that
 * made a callback and this one lie only blanks, and at most one comma or colon.
 */
static size_t rejected_token(const Reader *r)
{
        size_t i = r->accepted, end = reader_offset(r);

        while (i + 1 < end && memchr(BLANKS ",:", r->text[i], 6))
                i++;
        /* Of some tokens it has put back the first character. */
        while (i < r->n && memchr(BLANKS, r->text[i], 4))
                i++;
        return i;
}

static int fail_syntax(Reader *r)
{
        enum { TOKEN, CHARACTER, END }; /* what to point at: where the token begins, where it stopped, the end */
        static const struct {
                const char *yajl; /* part of its message */
                int at;
                const char *message;
        } messages[] = {
                { "premature EOF", END, "the text ends before its value does" },
                { "trailing garbage", TOKEN, "nothing may follow the value" },
                { "unallowed token", TOKEN, "a value was expected here" },
                { "invalid object key", TOKEN, "a member's name in quotes was expected here" },
                { "separated by a colon", TOKEN, "':' was expected after a member's name" },
                { "after key and value", TOKEN, "',' or '}' was expected after a member" },
                { "after array element", TOKEN, "',' or ']' was expected after an item" },
                { "'\\' occurs before", CHARACTER, "there is no such escape in a string" },
                { "invalid character inside", CHARACTER, "a control character in a string must be escaped" },
                { "non-hex", CHARACTER, "\\u must be followed by four hexadecimal digits" },
                { "malformed number", TOKEN, "the number lacks a digit here" },
                { "invalid string", TOKEN, "the only words are true, false and null" },
                { "invalid char in", TOKEN, "no value begins with this character" },
                { "comment", CHARACTER, "JSON has no comments" },
        };
        const char *text = (const char *)yajl_get_error(r->yajl, 0, NULL, 0);
        const size_t offsets[] = {
                [TOKEN] = rejected_token(r),
                [CHARACTER] = reader_offset(r),
                [END] = r->n,
        };

        for (size_t i = 0; i < ARRAY_SIZE(messages); i++)
                if (strstr(text, messages[i].yajl))
                        return reader_fail(r, -EBADMSG, offsets[messages[i].at], "%s", messages[i].message);
        return reader_fail(r, -EBADMSG, offsets[TOKEN], "%.*s", (int)strcspn(text, "\n"), text);
}

static void reader_export_error(const Reader *r, JsonError *ret)
{
        size_t line_begin = 0;
        const char *p;

        if (!ret)
                return;
        *ret = (JsonError){ .line = 1 };
        for (p = r->text; (p = memchr(p, '\n', r->error_offset - (size_t)(p - r->text))); p++) {
                ret->line++;
                line_begin = (size_t)(p - r->text) + 1;
        }
        ret->column = (unsigned)(r->error_offset - line_begin + 1);
        (void)snprintf(ret->message, sizeof(ret->message), "%s", r->message);
}

/* --- what yajl lets through --- */

static bool read_hex4(const char *p, unsigned *ret)
{
        unsigned value = 0;

        for (int i = 0; i < 4; i++) {
                char c = p[i];

                value <<= 4;
                if (c >= '0' && c <= '9')
                        value |= (unsigned)(c - '0');
                else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
                        value |= (unsigned)((c | 0x20) - 'a' + 10);
                else
                        return false;
        }
        *ret = value;
        return true;
}

/* The first escape of a surrogate that has no partner, or N. Other faults of escapes are for yajl to find. */
static size_t find_lone_surrogate(const char *text, size_t n)
{
        const char *end = text + n, *p = text;
        unsigned high, low;

        while ((p = memchr(p, '\\', (size_t)(end - p)))) {
                if (end - p < 6 || p[1] != 'u' || !read_hex4(p + 2, &high)) {
                        p += MIN(end - p, 2);
                        continue;
                }
                if ((high & 0xf800) == 0xd800) {
                        if (high >= 0xdc00 || end - p < 12 || p[6] != '\\' || p[7] != 'u' ||
                            !read_hex4(p + 8, &low) || (low & 0xfc00) != 0xdc00)
                                return (size_t)(p - text);
                        p += 6;
                }
                p += 6;
        }
        return n;
}

static size_t find_char(const char *text, size_t n, char c)
{
        const char *p = memchr(text, c, n);

        return p ? (size_t)(p - text) : n;
}

/* How much of the text may be shown to yajl; RET_WHY says what follows. */
static size_t check_text(const char *text, size_t n, const char **ret_why)
{
        size_t good = utf8_check(text, n), i;

        if (good < n)
                *ret_why = "this is not UTF-8";
        i = MIN(find_char(text, good, '\v'), find_char(text, good, '\f'));
        if (i < good)
                *ret_why = "a control character must be escaped, and stand in a string";
        good = i;
        i = find_lone_surrogate(text, good);
        if (i < good)
                *ret_why = "half of a surrogate pair is no character";
        return i;
}

/* --- reading --- */

static int feed(Reader *r)
{
        yajl_alloc_funcs memory = {
                .malloc = yajl_arena_malloc,
                .realloc = yajl_arena_realloc,
                .free = yajl_arena_free,
                .ctx = r,
        };
        const char *why = NULL;
        yajl_status status;
        size_t good;

        good = check_text(r->text, r->n, &why);
        r->yajl = yajl_alloc(&callbacks, &memory, r);
        (void)yajl_config(r->yajl, yajl_dont_validate_strings, 1);
        status = yajl_parse(r->yajl, (const unsigned char *)r->text, good);
        if (status == yajl_status_ok && good < r->n)
                return reader_fail(r, -EBADMSG, good, "%s", why);
        if (status == yajl_status_ok) {
                r->finishing = true;
                status = yajl_complete_parse(r->yajl);
        }
        if (status == yajl_status_client_canceled)
                return r->error;
        if (status != yajl_status_ok)
                return fail_syntax(r);
        r->doc->root = r->stack[0].value;
        return 0;
}

static int feed_or_jump(Reader *r)
{
        if (setjmp(r->out_of_memory) != 0)
                return reader_fail(r, -ENOMEM, 0, "out of memory");
        return feed(r);
}

static JsonDoc *doc_new(size_t n)
{
        size_t first = MIN(2 * n + 128, (size_t)FIRST_CHUNK_MAX);
        JsonDoc *doc = malloc(sizeof(*doc) + first);

        if (!doc)
                return NULL;
        arena_init(&doc->arena, doc->first, first);
        doc->arena.chunk_size = first;
        return doc;
}

JsonDoc *json_doc_free(JsonDoc *doc)
{
        if (!doc)
                return NULL;
        arena_deinit(&doc->arena);
        free(doc);
        return NULL;
}

const JsonValue *json_root(const JsonDoc *doc)
{
        return &doc->root;
}

static bool is_blank(const char *text, size_t n)
{
        size_t i = 0;

        while (i < n && memchr(BLANKS, text[i], 4))
                i++;
        return i == n;
}

static int reader_run(Reader *r, size_t max_bytes)
{
        if (r->n > max_bytes)
                return reader_fail(r, -E2BIG, 0, "the text has %zu bytes, %zu are allowed", r->n, max_bytes);
        if (is_blank(r->text, r->n))
                return reader_fail(r, -EBADMSG, 0, "the text is empty");
        r->doc = doc_new(r->n);
        if (!r->doc)
                return reader_fail(r, -ENOMEM, 0, "out of memory");
        return feed_or_jump(r);
}

int json_parse(const char *text, size_t n, const JsonLimits *limits, JsonDoc **ret, JsonError *ret_error)
{
        size_t max_bytes = limits && limits->max_bytes > 0 ? limits->max_bytes : JSON_MAX_BYTES_DEFAULT;
        unsigned max_depth = limits && limits->max_depth > 0 ? limits->max_depth : JSON_MAX_DEPTH_DEFAULT;
        Reader reader;
        int r;

        /* Not all of it: its two blocks need no zeroes. */
        memset(&reader, 0, offsetof(Reader, stack_inline));
        reader.text = text;
        reader.n = n;
        reader.max_depth = MIN(max_depth, JSON_MAX_DEPTH_CEILING);
        reader.stack = reader.stack_inline;
        reader.allocated = STACK_INLINE;
        reader.open = NO_CONTAINER;
        arena_init(&reader.yajl_arena, reader.yajl_inline, sizeof(reader.yajl_inline));

        r = reader_run(&reader, MIN(max_bytes, (size_t)JSON_MAX_BYTES_CEILING));
        arena_deinit(&reader.yajl_arena);
        if (reader.stack != reader.stack_inline)
                free(reader.stack);
        if (r < 0) {
                reader_export_error(&reader, ret_error);
                json_doc_free(reader.doc);
                return r;
        }
        *ret = reader.doc;
        return 0;
}
