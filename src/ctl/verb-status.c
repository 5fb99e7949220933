/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>

#include "ctl/run-text.h"
#include "ctl/verb.h"

#define RUNS_DEFAULT 5U

/* --- lines of "  Label: text" --- */

static void print_label(const char *label)
{
        printf("%10s%s ", label, *label ? ":" : " ");
}

static void print_line(const char *label, const char *text)
{
        _cleanup_buffer_ Buffer clean = BUFFER_NULL;

        if (!text || !*text || text_append_clean(&clean, text, strlen(text), false) < 0)
                return;
        print_label(label);
        printf("%s\n", buffer_string(&clean));
}

/* A line for each string of the list, with the label before the first. */
static void print_lines(const char *label, const JsonValue *list)
{
        for (uint32_t i = 0; json_is(list, JSON_ARRAY) && i < list->n; i++) {
                const char *text = json_string_or_null(&list->items[i]);

                print_line(i == 0 ? label : "", text);
        }
}

/* "17 succeeded, 1 failed", the zero ones left out. */
static void print_counts(const char *label, const JsonValue *counts)
{
        bool first = true;

        for (uint32_t i = 0; json_is(counts, JSON_OBJECT) && i < counts->n; i++) {
                const JsonMember *m = &counts->members[i];

                if (m->value.type != JSON_INT || m->value.integer == 0)
                        continue;
                if (first)
                        print_label(label);
                printf("%s%" PRIi64 " %s", first ? "" : ", ", m->value.integer, m->key);
                first = false;
        }
        if (!first)
                putchar('\n');
}

/* --- a job --- */

static void print_time(const Ctl *ctl, const char *label, usec_t realtime)
{
        char text[TIMESTAMP_MAX], relative[RELATIVE_MAX];

        if (realtime == USEC_INFINITY)
                return;
        print_label(label);
        printf("%s; %s\n", time_to_text(realtime, USEC_PER_MSEC, ctl->zone, text),
               relative_to_text(realtime, clock_realtime(clock_system()), relative));
}

static void print_last(const Ctl *ctl, const JsonValue *last)
{
        const char *state = json_get_string(last, "state", "?");
        const JsonValue *error = json_get(last, "error");
        usec_t took = json_get_span(last, "durationUsec");
        char relative[RELATIVE_MAX], span[TIMESPAN_MAX];
        Style style = state_style(state);

        if (!json_is(last, JSON_OBJECT))
                return;
        print_label("Last run");
        printf("%s%s%s %s", style_begin(style, ctl->colour), state, style_end(style, ctl->colour),
               relative_to_text(json_get_time(last, "finished"), clock_realtime(clock_system()), relative));
        if (took != USEC_INFINITY)
                printf(", took %s", span_to_text(took, span));
        printf(" (run %" PRIi64 ")\n", json_get_int(last, "run", 0));
        if (json_is(error, JSON_OBJECT)) {
                _cleanup_buffer_ Buffer text = BUFFER_NULL;

                if (buffer_appendf(&text, "%s: %s", json_get_string(error, "kind", "?"),
                                   json_get_string(error, "message", "")) >= 0)
                        print_line("Error", text.data);
        }
}

static void print_title(const Ctl *ctl, const JsonValue *job, Style style)
{
        const char *description = json_get_string(job, "description", "");
        _cleanup_buffer_ Buffer clean = BUFFER_NULL;

        (void)text_append_clean(&clean, description, strlen(description), false);
        printf("%s● %s%s%s%s\n", style_begin(style, ctl->colour), json_get_string(job, "job", "?"),
               style_end(style, ctl->colour), clean.len > 0 ? " - " : "", buffer_string(&clean));
}

