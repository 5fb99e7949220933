/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job/parameter-internal.h"

#include "base/string-util.h"
#include "job/words.h"

#define BLANKS " \t\r\n"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* Defaults are tried once when they are declared; this stands for "now" then. */
#define TRIAL_REALTIME (UINT64_C(1000000000) * USEC_PER_SEC)

/* These begin something else in ${…}, or ask for the usage. */
static const char *const reserved_names[] = { "env", "credential", "random", "scheduled", "last", "help" };

ParameterSet *parameter_set_new(void)
{
        return new0(ParameterSet, 1);
}

static void parameter_deinit(Parameter *p)
{
        free(p->name);
        free(p->type_text);
        free(p->help);
        free(p->minimum.text);
        free(p->maximum.text);
        words_free(p->choices);
        free(p->default_text);
        free(p->default_json);
}

ParameterSet *parameter_set_free(ParameterSet *set)
{
        for (size_t i = 0; set && i < set->n; i++)
                parameter_deinit(set->parameters + i);
        if (set)
                free(set->parameters);
        free(set);
        return NULL;
}

/* --- declarations: each step reads from *P on, in the text that begins at START --- */

static int parse_name(const ParameterSet *set, Parameter *parameter, const char *start, const char **p,
                      TextError *e)
{
        size_t n = strspn(*p, LETTERS "_0123456789-"), offset = (size_t)(*p - start);

        if (n == 0 || !strchr(LETTERS "_", **p))
                return text_error(e, offset, "expected NAME:TYPE, such as seconds:duration=5s; "
                                  "a name begins with a letter");
        if (n > PARAMETER_NAME_MAX)
                return text_error(e, offset, "a name has at most %u bytes", PARAMETER_NAME_MAX);
        if ((*p)[n] != ':')
                return text_error(e, offset + n, "expected ':' and a type: string, int, float, bool, duration, "
                                  "time, choice(a|b), json");
        parameter->name = strndup(*p, n);
        if (!parameter->name)
                return -ENOMEM;
        for (size_t i = 0; i < ARRAY_SIZE(reserved_names); i++)
                if (streq(parameter->name, reserved_names[i]))
                        return text_error(e, offset, "the name '%s' is taken, for ${%s} or --help means something "
                                          "else", parameter->name, parameter->name);
        if (parameter_set_find(set, parameter->name, NULL))
                return text_error(e, offset, "there is a parameter '%s' already", parameter->name);
        *p += n + 1;
        return 0;
}

/* "LOWER..UPPER", the N bytes at S, which stand at OFFSET. */
static int parse_range(Parameter *parameter, const char *s, size_t n, size_t offset, TextError *e)
{
        _cleanup_free_ char *lower = strndup(s, n), *upper = NULL;
        char *dots;

        if (!lower)
                return -ENOMEM;
        dots = strstr(lower, "..");
        if (!dots || n == 2)
                return text_error(e, offset, "expected a range, such as 1..5, 1.. or ..5");
        *dots = '\0';
        upper = strdup(dots + 2);
        if (!upper)
                return -ENOMEM;
        if ((*lower && parameter_bound_parse(parameter->type, lower, &parameter->minimum) < 0) ||
            (*upper && parameter_bound_parse(parameter->type, upper, &parameter->maximum) < 0))
                return text_error(e, offset, "'%.*s' is no range of type %s", (int)n, s,
                                  parameter_type_to_string(parameter->type));
        if (*lower)
                parameter->minimum.text = TAKE_PTR(lower);
        if (*upper)
                parameter->maximum.text = TAKE_PTR(upper);
        if (parameter_range_is_empty(parameter))
                return text_error(e, offset, "the range is empty: its first end is the larger one");
        return 0;
}

static int parse_choices(Parameter *parameter, const char *s, size_t n, size_t offset, TextError *e)
{
        size_t count = 0, max = 1;

        for (size_t i = 0; i < n; i++)
                max += s[i] == '|';
        parameter->choices = new0(char *, max + 1);
        if (!parameter->choices)
                return -ENOMEM;
        for (size_t i = 0; i <= n;) {
                size_t len = 0;

                while (i + len < n && s[i + len] != '|')
                        len++;
                if (len == 0)
                        return text_error(e, offset + i, "a choice is empty; expected such as choice(slow|fast)");
                parameter->choices[count] = strndup(s + i, len);
                if (!parameter->choices[count])
                        return -ENOMEM;
                for (size_t k = 0; k < count; k++)
                        if (streq(parameter->choices[k], parameter->choices[count]))
                                return text_error(e, offset + i, "the choice '%s' stands here twice",
                                                  parameter->choices[k]);
                count++;
                i += len + 1;
        }
        return 0;
}

