/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Arguments are first sorted out, what was named and then what is left by position, and only then
 * read by their types: so `run blink 5 --message Hello` means what it says.
 */
#include "job/parameter-internal.h"

#include "base/string-util.h"

typedef struct Binding {
        const ParameterSet *set;
        const char *words[PARAMETERS_MAX];       /* given as text */
        const JsonValue *values[PARAMETERS_MAX]; /* given as JSON */
        const char *positional[PARAMETERS_MAX];
        size_t n_positional;
        ParameterError *error;
} Binding;

static int unknown_name(const Binding *b, const char *name)
{
        _cleanup_buffer_ Buffer known = BUFFER_NULL;

        for (size_t i = 0; i < b->set->n; i++)
                (void)buffer_appendf(&known, "%s%s", i > 0 ? ", " : "; there are ", b->set->parameters[i].name);
        return parameter_error(b->error, name, "there is no parameter '%.63s'%s", name, buffer_string(&known));
}

static int twice(const Binding *b, size_t i)
{
        const char *name = b->set->parameters[i].name;

        return parameter_error(b->error, name, "parameter '%s' is given twice", name);
}

static bool is_given(const Binding *b, size_t i)
{
        return b->words[i] || b->values[i];
}

static int take_named(Binding *b, const JsonValue *named)
{
        if (!named || named->type == JSON_NULL)
                return 0;
        if (named->type != JSON_OBJECT)
                return parameter_error(b->error, NULL, "parameters are an object, not %s",
                                       json_type_name(named->type));
        for (uint32_t k = 0; k < named->n; k++) {
                const JsonMember *member = named->members + k;
                size_t i;

                if (strlen(member->key) != member->key_len || !parameter_set_find(b->set, member->key, &i))
                        return unknown_name(b, member->key);
                /* Null is the same as absent, as in Varlink; only for json it is a value like others. */
                if (member->value.type != JSON_NULL || b->set->parameters[i].type == PARAMETER_JSON)
                        b->values[i] = &member->value;
        }
        return 0;
}

/* "--NAME=VALUE" or "--NAME", with NEXT (may be NULL) behind it. Returns 1 where NEXT was its value. */
static int take_option(Binding *b, const char *option, const char *next)
{
        const char *equals = strchr(option, '=');
        _cleanup_free_ char *name = strndup(option, equals ? (size_t)(equals - option) : strlen(option));
        bool boolean;
        size_t i;

        if (!name)
                return -ENOMEM;
        if (!parameter_set_find(b->set, name, &i))
                return unknown_name(b, name);
        if (is_given(b, i))
                return twice(b, i);
        if (equals) {
                b->words[i] = equals + 1;
                return 0;
        }
        /* A bool needs no value, so that only a word that can be nothing else is taken for one. */
        if (b->set->parameters[i].type == PARAMETER_BOOL && (!next || parse_boolean(next, &boolean) < 0)) {
                b->words[i] = "true";
                return 0;
        }
        if (!next)
                return parameter_error(b->error, name, "--%s needs a value", name);
        b->words[i] = next;
        return 1;
}

static int take_positional(Binding *b, const char *word)
{
        if (b->n_positional == b->set->n)
                return parameter_error(b->error, NULL, "surplus argument '%.40s': the job takes %zu", word, b->set->n);
        b->positional[b->n_positional++] = word;
        return 0;
}

static int take_arguments(Binding *b, const char *const *args, size_t n)
{
        bool names = true;
        size_t p = 0;
        int r;

        for (size_t i = 0; i < n; i++) {
                if (names && streq(args[i], "--")) {
                        names = false;
                        continue;
                }
                if (names && startswith(args[i], "--"))
                        r = take_option(b, args[i] + 2, i + 1 < n ? args[i + 1] : NULL);
                else
                        r = take_positional(b, args[i]);
                if (r < 0)
                        return r;
                i += (size_t)r;
        }
        for (size_t i = 0; i < b->set->n && p < b->n_positional; i++)
                if (!is_given(b, i))
                        b->words[i] = b->positional[p++];
        if (p < b->n_positional)
                return parameter_error(b->error, NULL, "surplus argument '%.40s': all parameters are given by name",
                                       b->positional[p]);
        return 0;
}

/* A parameter that an earlier run had and the job has no more is a mistake: it was there for something. */
static int check_earlier(const Binding *b, const JsonValue *earlier)
{
        for (uint32_t k = 0; earlier && k < earlier->n; k++)
                if (!parameter_set_find(b->set, earlier->members[k].key, NULL))
                        return parameter_error(b->error, earlier->members[k].key,
                                               "the earlier run had a parameter '%.63s', which the job has no more",
                                               earlier->members[k].key);
        return 0;
}

/* What the earlier run had; NULL: nothing. */
static const JsonValue *earlier_value(const Parameter *p, const JsonValue *earlier)
{
        const JsonValue *value = json_get(earlier, p->name);

        return value && (value->type != JSON_NULL || p->type == PARAMETER_JSON) ? value : NULL;
}

static int put_earlier(const Binding *b, const Parameter *p, const JsonValue *value, const ParameterContext *context, JsonWriter *w)
{
        ParameterError error = {};
        int r = parameter_put_json(p, value, context, w, &error);

        if (r == -EINVAL)
                (void)parameter_error(b->error, p->name, "%.180s; this is what the earlier run had", error.message);
        return r;
}

static int put_parameter(const Binding *b, size_t i, const ParameterContext *context, JsonWriter *w)
{
        const Parameter *p = b->set->parameters + i;
        const JsonValue *earlier;

        json_key(w, p->name);
        if (b->values[i])
                return parameter_put_json(p, b->values[i], context, w, b->error);
        if (b->words[i])
                return parameter_put_word(p, b->words[i], context, w, b->error);
        earlier = earlier_value(p, context->earlier);
        if (earlier)
                return put_earlier(b, p, earlier, context, w);
        if (p->default_json) {
                json_raw(w, p->default_json, strlen(p->default_json));
                return 0;
        }
        if (p->default_text)
                return parameter_put_word(p, p->default_text, context, w, b->error);
        return parameter_error(b->error, p->name, "parameter '%s' is missing", p->name);
}

static int put_all(const Binding *b, const ParameterContext *context, Buffer *out)
{
        size_t start = out->len;
        JsonWriter w;
        int r;

        json_writer_init(&w, out, 0);
        json_begin_object(&w);
        for (size_t i = 0; i < b->set->n; i++) {
                r = put_parameter(b, i, context, &w);
                if (r < 0)
                        return r;
                if (out->len - start > PARAMETERS_TEXT_MAX)
                        return -E2BIG;
        }
        json_end_object(&w);
        return json_writer_end(&w);
}

int parameter_bind(const ParameterSet *set, const JsonValue *named, const char *const *args, size_t n,
                   const ParameterContext *context, Buffer *out, ParameterError *ret_error)
{
        static const ParameterSet empty;
        Binding b = { .set = set ? set : &empty, .error = ret_error };
        size_t start = out->len;
        int r;

        r = take_named(&b, named);
        if (r >= 0)
                r = take_arguments(&b, args, n);
        if (r >= 0)
                r = check_earlier(&b, context->earlier);
        if (r >= 0)
                r = put_all(&b, context, out);
        if (r >= 0)
                return 0;
        if (r == -E2BIG)
                (void)parameter_error(ret_error, NULL, "the parameters are larger than %u bytes",
                                      PARAMETERS_TEXT_MAX);
        if (out->data) {
                out->len = start;
                out->data[start] = '\0';
        }
        return r;
}
