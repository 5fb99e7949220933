/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * next: the names that the arguments stand for are asked first, then all jobs' times in calls that
 * are sent ahead of their answers.
 */
#include <stdio.h>

#include "ctl/table.h"
#include "ctl/verb.h"

#define TIMES_OF_ONE 5U
#define TIMES_OF_SEVERAL 1U
#define CALLS_AHEAD 64U

static const TableColumn columns[] = { { "NEXT", false, 0 }, { "LEFT", false, 0 }, { "JOB", false, 12 } };

typedef struct Occurrence {
        usec_t realtime; /* USEC_INFINITY: the job has none */
        size_t job;
} Occurrence;

typedef struct Next {
        char **jobs;
        size_t n_jobs;
        Occurrence *occurrences;
        size_t n_occurrences;
        JsonArray array;
} Next;

static void next_deinit(Next *next)
{
        for (size_t i = 0; i < next->n_jobs; i++)
                free(next->jobs[i]);
        free(next->jobs);
        free(next->occurrences);
}

static int add_job(_unused_ Ctl *ctl, const JsonValue *job, void *userdata)
{
        Next *next = userdata;
        char **jobs = reallocarray(next->jobs, next->n_jobs + 1, sizeof(*jobs));

        if (!jobs)
                return ctl_oom();
        next->jobs = jobs;
        jobs[next->n_jobs] = strdup(json_get_string(job, "job", "?"));
        if (!jobs[next->n_jobs])
                return ctl_oom();
        next->n_jobs++;
        return 0;
}

static int add_occurrence(Next *next, usec_t realtime, size_t job)
{
        Occurrence *o = reallocarray(next->occurrences, next->n_occurrences + 1, sizeof(*o));

        if (!o)
                return ctl_oom();
        next->occurrences = o;
        o[next->n_occurrences++] = (Occurrence){ realtime, job };
        return 0;
}

static int ask(Ctl *ctl, const Next *next, size_t job)
{
        _cleanup_params_ Params params = PARAMS_NULL;
        const char *parameters;
        unsigned count = next->n_jobs == 1 ? TIMES_OF_ONE : TIMES_OF_SEVERAL;
        int r;

        params_init(&params);
        params_string(&params, "job", next->jobs[job]);
        params_int(&params, "count", ctl->options.lines > 0 ? ctl->options.lines : count);
        r = params_end(&params, &parameters);
        return r != 0 ? r : ctl_send(ctl, "io.takt.Jobs.Next", parameters, 0);
}

/* {"job": …, "times": […]} */
static int print_times(Next *next, size_t job, const JsonValue *times)
{
        JsonMember members[] = {
                { "job", 3, { .type = JSON_STRING, .n = (uint32_t)strlen(next->jobs[job]), .string = next->jobs[job] } },
                { "times", 5, *times },
        };
        JsonValue object = { .type = JSON_OBJECT, .n = ARRAY_SIZE(members), .members = members };

        return json_array_add(&next->array, &object);
}

static int take_answer(Ctl *ctl, Next *next, size_t job)
{
        _cleanup_(varlink_reply_deinit) VarlinkReply reply = VARLINK_REPLY_NULL;
        const JsonValue *times;
        int r;

        r = ctl_receive(ctl, CTL_TIMEOUT, &reply);
        if (r != 0)
                return r;
        times = json_get(reply.parameters, "times");
        if (!json_is(times, JSON_ARRAY))
                return 0;
        if (ctl->options.json)
                return print_times(next, job, times);
        for (uint32_t i = 0; i < times->n && r == 0; i++) {
                const char *text = json_string_or_null(&times->items[i]);
                usec_t realtime;

                if (text && timestamp_parse(text, zone_utc(), &realtime, NULL) >= 0)
                        r = add_occurrence(next, realtime, job);
        }
        return r != 0 || times->n > 0 ? r : add_occurrence(next, USEC_INFINITY, job);
}

static int ask_all(Ctl *ctl, Next *next)
{
        size_t asked = 0;

        for (size_t i = 0; i < next->n_jobs; i++) {
                int r;

                for (; asked < next->n_jobs && asked < i + CALLS_AHEAD; asked++) {
                        r = ask(ctl, next, asked);
                        if (r != 0)
                                return r;
                }
                r = take_answer(ctl, next, i);
                if (r != 0)
                        return r;
        }
        return 0;
}

static int compare(const void *a, const void *b)
{
        const Occurrence *x = a, *y = b;

        if (x->realtime != y->realtime)
                return x->realtime < y->realtime ? -1 : 1;
        return x->job < y->job ? -1 : x->job > y->job;
}

static int print_table(const Ctl *ctl, const Next *next)
{
        _cleanup_(table_freep) Table *table = table_new(columns, ARRAY_SIZE(columns));
        usec_t now = clock_realtime(clock_system());

        if (!table)
                return ctl_oom();
        for (size_t i = 0; i < next->n_occurrences; i++) {
                const Occurrence *o = &next->occurrences[i];
                char text[TIMESTAMP_MAX], relative[RELATIVE_MAX];

                table_add(table, STYLE_NONE, time_to_text(o->realtime, USEC_PER_MSEC, ctl->zone, text));
                table_add(table, STYLE_NONE, relative_to_text(o->realtime, now, relative));
                table_add(table, STYLE_NONE, next->jobs[o->job]);
        }
        ctl_pager(ctl);
        return table_print(table, ctl->width, !ctl->options.quiet, ctl->colour, stdout) < 0 ? ctl_oom() : 0;
}

int verb_next(Ctl *ctl, char **args, size_t n)
{
        _cleanup_(next_deinit) Next next = {};
        _cleanup_params_ Params params = PARAMS_NULL;
        const char *parameters;
        int r;

        params_init(&params);
        params_strings(&params, "jobs", (const char *const *)args, n);
        r = params_end(&params, &parameters);
        if (r == 0)
                r = ctl_each(ctl, "io.takt.Jobs.List", parameters, "jobs", add_job, &next);
        if (r == 0)
                r = ask_all(ctl, &next);
        if (r != 0)
                return r;
        if (ctl->options.json) {
                json_array_end(&next.array);
                return 0;
        }
        if (next.n_occurrences > 0)
                qsort(next.occurrences, next.n_occurrences, sizeof(Occurrence), compare);
        return print_table(ctl, &next);
}
