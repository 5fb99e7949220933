/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Expansion in two steps for each placeholder: a table of sources gives a JSON value, a table of
 * places puts that value into the text. Neither knows the other.
 *
 * No message here may hold what was put in: it may be a secret, or come from one.
 */
#include "job/template-internal.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/file.h"
#include "base/string-util.h"
#include "job/time-format.h"
#include "json/writer.h"

#define UNRESERVED "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~" /* RFC 3986, 2.3 */
#define RESERVED ":/?#[]@!$&'()*+,;="                                                    /* RFC 3986, 2.2 */
#define RANDOM_ATTEMPTS_MAX 64 /* draws thrown away for evenness; each is kept with at least even odds */

typedef struct Expansion {
        const TemplateContext *context;
        Buffer *out;
        size_t start; /* where this expansion began in OUT */
        Buffer scratch; /* bytes of the value at hand */
        const TemplatePart *dots; /* the last whose value was empty or dots only: it may have made a ".." */
        char **ret_error;
} Expansion;

static int fail(const Expansion *x, int error, const TemplatePart *part, const char *format, ...) _printf_(4, 5);

static int fail(const Expansion *x, int error, const TemplatePart *part, const char *format, ...)
{
        _cleanup_buffer_ Buffer message = BUFFER_NULL;
        va_list ap;
        int r;

        if (!x->ret_error)
                return error;
        r = buffer_appendf(&message, "%s: ", part->text);
        va_start(ap, format);
        if (r >= 0)
                r = buffer_appendv(&message, format, ap);
        va_end(ap);
        if (r < 0)
                return r;
        *x->ret_error = buffer_steal(&message);
        return *x->ret_error ? error : -ENOMEM;
}

static int string_value(const Expansion *x, const TemplatePart *part, const char *s, size_t n, JsonValue *ret)
{
        if (n > UINT32_MAX)
                return fail(x, -E2BIG, part, "the value is too large");
        *ret = (JsonValue){ .type = JSON_STRING, .n = (uint32_t)n, .string = s };
        return 0;
}

static int fallback_or_fail(const Expansion *x, const TemplatePart *part, JsonValue *ret, const char *what)
{
        if (!part->has_fallback)
                return fail(x, -ENOENT, part, "%s; a text to use instead may be given behind ':-'", what);
        if (part->fallback_doc) {
                *ret = *json_root(part->fallback_doc);
                return 0;
        }
        return string_value(x, part, part->fallback, strlen(part->fallback), ret);
}

/* Puts the time, in the zone and format asked for, into the scratch. */
static int format_time(Expansion *x, const TemplatePart *part, usec_t realtime, JsonValue *ret)
{
        const TemplateContext *c = x->context;
        time_t seconds = (time_t)(realtime / USEC_PER_SEC);
        struct tm tm = {};
        int r;

        if (c->local_time)
                r = c->local_time(realtime, part->zone, &tm, c->userdata);
        else
                r = part->zone && !streq(part->zone, "UTC") ? -ENOENT : gmtime_r(&seconds, &tm) ? 0 : -EOVERFLOW;
        if (r == -ENOENT)
                return fail(x, r, part, "there is no time zone '%s'", part->zone ? part->zone : "");
        if (r < 0)
                return fail(x, r, part, "the time can't be broken down");

        if (part->format)
                r = time_format_append(part->format, realtime, &tm, &x->scratch);
        else
                r = time_format_append_rfc3339(realtime, &tm, &x->scratch);
        if (r < 0)
                return r;
        return string_value(x, part, buffer_string(&x->scratch), x->scratch.len, ret);
}

static int get_parameter(Expansion *x, const TemplatePart *part, JsonValue *ret)
{
        const JsonValue *value = json_get(x->context->params, part->name);
        usec_t realtime;

        if (!value)
                return fail(x, -ENOENT, part, "the run has no such parameter");
        if (!part->format && !part->zone) {
                *ret = *value;
                return 0;
        }
        if (!json_string_or_null(value) || time_format_parse_iso(value->string, &realtime) < 0)
                return fail(x, -EINVAL, part, "the parameter is no time");
        return format_time(x, part, realtime, ret);
}

