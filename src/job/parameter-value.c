/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job/parameter-internal.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/string-util.h"
#include "when/timespan.h"
#include "when/timestamp.h"
#include "when/zone.h"

#define SECONDS_PER_DAY 86400
#define REALTIME_MAX (UINT64_C(253402300800) * USEC_PER_SEC) /* the year 10000 */
#define DURATION_MAX (UINT64_C(1) << 51) /* usec, 71 years: seconds as a double tell one from the next */
#define DOUBLE_EXACT 9007199254740992.0 /* 2^53: whole numbers up to here are exact */
#define SHOWN_MAX 40                    /* bytes of a value in a message */

int parameter_error(ParameterError *e, const char *name, const char *format, ...)
{
        va_list ap;

        if (!e)
                return -EINVAL;
        (void)snprintf(e->name, sizeof(e->name), "%s", name ? name : "");
        e->name[utf8_check(e->name, strlen(e->name))] = '\0';
        va_start(ap, format);
        (void)vsnprintf(e->message, sizeof(e->message), format, ap);
        va_end(ap);
        e->message[utf8_check(e->message, strlen(e->message))] = '\0';
        return -EINVAL;
}

/* --- ranges --- */

static bool integer_fits(const Parameter *p, int64_t value)
{
        return (!p->minimum.text || value >= p->minimum.integer) &&
               (!p->maximum.text || value <= p->maximum.integer);
}

static bool number_fits(const Parameter *p, double value)
{
        return (!p->minimum.text || value >= p->minimum.number) &&
               (!p->maximum.text || value <= p->maximum.number);
}

static int parse_duration(const char *s, int64_t *ret)
{
        usec_t usec;

        if (timespan_parse(s, &usec, NULL) < 0 || usec > DURATION_MAX)
                return -EINVAL;
        *ret = (int64_t)usec;
        return 0;
}

int parameter_bound_parse(ParameterType type, const char *s, ParameterBound *ret)
{
        switch (type) {
        case PARAMETER_STRING:
                return parse_int64(s, &ret->integer) < 0 || ret->integer < 0 ? -EINVAL : 0;
        case PARAMETER_INT:
                return parse_int64(s, &ret->integer) < 0 ? -EINVAL : 0;
        case PARAMETER_FLOAT:
                return parse_double(s, &ret->number) < 0 ? -EINVAL : 0;
        case PARAMETER_DURATION:
                return parse_duration(s, &ret->integer);
        default:
                return -EINVAL;
        }
}

bool parameter_range_is_empty(const Parameter *p)
{
        return p->minimum.text && p->maximum.text &&
               (p->minimum.integer > p->maximum.integer || p->minimum.number > p->maximum.number);
}

/* --- text to values; -EINVAL leaves the message to the caller --- */

static int put_string(const Parameter *p, const char *s, _unused_ const ParameterContext *context, JsonWriter *w)
{
        size_t n = strlen(s);
        int64_t characters = 0;

        if (utf8_check(s, n) < n)
                return -EINVAL;
        for (size_t i = 0; i < n; i++)
                characters += ((unsigned char)s[i] & 0xc0) != 0x80;
        if (!integer_fits(p, characters))
                return -EINVAL;
        json_string_n(w, s, n);
        return 0;
}

static int put_int(const Parameter *p, const char *s, _unused_ const ParameterContext *context, JsonWriter *w)
{
        int64_t value;

        if (parse_int64(s, &value) < 0 || !integer_fits(p, value))
                return -EINVAL;
        json_int(w, value);
        return 0;
}

static int put_float(const Parameter *p, const char *s, _unused_ const ParameterContext *context, JsonWriter *w)
{
        double value;

        if (parse_double(s, &value) < 0 || !number_fits(p, value))
                return -EINVAL;
        json_double(w, value);
        return 0;
}

static int put_bool(_unused_ const Parameter *p, const char *s, _unused_ const ParameterContext *context,
                    JsonWriter *w)
{
        bool value;

        if (parse_boolean(s, &value) < 0)
                return -EINVAL;
        json_bool(w, value);
        return 0;
}

static int put_usec(const Parameter *p, int64_t usec, JsonWriter *w)
{
        if (!integer_fits(p, usec))
                return -EINVAL;
        if (usec % (int64_t)USEC_PER_SEC == 0)
                json_int(w, usec / (int64_t)USEC_PER_SEC);
        else
                json_double(w, (double)usec / (double)USEC_PER_SEC);
        return 0;
}

static int put_duration(const Parameter *p, const char *s, _unused_ const ParameterContext *context, JsonWriter *w)
{
        int64_t usec;

        return parse_duration(s, &usec) < 0 ? -EINVAL : put_usec(p, usec, w);
}

