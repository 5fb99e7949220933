/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The short way to a tree: one pass over a text in which every string stands for itself. Most of
 * what comes over a socket is such, and short, so that setting up yajl would cost more than reading
 * does. It takes nothing that RFC 8259 does not; what it does not take goes to yajl, which knows why.
 *
 * The text is copied into the document at once. Its strings stay where they are in the copy, and get
 * the NUL behind them in place of their closing quotes. The NULs behind the copy end everything that
 * is still open there, so that nothing needs to be compared with the end; a NUL in the text does the
 * same, and is told from it at last.
 */
#include "json/reader-internal.h"

#include "base/string-util.h"
#include "json/number.h"
#include "json/quoted.h"

#define LONG_TEXT 1024U /* where it pays to look for escapes first */

/* All of these take the text from P on and return what follows; NULL where it is not plain, or the reader has an error. */

static char *skip_blanks(char *p)
{
        while ((unsigned char)*p <= ' ' && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
                p++;
        return p;
}

static char *not_ascii(char *begin, char *quote)
{
        size_t n = (size_t)(quote - begin);

        return utf8_check(begin, n) == n ? quote : NULL;
}

/* The quote that ends the string which begins at P; the caller puts a NUL in its place. */
static char *find_quote(char *p)
{
        char *begin = p;
        QuotedBytes bytes = quoted_bytes(p), seen = bytes;
        unsigned n;

        while ((n = quoted_before(quoted_ends(bytes))) == sizeof(bytes)) {
                p += sizeof(bytes);
                bytes = quoted_bytes(p);
                seen |= bytes;
        }
        p += n;
        if (*p != '"')
                return NULL;
        return quoted_is_ascii(seen) ? p : not_ascii(begin, p);
}

static char *no_memory(Reader *r)
{
        r->error = -ENOMEM;
        return NULL;
}

static char *read_key(Reader *r, char *p)
{
        char *begin, *quote;
        Slot *slot;

        p = skip_blanks(p);
        if (*p != '"')
                return NULL;
        begin = p + 1;
        quote = find_quote(begin);
        if (!quote)
                return NULL;
        *quote = '\0';
        p = skip_blanks(quote + 1);
        if (*p != ':')
                return NULL;
        slot = reader_push(r);
        if (!slot)
                return no_memory(r);
        slot->key.len = (uint32_t)(quote - begin);
        slot->key.string = begin;
        return p + 1;
}

static char *read_string(JsonValue *ret, char *p)
{
        char *begin = p + 1, *quote = find_quote(begin);

        if (!quote)
                return NULL;
        *quote = '\0';
        ret->type = JSON_STRING;
        ret->n = (uint32_t)(quote - begin);
        ret->string = begin;
        return quote + 1;
}

static size_t count_digits(const char *p)
{
        const char *begin = p;

        while (*p >= '0' && *p <= '9')
                p++;
        return (size_t)(p - begin);
}

/* RFC 8259, 6: the bytes of the number that P begins with; 0 for none. */
static size_t measure_number(const char *begin)
{
        const char *p = begin + (*begin == '-');
        size_t n = count_digits(p);

        if (n == 0 || (*p == '0' && n > 1))
                return 0;
        p += n;
        if (*p == '.') {
                n = count_digits(p + 1);
                if (n == 0)
                        return 0;
                p += 1 + n;
        }
        if (*p == 'e' || *p == 'E') {
                p++;
                p += *p == '+' || *p == '-';
                n = count_digits(p);
                if (n == 0)
                        return 0;
                p += n;
        }
        return (size_t)(p - begin);
}

static char *read_number(Reader *r, JsonValue *ret, char *p)
{
        size_t n = measure_number(p);
        int error;

        if (n == 0)
                return NULL;
        error = json_number_parse(p, n, ret);
        if (error == -ENOMEM)
                return no_memory(r);
        return error < 0 ? NULL : p + n;
}

/* No word is longer than what is behind the text. */
static char *read_word(const char *word, size_t n, JsonValue value, JsonValue *ret, char *p)
{
        if (memcmp(p, word, n) != 0)
                return NULL;
        *ret = value;
        return p + n;
}

static char *read_scalar(Reader *r, char *p)
{
        Slot *slot = reader_push(r);

        if (!slot)
                return no_memory(r);
        switch (*p) {
        case '"':
                return read_string(&slot->value, p);
        case 't':
                return read_word("true", 4, (JsonValue){ .type = JSON_BOOL, .boolean = true }, &slot->value, p);
        case 'f':
                return read_word("false", 5, (JsonValue){ .type = JSON_BOOL }, &slot->value, p);
        case 'n':
                return read_word("null", 4, (JsonValue){ .type = JSON_NULL }, &slot->value, p);
        default:
                return read_number(r, &slot->value, p);
        }
}

/* Where it is too deep, or a key was there before, yajl shall say it. */
static char *go_on(Reader *r, int error, char *p)
{
        return error >= 0 ? p : error == -ENOMEM ? no_memory(r) : NULL;
}

/* Behind a value, or the beginning of a container: up to the next value, or the end of the last container. */
static char *read_ends(Reader *r, char *p)
{
        while (r->open != NO_CONTAINER) {
                bool object = r->stack[r->open].value.type == JSON_OBJECT;

                p = skip_blanks(p);
                if (*p == ',')
                        return object ? read_key(r, p + 1) : p + 1;
                if (*p != (object ? '}' : ']'))
                        return NULL;
                p = go_on(r, reader_close(r, NULL), p + 1);
                if (!p)
                        return NULL;
        }
        return p;
}

static char *read_text(Reader *r, char *p)
{
        do {
                p = skip_blanks(p);
                if (*p == '{' || *p == '[') {
                        bool object = *p == '{';

                        p = go_on(r, reader_open(r, object ? JSON_OBJECT : JSON_ARRAY), skip_blanks(p + 1));
                        if (p && *p != (object ? '}' : ']')) {
                                p = object ? read_key(r, p) : p;
                                continue;
                        }
                } else {
                        p = read_scalar(r, p);
                }
                if (p)
                        p = read_ends(r, p);
        } while (p && r->open != NO_CONTAINER);
        return p;
}

int reader_read_plain(Reader *r)
{
        char *copy, *end;

        if (r->n > LONG_TEXT && memchr(r->text, '\\', r->n))
                return 0;
        copy = arena_alloc(&r->doc->arena, r->n + READER_PAD);
        if (!copy)
                return -ENOMEM;
        if (r->n > 0)
                memcpy(copy, r->text, r->n);
        memset(copy + r->n, 0, READER_PAD);
        end = read_text(r, copy);
        if (!end)
                return r->error;
        return skip_blanks(end) == copy + r->n;
}
