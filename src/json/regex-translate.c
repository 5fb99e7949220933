/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * I-Regexp's grammar (RFC 9485, section 4) is followed character by character, rather than the
 * pattern handed on with replacements: PCRE2 would give a meaning to much that I-Regexp does not
 * have ("a*?", "(?=a)", "\d"). One ambiguity is settled as the JSONPath compliance tests have it:
 * "^" and "$" are normal characters to the grammar, but anchors to the RFC's mapping to PCRE.
 */
#include "json/regex-translate.h"

#include "json/regex.h"

typedef struct Translator {
        const char *p;
        const char *end;
        Buffer *out;
        int error; /* of the buffer */
} Translator;

static void put(Translator *t, const char *s, size_t n)
{
        int r = buffer_append(t->out, s, n);

        if (r < 0 && t->error == 0)
                t->error = r;
}

static bool peek(const Translator *t, char c)
{
        return t->p < t->end && *t->p == c;
}

static bool take(Translator *t, char c)
{
        if (!peek(t, c))
                return false;
        t->p++;
        return true;
}

/* Punctuation has no meaning to PCRE2 after a backslash, other characters have none without. */
static void put_literal(Translator *t, char c)
{
        bool punctuation = (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
                           (c >= '{' && c <= '~');

        if (punctuation)
                put(t, "\\", 1);
        put(t, &c, 1);
}

static bool is_one_of(char c, const char *set)
{
        return c != '\0' && strchr(set, c);
}

static bool category(Translator *t, bool complement)
{
        static const struct {
                char major;
                const char *minor;
        } categories[] = {
                { 'L', "lmotu" }, { 'M', "cen" }, { 'N', "dlo" }, { 'P', "cdefios" },
                { 'Z', "lps" },   { 'S', "ckmo" }, { 'C', "cfno" },
        };
        const char *begin = t->p;

        if (!take(t, '{') || t->p == t->end)
                return false;
        for (size_t i = 0; i < ARRAY_SIZE(categories); i++) {
                if (!take(t, categories[i].major))
                        continue;
                if (t->p < t->end && is_one_of(*t->p, categories[i].minor))
                        t->p++;
                if (!take(t, '}'))
                        return false;
                put(t, complement ? "\\P" : "\\p", 2);
                put(t, begin, (size_t)(t->p - begin));
                return true;
        }
        return false;
}

/* What follows a backslash, a category aside. */
static bool single_escape(Translator *t)
{
        char c = t->p < t->end ? *t->p++ : '\0';

        if (is_one_of(c, "nrt")) {
                put(t, "\\", 1);
                put(t, &c, 1);
                return true;
        }
        if (!is_one_of(c, "()*+-.?[\\]^{|}"))
                return false;
        put_literal(t, c);
        return true;
}

static bool category_escape(Translator *t, bool *ret_is_category)
{
        *ret_is_category = t->end - t->p >= 2 && t->p[0] == '\\' && (t->p[1] == 'p' || t->p[1] == 'P');
        if (!*ret_is_category)
                return true;
        t->p += 2;
        return category(t, t->p[-1] == 'P');
}

static bool class_char(Translator *t)
{
        if (take(t, '\\'))
                return single_escape(t);
        if (t->p == t->end || is_one_of(*t->p, "-[]"))
                return false;
        put_literal(t, *t->p++);
        /* The rest of a character of several bytes. */
        while (t->p < t->end && (*t->p & 0xc0) == 0x80)
                put(t, t->p++, 1);
        return true;
}

/* After "[". */
static bool class_expression(Translator *t)
{
        bool is_category;

        put(t, "[", 1);
        if (take(t, '^'))
                put(t, "^", 1);
        if (take(t, '-'))
                put(t, "\\-", 2);
        else if (peek(t, ']'))
                return false;
        while (!take(t, ']')) {
                if (peek(t, '-') && t->end - t->p >= 2 && t->p[1] == ']') {
                        put(t, "\\-", 2);
                        t->p++;
                        continue;
                }
                if (!category_escape(t, &is_category))
                        return false;
                if (is_category)
                        continue;
                if (!class_char(t))
                        return false;
                if (peek(t, '-') && t->end - t->p >= 2 && t->p[1] != ']') {
                        put(t, "-", 1);
                        t->p++;
                        if (!class_char(t))
                                return false;
                }
        }
        put(t, "]", 1);
        return true;
}

static bool digits(Translator *t)
{
        const char *begin = t->p;

        while (t->p < t->end && *t->p >= '0' && *t->p <= '9')
                t->p++;
        put(t, begin, (size_t)(t->p - begin));
        return t->p > begin;
}

static bool quantifier(Translator *t)
{
        if (t->p < t->end && is_one_of(*t->p, "*+?")) {
                put(t, t->p++, 1);
                return true;
        }
        if (!take(t, '{'))
                return true;
        put(t, "{", 1);
        if (!digits(t))
                return false;
        if (take(t, ',')) {
                put(t, ",", 1);
                (void)digits(t);
        }
        put(t, "}", 1);
        return take(t, '}');
}

static bool alternatives(Translator *t, unsigned depth);

static bool atom(Translator *t, unsigned depth)
{
        bool is_category;

        if (take(t, '(')) {
                put(t, "(?:", 3);
                if (depth >= REGEX_MAX_DEPTH || !alternatives(t, depth + 1) || !take(t, ')'))
                        return false;
                put(t, ")", 1);
                return true;
        }
        if (take(t, '.')) {
                put(t, "[^\\n\\r]", 7);
                return true;
        }
        if (take(t, '['))
                return class_expression(t);
        if (!category_escape(t, &is_category))
                return false;
        if (is_category)
                return true;
        if (take(t, '\\'))
                return single_escape(t);
        if (is_one_of(*t->p, ")*+?]{}"))
                return false;
        if (is_one_of(*t->p, "^$")) {
                put(t, t->p++, 1);
                return true;
        }
        put_literal(t, *t->p++);
        while (t->p < t->end && (*t->p & 0xc0) == 0x80)
                put(t, t->p++, 1);
        return true;
}

static bool alternatives(Translator *t, unsigned depth)
{
        while (t->p < t->end && *t->p != ')') {
                if (take(t, '|'))
                        put(t, "|", 1);
                else if (!atom(t, depth) || !quantifier(t))
                        return false;
        }
        return true;
}

int regex_translate_i_regexp(const char *pattern, size_t n, Buffer *out)
{
        Translator t = { .p = pattern, .end = pattern + n, .out = out };

        if (!alternatives(&t, 0) || t.p < t.end)
                return -EINVAL;
        return t.error;
}
