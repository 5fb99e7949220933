/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon says what was decided and why; here it becomes a table. */
#include <inttypes.h>
#include <stdio.h>

#include "base/string-util.h"
#include "ctl/table.h"
#include "ctl/verb.h"
#include "ctl/who.h"

static const TableColumn columns[] = {
        { "TIME", false, 0 }, { "RUN", true, 0 }, { "WHAT", false, 0 }, { "WHY", false, 24, true },
};

/* The run that is asked for: --run, or an argument that is a number. 0: none is. */
static int parse_run(const Ctl *ctl, const char *arg, int64_t *ret)
{
        bool digits = *arg && strspn(arg, "0123456789") == strlen(arg);

        *ret = 0;
        if (ctl->options.run && (parse_int64(ctl->options.run, ret) < 0 || *ret < 1))
                return ctl_error(STATUS_USAGE, "--run wants the id of a run, not \"%s\"", ctl->options.run);
        if (!ctl->options.run && digits && parse_int64(arg, ret) < 0)
                return ctl_error(STATUS_NOT_FOUND, NO_RUN_TEXT("%s"), arg);
        return 0;
}

/* The name of the run's job goes into *JOB, which is NULL or the job that it has to be of. */
static int find_job(Ctl *ctl, int64_t run, const char **job, VarlinkReply *reply)
{
        _cleanup_params_ Params params = PARAMS_NULL;
        const char *parameters, *name;
        int r;

        params_init(&params);
        params_int(&params, "run", run);
        r = params_end(&params, &parameters);
        if (r == 0)
                r = ctl_call(ctl, "io.takt.Runs.Get", parameters, reply);
        if (r != 0)
                return r;
        name = json_get_string(json_get(reply->parameters, "run"), "job", "?");
        if (*job && !streq(*job, name))
                return ctl_error(STATUS_NOT_FOUND, "run %" PRIi64 " is one of %s, not of %s", run, name, *job);
        *job = name;
        return 0;
}

static int write_parameters(const Ctl *ctl, const char *job, int64_t run, Params *params, const char **ret)
{
        params_init(params);
        params_string(params, "job", job);
        if (ctl->options.lines > 0)
                params_int(params, "limit", ctl->options.lines);
        if (run > 0)
                params_int(params, "run", run);
        return params_end(params, ret);
}

/* The message, with who did it behind the words that say what was done. */
static int append_why(const JsonValue *decision, Buffer *out)
{
        static const char by_hand[] = "started by hand";
        const char *message = json_get_string(decision, "message", ""), *rest = startswith(message, by_hand);
        const JsonValue *by = json_get(decision, "by");
        int r = buffer_append_string(out, rest ? by_hand : message);

        if (r >= 0)
                r = who_append(out, out->len > 0 ? ", " : "", by);
        if (r >= 0 && rest)
                r = buffer_appendf(out, "%s%s", json_is(by, JSON_OBJECT) && *rest == ' ' ? "," : "", rest);
        return r;
}

static int add_row(const Ctl *ctl, Table *table, const JsonValue *decision)
{
        _cleanup_buffer_ Buffer why = BUFFER_NULL;
        const char *what = json_get_string(decision, "what", "?");
        int64_t run = json_get_int(decision, "run", 0);
        char text[TIMESTAMP_MAX];

        table_add(table, STYLE_NONE, time_to_short_text(json_get_time(decision, "time"), USEC_PER_MSEC, ctl->zone, text));
        if (run > 0)
                table_addf(table, STYLE_NONE, "%" PRIi64, run);
        else
                table_add(table, STYLE_NONE, NULL);
        table_add(table, state_style(what), what);
        if (append_why(decision, &why) < 0)
                return ctl_oom();
        table_add(table, STYLE_NONE, buffer_string(&why));
        return 0;
}

int verb_why(Ctl *ctl, char **args, _unused_ size_t n)
{
        _cleanup_(varlink_reply_deinit) VarlinkReply reply = VARLINK_REPLY_NULL, found = VARLINK_REPLY_NULL;
        _cleanup_(table_freep) Table *table = table_new(columns, ARRAY_SIZE(columns));
        _cleanup_params_ Params params = PARAMS_NULL;
        const JsonValue *decisions;
        const char *job, *parameters;
        int64_t run;
        int r;

        if (!table)
                return ctl_oom();
        r = parse_run(ctl, args[0], &run);
        job = run > 0 && !ctl->options.run ? NULL : args[0];
        if (r == 0 && run > 0)
                r = find_job(ctl, run, &job, &found);
        if (r == 0)
                r = write_parameters(ctl, job, run, &params, &parameters);
        if (r == 0)
                r = ctl_call(ctl, "io.takt.Jobs.Explain", parameters, &reply);
        if (r != 0)
                return r;
        if (ctl->options.json)
                return ctl_print_json(ctl, reply.parameters);
        decisions = json_get(reply.parameters, "decisions");
        for (uint32_t i = 0; json_is(decisions, JSON_ARRAY) && i < decisions->n && r == 0; i++)
                r = add_row(ctl, table, &decisions->items[i]);
        if (r != 0)
                return r;
        ctl_pager(ctl);
        return table_print(table, ctl->width, !ctl->options.quiet, ctl->colour, stdout) < 0 ? ctl_oom() : 0;
}
