/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>

#include "base/string-util.h"
#include "ctl/labels.h"
#include "ctl/logs.h"
#include "ctl/overview.h"
#include "ctl/processes.h"
#include "ctl/run-text.h"
#include "ctl/run-tree.h"
#include "ctl/verb.h"
#include "ctl/who.h"

#define RUNS_SHOWN 5U
#define MEMBERS_SHOWN 20U /* of each of these, where it is a group */
#define TIMES_SHOWN 3U
#define LOG_LINES_DEFAULT 10U /* as systemctl status has it */

/* --- a job --- */

static void print_error(const char *label, const char *before, const JsonValue *error)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;

        if (buffer_appendf(&text, "%s%s: %s", before, json_get_string(error, "kind", "?"),
                           json_get_string(error, "message", "")) >= 0)
                label_print_text(label, text.data);
}

static void print_last(const Ctl *ctl, const JsonValue *last)
{
        const char *state = json_get_string(last, "state", "?");
        usec_t took = json_get_span(last, "durationUsec");
        char relative[RELATIVE_MAX], span[TIMESPAN_MAX];
        Style style = state_style(state);

        if (!json_is(last, JSON_OBJECT))
                return;
        label_print("Last run");
        printf("%s%s%s %s", style_begin(style, ctl->colour), state, style_end(style, ctl->colour),
               relative_to_text(json_get_time(last, "finished"), clock_realtime(clock_system()), relative));
        if (took != USEC_INFINITY)
                printf(", took %s", span_to_text(took, span));
        printf(" (run %" PRIi64 ")\n", json_get_int(last, "run", 0));
        if (json_is(json_get(last, "error"), JSON_OBJECT))
                print_error("Error", "", json_get(last, "error"));
}

static void print_title(const Ctl *ctl, const JsonValue *job, Style style)
{
        const char *description = json_get_string(job, "description", "");
        _cleanup_buffer_ Buffer clean = BUFFER_NULL;

        (void)text_append_clean(&clean, description, strlen(description), false);
        printf("%s● %s%s%s%s\n", style_begin(style, ctl->colour), json_get_string(job, "job", "?"),
               style_end(style, ctl->colour), clean.len > 0 ? " - " : "", buffer_string(&clean));
}

static void print_end(const JsonValue *end)
{
        bool final = !json_get(end, "final") || json_get_bool(end, "final");
        _cleanup_free_ char *text = xasprintf("%s%s", final ? "never due again: " : "", json_get_string(end, "message", ""));

        if (text && json_is(end, JSON_OBJECT))
                label_print_text("Next", text);
}

/* ", since …, by …" */
static void print_pause(const Ctl *ctl, const JsonValue *job)
{
        _cleanup_buffer_ Buffer by = BUFFER_NULL;
        usec_t since = json_get_time(job, "pausedSince");
        char text[TIMESTAMP_MAX];

        if (since == USEC_INFINITY || who_append(&by, " ", json_get(job, "pausedBy")) < 0)
                return;
        printf(" since %s%s", time_to_short_text(since, USEC_PER_SEC, ctl->zone, text), buffer_string(&by));
}

/* The time at which it begins next, and what that was put off by. */
static void print_first(const Ctl *ctl, const JsonValue *job)
{
        usec_t next = json_get_time(job, "next"), scheduled = json_get_time(job, "nextScheduled");
        char span[TIMESPAN_MAX], note[TIMESPAN_MAX + 16] = "";

        if (scheduled != USEC_INFINITY && scheduled < next)
                (void)snprintf(note, sizeof(note), ", put off by %s", span_to_text(next - scheduled, span));
        label_print_time(ctl, "Next", next, note);
}

/* One behind that; RandomizedDelaySec= may put it off by it is not known yet how much. */
static void print_later(const Ctl *ctl, const JsonValue *occurrence, usec_t first)
{
        usec_t begins = json_get_time(occurrence, "begins"), latest = json_get_time(occurrence, "beginsLatest");
        char span[TIMESPAN_MAX], note[TIMESPAN_MAX + 32] = "";

        if (begins == USEC_INFINITY || begins <= first)
                return;
        if (latest != USEC_INFINITY && latest > begins)
                (void)snprintf(note, sizeof(note), ", or up to %s later", span_to_text(latest - begins, span));
        label_print_time(ctl, "", begins, note);
}

