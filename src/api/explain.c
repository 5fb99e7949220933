/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Why a job ran, did not run, or will run. Nothing is logged for this: a run's record holds what was
 * decided about it, and what holds for the job now is looked up now, its file included. Each run becomes a
 * piece of text on its own, as the store tells the newest first and people read the oldest first.
 */
#include "api/internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/string-util.h"
#include "when/timespan.h"

#define EXPLAIN_RUNS_DEFAULT 5U
#define EXPLAIN_RUNS_MAX 1000U

/* Fit for reading. */
static const char *span_text(usec_t span, char buffer[static TIMESPAN_MAX])
{
        if (span >= USEC_PER_MINUTE)
                span -= span % USEC_PER_SEC;
        else if (span >= USEC_PER_SEC)
                span -= span % (10 * USEC_PER_MSEC);
        else if (span >= USEC_PER_MSEC)
                span -= span % (USEC_PER_MSEC / 10);
        return timespan_format(span, buffer);
}

/* Adds a Decision. REALTIME 0: it just is so; RUN 0: about the job. */
_printf_(5, 6) static void decide(JsonWriter *w, usec_t realtime, uint64_t run, const char *what, const char *format, ...)
{
        _cleanup_buffer_ Buffer message = BUFFER_NULL;
        va_list ap;

        va_start(ap, format);
        if (buffer_appendv(&message, format, ap) < 0)
                w->error = -ENOMEM;
        va_end(ap);
        json_begin_object(w);
        json_key(w, "time");
        if (realtime == 0 || realtime == USEC_INFINITY)
                json_null(w);
        else
                json_realtime(w, realtime);
        if (run > 0) {
                json_key(w, "run");
                json_uint(w, run);
        }
        json_key(w, "what");
        json_string(w, what);
        json_key(w, "message");
        json_string_lossy(w, buffer_string(&message), message.len);
        json_end_object(w);
}

/* --- a run --- */

typedef struct Found {
        void (*each)(Api *api, const RunRecord *record, void *userdata);
        Api *api;
        void *userdata;
        size_t n;
} Found;

static bool on_found(const RunRecord *record, void *userdata)
{
        Found *found = userdata;

        found->n++;
        found->each(found->api, record, found->userdata);
        return true;
}

/* Calls EACH with run ID, under way or ended. Whether there is one. */
static bool with_run(Api *api, uint64_t id, void (*each)(Api *, const RunRecord *, void *), void *userdata)
{
        const Run *run = scheduler_find_run(api->context.scheduler, id);
        Found found = { .each = each, .api = api, .userdata = userdata };
        RunRecord record;

        if (run) {
                run_get_record(run, &record);
                each(api, &record, userdata);
                return true;
        }
        store_query(api->context.store, &(StoreQuery){ .id = id, .limit = 1 },
                    &(StoreAnswer){ .found = on_found, .userdata = &found });
        return found.n > 0;
}

/* What is known of the run in the way of another one. */
typedef struct Blocker {
        usec_t at_realtime;
        Buffer *out;
} Blocker;

static void add_blocker(_unused_ Api *api, const RunRecord *record, void *userdata)
{
        const Blocker *b = userdata;
        char before[TIMESPAN_MAX], after[TIMESPAN_MAX];

        if (record->started_realtime == 0 || record->started_realtime > b->at_realtime)
                return;
        (void)buffer_appendf(b->out, "; it had begun %s before",
                             span_text(b->at_realtime - record->started_realtime, before));
        if (record->finished_realtime >= b->at_realtime)
                (void)buffer_appendf(b->out, " and ended %s after",
                                     span_text(record->finished_realtime - b->at_realtime, after));
        else
                (void)buffer_append_string(b->out, " and is under way still");
}

static void explain_not_run(Api *api, const RunRecord *r, JsonWriter *w)
{
        _cleanup_buffer_ Buffer blocker = BUFFER_NULL;
        usec_t at = r->scheduled_realtime > 0 ? r->scheduled_realtime : r->finished_realtime;
        bool by_cause = r->cause && r->trigger != RUN_TRIGGER_MANUAL;

        if (r->hold_run > 0)
                (void)with_run(api, r->hold_run, add_blocker,
                               &(Blocker){ .at_realtime = r->finished_realtime, .out = &blocker });
        decide(w, at, r->id, run_state_to_string(r->state), "%s%s%s%s%s", by_cause ? "due by " : "",
               by_cause ? r->cause : "", by_cause ? ", but " : "", r->error_message ?: "", buffer_string(&blocker));
}

