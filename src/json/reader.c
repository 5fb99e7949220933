/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The reader stands on yajl's callbacks. Plain text is read without it (reader-plain.c); whatever is
 * not plain, and all that is wrong, is yajl's.
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
#include "json/reader-internal.h"

#include <stdio.h>

#include "base/string-util.h"

#define FIRST_CHUNK_MAX (64U * 1024)

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

static const yajl_callbacks callbacks = {
        .yajl_null = reader_add_null,
        .yajl_boolean = reader_add_boolean,
        .yajl_number = reader_add_number,
        .yajl_string = reader_add_string,
        .yajl_start_map = reader_start_object,
        .yajl_map_key = reader_add_key,
        .yajl_end_map = reader_end_object,
        .yajl_start_array = reader_start_array,
        .yajl_end_array = reader_end_array,
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

static bool is_blank(const char *text, size_t n)
{
        size_t i = 0;

        while (i < n && memchr(BLANKS, text[i], 4))
                i++;
        return i == n;
}

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
        /* Of a second value it does not mind the beginning, so long as it is none yet: a quote. */
        if (!is_blank(r->text + r->accepted, r->n - r->accepted))
                return reader_fail(r, -EBADMSG, rejected_token(r), "nothing may follow the value");
        r->doc->root = r->stack[0].value;
        return 0;
}

static int feed_or_jump(Reader *r)
{
        if (setjmp(r->out_of_memory) != 0)
                return reader_fail(r, -ENOMEM, 0, "out of memory");
        return feed(r);
}

static size_t first_chunk(size_t n)
{
        return MIN(2 * n + 128, (size_t)FIRST_CHUNK_MAX);
}

static JsonDoc *doc_new(size_t n)
{
        size_t first = first_chunk(n);
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

/* Forgets what was read. */
static void reader_start_over(Reader *r)
{
        Arena *arena = &r->doc->arena;
        size_t first = first_chunk(r->n);

        arena_deinit(arena);
        arena_init(arena, r->doc->first, first);
        arena->chunk_size = first;
        r->top = 0;
        r->depth = 0;
        r->open = NO_CONTAINER;
        r->accepted = 0;
}

static int reader_run(Reader *r, size_t max_bytes)
{
        int error;

        if (r->n > max_bytes)
                return reader_fail(r, -E2BIG, 0, "the text has %zu bytes, %zu are allowed", r->n, max_bytes);
        if (is_blank(r->text, r->n))
                return reader_fail(r, -EBADMSG, 0, "the text is empty");
        r->doc = doc_new(r->n);
        if (!r->doc)
                return reader_fail(r, -ENOMEM, 0, "out of memory");
        error = reader_read_plain(r);
        if (error != 0)
                return MIN(error, 0);
        reader_start_over(r);
        return feed_or_jump(r);
}

int json_parse(const char *text, size_t n, const JsonLimits *limits, JsonDoc **ret, JsonError *ret_error)
{
        size_t max_bytes = limits && limits->max_bytes > 0 ? limits->max_bytes : JSON_MAX_BYTES_DEFAULT;
        unsigned max_depth = limits && limits->max_depth > 0 ? limits->max_depth : JSON_MAX_DEPTH_DEFAULT;
        Reader reader;
        int r;

        /* Not all of it: the blocks at its end need no zeroes. */
        memset(&reader, 0, offsetof(Reader, message));
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
