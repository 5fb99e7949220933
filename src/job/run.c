/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job/run.h"

#include <assert.h>

#include "base/buffer.h"
#include "base/spare.h"
#include "base/string-util.h"
#include "job/failed-attempts.h"
#include "job/job.h"
#include "job/spec.h"

static const char *const state_names[_RUN_STATE_MAX] = {
        [RUN_QUEUED] = "queued",       [RUN_RUNNING] = "running", [RUN_RETRYING] = "retrying",
        [RUN_SUCCEEDED] = "succeeded", [RUN_FAILED] = "failed",   [RUN_TIMEOUT] = "timeout",
        [RUN_CANCELLED] = "cancelled", [RUN_SKIPPED] = "skipped", [RUN_MISSED] = "missed",
        [RUN_LOST] = "lost",
};

static const char *const trigger_names[_RUN_TRIGGER_MAX] = {
        [RUN_TRIGGER_SCHEDULE] = "schedule",
        [RUN_TRIGGER_STARTUP] = "startup",
        [RUN_TRIGGER_MANUAL] = "manual",
        [RUN_TRIGGER_CATCH_UP] = "catch-up",
        [RUN_TRIGGER_EVENT] = "event",
        [RUN_TRIGGER_GROUP] = "group",
};

static const char *const hold_names[_RUN_HOLD_MAX] = {
        [RUN_HOLD_NONE] = "none",
        [RUN_HOLD_RUN] = "run",
        [RUN_HOLD_QUEUE] = "queue",
        [RUN_HOLD_PLACE] = "place",
        [RUN_HOLD_RESOURCE] = "resource",
};

static const RunExtra no_extra;
static Spare spare_run;

RunExtra *run_make_extra(Run *run)
{
        RunExtra *extra = (RunExtra *)run->extra;

        if (extra != &no_extra)
                return extra;
        extra = new0(RunExtra, 1);
        if (extra)
                run->extra = extra;
        return extra;
}

static void story_free(RunStory *story)
{
        if (!story)
                return;
        free(story->failed_attempts);
        free(story->resource);
        free(story);
}

static _noinline_ void free_extra(Run *run)
{
        RunExtra *extra = (RunExtra *)run->extra;

        free(extra->params);
        json_doc_free(extra->params_doc);
        free(extra->outputs);
        free(extra->details);
        free(extra->error_kind);
        free(extra->error_message);
        story_free(extra->story);
        causes_unref(extra->causes);
        secret_set_deinit(&extra->secrets);
        free(extra);
}

/* What comes after the kind is done has its place in the kind's state: job/refine.h. */
static size_t block_size(size_t kind_size)
{
        return sizeof(Run) + MAX(kind_size, sizeof(void *));
}

int run_new(size_t kind_size, Run **ret)
{
        Run *run;

        run = spare_take(&spare_run, block_size(kind_size));
        if (!run)
                return -ENOMEM;
        memset(run, 0, block_size(kind_size));
        run->extra = &no_extra;
        list_init(&run->link);
        list_init(&run->queue);
        *ret = run;
        return 0;
}

RunStory *run_story(Run *run)
{
        RunExtra *extra = run_make_extra(run);

        if (!extra || extra->story)
                return extra ? extra->story : NULL;
        extra->story = new0(RunStory, 1);
        if (extra->story)
                extra->story->started_by = extra->story->cancelled_by = REQUESTER_NONE;
        return extra->story;
}

Run *run_free(Run *run)
{
        const JobKind *kind;

        if (!run)
                return NULL;
        kind = run->spec ? run->spec->kind : NULL;
        if (run->extra != &no_extra)
                free_extra(run);
        free(run->result);
        job_spec_unref(run->spec);
        if (kind)
                spare_put(&spare_run, run, block_size(kind->run_size));
        else
                free(run);
        return NULL;
}

const void *run_config(const Run *run)
{
        return run->spec->config;
}

Run *run_from_state(void *kind_state)
{
        return (Run *)(void *)((char *)kind_state - offsetof(Run, kind_state));
}

const JsonValue *run_params(const Run *run)
{
        return run->extra->params_doc ? json_root(run->extra->params_doc) : NULL;
}

