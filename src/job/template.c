/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A template is a list of literals and placeholders. Everything that can be wrong with a text is
 * found here, once; expansion (template-expand.c) walks the list and only asks for values.
 *
 * A JSON text is followed with one bit, inside or outside a string literal, which is all that a
 * placeholder's meaning depends on. That the text is JSON is proved by parsing a copy in which a
 * number of the same length stands for each placeholder outside of strings: any other value may
 * then stand there too, because JSON's grammar does not tell values apart.
 */
#include "job/template-internal.h"

#include <stdio.h>

#include "base/string-util.h"
#include "job/time-format.h"

static const struct Source {
        const char *name;
        PartType type;
        bool fallback; /* ":-TEXT" may follow */
        const char *usage;
} sources[] = {
        { "env", PART_ENVIRONMENT, true, "${env:NAME}" },
        { "credential", PART_CREDENTIAL, true, "${credential:NAME}" },
        { "random", PART_RANDOM, false, "${random:MINIMUM..MAXIMUM}" },
        { "scheduled", PART_SCHEDULED, false, "${scheduled}, ${scheduled:FORMAT} or ${scheduled@ZONE:FORMAT}" },
        { "last", PART_LAST, true, "${last:OUTPUT}" },
        { "event", PART_EVENT, true, "${event} or ${event:NAME}, such as ${event:outputs.temp}" },
};

static void part_deinit(TemplatePart *part)
{
        free(part->text);
        free(part->name);
        free(part->zone);
        free(part->format);
        free(part->fallback);
        json_doc_free(part->fallback_doc);
}

Template *template_free(Template *t)
{
        for (size_t i = 0; t && i < t->n_parts; i++)
                part_deinit(t->parts + i);
        if (t)
                free(t->parts);
        free(t);
        return NULL;
}