static void print_job(const Ctl *ctl, const JsonValue *job)
{
        const char *state = json_get_string(job, "state", "?");
        int64_t running = json_get_int(job, "running", 0), queued = json_get_int(job, "queued", 0);
        Style style = state_style(state);

        print_title(ctl, job, style);
        print_lines("File", json_get(job, "files"));
        print_line("Kind", json_get_string(job, "kind", NULL));
        print_label("State");
        printf("%s%s%s", style_begin(style, ctl->colour), state, style_end(style, ctl->colour));
        if (running > 0 || queued > 0)
                printf(" (%" PRIi64 " running, %" PRIi64 " queued)", running, queued);
        putchar('\n');
        if (json_get_bool(job, "refused"))
                print_line("Refused", "its file is broken, and what was loaded before goes on; see: taktctl verify FILE");
        print_lines("Schedule", json_get(job, "schedule"));
        print_time(ctl, "Next", json_get_time(job, "next"));
        print_last(ctl, json_get(job, "last"));
        print_counts("Runs", json_get(job, "runs"));
        print_lines("Docs", json_get(job, "documentation"));
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

static int add_run(Ctl *ctl, const JsonValue *run, void *userdata)
{
        return run_add_row(ctl, userdata, run) < 0 ? ctl_oom() : 0;
}

static int print_runs(Ctl *ctl, const char *job)
{
        _cleanup_(table_freep) Table *table = table_new(run_columns, RUN_COLUMNS);
        _cleanup_params_ Params params = PARAMS_NULL;
        const char *parameters;
        int r;

        params_init(&params);
        params_strings(&params, "jobs", &job, 1);
        params_int(&params, "limit", ctl->options.lines > 0 ? ctl->options.lines : RUNS_DEFAULT);
        r = params_end(&params, &parameters);
        if (r == 0 && !table)
                r = ctl_oom();
        if (r == 0)
                r = ctl_each(ctl, "io.takt.Runs.List", parameters, "runs", add_run, table);
        if (r != 0 || table_rows(table) == 0)
                return r;
        putchar('\n');
        return table_print(table, ctl->width, !ctl->options.quiet, ctl->colour, stdout) < 0 ? ctl_oom() : 0;
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
        size_t n = 0;
        int r = 0;

        ctl_pager(ctl);
        for (size_t k = 0; k < status->n_replies; k++) {
                const JsonValue *jobs = json_get(status->replies[k].parameters, "jobs");

                for (uint32_t i = 0; json_is(jobs, JSON_ARRAY) && i < jobs->n && r == 0; i++) {
                        if (n++ > 0)
                                putchar('\n');
                        print_job(ctl, &jobs->items[i]);
                        r = print_runs(ctl, json_get_string(&jobs->items[i], "job", "?"));
                }
        }
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

/* --- the daemon as a whole --- */

static int print_overview(Ctl *ctl)
{
        _cleanup_(varlink_reply_deinit) VarlinkReply reply = VARLINK_REPLY_NULL;
        const JsonValue *info, *environment;
        int r;

        r = ctl_call(ctl, "io.takt.Manager.Info", NULL, &reply);
        if (r != 0)
                return r;
        info = reply.parameters;
        if (ctl->options.json)
                return ctl_print_json(ctl, info);
        environment = json_get(info, "environment");
        ctl_pager(ctl);
        printf("%s●%s taktd %s, environment %s\n", style_begin(STYLE_ACTIVE, ctl->colour),
               style_end(STYLE_ACTIVE, ctl->colour), json_get_string(info, "version", "?"),
               json_get_string(environment, "name", "?"));
        print_line("Path", json_get_string(environment, "path", NULL));
        print_label("Process");
        printf("%" PRIi64 "\n", json_get_int(info, "pid", 0));
        print_time(ctl, "Started", json_get_time(info, "started"));
        print_counts("Jobs", json_get(info, "jobs"));
        print_counts("Runs", json_get(info, "runs"));
        return 0;
}

int verb_status(Ctl *ctl, char **args, size_t n)
{
        _cleanup_(status_deinit) Status status = {};
        _cleanup_params_ Params params = PARAMS_NULL;
        const char *parameters;
        int r;

        if (n == 0)
                return print_overview(ctl);
        params_init(&params);
        params_strings(&params, "jobs", (const char *const *)args, n);
        r = params_end(&params, &parameters);
        if (r == 0)
                r = collect(ctl, parameters, &status);
        if (r != 0)
                return r;
        return ctl->options.json ? print_json(&status) : print_all(ctl, &status);
}
