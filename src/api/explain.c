/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Why a job ran, did not run, or will run, in the order of time. A run's record holds what was decided about
 * it, the change log what was done to the job, and what holds for it now is looked up now, its file included.
 */
#include "api/decision.h"

#include <unistd.h>

#include "api/internal.h"
#include "base/file.h"
#include "base/string-util.h"

#define EXPLAIN_RUNS_DEFAULT 5U
#define EXPLAIN_RUNS_MAX 1000U

typedef struct Explanation {
        Api *api;
        const char *name;
        const Job *job; /* NULL: there is none of this name */
        Decisions decisions;
        size_t n_runs, max_runs;
        size_t n_changes;
        usec_t since_realtime;  /* what was before that is not told: the runs of then are not */
        bool told_end;          /* the last change says that it never runs again, or is gone … */
        const char *refused;    /* … or why its file is refused; lives as long as the change log is not added to */
} Explanation;

static void explanation_deinit(Explanation *e)
{
        decisions_deinit(&e->decisions);
}

/* --- its last runs --- */

static void add_run(Api *api, const RunRecord *record, void *userdata)
{
        Explanation *e = userdata;

        if (e->n_runs == e->max_runs)
                return;
        if (++e->n_runs == e->max_runs)
                e->since_realtime = record->scheduled_realtime > 0 ? MIN(record->scheduled_realtime, record->created_realtime) :
                                                                     record->created_realtime;
        explain_run(api, record, &e->decisions);
}

static bool on_stored(const RunRecord *record, void *userdata)
{
        Explanation *e = userdata;

        add_run(e->api, record, e);
        return true;
}

static void add_runs(Explanation *e)
{
        RunRecord record;

        for (List *l = e->job ? e->job->runs.prev : NULL; l && l != &e->job->runs && e->n_runs < e->max_runs; l = l->prev) {
                run_get_record(container_of(l, Run, link), &record);
                add_run(e->api, &record, e);
        }
        if (e->n_runs < e->max_runs)
                store_query(e->api->context.store,
                            &(StoreQuery){ .jobs = &e->name, .n_jobs = 1, .limit = e->max_runs - e->n_runs },
                            &(StoreAnswer){ .found = on_stored, .userdata = e });
}

/* --- what was done to the job --- */

/* What came of C, the newest change, by which a file was refused; of older ones nobody knows. */
static const char *refusal_outcome(const Explanation *e)
{
        if (e->n_changes > 1)
                return "";
        if (!e->job)
                return "; so it is not loaded";
        return e->job->refused ? "; what was loaded before goes on" : "";
}

static void explain_change(Explanation *e, const Change *c)
{
        Decisions *d = &e->decisions;

        switch (c->type) {
        case EVENT_PAUSED:
                decide_by(d, c->realtime, DECISION_BEFORE, "paused", &c->by, "its schedule was held back");
                break;
        case EVENT_RESUMED:
                decide_by(d, c->realtime, DECISION_BEFORE, "resumed", &c->by, "its schedule went on");
                break;
        case EVENT_CHANGED:
                decide(d, c->realtime, DECISION_BEFORE, "reloaded", "its definition had changed");
                break;
        case EVENT_REMOVED:
                decide(d, c->realtime, DECISION_BEFORE, "removed", "its file was gone when jobs were loaded");
                break;
        case EVENT_REFUSED:
                decide(d, c->realtime, DECISION_BEFORE, "refused", "%s%s", c->message ?: "its file is broken", refusal_outcome(e));
                break;
        default:
                decide(d, c->realtime, DECISION_BEFORE, "finished", "%s", c->message ?: "never due again");
        }
}

static bool on_change(const Change *change, void *userdata)
{
        Explanation *e = userdata;

        if (change->realtime < e->since_realtime || e->n_changes == e->max_runs)
                return false;
        if (e->n_changes++ == 0) {
                e->told_end = change->type == EVENT_FINISHED || change->type == EVENT_REMOVED;
                e->refused = change->type == EVENT_REFUSED ? change->message : NULL;
        }
        explain_change(e, change);
        return true;
}

