/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json/uri.h"

/* A component that is missing has no `s`: "a?" has a query, if an empty one, and "a" has none. */
typedef struct Part {
        const char *s;
        size_t n;
} Part;

typedef struct Uri {
        Part scheme;
        Part authority;
        Part path;
        Part query;
} Uri;

static Part take(const char **p, size_t n)
{
        Part part = { .s = *p, .n = n };

        *p += n;
        return part;
}

static size_t until(const char *p, const char *end, const char *set)
{
        size_t n = 0;

        while (p + n < end && (p[n] == '\0' || !strchr(set, p[n])))
                n++;
        return n;
}

/* The split of RFC 3986, appendix B. */
static Uri uri_split(const char *p, size_t n)
{
        const char *end = p + n, *hash = memchr(p, '#', n);
        Uri uri = {};
        size_t k;

        if (hash)
                end = hash;
        k = until(p, end, ":/?");
        if (k > 0 && p + k < end && p[k] == ':') {
                uri.scheme = take(&p, k);
                p++;
        }
        if (end - p >= 2 && p[0] == '/' && p[1] == '/') {
                p += 2;
                uri.authority = take(&p, until(p, end, "/?"));
        }
        uri.path = take(&p, until(p, end, "?"));
        if (p < end) {
                p++;
                uri.query = take(&p, (size_t)(end - p));
        }
        return uri;
}

static bool is_segment(const char *s, size_t n, const char *name)
{
        return strlen(name) == n && memcmp(s, name, n) == 0;
}

/* Takes "." and ".." out of PATH in place: section 5.2.4. Returns the new length. */
static size_t remove_dot_segments(char *path, size_t n)
{
        size_t in = 0, out = 0;

        while (in < n) {
                bool slash = path[in] == '/';
                size_t begin = in + slash, end = begin;
                bool last;

                while (end < n && path[end] != '/')
                        end++;
                last = end == n;
                if (is_segment(path + begin, end - begin, ".")) {
                        if (last && slash)
                                path[out++] = '/';
                } else if (is_segment(path + begin, end - begin, "..")) {
                        while (out > 0 && path[--out] != '/')
                                ;
                        if (last && slash)
                                path[out++] = '/';
                } else {
                        memmove(path + out, path + in, end - in);
                        out += end - in;
                }
                in = end;
        }
        return out;
}

static int append_path(const Uri *base, const Uri *reference, Buffer *out)
{
        size_t begin = out->len, merged = 0;
        int r = 0;

        if (reference->path.n == 0 || reference->path.s[0] != '/') {
                /* In place of what follows the last slash of the base. */
                for (size_t i = 0; i < base->path.n; i++)
                        if (base->path.s[i] == '/')
                                merged = i + 1;
                if (base->authority.s && base->path.n == 0)
                        r = buffer_append_char(out, '/');
                else
                        r = buffer_append(out, base->path.s, merged);
        }
        if (r >= 0)
                r = buffer_append(out, reference->path.s, reference->path.n);
        if (r < 0)
                return r;
        out->len = begin + remove_dot_segments(out->data + begin, out->len - begin);
        out->data[out->len] = '\0';
        return 0;
}

static int append_part(Buffer *out, const char *before, Part part, const char *after)
{
        int r;

        if (!part.s)
                return 0;
        r = buffer_append_string(out, before);
        if (r >= 0)
                r = buffer_append(out, part.s, part.n);
        return r < 0 ? r : buffer_append_string(out, after);
}

int uri_resolve(const char *base, const char *reference, size_t n, Buffer *out)
{
        Uri b = uri_split(base, strlen(base)), u = uri_split(reference, n);
        bool whole = u.scheme.s, own_authority = whole || u.authority.s;
        bool own_path = own_authority || u.path.n > 0, own_query = own_path || u.query.s;
        int r;

        r = append_part(out, "", whole ? u.scheme : b.scheme, ":");
        if (r >= 0)
                r = append_part(out, "//", own_authority ? u.authority : b.authority, "");
        if (r >= 0) {
                if (whole)
                        r = buffer_append(out, u.path.s, u.path.n);
                else if (own_authority)
                        r = append_path(&(Uri){}, &u, out);
                else if (own_path)
                        r = append_path(&b, &u, out);
                else
                        r = buffer_append(out, b.path.s, b.path.n);
        }
        return r < 0 ? r : append_part(out, "?", own_query ? u.query : b.query, "");
}

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        c |= 0x20;
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int uri_percent_decode(const char *s, size_t n, Buffer *out)
{
        for (size_t i = 0; i < n; i++) {
                char c = s[i];
                int r;

                if (c == '%') {
                        int high = i + 2 <= n - 1 ? hex_digit(s[i + 1]) : -1, low = high >= 0 ? hex_digit(s[i + 2]) : -1;

                        if (low < 0)
                                return -EINVAL;
                        c = (char)(high << 4 | low);
                        i += 2;
                }
                r = buffer_append_char(out, c);
                if (r < 0)
                        return r;
        }
        return 0;
}
