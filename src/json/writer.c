/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json/writer.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/string-util.h"
#include "json/number.h"
#include "json/quoted.h"

/* Longer strings are not looked through twice. */
#define PLAIN_MAX 128U
#define AROUND_MAX 4U /* bytes beside a word: a comma, quotes, a colon */

int json_writer_end(JsonWriter *w)
{
        if (w->error < 0) {
                /* Half a text helps nobody. */
                if (w->out->len > w->start) {
                        w->out->len = w->start;
                        w->out->data[w->start] = '\0';
                }
                return w->error;
        }
        assert(w->depth == 0 && !w->after_key);
        return 0;
}

static void fail(JsonWriter *w, int error)
{
        if (w->error == 0)
                w->error = error;
}

static void put(JsonWriter *w, const char *s, size_t n)
{
        int r;

        if (w->error < 0)
                return;
        r = buffer_append(w->out, s, n);
        if (r < 0)
                fail(w, r);
}

static void put_line_break(JsonWriter *w)
{
        size_t n = (size_t)w->indent * w->depth;
        int r;

        if (w->indent == 0 || w->error < 0)
                return;
        put(w, "\n", 1);
        r = buffer_reserve(w->out, n);
        if (r < 0 || w->error < 0)
                return fail(w, r);
        memset(w->out->data + w->out->len, ' ', n);
        w->out->len += n;
        w->out->data[w->out->len] = '\0';
}

/* What stands between this value (or key) and what came before it. */
static void separate(JsonWriter *w)
{
        if (w->after_key) {
                w->after_key = false;
                w->comma = true;
                return;
        }
        if (w->comma)
                put(w, ",", 1);
        if (w->depth > 0)
                put_line_break(w);
        w->comma = true;
}

static void put_value(JsonWriter *w, const char *s, size_t n)
{
        separate(w);
        put(w, s, n);
}

static void begin(JsonWriter *w, char c)
{
        if (w->depth >= JSON_WRITER_MAX_DEPTH)
                return fail(w, -E2BIG);
        put_value(w, &c, 1);
        w->depth++;
        w->comma = false;
}

static void end(JsonWriter *w, char c)
{
        bool empty = !w->comma;

        if (w->error < 0)
                return;
        assert(w->depth > 0 && !w->after_key);
        w->depth--;
        if (!empty)
                put_line_break(w);
        put(w, &c, 1);
        w->comma = true;
}

void json_begin_object(JsonWriter *w)
{
        begin(w, '{');
}

void json_end_object(JsonWriter *w)
{
        end(w, '}');
}

void json_begin_array(JsonWriter *w)
{
        begin(w, '[');
}

void json_end_array(JsonWriter *w)
{
        end(w, ']');
}

/* --- strings --- */

static void put_escape(JsonWriter *w, unsigned char c)
{
        static const char named[0x20] = {
                ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't',
        };
        char escape[8] = { '\\', (char)c };

        if (c >= 0x20)
                return put(w, escape, 2);
        if (named[c]) {
                escape[1] = named[c];
                return put(w, escape, 2);
        }
        (void)snprintf(escape, sizeof(escape), "\\u%04x", c);
        put(w, escape, 6);
}

static void put_escaped(JsonWriter *w, const char *s, size_t n)
{
        size_t begun = 0;

        for (size_t i = 0; i < n; i++) {
                unsigned char c = (unsigned char)s[i];

                if (c >= 0x20 && c != '"' && c != '\\')
                        continue;
                put(w, s + begun, i - begun);
                put_escape(w, c);
                begun = i + 1;
        }
        put(w, s + begun, n - begun);
}

/* Copies what is ASCII and stands for itself between quotes; where not all of it does, TO holds anything. */
static bool copy_plain(char *to, const char *s, size_t n)
{
        const size_t step = sizeof(uint64_t);
        uint64_t special = 0;

        if (n >= step) {
                for (size_t i = 0; i < n - step; i += step) {
                        special |= quoted_special(quoted_word(s + i));
                        memcpy(to + i, s + i, step);
                }
                /* The last eight, of which some may have been there before. */
                special |= quoted_special(quoted_word(s + n - step));
                memcpy(to + n - step, s + n - step, step);
        } else if (n >= step / 2) {
                special = quoted_special(quoted_word_of_few(s, n));
                memcpy(to, s, step / 2);
                memcpy(to + n - step / 2, s + n - step / 2, step / 2);
        } else {
                for (size_t i = 0; i < n; i++) {
                        special |= quoted_special(QUOTED_EACH_BYTE((unsigned char)s[i]));
                        to[i] = s[i];
                }
        }
        return special == 0;
}

