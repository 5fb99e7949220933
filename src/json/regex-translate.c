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

/* --- ECMAScript: nearly PCRE2's own, with a few things spelled otherwise --- */

#define ECMA_BLANKS "\\s\\u00a0\\ufeff\\p{Z}"

/* General categories that have a long name as well. */
static const char *category_short_name(const char *name, size_t n)
{
        static const char *const names[][2] = {
                { "Letter", "L" }, { "Cased_Letter", "L&" }, { "Uppercase_Letter", "Lu" }, { "Lowercase_Letter", "Ll" },
                { "Titlecase_Letter", "Lt" }, { "Modifier_Letter", "Lm" }, { "Other_Letter", "Lo" },
                { "Mark", "M" }, { "Combining_Mark", "M" }, { "Nonspacing_Mark", "Mn" }, { "Spacing_Mark", "Mc" },
                { "Enclosing_Mark", "Me" }, { "Number", "N" }, { "Decimal_Number", "Nd" }, { "digit", "Nd" },
                { "Letter_Number", "Nl" }, { "Other_Number", "No" }, { "Punctuation", "P" }, { "punct", "P" },
                { "Connector_Punctuation", "Pc" }, { "Dash_Punctuation", "Pd" }, { "Open_Punctuation", "Ps" },
                { "Close_Punctuation", "Pe" }, { "Initial_Punctuation", "Pi" }, { "Final_Punctuation", "Pf" },
                { "Other_Punctuation", "Po" }, { "Symbol", "S" }, { "Math_Symbol", "Sm" }, { "Currency_Symbol", "Sc" },
                { "Modifier_Symbol", "Sk" }, { "Other_Symbol", "So" }, { "Separator", "Z" }, { "Space_Separator", "Zs" },
                { "Line_Separator", "Zl" }, { "Paragraph_Separator", "Zp" }, { "Other", "C" }, { "Control", "Cc" },
                { "cntrl", "Cc" }, { "Format", "Cf" }, { "Surrogate", "Cs" }, { "Private_Use", "Co" },
                { "Unassigned", "Cn" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (strlen(names[i][0]) == n && memcmp(names[i][0], name, n) == 0)
                        return names[i][1];
        return NULL;
}

/* At "\p{" or "\P{". */
static void ecma_property(Translator *t)
{
        static const char *const keys[] = { "General_Category=", "gc=", "Script_Extensions=", "scx=", "Script=", "sc=" };
        const char *name = t->p + 3, *close = memchr(name, '}', (size_t)(t->end - name)), *known;
        size_t n;

        put(t, t->p, 3);
        t->p = name;
        if (!close)
                return;
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
                size_t k = strlen(keys[i]);

                if ((size_t)(close - name) > k && memcmp(name, keys[i], k) == 0) {
                        name += k;
                        break;
                }
        }
        n = (size_t)(close - name);
        known = category_short_name(name, n);
        put(t, known ? known : name, known ? strlen(known) : n);
        t->p = close;
}

static void ecma_escape(Translator *t, bool in_class)
{
        char c = t->end - t->p >= 2 ? t->p[1] : '\0';

        if ((c == 'p' || c == 'P') && t->end - t->p >= 3 && t->p[2] == '{')
                return ecma_property(t);
        if (c == 's' && in_class)
                put(t, ECMA_BLANKS, strlen(ECMA_BLANKS));
        else if (c == 's')
                put(t, "[" ECMA_BLANKS "]", strlen("[" ECMA_BLANKS "]"));
        else if (c == 'S' && !in_class)
                put(t, "[^" ECMA_BLANKS "]", strlen("[^" ECMA_BLANKS "]"));
        else
                put(t, t->p, (size_t)MIN(t->end - t->p, 2));
        t->p += MIN(t->end - t->p, 2);
}

/* PCRE2 knows groups that run code of their own: recursion, conditions, callouts, verbs. */
static bool ecma_group_is_known(const Translator *t)
{
        if (t->end - t->p < 2 || (t->p[1] != '?' && t->p[1] != '*'))
                return true;
        return t->p[1] == '?' && t->end - t->p >= 3 && is_one_of(t->p[2], ":=!<");
}

/* At "[": where its negation and an empty class are behind. */
static void ecma_class_begin(Translator *t)
{
        put(t, t->p++, 1);
        if (peek(t, '^'))
                put(t, t->p++, 1);
}

int regex_translate_ecma(const char *pattern, size_t n, Buffer *out)
{
        static const char any[] = "[^\\n\\r\\u2028\\u2029]";
        Translator t = { .p = pattern, .end = pattern + n, .out = out };
        bool in_class = false;

        while (t.p < t.end) {
                char c = *t.p;

                if (c == '\\') {
                        ecma_escape(&t, in_class);
                } else if (c == '[' && !in_class) {
                        in_class = true;
                        ecma_class_begin(&t);
                } else if (c == '[') {
                        /* No POSIX class begins here. */
                        put(&t, "\\[", 2);
                        t.p++;
                } else if (c == '.' && !in_class) {
                        put(&t, any, strlen(any));
                        t.p++;
                } else {
                        if (c == '(' && !in_class && !ecma_group_is_known(&t))
                                return -EINVAL;
                        in_class = in_class && c != ']';
                        put(&t, t.p++, 1);
                }
        }
        return t.error;
}