/* Midnight of the day that is DAYS after today in ZONE. */
static int midnight(const Zone *zone, usec_t now_realtime, int days, usec_t *ret)
{
        int64_t now = (int64_t)(now_realtime / USEC_PER_SEC), local, first, second;
        ZoneSpan span;

        zone_span(zone, now, &span);
        local = now + span.offset;
        local -= (local % SECONDS_PER_DAY + SECONDS_PER_DAY) % SECONDS_PER_DAY;
        (void)zone_resolve(zone, local + (int64_t)days * SECONDS_PER_DAY, &first, &second);
        if (first < 0)
                return -EINVAL;
        *ret = (usec_t)first * USEC_PER_SEC;
        return 0;
}

/* "+SPAN", "SPAN left", "-SPAN", "SPAN ago". */
static int parse_distance(const char *s, usec_t now_realtime, usec_t *ret)
{
        static const struct {
                const char *prefix, *suffix;
                bool past;
        } forms[] = { { "+", "", false }, { "-", "", true }, { "", " left", false }, { "", " ago", true } };
        size_t n = strlen(s);

        for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
                const char *span = startswith(s, forms[i].prefix);
                size_t cut = strlen(forms[i].suffix);
                _cleanup_free_ char *copy = NULL;
                usec_t usec;

                if (!span || n < cut || !streq(s + n - cut, forms[i].suffix))
                        continue;
                copy = strndup(span, strlen(span) - cut);
                if (!copy)
                        return -ENOMEM;
                if (timespan_parse(copy, &usec, NULL) < 0 || usec == USEC_INFINITY)
                        return -EINVAL;
                if (forms[i].past && usec > now_realtime)
                        return -EINVAL;
                *ret = forms[i].past ? now_realtime - usec : usec_add(now_realtime, usec);
                return 0;
        }
        return -EINVAL;
}

static int put_time(_unused_ const Parameter *p, const char *s, const ParameterContext *context, JsonWriter *w)
{
        static const struct {
                const char *name;
                int days;
        } days[] = { { "yesterday", -1 }, { "today", 0 }, { "tomorrow", 1 } };
        char iso[REALTIME_ISO_MAX];
        _cleanup_zone_ Zone *zone = NULL;
        usec_t realtime = USEC_INFINITY;
        int r;

        r = zone_load(context->time_zone, &zone, NULL);
        if (r < 0)
                return r == -ENOMEM ? r : -EINVAL;
        if (streq(s, "now"))
                realtime = context->now_realtime;
        for (size_t i = 0; i < ARRAY_SIZE(days); i++)
                if (streq(s, days[i].name) && midnight(zone, context->now_realtime, days[i].days, &realtime) < 0)
                        return -EINVAL;
        if (realtime == USEC_INFINITY) {
                r = parse_distance(s, context->now_realtime, &realtime);
                if (r == -EINVAL)
                        r = timestamp_parse(s, zone, &realtime, NULL);
                if (r < 0)
                        return r == -ENOMEM ? r : -EINVAL;
        }
        if (realtime >= REALTIME_MAX)
                return -EINVAL;
        json_string(w, realtime_to_iso(realtime, iso));
        return 0;
}

static int put_choice(const Parameter *p, const char *s, _unused_ const ParameterContext *context, JsonWriter *w)
{
        for (char **choice = p->choices; *choice; choice++)
                if (streq(*choice, s)) {
                        json_string(w, s);
                        return 0;
                }
        return -EINVAL;
}

static int put_text_as_json(_unused_ const Parameter *p, const char *s, _unused_ const ParameterContext *context,
                            JsonWriter *w)
{
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        int r;

        r = json_parse(s, strlen(s), NULL, &doc, NULL);
        if (r < 0)
                return r == -ENOMEM ? r : -EINVAL;
        json_value(w, json_root(doc));
        return 0;
}

/* --- JSON values other than strings --- */

/* A whole number, also where JSON has it as 5.0 or 5e0. */
static int put_json_int(const Parameter *p, const JsonValue *v, JsonWriter *w)
{
        int64_t value;

        if (v->type == JSON_INT)
                value = v->integer;
        else if (v->type == JSON_DOUBLE && fabs(v->number) <= DOUBLE_EXACT && trunc(v->number) == v->number)
                value = (int64_t)v->number;
        else
                return -EINVAL;
        if (!integer_fits(p, value))
                return -EINVAL;
        json_int(w, value);
        return 0;
}

static int put_json_float(const Parameter *p, const JsonValue *v, JsonWriter *w)
{
        double value;

        if (v->type != JSON_INT && v->type != JSON_DOUBLE)
                return -EINVAL;
        value = v->type == JSON_INT ? (double)v->integer : v->number;
        if (!number_fits(p, value))
                return -EINVAL;
        json_double(w, value);
        return 0;
}

