/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json/path-lex.h"

#include <stdarg.h>
#include <stdio.h>

#include "json/number.h"

#define INDEX_MAX ((INT64_C(1) << 53) - 1) /* RFC 9535, section 2.1: what every implementation has */

int path_lex_fail(PathLexer *l, const char *at, const char *format, ...)
{
        va_list ap;

        if (l->error) {
                l->error->offset = (size_t)(at - l->text);
                va_start(ap, format);
                (void)vsnprintf(l->error->message, sizeof(l->error->message), format, ap);
                va_end(ap);
        }
        return -EBADMSG;
}

void path_lex_blanks(PathLexer *l)
{
        l->p += strspn(l->p, " \t\r\n");
}

bool path_lex_at(const PathLexer *l, const char *sign)
{
        return startswith(l->p, sign);
}

bool path_lex_take(PathLexer *l, const char *sign)
{
        if (!path_lex_at(l, sign))
                return false;
        l->p += strlen(sign);
        return true;
}

int path_lex_expect(PathLexer *l, const char *sign, const char *message)
{
        return path_lex_take(l, sign) ? 0 : path_lex_fail(l, l->p, "%s", message);
}

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name_first(char c)
{
        return is_alpha(c) || c == '_' || (c & 0x80);
}

bool path_lex_at_number(const PathLexer *l)
{
        return is_digit(*l->p) || *l->p == '-';
}

/* "0", or digits of which the first is not 0, with a sign or none; NULL where there is no such thing. */
static const char *skip_integer(const char *p)
{
        if (*p == '-')
                p++;
        if (*p == '0')
                return is_digit(p[1]) ? NULL : p + 1;
        if (!is_digit(*p))
                return NULL;
        while (is_digit(*p))
                p++;
        return p;
}

int path_lex_integer(PathLexer *l, int64_t *ret)
{
        const char *begin = l->p, *end = skip_integer(begin);
        JsonValue value;
        int r;

        if (!end || (begin[0] == '-' && begin[1] == '0'))
                return path_lex_fail(l, begin, "an index is an integer without leading zeros");
        r = json_number_parse(begin, (size_t)(end - begin), &value);
        if (r == -ENOMEM)
                return r;
        if (r < 0 || value.type != JSON_INT || value.integer > INDEX_MAX || value.integer < -INDEX_MAX)
                return path_lex_fail(l, begin, "the index is out of range");
        l->p = end;
        *ret = value.integer;
        return 0;
}

/* --- strings --- */

static int lex_hex4(PathLexer *l, const char *p, unsigned *ret)
{
        unsigned value = 0;

        for (int i = 0; i < 4; i++) {
                char c = p[i];

                if (is_digit(c))
                        value = value << 4 | (unsigned)(c - '0');
                else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
                        value = value << 4 | (unsigned)((c | 0x20) - 'a' + 10);
                else
                        return path_lex_fail(l, p, "\\u must be followed by four hexadecimal digits");
        }
        *ret = value;
        return 0;
}

static char *put_utf8(char *out, unsigned c)
{
        if (c < 0x80) {
                *out++ = (char)c;
                return out;
        }
        if (c < 0x800) {
                *out++ = (char)(0xc0 | c >> 6);
        } else {
                if (c < 0x10000) {
                        *out++ = (char)(0xe0 | c >> 12);
                } else {
                        *out++ = (char)(0xf0 | c >> 18);
                        *out++ = (char)(0x80 | (c >> 12 & 0x3f));
                }
                *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        }
        *out++ = (char)(0x80 | (c & 0x3f));
        return out;
}

/* After "\u"; a pair of surrogates is one character. */
static int lex_unicode_escape(PathLexer *l, char **out)
{
        const char *begin = l->p - 2;
        unsigned c, low;
        int r;

        r = lex_hex4(l, l->p, &c);
        if (r < 0)
                return r;
        l->p += 4;
        if (c >= 0xd800 && c <= 0xdbff && path_lex_take(l, "\\u")) {
                r = lex_hex4(l, l->p, &low);
                if (r < 0)
                        return r;
                if (low < 0xdc00 || low > 0xdfff)
                        return path_lex_fail(l, begin, "half of a surrogate pair is no character");
                l->p += 4;
                c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        } else if (c >= 0xd800 && c <= 0xdfff) {
                return path_lex_fail(l, begin, "half of a surrogate pair is no character");
        }
        *out = put_utf8(*out, c);
        return 0;
}

