/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which jobs a call is about, and how few of the others are looked at. */
#include "test.h"

#include <stdio.h>

#include "api/internal.h"

#define N_ROOMS 100U

typedef struct Fixture {
        VirtualClock clock;
        TimerQueue *timers;
        EventBus events;
        RunIds *ids;
        Services services;
        Scheduler *scheduler;
} Fixture;

static void add(Fixture *f, const char *name)
{
        static const char text[] = "[Job]\nType=sleep\n[Sleep]\nDuration=0\n";
        _cleanup_(config_items_deinit) ConfigItems items = CONFIG_ITEMS_NULL;
        _cleanup_(config_report_deinit) ConfigReport report = CONFIG_REPORT_NULL;
        JobSpec *spec;
        Job *job;

        assert_ok(config_parse_text(name, text, strlen(text), &items, &report));
        assert_ok(job_spec_load_items(name, &items, &report, &spec));
        assert_ok(scheduler_add_job(f->scheduler, spec, &job));
        job_spec_unref(spec);
}

static int set_up(void **state)
{
        Fixture *f = new0(Fixture, 1);

        assert_non_null(f);
        virtual_clock_init(&f->clock, USEC_PER_SEC, USEC_PER_SEC);
        f->timers = timer_queue_new(&f->clock.clock);
        assert_non_null(f->timers);
        event_bus_init(&f->events, &f->clock.clock);
        assert_ok(run_ids_new(&f->ids));
        f->services = (Services){ .clock = &f->clock.clock, .timers = f->timers };
        assert_ok(scheduler_new(&f->services, &f->events, f->ids, NULL, &f->scheduler));
        for (unsigned i = 0; i < N_ROOMS; i++) {
                char name[16];

                (void)snprintf(name, sizeof(name), "room-%u", i);
                add(f, name);
        }
        add(f, "attic");
        add(f, "room");
        add(f, "roon");
        add(f, "yard");
        *state = f;
        return 0;
}

static int tear_down(void **state)
{
        Fixture *f = *state;

        scheduler_free(f->scheduler);
        run_ids_close(f->ids);
        timer_queue_free(f->timers);
        free(f);
        return 0;
}

/* The names that match the JSON array JOBS, a blank behind each; at most MAX_SEEN jobs were looked at for that. */
static void expect(Fixture *f, const char *jobs, unsigned max_seen, const char *expected)
{
        _cleanup_(job_filter_deinit) JobFilter filter = {};
        char found[4096] = "";
        const char *after = "";
        JsonDoc *doc = NULL;
        unsigned seen = 0;
        Job *job;

        assert_ok(json_parse(jobs, strlen(jobs), NULL, &doc, NULL));
        assert_ok(job_filter_init(&filter, json_root(doc)));
        for (; (job = job_filter_next(&filter, f->scheduler, after)); after = job->name) {
                assert_true(strcmp(job->name, after) > 0);
                seen++;
                if (job_filter_matches(&filter, job->name)) {
                        assert_true(strlen(found) + strlen(job->name) + 2 <= sizeof(found));
                        strcat(strcat(found, job->name), " ");
                }
        }
        if (expected)
                assert_string_equal(found, expected);
        assert_true(seen <= max_seen);
        job_filter_deinit(&filter);
        json_doc_free(doc);
}

static void test_names(void **state)
{
        expect(*state, "[\"room-7\"]", 1, "room-7 ");
        expect(*state, "[\"yard\", \"room-7\", \"attic\", \"room-7\"]", 3, "attic room-7 yard ");
        /* One that is gone meanwhile. */
        expect(*state, "[\"yard\", \"cellar\", \"room\"]", 2, "room yard ");
        expect(*state, "[\"cellar\"]", 0, "");
        expect(*state, "[\"\"]", 0, "");
}

static void test_patterns(void **state)
{
        expect(*state, "[\"room-1?\"]", 11, "room-10 room-11 room-12 room-13 room-14 room-15 room-16 room-17 room-18 room-19 ");
        expect(*state, "[\"room*0\"]", 1 + N_ROOMS, "room-0 room-10 room-20 room-30 room-40 room-50 room-60 room-70 room-80 room-90 ");
        expect(*state, "[\"room[n]*\"]", 1 + N_ROOMS, "");
        expect(*state, "[\"*ar*\"]", 4 + N_ROOMS, "yard ");
        expect(*state, "[\"y*\", \"attic\"]", 4 + N_ROOMS, "attic yard ");
        expect(*state, "[\"z*\"]", 0, "");
        expect(*state, "[\"\\u007f*\"]", 0, "");
}

static void test_all(void **state)
{
        expect(*state, "[]", 4 + N_ROOMS, NULL);
        expect(*state, "null", 4 + N_ROOMS, NULL);
        expect(*state, "[\"*\"]", 4 + N_ROOMS, NULL);
}

static void test_long_ones(void **state)
{
        char name[JOB_NAME_MAX + 2], text[JOB_NAME_MAX + 8];

        for (size_t n = JOB_NAME_MAX - 1; n <= JOB_NAME_MAX + 1; n++) {
                memset(name, 'x', n);
                name[n] = '\0';
                (void)snprintf(text, sizeof(text), "[\"%s\"]", name);
                expect(*state, text, 0, "");
                (void)snprintf(text, sizeof(text), "[\"%s*\"]", name);
                expect(*state, text, 0, "");
        }
}

static void test_unknown(void **state)
{
        _cleanup_(job_filter_deinit) JobFilter filter = {};
        static const char jobs[] = "[\"room-1\", \"cellar\", \"nothing-*\"]";
        Fixture *f = *state;
        JsonDoc *doc = NULL;

        assert_ok(json_parse(jobs, strlen(jobs), NULL, &doc, NULL));
        assert_ok(job_filter_init(&filter, json_root(doc)));
        assert_string_equal(filter.patterns[0], "cellar");
        for (size_t i = 0; i < filter.n; i++)
                assert_int_equal(job_filter_is_unknown(&filter, i, f->scheduler, NULL), i == 0);
        add(f, "cellar");
        for (size_t i = 0; i < filter.n; i++)
                assert_false(job_filter_is_unknown(&filter, i, f->scheduler, NULL));
        json_doc_free(doc);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                RUN(test_names), RUN(test_patterns), RUN(test_all), RUN(test_long_ones), RUN(test_unknown),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
