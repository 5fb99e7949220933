/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job/secret.h"

#include <ctype.h>

#include "base/string-util.h"
#include "json/writer.h"

struct SecretText {
        char *text;
        size_t n;
        bool json; /* can stand inside a JSON string as it is */
};

/* Of headers whose value is a secret, in lower case. */
static const char *const header_names[] = {
        "authorization", "cookie", "proxy-authorization", "x-api-key", "x-auth-token", "x-csrf-token", "private-token",
};

/* What the name of a query's or form's value holds where that is a secret, in lower case. */
static const char *const pair_words[] = {
        "password", "passwd", "secret", "token", "apikey", "api_key", "api-key", "appid", "signature",
};

void secret_set_deinit(SecretSet *set)
{
        for (size_t i = 0; i < set->n; i++) {
                explicit_bzero(set->texts[i].text, set->texts[i].n);
                free(set->texts[i].text);
        }
        free(set->texts);
        *set = (SecretSet){};
}

static void wipe(Buffer *buffer)
{
        if (buffer->data)
                explicit_bzero(buffer->data, buffer->allocated);
        buffer_deinit(buffer);
}

/* --- adding --- */

static int add_text(SecretSet *set, const char *text, size_t n, bool json)
{
        SecretText *texts;
        size_t i = 0;

        if (n < SECRET_MIN)
                return 0;
        for (; i < set->n && set->texts[i].n >= n; i++)
                if (set->texts[i].n == n && memcmp(set->texts[i].text, text, n) == 0) {
                        set->texts[i].json = set->texts[i].json || json;
                        return 0;
                }
        if (set->n == SECRET_TEXTS_MAX)
                return -E2BIG;
        texts = reallocarray(set->texts, set->n + 1, sizeof(*texts));
        if (!texts)
                return -ENOMEM;
        set->texts = texts;
        memmove(texts + i + 1, texts + i, (set->n - i) * sizeof(*texts));
        texts[i] = (SecretText){ .text = strndup(text, n), .n = n, .json = json };
        if (!texts[i].text) {
                memmove(texts + i, texts + i + 1, (set->n - i) * sizeof(*texts));
                return -ENOMEM;
        }
        set->n++;
        return 0;
}

static int add_percent_encoded(SecretSet *set, const char *value, size_t n)
{
        static const char digits[] = "0123456789ABCDEF";
        _cleanup_(wipe) Buffer text = BUFFER_NULL;
        int r = 0;

        for (size_t i = 0; i < n && r >= 0; i++) {
                unsigned char c = (unsigned char)value[i];

                if (isalnum(c) || (c && strchr("-._~", c)))
                        r = buffer_append_char(&text, value[i]);
                else
                        r = buffer_append(&text, (char[]){ '%', digits[c >> 4], digits[c & 15] }, 3);
        }
        return r < 0 ? r : add_text(set, buffer_string(&text), text.len, true);
}

/* As JSON has it and, for a body of JSON that is quoted in a result, as JSON within JSON has it. */
static int add_json(SecretSet *set, const char *value, size_t n, unsigned times)
{
        _cleanup_(wipe) Buffer text = BUFFER_NULL;
        JsonWriter w;
        int r;

        json_writer_init(&w, &text, 0);
        json_string_lossy(&w, value, n);
        r = json_writer_end(&w);
        if (r >= 0)
                r = add_text(set, text.data + 1, text.len - 2, true);
        return r < 0 || times == 1 ? r : add_json(set, text.data + 1, text.len - 2, times - 1);
}

static int add_lines(SecretSet *set, const char *value, size_t n)
{
        int r = 0;

        for (size_t i = 0; i < n && r >= 0;) {
                const char *end = memchr(value + i, '\n', n - i);
                size_t line = end ? (size_t)(end - value) - i : n - i;

                if (line >= SECRET_LINE_MIN && line < n)
                        r = add_json(set, value + i, line - (value[i + line - 1] == '\r'), 1);
                i += line + 1;
        }
        return r;
}

int secret_set_add(SecretSet *set, const char *value, size_t n)
{
        int r;

        if (n < SECRET_MIN || memchr(value, '\0', n))
                return 0;
        r = add_text(set, value, n, false);
        if (r >= 0)
                r = add_json(set, value, n, 2);
        if (r >= 0)
                r = add_percent_encoded(set, value, n);
        return r < 0 ? r : add_lines(set, value, n);
}

