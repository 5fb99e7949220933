/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * takt-worker does for the daemon what may take long, never end, or end the process: jq programs, large
 * documents, files that block. It is a process of a pool, of which the daemon has as many as it needs: a line in,
 * a line out (work/limits.h), until its input ends. Whoever waits too long for an answer kills it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "base/string-util.h"
#include "json/json.h"
#include "json/writer.h"
#include "result/output.h"
#include "result/result.h"
#include "work/jq-filter.h"
#include "work/limits.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifdef SANITIZED
/* The sanitizer takes terabytes of address space, so that it has to hold to the limit itself. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
        return "hard_rss_limit_mb=1024:allocator_may_return_null=1";
}
#endif

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
static int work_result(const JsonValue *request, const char *text, size_t n, JsonWriter *header, Buffer *out, WorkError *error)
{
        const char *program = json_string_or_null(json_get(request, "program"));
        const JsonValue *declarations = json_get(request, "outputs"), *raw = json_get(request, "decode");
        _cleanup_buffer_ Buffer decoded = BUFFER_WITH_MAX(WORK_MAX_ANSWER);
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

static int work_check(const JsonValue *request, _unused_ const char *text, _unused_ size_t n, _unused_ JsonWriter *header,
                      _unused_ Buffer *out, WorkError *error)
{
        _cleanup_free_ char *message = NULL;
        int r = filter_check(json_string_or_null(json_get(request, "program")) ?: "", &message);

        if (r < 0)
                set_error(error, r == -ENOMEM ? "memory" : "filter", TAKE_PTR(message));
        return r;
}

/* --- read: a file that may block --- */

static int open_file(const char *path)
{
        struct rlimit limit, one_more;
        int fd;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return negative_errno();
        one_more = (struct rlimit){ limit.rlim_max, limit.rlim_max };
        (void)setrlimit(RLIMIT_NOFILE, &one_more);
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                fd = negative_errno();
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        return fd;
}

/* "path", and "max" bytes; the answer's document is a string: what is no UTF-8 is refused. */
static int work_read(const JsonValue *request, _unused_ const char *text, _unused_ size_t n, _unused_ JsonWriter *header,
                     Buffer *out, WorkError *error)
{
        const char *path = json_string_or_null(json_get(request, "path")) ?: "";
        const JsonValue *max = json_get(request, "max");
        _cleanup_buffer_ Buffer contents = BUFFER_NULL;
        _cleanup_close_ int fd = open_file(path);
        JsonWriter w;
        size_t limit = json_is(max, JSON_INT) && max->integer >= 0 ? MIN((size_t)max->integer, (size_t)WORK_MAX_ANSWER) : WORK_MAX_ANSWER;
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

/* --- lines --- */

static const struct {
        const char *name;
        int (*work)(const JsonValue *request, const char *text, size_t n, JsonWriter *header, Buffer *out, WorkError *error);
} works[] = {
        { "check", work_check },
        { "read", work_read },
        { "result", work_result },
};

static int work(const JsonValue *request, const char *text, size_t n, JsonWriter *header, Buffer *out, WorkError *error)
{
        const char *name = json_string_or_null(json_get(request, "do"));

        for (size_t i = 0; name && i < ARRAY_SIZE(works); i++)
                if (streq(works[i].name, name))
                        return works[i].work(request, text, n, header, out, error);
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

/* The answer to the line LINE, which is changed. */
static int answer(char *line, size_t n, Buffer *header, Buffer *out)
{
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        WorkError error = {};
        char *tab = memchr(line, '\t', n), *document = tab ? tab + 1 : line + n, *p;
        JsonWriter w;
        int r = json_parse(line, tab ? (size_t)(tab - line) : n, NULL, &doc, NULL);

        n -= (size_t)(document - line);
        for (p = document; (p = memchr(p, WORK_LINE_BREAK, n - (size_t)(p - document)));)
                *p = '\n';
        json_writer_init(&w, header, 0);
        json_begin_object(&w);
        if (r >= 0)
                r = work(json_root(doc), document, n, &w, out, &error);
        json_end_object(&w);
        if (r >= 0)
                r = json_writer_end(&w);
        if (r < 0)
                write_error(header, &error, r);
        /* A result in which an output is missing is told as well. */
        if (r < 0 && r != -ENODATA)
                buffer_clear(out);
        free(error.message);
        r = buffer_append_char(header, out->len > 0 ? '\t' : '\n');
        if (r >= 0 && out->len > 0)
                r = buffer_append_char(out, '\n');
        return r;
}

_noreturn_ static void out_of_memory(void)
{
        static const char said[] = "{\"error\":{\"kind\":\"memory\",\"message\":\"Filter= needs more memory than a filter may have\"}}\n";

        (void)write_all(STDOUT_FILENO, said, sizeof(said) - 1);
        _exit(EXIT_FAILURE);
}

static void set_limits(void)
{
        const struct rlimit nothing = {};

        (void)setrlimit(RLIMIT_CORE, &nothing);
        (void)setrlimit(RLIMIT_FSIZE, &nothing);
#ifndef SANITIZED
        const struct rlimit memory = { WORK_MAX_MEMORY, WORK_MAX_MEMORY };

        (void)setrlimit(RLIMIT_AS, &memory);
#endif
}

/* Each request has WORK_MAX_CPU_SEC, on top of what was used. */
static void renew_cpu_limit(void)
{
        struct rusage usage;
        struct rlimit limit;

        if (getrusage(RUSAGE_SELF, &usage) < 0 || getrlimit(RLIMIT_CPU, &limit) < 0)
                return;
        limit.rlim_cur = MIN(limit.rlim_max,
                             (rlim_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + WORK_MAX_CPU_SEC);
        (void)setrlimit(RLIMIT_CPU, &limit);
}

int main(void)
{
        char *empty[] = { NULL }; /* libjq can't do without one at all */
        _cleanup_free_ char *line = NULL;
        size_t allocated = 0;
        ssize_t n;
        int r = 0;

        set_limits();
        environ = empty;
        filter_init(out_of_memory);
        while (r >= 0 && (n = getline(&line, &allocated, stdin)) > 0) {
                _cleanup_buffer_ Buffer header = BUFFER_NULL, out = BUFFER_WITH_MAX(WORK_MAX_ANSWER);

                renew_cpu_limit();
                r = answer(line, (size_t)n - (line[n - 1] == '\n'), &header, &out);
                if (r >= 0)
                        r = write_all(STDOUT_FILENO, header.data, header.len);
                if (r >= 0)
                        r = write_all(STDOUT_FILENO, buffer_string(&out), out.len);
        }
        filter_deinit();
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