/* Room for one part more, which counts once its caller has raised N_PARTS. */
static int next_part(Template *t, size_t offset, TemplatePart **ret, TextError *ret_error)
{
        if (t->n_parts == TEMPLATE_PARTS_MAX)
                return text_error(ret_error, offset, "more than %u parts", TEMPLATE_PARTS_MAX);
        /* Grown at powers of two. */
        if ((t->n_parts & (t->n_parts - 1)) == 0) {
                TemplatePart *grown = realloc(t->parts, MAX(t->n_parts * 2, (size_t)1) * sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                t->parts = grown;
        }
        *ret = t->parts + t->n_parts;
        **ret = (TemplatePart){ .offset = offset };
        return 0;
}

static int add_literal(Template *t, size_t offset, const Buffer *text, TextError *ret_error)
{
        TemplatePart *part;
        int r;

        r = next_part(t, offset, &part, ret_error);
        if (r < 0)
                return r;
        part->text = strndup(buffer_string(text), text->len);
        if (!part->text)
                return -ENOMEM;
        part->text_len = text->len;
        t->n_parts++;
        return 0;
}

/* How much of S is the name of a parameter or output. */
static size_t name_span(const char *s)
{
        static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";

        if (!s[0] || !strchr(letters, s[0]))
                return 0;
        return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789-");
}

/* "@ZONE", ":FORMAT", both or nothing, as the rest of a time; OFFSET is where S stands. */
static int parse_time(TemplatePart *part, const char *s, size_t offset, TextError *ret_error)
{
        const char *start = s;
        TextError error;

        if (*s == '@') {
                size_t n = strcspn(++s, ":");

                if (n == 0)
                        return text_error(ret_error, offset,
                                          "a time zone is missing behind '@', such as @Europe/Kyiv");
                part->zone = strndup(s, n);
                if (!part->zone)
                        return -ENOMEM;
                s += n;
        }
        if (!*s)
                return 0;
        if (*s != ':' || !s[1])
                return text_error(ret_error, offset + (size_t)(s - start),
                                  "a format of strftime(3) is missing, such as :%%Y-%%m-%%d");
        s++;
        if (time_format_check(s, &error) < 0)
                return text_error(ret_error, offset + (size_t)(s - start) + error.offset, "%s", error.message);
        part->format = strdup(s);
        return part->format ? 0 : -ENOMEM;
}

static int parse_random(TemplatePart *part, const char *s, size_t offset, TextError *ret_error)
{
        const char *dots = strstr(s, "..");
        _cleanup_free_ char *minimum = dots ? strndup(s, (size_t)(dots - s)) : NULL;

        if (dots && !minimum)
                return -ENOMEM;
        if (!dots || parse_int64(minimum, &part->minimum) < 0 || parse_int64(dots + 2, &part->maximum) < 0)
                return text_error(ret_error, offset, "expected two whole numbers, such as ${random:1..251}");
        if (part->minimum > part->maximum)
                return text_error(ret_error, offset, "the range is empty: its first number is the larger one");
        return 0;
}

/* The name of a variable, credential or output, and its fallback. */
static int parse_name(Template *t, TemplatePart *part, const struct Source *source, const char *s, size_t offset,
                      TextError *ret_error)
{
        const char *fallback = strstr(s, ":-");
        size_t n = fallback ? (size_t)(fallback - s) : strlen(s);
        bool good;

        if (part->type == PART_LAST)
                good = n > 0 && n <= TEMPLATE_NAME_MAX && name_span(s) == n;
        else if (part->type == PART_EVENT)
                good = n > 0 && n <= TEMPLATE_NAME_MAX && name_span(s) > 0 && !memchr(s, ':', n);
        else if (part->type == PART_ENVIRONMENT)
                good = n > 0 && !memchr(s, '=', n) && !memchr(s, ':', n);
        else /* systemd.exec(5): a credential's name is a file name */
                good = n > 0 && n <= 255 && !memchr(s, '/', n) && !memchr(s, ':', n) &&
                       strncmp(s, "..", n) != 0;
        if (!good)
                return text_error(ret_error, offset, "expected %s", source->usage);

        part->name = strndup(s, n);
        if (!part->name)
                return -ENOMEM;
        if (!fallback)
                return 0;
        part->has_fallback = true;
        part->fallback = strdup(fallback + 2);
        if (!part->fallback)
                return -ENOMEM;
        if (t->escape == TEMPLATE_JSON && !part->in_string &&
            json_parse(part->fallback, strlen(part->fallback), NULL, &part->fallback_doc, NULL) == -ENOMEM)
                return -ENOMEM;
        return 0;
}

static int parse_parameter(TemplatePart *part, const char *s, size_t offset, TextError *ret_error)
{
        size_t n = name_span(s);

        if (n == 0)
                return text_error(ret_error, offset, *s ? "a name begins with a letter or '_'" :
                                  "a name is missing; write $$ for a dollar");
        if (n > TEMPLATE_NAME_MAX)
                return text_error(ret_error, offset, "a name has at most %u bytes", TEMPLATE_NAME_MAX);
        if (startswith(s + n, ":-"))
                return text_error(ret_error, offset + n, "a parameter's default belongs into its Parameter= line");
        if (s[n] && s[n] != '@' && (s[n] != ':' || s[n + 1] != '%'))
                return text_error(ret_error, offset, "'%.40s' is none of env:, credential:, random:, scheduled:, "
                                  "last:, event: and no name of a parameter", s);
        part->type = PART_PARAMETER;
        part->name = strndup(s, n);
        if (!part->name)
                return -ENOMEM;
        return parse_time(part, s + n, offset + n, ret_error);
}

/* What stands between the braces. */
static int parse_placeholder(Template *t, TemplatePart *part, const char *s, size_t offset, TextError *ret_error)
{
        if (streq(s, "%i")) {
                part->type = PART_INSTANCE;
                return 0;
        }
        for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
                const struct Source *source = sources + i;
                const char *rest = startswith(s, source->name);

                if (!rest || (*rest && *rest != ':' && *rest != '@'))
                        continue;
                part->type = source->type;
                if (part->type == PART_SCHEDULED)
                        return parse_time(part, rest, offset + (size_t)(rest - s), ret_error);
                /* The event as a whole. */
                if (part->type == PART_EVENT && !*rest) {
                        part->name = strdup("");
                        return part->name ? 0 : -ENOMEM;
                }
                if (*rest != ':')
                        return text_error(ret_error, offset, "expected %s", source->usage);
                rest++;
                if (part->type == PART_RANDOM)
                        return parse_random(part, rest, offset + (size_t)(rest - s), ret_error);
                return parse_name(t, part, source, rest, offset + (size_t)(rest - s), ret_error);
        }
        return parse_parameter(part, s, offset, ret_error);
}

