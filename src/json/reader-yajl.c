/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is not plain, and all that is wrong, is read by yajl's callbacks.
 *
 * yajl does not look at what its allocator returns, so that it is given one that never returns
 * NULL: the allocator jumps out of the parse, and since everything of yajl's lies in one arena,
 * nothing is lost by it. That arena begins on the C stack.
 *
 * yajl takes more than RFC 8259 does: vertical tabs and form feeds as blanks, lone surrogates in
 * escapes ("?" is put in their place), and ill-formed UTF-8 that its own check does not know. We
 * look for these first, and let yajl see only what lies before.
 */
#include "json/reader-internal.h"

#include "base/string-util.h"
#include "json/number.h"

#define BLANKS " \t\r\n"
#define QUOTED_KEY_MAX 40 /* bytes of a key in a message */

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

/* --- callbacks, which return 0 to stop --- */

/* Just after the token that was looked at last. */
static size_t offset_now(const Reader *r)
{
        return r->finishing ? r->n : yajl_get_bytes_consumed(r->yajl);
}

static int no_memory(Reader *r)
{
        reader_fail(r, -ENOMEM, offset_now(r), "out of memory");
        return 0;
}

static int add_value(Reader *r, JsonValue value)
{
        Slot *slot = reader_push(r);

        if (!slot)
                return no_memory(r);
        slot->value = value;
        r->accepted = offset_now(r);
        return 1;
}

static int add_null(void *userdata)
{
        return add_value(userdata, (JsonValue){ .type = JSON_NULL });
}

static int add_boolean(void *userdata, int boolean)
{
        return add_value(userdata, (JsonValue){ .type = JSON_BOOL, .boolean = boolean });
}

static int add_number(void *userdata, const char *text, size_t n)
{
        Reader *r = userdata;
        JsonValue value;
        int error;

        error = json_number_parse(text, n, &value);
        if (error == -ENOMEM)
                return no_memory(r);
        if (error < 0) {
                reader_fail(r, -EBADMSG, offset_now(r) - n, "the number is too large for a double");
                return 0;
        }
        return add_value(r, value);
}

static int add_string(void *userdata, const unsigned char *s, size_t n)
{
        Reader *r = userdata;
        const char *copy = arena_strndup(&r->doc->arena, (const char *)s, n);

        if (!copy)
                return no_memory(r);
        return add_value(r, (JsonValue){ .type = JSON_STRING, .n = (uint32_t)n, .string = copy });
}

static int add_key(void *userdata, const unsigned char *s, size_t n)
{
        Reader *r = userdata;
        uintptr_t begin = (uintptr_t)r->text, at = (uintptr_t)s;
        const char *copy = arena_strndup(&r->doc->arena, (const char *)s, n);
        Slot *slot = copy ? reader_push(r) : NULL;
        size_t offset;

        if (!slot)
                return no_memory(r);
        r->accepted = offset_now(r);
        /* A key without escapes lies in the text, after its quote; of others we know the end. */
        offset = at > begin && at < begin + r->n ? at - begin - 1 : r->accepted - 1;
        slot->key = (typeof(slot->key)){ .offset = (uint32_t)offset, .len = (uint32_t)n, .string = copy };
        return 1;
}

static int open_container(Reader *r, JsonType type)
{
        int error = reader_open(r, type);

        if (error == -E2BIG)
                reader_fail(r, -E2BIG, offset_now(r) - 1, "arrays and objects are nested more than %u deep", r->max_depth);
        else if (error < 0)
                no_memory(r);
        else
                r->accepted = offset_now(r);
        return error >= 0;
}

static int start_array(void *userdata)
{
        return open_container(userdata, JSON_ARRAY);
}

static int start_object(void *userdata)
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

static int end_container(void *userdata)
{
        Reader *r = userdata;
        const Slot *duplicate;
        int error;

        error = reader_close(r, &duplicate);
        if (error == -EEXIST)
                fail_duplicate(r, duplicate);
        else if (error < 0)
                no_memory(r);
        else
                r->accepted = offset_now(r);
        return error >= 0;
}

static const yajl_callbacks callbacks = {
        .yajl_null = add_null,
        .yajl_boolean = add_boolean,
        .yajl_number = add_number,
        .yajl_string = add_string,
        .yajl_start_map = start_object,
        .yajl_map_key = add_key,
        .yajl_end_map = end_container,
        .yajl_start_array = start_array,
        .yajl_end_array = end_container,
};

/* --- errors --- */

/*
 * Where the token begins that yajl did not accept. It tells the end; between the last token that
 * made a callback and this one lie only blanks, and at most one comma or colon.
 */
static size_t rejected_token(const Reader *r)
{
        size_t i = r->accepted, end = offset_now(r);

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
                [CHARACTER] = offset_now(r),
                [END] = r->n,
        };

        for (size_t i = 0; i < ARRAY_SIZE(messages); i++)
                if (strstr(text, messages[i].yajl))
                        return reader_fail(r, -EBADMSG, offsets[messages[i].at], "%s", messages[i].message);
        return reader_fail(r, -EBADMSG, offsets[TOKEN], "%.*s", (int)strcspn(text, "\n"), text);
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
        return 0;
}

static int feed_or_jump(Reader *r)
{
        if (setjmp(r->out_of_memory) != 0)
                return reader_fail(r, -ENOMEM, 0, "out of memory");
        return feed(r);
}

int reader_read_with_yajl(Reader *r)
{
        int error;

        if (is_blank(r->text, r->n))
                return reader_fail(r, -EBADMSG, 0, "the text is empty");
        r->yajl = NULL;
        r->finishing = false;
        r->accepted = 0;
        arena_init(&r->yajl_arena, r->yajl_inline, sizeof(r->yajl_inline));
        error = feed_or_jump(r);
        arena_deinit(&r->yajl_arena);
        return error;
}
