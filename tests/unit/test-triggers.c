/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* On=: events that start runs, on the real scheduler and a virtual clock. */
#include "test.h"

#include <stdio.h>

#include "base/string-util.h"
#include "engine.h"

#define RECORDS_MAX 4096U

typedef struct Record {
        char job[16];
        RunState state;
        RunTrigger trigger;
        uint64_t id, origin;
        char error[24];
        char cause[32];
} Record;

typedef struct Fixture {
        Engine engine;
        JsonDoc *params; /* of the last run that an event started */
        Record records[RECORDS_MAX]; /* runs that ended, the first ones; all are counted */
        size_t n;
        unsigned n_refused;
} Fixture;

static void on_event(EventObserver *observer, const Event *event)
{
        Fixture *f = container_of(observer, Fixture, engine.observer);
        const Run *run = event->run;
        Record *r;

        f->n_refused += event->type == EVENT_REFUSED;
        if (!run || event->type == EVENT_PROGRESS || !run_state_is_final(run->state))
                return;
        if (run->trigger == RUN_TRIGGER_EVENT && run->extra->params) {
                json_doc_free(f->params);
                assert_ok(json_parse(run->extra->params, strlen(run->extra->params), NULL, &f->params, NULL));
        }
        if (f->n++ >= RECORDS_MAX)
                return;
        r = &f->records[f->n - 1];
        *r = (Record){ .state = run->state, .trigger = run->trigger, .id = run->id, .origin = run->origin };
        (void)snprintf(r->job, sizeof(r->job), "%s", event->job);
        (void)snprintf(r->error, sizeof(r->error), "%s", run->extra->error_kind ?: "");
        (void)snprintf(r->cause, sizeof(r->cause), "%s", run->cause ?: "");
}

static Fixture *fixture_new(void)
{
        Fixture *f = new0(Fixture, 1);

        assert_non_null(f);
        engine_init(&f->engine, on_event, NULL);
        return f;
}

static void turns(Fixture *f, unsigned n)
{
        while (n-- > 0)
                (void)timer_queue_dispatch(f->engine.timers, f->engine.clock.now_boottime, 0);
}

static void fixture_free(Fixture *f)
{
        scheduler_abandon(f->engine.scheduler);
        engine_deinit(&f->engine);
        json_doc_free(f->params);
        free(f);
}

static Job *add(Fixture *f, const char *name, const char *text)
{
        return engine_add(&f->engine, make_spec(name, text));
}

/* A job that ends at once and listens as SCHEDULE says. */
static Job *add_zero(Fixture *f, const char *name, const char *schedule)
{
        _cleanup_free_ char *text = xasprintf("[Job]\nType=sleep\n[Schedule]\n%s\n[Sleep]\nDuration=0\n", schedule);

        assert_non_null(text);
        return add(f, name, text);
}

static unsigned count(const Fixture *f, const char *job, RunState state, const char *error)
{
        unsigned n = 0;

        for (size_t i = 0; i < MIN(f->n, (size_t)RECORDS_MAX); i++)
                n += streq(f->records[i].job, job) && f->records[i].state == state && streq(f->records[i].error, error);
        return n;
}

static void test_fan_in_and_out(_unused_ void **state)
{
        Fixture *f = fixture_new();
        Job *a = add_zero(f, "a", ""), *b = add_zero(f, "b", "");
        uint64_t id;

        add_zero(f, "x", "On=a.succeeded\nOn=b.failed|succeeded");
        add_zero(f, "y", "On=[ab].succeeded\nOn=a.ended");
        add_zero(f, "z", "On=a.failed");
        id = engine_run(&f->engine, a);
        assert_int_equal(f->n, 1);
        turns(f, 1);
        /* Two lines that match one event start one run. */
        assert_int_equal(count(f, "x", RUN_SUCCEEDED, ""), 1);
        assert_int_equal(count(f, "y", RUN_SUCCEEDED, ""), 1);
        assert_int_equal(f->records[1].origin, id);
        assert_int_equal(f->records[1].trigger, RUN_TRIGGER_EVENT);
        assert_string_equal(f->records[1].cause, "On=a.succeeded");
        engine_run(&f->engine, b);
        turns(f, 1);
        assert_int_equal(count(f, "x", RUN_SUCCEEDED, ""), 2);
        assert_int_equal(count(f, "z", RUN_SUCCEEDED, ""), 0);
        fixture_free(f);
}