static int put_json_bool(_unused_ const Parameter *p, const JsonValue *v, JsonWriter *w)
{
        if (v->type != JSON_BOOL)
                return -EINVAL;
        json_bool(w, v->boolean);
        return 0;
}

/* A number of seconds. */
static int put_json_duration(const Parameter *p, const JsonValue *v, JsonWriter *w)
{
        double usec;

        if (v->type != JSON_INT && v->type != JSON_DOUBLE)
                return -EINVAL;
        usec = round((v->type == JSON_INT ? (double)v->integer : v->number) * (double)USEC_PER_SEC);
        if (!(usec >= 0) || usec >= (double)DURATION_MAX)
                return -EINVAL;
        return put_usec(p, (int64_t)usec, w);
}

static int put_json_any(_unused_ const Parameter *p, const JsonValue *v, JsonWriter *w)
{
        json_value(w, v);
        return 0;
}

/* --- types --- */

static const struct Type {
        const char *name;
        const char *noun; /* what a value is called in messages */
        bool has_range;
        int (*put_word)(const Parameter *p, const char *s, const ParameterContext *context, JsonWriter *w);
        int (*put_json)(const Parameter *p, const JsonValue *v, JsonWriter *w); /* NULL: only text stands for it */
} types[] = {
        [PARAMETER_STRING] = { "string", "text", true, put_string, NULL },
        [PARAMETER_INT] = { "int", "a whole number", true, put_int, put_json_int },
        [PARAMETER_FLOAT] = { "float", "a number", true, put_float, put_json_float },
        [PARAMETER_BOOL] = { "bool", "one of true, yes, on, 1, false, no, off, 0", false, put_bool,
                             put_json_bool },
        [PARAMETER_DURATION] = { "duration", "a time span such as '2min 30s'", true, put_duration,
                                 put_json_duration },
        [PARAMETER_TIME] = { "time", "a time such as '2026-11-22 10:00:00' or 'now'", false, put_time, NULL },
        [PARAMETER_CHOICE] = { "choice", "one of", false, put_choice, NULL },
        [PARAMETER_JSON] = { "json", "JSON", false, put_text_as_json, put_json_any },
};

int parameter_type_from_string(const char *s, ParameterType *ret)
{
        for (size_t i = 0; i < ARRAY_SIZE(types); i++)
                if (streq(s, types[i].name)) {
                        *ret = (ParameterType)i;
                        return 0;
                }
        return -EINVAL;
}

const char *parameter_type_to_string(ParameterType type)
{
        return types[type].name;
}

bool parameter_type_has_range(ParameterType type)
{
        return types[type].has_range;
}

/* "parameter 'n': '7' is not a whole number from 1 to 5" */
static int value_error(const Parameter *p, const char *shown, size_t n, ParameterError *e)
{
        const char *lower = p->minimum.text, *upper = p->maximum.text;
        _cleanup_buffer_ Buffer wanted = BUFFER_NULL;

        if (!e)
                return -EINVAL;
        (void)buffer_append_string(&wanted, types[p->type].noun);
        for (char **choice = p->choices; choice && *choice; choice++)
                (void)buffer_appendf(&wanted, "%s %s", choice == p->choices ? "" : ",", *choice);
        if (lower && upper)
                (void)buffer_appendf(&wanted, " from %s to %s", lower, upper);
        else if (lower || upper)
                (void)buffer_appendf(&wanted, " of at %s %s", lower ? "least" : "most", lower ? lower : upper);
        if (p->type == PARAMETER_STRING)
                (void)buffer_append_string(&wanted, lower || upper ? " characters of UTF-8" : " in UTF-8");
        return parameter_error(e, p->name, "parameter '%s': '%.*s%s' is not %s", p->name,
                               (int)utf8_check(shown, MIN(n, (size_t)SHOWN_MAX)), shown, n > SHOWN_MAX ? "…" : "",
                               buffer_string(&wanted));
}

int parameter_put_word(const Parameter *p, const char *word, const ParameterContext *context, JsonWriter *w,
                       ParameterError *ret_error)
{
        int r = types[p->type].put_word(p, word, context, w);

        return r == -EINVAL ? value_error(p, word, strlen(word), ret_error) : r;
}

int parameter_put_json(const Parameter *p, const JsonValue *value, const ParameterContext *context, JsonWriter *w,
                       ParameterError *ret_error)
{
        const char *word = p->type == PARAMETER_JSON ? NULL : json_string_or_null(value);
        _cleanup_buffer_ Buffer shown = BUFFER_NULL;
        int r;

        if (word)
                return parameter_put_word(p, word, context, w, ret_error);
        r = types[p->type].put_json ? types[p->type].put_json(p, value, w) : -EINVAL;
        if (r != -EINVAL)
                return r;
        (void)json_format(value, 0, &shown);
        return value_error(p, buffer_string(&shown), shown.len, ret_error);
}