int run_set_params(Run *run, const char *text)
{
        RunExtra *extra = run_make_extra(run);

        if (!extra)
                return -ENOMEM;
        extra->params = strdup(text);
        return extra->params ? json_parse(extra->params, strlen(extra->params), NULL, &extra->params_doc, NULL) : -ENOMEM;
}

static void run_end(Run *run, bool failed)
{
        assert(run->state == RUN_RUNNING && !run->ended);
        run->failed = failed;
        run->ended = true;
        /* A kind may end inside its start(): the scheduler looks when that returns. */
        if (!run->starting)
                run->owner->ended(run);
}

SecretSet *run_secrets(Run *run)
{
        RunExtra *extra = run_make_extra(run);

        return extra ? &extra->secrets : NULL;
}

int run_add_secret(Run *run, const char *value, size_t n)
{
        SecretSet *secrets = run_secrets(run);

        return secrets ? secret_set_add(secrets, value, n) : -ENOMEM;
}

void run_redact(const Run *run, char *text, size_t *n)
{
        secret_set_redact(&run->spec->secrets, text, n);
        secret_set_redact(&run->extra->secrets, text, n);
}

void *run_memo(const Run *run)
{
        return run->spec->kind == run->job->spec->kind ? run->job->extra->memo : NULL;
}

int run_set_memo(Run *run, void *memo)
{
        /* A run may begin or end after a reload made another kind of job out of its own, whose memo is that kind's. */
        if (run->spec->kind == run->job->spec->kind)
                return job_set_memo(run->job, memo);
        free(memo);
        return 0;
}

/* TEXT may be NULL. Returns its length. */
static size_t redact_json(const Run *run, char *text, size_t n, const char *otherwise)
{
        if (!text)
                return 0;
        secret_set_redact_json(&run->spec->secrets, text, &n, otherwise);
        secret_set_redact_json(&run->extra->secrets, text, &n, otherwise);
        return n;
}

void run_set_result(Run *run, char *result, size_t result_len)
{
        free(run->result);
        run->result = result;
        run->result_len = redact_json(run, result, result_len, "\"" SECRET_SHOWN "\"");
}

int run_set_outputs(Run *run, char *outputs)
{
        RunExtra *extra;

        if (!outputs && !run->extra->outputs)
                return 0;
        extra = run_make_extra(run);
        if (!extra) {
                free(outputs);
                return -ENOMEM;
        }
        free(extra->outputs);
        extra->outputs = outputs;
        (void)redact_json(run, outputs, outputs ? strlen(outputs) : 0, "{}");
        return 0;
}

void run_set_details(Run *run, char *details)
{
        RunExtra *extra;

        if (!details && !run->extra->details)
                return;
        extra = run_make_extra(run);
        if (!extra) {
                free(details);
                return;
        }
        free(extra->details);
        extra->details = details;
        (void)redact_json(run, details, details ? strlen(details) : 0, "{}");
}

void run_succeed(Run *run, char *result, size_t result_len)
{
        run_set_result(run, result, result_len);
        run_end(run, false);
}

void run_succeed_undecoded(Run *run, const char *bytes, size_t n)
{
        _cleanup_buffer_ Buffer copy = BUFFER_NULL;
        char *result = buffer_append(&copy, bytes, n) < 0 ? NULL : buffer_steal(&copy);

        if (!result) {
                run_fail(run, "memory", "no memory for the result");
                return;
        }
        /* Nobody sees it before it is decoded, and looked through for secrets then. */
        free(run->result);
        run->result = result;
        run->result_len = n;
        run->undecoded = true;
        run_end(run, false);
}

void run_set_hold_run(Run *run, uint64_t id)
{
        RunExtra *extra = run_make_extra(run);

        if (extra)
                extra->hold_run = id;
}

void run_set_error(Run *run, const char *kind, const char *message)
{
        RunExtra *extra;

        if (!kind && !run->extra->error_kind)
                return;
        extra = run_make_extra(run);
        if (!extra)
                return;
        (void)free_and_strdup(&extra->error_kind, kind);
        (void)free_and_strdup(&extra->error_message, message);
}

void run_fail(Run *run, const char *kind, const char *format, ...)
{
        _cleanup_buffer_ Buffer message = BUFFER_NULL;
        va_list ap;

        va_start(ap, format);
        (void)buffer_appendv(&message, format, ap);
        va_end(ap);
        if (message.data)
                run_redact(run, message.data, &message.len);
        /* Where there is no memory for the words, the failure still counts. */
        run_set_error(run, kind, message.data);
        run_end(run, true);
}

