/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/overview.h"

#include <inttypes.h>
#include <stdio.h>

#include "ctl/labels.h"
#include "ctl/run-text.h"

#define RUNS_SHOWN 20U /* of those under way, the newest */

static const TableColumn columns[] = {
        { "JOB", false, 8 }, { "STATE", false, 0 }, { "ENDED", true, 0 }, { "ERROR", false, 12 },
};

/* What is wrong with jobs. */
typedef struct Trouble {
        Table *table;
        size_t n_failed; /* whose last run did not do its work */
        int64_t n_refused; /* files, also those of jobs that were never loaded */
        int64_t n_warnings; /* about what can't be meant; jobs run all the same */
        const char *state; /* what the daemon can't keep; NULL: nothing */
        usec_t now;
} Trouble;

static int add_error_row(Trouble *trouble, const JsonValue *job, const JsonValue *last, const char *state)
{
        const JsonValue *error = json_get(last, "error");
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        char relative[RELATIVE_MAX];

        if (json_is(error, JSON_OBJECT) &&
            buffer_appendf(&text, "%s: %s", json_get_string(error, "kind", "?"), json_get_string(error, "message", "")) < 0)
                return ctl_oom();
        table_add(trouble->table, STYLE_NONE, json_get_string(job, "job", NULL));
        table_add(trouble->table, state_style(state), state);
        table_add(trouble->table, STYLE_NONE, relative_to_text(json_get_time(last, "finished"), trouble->now, relative));
        table_add(trouble->table, STYLE_NONE, buffer_string(&text));
        return 0;
}

static int look_at_job(_unused_ Ctl *ctl, const JsonValue *job, void *userdata)
{
        static const char *const bad[] = { "failed", "timeout", "lost" };
        const JsonValue *last = json_get(job, "last");
        const char *state = json_get_string(last, "state", "");
        Trouble *trouble = userdata;

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                if (streq(bad[i], state)) {
                        trouble->n_failed++;
                        return add_error_row(trouble, job, last, state);
                }
        return 0;
}

static bool is_degraded(const Trouble *trouble)
{
        return trouble->n_failed > 0 || trouble->n_refused > 0 || trouble->state;
}

static void print_state(const Ctl *ctl, const Trouble *trouble)
{
        bool degraded = is_degraded(trouble);
        Style style = degraded ? STYLE_BAD : STYLE_ACTIVE;

        label_print("State");
        printf("%s%s%s", style_begin(style, ctl->colour), degraded ? "degraded" : "running", style_end(style, ctl->colour));
        if (trouble->n_failed > 0)
                printf("; the last run of %zu job%s failed", trouble->n_failed, trouble->n_failed == 1 ? "" : "s");
        if (trouble->n_refused > 0)
                printf("; %" PRIi64 " file%s refused, see: taktctl verify", trouble->n_refused,
                       trouble->n_refused == 1 ? " is" : "s are");
        if (trouble->n_warnings > 0)
                printf("; %" PRIi64 " warning%s, see: taktctl verify", trouble->n_warnings, trouble->n_warnings == 1 ? "" : "s");
        putchar('\n');
}

static void print_daemon(const Ctl *ctl, const JsonValue *info, const Trouble *trouble)
{
        const JsonValue *environment = json_get(info, "environment");
        bool degraded = is_degraded(trouble);
        Style style = degraded ? STYLE_BAD : STYLE_ACTIVE;

        printf("%s●%s taktd %s, environment %s\n", style_begin(style, ctl->colour), style_end(style, ctl->colour),
               json_get_string(info, "version", "?"), json_get_string(environment, "name", "?"));
        label_print_text("Path", json_get_string(environment, "path", NULL));
        print_state(ctl, trouble);
        label_print_text("Not kept", trouble->state);
        label_print("Process");
        printf("%" PRIi64 "\n", json_get_int(info, "pid", 0));
        label_print_time(ctl, "Started", json_get_time(info, "started"), "");
        label_print_counts("Jobs", json_get(info, "jobs"));
        label_print_counts("Runs", json_get(info, "runs"));
}

static int add_run(Ctl *ctl, const JsonValue *run, void *userdata)
{
        return run_add_row(ctl, userdata, run) < 0 ? ctl_oom() : 0;
}

static int print_table(const Ctl *ctl, Table *table, const char *title)
{
        if (table_rows(table) == 0)
                return 0;
        printf("\n%s:\n", title);
        return table_print(table, ctl->width, !ctl->options.quiet, ctl->colour, stdout) < 0 ? ctl_oom() : 0;
}

static int print_under_way(Ctl *ctl)
{
        static const char *const under_way[] = { "queued", "running", "retrying" };
        _cleanup_(table_freep) Table *table = table_new(run_columns, RUN_COLUMNS);
        _cleanup_params_ Params params = PARAMS_NULL;
        const char *parameters;
        int r;

        if (!table)
                return ctl_oom();
        params_init(&params);
        params_strings(&params, "states", under_way, ARRAY_SIZE(under_way));
        params_int(&params, "limit", RUNS_SHOWN);
        r = params_end(&params, &parameters);
        if (r == 0)
                r = ctl_each(ctl, "io.takt.Runs.List", parameters, "runs", add_run, table);
        return r == 0 ? print_table(ctl, table, "Under way") : r;
}

int overview_print(Ctl *ctl)
{
        _cleanup_(table_freep) Table *table = table_new(columns, ARRAY_SIZE(columns));
        _cleanup_(varlink_reply_deinit) VarlinkReply reply = VARLINK_REPLY_NULL;
        Trouble trouble = { .table = table, .now = clock_realtime(clock_system()) };
        int r;

        if (!table)
                return ctl_oom();
        r = ctl_call(ctl, "io.takt.Manager.Info", NULL, &reply);
        if (r != 0)
                return r;
        if (ctl->options.json)
                return ctl_print_json(ctl, reply.parameters);
        r = ctl_each(ctl, "io.takt.Jobs.List", NULL, "jobs", look_at_job, &trouble);
        if (r != 0)
                return r;
        trouble.n_refused = json_get_int(reply.parameters, "refusedFiles", 0);
        trouble.n_warnings = json_get_int(reply.parameters, "warnings", 0);
        trouble.state = json_get_string(reply.parameters, "stateProblem", NULL);
        ctl_pager(ctl);
        print_daemon(ctl, reply.parameters, &trouble);
        r = print_under_way(ctl);
        return r == 0 ? print_table(ctl, table, "Failed") : r;
}