static int get_environment(Expansion *x, const TemplatePart *part, JsonValue *ret)
{
        const TemplateContext *c = x->context;
        const char *value = c->environment ? c->environment(part->name, c->userdata) : NULL;

        if (!value)
                return fallback_or_fail(x, part, ret, "the variable is not set");
        return string_value(x, part, value, strlen(value), ret);
}

static int get_credential(Expansion *x, const TemplatePart *part, JsonValue *ret)
{
        _cleanup_close_ int dir = -1;
        int r;

        if (!x->context->credentials_directory)
                return fallback_or_fail(x, part, ret, "there is no credentials directory");
        dir = open(x->context->credentials_directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        r = dir < 0 ? negative_errno() : read_file_at(dir, part->name, TEMPLATE_CREDENTIAL_MAX, &x->scratch);
        if (r == -ENOENT)
                return fallback_or_fail(x, part, ret, "there is no such credential");
        if (r == -EFBIG)
                return fail(x, -E2BIG, part, "the credential is larger than %u bytes", TEMPLATE_CREDENTIAL_MAX);
        if (r < 0)
                return fail(x, r, part, "reading the credential failed: %s", strerror(-r));
        while (x->scratch.len > 0 && strchr("\r\n", x->scratch.data[x->scratch.len - 1]))
                x->scratch.data[--x->scratch.len] = '\0';
        if (x->context->secret) {
                r = x->context->secret(buffer_string(&x->scratch), x->scratch.len, x->context->userdata);
                if (r < 0)
                        return fail(x, r, part, "the credential could not be noted: %s", strerror(-r));
        }
        return string_value(x, part, buffer_string(&x->scratch), x->scratch.len, ret);
}

static int random_bits(const TemplateContext *c, uint64_t *ret)
{
        if (c->random) {
                *ret = c->random(c->userdata);
                return 0;
        }
        /* Never waits for the pool early at boot: nobody's secrets hang on these numbers. */
        if (getrandom(ret, sizeof(*ret), GRND_INSECURE) == sizeof(*ret) ||
            getrandom(ret, sizeof(*ret), GRND_NONBLOCK) == sizeof(*ret))
                return 0;
        return negative_errno();
}

/* Draws that fall into the uneven rest of the 64 bits are thrown away. */
static int get_random(Expansion *x, const TemplatePart *part, JsonValue *ret)
{
        uint64_t span = (uint64_t)part->maximum - (uint64_t)part->minimum + 1; /* 0: all 64 bits */
        uint64_t rest = span > 0 ? -span % span : 0, bits = 0;
        int r;

        for (unsigned i = 0; i < RANDOM_ATTEMPTS_MAX; i++) {
                r = random_bits(x->context, &bits);
                if (r < 0)
                        return fail(x, r, part, "no random numbers: %s", strerror(-r));
                if (bits >= rest)
                        break;
        }
        if (span > 0)
                bits %= span;
        *ret = (JsonValue){ .type = JSON_INT, .integer = (int64_t)((uint64_t)part->minimum + bits) };
        return 0;
}

static int get_scheduled(Expansion *x, const TemplatePart *part, JsonValue *ret)
{
        char iso[REALTIME_ISO_MAX];
        int r;

        if (part->format || part->zone)
                return format_time(x, part, x->context->scheduled_realtime, ret);
        r = buffer_append_string(&x->scratch, realtime_to_iso(x->context->scheduled_realtime, iso));
        if (r < 0)
                return r;
        return string_value(x, part, x->scratch.data, x->scratch.len, ret);
}

static int get_last(Expansion *x, const TemplatePart *part, JsonValue *ret)
{
        const JsonValue *value = json_get(x->context->last_outputs, part->name);

        if (!value)
                return fallback_or_fail(x, part, ret, x->context->last_outputs ?
                                        "the last successful run has no such output" :
                                        "no run has succeeded before this one");
        *ret = *value;
        return 0;
}

/* A value of a JSON text is a number where the name is one. */
static int get_instance(Expansion *x, const TemplatePart *part, JsonValue *ret)
{
        const char *name = x->context->instance;
        char canonical[24];
        int64_t number;

        if (!name)
                return fail(x, -ENOENT, part, "the job is no instance of a template");
        if (parse_int64(name, &number) >= 0) {
                (void)snprintf(canonical, sizeof(canonical), "%lld", (long long)number);
                /* Not for 007. */
                if (streq(canonical, name)) {
                        *ret = (JsonValue){ .type = JSON_INT, .integer = number };
                        return 0;
                }
        }
        return string_value(x, part, name, strlen(name), ret);
}

/* The members that the dots of the name lead to; an index of an array is a number. */
static int get_event(Expansion *x, const TemplatePart *part, JsonValue *ret)
{
        const JsonValue *value = x->context->event;
        const char *s = part->name;

        if (!value)
                return fallback_or_fail(x, part, ret, "no event started the run");
        while (value && *s) {
                size_t n = strcspn(s, ".");

                if (value->type == JSON_ARRAY) {
                        size_t i = strspn(s, "0123456789") == n && n > 0 && n < 10 ? strtoul(s, NULL, 10) : SIZE_MAX;

                        value = i < value->n ? &value->items[i] : NULL;
                } else {
                        value = json_get_n(value, s, n);
                }
                s += n + (s[n] == '.');
        }
        if (!value)
                return fallback_or_fail(x, part, ret, "the event has nothing of this name");
        *ret = *value;
        return 0;
}

/* Fills RET, whose bytes may lie in the scratch. */
static int (*const getters[_PART_TYPE_MAX])(Expansion *x, const TemplatePart *part, JsonValue *ret) = {
        [PART_PARAMETER] = get_parameter,
        [PART_ENVIRONMENT] = get_environment,
        [PART_CREDENTIAL] = get_credential,
        [PART_RANDOM] = get_random,
        [PART_SCHEDULED] = get_scheduled,
        [PART_LAST] = get_last,
        [PART_EVENT] = get_event,
        [PART_INSTANCE] = get_instance,
};

/*
 * The text of VALUE where no JSON is wanted: a string as it is, anything else as JSON, but a whole
 * number of type float without its ".0". RET_TEXT lies in VALUE or in STORE.
 */
static int value_text(const JsonValue *value, Buffer *store, const char **ret_text, size_t *ret_n)
{
        int r;

        if (value->type == JSON_STRING) {
                *ret_text = value->string;
                *ret_n = value->n;
                return 0;
        }
        r = json_format(value, 0, store);
        if (r < 0)
                return r;
        if (value->type == JSON_DOUBLE && store->len > 2 && streq(store->data + store->len - 2, ".0"))
                store->len -= 2;
        *ret_text = buffer_string(store);
        *ret_n = store->len;
        return 0;
}

static int append_percent_encoded(Buffer *out, const char *s, size_t n, const char *kept)
{
        static const char digits[] = "0123456789ABCDEF";
        int r = 0;

        for (size_t i = 0; i < n && r >= 0; i++) {
                unsigned char c = (unsigned char)s[i];

                if (c && strchr(kept, c))
                        r = buffer_append_char(out, s[i]);
                else
                        r = buffer_append(out, (char[]){ '%', digits[c >> 4], digits[c & 15] }, 3);
        }
        return r;
}

static int put_plain(Expansion *x, const TemplatePart *part, const char *s, size_t n)
{
        if (memchr(s, '\0', n))
                return fail(x, -EINVAL, part, "the value holds a NUL");
        return buffer_append(x->out, s, n);
}

static int put_header(Expansion *x, const TemplatePart *part, const char *s, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                unsigned char c = (unsigned char)s[i];

                if ((c < ' ' && c != '\t') || c == 0x7f)
                        return fail(x, -EINVAL, part, "the value holds %s, which a header can't",
                                    c == '\r' || c == '\n' ? "a line break" : "a control character");
        }
        return buffer_append(x->out, s, n);
}