/* What verify knows of events is what they have. */
static void test_event_members(_unused_ void **state)
{
        Fixture *f = fixture_new();
        Job *a = add_zero(f, "a", "");
        const JsonValue *event;
        size_t n = 0;

        add_zero(f, "x", "On=a.succeeded");
        engine_run(&f->engine, a);
        turns(f, 1);
        assert_non_null(f->params);
        event = json_get(json_root(f->params), "event");
        for (; event_members[n]; n++)
                assert_non_null(json_get(event, event_members[n]));
        assert_int_equal(event->n, n);
        fixture_free(f);
}

/* Each of y's runs is an event for y as well, as it is named: 16 of them, and a failure. */
static void test_loop(_unused_ void **state)
{
        Fixture *f = fixture_new();

        add_zero(f, "y", "On=[a].ended\nOn=y.ended");
        engine_run(&f->engine, add_zero(f, "a", ""));
        engine_pass(&f->engine, SEC);
        assert_int_equal(count(f, "y", RUN_SUCCEEDED, ""), TRIGGER_DEPTH_MAX);
        assert_int_equal(count(f, "y", RUN_FAILED, "trigger-loop"), 1);
        assert_int_equal(f->n, 1 + TRIGGER_DEPTH_MAX + 1);
        fixture_free(f);
}

/* Through a group and its members the depth is kept as well. */
static void test_loop_through_a_group(_unused_ void **state)
{
        Fixture *f = fixture_new();
        Job *leaf = add_zero(f, "leaf", "");

        add(f, "g", "[Job]\nType=group\n[Schedule]\nOn=leaf.succeeded\nOverlap=parallel\n[Group]\nRun=leaf\n");
        engine_run(&f->engine, leaf);
        engine_pass(&f->engine, SEC);
        assert_int_equal(count(f, "g", RUN_SUCCEEDED, ""), TRIGGER_DEPTH_MAX);
        assert_int_equal(count(f, "g", RUN_FAILED, "trigger-loop"), 1);
        fixture_free(f);
}

/* A flood for one job: another one's event is not behind all of it, and what finds no place is told. */
static void test_flood(_unused_ void **state)
{
        Fixture *f = fixture_new();
        Job *flood = add_zero(f, "flood", "Overlap=parallel"), *calm = add_zero(f, "calm", "");

        add_zero(f, "busy", "On=flood.succeeded\nOverlap=parallel");
        add_zero(f, "quiet", "On=calm.succeeded");
        for (unsigned i = 0; i < TRIGGER_PENDING_MAX + 500; i++)
                engine_run(&f->engine, flood);
        engine_run(&f->engine, calm);
        turns(f, 1);
        assert_int_equal(count(f, "quiet", RUN_SUCCEEDED, ""), 1);
        assert_in_range(count(f, "busy", RUN_SUCCEEDED, ""), 1, 200);
        engine_pass(&f->engine, SEC);
        assert_int_equal(count(f, "busy", RUN_SUCCEEDED, ""), TRIGGER_PENDING_MAX);
        assert_int_equal(count(f, "busy", RUN_SKIPPED, "too-many-events"), 1);
        fixture_free(f);
}

/* Events of one job are taken in the order in which they happened. */
static void test_order(_unused_ void **state)
{
        Fixture *f = fixture_new();
        Job *a = add_zero(f, "a", "Overlap=parallel");
        uint64_t last = 0;
        unsigned n = 0;

        add_zero(f, "x", "On=a.succeeded\nOverlap=queue\nMaxQueued=1000");
        for (unsigned i = 0; i < 500; i++)
                engine_run(&f->engine, a);
        engine_pass(&f->engine, SEC);
        for (size_t i = 0; i < f->n; i++)
                if (streq(f->records[i].job, "x")) {
                        assert_true(f->records[i].origin > last);
                        last = f->records[i].origin;
                        n++;
                }
        assert_int_equal(n, 500);
        fixture_free(f);
}

/* An event that waits survives a change of the job; its removal and the end of the daemon are recorded. */
static void test_change_and_remove(_unused_ void **state)
{
        Fixture *f = fixture_new();
        Job *a = add_zero(f, "a", ""), *x = add_zero(f, "x", "On=a.succeeded"), *y = add_zero(f, "y", "On=a.succeeded");
        JobSpec *spec;

        engine_run(&f->engine, a);
        spec = make_spec("x", "[Job]\nType=sleep\n[Schedule]\nOn=b.failed\n[Sleep]\nDuration=0\n");
        scheduler_change_job(f->engine.scheduler, x, spec);
        job_spec_unref(spec);
        scheduler_remove_job(f->engine.scheduler, y);
        turns(f, 1);
        assert_int_equal(count(f, "x", RUN_SUCCEEDED, ""), 1);
        assert_int_equal(count(f, "y", RUN_CANCELLED, "removed"), 1);
        engine_run(&f->engine, a);
        turns(f, 1);
        assert_int_equal(count(f, "x", RUN_SUCCEEDED, ""), 1);

        add_zero(f, "z", "On=a.succeeded");
        engine_run(&f->engine, a);
        scheduler_abandon(f->engine.scheduler);
        assert_int_equal(count(f, "z", RUN_CANCELLED, "shutdown"), 1);
        fixture_free(f);
}

