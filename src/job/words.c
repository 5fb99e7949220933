/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job/words.h"

#include <stdio.h>

#include "base/string-util.h"

#define BLANKS " \t\r\n"

/* Reads exactly N digits of BASE at S. */
static int read_digits(const char *s, unsigned n, unsigned base, uint32_t *ret)
{
        uint32_t value = 0;

        for (unsigned i = 0; i < n; i++) {
                char c = s[i];
                unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0') :
                                 c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 :
                                 c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10 : base;

                if (digit >= base)
                        return -EBADMSG;
                value = value * base + digit;
        }
        *ret = value;
        return 0;
}

static int append_code_point(Buffer *out, uint32_t c)
{
        char s[4];
        size_t n = 0;

        if (c < 0x80) {
                s[n++] = (char)c;
        } else if (c < 0x800) {
                s[n++] = (char)(0xc0 | c >> 6);
                s[n++] = (char)(0x80 | (c & 0x3f));
        } else if (c < 0x10000) {
                s[n++] = (char)(0xe0 | c >> 12);
                s[n++] = (char)(0x80 | (c >> 6 & 0x3f));
                s[n++] = (char)(0x80 | (c & 0x3f));
        } else {
                s[n++] = (char)(0xf0 | c >> 18);
                s[n++] = (char)(0x80 | (c >> 12 & 0x3f));
                s[n++] = (char)(0x80 | (c >> 6 & 0x3f));
                s[n++] = (char)(0x80 | (c & 0x3f));
        }
        return buffer_append(out, s, n);
}

/* S is behind the backslash. Returns the number of bytes used, 0 where this is no escape, or -ENOMEM. */
static int unescape(const char *s, Buffer *out)
{
        static const char names[] = "abfnrtvs\\\"';";
        static const char values[] = "\a\b\f\n\r\t\v \\\"';";
        static const struct {
                char name; /* 0: none */
                unsigned digits, base;
        } numbers[] = { { 'x', 2, 16 }, { 'u', 4, 16 }, { 'U', 8, 16 }, { 0, 3, 8 } };
        const char *p = s[0] ? strchr(names, s[0]) : NULL;

        if (p) {
                int r = buffer_append_char(out, values[p - names]);

                return r < 0 ? r : 1;
        }
        for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
                size_t prefix = numbers[i].name ? 1 : 0;
                bool byte = numbers[i].digits < 4;
                uint32_t value;
                int r;

                if (prefix > 0 && s[0] != numbers[i].name)
                        continue;
                if (read_digits(s + prefix, numbers[i].digits, numbers[i].base, &value) < 0)
                        continue;
                if (value == 0 || value > (byte ? 0xff : 0x10ffff) || (value >= 0xd800 && value <= 0xdfff))
                        return 0;
                r = byte ? buffer_append_char(out, (char)value) : append_code_point(out, value);
                return r < 0 ? r : (int)(prefix + numbers[i].digits);
        }
        return 0;
}

int words_next(const char *start, const char **p, char **ret, TextError *ret_error)
{
        _cleanup_buffer_ Buffer word = BUFFER_NULL;
        const char *s = *p + strspn(*p, BLANKS);
        const char *opened = NULL; /* the quote that is open */
        char *text;
        int r;

        if (!*s) {
                *p = s;
                return 0;
        }
        for (; *s && (opened || !strchr(BLANKS, *s)); s++) {
                if (opened && *s == *opened) {
                        opened = NULL;
                } else if (!opened && (*s == '"' || *s == '\'')) {
                        opened = s;
                } else if (*s == '\\') {
                        r = unescape(s + 1, &word);
                        if (r < 0)
                                return r;
                        if (r == 0)
                                return text_error(ret_error, (size_t)(s - start),
                                                  "unknown escape '\\%.1s': write \\\\ for a backslash", s + 1);
                        s += r;
                } else {
                        r = buffer_append_char(&word, *s);
                        if (r < 0)
                                return r;
                }
        }
        if (opened)
                return text_error(ret_error, (size_t)(opened - start), "the quote %c is never closed", *opened);

        text = buffer_steal(&word);
        if (!text)
                return -ENOMEM;
        *ret = text;
        *p = s + strspn(s, BLANKS);
        return 1;
}

char **words_free(char **words)
{
        for (char **w = words; w && *w; w++)
                free(*w);
        free(words);
        return NULL;
}

int words_split(const char *s, char ***ret, TextError *ret_error)
{
        _cleanup_(words_freep) char **words = new0(char *, 1);
        const char *p = s;
        size_t n = 0;

        if (!words)
                return -ENOMEM;
        for (;;) {
                char *word, **grown;
                int r;

                r = words_next(s, &p, &word, ret_error);
                if (r < 0)
                        return r;
                if (r == 0)
                        break;
                if (n == WORDS_MAX) {
                        free(word);
                        return text_error(ret_error, (size_t)(p - s), "more than %u words", WORDS_MAX);
                }
                grown = realloc(words, (n + 2) * sizeof(*words));
                if (!grown) {
                        free(word);
                        return -ENOMEM;
                }
                words = grown;
                words[n++] = word;
                words[n] = NULL;
        }
        *ret = TAKE_PTR(words);
        return (int)n;
}