int secret_set_add_all(SecretSet *set, const SecretSet *other)
{
        int r = 0;

        for (size_t i = 0; i < other->n && r >= 0; i++)
                r = add_text(set, other->texts[i].text, other->texts[i].n, other->texts[i].json);
        return r;
}

static int append_base64(Buffer *out, const char *bytes, size_t n)
{
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        int r = 0;

        for (size_t i = 0; i < n && r >= 0; i += 3) {
                size_t k = MIN(n - i, (size_t)3);
                unsigned char b[3] = {};
                char text[4];

                memcpy(b, bytes + i, k);
                text[0] = digits[b[0] >> 2];
                text[1] = digits[(b[0] & 3) << 4 | b[1] >> 4];
                text[2] = k > 1 ? digits[(b[1] & 15) << 2 | b[2] >> 6] : '=';
                text[3] = k > 2 ? digits[b[2] & 63] : '=';
                r = buffer_append(out, text, sizeof(text));
        }
        return r;
}

int secret_set_add_basic(SecretSet *set, const char *user, const char *secret)
{
        _cleanup_(wipe) Buffer pair = BUFFER_NULL, word = BUFFER_NULL;
        int r;

        r = secret_set_add(set, secret, strlen(secret));
        if (r >= 0)
                r = buffer_appendf(&pair, "%s:%s", user ?: "", secret);
        if (r >= 0)
                r = append_base64(&word, pair.data, pair.len);
        return r < 0 ? r : secret_set_add(set, word.data, word.len);
}

int secret_set_add_header(SecretSet *set, const char *header)
{
        size_t n = strcspn(header, ":");
        const char *value = header + n + (header[n] == ':'), *word;
        bool secret = false;
        int r;

        for (size_t i = 0; i < ARRAY_SIZE(header_names) && !secret; i++)
                secret = strlen(header_names[i]) == n && strncasecmp(header_names[i], header, n) == 0;
        if (!secret)
                return 0;
        value += strspn(value, " \t");
        word = strchr(value, ' ');
        r = secret_set_add(set, value, strlen(value));
        return r < 0 || !word ? r : secret_set_add(set, word + 1, strlen(word + 1));
}

/* "user:password" of "http://user:password@host/"; N is 0 where there is none. */
static const char *find_userinfo(const char *url, size_t *ret_n)
{
        const char *start = strstr(url, "://"), *at = NULL;

        *ret_n = 0;
        start = start ? start + 3 : url;
        for (const char *c = start; *c && !strchr("/?#", *c); c++)
                if (*c == '@')
                        at = c;
        if (at)
                *ret_n = (size_t)(at - start);
        return start;
}

/* -ENOMEM; what is no escape is left as it is. */
static int percent_decode(const char *s, size_t n, Buffer *out)
{
        int r = buffer_reserve(out, n);

        for (size_t i = 0; i < n && r >= 0; i++) {
                char code[3] = {};

                if (s[i] == '%' && i + 2 < n && isxdigit((unsigned char)s[i + 1]) && isxdigit((unsigned char)s[i + 2])) {
                        memcpy(code, s + i + 1, 2);
                        r = buffer_append_char(out, (char)strtoul(code, NULL, 16));
                        i += 2;
                } else {
                        r = buffer_append_char(out, s[i]);
                }
        }
        return r;
}

static int add_query(SecretSet *set, const char *query)
{
        int r = 0;

        while (*query && *query != '#' && r >= 0) {
                size_t n = strcspn(query, "&;#");
                _cleanup_free_ char *pair = strndup(query, n);

                r = pair ? secret_set_add_pair(set, pair) : -ENOMEM;
                query += n + (query[n] == '&' || query[n] == ';');
        }
        return r;
}

static int add_userinfo(SecretSet *set, const char *url)
{
        _cleanup_(wipe) Buffer user = BUFFER_NULL, password = BUFFER_NULL;
        size_t n, k;
        const char *info = find_userinfo(url, &n), *colon = n > 0 ? memchr(info, ':', n) : NULL;
        int r;

        if (!colon)
                return 0;
        k = (size_t)(colon - info);
        r = secret_set_add(set, colon + 1, n - k - 1);
        if (r >= 0)
                r = percent_decode(info, k, &user);
        if (r >= 0)
                r = percent_decode(colon + 1, n - k - 1, &password);
        return r < 0 ? r : secret_set_add_basic(set, buffer_string(&user), buffer_string(&password));
}

int secret_set_add_url(SecretSet *set, const char *url)
{
        const char *query = strchr(url, '?');
        int r = add_userinfo(set, url);

        return r < 0 || !query ? r : add_query(set, query + 1);
}

