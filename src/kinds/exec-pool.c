/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Type=exec, StartMethod=pool: a run is a line to a process that is there already, and its answer.
 *
 * Protocol=json: {"id":17,"job":"scale","run":4711,"scheduled":"…","params":{…},"input":"…"} is
 * answered by {"id":17,"result":…} or {"id":17,"error":"…"}, where the error may be an object of kind
 * and message. The id is of this call alone: an answer with another one, a second answer and a line
 * that is none end the process, as whatever it says next can't be trusted either.
 *
 * Protocol=lines: the line is Input=, or the parameters where there is none; the answer is the output.
 */

#include <ctype.h>

#include "base/string-util.h"
#include "job/expand.h"
#include "job/job.h"
#include "kinds/exec.h"
#include "kinds/kinds.h"
#include "kinds/outcome.h"
#include "process/pool-set.h"

#define ERROR_KIND_MAX 63U

typedef struct ExecPoolRun {
        PoolCall *call;
        uint64_t id;
        pid_t pid;
        JsonDoc *answer; /* of Protocol=json, once it was checked */
} ExecPoolRun;
_Static_assert(sizeof(ExecPoolRun) <= EXEC_RUN_SIZE_MAX, "fits a run");

/* Instances of a template share their pool: it has the template's name. */
static char *pool_name(const char *job)
{
        const char *instance = job_name_instance(job);

        return instance ? strndup(job, (size_t)(instance - job)) : strdup(job);
}

static int check_answer(PoolCall *call, const char *line, size_t n, _unused_ void *userdata)
{
        ExecPoolRun *state = pool_call_userdata(call);
        const JsonValue *root, *id;

        state->pid = pool_call_pid(call);
        state->answer = json_doc_free(state->answer);
        if (json_parse(line, n, NULL, &state->answer, NULL) < 0)
                return -EBADMSG;
        root = json_root(state->answer);
        id = json_get(root, "id");
        if (!json_is(id, JSON_INT) || (uint64_t)id->integer != state->id)
                return -EBADMSG;
        return !json_get(root, "result") == !json_get(root, "error") ? -EBADMSG : 0;
}

/* What is common to a pool whoever uses it. */
typedef struct PoolData {
        CommandLog log;    /* of lines that belong to no run */
        SecretSet secrets; /* that its processes were started with */
} PoolData;

static void pool_data_free(void *data)
{
        PoolData *d = data;

        secret_set_deinit(&d->secrets);
        free(d);
}

static void on_line(PoolCall *call, _unused_ pid_t pid, const char *line, size_t n, void *userdata)
{
        const SharedPool *shared = userdata;
        PoolData *data = shared_pool_data(shared);
        ExecPoolRun *state = call ? pool_call_userdata(call) : NULL;
        Run *run = state ? run_from_state(state) : NULL;
        _cleanup_free_ char *shown = strndup(line, n);

        if (!shown || !data)
                return;
        n = strlen(shown);
        secret_set_redact(&data->secrets, shown, &n);
        if (run) {
                run_redact(run, shown, &n);
                command_log_line(exec_log(run), run->services->clock, run->job->name, run->id, shown, n);
        } else
                command_log_line(&data->log, clock_system(), shared_pool_name(shared), 0, shown, n);
}

/* The secrets that RUN's expansions put into the pool are those of every run that it serves. */
static int share_secrets(Run *run, SharedPool *shared, bool is_new)
{
        PoolData *data = is_new ? new0(PoolData, 1) : shared_pool_data(shared);
        int r;

        if (!data)
                return -ENOMEM;
        if (is_new)
                shared_pool_set_data(shared, data, pool_data_free);
        r = secret_set_add_all(&run->spec->secrets, &run->extra->secrets);
        return r < 0 ? r : secret_set_add_all(&data->secrets, &run->spec->secrets);
}

