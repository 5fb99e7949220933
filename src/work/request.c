/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "work/request.h"

#include "base/file.h"
#include "base/string-util.h"
#include "json/json.h"
#include "json/writer.h"
#include "result/output.h"
#include "result/result.h"
#include "work/jq-filter.h"
#include "work/limits.h"

typedef struct WorkRequest {
        const JsonValue *header;
        const char *text; /* the document */
        size_t n;
        const WorkFiles *files;
} WorkRequest;

/* What went wrong: one of the stable words of takt.job(5), and a sentence. */
typedef struct WorkError {
        const char *kind;
        char *message;
} WorkError;

static void set_error(WorkError *error, const char *kind, char *message)
{
        free(error->message);
        *error = (WorkError){ .kind = kind, .message = message };
}

/* --- result: from bytes, or JSON text, to a run's result and outputs --- */

static int decode(const char *text, size_t n, Buffer *out, WorkError *error)
{
        _cleanup_result_ Result result = RESULT_NULL;
        _cleanup_free_ char *message = NULL;
        int r = result_decode(&result, RESULT_JSON, text, n, NULL, &message);

        if (r >= 0)
                r = result_append_text(&result, out);
        if (r < 0)
                set_error(error, r == -ENOMEM ? "memory" : r == -E2BIG ? "too-large" : "bad-json", TAKE_PTR(message));
        return r;
}

static int filter(const char *program, const char *text, size_t n, Buffer *out, WorkError *error)
{
        _cleanup_free_ char *message = NULL;
        int r = filter_run(program, text, n, out, &message);

        if (r == -E2BIG)
                set_error(error, "too-large", xasprintf("the values of Filter= take more than %u bytes", WORK_MAX_ANSWER));
        else if (r < 0)
                set_error(error, r == -ENOMEM ? "memory" : "filter", xasprintf("Filter=: %s", message ?: strerror(-r)));
        return r;
}

static int extract(const JsonValue *declarations, const char *text, size_t n, JsonWriter *w, WorkError *error)
{
        _cleanup_(output_set_freep) OutputSet *outputs = output_set_new();
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_free_ char *message = NULL;
        JsonError where;
        int r = outputs ? 0 : -ENOMEM;

        for (uint32_t i = 0; r >= 0 && i < declarations->n; i++)
                r = output_set_add(outputs, json_string_or_null(&declarations->items[i]) ?: "", NULL);
        if (r >= 0) {
                r = json_parse(text, n, NULL, &doc, &where);
                if (r < 0 && r != -ENOMEM)
                        message = strdup(where.message);
        }
        if (r >= 0)
                r = outputs_extract(outputs, json_root(doc), w, &message);
        if (r < 0)
                set_error(error, r == -ENODATA ? "output-missing" : r == -ENOMEM ? "memory" : r == -E2BIG ? "too-large" : "bad-json",
                          TAKE_PTR(message));
        return r;
}

/*
 * "decode": true where the document is a command's or server's bytes, else it is JSON text; "program": a jq
 * program; "outputs": declarations as of Output=. The answer's document is the result.
 */
static int work_result(const WorkRequest *request, JsonWriter *header, Buffer *out, WorkError *error)
{
        const char *program = json_string_or_null(json_get(request->header, "program")), *text = request->text;
        const JsonValue *declarations = json_get(request->header, "outputs"), *raw = json_get(request->header, "decode");
        _cleanup_buffer_ Buffer decoded = BUFFER_WITH_MAX(WORK_MAX_ANSWER);
        size_t n = request->n;
        int r;

        if (json_is(raw, JSON_BOOL) && raw->boolean) {
                r = decode(text, n, &decoded, error);
                if (r < 0)
                        return r;
                text = buffer_string(&decoded);
                n = decoded.len;
        }
        r = program ? filter(program, text, n, out, error) : buffer_append(out, text, n);
        if (r < 0 || !json_is(declarations, JSON_ARRAY) || declarations->n == 0)
                return r;
        json_key(header, "outputs");
        return extract(declarations, out->data, out->len, header, error);
}