struct CommandLine {
        size_t n;
        struct {
                Template *template;
                size_t offset; /* of the word in the line */
        } words[];
};

CommandLine *command_line_free(CommandLine *line)
{
        for (size_t i = 0; line && i < line->n; i++)
                template_free(line->words[i].template);
        free(line);
        return NULL;
}

/* Compiles one word, which stands at OFFSET of the line. */
static int compile_word(const char *word, size_t offset, Template **ret, TextError *ret_error)
{
        TextError error;
        int r;

        r = template_compile(word, TEMPLATE_PLAIN, ret, &error);
        if (r != -EBADMSG)
                return r;
        /* Quotes and escapes may have moved the place inside the word; what was found there is in the text. */
        return text_error(ret_error, offset + error.offset, "%s", error.message);
}

/*
 * Whether what stands at S, outside of quotes, is meant for a shell: a redirection, a pipe, a list. What is in the way of
 * an argument that is to look so is a quote or a backslash before it.
 */
static bool is_for_shell(const char *s)
{
        static const char *const operators[] = { "|", "||", "|&", "&&", "&" };
        size_t n = strcspn(s, BLANKS), digits = strspn(s, "012");

        for (size_t i = 0; i < ARRAY_SIZE(operators); i++)
                if (strlen(operators[i]) == n && strncmp(s, operators[i], n) == 0)
                        return true;
        return digits <= 1 && (s[digits] == '>' || (s[digits] == '<' && (n == digits + 1 || s[digits + 1] == '/'))) &&
               s[digits + 1] != '=';
}

int command_line_compile(const char *s, CommandLine **ret, TextError *ret_error)
{
        _cleanup_(command_line_freep) CommandLine *line = NULL;
        const char *p = s;

        for (;;) {
                _cleanup_free_ char *word = NULL;
                size_t offset = (size_t)(p - s) + strspn(p, BLANKS), n = line ? line->n : 0;
                CommandLine *grown;
                int r;

                r = words_next(s, &p, &word, ret_error);
                if (r < 0)
                        return r;
                if (r == 0)
                        break;
                if (n == 0 && !*word)
                        return text_error(ret_error, offset, "the program is an empty word");
                if (s[offset] == ';' && streq(word, ";"))
                        return text_error(ret_error, offset, "';' separates nothing here: write \\; for the "
                                          "argument, or let a shell run both: sh -c 'one; two'");
                if (is_for_shell(s + offset))
                        return text_error(ret_error, offset, "'%.*s' is for a shell, and none sees it: say sh -c '…', or "
                                          "quote it where it is an argument", (int)MIN(strcspn(s + offset, BLANKS), (size_t)32), s + offset);
                if (n == WORDS_MAX)
                        return text_error(ret_error, offset, "more than %u words", WORDS_MAX);

                grown = realloc(line, sizeof(*line) + (n + 1) * sizeof(line->words[0]));
                if (!grown)
                        return -ENOMEM;
                line = grown;
                line->n = n;
                line->words[n].offset = offset;
                r = compile_word(word, offset, &line->words[n].template, ret_error);
                if (r < 0)
                        return r;
                line->n++;
        }
        if (!line)
                return text_error(ret_error, 0, "no program is named");
        *ret = TAKE_PTR(line);
        return 0;
}

size_t command_line_size(const CommandLine *line)
{
        return line->n;
}

const Template *command_line_word(const CommandLine *line, size_t i)
{
        return line->words[i].template;
}

bool command_line_has_credential(const CommandLine *line)
{
        for (size_t i = 0; i < line->n; i++)
                if (template_has_credential(line->words[i].template))
                        return true;
        return false;
}

bool command_line_uses(const CommandLine *line, const char *name)
{
        for (size_t i = 0; i < command_line_size(line); i++)
                if (template_uses(command_line_word(line, i), name))
                        return true;
        return false;
}

int command_line_check_names(const CommandLine *line, const TemplateNames *names, TextError *ret_error)
{
        for (size_t i = 0; i < line->n; i++) {
                TextError error;
                int r;

                r = template_check_names(line->words[i].template, names, &error);
                if (r == -EBADMSG)
                        return text_error(ret_error, line->words[i].offset + error.offset, "%s", error.message);
                if (r < 0)
                        return r;
        }
        return 0;
}

int command_line_expand(const CommandLine *line, const TemplateContext *context, char ***ret, char **ret_error)
{
        _cleanup_(words_freep) char **argv = new0(char *, line->n + 1);

        if (!argv)
                return -ENOMEM;
        for (size_t i = 0; i < line->n; i++) {
                _cleanup_buffer_ Buffer word = BUFFER_NULL;
                int r;

                r = template_expand(line->words[i].template, context, &word, ret_error);
                if (r < 0)
                        return r;
                argv[i] = buffer_steal(&word);
                if (!argv[i])
                        return -ENOMEM;
        }
        *ret = TAKE_PTR(argv);
        return 0;
}