/* It had times, and has no more. One that is started by events or by hand alone is idle as well. */
static bool has_ended(const JsonValue *job)
{
        const JsonValue *schedule = json_get(job, "schedule");
        const char *state = json_get_string(job, "state", "");
        bool has_times = false;

        for (uint32_t i = 0; json_is(schedule, JSON_ARRAY) && i < schedule->n; i++)
                has_times = has_times || !startswith(json_string_or_null(&schedule->items[i]) ?: "", "On=");
        return streq(state, "finished") || (streq(state, "idle") && has_times);
}

/* Its next times; the first is known from the list, where the others can't be had. */
static int print_next(Ctl *ctl, const JsonValue *job)
{
        const char *name = json_get_string(job, "job", "?");
        _cleanup_(varlink_reply_deinit) VarlinkReply reply = VARLINK_REPLY_NULL;
        _cleanup_params_ Params params = PARAMS_NULL;
        usec_t next = json_get_time(job, "next");
        const JsonValue *list;
        const char *parameters;
        int r;

        print_first(ctl, job);
        if (next == USEC_INFINITY && !has_ended(job))
                return 0;
        params_init(&params);
        params_string(&params, "job", name);
        params_int(&params, "count", TIMES_SHOWN);
        r = params_end(&params, &parameters);
        if (r == 0)
                r = ctl_call(ctl, "io.takt.Jobs.Next", parameters, &reply);
        if (r != 0)
                return r;
        list = json_get(reply.parameters, "occurrences");
        for (uint32_t i = 0; json_is(list, JSON_ARRAY) && i < list->n; i++)
                print_later(ctl, &list->items[i], next);
        if (next == USEC_INFINITY)
                print_end(json_get(reply.parameters, "end"));
        return 0;
}

static int print_failed(_unused_ Ctl *ctl, const JsonValue *run, _unused_ void *userdata)
{
        char relative[RELATIVE_MAX];
        _cleanup_free_ char *before = NULL;

        if (!json_is(json_get(run, "error"), JSON_OBJECT))
                return 0;
        before = xasprintf("%s (run %" PRIi64 "), ",
                           relative_to_text(json_get_time(run, "finished"), clock_realtime(clock_system()), relative),
                           json_get_int(run, "run", 0));
        if (!before)
                return ctl_oom();
        print_error("Last error", before, json_get(run, "error"));
        return 0;
}

/* That of the last run is shown with it; here is one that was before it. */
static int print_last_error(Ctl *ctl, const JsonValue *job)
{
        static const char *const bad[] = { "failed", "timeout", "lost" };
        const char *name = json_get_string(job, "job", "?");
        const JsonValue *runs = json_get(job, "runs");
        _cleanup_params_ Params params = PARAMS_NULL;
        const char *parameters;
        int64_t n = 0;
        int r;

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                n += json_get_int(runs, bad[i], 0);
        if (n == 0 || json_is(json_get(json_get(job, "last"), "error"), JSON_OBJECT))
                return 0;
        params_init(&params);
        params_strings(&params, "jobs", &name, 1);
        params_strings(&params, "states", bad, ARRAY_SIZE(bad));
        params_int(&params, "limit", 1);
        r = params_end(&params, &parameters);
        return r == 0 ? ctl_each(ctl, "io.takt.Runs.List", parameters, "runs", print_failed, NULL) : r;
}

/* What is legal in its files and surely not meant, with the place. */
static void print_warnings(const JsonValue *warnings)
{
        for (uint32_t i = 0; json_is(warnings, JSON_ARRAY) && i < warnings->n; i++) {
                const JsonValue *p = &warnings->items[i];
                int64_t line = json_get_int(p, "line", 0), column = json_get_int(p, "column", 0);
                _cleanup_buffer_ Buffer text = BUFFER_NULL;
                int r = buffer_append_string(&text, json_get_string(p, "file", "?"));

                if (r >= 0 && line > 0)
                        r = buffer_appendf(&text, ":%" PRIi64, line);
                if (r >= 0 && line > 0 && column > 0)
                        r = buffer_appendf(&text, ":%" PRIi64, column);
                if (r >= 0)
                        r = buffer_appendf(&text, ": %s", json_get_string(p, "message", "?"));
                if (r >= 0)
                        label_print_text("Warning", text.data);
        }
}