void run_tell(Run *run, EventType type, const char *message, const char *data)
{
        _cleanup_free_ char *shown = message ? strdup(message) : NULL, *value = data ? strdup(data) : NULL;
        size_t n = shown ? strlen(shown) : 0;

        /* What can't be looked through for want of memory is not told. */
        if (!run->owner || (message && !shown) || (data && !value))
                return;
        if (shown)
                run_redact(run, shown, &n);
        (void)redact_json(run, value, value ? strlen(value) : 0, "{}");
        run->owner->progress(run, type, shown, value);
}

void run_progress(Run *run, const char *message, const char *data)
{
        run_tell(run, EVENT_PROGRESS, message, data);
}

void run_yield(Run *run, char *value, size_t n)
{
        run_set_result(run, value, n);
        if (run->owner && run->result)
                run->owner->progress(run, EVENT_YIELD, NULL, run->result);
}

const char *run_state_to_string(RunState state)
{
        return state_names[state];
}

int run_state_from_string(const char *s)
{
        for (int i = 0; i < _RUN_STATE_MAX; i++)
                if (streq(state_names[i], s))
                        return i;
        return -EINVAL;
}

const char *run_trigger_to_string(RunTrigger trigger)
{
        return trigger_names[trigger];
}

usec_t run_put_off_boottime(const Run *run)
{
        return usec_add(run->due_boottime, usec_add(run->extra->jitter, run->extra->slack));
}

usec_t run_lateness(const Run *run)
{
        if (run->started_boottime == 0)
                return 0;
        /* What is caught up on may be older than the boot clock. */
        if (run->trigger == RUN_TRIGGER_CATCH_UP)
                return usec_sub(run->started_realtime, run->scheduled_realtime);
        return usec_sub(run->started_boottime, run_put_off_boottime(run));
}

static bool knows_lateness(const Run *run)
{
        return run->started_boottime > 0 && run->scheduled_realtime > 0 && run->due_boottime != USEC_INFINITY;
}

void run_get_record(const Run *run, RunRecord *ret)
{
        static const RunStory none = { .started_by = REQUESTER_NONE, .cancelled_by = REQUESTER_NONE };
        const RunStory *story = run->extra->story ?: &none;

        *ret = (RunRecord){
                .id = run->id,
                .state = run->state,
                .trigger = run->trigger,
                .attempts = run->attempts,
                .origin = run->origin,
                .scheduled_realtime = run->scheduled_realtime,
                .created_realtime = run->created_realtime,
                .started_realtime = run->started_realtime,
                .finished_realtime = run->finished_realtime,
                .lateness = knows_lateness(run) ? run_lateness(run) : USEC_INFINITY,
                .duration = run->started_boottime > 0 && run->finished_boottime > 0 ?
                                    usec_sub(run->finished_boottime, run->started_boottime) : USEC_INFINITY,
                .jitter = run->extra->jitter,
                .slack = run->extra->slack,
                .job = run->job->name,
                .params = run->extra->params,
                .result = run->result,
                .outputs = run->extra->outputs,
                .details = run->extra->details,
                .error_kind = run->extra->error_kind,
                .error_message = run->extra->error_message,
                .cause = run->cause,
                .failed_attempts = story->failed_attempts,
                .resource = story->resource,
                .resource_run = story->resource_run,
                .replaces = story->replaces,
                .waited = story->waited,
                .hold = run->hold,
                .older_definition = run->spec != run->job->spec && !streq(run->spec->identity, run->job->spec->identity),
                .hold_run = run->extra->hold_run,
                .started_by = story->started_by,
                .cancelled_by = story->cancelled_by,
        };
}

void run_record_write_error(const RunRecord *record, JsonWriter *w)
{
        const char *message = record->error_message ?: "";

        if (!record->error_kind) {
                json_null(w);
                return;
        }
        json_begin_object(w);
        json_key(w, "kind");
        json_string(w, record->error_kind);
        json_key(w, "message");
        json_string_lossy(w, message, strlen(message));
        json_end_object(w);
}