/* The brace that closes the one before S; braces inside are counted. NULL: there is none. */
static const char *closing_brace(const char *s)
{
        unsigned open = 1;

        for (; *s; s++) {
                if (*s == '{')
                        open++;
                else if (*s == '}' && --open == 0)
                        return s;
        }
        return NULL;
}

static int add_placeholder(Template *t, const char *text, size_t offset, bool in_string, size_t *ret_len,
                           TextError *ret_error)
{
        const char *start = text + offset, *end = closing_brace(start + 2);
        _cleanup_free_ char *inside = NULL;
        TemplatePart *part;
        int r;

        if (!end)
                return text_error(ret_error, offset, "'${' is never closed; write $$ for a dollar, and quote a "
                                  "word that holds a blank");
        inside = strndup(start + 2, (size_t)(end - start - 2));
        if (!inside)
                return -ENOMEM;
        r = next_part(t, offset, &part, ret_error);
        if (r < 0)
                return r;
        t->n_parts++;
        part->in_string = in_string;
        part->text_len = (size_t)(end + 1 - start);
        part->text = strndup(start, part->text_len);
        if (!part->text)
                return -ENOMEM;
        r = parse_placeholder(t, part, inside, offset + 2, ret_error);
        if (r < 0)
                return r;
        t->has_credential = t->has_credential || part->type == PART_CREDENTIAL;
        *ret_len = part->text_len;
        return 0;
}

/* Whether the text is JSON with any value in place of its placeholders. */
static int check_json(const Template *t, const char *text, TextError *ret_error)
{
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_free_ char *copy = strdup(text);
        size_t offset = 0;
        JsonError error;
        int r;

        if (!copy)
                return -ENOMEM;
        for (const TemplatePart *p = t->parts; p < t->parts + t->n_parts; p++) {
                if (p->type == PART_LITERAL)
                        continue;
                if (!p->in_string) {
                        memset(copy + p->offset, ' ', p->text_len);
                        copy[p->offset + 1] = '0';
                        continue;
                }
                /* Left as it is, so that different placeholders stay different as keys. */
                for (char *c = copy + p->offset; c < copy + p->offset + p->text_len; c++)
                        if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ')
                                *c = '_';
        }
        r = json_parse(copy, strlen(copy), NULL, &doc, &error);
        if (r >= 0 || r == -ENOMEM)
                return r;
        for (unsigned line = 1; line < error.line && strchr(copy + offset, '\n'); line++)
                offset = (size_t)(strchr(copy + offset, '\n') - copy) + 1;
        offset = MIN(offset + MAX(error.column, 1U) - 1, strlen(copy));
        for (const TemplatePart *p = t->parts; p < t->parts + t->n_parts; p++)
                if (p->type != PART_LITERAL && offset > p->offset && offset < p->offset + p->text_len)
                        offset = p->offset;
        return text_error(ret_error, offset, "not JSON: %s", error.message);
}

static int compile(Template *t, const char *text, TextError *ret_error)
{
        const bool json = t->escape == TEMPLATE_JSON;
        _cleanup_buffer_ Buffer literal = BUFFER_NULL;
        size_t literal_offset = 0, i = 0;
        bool in_string = false; /* of a JSON text */
        int r;

        while (text[i]) {
                size_t n = 1;

                if (text[i] == '$' && text[i + 1] == '{') {
                        if (literal.len > 0) {
                                r = add_literal(t, literal_offset, &literal, ret_error);
                                if (r < 0)
                                        return r;
                                buffer_clear(&literal);
                        }
                        r = add_placeholder(t, text, i, in_string, &n, ret_error);
                        if (r < 0)
                                return r;
                        i += n;
                        literal_offset = i;
                        continue;
                }
                if (json && text[i] == '"')
                        in_string = !in_string;
                else if (in_string && text[i] == '\\' && text[i + 1])
                        n = 2;
                else if (text[i] == '$' && text[i + 1] == '$')
                        i++;
                r = buffer_append(&literal, text + i, n);
                if (r < 0)
                        return r;
                i += n;
        }
        if (literal.len > 0 || t->n_parts == 0) {
                r = add_literal(t, literal_offset, &literal, ret_error);
                if (r < 0)
                        return r;
        }
        return json ? check_json(t, text, ret_error) : 0;
}

