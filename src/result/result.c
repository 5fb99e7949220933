/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "result/result.h"

#include "base/string-util.h"
#include "json/writer.h"
#include "result/json-text.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define NUMBER_TEXT_MAX 64          /* bytes; any double has shorter digits than that */

static const char *const format_names[] = {
        [RESULT_JSON] = "json",
        [RESULT_TEXT] = "text",
        [RESULT_NUMBER] = "number",
        [RESULT_LINES] = "lines",
        [RESULT_NONE] = "none",
};

int result_format_from_string(const char *s, ResultFormat *ret)
{
        for (size_t i = 0; i < ARRAY_SIZE(format_names); i++)
                if (streq(s, format_names[i])) {
                        *ret = (ResultFormat)i;
                        return 0;
                }
        return -EINVAL;
}

const char *result_format_to_string(ResultFormat format)
{
        return format_names[format];
}

void result_deinit(Result *result)
{
        json_doc_free(result->doc);
        free(result->copy);
        free(result->items);
        *result = RESULT_NULL;
}

/* Sets *RET_ERROR (may be NULL), which takes MESSAGE over. */
static int fail(char **ret_error, int error, char *message)
{
        if (!message)
                return -ENOMEM;
        if (ret_error)
                *ret_error = message;
        else
                free(message);
        return error;
}

/* JSON's blanks, which are ours for the other formats too. */
static bool is_blank(const char *s, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (s[i] != ' ' && s[i] != '\n' && s[i] != '\t' && s[i] != '\r')
                        return false;
        return true;
}

static int decode_json(Result *result, const JsonLimits *limits, char **ret_error)
{
        JsonError error;
        int r;

        r = json_parse(result->text, result->n, limits, &result->doc, &error);
        if (r == -ENOMEM)
                return r;
        if (r < 0 && is_blank(result->text, result->n))
                return fail(ret_error, r, strdup("empty, where JSON was expected"));
        if (r < 0)
                return fail(ret_error, r, xasprintf("%s at line %u, column %u: %s",
                                                    r == -E2BIG ? "too large" : "not JSON", error.line,
                                                    error.column, error.message));
        result->root = json_root(result->doc);
        return 0;
}

/* A copy of S with U+FFFD for each byte that is no UTF-8. */
static int copy_as_utf8(const char *s, size_t n, char **ret, size_t *ret_n)
{
        _cleanup_buffer_ Buffer copy = BUFFER_NULL;
        int r;

        r = buffer_reserve(&copy, n);
        for (bool done = false; r >= 0 && !done;) {
                size_t good = utf8_check(s, n);

                r = buffer_append(&copy, s, good);
                done = good == n;
                if (r < 0 || done)
                        break;
                r = buffer_append(&copy, REPLACEMENT, strlen(REPLACEMENT));
                s += good + 1;
                n -= good + 1;
        }
        if (r < 0)
                return r;
        if (copy.len > UINT32_MAX)
                return -E2BIG;
        *ret_n = copy.len;
        *ret = buffer_steal(&copy);
        return *ret ? 0 : -ENOMEM;
}

/* Length of S[0…N) without the "\n" or "\r\n" at its end. */
static size_t without_line_end(const char *s, size_t n)
{
        if (n > 0 && s[n - 1] == '\n') {
                n--;
                if (n > 0 && s[n - 1] == '\r')
                        n--;
        }
        return n;
}

static int decode_text(Result *result, _unused_ const JsonLimits *limits, _unused_ char **ret_error)
{
        size_t n;
        int r;

        r = copy_as_utf8(result->text, without_line_end(result->text, result->n), &result->copy, &n);
        if (r < 0)
                return r;
        result->value = (JsonValue){ .type = JSON_STRING, .n = (uint32_t)n, .string = result->copy };
        return 0;
}

