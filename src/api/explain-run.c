/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Why a run came about, what held it up, and how it ended: its record says all of it. */
#include "api/decision.h"

#include <inttypes.h>

#include "api/internal.h"
#include "job/failed-attempts.h"
#include "when/timespan.h"

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

bool explain_with_run(Api *api, uint64_t id, void (*each)(Api *, const RunRecord *, void *), void *userdata)
{
        const Run *run = scheduler_find_run(api->context.scheduler, id);
        Found found = { .each = each, .api = api, .userdata = userdata };
        RunRecord record;

        if (run) {
                run_get_record(run, &record);
                each(api, &record, userdata);
                return true;
        }
        if (id == 0) /* to a query, this is any */
                return false;
        store_query(api->context.store, &(StoreQuery){ .id = id, .limit = 1 },
                    &(StoreAnswer){ .found = on_found, .userdata = &found });
        return found.n > 0;
}

/*
 * When a run of an earlier daemon was asked for is known no more, but that was no later than its beginning.
 */
static usec_t asked_time(const RunRecord *r)
{
        return r->started_realtime > 0 ? MIN(r->started_realtime, r->created_realtime) : r->created_realtime;
}

/*
 * When it was due or, where it was due at no time, asked for. A run in the place of a lost one is due when
 * that was found to be lost.
 */
static usec_t due_time(const RunRecord *r)
{
        if (r->scheduled_realtime > 0 && r->replaces == 0)
                return r->scheduled_realtime;
        return asked_time(r);
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
                (void)buffer_append_string(b->out, " and is still under way");
}

/* What it would have been for. */
static int append_origin(const RunRecord *r, Buffer *out)
{
        switch (r->trigger) {
        case RUN_TRIGGER_MANUAL:
                return r->origin > 0 ? buffer_appendf(out, "started by hand as run %" PRIu64 " was, but ", r->origin) :
                                       buffer_append_string(out, "started by hand, but ");
        case RUN_TRIGGER_EVENT:
                return buffer_appendf(out, "started by an event of run %" PRIu64 " (%s), but ", r->origin, r->cause ?: "On=");
        case RUN_TRIGGER_GROUP:
                return buffer_appendf(out, "started as a member of the group's run %" PRIu64 ", but ", r->origin);
        default:
                return r->cause ? buffer_appendf(out, "due by %s, but ", r->cause) : 0;
        }
}

static void explain_not_run(Api *api, const RunRecord *r, Decisions *d)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        int n = append_origin(r, &text);

        if (n >= 0)
                n = buffer_append_string(&text, r->error_message ?: "");
        if (n >= 0 && r->hold_run > 0)
                (void)explain_with_run(api, r->hold_run, add_blocker,
                                       &(Blocker){ .at_realtime = r->finished_realtime, .out = &text });
        if (n < 0)
                d->error = n;
        decide_by(d, due_time(r), r->id, run_state_to_string(r->state), &r->started_by, "%s", buffer_string(&text));
}

static void explain_origin(const RunRecord *r, Decisions *d)
{
        usec_t began = r->started_realtime > 0 ? r->started_realtime : r->finished_realtime > 0 ? r->finished_realtime :
                                                                                                  d->now_realtime;
        char span[TIMESPAN_MAX];

        switch (r->trigger) {
        case RUN_TRIGGER_MANUAL:
                if (r->origin > 0)
                        decide_by(d, due_time(r), r->id, "due", &r->started_by, "started by hand as run %" PRIu64 " was", r->origin);
                else
                        decide_by(d, due_time(r), r->id, "due", &r->started_by, "started by hand");
                break;
        case RUN_TRIGGER_CATCH_UP:
                decide(d, due_time(r), r->id, "due", "due by %s, missed at its time and caught up on %s later (Missed=)",
                       r->cause ?: "its schedule", span_text(usec_sub(began, r->scheduled_realtime), span));
                break;
        case RUN_TRIGGER_EVENT:
                /* Of a run that a daemon left behind, the line alone is known. */
                if (r->origin > 0)
                        decide(d, due_time(r), r->id, "due", "started by an event of run %" PRIu64 " (%s)", r->origin, r->cause ?: "On=");
                else
                        decide(d, due_time(r), r->id, "due", "started by an event (%s)", r->cause ?: "On=");
                break;
        case RUN_TRIGGER_GROUP:
                decide(d, due_time(r), r->id, "due", "started as a member of the group's run %" PRIu64, r->origin);
                break;
        default:
                decide(d, due_time(r), r->id, "due", "due by %s", r->cause ?: "its schedule");
        }
}

