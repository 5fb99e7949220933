/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Answers lines of "KIND TAB ZONE TAB FROM TAB N TAB EXPRESSION" (KIND "calendar" or "cron", FROM in
 * microseconds) with "ok TAB NORMAL-FORM TAB T1 T2 …" or "refused TAB OFFSET TAB MESSAGE", for the
 * campaigns that compare with other programs.
 */
#include <inttypes.h>
#include <stdio.h>

#include "when/calendar.h"
#include "when/cron.h"

typedef struct Request {
        bool cron;
        const char *zone;
        usec_t from;
        unsigned n;
        const char *expression;
} Request;

static char *next_field(char **line)
{
        char *field = strsep(line, "\t");

        if (!field) {
                fprintf(stderr, "when-next: too few fields\n");
                exit(EXIT_FAILURE);
        }
        return field;
}

static void answer(const Request *request)
{
        _cleanup_(calendar_freep) Calendar *calendar = NULL;
        _cleanup_(cron_freep) Cron *cron = NULL;
        _cleanup_free_ char *normal = NULL;
        _cleanup_zone_ Zone *zone = NULL;
        DstRules rules = {};
        WhenError error = {};
        usec_t t = request->from;
        int r;

        r = zone_load(request->zone, &zone, &error);
        if (r >= 0)
                r = request->cron ? cron_parse(request->expression, &cron, &error)
                                  : calendar_parse(request->expression, &calendar, &error);
        if (r < 0) {
                printf("refused\t%zu\t%s\n", error.offset, error.message);
                return;
        }
        rules.zone = zone;
        normal = request->cron ? cron_format(cron) : calendar_format(calendar);
        printf("ok\t%s\t", normal ?: "");
        for (unsigned i = 0; i < request->n; i++) {
                r = request->cron ? cron_next(cron, &rules, t, &t) : calendar_next(calendar, &rules, t, &t);
                if (r == 0)
                        break;
                printf("%s%" PRIu64, i > 0 ? " " : "", t);
        }
        putchar('\n');
}

int main(void)
{
        _cleanup_free_ char *buffer = NULL;
        size_t allocated = 0;

        while (getline(&buffer, &allocated, stdin) >= 0) {
                char *line = buffer;
                Request request;

                line[strcspn(line, "\n")] = '\0';
                request.cron = streq(next_field(&line), "cron");
                request.zone = next_field(&line);
                request.from = strtoull(next_field(&line), NULL, 10);
                request.n = (unsigned)strtoul(next_field(&line), NULL, 10);
                request.expression = next_field(&line);
                answer(&request);
        }
        return 0;
}