static int hold_pool(Run *run, SharedPool **ret)
{
        ExecConfig *config = run->spec->config;
        _cleanup_(words_freep) char **argv = NULL;
        _cleanup_(string_list_deinit) StringList environment = {};
        _cleanup_free_ char *directory = NULL, *name = pool_name(run->job->name);
        PoolConfig pool;
        int r;

        if (config->shared_pool) {
                *ret = config->shared_pool;
                return 0;
        }
        if (!name) {
                run_fail(run, "memory", "no memory for the pool");
                return -ENOMEM;
        }
        if (run_expand_command(run, config->command, &argv) < 0 || command_directory(run, config->working_directory, &directory) < 0 ||
            command_environment(run, name, &config->environment, exec_assignments(run), &environment) < 0)
                return -EBADMSG;
        pool = (PoolConfig){
                .command = {
                        .argv = argv,
                        .environment = environment.strings,
                        .directory = directory,
                        .error_output = { .mode = SPAWN_CAPTURE, .max_bytes = 0 },
                },
                .min_processes = config->pool.min_processes,
                .max_processes = config->pool.processes,
                .max_queued = config->pool.max_queued,
                .max_requests = config->pool.max_requests,
                .idle = config->pool.idle == USEC_INFINITY ? 0 : config->pool.idle,
                .max_answer = config->max_bytes,
                .answer_after_exit = true,
                .check = config->pool.protocol == EXEC_PROTOCOL_JSON ? check_answer : NULL,
                .line = on_line,
        };
        process_settings_apply(&config->process, &pool.command);
        r = pool_set_hold(run->services->pools, name, &pool, ret);
        if (r >= 0) {
                config->shared_pool = *ret;
                r = share_secrets(run, *ret, r > 0);
        }
        if (r < 0) {
                config->shared_pool = shared_pool_release(config->shared_pool);
                run_fail(run, r == -EAGAIN ? "too-many-pools" : "exec", "the pool could not be made: %s", strerror(-r));
                return r;
        }
        return 0;
}

static void write_request(Run *run, uint64_t id, const Buffer *input, JsonWriter *w)
{
        const ExecConfig *config = run_config(run);
        const char *params = run->extra->params ?: "{}";

        json_begin_object(w);
        json_key(w, "id");
        json_uint(w, id);
        json_key(w, "job");
        json_string(w, run->job->name);
        json_key(w, "run");
        json_uint(w, run->id);
        json_key(w, "scheduled");
        json_realtime(w, run->scheduled_realtime);
        json_key(w, "params");
        json_raw(w, params, strlen(params));
        if (exec_config_input(config))
                json_key(w, "input");
        if (config->input_json)
                json_raw(w, buffer_string(input), input->len);
        else if (config->input)
                json_string_lossy(w, buffer_string(input), input->len);
        json_end_object(w);
}

/* The line to ask with. On failure the run has ended. */
static int make_request(Run *run, uint64_t id, Buffer *line)
{
        const ExecConfig *config = run_config(run);
        _cleanup_buffer_ Buffer input = BUFFER_NULL;
        JsonWriter w;
        int r;

        if (run_expand(run, exec_config_input(config), &input) < 0)
                return -EBADMSG;
        if (config->pool.protocol == EXEC_PROTOCOL_JSON) {
                json_writer_init(&w, line, 0);
                write_request(run, id, &input, &w);
                r = json_writer_end(&w);
        } else {
                r = buffer_append_string(line, exec_config_input(config) ? buffer_string(&input) : run->extra->params ?: "{}");
        }
        if (r >= 0)
                return 0;
        run_fail(run, "memory", "no memory for the request");
        return r;
}

