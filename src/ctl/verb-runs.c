/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* runs, result, cancel: looking at runs and ending them. */
#include <inttypes.h>
#include <stdio.h>

#include "ctl/run-text.h"
#include "ctl/run-tree.h"
#include "ctl/verb.h"

#define RUNS_DEFAULT 20U

typedef struct Runs {
        Table *table;
        RunTree tree;
        JsonArray array;
        size_t n;
} Runs;

static int list_run(Ctl *ctl, const JsonValue *run, void *userdata)
{
        Runs *runs = userdata;

        runs->n++;
        if (ctl->options.json)
                return json_array_add(&runs->array, run);
        return run_tree_add(ctl, &runs->tree, runs->table, run);
}

static const char *const run_states[] = {
        "queued",  "running",   "retrying", "succeeded", "failed", "timeout",
        "cancelled", "skipped", "missed",   "lost",      NULL,
};

int verb_runs(Ctl *ctl, char **args, size_t n)
{
        _cleanup_(table_freep) Table *table = table_new(run_columns, RUN_COLUMNS);
        const CtlOptions *o = &ctl->options;
        _cleanup_params_ Params params = PARAMS_NULL;
        Runs runs = { .table = table };
        const char *parameters;
        int r;

        r = ctl_check_words(&ctl->options.states, "state", run_states);
        if (r != 0)
                return r;
        params_init(&params);
        params_strings(&params, "jobs", (const char *const *)args, n);
        params_strings(&params, "states", o->states.words, o->states.n);
        params_int(&params, "limit", o->lines > 0 ? o->lines : RUNS_DEFAULT);
        r = params_end(&params, &parameters);
        if (r == 0 && !table)
                r = ctl_oom();
        if (r == 0)
                r = ctl_each(ctl, "io.takt.Runs.List", parameters, "runs", list_run, &runs);
        if (r == 0 && run_tree_arrange(&runs.tree, table) < 0)
                r = ctl_oom();
        run_tree_deinit(&runs.tree);
        if (r != 0)
                return r;
        if (o->json) {
                json_array_end(&runs.array);
                return 0;
        }
        ctl_pager(ctl);
        if (table_print(table, ctl->width, !o->quiet, ctl->colour, stdout) < 0)
                return ctl_oom();
        if (!o->quiet)
                printf("%s%zu run%s.\n", runs.n > 0 ? "\n" : "", runs.n, runs.n == 1 ? "" : "s");
        return 0;
}

int verb_result(Ctl *ctl, char **args, _unused_ size_t n)
{
        _cleanup_(varlink_reply_deinit) VarlinkReply reply = VARLINK_REPLY_NULL;
        _cleanup_(run_names_deinit) RunNames names = RUN_NAMES_NULL;
        _cleanup_params_ Params params = PARAMS_NULL;
        const JsonValue *run, *result;
        const char *parameters;
        int r;

        params_init(&params);
        r = run_names_parse(ctl, args, 1, &names);
        if (r != 0 || run_names_are_none(&names))
                return r;
        if (names.n_ids > 0)
                params_int(&params, "run", names.ids[0]);
        else
                params_string(&params, "job", names.jobs[0]);
        r = params_end(&params, &parameters);
        if (r == 0)
                r = ctl_call(ctl, names.n_ids > 0 ? "io.takt.Runs.Get" : "io.takt.Runs.GetLast", parameters, &reply);
        if (r != 0)
                return r;

        run = json_get(reply.parameters, "run");
        /* A worker gives values before it ends. */
        if (!run_is_final(run) && (!json_get(run, "result") || json_is(json_get(run, "result"), JSON_NULL)))
                return ctl_error(STATUS_FAILED, "run %" PRIi64 " of %s has not ended; wait for it with: taktctl wait %s",
                                 json_get_int(run, "run", 0), json_get_string(run, "job", "?"), args[0]);
        if (run_is_final(run) && run_status(run) != STATUS_OK)
                run_print_failure(run);
        result = json_get(run, "result");
        r = ctl->options.json && result ? ctl_print_json(ctl, result) : run_print_result(ctl, run);
        return r != 0 || !run_is_final(run) ? r : run_status(run);
}

static int cancel_run(Ctl *ctl, const JsonValue *run, void *userdata)
{
        Runs *runs = userdata;

        runs->n++;
        if (ctl->options.json)
                return json_array_add(&runs->array, run);
        if (ctl->options.quiet)
                return 0;
        if (run_is_final(run))
                printf("Run %" PRIi64 " of %s has ended: %s.\n", json_get_int(run, "run", 0),
                       json_get_string(run, "job", "?"), json_get_string(run, "state", "?"));
        else
                printf("Run %" PRIi64 " of %s is asked to end.\n", json_get_int(run, "run", 0),
                       json_get_string(run, "job", "?"));
        return 0;
}

int verb_cancel(Ctl *ctl, char **args, size_t n)
{
        _cleanup_(run_names_deinit) RunNames names = RUN_NAMES_NULL;
        _cleanup_params_ Params params = PARAMS_NULL;
        Runs runs = {};
        const char *parameters;
        int r;

        params_init(&params);
        r = run_names_parse(ctl, args, n, &names);
        if (r != 0 || run_names_are_none(&names))
                return r;
        run_names_write(&names, &params);
        params_strings(&params, "jobs", names.jobs, names.n_jobs);
        r = params_end(&params, &parameters);
        if (r == 0)
                r = ctl_each(ctl, "io.takt.Runs.Cancel", parameters, "runs", cancel_run, &runs);
        if (r != 0)
                return r;
        if (ctl->options.json)
                json_array_end(&runs.array);
        else if (runs.n == 0 && !ctl->options.quiet && ctl->unknown.n_jobs == 0)
                puts("There is no run to cancel.");
        return 0;
}