static void explain_hold(const RunRecord *r, Decisions *d)
{
        usec_t asked = asked_time(r);

        if (r->hold == RUN_HOLD_RUN || r->hold == RUN_HOLD_QUEUE)
                decide(d, asked, r->id, "queued", "waited for run %" PRIu64 " of the job to end (Overlap=)", r->hold_run);
        if (r->resource && r->resource_run > 0)
                decide(d, asked, r->id, "queued", "waited for the resource %s, which run %" PRIu64 " had (Use=)",
                       r->resource, r->resource_run);
        else if (r->resource)
                decide(d, asked, r->id, "queued", "waited for the resource %s (Use=)", r->resource);
        if (r->hold == RUN_HOLD_PLACE)
                decide(d, asked, r->id, "queued",
                       "waited, as there were as many runs of all jobs under way as are allowed (MaxRuns=)");
}

/* What an earlier daemon had to do with it: the run was that one's, or took the place of such a run. */
static void explain_earlier(const RunRecord *r, Decisions *d)
{
        if (r->waited)
                decide(d, r->created_realtime, r->id, "queued",
                       "waited with an earlier daemon, which ended before the run could begin; it kept its id");
        if (r->replaces > 0)
                decide(d, r->created_realtime, r->id, "repeated",
                       "takes the place of run %" PRIu64 ", which was lost with an earlier daemon; its attempts count (Retries=)", r->replaces);
}

/* What put it off on purpose. */
static int append_delays(const RunRecord *r, Buffer *text)
{
        char span[TIMESPAN_MAX];
        int n = 0;

        if (r->jitter > 0 && r->jitter != USEC_INFINITY)
                n = buffer_appendf(text, "put off by %s (RandomizedDelaySec=); ", span_text(r->jitter, span));
        if (n >= 0 && r->slack > 0 && r->slack != USEC_INFINITY)
                n = buffer_appendf(text, "put off by %s to begin with others (AccuracySec=); ", span_text(r->slack, span));
        return n;
}

static int append_lateness(const RunRecord *r, Buffer *text)
{
        usec_t waited = usec_sub(r->started_realtime, r->created_realtime);
        char span[TIMESPAN_MAX];

        if (r->trigger == RUN_TRIGGER_CATCH_UP)
                return buffer_append_string(text, "when the job's turn to catch up came");
        if (r->replaces > 0)
                return buffer_append_string(text, "in place of that run");
        if (r->waited)
                return buffer_append_string(text, "with this daemon");
        if (r->lateness != USEC_INFINITY)
                return buffer_appendf(text, "%s after %s", span_text(r->lateness, span), text->len > 0 ? "that" : "its time");
        if (r->scheduled_realtime > 0)
                return buffer_appendf(text, "%s after its time, delays on purpose included",
                                      span_text(usec_sub(r->started_realtime, r->scheduled_realtime), span));
        if (waited >= USEC_PER_MSEC)
                return buffer_appendf(text, "after it had waited for %s", span_text(waited, span));
        return buffer_append_string(text, "at once");
}