/* TYPE or TYPE(…) */
static int parse_type(Parameter *parameter, const char *start, const char **p, TextError *e)
{
        size_t n = strspn(*p, LETTERS), offset = (size_t)(*p - start), inside = 0;
        _cleanup_free_ char *name = strndup(*p, n);
        const char *open = *p + n, *close;
        int r = 0;

        if (!name)
                return -ENOMEM;
        if (parameter_type_from_string(name, &parameter->type) < 0)
                return text_error(e, offset, "'%s' is no type; there are string, int, float, bool, duration, "
                                  "time, choice(a|b), json", name);
        if (*open == '(') {
                close = strchr(open, ')');
                if (!close)
                        return text_error(e, offset + n, "'(' is never closed");
                inside = (size_t)(close - open - 1);
                n += inside + 2;
                offset = (size_t)(open + 1 - start);
                if (parameter->type == PARAMETER_CHOICE)
                        r = parse_choices(parameter, open + 1, inside, offset, e);
                else if (parameter_type_has_range(parameter->type))
                        r = parse_range(parameter, open + 1, inside, offset, e);
                else
                        r = text_error(e, offset, "type %s takes no range", name);
        } else if (parameter->type == PARAMETER_CHOICE) {
                r = text_error(e, offset, "the choices are missing, such as choice(slow|fast)");
        }
        if (r < 0)
                return r;
        parameter->type_text = strndup(*p, n);
        if (!parameter->type_text)
                return -ENOMEM;
        *p += n;
        return 0;
}

/* How much of S is one JSON value: up to a blank that is in no string, array or object. */
static size_t json_span(const char *s)
{
        unsigned depth = 0;
        bool in_string = false;
        size_t i = 0;

        for (; s[i] && (in_string || depth > 0 || !strchr(BLANKS, s[i])); i++) {
                if (s[i] == '"')
                        in_string = !in_string;
                else if (in_string && s[i] == '\\' && s[i + 1])
                        i++;
                else if (!in_string && (s[i] == '[' || s[i] == '{'))
                        depth++;
                else if (!in_string && (s[i] == ']' || s[i] == '}') && depth > 0)
                        depth--;
        }
        return i;
}

/* The word behind the "=", quoted or not; of json the value as it stands. */
static int read_default(Parameter *parameter, const char *start, const char **p, TextError *e)
{
        int r;

        if (!**p || strchr(BLANKS, **p)) {
                parameter->default_text = strdup("");
        } else if (parameter->type == PARAMETER_JSON && **p != '\'') {
                size_t n = json_span(*p);

                parameter->default_text = strndup(*p, n);
                *p += n;
        } else {
                r = words_next(start, p, &parameter->default_text, e);
                if (r < 0)
                        return r;
        }
        return parameter->default_text ? 0 : -ENOMEM;
}

static int parse_default(Parameter *parameter, const char *start, const char **p, TextError *e)
{
        const ParameterContext trial = { .now_realtime = TRIAL_REALTIME, .time_zone = "UTC" };
        _cleanup_buffer_ Buffer json = BUFFER_WITH_MAX(PARAMETERS_TEXT_MAX);
        size_t offset = (size_t)(*p - start);
        ParameterError error;
        JsonWriter w;
        int r;

        r = read_default(parameter, start, p, e);
        if (r < 0)
                return r;
        json_writer_init(&w, &json, 0);
        r = parameter_put_word(parameter, parameter->default_text, &trial, &w, &error);
        if (r == -EINVAL)
                return text_error(e, offset, "%s", error.message);
        if (r >= 0)
                r = json_writer_end(&w);
        if (r == -E2BIG)
                return text_error(e, offset, "the default is larger than %u bytes", PARAMETERS_TEXT_MAX);
        if (r < 0)
                return r;
        if (parameter->type == PARAMETER_TIME)
                return 0;
        parameter->default_json = buffer_steal(&json);
        return parameter->default_json ? 0 : -ENOMEM;
}

static int parse_declaration(const ParameterSet *set, Parameter *parameter, const char *s, TextError *e)
{
        const char *p = s + strspn(s, BLANKS);
        size_t n;
        int r;

        r = parse_name(set, parameter, s, &p, e);
        if (r >= 0)
                r = parse_type(parameter, s, &p, e);
        if (r >= 0 && *p == '=') {
                p++;
                r = parse_default(parameter, s, &p, e);
        } else if (r >= 0 && *p && !strchr(BLANKS, *p)) {
                r = text_error(e, (size_t)(p - s), "expected '=' and a default, or a blank and a help text");
        }
        if (r < 0)
                return r;
        p += strspn(p, BLANKS);
        n = strlen(p);
        while (n > 0 && strchr(BLANKS, p[n - 1]))
                n--;
        if (n > 0) {
                parameter->help = strndup(p, n);
                if (!parameter->help)
                        return -ENOMEM;
        }
        return 0;
}