static int put_url(Expansion *x, const TemplatePart *part, const char *s, size_t n)
{
        if (part->offset == 0)
                return append_percent_encoded(x->out, s, n, UNRESERVED RESERVED "%");
        if (strspn(s, ".") >= n)
                x->dots = part;
        return append_percent_encoded(x->out, s, n, UNRESERVED);
}

static int put_path(Expansion *x, const TemplatePart *part, const char *s, size_t n)
{
        if (part->offset > 0 && memchr(s, '/', n))
                return fail(x, -EINVAL, part, "the value holds a '/'");
        if (part->offset > 0 && strspn(s, ".") >= n)
                x->dots = part;
        return put_plain(x, part, s, n);
}

static int put_form(Expansion *x, _unused_ const TemplatePart *part, const char *s, size_t n)
{
        return append_percent_encoded(x->out, s, n, UNRESERVED);
}

/* The text of VALUE as the inside of a string literal. */
static int put_json_string(Expansion *x, const TemplatePart *part, const char *s, size_t n)
{
        _cleanup_buffer_ Buffer quoted = BUFFER_NULL;
        JsonWriter w;
        int r;

        json_writer_init(&w, &quoted, 0);
        json_string_n(&w, s, n);
        r = json_writer_end(&w);
        if (r == -EINVAL)
                return fail(x, r, part, "the value is not UTF-8");
        if (r < 0)
                return r;
        return buffer_append(x->out, quoted.data + 1, quoted.len - 2);
}

