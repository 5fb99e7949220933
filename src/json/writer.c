/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json/writer.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/string-util.h"
#include "json/number.h"

/* Longer strings are not looked through twice. */
#define PLAIN_MAX 128U

void json_writer_init(JsonWriter *w, Buffer *out, unsigned indent)
{
        *w = (JsonWriter){ .out = out, .start = out->len, .indent = indent };
}

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

void json_open_with(JsonWriter *w, const char *text, size_t n, unsigned depth)
{
        assert(w->depth == 0 && w->indent == 0);
        put(w, text, n);
        w->depth = depth;
        w->comma = false;
}

void json_close_with(JsonWriter *w, const char *text, size_t n, unsigned depth)
{
        if (w->error < 0)
                return;
        assert(w->depth == depth && !w->after_key && w->indent == 0);
        put(w, text, n);
        w->depth = 0;
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

/* Whether some of the eight bytes in WORD does not stand for itself between quotes, or is not ASCII. */
static bool word_is_special(uint64_t word)
{
        const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
        uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\';
        /* A borrow may mark the byte above one that is special: the answer is the same. */
        uint64_t found = word | ((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash);

        return found & high;
}

/* Whether all of it is ASCII that stands for itself between quotes. */
static bool is_plain(const char *s, size_t n)
{
        uint64_t word;

        for (; n >= sizeof(word); s += sizeof(word), n -= sizeof(word)) {
                memcpy(&word, s, sizeof(word));
                if (word_is_special(word))
                        return false;
        }
        for (size_t i = 0; i < n; i++)
                if ((unsigned char)s[i] < 0x20 || (unsigned char)s[i] >= 0x80 || s[i] == '"' || s[i] == '\\')
                        return false;
        return true;
}

/* Keys and most words take one step. */
static void put_plain(JsonWriter *w, const char *s, size_t n)
{
        Buffer *out = w->out;
        int r = w->error < 0 ? w->error : buffer_reserve(out, n + 2);

        if (r < 0)
                return fail(w, r);
        out->data[out->len] = '"';
        memcpy(out->data + out->len + 1, s, n);
        out->data[out->len + n + 1] = '"';
        out->len += n + 2;
        out->data[out->len] = '\0';
}

static void put_string(JsonWriter *w, const char *s, size_t n)
{
        if (n <= PLAIN_MAX && is_plain(s, n))
                return put_plain(w, s, n);
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