void run_write_span(JsonWriter *w, usec_t span)
{
        if (span != USEC_INFINITY)
                json_uint(w, span);
        else
                json_null(w);
}

static void write_text(JsonWriter *w, const char *key, const char *text)
{
        json_key(w, key);
        json_raw(w, text, strlen(text));
}

static void write_failed_attempts(const char *list, JsonWriter *w)
{
        FailedAttempt attempt;

        json_key(w, "failedAttempts");
        json_begin_array(w);
        while (failed_attempts_next(&list, &attempt)) {
                json_begin_object(w);
                json_key(w, "attempt");
                json_uint(w, attempt.number);
                json_key(w, "time");
                json_realtime(w, attempt.realtime);
                json_key(w, "message");
                json_string_lossy(w, attempt.reason, attempt.reason_len);
                json_end_object(w);
        }
        json_end_array(w);
}

/* What only some runs have to tell: left out where it is null. */
static void write_reasons(const RunRecord *record, JsonWriter *w)
{
        if (record->cause) {
                json_key(w, "cause");
                json_string_lossy(w, record->cause, strlen(record->cause));
        }
        requester_write(&record->started_by, "startedBy", w);
        requester_write(&record->cancelled_by, "cancelledBy", w);
        if (record->hold != RUN_HOLD_NONE) {
                json_key(w, "heldBy");
                json_string(w, hold_names[record->hold]);
        }
        if (record->hold_run > 0) {
                json_key(w, "heldByRun");
                json_uint(w, record->hold_run);
        }
        if (record->resource) {
                json_key(w, "heldByResource");
                json_string_lossy(w, record->resource, strlen(record->resource));
        }
        if (record->older_definition) {
                json_key(w, "olderDefinition");
                json_bool(w, true);
        }
        if (record->replaces > 0) {
                json_key(w, "replacesRun");
                json_uint(w, record->replaces);
        }
        if (record->failed_attempts)
                write_failed_attempts(record->failed_attempts, w);
}

/* The run that led to this one. */
static void write_origin(const RunRecord *record, JsonWriter *w)
{
        static const char *const keys[_RUN_TRIGGER_MAX] = {
                [RUN_TRIGGER_GROUP] = "parent",
                [RUN_TRIGGER_EVENT] = "causeRun",
                [RUN_TRIGGER_MANUAL] = "againOf",
        };

        if (record->origin == 0 || !keys[record->trigger])
                return;
        json_key(w, keys[record->trigger]);
        json_uint(w, record->origin);
}

void run_record_write(const RunRecord *record, bool omit_result, JsonWriter *w)
{
        json_begin_object(w);
        json_key(w, "run");
        json_uint(w, record->id);
        json_key(w, "job");
        json_string(w, record->job);
        write_text(w, "params", record->params ?: "{}");
        json_key(w, "trigger");
        json_string(w, trigger_names[record->trigger]);
        write_origin(record, w);
        json_key(w, "state");
        json_string(w, state_names[record->state]);
        json_key(w, "scheduled");
        json_realtime(w, record->scheduled_realtime);
        json_key(w, "started");
        json_realtime(w, record->started_realtime);
        json_key(w, "finished");
        json_realtime(w, record->finished_realtime);
        json_key(w, "latenessUsec");
        run_write_span(w, record->lateness);
        json_key(w, "jitterUsec");
        json_uint(w, record->jitter);
        json_key(w, "slackUsec");
        json_uint(w, record->slack);
        json_key(w, "durationUsec");
        run_write_span(w, record->duration);
        json_key(w, "attempts");
        json_uint(w, record->attempts);
        write_text(w, "result", omit_result || !record->result ? "null" : record->result);
        write_text(w, "outputs", record->outputs ?: "{}");
        write_text(w, "details", record->details ?: "null");
        json_key(w, "error");
        run_record_write_error(record, w);
        write_reasons(record, w);
        json_end_object(w);
}

void run_write(const Run *run, bool omit_result, JsonWriter *w)
{
        bool is_live = run->state == RUN_RUNNING && !run->ended && !run->kind_done && run->spec->kind->details;
        _cleanup_free_ char *details = is_live ? run->spec->kind->details(run) : NULL;
        RunRecord record;

        run_get_record(run, &record);
        if (details)
                record.details = details;
        run_record_write(&record, omit_result, w);
}