int secret_set_add_pair(SecretSet *set, const char *pair)
{
        const char *equals = strchr(pair, '=');
        _cleanup_free_ char *name = NULL;

        if (!equals)
                return 0;
        name = strndup(pair, (size_t)(equals - pair));
        if (!name)
                return -ENOMEM;
        for (size_t i = 0; i < ARRAY_SIZE(pair_words); i++)
                if (strcasestr(name, pair_words[i]))
                        return secret_set_add(set, equals + 1, strlen(equals + 1));
        return 0;
}

/* --- taking out --- */

static bool holds_any(const SecretSet *set, const char *text, size_t n)
{
        for (size_t i = 0; i < set->n; i++)
                if (memmem(text, n, set->texts[i].text, set->texts[i].n))
                        return true;
        return false;
}

/* Bytes of the secret that TEXT begins with; 0 for none. */
static size_t match(const SecretSet *set, const char *text, size_t n, bool json)
{
        for (size_t i = 0; i < set->n; i++) {
                const SecretText *secret = &set->texts[i];

                if ((secret->json || !json) && secret->n <= n && secret->text[0] == text[0] &&
                    memcmp(secret->text, text, secret->n) == 0)
                        return secret->n;
        }
        return 0;
}

/* Writes to the front of the text that is read: what is put in is never longer than what it stands for. */
typedef struct Rewrite {
        const SecretSet *set;
        char *text;
        size_t in, out, n;
} Rewrite;

static void put(Rewrite *w, const char *s, size_t n)
{
        memmove(w->text + w->out, s, n);
        w->out += n;
}

/* Replaces the secret that comes next. False where there is none. */
static bool take_secret(Rewrite *w, bool json)
{
        size_t k = match(w->set, w->text + w->in, w->n - w->in, json);

        if (k == 0)
                return false;
        put(w, SECRET_SHOWN, strlen(SECRET_SHOWN));
        w->in += k;
        return true;
}

static void copy(Rewrite *w, size_t n)
{
        n = MIN(n, w->n - w->in);
        put(w, w->text + w->in, n);
        w->in += n;
}

void secret_set_redact(const SecretSet *set, char *text, size_t *n)
{
        Rewrite w = { .set = set, .text = text, .n = *n };

        if (!holds_any(set, text, *n))
                return;
        while (w.in < w.n)
                if (!take_secret(&w, false))
                        copy(&w, 1);
        *n = w.out;
        text[w.out] = '\0';
}

/* From the first quote to behind the last. False: it is a key, and was changed. */
static bool rewrite_string(Rewrite *w)
{
        bool changed = false;
        size_t next;

        copy(w, 1);
        while (w->in < w->n && w->text[w->in] != '"') {
                if (take_secret(w, true))
                        changed = true;
                else
                        copy(w, w->text[w->in] == '\\' ? 2 : 1);
        }
        copy(w, 1);
        for (next = w->in; next < w->n && strchr(" \t\r\n", w->text[next]);)
                next++;
        return !(changed && next < w->n && w->text[next] == ':');
}

static void rewrite_number(Rewrite *w)
{
        size_t n = 0;

        while (w->in + n < w->n && w->text[w->in + n] && strchr("+-.0123456789Ee", w->text[w->in + n]))
                n++;
        if (holds_any(w->set, w->text + w->in, n)) {
                put(w, "null", 4);
                w->in += n;
        } else {
                copy(w, n);
        }
}

void secret_set_redact_json(const SecretSet *set, char *text, size_t *n, const char *otherwise)
{
        Rewrite w = { .set = set, .text = text, .n = *n };

        if (!holds_any(set, text, *n))
                return;
        while (w.in < w.n) {
                char c = text[w.in];

                if (c == '-' || (c >= '0' && c <= '9')) {
                        rewrite_number(&w);
                } else if (c != '"') {
                        copy(&w, 1);
                } else if (!rewrite_string(&w)) {
                        w.out = 0;
                        put(&w, otherwise, strlen(otherwise));
                        break;
                }
        }
        *n = w.out;
        text[w.out] = '\0';
}

int secret_append_url(Buffer *out, const char *url)
{
        size_t n;
        const char *info = find_userinfo(url, &n);
        int r;

        r = buffer_append(out, url, (size_t)(info - url));
        return r < 0 ? r : buffer_append_string(out, n > 0 ? info + n + 1 : info);
}
