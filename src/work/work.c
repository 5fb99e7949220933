/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "work/work.h"

#include "base/log.h"
#include "process/helper.h"
#include "work/limits.h"

#define WORK_NAME "takt-worker"

static const struct {
        const char *name;
        unsigned max_processes;
} kinds[_WORK_POOL_MAX] = {
        [WORK_COMPUTE] = { WORK_NAME, WORK_MAX_PROCESSES },
        [WORK_FILES] = { WORK_NAME " (files)", WORK_MAX_FILE_PROCESSES },
};

struct Work {
        PoolSet *pools;
        SharedPool *shared[_WORK_POOL_MAX]; /* NULL until somebody asks */
        char *helper;
};

struct WorkCall {
        PoolCall *call;
        WorkDone done;
        void *userdata;
};

int work_new(PoolSet *pools, Work **ret)
{
        _cleanup_(work_freep) Work *work = new0(Work, 1);
        int r;

        if (!work)
                return -ENOMEM;
        work->pools = pools;
        r = helper_find(WORK_NAME, &work->helper);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(work);
        return 0;
}

Work *work_free(Work *work)
{
        if (!work)
                return NULL;
        for (size_t i = 0; i < _WORK_POOL_MAX; i++)
                shared_pool_release(work->shared[i]);
        free(work->helper);
        free(work);
        return NULL;
}

/* What libjq says before it aborts, and the like. */
static void on_line(_unused_ PoolCall *call, pid_t pid, const char *line, size_t n, _unused_ void *userdata)
{
        log_debug(WORK_NAME " (process %d): %.*s", (int)pid, (int)MIN(n, (size_t)1024), line);
}

static int hold_pool(Work *work, WorkPool pool)
{
        char *argv[] = { work->helper, NULL };
        const PoolConfig config = {
                .command = {
                        .argv = argv,
                        .error_output = { .mode = SPAWN_CAPTURE, .max_bytes = 0 },
                        .set_umask = true,
                        .umask = 077,
                        .starts_nothing = true,
                },
                .max_processes = kinds[pool].max_processes,
                .max_queued = WORK_MAX_QUEUED,
                .max_requests = WORK_MAX_REQUESTS,
                .idle = WORK_IDLE_USEC,
                .max_answer = WORK_MAX_ANSWER + WORK_MAX_HEADER,
                .line = on_line,
        };
        int r = work->shared[pool] ? 0 : pool_set_hold(work->pools, kinds[pool].name, &config, &work->shared[pool]);

        return r < 0 ? r : 0;
}

static void tell_failure(WorkCall *call, int error)
{
        static const struct {
                int error;
                const char *kind;
                const char *message;
        } failures[] = {
                { -ETIMEDOUT, "work-timeout", "takt-worker did not answer in time" },
                { -EPIPE, "worker-died", "takt-worker died of it" },
                { -EMSGSIZE, "too-large", "takt-worker's answer was too large" },
                { -ENOMEM, "memory", "no memory for takt-worker's answer" },
                { -EBADMSG, "worker-died", "takt-worker gave what is no answer" },
        };
        WorkAnswer answer = { .error = error, .kind = "worker-died", .message = strerror(-error), .text = "" };

        for (size_t i = 0; i < ARRAY_SIZE(failures); i++)
                if (failures[i].error == error) {
                        answer.kind = failures[i].kind;
                        answer.message = failures[i].message;
                }
        call->done(call, &answer, call->userdata);
}

static void on_answer(PoolCall *pool_call, int error, const char *line, size_t n, void *userdata)
{
        _cleanup_free_ WorkCall *call = userdata;
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        const char *tab = error < 0 ? NULL : memchr(line, '\t', n);
        const JsonValue *failure;
        WorkAnswer answer = {};

        call->call = pool_call_free(pool_call);
        if (error >= 0)
                error = json_parse(line, tab ? (size_t)(tab - line) : n, NULL, &doc, NULL);
        if (error < 0) {
                tell_failure(call, error);
                return;
        }
        answer.header = json_root(doc);
        answer.text = tab ? tab + 1 : "";
        answer.n = tab ? n - (size_t)(tab + 1 - line) : 0;
        failure = json_get(answer.header, "error");
        if (failure) {
                answer.error = -EBADMSG;
                answer.kind = json_string_or_null(json_get(failure, "kind")) ?: "worker-died";
                answer.message = json_string_or_null(json_get(failure, "message")) ?: "";
                answer.header = NULL;
        }
        call->done(call, &answer, call->userdata);
}

static int make_line(const char *header, size_t n_header, const char *text, size_t n, Buffer *line)
{
        char *p, *end;
        int r;

        if (text && memchr(text, WORK_LINE_BREAK, n))
                return -EILSEQ;
        if (memchr(header, '\t', n_header))
                return -EINVAL;
        r = buffer_reserve(line, n_header + 1 + n);
        if (r < 0)
                return r;
        (void)buffer_append(line, header, n_header);
        if (!text)
                return 0;
        (void)buffer_append_char(line, '\t');
        (void)buffer_append(line, text, n);
        end = line->data + line->len;
        for (p = end - n; (p = memchr(p, '\n', (size_t)(end - p)));)
                *p = WORK_LINE_BREAK;
        return 0;
}

int work_ask(Work *work, WorkPool pool, const char *header, size_t n_header, const char *text, size_t n, usec_t timeout,
             WorkDone done, void *userdata, WorkCall **ret)
{
        _cleanup_free_ WorkCall *call = new0(WorkCall, 1);
        _cleanup_buffer_ Buffer line = BUFFER_NULL;
        int r = call ? make_line(header, n_header, text, n, &line) : -ENOMEM;

        if (r >= 0)
                r = hold_pool(work, pool);
        if (r < 0)
                return r;
        call->done = done;
        call->userdata = userdata;
        r = pool_call(shared_pool_get(work->shared[pool]), line.data, line.len, timeout, on_answer, call, &call->call);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(call);
        return 0;
}

WorkCall *work_call_stop(WorkCall *call)
{
        if (!call)
                return NULL;
        pool_call_stop(call->call);
        free(call);
        return NULL;
}
