/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The short way to a tree: one pass over a text in which every string stands for itself. Most of
 * what comes over a socket is such, and short, so that setting up yajl would cost more than reading
 * does. It takes nothing that RFC 8259 does not; what it does not take goes to yajl, which knows why.
 */
#include "json/reader-internal.h"

#include "base/string-util.h"

typedef struct Plain {
        Reader *reader;
        const char *p;
        const char *end;
} Plain;

static void skip_blanks(Plain *s)
{
        while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t' || *s->p == '\r'))
                s->p++;
}

/* Adding failed: the reader has noted why, or yajl shall say it better. */
static int failed(const Plain *s)
{
        return s->reader->error == -ENOMEM ? -ENOMEM : 0;
}

static int added(Plain *s, int ok)
{
        return ok ? 1 : failed(s);
}

#define EACH_BYTE(c) (UINT64_C(0x0101010101010101) * (c))

/* Whether one of the eight bytes may be a quote or a control character; not if it says no. */
static bool may_end(const char *p)
{
        uint64_t word, quote;

        memcpy(&word, p, sizeof(word));
        quote = word ^ EACH_BYTE('"');
        return (((word - EACH_BYTE(0x20)) & ~word) | ((quote - EACH_BYTE(1)) & ~quote)) & EACH_BYTE(0x80);
}

/* Bytes up to the closing quote; P is just behind the opening one. Escapes have been ruled out. */
static bool find_quote(const Plain *s, size_t *ret_n)
{
        const char *p = s->p;

        while (s->end - p >= 8 && !may_end(p))
                p += 8;
        while (p < s->end && *p != '"')
                if ((unsigned char)*p++ < 0x20)
                        return false;
        *ret_n = (size_t)(p - s->p);
        return p < s->end;
}

static int read_string(Plain *s, int (*add)(void *reader, const unsigned char *string, size_t n))
{
        const char *begin = ++s->p;
        size_t n;

        if (!find_quote(s, &n))
                return 0;
        s->p += n + 1;
        s->reader->plain = (size_t)(s->p - s->reader->text);
        return added(s, add(s->reader, (const unsigned char *)begin, n));
}

static int read_key(Plain *s)
{
        int r;

        skip_blanks(s);
        if (s->p == s->end || *s->p != '"')
                return 0;
        r = read_string(s, reader_add_key);
        if (r <= 0)
                return r;
        skip_blanks(s);
        if (s->p == s->end || *s->p != ':')
                return 0;
        s->p++;
        return 1;
}

static size_t count_digits(const char *p, const char *end)
{
        const char *begin = p;

        while (p < end && *p >= '0' && *p <= '9')
                p++;
        return (size_t)(p - begin);
}

/* RFC 8259, 6: the bytes of the number that P begins with; 0 for none. */
static size_t measure_number(const char *begin, const char *end)
{
        const char *p = begin + (*begin == '-');
        size_t n = count_digits(p, end);

        if (n == 0 || (*p == '0' && n > 1))
                return 0;
        p += n;
        if (p < end && *p == '.') {
                n = count_digits(p + 1, end);
                if (n == 0)
                        return 0;
                p += 1 + n;
        }
        if (p < end && (*p == 'e' || *p == 'E')) {
                p++;
                p += p < end && (*p == '+' || *p == '-');
                n = count_digits(p, end);
                if (n == 0)
                        return 0;
                p += n;
        }
        return (size_t)(p - begin);
}

static int read_number(Plain *s)
{
        size_t n = measure_number(s->p, s->end);

        if (n == 0)
                return 0;
        s->p += n;
        return added(s, reader_add_number(s->reader, s->p - n, n));
}

static bool take_word(Plain *s, const char *word, size_t n)
{
        if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
                return false;
        s->p += n;
        return true;
}

static int read_word(Plain *s)
{
        if (take_word(s, "true", 4))
                return added(s, reader_add_boolean(s->reader, true));
        if (take_word(s, "false", 5))
                return added(s, reader_add_boolean(s->reader, false));
        return take_word(s, "null", 4) ? added(s, reader_add_null(s->reader)) : 0;
}

/* Whether the container that was just opened ends at once. */
static bool is_closed(Plain *s, char c)
{
        skip_blanks(s);
        if (s->p == s->end || *s->p != c)
                return false;
        s->p++;
        return true;
}

/* 2: a container was opened, and its first value is due. */
static int read_container(Plain *s, char c)
{
        bool object = c == '{';
        int r;

        s->p++;
        if (!(object ? reader_start_object : reader_start_array)(s->reader))
                return failed(s);
        if (is_closed(s, object ? '}' : ']'))
                return added(s, (object ? reader_end_object : reader_end_array)(s->reader));
        r = object ? read_key(s) : 1;
        return r <= 0 ? r : 2;
}

static int read_value(Plain *s)
{
        skip_blanks(s);
        if (s->p == s->end)
                return 0;
        switch (*s->p) {
        case '{':
        case '[':
                return read_container(s, *s->p);
        case '"':
                return read_string(s, reader_add_string);
        case 't':
        case 'f':
        case 'n':
                return read_word(s);
        default:
                return read_number(s);
        }
}

/* Behind a value: closes what ends here. 2: another value is due, 1: the text has ended. */
static int read_ends(Plain *s)
{
        Reader *r = s->reader;

        for (;;) {
                bool object;
                char c;

                skip_blanks(s);
                if (s->p == s->end)
                        return r->open == NO_CONTAINER;
                if (r->open == NO_CONTAINER)
                        return 0;
                object = r->stack[r->open].value.type == JSON_OBJECT;
                c = *s->p++;
                if (c == ',') {
                        int k = object ? read_key(s) : 1;

                        return k <= 0 ? k : 2;
                }
                if (c != (object ? '}' : ']'))
                        return 0;
                if (!(object ? reader_end_object : reader_end_array)(r))
                        return failed(s);
        }
}

int reader_read_plain(Reader *r)
{
        Plain s = { .reader = r, .p = r->text, .end = r->text + r->n };
        int k = 2;

        if (memchr(r->text, '\\', r->n) || utf8_check(r->text, r->n) < r->n)
                return 0;
        while (k == 2) {
                k = read_value(&s);
                if (k == 1)
                        k = read_ends(&s);
        }
        if (k == 1)
                r->doc->root = r->stack[0].value;
        else if (k == 0)
                r->error = 0;
        return k;
}
