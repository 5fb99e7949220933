/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>

#include "ctl/table.h"
#include "ctl/verb.h"

static const TableColumn columns[] = {
        { "JOB", false, 8 },      { "STATE", false, 0 },       { "NEXT", false, 6 },
        { "LAST RUN", false, 6 }, { "DESCRIPTION", false, 8 },
};

typedef struct List {
        Table *table;
        JsonArray array;
        size_t n;
        usec_t now;
} List;

static bool is_wanted(const Ctl *ctl, const char *state)
{
        const Words *states = &ctl->options.states;

        for (size_t i = 0; i < states->n; i++)
                if (streq(states->words[i], state))
                        return true;
        return states->n == 0;
}

/* Skipped and cancelled runs are no failures: somebody wanted them so. */
static bool last_run_failed(const JsonValue *job)
{
        static const char *const failures[] = { "failed", "timeout", "lost" };
        const char *state = json_get_string(json_get(job, "last"), "state", "");

        for (size_t i = 0; i < ARRAY_SIZE(failures); i++)
                if (streq(state, failures[i]))
                        return true;
        return false;
}

/* When it is due next, and what it has to catch up on. */
static void add_next(List *list, const JsonValue *job, const char *state)
{
        int64_t n = json_get_int(job, "catchUps", 0);
        usec_t next = json_get_time(job, "next");
        char relative[RELATIVE_MAX];

        (void)relative_to_text(next, list->now, relative);
        if (n > 0 && next == USEC_INFINITY)
                table_addf(list->table, STYLE_NONE, "%" PRIi64 " missed", n);
        else if (n > 0)
                table_addf(list->table, STYLE_NONE, "%s, %" PRIi64 " missed", relative, n);
        else
                table_add(list->table, STYLE_NONE, streq(state, "finished") ? "never" : relative);
}

static void add_row(List *list, const JsonValue *job, const char *state)
{
        const JsonValue *last = json_get(job, "last");
        const char *last_state = json_get_string(last, "state", "-");
        char relative[RELATIVE_MAX];

        table_add(list->table, STYLE_NONE, json_get_string(job, "job", NULL));
        table_add(list->table, state_style(state), state);
        add_next(list, job, state);
        if (json_is(last, JSON_OBJECT))
                table_addf(list->table, state_style(last_state), "%s %s", last_state,
                           relative_to_text(json_get_time(last, "finished"), list->now, relative));
        else
                table_add(list->table, STYLE_NONE, NULL);
        table_add(list->table, STYLE_NONE, json_get_string(job, "description", NULL));
}

static int list_job(Ctl *ctl, const JsonValue *job, void *userdata)
{
        const char *state = json_get_string(job, "state", "?");
        List *list = userdata;

        if (!is_wanted(ctl, state) || (ctl->options.failed && !last_run_failed(job)))
                return 0;
        list->n++;
        if (ctl->options.json)
                return json_array_add(&list->array, job);
        if (ctl->options.names)
                puts(json_get_string(job, "job", "?"));
        else
                add_row(list, job, state);
        return 0;
}

static const char *const job_states[] = {
        "removed", "disabled", "paused", "running", "waiting", "idle", "finished", "template", NULL,
};

/* Files that the daemon refused are no jobs, or not what their jobs do. */
static int print_count(Ctl *ctl, const List *list)
{
        _cleanup_(varlink_reply_deinit) VarlinkReply reply = VARLINK_REPLY_NULL;
        int64_t n_refused;
        int r = ctl_call(ctl, "io.takt.Manager.Info", NULL, &reply);

        if (r != 0)
                return r;
        printf("%s%zu job%s.\n", list->n > 0 ? "\n" : "", list->n, list->n == 1 ? "" : "s");
        n_refused = json_get_int(reply.parameters, "refusedFiles", 0);
        if (n_refused > 0)
                printf("%" PRIi64 " file%s refused, see: taktctl verify\n", n_refused, n_refused == 1 ? " is" : "s are");
        return 0;
}

int verb_list(Ctl *ctl, char **args, size_t n)
{
        _cleanup_(table_freep) Table *table = table_new(columns, ARRAY_SIZE(columns));
        List list = { .table = table, .now = clock_realtime(clock_system()) };
        _cleanup_params_ Params params = PARAMS_NULL;
        const char *parameters;
        int r;

        r = ctl_check_words(&ctl->options.states, "state", job_states);
        if (r != 0)
                return r;
        params_init(&params);
        params_strings(&params, "jobs", (const char *const *)args, n);
        r = params_end(&params, &parameters);
        if (r == 0 && !table)
                r = ctl_oom();
        if (r == 0)
                r = ctl_each(ctl, "io.takt.Jobs.List", parameters, "jobs", list_job, &list);
        if (r != 0)
                return r;
        if (ctl->options.json)
                json_array_end(&list.array);
        if (ctl->options.json || ctl->options.names)
                return 0;
        ctl_pager(ctl);
        if (table_print(table, ctl->width, !ctl->options.quiet, ctl->colour, stdout) < 0)
                return ctl_oom();
        return ctl->options.quiet ? 0 : print_count(ctl, &list);
}
