/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "ctl/table.h"
#include "ctl/verb.h"
#include "when/calendar.h"
#include "when/cron.h"

#define TIMES_DEFAULT 5U

/* One of the two. */
typedef struct Pattern {
        Calendar *calendar;
        Cron *cron;
} Pattern;

static void pattern_deinit(Pattern *pattern)
{
        calendar_free(pattern->calendar);
        cron_free(pattern->cron);
}

static int pattern_parse(Pattern *pattern, const char *expression, bool cron)
{
        WhenError error = {};
        int r;

        r = cron ? cron_parse(expression, &pattern->cron, &error) : calendar_parse(expression, &pattern->calendar, &error);
        if (r == -ENOMEM)
                return ctl_oom();
        if (r < 0)
                return ctl_error(STATUS_USAGE, "column %zu of \"%s\": %s", error.offset + 1, expression, error.message);
        return 0;
}

static char *pattern_format(const Pattern *pattern)
{
        return pattern->cron ? cron_format(pattern->cron) : calendar_format(pattern->calendar);
}

/* 1 found, 0 none, as both kinds have it. */
static int pattern_next(const Pattern *pattern, const DstRules *rules, usec_t after, usec_t *ret)
{
        return pattern->cron ? cron_next(pattern->cron, rules, after, ret) :
                               calendar_next(pattern->calendar, rules, after, ret);
}

/* Calls EACH for the next times, and returns 0 or an exit status. */
static int each_time(const Ctl *ctl, const Pattern *pattern, usec_t from, void (*each)(const Ctl *, usec_t, void *),
                     void *userdata)
{
        const DstRules rules = { .zone = ctl->zone, .gap = DST_GAP_AFTER, .fold = DST_FOLD_FIRST };
        unsigned n = ctl->options.lines > 0 ? ctl->options.lines : TIMES_DEFAULT;
        int r = 1;

        while (n-- > 0) {
                r = pattern_next(pattern, &rules, from, &from);
                if (r <= 0)
                        break;
                each(ctl, from, userdata);
        }
        return r < 0 ? ctl_error(STATUS_FAILED, "can't find the next time: %s", strerror(-r)) : 0;
}

static void add_row(const Ctl *ctl, usec_t realtime, void *userdata)
{
        char text[TIMESTAMP_MAX], relative[RELATIVE_MAX];
        Table *table = userdata;

        table_add(table, STYLE_NONE, time_to_text(realtime, 1, ctl->zone, text));
        table_add(table, STYLE_NONE, relative_to_text(realtime, clock_realtime(clock_system()), relative));
}

static int print_table(const Ctl *ctl, const Pattern *pattern, const char *normal, usec_t from)
{
        static const TableColumn columns[] = { { "NEXT", false, 0 }, { "LEFT", false, 0 } };
        _cleanup_(table_freep) Table *table = table_new(columns, ARRAY_SIZE(columns));
        int r;

        if (!table)
                return ctl_oom();
        r = each_time(ctl, pattern, from, add_row, table);
        if (r != 0)
                return r;
        ctl_pager(ctl);
        if (!ctl->options.quiet)
                printf("%s: %s\n\n", pattern->cron ? "Cron expression" : "Calendar expression", normal);
        if (table_rows(table) > 0)
                return table_print(table, ctl->width, !ctl->options.quiet, ctl->colour, stdout) < 0 ? ctl_oom() : 0;
        if (!ctl->options.quiet)
                puts("It never comes again.");
        return 0;
}

static void add_time(_unused_ const Ctl *ctl, usec_t realtime, void *userdata)
{
        json_realtime(userdata, realtime);
}

/* {"expression": …, "normalForm": …, "times": […]} */
static int print_json(const Ctl *ctl, const Pattern *pattern, const char *expression, const char *normal, usec_t from)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        JsonWriter w;
        int r;

        json_writer_init(&w, &text, ctl->terminal ? 2 : 0);
        json_begin_object(&w);
        json_key(&w, "expression");
        json_string(&w, expression);
        json_key(&w, "normalForm");
        json_string(&w, normal);
        json_key(&w, "times");
        json_begin_array(&w);
        r = each_time(ctl, pattern, from, add_time, &w);
        json_end_array(&w);
        json_end_object(&w);
        if (json_writer_end(&w) < 0)
                return ctl_oom();
        if (r == 0)
                puts(buffer_string(&text));
        return r;
}

int verb_calendar(Ctl *ctl, char **args, _unused_ size_t n)
{
        _cleanup_(pattern_deinit) Pattern pattern = {};
        _cleanup_free_ char *normal = NULL;
        usec_t from = clock_realtime(clock_system());
        WhenError error;
        int r;

        if (ctl->options.from && timestamp_parse(ctl->options.from, ctl->zone, &from, &error) < 0)
                return ctl_error(STATUS_USAGE, "--from: %s", error.message);
        r = pattern_parse(&pattern, args[0], ctl->options.cron);
        if (r != 0)
                return r;
        normal = pattern_format(&pattern);
        if (!normal)
                return ctl_oom();
        return ctl->options.json ? print_json(ctl, &pattern, args[0], normal, from) :
                                   print_table(ctl, &pattern, normal, from);
}