static void fail_call(Run *run, int error)
{
        static const struct {
                int error;
                const char *kind;
                const char *message;
        } failures[] = {
                { -EPIPE, "pool-died", "the process of the pool ended, or closed its output, before it answered" },
                { -EBADMSG, "pool-answer", "what the process of the pool printed is no answer to this call, which is one line such as "
                                           "{\"id\":N,\"result\":…} or {\"id\":N,\"error\":\"…\"}, N being the id that it was asked with" },
                { -EMSGSIZE, "too-large", "the answer has more bytes than MaxBytes= allows" },
                { -ECANCELED, "pool-died", "the process was ended" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(failures); i++)
                if (failures[i].error == error) {
                        run_fail(run, failures[i].kind, "%s", failures[i].message);
                        return;
                }
        run_fail(run, "exec", "%s can't be executed: %s",
                 template_constant(command_line_word(((const ExecConfig *)run_config(run))->command, 0)) ?: "the command",
                 strerror(-error));
}

/* The words of a kind are the job's own, as long as they are a word. */
static const char *error_kind(const JsonValue *error)
{
        const char *kind = json_string_or_null(json_get(error, "kind"));
        size_t n = kind ? strlen(kind) : 0;

        if (n == 0 || n > ERROR_KIND_MAX)
                return "worker-error";
        for (size_t i = 0; i < n; i++)
                if (!islower((unsigned char)kind[i]) && !isdigit((unsigned char)kind[i]) && kind[i] != '-')
                        return "worker-error";
        return kind;
}

static void fail_with_error(Run *run, const JsonValue *error)
{
        const JsonValue *message = json_is(error, JSON_OBJECT) ? json_get(error, "message") : error;
        _cleanup_buffer_ Buffer text = BUFFER_NULL;

        if (json_is(message, JSON_STRING))
                (void)buffer_append(&text, message->string, message->n);
        else if (message)
                (void)json_format(message, 0, &text);
        run_fail(run, error_kind(error), "%s", buffer_string(&text));
}

static void finish_with_answer(Run *run, ExecPoolRun *state)
{
        const JsonValue *root = json_root(state->answer), *error = json_get(root, "error"), *result = json_get(root, "result");
        _cleanup_buffer_ Buffer text = BUFFER_NULL;

        if (error)
                fail_with_error(run, error);
        else if (json_format(result, 0, &text) < 0)
                run_fail(run, "memory", "no memory for the result");
        else
                run_finish_with_value(run, RESULT_JSON, result, &text);
}

static void on_answer(PoolCall *call, int error, const char *answer, size_t n, void *userdata)
{
        ExecPoolRun *state = userdata;
        Run *run = run_from_state(state);
        const ExecConfig *config = run_config(run);

        state->call = pool_call_free(call);
        command_log_flush(exec_log(run), run->job->name);
        if (state->pid > 0)
                run_set_details(run, xasprintf("{\"pid\":%d}", (int)state->pid));
        if (error < 0)
                fail_call(run, error);
        else if (config->pool.protocol == EXEC_PROTOCOL_JSON)
                finish_with_answer(run, state);
        else
                run_finish_with_bytes(run, run_result_format(run, exec_output_formats[config->output]), answer, n);
}

/* The processes of a pool that is there have their environment. */
static bool pool_is_prepared(const Run *run)
{
        const ExecConfig *config = run_config(run);

        return config->shared_pool;
}

static void pool_start(Run *run)
{
        static uint64_t last_id;
        ExecPoolRun *state = run_state(run);
        _cleanup_buffer_ Buffer line = BUFFER_NULL;
        SharedPool *shared;
        int r;

        state->id = ++last_id;
        if (hold_pool(run, &shared) < 0 || make_request(run, state->id, &line) < 0)
                return;
        /* The run's own timeout ends it by cancel(). */
        r = pool_call(shared_pool_get(shared), buffer_string(&line), line.len, USEC_INFINITY, on_answer, state, &state->call);
        if (r == -EAGAIN)
                run_fail(run, "pool-full", "all processes of the pool are busy, and as many runs wait for one as may be (MaxQueued=)");
        else if (r == -EINVAL)
                run_fail(run, "template", "Input= has a line break, and a process of a pool reads one line a run");
        else if (r < 0)
                run_fail(run, "memory", "no memory for the call");
}

static void pool_cancel(Run *run)
{
        ExecPoolRun *state = run_state(run);

        /* The run has ended once the process has: until then it may still do what it was asked. */
        if (state->call)
                pool_call_cancel(state->call);
        else
                run_fail(run, "cancelled", "ended before its time");
}

static char *pool_details(const Run *run)
{
        const ExecPoolRun *state = run_const_state(run);
        pid_t pid = state->call ? pool_call_pid(state->call) : 0;

        return pid > 0 ? xasprintf("{\"pid\":%d}", (int)pid) : NULL;
}

static void pool_reset(Run *run)
{
        ExecPoolRun *state = run_state(run);

        state->call = pool_call_stop(state->call);
        state->answer = json_doc_free(state->answer);
}

const ExecMethod exec_by_pool = {
        .is_prepared = pool_is_prepared,
        .start = pool_start,
        .cancel = pool_cancel,
        .details = pool_details,
        .reset = pool_reset,
};