static void explain_start(const RunRecord *r, Decisions *d)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        int n;

        if (r->started_realtime == 0)
                return;
        n = append_delays(r, &text);
        if (n >= 0)
                n = append_lateness(r, &text);
        if (n < 0)
                d->error = n;
        decide(d, r->started_realtime, r->id, "started", "%s", buffer_string(&text));
}

static void explain_retries(const RunRecord *r, Decisions *d)
{
        const char *list = r->failed_attempts;
        FailedAttempt attempt;

        while (failed_attempts_next(&list, &attempt))
                decide(d, attempt.realtime, r->id, "retried", "attempt %u failed and is repeated (Retries=): %.*s", attempt.number,
                       (int)attempt.reason_len, attempt.reason);
}

/* What its details say of processes that outlived its command. */
static int append_left(const RunRecord *r, Buffer *out)
{
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        const JsonValue *left = NULL;
        int64_t n;

        if (r->details && json_parse(r->details, strlen(r->details), NULL, &doc, NULL) >= 0)
                left = json_get(json_root(doc), "leftProcesses");
        n = json_is(left, JSON_INT) ? left->integer : 0;
        if (n <= 0)
                return 0;
        return buffer_appendf(out, "; %" PRIi64 " other %s still there when its command had ended (ExitType=, KillMode=)", n,
                              n == 1 ? "process was" : "processes were");
}

static void explain_end(const RunRecord *r, Decisions *d)
{
        _cleanup_buffer_ Buffer left = BUFFER_NULL;
        const char *state = run_state_to_string(r->state);
        char span[TIMESPAN_MAX];

        if (append_left(r, &left) < 0)
                d->error = -ENOMEM;
        if (r->state == RUN_SUCCEEDED)
                decide(d, r->finished_realtime, r->id, state, "took %s%s%s", span_text(r->duration, span),
                       r->attempts > 1 ? ", with all attempts" : "", buffer_string(&left));
        else if (r->state == RUN_CANCELLED && requester_is_known(&r->cancelled_by))
                decide_by(d, r->finished_realtime, r->id, state, &r->cancelled_by, "on request");
        else if (run_state_is_final(r->state))
                decide(d, r->finished_realtime, r->id, state, "%s: %s%s", r->error_kind ?: "error", r->error_message ?: "",
                       buffer_string(&left));
}

/* How a run that has not ended stands. */
static void explain_active(const Run *run, Decisions *d)
{
        const char *state = run_state_to_string(run->state);
        char span[TIMESPAN_MAX];

        if (run->state == RUN_RUNNING)
                decide(d, d->now_realtime, run->id, state, "under way for %s",
                       span_text(usec_sub(d->now_boottime, run->started_boottime), span));
        else if (run->state == RUN_RETRYING)
                decide(d, d->now_realtime, run->id, state, "attempt %u of %u begins in %s", run->attempts + 1,
                       run->spec->job.retries + 1, span_text(usec_sub(run->timer.due_boottime, d->now_boottime), span));
        else
                decide(d, d->now_realtime, run->id, state, "it waits for its turn");
}

static void explain_definition(const RunRecord *r, Decisions *d)
{
        if (r->older_definition)
                decide(d, run_state_is_final(r->state) ? r->finished_realtime : d->now_realtime, r->id, "older-definition",
                       "%s with an earlier definition of the job; a reload does not change a run",
                       r->state == RUN_QUEUED ? "it was asked for" : "it began");
}

void explain_run(Api *api, const RunRecord *r, Decisions *d)
{
        const Run *active = run_state_is_final(r->state) ? NULL : scheduler_find_run(api->context.scheduler, r->id);

        if ((r->state == RUN_SKIPPED || r->state == RUN_MISSED) && r->started_realtime == 0) {
                explain_not_run(api, r, d);
                return;
        }
        explain_origin(r, d);
        explain_earlier(r, d);
        explain_hold(r, d);
        explain_start(r, d);
        explain_retries(r, d);
        explain_definition(r, d);
        explain_end(r, d);
        if (active)
                explain_active(active, d);
}