static void explain_origin(const RunRecord *r, JsonWriter *w)
{
        usec_t begun = r->started_realtime > 0 ? r->started_realtime : r->finished_realtime;
        char span[TIMESPAN_MAX];

        switch (r->trigger) {
        case RUN_TRIGGER_MANUAL:
                if (r->uid != RUN_UID_UNKNOWN)
                        decide(w, begun, r->id, "due", "started by hand, by the user of uid %u", r->uid);
                else
                        decide(w, begun, r->id, "due", "started by hand");
                break;
        case RUN_TRIGGER_CATCH_UP:
                decide(w, r->scheduled_realtime, r->id, "due", "missed at its time and made up for %s later (Missed=)",
                       span_text(usec_sub(begun, r->scheduled_realtime), span));
                break;
        case RUN_TRIGGER_EVENT:
                decide(w, begun, r->id, "due", "started by an event of run %" PRIu64 " (%s)", r->origin, r->cause ?: "On=");
                break;
        case RUN_TRIGGER_GROUP:
                decide(w, begun, r->id, "due", "started as a member of the group's run %" PRIu64, r->origin);
                break;
        default:
                decide(w, r->scheduled_realtime > 0 ? r->scheduled_realtime : begun, r->id, "due", "due by %s",
                       r->cause ?: run_trigger_to_string(r->trigger));
        }
}

static const char *hold_text(const RunRecord *r)
{
        switch (r->hold) {
        case RUN_HOLD_RUN:
        case RUN_HOLD_QUEUE:
                return "had to end first (Overlap=)";
        case RUN_HOLD_RESOURCE:
                return "others held a resource that it needs (Use=)";
        case RUN_HOLD_PLACE:
                return "as many runs of all jobs were under way as may be (MaxRuns=)";
        default:
                return NULL;
        }
}

static void explain_hold(const RunRecord *r, JsonWriter *w)
{
        const char *text = hold_text(r);

        if (!text)
                return;
        if (r->hold_run > 0)
                decide(w, r->scheduled_realtime, r->id, "queued", "run %" PRIu64 " of the job %s", r->hold_run, text);
        else
                decide(w, r->scheduled_realtime, r->id, "queued", "%s", text);
}

static void explain_start(const RunRecord *r, JsonWriter *w)
{
        char late[TIMESPAN_MAX], span[TIMESPAN_MAX];
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        int n = 0;

        if (r->started_realtime == 0)
                return;
        if (r->lateness == USEC_INFINITY)
                n = buffer_append_string(&text, "at once");
        else if (r->trigger == RUN_TRIGGER_CATCH_UP)
                n = buffer_append_string(&text, "when the job's turn to catch up came");
        else
                n = buffer_appendf(&text, "%s after its time", span_text(r->lateness, late));
        if (n >= 0 && r->jitter > 0 && r->jitter != USEC_INFINITY)
                n = buffer_appendf(&text, "; put off by %s (RandomizedDelaySec=)", span_text(r->jitter, span));
        if (n >= 0 && r->slack > 0 && r->slack != USEC_INFINITY)
                n = buffer_appendf(&text, "; put off by %s to begin with others (AccuracySec=)", span_text(r->slack, span));
        if (n < 0)
                w->error = -ENOMEM;
        decide(w, r->started_realtime, r->id, "started", "%s", buffer_string(&text));
}

static void explain_end(const RunRecord *r, JsonWriter *w)
{
        const char *state = run_state_to_string(r->state);
        char span[TIMESPAN_MAX];

        if (r->retry_reason)
                decide(w, 0, r->id, "retried", "attempt %u failed: %s", r->attempts - (r->state != RUN_RETRYING && r->attempts > 1),
                       r->retry_reason);
        if (r->state == RUN_SUCCEEDED)
                decide(w, r->finished_realtime, r->id, state, "took %s%s", span_text(r->duration, span),
                       r->attempts > 1 ? ", with all attempts" : "");
        else if (run_state_is_final(r->state))
                decide(w, r->finished_realtime, r->id, state, "%s: %s", r->error_kind ?: "error", r->error_message ?: "");
}

/* How a run that has not ended stands. */
static void explain_active(Api *api, const Run *run, JsonWriter *w)
{
        usec_t now = clock_boottime(api->context.services->clock);
        const char *state = run_state_to_string(run->state);
        char span[TIMESPAN_MAX];

        if (run->state == RUN_RUNNING)
                decide(w, 0, run->id, state, "under way for %s", span_text(usec_sub(now, run->started_boottime), span));
        else if (run->state == RUN_RETRYING)
                decide(w, 0, run->id, state, "attempt %u of %u begins in %s", run->attempts + 1, run->spec->job.retries + 1,
                       span_text(usec_sub(run->timer.due_boottime, now), span));
        else
                decide(w, 0, run->id, state, "it waits for its turn");
}

