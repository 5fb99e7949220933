/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "result/json-text.h"

static bool is_blank(char c)
{
        return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* The end of the string literal that begins at P, behind its quote. The text was parsed, so there is one. */
static const char *skip_string(const char *p, const char *end)
{
        const char *q = p;

        while ((q = memchr(q + 1, '"', (size_t)(end - q - 1)))) {
                const char *b = q;

                while (b[-1] == '\\')
                        b--;
                if ((q - b) % 2 == 0)
                        return q + 1;
        }
        return end;
}

/*
 * Blanks stand in strings or between tokens, where no other byte is as small. What lies between those is copied
 * in as long runs as there are: a text that is compact already is one run.
 */
static int append_compact(const char *s, size_t n, Buffer *out)
{
        const char *end = s + n, *run = s, *p = s;
        int r;

        /* At once, unless the compact text alone fits. */
        (void)buffer_reserve(out, n);
        while (p < end) {
                if (*p == '"') {
                        p = skip_string(p, end);
                } else if ((unsigned char)*p > ' ') {
                        p++;
                } else {
                        r = buffer_append(out, run, (size_t)(p - run));
                        if (r < 0)
                                return r;
                        run = ++p;
                }
        }
        return buffer_append(out, run, (size_t)(p - run));
}

static int append_line_break(Buffer *out, unsigned indent, unsigned depth)
{
        size_t blanks = (size_t)indent * depth;
        int r;

        r = buffer_reserve(out, blanks + 1);
        if (r < 0)
                return r;
        out->data[out->len] = '\n';
        memset(out->data + out->len + 1, ' ', blanks);
        out->len += blanks + 1;
        out->data[out->len] = '\0';
        return 0;
}

static size_t blank_span(const char *s, const char *end)
{
        const char *p = s;

        while (p < end && is_blank(*p))
                p++;
        return (size_t)(p - s);
}

/* Length of the string, number or word at S. */
static size_t scalar_span(const char *s, const char *end)
{
        const char *p = s;

        if (*s == '"')
                return (size_t)(skip_string(s, end) - s);
        while (p < end && !is_blank(*p) && !strchr(",:]}", *p))
                p++;
        return MAX((size_t)(p - s), (size_t)1);
}

/* One token at S that is no blank: copies it with the line breaks around it. Returns its length. */
static ssize_t format_token(const char *s, const char *end, unsigned indent, unsigned *depth, Buffer *out)
{
        size_t n = 1, blanks;
        int r = 0;

        switch (*s) {
        case '{':
        case '[':
                r = buffer_append_char(out, *s);
                blanks = blank_span(s + 1, end);
                if (s + 1 + blanks < end && (s[1 + blanks] == '}' || s[1 + blanks] == ']')) {
                        n += blanks + 1;
                        if (r >= 0)
                                r = buffer_append_char(out, s[n - 1]);
                } else if (r >= 0) {
                        r = append_line_break(out, indent, ++*depth);
                }
                break;
        case '}':
        case ']':
                *depth -= *depth > 0;
                r = append_line_break(out, indent, *depth);
                if (r >= 0)
                        r = buffer_append_char(out, *s);
                break;
        case ',':
                r = buffer_append_char(out, *s);
                if (r >= 0)
                        r = append_line_break(out, indent, *depth);
                break;
        case ':':
                r = buffer_append_string(out, ": ");
                break;
        default:
                n = scalar_span(s, end);
                r = buffer_append(out, s, n);
        }
        return r < 0 ? r : (ssize_t)n;
}

int json_text_format(const char *json, size_t n, unsigned indent, Buffer *out)
{
        const char *p = json, *end = json + n;
        unsigned depth = 0;

        if (indent == 0)
                return append_compact(json, n, out);
        while ((p += blank_span(p, end)) < end) {
                ssize_t k = format_token(p, end, indent, &depth, out);

                if (k < 0)
                        return (int)k;
                p += k;
        }
        return 0;
}
