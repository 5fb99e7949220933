/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/run-text.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/string-util.h"

#define RESULT_TEXT_MAX 200U /* bytes of a result that a table shows */

const TableColumn run_columns[RUN_COLUMNS] = {
        { "RUN", true, 0 },      { "JOB", false, 8 }, { "STATE", false, 0 }, { "TRIGGER", false, 3 },
        { "STARTED", false, 8 }, { "LATE", true, 0 }, { "TOOK", true, 0 },   { "RESULT", false, 8 },
};

/* The error of a run, or the beginning of its result, and whether it began with what the job is no more. */
static int append_outcome(Buffer *out, const JsonValue *run)
{
        const JsonValue *error = json_get(run, "error"), *result = json_get(run, "result");
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        int r = json_get_bool(run, "olderDefinition") ? buffer_append_string(out, "(older definition) ") : 0;

        if (r < 0)
                return r;
        if (json_is(error, JSON_OBJECT))
                return buffer_appendf(out, "%s: %s", json_get_string(error, "kind", "?"),
                                      json_get_string(error, "message", ""));
        if (!result || result->type == JSON_NULL)
                return 0;
        r = json_format(result, 0, &text);
        if (r < 0)
                return r;
        return buffer_append(out, text.data, text.len > RESULT_TEXT_MAX ? text_fit(text.data, RESULT_TEXT_MAX) : text.len);
}

static void add_span(Table *table, const JsonValue *run, const char *key)
{
        usec_t span = json_get_span(run, key);
        char text[TIMESPAN_MAX];

        table_add(table, STYLE_NONE, span == USEC_INFINITY ? NULL : span_to_text(span, text));
}

/* What started it, and the run that it did so for. */
static void add_trigger(Table *table, const JsonValue *run)
{
        int64_t origin = json_get_int(run, "parent", json_get_int(run, "causeRun", json_get_int(run, "againOf", 0)));
        const char *trigger = json_get_string(run, "trigger", NULL);

        if (origin > 0)
                table_addf(table, STYLE_NONE, "%s %" PRIi64, trigger ?: "?", origin);
        else
                table_add(table, STYLE_NONE, trigger);
}

int run_add_row(const Ctl *ctl, Table *table, const JsonValue *run)
{
        const char *state = json_get_string(run, "state", "?");
        _cleanup_buffer_ Buffer outcome = BUFFER_NULL;
        usec_t when = json_get_time(run, "started");
        char text[TIMESTAMP_MAX];

        if (append_outcome(&outcome, run) < 0)
                return -ENOMEM;
        table_addf(table, STYLE_NONE, "%" PRIi64, json_get_int(run, "run", 0));
        table_add(table, STYLE_NONE, json_get_string(run, "job", NULL));
        table_add(table, state_style(state), state);
        add_trigger(table, run);
        /* Whoever reads a file reads it some day. */
        table_add(table, STYLE_NONE, ctl->terminal ? time_to_day_text(when, clock_realtime(clock_system()), ctl->zone, text) :
                                                     time_to_short_text(when, USEC_PER_SEC, ctl->zone, text));
        add_span(table, run, "latenessUsec");
        add_span(table, run, "durationUsec");
        table_add(table, STYLE_NONE, buffer_string(&outcome));
        return 0;
}

bool run_is_final(const JsonValue *run)
{
        static const char *const under_way[] = { "queued", "running", "retrying" };
        const char *state = json_get_string(run, "state", "?");

        for (size_t i = 0; i < ARRAY_SIZE(under_way); i++)
                if (streq(state, under_way[i]))
                        return false;
        return true;
}

int run_status(const JsonValue *run)
{
        return streq(json_get_string(run, "state", "?"), "succeeded") ? STATUS_OK : STATUS_FAILED;
}