static void test_paused_and_disabled(_unused_ void **state)
{
        Fixture *f = fixture_new();
        Job *a = add_zero(f, "a", ""), *x = add_zero(f, "x", "On=a.succeeded");

        add(f, "off", "[Job]\nType=sleep\nEnabled=no\n[Schedule]\nOn=a.succeeded\n");
        scheduler_pause_job(f->engine.scheduler, x);
        engine_run(&f->engine, a);
        turns(f, 1);
        assert_int_equal(count(f, "x", RUN_SKIPPED, "paused"), 1);
        scheduler_resume_job(f->engine.scheduler, x);
        engine_run(&f->engine, a);
        turns(f, 1);
        assert_int_equal(count(f, "x", RUN_SUCCEEDED, ""), 1);
        assert_int_equal(f->n, 4);
        fixture_free(f);
}

/* More patterns than count are told of; jobs that go make room. */
static void test_patterns(_unused_ void **state)
{
        Fixture *f = fixture_new();
        Job *first = add_zero(f, "p", "On=*.failed"), *a;
        char name[16];

        for (unsigned i = 1; i < TRIGGER_PATTERNS_MAX; i++) {
                (void)snprintf(name, sizeof(name), "p%u", i);
                add_zero(f, name, "On=*.failed");
        }
        assert_int_equal(f->n_refused, 0);
        add_zero(f, "over", "On=*.succeeded");
        assert_int_equal(f->n_refused, 1);
        scheduler_remove_job(f->engine.scheduler, first);
        a = add_zero(f, "a", "On=nothing*.succeeded");
        assert_int_equal(f->n_refused, 1);
        engine_run(&f->engine, a);
        engine_pass(&f->engine, SEC);
        assert_int_equal(f->n, 1);
        fixture_free(f);
}

/* Scheduled runs have the defaults of their parameters, and fail where one has none. */
static void test_defaults(_unused_ void **state)
{
        Fixture *f = fixture_new();

        add(f, "good", "[Job]\nType=countdown\nParameter=from:int=0\n[Schedule]\nOnStartup=1s\n[Countdown]\nFrom=${from}\n");
        add(f, "bad", "[Job]\nType=countdown\nParameter=from:int\n[Schedule]\nOnStartup=1s\n[Countdown]\nFrom=${from}\n");
        engine_pass(&f->engine, 2 * SEC);
        assert_int_equal(count(f, "good", RUN_SUCCEEDED, ""), 1);
        assert_int_equal(count(f, "bad", RUN_FAILED, "bad-parameter"), 1);
        fixture_free(f);
}

/* A job that comes to a bad end after a second, and listens as SCHEDULE says. */
static Job *add_bad(Fixture *f, const char *name, const char *schedule)
{
        _cleanup_free_ char *text = xasprintf("[Job]\nType=sleep\nTimeoutSec=1s\n[Schedule]\n%s\n[Sleep]\nDuration=1h\n", schedule);

        assert_non_null(text);
        return add(f, name, text);
}

/* An alert that fails itself is not told of that, by a pattern that nobody wrote for it. */
static void test_own_events(_unused_ void **state)
{
        Fixture *f = fixture_new();

        add_bad(f, "alert", "On=*.failed|timeout");
        engine_run(&f->engine, add_bad(f, "a", ""));
        engine_pass(&f->engine, 60 * SEC);
        assert_int_equal(count(f, "alert", RUN_TIMEOUT, "timeout"), 1);
        assert_int_equal(f->n, 2);
        /* What was never begun is an event of the job as well. */
        add(f, "needs", "[Job]\nType=sleep\nParameter=required:string\n[Schedule]\nOn=*.failed\n");
        engine_run(&f->engine, add(f, "needs-too", "[Job]\nType=sleep\nParameter=required:string\n"));
        engine_pass(&f->engine, 60 * SEC);
        assert_int_equal(count(f, "needs", RUN_FAILED, "bad-parameter"), 1);
        fixture_free(f);
}