/* After the backslash. */
static int lex_escape(PathLexer *l, char quote, char **out)
{
        static const char from[] = "bfnrt/\\", to[] = "\b\f\n\r\t/\\";
        char c = *l->p;
        const char *p = c ? strchr(from, c) : NULL;

        if (c == 'u') {
                l->p++;
                return lex_unicode_escape(l, out);
        }
        if (!p && c != quote)
                return path_lex_fail(l, l->p - 1, "there is no such escape in a string in %c", quote);
        *(*out)++ = p ? to[p - from] : quote;
        l->p++;
        return 0;
}

int path_lex_string(PathLexer *l, const char **ret, size_t *ret_len)
{
        const char *begin = l->p, *last = begin + 1;
        char quote = *l->p++, *string, *out;
        int r;

        /* Never longer than it is written. */
        while (*last && *last != quote)
                last += last[0] == '\\' && last[1] ? 2 : 1;
        if (!*last)
                return path_lex_fail(l, begin, "the string has no end");
        string = out = arena_strndup(l->arena, begin, (size_t)(last - begin));
        if (!string)
                return -ENOMEM;
        while (l->p < last) {
                unsigned char c = (unsigned char)*l->p++;

                if (c < 0x20)
                        return path_lex_fail(l, l->p - 1, "a control character in a string must be escaped");
                if (c != '\\') {
                        *out++ = (char)c;
                        continue;
                }
                r = lex_escape(l, quote, &out);
                if (r < 0)
                        return r;
        }
        l->p = last + 1;
        *out = '\0';
        *ret = string;
        *ret_len = (size_t)(out - string);
        return 0;
}

int path_lex_member_name(PathLexer *l, const char **ret, size_t *ret_len)
{
        const char *begin = l->p;

        if (!is_name_first(*l->p))
                return path_lex_fail(l, l->p, "a name, * or [ was expected; other names stand in ['…']");
        while (is_name_first(*l->p) || is_digit(*l->p))
                l->p++;
        *ret_len = (size_t)(l->p - begin);
        *ret = arena_strndup(l->arena, begin, *ret_len);
        return *ret ? 0 : -ENOMEM;
}

size_t path_lex_function_name(PathLexer *l)
{
        const char *begin = l->p;

        if (*l->p >= 'a' && *l->p <= 'z')
                while ((*l->p >= 'a' && *l->p <= 'z') || *l->p == '_' || is_digit(*l->p))
                        l->p++;
        return (size_t)(l->p - begin);
}

/* --- literals --- */

static int lex_number(PathLexer *l, JsonValue *ret)
{
        const char *begin = l->p, *p = skip_integer(begin);
        int r;

        if (p && *p == '.') {
                if (!is_digit(*++p))
                        p = NULL;
                while (p && is_digit(*p))
                        p++;
        }
        if (p && (*p | 0x20) == 'e') {
                p++;
                if (*p == '+' || *p == '-')
                        p++;
                if (!is_digit(*p))
                        p = NULL;
                while (p && is_digit(*p))
                        p++;
        }
        if (!p)
                return path_lex_fail(l, begin, "this is not a number as JSON has them");
        r = json_number_parse(begin, (size_t)(p - begin), ret);
        if (r == -ERANGE)
                return path_lex_fail(l, begin, "the number is too large for a double");
        if (r < 0)
                return r;
        l->p = p;
        return 1;
}

int path_lex_literal(PathLexer *l, JsonValue *ret)
{
        static const struct {
                const char *word;
                JsonValue value;
        } words[] = {
                { "true", { .type = JSON_BOOL, .boolean = true } },
                { "false", { .type = JSON_BOOL, .boolean = false } },
                { "null", { .type = JSON_NULL } },
        };
        size_t n;
        int r;

        if (path_lex_at(l, "'") || path_lex_at(l, "\"")) {
                const char *string;

                r = path_lex_string(l, &string, &n);
                if (r < 0)
                        return r;
                *ret = (JsonValue){ .type = JSON_STRING, .n = (uint32_t)n, .string = string };
                return 1;
        }
        if (path_lex_at_number(l))
                return lex_number(l, ret);
        for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
                const char *after = startswith(l->p, words[i].word);

                if (after && !is_name_first(*after) && !is_digit(*after) && *after != '(') {
                        l->p = after;
                        *ret = words[i].value;
                        return 1;
                }
        }
        return 0;
}