/* --- the job as it stands --- */

/* What is wrong with PATH, or that it is not what is in force. */
static void explain_file(Explanation *e, const char *path)
{
        _cleanup_(config_report_deinit) ConfigReport report = CONFIG_REPORT_NULL;
        const JobSpec *spec = e->job ? e->job->spec : NULL;
        _cleanup_(job_spec_unrefp) JobSpec *now = NULL;
        _cleanup_buffer_ Buffer problem = BUFFER_NULL;
        int r = job_spec_load_file(path, &report, &now);

        if (r == -EBADMSG && report.n > 0) {
                if (config_problem_format(&report.problems[0], &problem) < 0)
                        e->decisions.error = -ENOMEM;
                else if (!e->refused || !streq(e->refused, problem.data))
                        decide_now(&e->decisions, "refused", "%s; %s", problem.data,
                                   spec ? "what was loaded before goes on" : "so it is not loaded");
        } else if (r >= 0 && (!spec || !streq(spec->identity, now->identity))) {
                decide_now(&e->decisions, "changed", "%s",
                           spec ? "its file has changed since it was loaded, which counts only after: taktctl reload" :
                                  "its file is not loaded yet; load it with: taktctl reload");
        }
}

/* What its file says and can't mean, as of the last load. */
static void explain_warnings(Explanation *e)
{
        const JobWarnings *warnings = e->job->spec->warnings;

        for (size_t i = 0; warnings && i < warnings->report.n; i++) {
                const ConfigProblem *p = &warnings->report.problems[i];
                const ConfigProblem plain = { CONFIG_ERROR, p->file, p->line, p->column, p->message };
                _cleanup_buffer_ Buffer text = BUFFER_NULL;

                /* The word says already that it is a warning. */
                if (config_problem_format(&plain, &text) < 0)
                        e->decisions.error = -ENOMEM;
                else
                        decide_now(&e->decisions, "warning", "%s", text.data);
        }
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

static void explain_end(Explanation *e, OutlookEnd end)
{
        _cleanup_buffer_ Buffer note = BUFFER_NULL;
        bool final = job_outlook_is_final(e->job, end);

        if (api_end_note(e->job, end, &note) < 0)
                e->decisions.error = -ENOMEM;
        decide_now(&e->decisions, final ? "never" : "next", "%s%s", final ? "never due again: " : "", buffer_string(&note));
}

static void explain_catch_ups(Explanation *e)
{
        size_t n = scheduler_n_catch_ups(e->job, NULL);

        if (n == 1)
                decide_now(&e->decisions, "catch-up", "one time that was missed waits to be caught up on (Missed=)");
        else if (n > 1)
                decide_now(&e->decisions, "catch-up", "%zu times that were missed wait to be caught up on, one after another (Missed=)", n);
}

static void explain_next(Explanation *e)
{
        _cleanup_buffer_ Buffer note = BUFFER_NULL;
        const Job *job = e->job;
        JobOutlook outlook;
        OutlookEnd end;

        if (scheduler_job_outlook(e->api->context.scheduler, job, &outlook, 1, &end) == 0) {
                if (end == OUTLOOK_GOES_ON)
                        decide_now(&e->decisions, "next", "all that was looked at is excluded (Exclude=); the search goes on as that passes");
                else if (!e->told_end)
                        explain_end(e, end);
                return;
        }
        if (api_outlook_note(&outlook, &note) < 0)
                e->decisions.error = -ENOMEM;
        decide(&e->decisions, job_outlook_earliest(&outlook), DECISION_AFTER, "next", "due by %s%s%s%s",
               job_spec_trigger(job->spec, outlook.time.occurrence.trigger) ?: "", note.len > 0 ? "; " : "",
               buffer_string(&note), overlap_prospect(job));
}

static void explain_events(Explanation *e)
{
        size_t n = scheduler_n_events_waiting(e->job);

        if (n == 1)
                decide_now(&e->decisions, "queued", "one event waits to start a run (On=)");
        else if (n > 1)
                decide_now(&e->decisions, "queued", "%zu events wait, each to start a run (On=)", n);
}

static void explain_job(Explanation *e)
{
        const Job *job = e->job;

        if (job->removed) {
                decide_now(&e->decisions, "removed", "its file is gone; its runs under way go on to their end, and nothing new starts");
                return;
        }
        if (job->spec->files.n > 0)
                explain_file(e, job->spec->files.strings[0]);
        explain_warnings(e);
        explain_events(e);
        if (job->is_template)
                decide_now(&e->decisions, "never", "it is a template; its instances run");
        else if (job->on_demand)
                decide_now(&e->decisions, "never", "this instance was made for runs by hand and has no schedule");
        else if (!job->spec->job.enabled)
                decide_now(&e->decisions, "disabled", "it runs by hand only (Enabled=no)");
        else if (job->paused_realtime > 0)
                decide_now(&e->decisions, "paused", "its schedule is held back; let it go on with: taktctl resume %s", job->name);
        else {
                explain_catch_ups(e);
                explain_next(e);
        }
}

/* The file that a job NAME would have; NULL: there is none, or no memory. */
static char *file_of(Api *api, const char *name)
{
        _cleanup_free_ char *file = job_name_is_valid(name) ? xasprintf("%s.job", name) : NULL;
        _cleanup_free_ char *path = file ? path_join(api->context.environment->jobs, file) : NULL;

        return path && access(path, F_OK) == 0 ? TAKE_PTR(path) : NULL;
}

/* All but what is about its runs. */
static void explain_all(Explanation *e, const char *path)
{
        const ApiContext *context = &e->api->context;

        change_log_query(context->changes, e->name, on_change, e);
        if (context->started_realtime >= e->since_realtime)
                decide(&e->decisions, context->started_realtime, DECISION_BEFORE, "daemon-started", "the daemon started");
        if (e->job)
                explain_job(e);
        else if (path)
                explain_file(e, path);
        else if (!e->told_end)
                decide_now(&e->decisions, "never", "the job does not exist any more");
}

static int reply(Explanation *e, VarlinkCall *call)
{
        JsonWriter *w = varlink_call_begin(call);

        json_key(w, "job");
        json_string_lossy(w, e->name, strlen(e->name));
        if (e->job) {
                json_key(w, "state");
                json_string(w, job_state_to_string(job_state(e->job)));
        }
        json_key(w, "decisions");
        decisions_write(&e->decisions, w);
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
        _cleanup_(explanation_deinit) Explanation e = {
                .api = api,
                .name = name,
                .job = scheduler_find_job(api->context.scheduler, name),
                .decisions.now_realtime = clock_realtime(api->context.services->clock),
                .decisions.now_boottime = clock_boottime(api->context.services->clock),
                .max_runs = (size_t)n,
        };
        _cleanup_free_ char *path = e.job ? NULL : file_of(api, name);
        int r;

        if (n < 1 || n > EXPLAIN_RUNS_MAX)
                return varlink_call_invalid_parameter(call, "limit");
        r = api_check_run_ids(call, parameters, "run");
        if (r <= 0)
                return r;
        if (json_is(run, JSON_INT)) {
                if (!explain_with_run(api, (uint64_t)run->integer, check_job, &of_run) || !of_run)
                        return api_no_such_run(api, call, (uint64_t)run->integer);
                (void)explain_with_run(api, (uint64_t)run->integer, add_run, &e);
                return reply(&e, call);
        }
        add_runs(&e);
        explain_all(&e, path);
        if (!e.job && !path && e.n_runs == 0 && e.n_changes == 0)
                return api_no_such_job(call, name);
        return reply(&e, call);
}