/* Keys and most words take one step, with what stands around them. False: nothing was written. */
static bool put_plain(JsonWriter *w, const char *s, size_t n, bool key)
{
        Buffer *out = w->out;
        size_t most = n + AROUND_MAX;
        char *p;

        if (n > PLAIN_MAX || w->error < 0 || w->indent > 0 || most >= out->allocated - out->len ||
            (out->max > 0 && out->len + most > out->max))
                return false;
        p = out->data + out->len;
        if (w->comma && !w->after_key)
                *p++ = ',';
        *p++ = '"';
        if (!copy_plain(p, s, n)) {
                out->data[out->len] = '\0';
                return false;
        }
        p += n;
        *p++ = '"';
        if (key)
                *p++ = ':';
        *p = '\0';
        out->len = (size_t)(p - out->data);
        w->comma = true;
        w->after_key = key;
        return true;
}

static void put_string(JsonWriter *w, const char *s, size_t n)
{
        if (utf8_check(s, n) < n)
                return fail(w, -EINVAL);
        put(w, "\"", 1);
        put_escaped(w, s, n);
        put(w, "\"", 1);
}

static void put_key(JsonWriter *w, const char *key, size_t n)
{
        if (w->error < 0)
                return;
        assert(!w->after_key);
        if (put_plain(w, key, n, true))
                return;
        separate(w);
        put_string(w, key, n);
        put(w, ": ", w->indent > 0 ? 2 : 1);
        w->after_key = true;
}

void json_key(JsonWriter *w, const char *key)
{
        put_key(w, key, strlen(key));
}

void json_string_n(JsonWriter *w, const char *value, size_t n)
{
        if (put_plain(w, value, n, false))
                return;
        separate(w);
        put_string(w, value, n);
}

void json_string(JsonWriter *w, const char *value)
{
        if (value)
                json_string_n(w, value, strlen(value));
        else
                json_null(w);
}

void json_string_lossy(JsonWriter *w, const char *value, size_t n)
{
        separate(w);
        put(w, "\"", 1);
        for (;;) {
                size_t good = utf8_check(value, n);

                put_escaped(w, value, good);
                if (good == n)
                        break;
                put(w, "\xef\xbf\xbd", 3);
                value += good + 1;
                n -= good + 1;
        }
        put(w, "\"", 1);
}

/* --- other values --- */

void json_null(JsonWriter *w)
{
        put_value(w, "null", 4);
}

void json_bool(JsonWriter *w, bool value)
{
        put_value(w, value ? "true" : "false", value ? 4 : 5);
}

void json_int(JsonWriter *w, int64_t value)
{
        uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
        char text[24], *s = text + sizeof(text);

        do
                *--s = (char)('0' + rest % 10);
        while ((rest /= 10) > 0);
        if (value < 0)
                *--s = '-';
        put_value(w, s, (size_t)(text + sizeof(text) - s));
}

void json_uint(JsonWriter *w, uint64_t value)
{
        json_int(w, (int64_t)MIN(value, (uint64_t)INT64_MAX));
}

void json_double(JsonWriter *w, double value)
{
        char text[JSON_NUMBER_MAX];

        if (!isfinite(value))
                return fail(w, -EINVAL);
        put_value(w, text, json_number_format(value, text));
}

void json_raw(JsonWriter *w, const char *text, size_t n)
{
        put_value(w, text, n);
}

void json_realtime(JsonWriter *w, uint64_t realtime_usec)
{
        char text[REALTIME_ISO_MAX];

        if (realtime_usec == 0 || realtime_usec == USEC_INFINITY)
                return json_null(w);
        json_string(w, realtime_to_iso(realtime_usec, text));
}

/* An error, as at the depth limit, ends the recursion as well. */
void json_value(JsonWriter *w, const JsonValue *value)
{
        switch (value->type) {
        case JSON_NULL:
                return json_null(w);
        case JSON_BOOL:
                return json_bool(w, value->boolean);
        case JSON_INT:
                return json_int(w, value->integer);
        case JSON_DOUBLE:
                return json_double(w, value->number);
        case JSON_STRING:
                return json_string_n(w, value->string, value->n);
        case JSON_ARRAY:
                json_begin_array(w);
                for (uint32_t i = 0; i < value->n && w->error == 0; i++)
                        json_value(w, &value->items[i]);
                return json_end_array(w);
        case JSON_OBJECT:
                json_begin_object(w);
                for (uint32_t i = 0; i < value->n && w->error == 0; i++) {
                        put_key(w, value->members[i].key, value->members[i].key_len);
                        json_value(w, &value->members[i].value);
                }
                return json_end_object(w);
        }
}

int json_format(const JsonValue *value, unsigned indent, Buffer *out)
{
        JsonWriter w;

        json_writer_init(&w, out, indent);
        json_value(&w, value);
        return json_writer_end(&w);
}