/* --- check: whether a text is a jq program --- */

static int work_check(const WorkRequest *request, _unused_ JsonWriter *header, _unused_ Buffer *out, WorkError *error)
{
        _cleanup_free_ char *message = NULL;
        int r = filter_check(json_string_or_null(json_get(request->header, "program")) ?: "", &message);

        if (r < 0)
                set_error(error, r == -ENOMEM ? "memory" : "filter", TAKE_PTR(message));
        return r;
}

/* --- read: a file that may block --- */

/* "path", and "max" bytes; the answer's document is a string: what is no UTF-8 is refused. */
static int work_read(const WorkRequest *request, _unused_ JsonWriter *header, Buffer *out, WorkError *error)
{
        const JsonValue *max = json_get(request->header, "max");
        bool limited = json_is(max, JSON_INT) && max->integer >= 0 && max->integer < WORK_MAX_ANSWER;
        size_t limit = limited ? (size_t)max->integer : WORK_MAX_ANSWER;
        _cleanup_buffer_ Buffer contents = BUFFER_NULL;
        _cleanup_close_ int fd = request->files->open(json_string_or_null(json_get(request->header, "path")) ?: "");
        JsonWriter w;
        int r = fd < 0 ? fd : read_fd(fd, limit, &contents);

        if (r >= 0) {
                json_writer_init(&w, out, 0);
                json_string_n(&w, buffer_string(&contents), contents.len);
                r = json_writer_end(&w);
        }
        if (r < 0)
                set_error(error, r == -EFBIG || r == -E2BIG ? "too-large" : r == -ENOENT ? "missing" : r == -ENOMEM ? "memory" : "read",
                          strdup(r == -EINVAL && fd >= 0 ? "it is no UTF-8" : strerror(-r)));
        return r;
}

/* --- look: whether what is named is there --- */

/* Directories are read for so many names of one request, unless it says fewer. */
#define LOOK_SUGGESTIONS_MAX 16U

static unsigned suggestions_of(const JsonValue *header)
{
        const JsonValue *n = json_get(header, "suggestions");
        bool limited = json_is(n, JSON_INT) && n->integer >= 0 && n->integer < LOOK_SUGGESTIONS_MAX;

        return limited ? (unsigned)n->integer : LOOK_SUGGESTIONS_MAX;
}

static const char *string_of(const JsonValue *object, const char *key)
{
        return json_string_or_null(json_get(object, key));
}

static bool read_look(const JsonValue *value, Look *ret)
{
        const JsonValue *type = json_get(value, "type"), *by_another = json_get(value, "byAnother");

        *ret = (Look){
                .name = string_of(value, "name"),
                .directory = string_of(value, "directory"),
                .path = string_of(value, "path"),
                .by_another = json_is(by_another, JSON_BOOL) && by_another->boolean,
        };
        if (!json_is(type, JSON_INT) || type->integer < 0 || type->integer >= _LOOK_TYPE_MAX || !ret->name || !ret->directory)
                return false;
        ret->type = (LookType)type->integer;
        return ret->path || ret->type != LOOK_PROGRAM || strchr(ret->name, '/');
}

/* A path that is no UTF-8 is no suggestion. */
static void write_found(JsonWriter *w, int error, const char *nearest)
{
        json_begin_object(w);
        json_key(w, "error");
        json_int(w, -error);
        if (nearest && utf8_check(nearest, strlen(nearest)) == strlen(nearest)) {
                json_key(w, "nearest");
                json_string(w, nearest);
        }
        json_end_object(w);
}