/* " (1 running, 100 queued, 20 events waiting)" */
static void print_load(const JsonValue *job)
{
        int64_t running = json_get_int(job, "running", 0), queued = json_get_int(job, "queued", 0);
        int64_t events = json_get_int(job, "eventsWaiting", 0);

        if (running == 0 && queued == 0 && events == 0)
                return;
        printf(" (%" PRIi64 " running, %" PRIi64 " queued", running, queued);
        if (events > 0)
                printf(", %" PRIi64 " %s waiting", events, events == 1 ? "event" : "events");
        putchar(')');
}

static void print_overlap(const JsonValue *job)
{
        const char *overlap = json_get_string(job, "overlap", NULL);
        const char *of_events = json_get_string(job, "eventOverlap", overlap);
        _cleanup_free_ char *text = NULL;

        if (overlap && !streq(overlap, of_events))
                text = xasprintf("%s; %s for events", overlap, of_events);
        label_print_text("Overlap", text ?: overlap);
}

static void print_catch_ups(const JsonValue *job)
{
        int64_t n = json_get_int(job, "catchUps", 0);
        _cleanup_free_ char *text = n > 0 ? xasprintf("%" PRIi64 " %s to be caught up on (Missed=)", n, n == 1 ? "time is" : "times are") : NULL;

        if (text)
                label_print_text("Missed", text);
}

static int print_job(Ctl *ctl, const JsonValue *job)
{
        const char *state = json_get_string(job, "state", "?");
        Style style = state_style(state);
        int r;

        print_title(ctl, job, style);
        label_print_strings("File", json_get(job, "files"));
        label_print_text("Kind", json_get_string(job, "kind", NULL));
        label_print("State");
        printf("%s%s%s", style_begin(style, ctl->colour), state, style_end(style, ctl->colour));
        print_load(job);
        print_pause(ctl, job);
        putchar('\n');
        if (json_get_bool(job, "refused"))
                label_print_text("Refused", "its file is broken, and what was loaded before goes on; see: taktctl verify FILE");
        print_warnings(json_get(job, "warnings"));
        label_print_strings("Schedule", json_get(job, "schedule"));
        print_overlap(job);
        print_catch_ups(job);
        r = print_next(ctl, job);
        if (r != 0)
                return r;
        print_last(ctl, json_get(job, "last"));
        r = print_last_error(ctl, job);
        if (r != 0)
                return r;
        label_print_counts("Runs", json_get(job, "runs"));
        label_print_strings("Docs", json_get(job, "documentation"));
        return 0;
}

/* --- its last runs; asked for when the list of jobs has ended, as answers come in order --- */

typedef struct Status {
        VarlinkReply *replies; /* of the list; its jobs are printed once all are there */
        size_t n_replies;
} Status;

static void status_deinit(Status *status)
{
        for (size_t i = 0; i < status->n_replies; i++)
                varlink_reply_deinit(&status->replies[i]);
        free(status->replies);
}

typedef struct RunsShown {
        Table *table;
        RunTree tree;
        ProcessRoots processes;
        int64_t groups[RUNS_SHOWN]; /* whose members are asked for next */
        size_t n_groups;
} RunsShown;

static int add_run(Ctl *ctl, const JsonValue *run, void *userdata)
{
        RunsShown *shown = userdata;
        int r = process_roots_add(&shown->processes, run);

        if (r != 0)
                return r;
        if (shown->n_groups < RUNS_SHOWN)
                shown->groups[shown->n_groups++] = json_get_int(run, "run", 0);
        return run_tree_add(ctl, &shown->tree, shown->table, run);
}

static int add_runs(Ctl *ctl, const char *job, int64_t parent, int64_t limit, RunsShown *shown)
{
        _cleanup_params_ Params params = PARAMS_NULL;
        const char *parameters;
        int r;

        params_init(&params);
        if (parent > 0)
                params_int(&params, "parent", parent);
        else
                params_strings(&params, "jobs", &job, 1);
        params_int(&params, "limit", limit);
        r = params_end(&params, &parameters);
        return r == 0 ? ctl_each(ctl, "io.takt.Runs.List", parameters, "runs", add_run, shown) : r;
}

static void runs_shown_deinit(RunsShown *shown)
{
        table_free(shown->table);
        run_tree_deinit(&shown->tree);
        process_roots_deinit(&shown->processes);
}