int parameter_set_add(ParameterSet *set, const char *declaration, TextError *ret_error)
{
        Parameter parameter = {}, *grown;
        int r;

        if (set->n == PARAMETERS_MAX)
                return text_error(ret_error, 0, "a job has at most %u parameters", PARAMETERS_MAX);
        grown = realloc(set->parameters, (set->n + 1) * sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        set->parameters = grown;
        r = parse_declaration(set, &parameter, declaration, ret_error);
        if (r < 0) {
                parameter_deinit(&parameter);
                return r;
        }
        set->parameters[set->n++] = parameter;
        return 0;
}

/* --- what was declared --- */

size_t parameter_set_size(const ParameterSet *set)
{
        return set ? set->n : 0;
}

const char *parameter_set_name(const ParameterSet *set, size_t i)
{
        return set->parameters[i].name;
}

const char *parameter_set_help(const ParameterSet *set, size_t i)
{
        return set->parameters[i].help;
}

ParameterType parameter_set_type(const ParameterSet *set, size_t i)
{
        return set->parameters[i].type;
}

const char *parameter_set_type_name(const ParameterSet *set, size_t i)
{
        return parameter_type_to_string(set->parameters[i].type);
}

bool parameter_set_is_required(const ParameterSet *set, size_t i)
{
        return !set->parameters[i].default_text;
}

bool parameter_set_find(const ParameterSet *set, const char *name, size_t *ret)
{
        for (size_t i = 0; i < parameter_set_size(set); i++)
                if (streq(set->parameters[i].name, name)) {
                        if (ret)
                                *ret = i;
                        return true;
                }
        return false;
}

/* NAME in capitals, as a usage shows what stands for a value. */
static int append_metavar(Buffer *out, const char *name)
{
        int r = 0;

        for (; *name && r >= 0; name++) {
                bool lower = *name >= 'a' && *name <= 'z';

                r = buffer_append_char(out, lower ? (char)(*name - 'a' + 'A') : *name);
        }
        return r;
}

/* One line of the table: "  --seconds duration(1s..1h)   For how long (default: 5s)". */
static int append_row(Buffer *out, const Parameter *p, const JsonValue *earlier, size_t width)
{
        const char *otherwise = json_get(earlier, p->name) ? "as in that run" : p->default_text;
        size_t used = strlen(p->name) + 1 + strlen(p->type_text);
        int r;

        r = buffer_appendf(out, "  --%s %s", p->name, p->type_text);
        if (r >= 0 && (p->help || otherwise))
                r = buffer_appendf(out, "%*s", (int)(width - used + 2), "");
        if (r >= 0 && p->help)
                r = buffer_append_string(out, p->help);
        if (r >= 0 && otherwise)
                r = buffer_appendf(out, "%s(default: %s)", p->help ? " " : "", *otherwise ? otherwise : "''");
        return r < 0 ? r : buffer_append_char(out, '\n');
}

int parameter_usage(const ParameterSet *set, const char *program, const JsonValue *earlier, Buffer *out)
{
        size_t width = 0;
        int r;

        r = buffer_appendf(out, "Usage: %s", program);
        for (size_t i = 0; i < parameter_set_size(set) && r >= 0; i++) {
                const Parameter *p = set->parameters + i;
                bool optional = p->default_text || json_get(earlier, p->name);

                width = MAX(width, strlen(p->name) + 1 + strlen(p->type_text));
                r = buffer_append_string(out, optional ? " [" : " ");
                if (r >= 0)
                        r = append_metavar(out, p->name);
                if (r >= 0 && optional)
                        r = buffer_append_char(out, ']');
        }
        if (r < 0 || parameter_set_size(set) == 0)
                return r < 0 ? r : buffer_append_string(out, "\n\nTakes no parameters.\n");
        r = buffer_append_string(out, "\n\nBy position in this order, or by name:\n");
        for (size_t i = 0; i < set->n && r >= 0; i++)
                r = append_row(out, set->parameters + i, earlier, width);
        return r;
}

static void describe_text(JsonWriter *w, const char *key, const char *value)
{
        if (!value)
                return;
        json_key(w, key);
        json_string(w, value);
}

void parameter_describe(const ParameterSet *set, JsonWriter *w)
{
        json_begin_array(w);
        for (size_t i = 0; i < parameter_set_size(set); i++) {
                const Parameter *p = set->parameters + i;

                json_begin_object(w);
                describe_text(w, "name", p->name);
                describe_text(w, "type", parameter_type_to_string(p->type));
                json_key(w, "required");
                json_bool(w, !p->default_text);
                describe_text(w, "default", p->default_text);
                describe_text(w, "minimum", p->minimum.text);
                describe_text(w, "maximum", p->maximum.text);
                if (p->choices) {
                        json_key(w, "choices");
                        json_begin_array(w);
                        for (char **choice = p->choices; *choice; choice++)
                                json_string(w, *choice);
                        json_end_array(w);
                }
                describe_text(w, "help", p->help);
                json_end_object(w);
        }
        json_end_array(w);
}