static int decode_lines(Result *result, _unused_ const JsonLimits *limits, char **ret_error)
{
        size_t n, lines = 0;
        char *line, *end;
        int r;

        r = copy_as_utf8(result->text, result->n, &result->copy, &n);
        if (r < 0)
                return r;
        end = result->copy + n;
        for (char *p = result->copy; p < end; lines++) {
                char *newline = memchr(p, '\n', (size_t)(end - p));

                p = newline ? newline + 1 : end;
        }
        if (lines > RESULT_LINES_MAX)
                return fail(ret_error, -E2BIG, xasprintf("more than %u lines", RESULT_LINES_MAX));
        result->items = new0(JsonValue, MAX(lines, (size_t)1));
        if (!result->items)
                return -ENOMEM;

        line = result->copy;
        for (size_t i = 0; i < lines; i++) {
                char *newline = memchr(line, '\n', (size_t)(end - line));
                char *next = newline ? newline + 1 : end;
                size_t len = without_line_end(line, (size_t)(next - line));

                result->items[i] = (JsonValue){ .type = JSON_STRING, .n = (uint32_t)len, .string = line };
                line[len] = '\0';
                line = next;
        }
        result->value = (JsonValue){ .type = JSON_ARRAY, .n = (uint32_t)lines, .items = result->items };
        return 0;
}

static int decode_number(Result *result, _unused_ const JsonLimits *limits, char **ret_error)
{
        char text[NUMBER_TEXT_MAX + 1];
        const char *s = result->text;
        size_t n = result->n;

        while (n > 0 && is_blank(s + n - 1, 1))
                n--;
        while (n > 0 && is_blank(s, 1))
                s++, n--;
        if (n <= NUMBER_TEXT_MAX && !memchr(s, '\0', n)) {
                memcpy(text, s, n);
                text[n] = '\0';
                if (parse_int64(text, &result->value.integer) >= 0) {
                        result->value.type = JSON_INT;
                        return 0;
                }
                if (parse_double(text, &result->value.number) >= 0) {
                        result->value.type = JSON_DOUBLE;
                        return 0;
                }
        }
        n = utf8_check(s, MIN(n, (size_t)40));
        return fail(ret_error, -EBADMSG, n == 0 ? strdup("empty, where a number was expected") :
                    xasprintf("a number was expected, not '%.*s'", (int)n, s));
}

static int decode_none(_unused_ Result *result, _unused_ const JsonLimits *limits, _unused_ char **ret_error)
{
        return 0;
}

/* Each leaves the root in VALUE, which is null before, or sets ROOT itself. */
static int (*const decoders[])(Result *result, const JsonLimits *limits, char **ret_error) = {
        [RESULT_JSON] = decode_json,
        [RESULT_TEXT] = decode_text,
        [RESULT_NUMBER] = decode_number,
        [RESULT_LINES] = decode_lines,
        [RESULT_NONE] = decode_none,
};

int result_decode(Result *result, ResultFormat format, const char *text, size_t n, const JsonLimits *limits,
                  char **ret_error)
{
        size_t max = limits && limits->max_bytes > 0 ? limits->max_bytes : JSON_MAX_BYTES_DEFAULT;
        int r;

        if (ret_error)
                *ret_error = NULL;
        *result = (Result){ .format = format, .text = n > 0 ? text : "", .n = n };
        result->root = &result->value;
        if (n > MIN(max, (size_t)JSON_MAX_BYTES_CEILING) && format != RESULT_NONE)
                r = fail(ret_error, -E2BIG, xasprintf("larger than %zu bytes", max));
        else
                r = decoders[format](result, limits, ret_error);
        if (r < 0)
                result_deinit(result);
        return r;
}

int result_append_text(const Result *result, Buffer *out)
{
        size_t start = out->len;
        int r;

        if (result->format == RESULT_JSON)
                r = json_text_format(result->text, result->n, 0, out);
        else
                r = json_format(result->root, 0, out);
        if (r < 0 && out->data) {
                out->len = start;
                out->data[start] = '\0';
        }
        return r;
}