/* Each tells of the other's failure, and that is where it ends. */
static void test_two_alerts(_unused_ void **state)
{
        Fixture *f = fixture_new();

        add_bad(f, "mail", "On=*.timeout");
        add_bad(f, "sms", "On=*.timeout");
        engine_run(&f->engine, add_bad(f, "a", ""));
        engine_pass(&f->engine, 60 * SEC);
        assert_int_equal(count(f, "mail", RUN_TIMEOUT, "timeout"), 2);
        assert_int_equal(count(f, "sms", RUN_TIMEOUT, "timeout"), 2);
        assert_int_equal(f->n, 5);
        fixture_free(f);
}

/* A pattern leads on to what has not been there, and a name to all. */
static void test_pattern_after_pattern(_unused_ void **state)
{
        Fixture *f = fixture_new();

        add_zero(f, "parse", "On=fetch*.succeeded");
        add_zero(f, "index", "On=pars?.succeeded");
        add_zero(f, "report", "On=*nde*.succeeded");
        add_zero(f, "fetch-again", "On=report.succeeded");
        engine_run(&f->engine, add_zero(f, "fetch", ""));
        engine_pass(&f->engine, SEC);
        assert_int_equal(count(f, "parse", RUN_SUCCEEDED, ""), 1);
        assert_int_equal(count(f, "index", RUN_SUCCEEDED, ""), 1);
        assert_int_equal(count(f, "report", RUN_SUCCEEDED, ""), 1);
        assert_int_equal(count(f, "fetch-again", RUN_SUCCEEDED, ""), 1);
        assert_int_equal(f->n, 5);
        fixture_free(f);
}

/* Of many instances each tells of each other one: not of all that follows, which would be the power of their number. */
static void test_instances(_unused_ void **state)
{
        static const char *const names[] = { "alert@a", "alert@b", "alert@c", "alert@d" };
        Fixture *f = fixture_new();
        JobSpec *spec = make_spec("alert@", "[Job]\nType=sleep\nTimeoutSec=1s\n[Schedule]\nOn=*.timeout\n[Sleep]\nDuration=1h\n");
        Job *first = NULL;

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                assert_ok(scheduler_add_instance(f->engine.scheduler, spec, names[i], i == 0 ? &first : NULL));
        job_spec_unref(spec);
        engine_run(&f->engine, add_bad(f, "a", ""));
        engine_pass(&f->engine, 60 * SEC);
        assert_int_equal(f->n, 1 + 4 + 4 * 3);
        /* By hand: the three others. */
        engine_run(&f->engine, first);
        engine_pass(&f->engine, 60 * SEC);
        assert_int_equal(f->n, 1 + 4 + 4 * 3 + 1 + 3);
        fixture_free(f);
}

/* A group is not started by what its members do, nor by what these lead to. */
static void test_members(_unused_ void **state)
{
        Fixture *f = fixture_new();

        add(f, "all", "[Job]\nType=group\n[Schedule]\nOn=*.timeout|failed\n[Group]\nRun=both\nRun=mail\n");
        add(f, "both", "[Job]\nType=group\n[Group]\nRun=mail\nRun=sms\n");
        add_bad(f, "mail", "");
        add_bad(f, "sms", "");
        add_bad(f, "siren", "On=sms.timeout");
        engine_run(&f->engine, add_bad(f, "a", ""));
        engine_pass(&f->engine, 60 * SEC);
        assert_int_equal(count(f, "all", RUN_FAILED, "member-failed"), 1);
        assert_int_equal(count(f, "siren", RUN_TIMEOUT, "timeout"), 1);
        fixture_free(f);
}

