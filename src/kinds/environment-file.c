/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kinds/environment-file.h"

#include <ctype.h>

#include "base/buffer.h"
#include "base/string-util.h"

#define ASSIGNMENTS_MAX 1024U

int environment_assign(StringList *list, const char *assignment)
{
        size_t n = strcspn(assignment, "=") + 1;

        for (size_t i = 0; i < list->n; i++)
                if (strncmp(list->strings[i], assignment, n) == 0)
                        return free_and_strdup(&list->strings[i], assignment);
        return string_list_append(list, assignment);
}

static bool name_is_valid(const char *name, size_t n)
{
        if (n == 0 || isdigit((unsigned char)name[0]))
                return false;
        for (size_t i = 0; i < n; i++)
                if (!isalnum((unsigned char)name[i]) && name[i] != '_')
                        return false;
        return true;
}

/* A quoted part, from behind its opening QUOTE to behind the closing one. -EBADMSG where that is missing. */
static int parse_quoted(const char **p, char quote, Buffer *value, unsigned *line)
{
        const char *s = *p;
        int r = 0;

        for (; *s && *s != quote && r >= 0; s++) {
                if (quote == '"' && *s == '\\' && s[1] == '\n') {
                        (*line)++;
                        s++;
                        continue;
                }
                if (quote == '"' && *s == '\\' && s[1] && strchr("\"\\`$", s[1]))
                        s++;
                *line += *s == '\n';
                r = buffer_append_char(value, *s);
        }
        if (r >= 0 && !*s)
                return -EBADMSG;
        *p = s + (*s == quote);
        return r;
}

/* From behind the equals sign to the end of the line. */
static int parse_value(const char **p, Buffer *value, unsigned *line)
{
        const char *s = *p + strspn(*p, " \t");
        size_t keep = value->len; /* blanks behind this are dropped at the end */
        int r = 0;

        while (r >= 0 && *s && *s != '\n') {
                if (*s == '\'' || *s == '"') {
                        char quote = *s++;

                        r = parse_quoted(&s, quote, value, line);
                        keep = value->len;
                } else if (*s == '\\' && s[1] == '\n') {
                        s += 2;
                        (*line)++;
                } else {
                        bool escaped = *s == '\\' && s[1];

                        s += escaped;
                        r = buffer_append_char(value, *s);
                        if (escaped || !strchr(" \t\r", *s))
                                keep = value->len;
                        s++;
                }
        }
        if (r < 0)
                return r;
        value->len = keep;
        value->data[keep] = '\0';
        *p = s;
        return 0;
}

int environment_file_parse(const char *text, StringList *list, unsigned *ret_line)
{
        unsigned line = 1;
        size_t n = 0;

        for (const char *s = text; *s; line++) {
                _cleanup_buffer_ Buffer assignment = BUFFER_NULL;
                unsigned first = line;
                size_t length;
                int r;

                s += strspn(s, " \t\r");
                length = strcspn(s, "=\n");
                if (*s == '#' || *s == ';' || *s == '\n' || !*s) {
                        s += strcspn(s, "\n");
                } else {
                        while (length > 0 && s[length] == '=' && strchr(" \t", s[length - 1]))
                                length--;
                        if (s[strcspn(s, "=\n")] != '=' || !name_is_valid(s, length)) {
                                *ret_line = first;
                                return -EBADMSG;
                        }
                        r = buffer_append(&assignment, s, length);
                        s += strcspn(s, "=") + 1;
                        if (r >= 0)
                                r = buffer_append_char(&assignment, '=');
                        if (r >= 0)
                                r = parse_value(&s, &assignment, &line);
                        if (r >= 0)
                                r = ++n > ASSIGNMENTS_MAX ? -E2BIG : environment_assign(list, buffer_string(&assignment));
                        if (r < 0) {
                                *ret_line = first;
                                return r;
                        }
                }
                s += *s == '\n';
        }
        return 0;
}