void run_print_failure(const JsonValue *run)
{
        const JsonValue *error = json_get(run, "error");
        _cleanup_buffer_ Buffer message = BUFFER_NULL;
        const char *text = json_get_string(error, "message", "");

        if (text_append_clean(&message, text, strlen(text), false) < 0)
                return;
        (void)ctl_error(STATUS_FAILED, "run %" PRIi64 " of %s: %s%s%s%s%s", json_get_int(run, "run", 0),
                        json_get_string(run, "job", "?"), json_get_string(run, "state", "?"),
                        json_is(error, JSON_OBJECT) ? " (" : "", json_get_string(error, "kind", ""),
                        json_is(error, JSON_OBJECT) ? "): " : "", buffer_string(&message));
}

int run_print_result(const Ctl *ctl, const JsonValue *run)
{
        const JsonValue *result = json_get(run, "result");
        _cleanup_buffer_ Buffer text = BUFFER_NULL;

        if (!result || result->type == JSON_NULL)
                return 0;
        if (result->type != JSON_STRING)
                return ctl_print_json(ctl, result);
        /* A terminal gets no escape sequences from strangers; a file gets every byte. */
        if (ctl->terminal) {
                if (text_append_clean(&text, result->string, result->n, true) < 0)
                        return ctl_oom();
                puts(buffer_string(&text));
        } else {
                (void)fwrite(result->string, 1, result->n, stdout);
                putchar('\n');
        }
        return 0;
}

void run_names_deinit(RunNames *names)
{
        free(names->ids);
        free(names->jobs);
        *names = RUN_NAMES_NULL;
}

static int add_id(RunNames *names, int64_t id)
{
        int64_t *ids = reallocarray(names->ids, names->n_ids + 1, sizeof(*ids));

        if (!ids)
                return ctl_oom();
        ids[names->n_ids] = id;
        names->ids = ids;
        names->n_ids++;
        return 0;
}

int run_names_parse(Ctl *ctl, char **args, size_t n, RunNames *ret)
{
        ret->jobs = new0(const char *, n);
        if (!ret->jobs)
                return ctl_oom();
        for (size_t i = 0; i < n; i++) {
                bool digits = strspn(args[i], "0123456789") == strlen(args[i]) && *args[i];
                int64_t id;
                int r;

                if (!digits) {
                        ret->jobs[ret->n_jobs++] = args[i];
                        continue;
                }
                if (parse_int64(args[i], &id) < 0)
                        r = ctl_go_on(ctl, ctl_error(STATUS_NOT_FOUND, NO_RUN_TEXT("%s"), args[i]));
                else
                        r = add_id(ret, id);
                if (r != 0)
                        return r;
        }
        return 0;
}

static int add_run(_unused_ Ctl *ctl, const JsonValue *run, void *userdata)
{
        return add_id(userdata, json_get_int(run, "run", 0));
}

int run_names_resolve(Ctl *ctl, RunNames *names)
{
        static const char *const under_way[] = { "queued", "running", "retrying" };
        _cleanup_params_ Params params = PARAMS_NULL;
        const char *parameters;
        int r;

        if (names->n_jobs == 0)
                return 0;
        params_init(&params);
        params_strings(&params, "jobs", names->jobs, names->n_jobs);
        params_strings(&params, "states", under_way, ARRAY_SIZE(under_way));
        params_int(&params, "limit", INT32_MAX);
        json_key(&params.writer, "omitResults");
        json_bool(&params.writer, true);
        r = params_end(&params, &parameters);
        if (r == 0)
                r = ctl_go_on(ctl, ctl_each(ctl, "io.takt.Runs.List", parameters, "runs", add_run, names));
        names->n_jobs = 0;
        return r;
}

void run_names_write(const RunNames *names, Params *params)
{
        json_key(&params->writer, "runs");
        json_begin_array(&params->writer);
        for (size_t i = 0; i < names->n_ids; i++)
                json_int(&params->writer, names->ids[i]);
        json_end_array(&params->writer);
}