/* All decisions about a run. */
static void explain_run(Api *api, const RunRecord *r, JsonWriter *w)
{
        const Run *active = run_state_is_final(r->state) ? NULL : scheduler_find_run(api->context.scheduler, r->id);

        if ((r->state == RUN_SKIPPED || r->state == RUN_MISSED) && r->started_realtime == 0) {
                explain_not_run(api, r, w);
                return;
        }
        explain_origin(r, w);
        explain_hold(r, w);
        explain_start(r, w);
        explain_end(r, w);
        if (active)
                explain_active(api, active, w);
}

/* --- the pieces, the newest first --- */

typedef struct Pieces {
        Buffer *texts; /* each an array */
        size_t n, max;
        int error;
} Pieces;

static void pieces_deinit(Pieces *pieces)
{
        for (size_t i = 0; i < pieces->n; i++)
                buffer_deinit(&pieces->texts[i]);
        free(pieces->texts);
}

static void add_piece(Api *api, const RunRecord *record, void *userdata)
{
        Pieces *pieces = userdata;
        JsonWriter w;
        int r;

        if (pieces->n == pieces->max)
                return;
        pieces->texts[pieces->n] = BUFFER_NULL;
        json_writer_init(&w, &pieces->texts[pieces->n++], 0);
        json_begin_array(&w);
        explain_run(api, record, &w);
        json_end_array(&w);
        r = json_writer_end(&w);
        if (r < 0)
                pieces->error = r;
}

static void collect(Api *api, const Job *job, const char *name, Pieces *pieces)
{
        Found found = { .each = add_piece, .api = api, .userdata = pieces };
        RunRecord record;

        for (List *l = job ? job->runs.prev : NULL; l && l != &job->runs && pieces->n < pieces->max; l = l->prev) {
                run_get_record(container_of(l, Run, link), &record);
                add_piece(api, &record, pieces);
        }
        if (pieces->n < pieces->max)
                store_query(api->context.store, &(StoreQuery){ .jobs = &name, .n_jobs = 1, .limit = pieces->max - pieces->n },
                            &(StoreAnswer){ .found = on_found, .userdata = &found });
}

/* --- the job as it stands --- */

/* What is wrong with PATH, or that it is not what is in force. SPEC NULL: nothing is. */
static void explain_file(const char *path, const JobSpec *spec, JsonWriter *w)
{
        _cleanup_(config_report_deinit) ConfigReport report = CONFIG_REPORT_NULL;
        _cleanup_(job_spec_unrefp) JobSpec *now = NULL;
        _cleanup_buffer_ Buffer problem = BUFFER_NULL;
        int r = job_spec_load_file(path, &report, &now);

        if (r == -EBADMSG && report.n > 0 && config_problem_format(&report.problems[0], &problem) >= 0)
                decide(w, 0, 0, "refused", "%s; %s", buffer_string(&problem),
                       spec ? "what was loaded before goes on" : "so it is not loaded");
        else if (r >= 0 && (!spec || !streq(spec->identity, now->identity)))
                decide(w, 0, 0, "changed", "%s", spec ? "its file was changed since and what was loaded before goes on, until: taktctl reload" :
                                                        "its file is not loaded yet; it is by: taktctl reload");
}

/* What becomes of the next one if the run under way lasts. */
static const char *overlap_prospect(const Job *job)
{
        static const char *const prospects[] = {
                [OVERLAP_SKIP] = "; skipped if the run under way lasts until then (Overlap=skip)",
                [OVERLAP_QUEUE] = "; waits if the run under way lasts until then (Overlap=queue)",
                [OVERLAP_REPLACE] = "; replaces the run under way if that lasts until then (Overlap=replace)",
                [OVERLAP_PARALLEL] = "",
        };

        return job->n_runs > 0 ? prospects[job->spec->schedule.overlap] : "";
}