static int print_runs(Ctl *ctl, const char *job, bool group)
{
        _cleanup_(runs_shown_deinit) RunsShown shown = { .table = table_new(run_columns, RUN_COLUMNS) };
        int r = shown.table ? add_runs(ctl, job, 0, RUNS_SHOWN, &shown) : ctl_oom();

        for (size_t i = 0, n = shown.n_groups; i < n && group && r == 0; i++)
                r = add_runs(ctl, NULL, shown.groups[i], MEMBERS_SHOWN, &shown);
        if (r == 0 && run_tree_arrange(&shown.tree, shown.table) < 0)
                r = ctl_oom();
        if (r != 0 || table_rows(shown.table) == 0)
                return r;
        putchar('\n');
        if (table_print(shown.table, ctl->width, !ctl->options.quiet, ctl->colour, stdout) < 0)
                return ctl_oom();
        return process_roots_print(ctl, &shown.processes);
}

/* What the journal has of it. A status without is one, too: RET_UNREAD, where it may not be read, is all that is told. */
static void print_log(Ctl *ctl, const char *job, bool *ret_unread)
{
        const CtlOptions *o = &ctl->options;
        char *jobs[] = { (char *)job };
        const LogsRequest request = {
                .jobs = jobs,
                .n_jobs = 1,
                .lines = o->lines > 0 ? o->lines : LOG_LINES_DEFAULT,
                .brief = true,
        };

        if (!o->no_lines)
                *ret_unread = logs_run(ctl, &request) == STATUS_NOT_PERMITTED || *ret_unread;
}

/* Keeps all replies of the list, so that calls between its jobs don't get mixed up with it. */
static int collect(Ctl *ctl, const char *parameters, Status *status)
{
        bool more = true;
        int r;

        r = ctl_send(ctl, "io.takt.Jobs.List", parameters, VARLINK_CALL_MORE);
        while (r == 0 && more) {
                VarlinkReply *replies = reallocarray(status->replies, status->n_replies + 1, sizeof(*replies));

                if (!replies)
                        return ctl_oom();
                status->replies = replies;
                replies[status->n_replies] = VARLINK_REPLY_NULL;
                r = ctl_receive(ctl, CTL_TIMEOUT, &replies[status->n_replies]);
                if (r == 0)
                        more = replies[status->n_replies++].continues;
        }
        return r;
}

static int print_all(Ctl *ctl, const Status *status)
{
        bool unread = false;
        size_t n = 0;
        int r = 0;

        ctl_pager(ctl);
        for (size_t k = 0; k < status->n_replies; k++) {
                const JsonValue *jobs = json_get(status->replies[k].parameters, "jobs");

                for (uint32_t i = 0; json_is(jobs, JSON_ARRAY) && i < jobs->n && r == 0; i++) {
                        const char *job = json_get_string(&jobs->items[i], "job", "?");

                        if (n++ > 0)
                                putchar('\n');
                        r = print_job(ctl, &jobs->items[i]);
                        if (r == 0)
                                r = print_runs(ctl, job, streq(json_get_string(&jobs->items[i], "kind", ""), "group"));
                        if (r == 0)
                                print_log(ctl, job, &unread);
                        /* It may have gone since it was listed. */
                        r = ctl_go_on(ctl, r);
                }
        }
        if (n == 0 && r == 0)
                return ctl_tell_none(ctl);
        if (unread && !ctl->options.quiet)
                fputs("taktctl: no log lines are shown, as only root and the group systemd-journal may read the journal\n", stderr);
        return r;
}

static int print_json(const Status *status)
{
        JsonArray array = {};

        for (size_t k = 0; k < status->n_replies; k++) {
                const JsonValue *jobs = json_get(status->replies[k].parameters, "jobs");

                for (uint32_t i = 0; json_is(jobs, JSON_ARRAY) && i < jobs->n; i++) {
                        int r = json_array_add(&array, &jobs->items[i]);

                        if (r != 0)
                                return r;
                }
        }
        json_array_end(&array);
        return 0;
}

int verb_status(Ctl *ctl, char **args, size_t n)
{
        _cleanup_(status_deinit) Status status = {};
        _cleanup_params_ Params params = PARAMS_NULL;
        const char *parameters;
        int r;

        if (n == 0)
                return overview_print(ctl);
        params_init(&params);
        params_strings(&params, "jobs", (const char *const *)args, n);
        r = params_end(&params, &parameters);
        if (r == 0)
                r = collect(ctl, parameters, &status);
        if (r != 0)
                return r;
        return ctl->options.json ? print_json(&status) : print_all(ctl, &status);
}