/* So many alerts that come together all run, one at a time, where the job's file does not say otherwise. */
static void test_events_queue(_unused_ void **state)
{
        Fixture *f = fixture_new();
        Job *source = add_zero(f, "a", "Overlap=parallel"), *alert = add(f, "alert", "[Job]\nType=sleep\n[Schedule]\nOn=a.succeeded\n"
                                                                                     "Every=1h\n[Sleep]\nDuration=2s\n");

        add(f, "skips", "[Job]\nType=sleep\n[Schedule]\nOn=a.succeeded\nOverlap=skip\n[Sleep]\nDuration=2s\n");
        add(f, "few", "[Job]\nType=sleep\n[Schedule]\nOn=a.succeeded\nMaxQueued=2\n[Sleep]\nDuration=2s\n");
        add(f, "queues", "[Job]\nType=sleep\n[Schedule]\nOn=a.succeeded\nOverlap=queue\n[Sleep]\nDuration=2s\n");
        engine_pass(&f->engine, 10 * SEC);
        f->n = 0;
        for (unsigned i = 0; i < 300; i++)
                engine_run(&f->engine, source);
        engine_pass(&f->engine, SEC);
        assert_int_equal(alert->n_active, 1);
        assert_int_equal(alert->n_runs, 101);
        assert_int_equal(scheduler_n_events_waiting(alert), 199);
        engine_pass(&f->engine, 600 * SEC);
        assert_int_equal(count(f, "alert", RUN_SUCCEEDED, ""), 300);
        assert_int_equal(count(f, "skips", RUN_SUCCEEDED, ""), 1);
        assert_int_equal(count(f, "skips", RUN_SKIPPED, "overlap"), 299);
        assert_int_equal(count(f, "few", RUN_SUCCEEDED, ""), 3);
        assert_int_equal(count(f, "few", RUN_SKIPPED, "overlap"), 297);
        assert_int_equal(count(f, "queues", RUN_SUCCEEDED, ""), 101);
        assert_int_equal(count(f, "queues", RUN_SKIPPED, "overlap"), 199);
        /* A time that comes meanwhile is skipped, as ever. */
        f->n = 0;
        for (unsigned i = 0; i < 300; i++)
                engine_run(&f->engine, source);
        engine_pass(&f->engine, 3595 * SEC - 611 * SEC);
        for (unsigned i = 0; i < 10; i++)
                engine_run(&f->engine, source);
        engine_pass(&f->engine, 60 * SEC);
        assert_int_equal(count(f, "alert", RUN_SUCCEEDED, ""), 310);
        assert_int_equal(count(f, "alert", RUN_SKIPPED, "overlap"), 1);
        fixture_free(f);
}

/* What is held back goes the way of all that waits. */
static void test_held_events(_unused_ void **state)
{
        static const char *const names[] = { "x", "changed", "paused", "removed" };
        Fixture *f = fixture_new();
        Job *source = add_zero(f, "a", "Overlap=parallel"), *jobs[ARRAY_SIZE(names)];
        JobSpec *spec;

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                jobs[i] = add(f, names[i], "[Job]\nType=sleep\n[Schedule]\nOn=a.succeeded\n[Sleep]\nDuration=2s\n");
        for (unsigned i = 0; i < 200; i++)
                engine_run(&f->engine, source);
        engine_pass(&f->engine, SEC);
        spec = make_spec("changed", "[Job]\nType=sleep\n[Schedule]\nOn=b.succeeded\nOverlap=skip\n[Sleep]\nDuration=2s\n");
        scheduler_change_job(f->engine.scheduler, jobs[1], spec);
        job_spec_unref(spec);
        scheduler_pause_job(f->engine.scheduler, jobs[2]);
        scheduler_remove_job(f->engine.scheduler, jobs[3]);
        assert_int_equal(count(f, "removed", RUN_CANCELLED, "removed"), 199);
        engine_pass(&f->engine, 500 * SEC);
        assert_int_equal(count(f, "x", RUN_SUCCEEDED, ""), 200);
        assert_int_equal(count(f, "changed", RUN_SUCCEEDED, ""), 101);
        assert_int_equal(count(f, "changed", RUN_SKIPPED, "overlap"), 99);
        assert_int_equal(count(f, "paused", RUN_SUCCEEDED, ""), 101);
        assert_int_equal(count(f, "paused", RUN_SKIPPED, "paused"), 99);
        assert_int_equal(count(f, "removed", RUN_SUCCEEDED, ""), 1);

        for (unsigned i = 0; i < 200; i++)
                engine_run(&f->engine, source);
        engine_pass(&f->engine, SEC);
        f->n = 0;
        scheduler_abandon(f->engine.scheduler);
        assert_int_equal(count(f, "x", RUN_CANCELLED, "shutdown"), 200);
        fixture_free(f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                RUN(test_fan_in_and_out), RUN(test_event_members), RUN(test_loop),
                RUN(test_loop_through_a_group), RUN(test_flood),
                RUN(test_order),          RUN(test_change_and_remove),
                RUN(test_paused_and_disabled), RUN(test_patterns),
                RUN(test_defaults),       RUN(test_own_events),
                RUN(test_two_alerts),     RUN(test_pattern_after_pattern),
                RUN(test_instances),      RUN(test_members),
                RUN(test_events_queue),   RUN(test_held_events),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