int template_compile(const char *text, TemplateEscape escape, Template **ret, TextError *ret_error)
{
        _cleanup_(template_freep) Template *t = new0(Template, 1);
        int r;

        if (!t)
                return -ENOMEM;
        t->escape = escape;
        r = compile(t, text, ret_error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(t);
        return 0;
}

bool template_is_constant(const Template *t)
{
        return t->n_parts == 1 && t->parts[0].type == PART_LITERAL;
}

const char *template_constant(const Template *t)
{
        return template_is_constant(t) ? t->parts[0].text : NULL;
}

const char *template_beginning(const Template *t)
{
        return t->n_parts > 0 && t->parts[0].type == PART_LITERAL ? t->parts[0].text : "";
}

bool template_has_credential(const Template *t)
{
        return t->has_credential;
}

bool template_varies(const Template *t)
{
        for (size_t i = 0; i < t->n_parts; i++)
                if (t->parts[i].type != PART_LITERAL && t->parts[i].type != PART_ENVIRONMENT && t->parts[i].type != PART_CREDENTIAL)
                        return true;
        return false;
}

bool template_uses_job_zone(const Template *t)
{
        for (size_t i = 0; i < t->n_parts; i++)
                if (t->parts[i].format && !t->parts[i].zone)
                        return true;
        return false;
}

bool template_uses(const Template *t, const char *name)
{
        for (size_t i = 0; i < t->n_parts; i++)
                if (t->parts[i].type == PART_PARAMETER && streq(t->parts[i].name, name))
                        return true;
        return false;
}

bool template_next_need(const Template *t, size_t *i, TemplateNeed *ret)
{
        while (*i < t->n_parts) {
                const TemplatePart *part = &t->parts[(*i)++];

                if ((part->type != PART_CREDENTIAL && part->type != PART_ENVIRONMENT) || part->has_fallback)
                        continue;
                *ret = (TemplateNeed){ part->type == PART_CREDENTIAL, part->name, part->text };
                return true;
        }
        return false;
}

bool template_next_event(const Template *t, size_t *i, TemplateEvent *ret)
{
        while (*i < t->n_parts) {
                const TemplatePart *part = &t->parts[(*i)++];

                if (part->type != PART_EVENT)
                        continue;
                *ret = (TemplateEvent){ part->name, part->text, part->has_fallback };
                return true;
        }
        return false;
}

static int check_part(const TemplatePart *part, const TemplateNames *names, TextError *ret_error)
{
        bool is_time = true;

        if (part->type == PART_PARAMETER && names->parameter) {
                if (!names->parameter(part->name, &is_time, names->userdata))
                        return text_error(ret_error, part->offset, "no parameter '%s' is declared; write ${env:%s} for "
                                          "the environment, $${ for the text itself", part->name, part->name);
                if (!is_time && (part->format || part->zone))
                        return text_error(ret_error, part->offset, "parameter '%s' is no time and takes no format",
                                          part->name);
        }
        if (part->type == PART_LAST && names->output && !names->output(part->name, names->userdata))
                return text_error(ret_error, part->offset, "no output '%s' is declared by Output= in [Result]",
                                  part->name);
        if (part->zone && names->zone && !names->zone(part->zone, names->userdata))
                return text_error(ret_error, part->offset, "there is no time zone '%s'", part->zone);
        return 0;
}

int template_check_names(const Template *t, const TemplateNames *names, TextError *ret_error)
{
        for (size_t i = 0; i < t->n_parts; i++) {
                int r = check_part(t->parts + i, names, ret_error);

                if (r < 0)
                        return r;
        }
        return 0;
}
