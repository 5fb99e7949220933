/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Nanoseconds a next-time computation: calendar and cron expressions from what most jobs have to
 * the longest searches there are, and the interval triggers through schedule_next().
 */
#include <stdio.h>
#include <time.h>

#include "when/schedule.h"

#define FROM (UINT64_C(1795341600) * USEC_PER_SEC) /* 2026-11-22 10:00 UTC */
#define LEAST_NSEC UINT64_C(100000000)            /* measured at least that long */
#define BATCH 64

static uint64_t now_nsec(void)
{
        struct timespec ts;

        (void)clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

typedef struct Subject {
        Calendar *calendar;
        Cron *cron;
        const Schedule *schedule;
        DstRules rules;
} Subject;

static usec_t next(const Subject *subject, usec_t after)
{
        usec_t t = 0;

        if (subject->schedule) {
                ScheduleNow now = { .boottime = after, .realtime = after };
                ScheduleState state = { .anchor_boottime = 1, .last_boottime = after, .last_realtime = after };
                Occurrence o;

                return schedule_next(subject->schedule, &state, &now, &o) > 0 ? o.scheduled_realtime : 0;
        }
        if (subject->calendar)
                return calendar_next(subject->calendar, &subject->rules, after, &t) > 0 ? t : 0;
        return cron_next(subject->cron, &subject->rules, after, &t) > 0 ? t : 0;
}

/* Walks from occurrence to occurrence, and begins anew where there are no more. */
static void measure(const char *kind, const char *text, const char *zone, const Subject *subject)
{
        uint64_t start = now_nsec(), elapsed;
        usec_t t = FROM;
        uint64_t n = 0;

        do {
                for (unsigned i = 0; i < BATCH; i++) {
                        t = next(subject, t);
                        if (t == 0)
                                t = FROM;
                }
                n += BATCH;
                elapsed = now_nsec() - start;
        } while (elapsed < LEAST_NSEC);
        printf("%-9s %-34s %-20s %8.0f ns\n", kind, text, zone, (double)elapsed / (double)n);
}

static void measure_text(bool is_cron, const char *text, const char *zone_name)
{
        _cleanup_(calendar_freep) Calendar *calendar = NULL;
        _cleanup_(cron_freep) Cron *cron = NULL;
        _cleanup_zone_ Zone *zone = NULL;
        WhenError error = {};
        Subject subject;
        int r;

        r = zone_load(zone_name, &zone, &error);
        if (r >= 0)
                r = is_cron ? cron_parse(text, &cron, &error) : calendar_parse(text, &calendar, &error);
        if (r < 0) {
                fprintf(stderr, "%s: %s\n", text, error.message);
                exit(EXIT_FAILURE);
        }
        subject = (Subject){ .calendar = calendar, .cron = cron, .rules.zone = zone };
        measure(is_cron ? "cron" : "calendar", text, zone_name, &subject);
}

int main(void)
{
        static const char *const zones[] = { "UTC", "Europe/Berlin" };
        static const char *const calendars[] = {
                "*:*:*", "*:0/5", "daily", "Mon..Fri 09:30", "*-*~1 23:59:59.5", "*-02-29",
                /* The longest: a 29 February that is a Sunday, and one more year than there are. */
                "Sun *-02-29 12:00", "2199-12-31 23:59:59",
        };
        static const char *const crons[] = {
                "* * * * * *", "*/5 * * * *", "0 0 * * *", "30 9 * * 1-5", "0 0 LW * *", "0 0 29 2 *", "0 12 29 2 +0",
        };
        Trigger trigger = { .type = TRIGGER_EVERY, .span = USEC_PER_SEC };
        Schedule schedule = { .triggers = &trigger, .n_triggers = 1, .until_realtime = USEC_INFINITY };
        Subject subject = { .schedule = &schedule };

        measure("every", "1s", "", &subject);
        for (size_t i = 0; i < ARRAY_SIZE(calendars); i++)
                for (size_t k = 0; k < ARRAY_SIZE(zones); k++)
                        measure_text(false, calendars[i], zones[k]);
        for (size_t i = 0; i < ARRAY_SIZE(crons); i++)
                for (size_t k = 0; k < ARRAY_SIZE(zones); k++)
                        measure_text(true, crons[i], zones[k]);
        return 0;
}
