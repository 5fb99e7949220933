/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * next: the names that the arguments stand for are asked first, then all jobs' times in calls that
 * are sent ahead of their answers.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/string-util.h"
#include "ctl/table.h"
#include "ctl/verb.h"

#define TIMES_OF_ONE 5U
#define TIMES_OF_SEVERAL 1U
#define CALLS_AHEAD 64U

#define TIMES_MAX 1000U      /* of a job, as the daemon tells them */
#define ROWS_MAX 1000000U

static const TableColumn columns[] = {
        { "NEXT", false, 0 }, { "LEFT", false, 0 }, { "JOB", false, 8 }, { "TRIGGER", false, 10 }, { "NOTE", false, 20, true },
};

typedef struct Occurrence {
        usec_t realtime; /* USEC_INFINITY: the job has no more */
        size_t job;
        char *trigger; /* NULL: none */
        char *note;    /* so too */
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
        for (size_t i = 0; i < next->n_occurrences; i++) {
                free(next->occurrences[i].trigger);
                free(next->occurrences[i].note);
        }
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

/* Takes NOTE over, which is NULL where there was no memory for it. */
static int add_occurrence(Next *next, usec_t realtime, size_t job, const char *trigger, char *note)
{
        Occurrence *o = NULL;

        if (next->n_occurrences == ROWS_MAX) {
                free(note);
                return ctl_error(STATUS_USAGE, "that is more than %u times; name fewer jobs, or a lower -n", ROWS_MAX);
        }
        if (note)
                o = reallocarray(next->occurrences, next->n_occurrences + 1, sizeof(*o));
        if (!o) {
                free(note);
                return ctl_oom();
        }
        next->occurrences = o;
        o += next->n_occurrences++;
        *o = (Occurrence){ realtime, job, trigger ? strdup(trigger) : NULL, note };
        return trigger && !o->trigger ? ctl_oom() : 0;
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

/* The answer, with the name of the job before it. */
static int print_answer(Next *next, size_t job, const JsonValue *answer)
{
        _cleanup_free_ JsonMember *members = new0(JsonMember, (size_t)answer->n + 1);
        JsonValue object = { .type = JSON_OBJECT, .n = answer->n + 1, .members = members };

        if (!members)
                return ctl_oom();
        members[0] = (JsonMember){
                "job", 3, { .type = JSON_STRING, .n = (uint32_t)strlen(next->jobs[job]), .string = next->jobs[job] },
        };
        memcpy(members + 1, answer->members, answer->n * sizeof(*members));
        return json_array_add(&next->array, &object);
}

/* What keeps the job from running at these times, as words before a note. */
static const char *held_text(const JsonValue *answer)
{
        static const struct {
                const char *held, *text;
        } texts[] = {
                { "removed", "removed: its runs under way go on, and nothing new starts" },
                { "paused", "paused: it will not run before taktctl resume" },
                { "disabled", "disabled: it will not run (Enabled=no)" },
                { "template", "a template: its instances run" },
                { "on-demand", "an instance made for runs by hand: it has no schedule" },
        };
        const char *held = json_get_string(answer, "held", "");

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                if (streq(texts[i].held, held))
                        return texts[i].text;
        return "";
}

/* Whether what the job waits for may still come. An older daemon does not say so. */
static bool may_go_on(const JsonValue *end)
{
        const char *reason = json_get_string(end, "reason", "");

        return json_get(end, "final") ? !json_get_bool(end, "final") : streq(reason, "after-run") || streq(reason, "no-trigger");
}

/* Times that passed are to come as well. */
static int take_catch_ups(Next *next, size_t job, const JsonValue *answer)
{
        int64_t n = json_get_int(answer, "catchUps", 0);
        usec_t begins = json_get_time(answer, "catchUpNext");

        if (n <= 0)
                return 0;
        return add_occurrence(next, begins != USEC_INFINITY ? begins : clock_realtime(clock_system()), job, NULL,
                              xasprintf("%" PRIi64 " missed %s to be caught up on (Missed=)%s", n, n == 1 ? "time is" : "times are",
                                        begins != USEC_INFINITY ? "" : ", once no run of the job is left"));
}

/* Of a daemon that tells no more than the times. */
static int take_times(Next *next, size_t job, const JsonValue *times)
{
        int r = 0;

        for (uint32_t i = 0; i < times->n && r == 0; i++)
                r = add_occurrence(next, json_item_time(&times->items[i]), job, NULL, strdup(""));
        return r;
}

/* When it begins, at the earliest; an older daemon tells when it is due alone. */
static usec_t begin_time(const JsonValue *occurrence)
{
        usec_t realtime = json_get_time(occurrence, "begins");

        return realtime != USEC_INFINITY ? realtime : json_get_time(occurrence, "scheduled");
}

static int take_occurrences(Next *next, size_t job, const JsonValue *answer)
{
        const JsonValue *list = json_get(answer, "occurrences"), *times = json_get(answer, "times"), *end = json_get(answer, "end");
        const char *held = held_text(answer);
        uint32_t n = json_is(list, JSON_ARRAY) ? list->n : 0;
        int r = 0;

        if (!list && json_is(times, JSON_ARRAY) && times->n > 0)
                return take_times(next, job, times);
        r = take_catch_ups(next, job, answer);
        for (uint32_t i = 0; i < n && r == 0; i++) {
                const char *note = json_get_string(&list->items[i], "note", "");

                r = add_occurrence(next, begin_time(&list->items[i]), job,
                                   json_get_string(&list->items[i], "trigger", NULL),
                                   xasprintf("%s%s%s", held, *held && *note ? "; " : "", note));
        }
        if (r == 0 && json_is(end, JSON_OBJECT))
                r = add_occurrence(next, USEC_INFINITY, job, NULL,
                                   xasprintf("%s%s", may_go_on(end) ? "" :
                                             n > 0 ? "never again after that: " : "never again: ",
                                             json_get_string(end, "message", "")));
        else if (r == 0 && n == 0)
                r = add_occurrence(next, USEC_INFINITY, job, NULL, strdup(held));
        return r;
}

static int take_answer(Ctl *ctl, Next *next, size_t job)
{
        _cleanup_(varlink_reply_deinit) VarlinkReply reply = VARLINK_REPLY_NULL;
        int r;

        /* A job may have gone since it was listed. */
        r = ctl_go_on(ctl, ctl_receive(ctl, CTL_TIMEOUT, &reply));
        if (r != 0 || !json_is(reply.parameters, JSON_OBJECT))
                return r;
        return ctl->options.json ? print_answer(next, job, reply.parameters) : take_occurrences(next, job, reply.parameters);
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
                table_add(table, STYLE_NONE, o->trigger);
                table_add(table, STYLE_NONE, o->note);
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

        if (ctl->options.lines > TIMES_MAX)
                return ctl_error(STATUS_USAGE, "-n may be up to %u here", TIMES_MAX);
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
        if (next.n_jobs == 0 && n > 0)
                return ctl_tell_none(ctl);
        if (next.n_occurrences > 0)
                qsort(next.occurrences, next.n_occurrences, sizeof(Occurrence), compare);
        return print_table(ctl, &next);
}