static void explain_next(Api *api, const Job *job, JsonWriter *w)
{
        _cleanup_buffer_ Buffer note = BUFFER_NULL;
        JobOutlook outlook;
        OutlookEnd end;

        if (scheduler_job_outlook(api->context.scheduler, job, &outlook, 1, &end) == 0) {
                decide(w, 0, 0, end == OUTLOOK_AFTER_RUN || end == OUTLOOK_NO_TRIGGER ? "next" : "never", "%s",
                       outlook_end_to_text(end));
                return;
        }
        if (api_outlook_note(&outlook, &note) < 0)
                w->error = -ENOMEM;
        decide(w, outlook.time.occurrence.scheduled_realtime, 0, "next", "due by %s%s%s%s",
               job_spec_trigger(job->spec, outlook.time.occurrence.trigger) ?: "", note.len > 0 ? "; " : "",
               buffer_string(&note), overlap_prospect(job));
}

static void explain_job(Api *api, const Job *job, JsonWriter *w)
{
        if (job->spec->files.n > 0)
                explain_file(job->spec->files.strings[0], job->spec, w);
        if (job->is_template)
                decide(w, 0, 0, "never", "it is a template; its instances run");
        else if (job->on_demand)
                decide(w, 0, 0, "never", "this instance was made for runs by hand and has no schedule");
        else if (!job->spec->job.enabled)
                decide(w, 0, 0, "disabled", "it runs by hand only (Enabled=no)");
        else if (job->paused_realtime > 0)
                decide(w, job->paused_realtime, 0, "paused", "its schedule is held back, until: taktctl resume %s", job->name);
        else {
                if (job->catch_up)
                        decide(w, 0, 0, "catch-up", "occurrences that were missed wait to be made up for (Missed=)");
                explain_next(api, job, w);
        }
}

/* The file that a job NAME would have; NULL: there is none, or no memory. */
static char *file_of(Api *api, const char *name)
{
        _cleanup_free_ char *file = job_name_is_valid(name) ? xasprintf("%s.job", name) : NULL;
        _cleanup_free_ char *path = file ? path_join(api->context.environment->jobs, file) : NULL;

        return path && access(path, F_OK) == 0 ? TAKE_PTR(path) : NULL;
}

static int reply(Api *api, VarlinkCall *call, const char *name, const Job *job, const char *path, const Pieces *pieces, bool all)
{
        JsonWriter *w = varlink_call_begin(call);

        json_key(w, "job");
        json_string_lossy(w, name, strlen(name));
        if (job) {
                json_key(w, "state");
                json_string(w, job_state_to_string(job_state(job)));
        }
        json_key(w, "decisions");
        json_begin_array(w);
        if (all && pieces->n < pieces->max)
                decide(w, api->context.started_realtime, 0, "daemon-started", "the daemon started");
        for (size_t i = pieces->n; i > 0; i--)
                /* Without its brackets. */
                json_raw(w, pieces->texts[i - 1].data + 1, pieces->texts[i - 1].len - 2);
        if (all && job)
                explain_job(api, job, w);
        else if (all && path)
                explain_file(path, NULL, w);
        else if (all)
                decide(w, 0, 0, "never", "there is no such job any more");
        json_end_array(w);
        return varlink_call_end(call, false);
}

static void check_job(_unused_ Api *api, const RunRecord *record, void *userdata)
{
        const char **name = userdata;

        if (!streq(record->job, *name))
                *name = NULL;
}

int api_jobs_explain(VarlinkCall *call, const JsonValue *parameters, void *userdata)
{
        Api *api = userdata;
        const char *name = json_string_or_null(json_get(parameters, "job")) ?: "", *of_run = name;
        const JsonValue *run = json_get(parameters, "run"), *limit = json_get(parameters, "limit");
        int64_t n = json_is(limit, JSON_INT) ? limit->integer : EXPLAIN_RUNS_DEFAULT;
        const Job *job = scheduler_find_job(api->context.scheduler, name);
        _cleanup_free_ char *path = job ? NULL : file_of(api, name);
        _cleanup_(pieces_deinit) Pieces pieces = {};
        bool one = json_is(run, JSON_INT);

        if (n < 1 || n > EXPLAIN_RUNS_MAX)
                return varlink_call_invalid_parameter(call, "limit");
        pieces.max = (size_t)n;
        pieces.texts = new0(Buffer, pieces.max);
        if (!pieces.texts)
                return -ENOMEM;
        if (one) {
                if (!with_run(api, (uint64_t)run->integer, check_job, &of_run) || !of_run)
                        return api_no_such_run(call, (uint64_t)run->integer);
                (void)with_run(api, (uint64_t)run->integer, add_piece, &pieces);
        } else {
                collect(api, job, name, &pieces);
        }
        if (pieces.error < 0)
                return pieces.error;
        if (!job && !path && pieces.n == 0)
                return api_no_such_job(call, name);
        return reply(api, call, name, job, path, &pieces, !one);
}