static int put_json_value(Expansion *x, const TemplatePart *part, const JsonValue *value)
{
        int r = json_format(value, 0, x->out);

        return r == -EINVAL ? fail(x, r, part, "the value is not UTF-8") : r;
}

static int (*const putters[])(Expansion *x, const TemplatePart *part, const char *s, size_t n) = {
        [TEMPLATE_PLAIN] = put_plain,
        [TEMPLATE_URL] = put_url,
        [TEMPLATE_JSON] = put_json_string,
        [TEMPLATE_HEADER] = put_header,
        [TEMPLATE_FORM] = put_form,
        [TEMPLATE_PATH] = put_path,
};

static int expand_part(Expansion *x, const Template *t, const TemplatePart *part)
{
        _cleanup_buffer_ Buffer store = BUFFER_NULL;
        const char *text;
        JsonValue value;
        size_t n;
        int r;

        if (part->type == PART_LITERAL)
                return buffer_append(x->out, part->text, part->text_len);
        buffer_clear(&x->scratch);
        r = getters[part->type](x, part, &value);
        if (r < 0)
                return r;
        if (t->escape == TEMPLATE_JSON && !part->in_string)
                return put_json_value(x, part, &value);
        r = value_text(&value, &store, &text, &n);
        if (r < 0)
                return r;
        return putters[t->escape](x, part, text, n);
}

/*
 * Whether S has a "." or ".." between slashes before the first of ENDS. In a URL clients resolve these
 * (RFC 3986, 5.2.4) and percent-encoding can't prevent it; scheme and authority have none of them.
 */
static bool has_dot_segment(const char *s, const char *ends)
{
        const char *end = s + strcspn(s, ends);

        while (s < end) {
                const char *slash = memchr(s, '/', (size_t)(end - s));
                size_t n = (size_t)((slash ? slash : end) - s);

                if ((n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.'))
                        return true;
                s += n + 1;
        }
        return false;
}

int template_expand(const Template *t, const TemplateContext *context, Buffer *out, char **ret_error)
{
        Expansion x = { .context = context, .out = out, .start = out->len, .ret_error = ret_error };
        const TemplatePart *part = t->parts;
        int r = 0;

        if (ret_error)
                *ret_error = NULL;
        for (; part < t->parts + t->n_parts && r >= 0; part++)
                r = expand_part(&x, t, part);
        if (r >= 0)
                r = buffer_reserve(out, 0);
        if (r >= 0 && x.dots && has_dot_segment(out->data + x.start, t->escape == TEMPLATE_URL ? "?#" : ""))
                r = fail(&x, -EINVAL, x.dots, "the value would make a '.' or '..' segment of the path");

        /* Not left to the next owner of the memory: it may have been a credential. */
        if (t->has_credential && x.scratch.data)
                explicit_bzero(x.scratch.data, x.scratch.allocated);
        buffer_deinit(&x.scratch);
        if (r >= 0)
                return 0;
        if (out->data) {
                out->len = x.start;
                out->data[out->len] = '\0';
        }
        if (r == -E2BIG && ret_error && !*ret_error)
                (void)fail(&x, r, part - 1, "the expanded text is larger than %zu bytes", out->max);
        return r;
}