/* The document is an array of objects as of base/look.h, the answer's one of {"error":ERRNO,"nearest":NAME} for each. */
static int work_look(const WorkRequest *request, _unused_ JsonWriter *header, Buffer *out, WorkError *error)
{
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        unsigned n_suggestions = 0, max_suggestions = suggestions_of(request->header);
        JsonWriter w;
        int r = json_parse(request->text, request->n, NULL, &doc, NULL);

        if (r < 0 || !json_is(json_root(doc), JSON_ARRAY))
                return r < 0 ? r : -EINVAL;
        json_writer_init(&w, out, 0);
        json_begin_array(&w);
        for (uint32_t i = 0; i < json_root(doc)->n; i++) {
                _cleanup_free_ char *nearest = NULL;
                Look look;
                int k;

                if (!read_look(&json_root(doc)->items[i], &look)) {
                        set_error(error, "request", strdup("this can't be looked for"));
                        return -EINVAL;
                }
                k = request->files->look(&look, n_suggestions < max_suggestions ? &nearest : NULL);
                n_suggestions += k == -ENOENT;
                write_found(&w, k, nearest);
        }
        json_end_array(&w);
        return json_writer_end(&w);
}

/* --- lines --- */

static const struct {
        const char *name;
        int (*work)(const WorkRequest *request, JsonWriter *header, Buffer *out, WorkError *error);
} works[] = {
        { "check", work_check },
        { "look", work_look },
        { "read", work_read },
        { "result", work_result },
};

static int work(const WorkRequest *request, JsonWriter *header, Buffer *out, WorkError *error)
{
        const char *name = json_string_or_null(json_get(request->header, "do"));

        for (size_t i = 0; name && i < ARRAY_SIZE(works); i++)
                if (streq(works[i].name, name))
                        return works[i].work(request, header, out, error);
        set_error(error, "request", strdup("there is no such work"));
        return -EOPNOTSUPP;
}

static void write_error(Buffer *header, const WorkError *error, int r)
{
        const char *message = error->message ?: strerror(-r);
        JsonWriter w;

        buffer_clear(header);
        json_writer_init(&w, header, 0);
        json_begin_object(&w);
        json_key(&w, "error");
        json_begin_object(&w);
        json_key(&w, "kind");
        json_string(&w, error->kind ?: r == -ENOMEM ? "memory" : r == -E2BIG ? "too-large" : "request");
        json_key(&w, "message");
        json_string_lossy(&w, message, strlen(message));
        json_end_object(&w);
        json_end_object(&w);
}

int work_answer(const WorkFiles *files, char *line, size_t n, Buffer *header, Buffer *out)
{
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        WorkError error = {};
        char *tab = memchr(line, '\t', n), *document = tab ? tab + 1 : line + n, *p;
        WorkRequest request = { .text = document, .n = n - (size_t)(document - line), .files = files };
        JsonWriter w;
        int r = json_parse(line, tab ? (size_t)(tab - line) : n, NULL, &doc, NULL);

        for (p = document; (p = memchr(p, WORK_LINE_BREAK, request.n - (size_t)(p - document)));)
                *p = '\n';
        json_writer_init(&w, header, 0);
        json_begin_object(&w);
        if (r >= 0) {
                request.header = json_root(doc);
                r = work(&request, &w, out, &error);
        }
        /* What has failed may have left a key without its value, and is not told. */
        if (r >= 0) {
                json_end_object(&w);
                r = json_writer_end(&w);
        }
        /* In JSON a line break is a blank, and here it would be the end. */
        for (p = out->data; p && (p = memchr(p, '\n', out->len - (size_t)(p - out->data)));)
                *p = ' ';
        if (r >= 0 && out->len > 0)
                r = buffer_append_char(out, '\n');
        else if (r == -ENODATA)
                (void)buffer_append_char(out, '\n');
        if (r < 0)
                write_error(header, &error, r);
        /* A result in which an output is missing is told as well. */
        if (r < 0 && r != -ENODATA)
                buffer_clear(out);
        free(error.message);
        return buffer_append_char(header, out->len > 0 ? '\t' : '\n');
}
