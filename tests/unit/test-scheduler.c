/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The real scheduler on a virtual clock: days pass in milliseconds, and nothing waits. */
#include "test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/string-util.h"
#include "kinds/kinds.h"
#include "sched/outlook.h"
#include "engine.h"

#define RECORDS_MAX 4096U

/* A run that ended, as an observer saw it; times count from the start of the test. */
typedef struct Record {
        uint64_t id;
        char job[16];
        RunState state;
        RunTrigger trigger;
        usec_t scheduled, started, finished;
        unsigned attempts;
        char error[24];
        uint64_t occurrences;
} Record;

typedef struct Fixture {
        Engine engine;
        Record records[RECORDS_MAX]; /* the first ones; all are counted */
        size_t n_records;
        uint64_t last_id;
        unsigned n_started;
        unsigned n_events[_EVENT_TYPE_MAX];
        uint64_t occurrences; /* accounted for in all */
        usec_t retry_at[64];
        size_t n_retries;
        bool shut_down;
} Fixture;

static usec_t since_start(usec_t realtime)
{
        return realtime > 0 ? realtime - START_REALTIME : 0;
}

static void note_end(Fixture *f, const Event *event)
{
        const Run *run = event->run;
        uint64_t n = 1;
        Record *r;

        if (run->state == RUN_MISSED || run->state == RUN_SKIPPED) {
                uint64_t several;
                const char *s = run->extra->error_message;

                s = startswith(s, "more than ") ?: s;
                if (sscanf(s, "%" SCNu64 " occurrences", &several) == 1)
                        n = several;
        }
        if (run->trigger != RUN_TRIGGER_MANUAL)
                f->occurrences += n;
        if (f->n_records == RECORDS_MAX)
                return;
        r = &f->records[f->n_records++];
        *r = (Record){
                .id = run->id,
                .state = run->state,
                .trigger = run->trigger,
                .scheduled = since_start(run->scheduled_realtime),
                .started = since_start(run->started_realtime),
                .finished = since_start(run->finished_realtime),
                .attempts = run->attempts,
                .occurrences = n,
        };
        (void)snprintf(r->job, sizeof(r->job), "%s", event->job);
        (void)snprintf(r->error, sizeof(r->error), "%s", run->extra->error_kind ?: "");
}

static void on_event(EventObserver *observer, const Event *event)
{
        Fixture *f = container_of(observer, Fixture, engine.observer);

        f->n_events[event->type]++;
        if (!event->run)
                return;
        if (event->type == EVENT_RUNNING)
                f->n_started++;
        /* Whatever the order of their ends, ids are handed out in the order of their beginnings. */
        if (event->run->id > f->last_id)
                f->last_id = event->run->id;
        if (event->type == EVENT_RETRYING && f->n_retries < ARRAY_SIZE(f->retry_at))
                f->retry_at[f->n_retries++] = engine_now(&f->engine);
        if (event->type != EVENT_PROGRESS && run_state_is_final(event->run->state))
                note_end(f, event);
}

/* --- a kind whose runs do as they are told --- */

typedef struct FakePlan {
        usec_t duration;        /* 0: ends in start() */
        unsigned failures;      /* so many attempts fail, of all runs together */
        usec_t cancel_delay;    /* a cancelled attempt takes this long to end; 0: ends in cancel() */
        bool ignores_cancel;    /* … and succeeds then */
        unsigned random;        /* != 0: duration and failure are drawn from here */
} FakePlan;

static FakePlan plan;
static unsigned fake_under_way, fake_most;

typedef struct FakeRun {
        Timer timer;
        char *block; /* for the leak checker */
        bool fails;
} FakeRun;

static unsigned draw(unsigned *state, unsigned n)
{
        *state = *state * 1103515245U + 12345U;
        return (*state >> 8) % n;
}

static void fake_end(Run *run)
{
        FakeRun *fake = run_state(run);

        if (fake->fails)
                run_fail(run, "fake", "as told");
        else
                run_succeed(run, strdup("1"), 1);
}

static void on_fake_timer(Timer *timer, _unused_ usec_t now_boottime)
{
        fake_end(run_from_state(container_of(timer, FakeRun, timer)));
}

static void fake_start(Run *run)
{
        FakeRun *fake = run_state(run);
        usec_t duration = plan.duration;

        fake->block = strdup("held until reset");
        fake_most = MAX(fake_most, ++fake_under_way);
        if (plan.random != 0) {
                duration = draw(&plan.random, 4) == 0 ? 0 : draw(&plan.random, 5000) * 1000;
                fake->fails = draw(&plan.random, 5) == 0;
        } else if (plan.failures > 0) {
                plan.failures--;
                fake->fails = true;
        }
        fake->timer.callback = on_fake_timer;
        if (duration == 0)
                fake_end(run);
        else
                assert_ok(timer_arm_after(run->services->timers, &fake->timer, duration));
}

static void fake_cancel(Run *run)
{
        FakeRun *fake = run_state(run);

        fake->fails = !plan.ignores_cancel;
        if (plan.cancel_delay == 0)
                fake_end(run);
        else
                assert_ok(timer_arm_after(run->services->timers, &fake->timer, plan.cancel_delay));
}

static void fake_reset(Run *run)
{
        FakeRun *fake = run_state(run);

        assert_non_null(fake->block);
        free(TAKE_PTR(fake->block));
        timer_disarm(run->services->timers, &fake->timer);
        fake_under_way--;
}

static JobKind fake_kind;

/* --- fixture --- */

static Fixture *fixture_new(const SchedulerLimits *limits)
{
        Fixture *f = new0(Fixture, 1);

        assert_non_null(f);
        engine_init(&f->engine, on_event, limits);
        fake_kind = sleep_kind;
        fake_kind.run_size = sizeof(FakeRun);
        fake_kind.start = fake_start;
        fake_kind.cancel = fake_cancel;
        fake_kind.reset = fake_reset;
        plan = (FakePlan){};
        fake_under_way = fake_most = 0;
        return f;
}

static void on_shut_down(void *userdata)
{
        Fixture *f = userdata;

        assert_false(f->shut_down);
        f->shut_down = true;
}

/* Ends all, and looks that nothing is left. */
static void fixture_free(Fixture *f)
{
        if (!f->shut_down)
                scheduler_shutdown(f->engine.scheduler, on_shut_down, f);
        engine_advance_to(&f->engine, engine_now(&f->engine) + 3600 * SEC);
        assert_true(f->shut_down);
        assert_int_equal(scheduler_n_running(f->engine.scheduler), 0);
        assert_int_equal(scheduler_n_queued(f->engine.scheduler), 0);
        assert_null(scheduler_next_run(f->engine.scheduler, NULL));
        assert_int_equal(fake_under_way, 0);
        engine_deinit(&f->engine);
        free(f);
}

static JobSpec *make_fake_spec(const char *name, const char *text)
{
        JobSpec *spec = make_spec(name, text);

        spec->kind = &fake_kind;
        return spec;
}

static Job *add_kind(Fixture *f, const char *name, const char *text, bool fake)
{
        return engine_add(&f->engine, fake ? make_fake_spec(name, text) : make_spec(name, text));
}

/* A job of the fake kind; KEYS go into [Job] and what follows. */
static Job *add(Fixture *f, const char *name, const char *keys)
{
        _cleanup_free_ char *text = xasprintf("[Job]\nType=sleep\n%s", keys);

        assert_non_null(text);
        return add_kind(f, name, text, true);
}

static const Record *record_of(const Fixture *f, uint64_t id)
{
        for (size_t i = 0; i < f->n_records; i++)
                if (f->records[i].id == id)
                        return &f->records[i];
        return NULL;
}

static void assert_ended(const Fixture *f, uint64_t id, RunState state, const char *error)
{
        const Record *r = record_of(f, id);

        assert_non_null(r);
        assert_string_equal(run_state_to_string(r->state), run_state_to_string(state));
        assert_string_equal(r->error, error);
}

static unsigned count_state(const Fixture *f, RunState state)
{
        unsigned n = 0;

        for (size_t i = 0; i < f->n_records; i++)
                n += f->records[i].state == state;
        return n;
}

/* --- triggers --- */

static void test_every_never_drifts(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);

        plan.duration = 700000;
        add(f, "j", "[Schedule]\nEvery=1s\n");
        engine_advance_to(&f->engine, 100 * SEC);
        assert_int_equal(f->n_records, 100);
        for (size_t i = 0; i < f->n_records; i++) {
                assert_int_equal(f->records[i].scheduled, i * SEC);
                assert_int_equal(f->records[i].started, i * SEC);
                assert_int_equal(f->records[i].id, i + 1);
        }
        /* An overrun costs the points it covers; then it goes on on the same grid. */
        plan.duration = 2500000;
        engine_advance_to(&f->engine, 103 * SEC);
        assert_int_equal(count_state(f, RUN_SKIPPED), 2);
        plan.duration = 1000;
        engine_advance_to(&f->engine, 110 * SEC);
        assert_int_equal(f->records[f->n_records - 1].scheduled, 110 * SEC - SEC);
        assert_int_equal(f->occurrences, 110);
        fixture_free(f);
}

static void test_every_skips_at_the_end_of_a_run(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);

        /* The run ends at the very instant at which the next is due: there is no overlap. */
        plan.duration = SEC;
        add(f, "j", "[Schedule]\nEvery=1s\nOverlap=queue\n");
        engine_advance_to(&f->engine, 60 * SEC);
        assert_int_equal(count_state(f, RUN_SUCCEEDED), 60);
        assert_int_equal(count_state(f, RUN_SKIPPED), 0);
        fixture_free(f);
}

static void test_after(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);

        plan.duration = 3 * SEC;
        add(f, "j", "[Schedule]\nAfter=10s\n");
        engine_advance_to(&f->engine, 45 * SEC);
        assert_int_equal(f->n_records, 4);
        for (size_t i = 0; i < 4; i++)
                assert_int_equal(f->records[i].started, i * 13 * SEC);
        assert_int_equal(count_state(f, RUN_SUCCEEDED), 4);
        fixture_free(f);
}

/* A run that takes longer than the delay: the delay still counts from its end. */
static void test_after_long_run(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        Job *job;

        plan.duration = 30 * SEC;
        job = add(f, "j", "[Schedule]\nAfter=10s\n");
        engine_advance_to(&f->engine, 5 * SEC);
        assert_true(scheduler_pause_job(f->engine.scheduler, job));
        assert_false(scheduler_pause_job(f->engine.scheduler, job));
        engine_advance_to(&f->engine, 6 * SEC);
        assert_true(scheduler_resume_job(f->engine.scheduler, job));
        assert_false(scheduler_resume_job(f->engine.scheduler, job));
        assert_int_equal(job->next_realtime, USEC_INFINITY);
        engine_advance_to(&f->engine, 75 * SEC);
        assert_int_equal(f->n_records, 2);
        assert_int_equal(f->records[1].started, 40 * SEC);
        fixture_free(f);
}

static void test_on_startup_and_at(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        Job *a = add(f, "a", "[Schedule]\nOnStartup=90s\n"), *b;

        /* 2027-01-15 08:00:00 UTC is START_REALTIME. */
        b = add(f, "b", "[Schedule]\nTimeZone=UTC\nAt=2027-01-15 08:00:30\nAt=2027-01-15 08:02:00\nAt=2027-01-15 07:00:00\n");
        engine_advance_to(&f->engine, 3600 * SEC);
        assert_int_equal(f->n_records, 3);
        assert_int_equal(record_of(f, 1)->scheduled, 30 * SEC);
        assert_string_equal(record_of(f, 2)->job, "a");
        assert_int_equal(record_of(f, 2)->scheduled, 90 * SEC);
        assert_int_equal(record_of(f, 2)->trigger, RUN_TRIGGER_STARTUP);
        assert_int_equal(record_of(f, 3)->scheduled, 120 * SEC);
        assert_string_equal(job_state_to_string(job_state(a)), "idle");
        assert_string_equal(job_state_to_string(job_state(b)), "finished");
        fixture_free(f);
}

/* The times of a schedule are one thing, events and the next start of the daemon another. */
static void test_ends(_unused_ void **state)
{
        static const struct {
                const char *schedule, *state;
        } table[] = {
                { "At=2027-01-15 07:00 UTC", "finished" },
                { "At=2027-01-15 07:00 UTC\nOn=x.failed", "idle" },
                { "Every=1s\nCount=3", "finished" },
                { "Every=1s\nCount=3\nOn=x.failed", "idle" },
                { "Every=1s\nUntil=2027-01-15 08:00:05 UTC", "finished" },
                { "Every=1s\nUntil=2027-01-15 08:00:05 UTC\nOn=x.failed", "idle" },
                { "OnStartup=5s\nAt=2027-01-15 08:00:03 UTC", "idle" },
                { "OnStartup=5s\nCount=1", "finished" },
                { "OnStartup=5s\nUntil=2027-01-15 08:00:07 UTC", "finished" },
                { "After=1s\nCount=2\nOnStartup=5s\nOn=x.failed", "idle" },
                { "On=x.failed", "idle" },
                { "", "idle" },
        };
        Fixture *f = fixture_new(NULL);
        Job *jobs[ARRAY_SIZE(table)];

        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                _cleanup_free_ char *name = xasprintf("j%zu", i), *keys = xasprintf("[Schedule]\n%s\n", table[i].schedule);

                jobs[i] = add(f, name, keys);
        }
        engine_advance_to(&f->engine, 20 * SEC);
        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                OutlookEnd end;
                JobOutlook outlook;

                assert_string_equal(job_state_to_string(job_state(jobs[i])), table[i].state);
                assert_int_equal(scheduler_job_outlook(f->engine.scheduler, jobs[i], &outlook, 1, &end), 0);
                assert_int_equal(job_outlook_is_final(jobs[i], end), streq(table[i].state, "finished"));
                assert_int_equal(jobs[i]->finished, streq(table[i].state, "finished"));
        }
        fixture_free(f);
}

/* Triggers that fall on one instant make one run, and no occurrence that "passed unseen". */
static void test_triggers_at_one_instant(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);

        add(f, "j", "[Schedule]\nEvery=10s\nAfter=5s\nOnStartup=10s\n");
        engine_advance_to(&f->engine, 10 * SEC);
        assert_int_equal(count_state(f, RUN_MISSED), 0);
        assert_int_equal(f->n_records, 3);
        assert_int_equal(f->records[1].started, 5 * SEC);
        assert_int_equal(f->records[2].started, 10 * SEC);
        fixture_free(f);
}

/* Both clocks name every instant; what AccuracySec= puts off does not come twice either. */
static void test_both_clocks_at_one_instant(_unused_ void **state)
{
        static const char *const more[] = { "", "AccuracySec=4s\n", "RandomizedDelaySec=5s\nMissed=all\n" };

        for (unsigned i = 0; i < ARRAY_SIZE(more); i++) {
                Fixture *f = fixture_new(NULL);
                _cleanup_free_ char *keys = xasprintf("[Schedule]\nEvery=10s\nOnCalendar=*:*:0/10\n%s", more[i]);

                engine_advance_to(&f->engine, 10 * SEC);
                add(f, "j", keys);
                engine_advance_to(&f->engine, 109 * SEC);
                assert_int_equal(count_state(f, RUN_MISSED), 0);
                assert_int_equal(f->n_records, 10);
                fixture_free(f);
        }
}

static void test_count(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        Job *job = add(f, "j", "[Schedule]\nEvery=1s\nCount=3\n");

        engine_advance_to(&f->engine, 20 * SEC);
        assert_int_equal(f->n_records, 3);
        assert_string_equal(job_state_to_string(job_state(job)), "finished");
        /* A job that has finished passes nothing over while it is paused. */
        assert_true(scheduler_pause_job(f->engine.scheduler, job));
        engine_advance_to(&f->engine, 30 * SEC);
        assert_true(scheduler_resume_job(f->engine.scheduler, job));
        engine_advance_to(&f->engine, 40 * SEC);
        assert_int_equal(f->n_records, 3);
        fixture_free(f);
}

static void test_held_up(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);

        add(f, "j", "[Schedule]\nEvery=1s\n");
        engine_advance_to(&f->engine, 5 * SEC);
        /* The machine sleeps: the boot clock goes on and nobody looks. */
        virtual_clock_advance(&f->engine.clock, 1000 * SEC + 300000);
        engine_advance_to(&f->engine, 1010 * SEC);
        assert_int_equal(count_state(f, RUN_MISSED), 1);
        assert_int_equal(f->occurrences, 1011);
        assert_int_equal(f->records[6].occurrences, 999);
        assert_int_equal(f->records[7].scheduled, 1005 * SEC);
        assert_int_equal(f->records[7].started, 1005 * SEC + 300000);
        fixture_free(f);
}

static void test_disabled(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        Job *job = add(f, "j", "Enabled=no\n[Schedule]\nEvery=1s\n");
        JobSpec *spec;

        engine_advance_to(&f->engine, 10 * SEC);
        assert_int_equal(f->n_records, 0);
        assert_string_equal(job_state_to_string(job_state(job)), "disabled");
        assert_true(scheduler_pause_job(f->engine.scheduler, job));
        engine_advance_to(&f->engine, 20 * SEC);
        assert_true(scheduler_resume_job(f->engine.scheduler, job));
        assert_int_equal(f->n_records, 0);
        engine_run(&f->engine, job);
        assert_int_equal(f->n_records, 1);

        /* What passed while it was off was never due. */
        engine_advance_to(&f->engine, 100 * SEC + 500000);
        spec = make_fake_spec("j", "[Job]\nType=sleep\n[Schedule]\nEvery=1s\n");
        scheduler_change_job(f->engine.scheduler, job, spec);
        job_spec_unref(spec);
        assert_int_equal(f->n_records, 1);
        engine_advance_to(&f->engine, 103 * SEC);
        assert_int_equal(count_state(f, RUN_MISSED), 0);
        assert_int_equal(f->n_records, 4);
        assert_int_equal(f->records[1].scheduled, 100 * SEC + 500000);
        fixture_free(f);
}

static void test_pause_accounts(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        Job *job = add(f, "j", "[Schedule]\nEvery=1s\n");

        engine_advance_to(&f->engine, 10 * SEC);
        assert_true(scheduler_pause_job(f->engine.scheduler, job));
        assert_string_equal(job_state_to_string(job_state(job)), "paused");
        engine_advance_to(&f->engine, 100 * SEC + 500000);
        assert_int_equal(f->occurrences, 11);
        assert_true(scheduler_resume_job(f->engine.scheduler, job));
        assert_int_equal(f->occurrences, 101);
        assert_ended(f, 12, RUN_SKIPPED, "paused");
        assert_int_equal(record_of(f, 12)->occurrences, 90);
        engine_advance_to(&f->engine, 103 * SEC);
        assert_int_equal(f->occurrences, 104);
        fixture_free(f);
}

/* --- overlap --- */

static void test_overlap_skip(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);

        plan.duration = 2500000;
        add(f, "j", "[Schedule]\nEvery=1s\n");
        engine_advance_to(&f->engine, 29 * SEC + 999999);
        assert_int_equal(count_state(f, RUN_SKIPPED), 20);
        assert_int_equal(f->n_started, 10);
        assert_ended(f, 2, RUN_SKIPPED, "overlap");
        fixture_free(f);
}

static void test_overlap_queue(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        Job *job = add(f, "j", "[Schedule]\nOverlap=queue\nMaxQueued=3\n");

        plan.duration = 10 * SEC;
        for (unsigned i = 0; i < 6; i++)
                engine_run(&f->engine, job);
        assert_int_equal(scheduler_n_running(f->engine.scheduler), 1);
        assert_int_equal(scheduler_n_queued(f->engine.scheduler), 3);
        assert_int_equal(count_state(f, RUN_SKIPPED), 2);
        engine_advance_to(&f->engine, 100 * SEC);
        for (uint64_t id = 1; id <= 4; id++) {
                assert_ended(f, id, RUN_SUCCEEDED, "");
                assert_int_equal(record_of(f, id)->started, (id - 1) * 10 * SEC);
        }
        assert_int_equal(fake_most, 1);
        fixture_free(f);
}

static void test_overlap_replace(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        Job *job = add(f, "j", "[Schedule]\nOverlap=replace\n");

        plan = (FakePlan){ .duration = 10 * SEC, .cancel_delay = SEC };
        engine_run(&f->engine, job);
        engine_advance_to(&f->engine, 2 * SEC);
        engine_run(&f->engine, job);
        engine_run(&f->engine, job);
        engine_run(&f->engine, job);
        assert_int_equal(scheduler_n_queued(f->engine.scheduler), 1);
        engine_advance_to(&f->engine, 20 * SEC);
        assert_ended(f, 1, RUN_CANCELLED, "replaced");
        assert_ended(f, 2, RUN_CANCELLED, "replaced");
        assert_ended(f, 3, RUN_CANCELLED, "replaced");
        assert_ended(f, 4, RUN_SUCCEEDED, "");
        assert_int_equal(record_of(f, 4)->started, 3 * SEC);
        assert_int_equal(fake_most, 1);

        /* The same where a run ends at once when it is asked to. */
        plan.cancel_delay = 0;
        engine_run(&f->engine, job);
        engine_run(&f->engine, job);
        engine_advance_to(&f->engine, 40 * SEC);
        assert_ended(f, 5, RUN_CANCELLED, "replaced");
        assert_ended(f, 6, RUN_SUCCEEDED, "");
        fixture_free(f);
}

/* A run of an earlier life has a greater id than those after it, and is the older one all the same. */
static void test_replaced_by_a_smaller_id(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        Job *job = add(f, "j", "[Schedule]\nOverlap=replace\n");

        plan = (FakePlan){ .duration = 10 * SEC };
        assert_ok(scheduler_run(f->engine.scheduler, job, &(RunRequest){ .id = 100, .trigger = RUN_TRIGGER_MANUAL }, NULL));
        engine_run(&f->engine, job);
        engine_advance_to(&f->engine, 20 * SEC);
        assert_ended(f, 100, RUN_CANCELLED, "replaced");
        assert_ended(f, 1, RUN_SUCCEEDED, "");
        fixture_free(f);
}

typedef struct Asker {
        EventObserver observer;
        Engine *engine;
        Job *job;
        unsigned n_asked;
} Asker;

static void ask_again(EventObserver *observer, _unused_ const Event *event)
{
        Asker *asker = container_of(observer, Asker, observer);

        if (asker->n_asked == 10)
                return;
        asker->n_asked++;
        engine_run(asker->engine, asker->job);
}

/* Who is told of a run that is replaced asks for one more, which replaces the one that did so. */
static void test_asked_for_while_others_are_replaced(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        Asker asker = {
                .observer = { .notify = ask_again, .types = EVENT_BIT(EVENT_CANCELLED) }, .engine = &f->engine,
                .job = add(f, "j", "[Schedule]\nOverlap=replace\n"),
        };

        plan = (FakePlan){ .duration = 10 * SEC };
        engine_run(&f->engine, asker.job);
        event_bus_subscribe(&f->engine.events, &asker.observer);
        engine_run(&f->engine, asker.job);
        assert_int_equal(asker.n_asked, 10);
        event_bus_unsubscribe(&asker.observer);
        engine_advance_to(&f->engine, 20 * SEC);
        for (uint64_t id = 1; id <= 11; id++)
                assert_ended(f, id, RUN_CANCELLED, "replaced");
        assert_ended(f, 12, RUN_SUCCEEDED, "");
        fixture_free(f);
}

static void test_overlap_parallel(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        Job *job = add(f, "j", "[Schedule]\nOverlap=parallel\nMaxParallel=3\n");

        plan.duration = 10 * SEC;
        for (unsigned i = 0; i < 5; i++)
                engine_run(&f->engine, job);
        assert_int_equal(scheduler_n_running(f->engine.scheduler), 3);
        assert_int_equal(count_state(f, RUN_SKIPPED), 2);
        engine_advance_to(&f->engine, 11 * SEC);
        assert_int_equal(count_state(f, RUN_SUCCEEDED), 3);
        fixture_free(f);
}

static void test_max_runs_is_fifo(_unused_ void **state)
{
        Fixture *f = fixture_new(&(SchedulerLimits){ .max_runs = 2, .max_queued = 50 });
        Job *jobs[60];

        plan.duration = SEC;
        for (unsigned i = 0; i < ARRAY_SIZE(jobs); i++) {
                _cleanup_free_ char *name = xasprintf("j%02u", i);

                jobs[i] = add(f, name, "");
                engine_run(&f->engine, jobs[i]);
        }
        assert_int_equal(scheduler_n_running(f->engine.scheduler), 2);
        assert_int_equal(scheduler_n_queued(f->engine.scheduler), 50);
        assert_int_equal(count_state(f, RUN_SKIPPED), 8);
        assert_ended(f, 60, RUN_SKIPPED, "too-many-runs");
        engine_advance_to(&f->engine, 100 * SEC);
        assert_int_equal(fake_most, 2);
        for (uint64_t id = 1; id <= 52; id++)
                assert_int_equal(record_of(f, id)->started, (id - 1) / 2 * SEC);

        /* More places: what waits moves up at once. */
        for (unsigned i = 0; i < 10; i++)
                engine_run(&f->engine, jobs[i]);
        scheduler_set_limits(f->engine.scheduler, &(SchedulerLimits){ .max_runs = 10 });
        engine_advance_to(&f->engine, engine_now(&f->engine));
        assert_int_equal(scheduler_n_running(f->engine.scheduler), 10);
        fixture_free(f);
}

/* Thousands that end within their own start() don't nest. */
static void test_many_at_once(_unused_ void **state)
{
        Fixture *f = fixture_new(&(SchedulerLimits){ .max_runs = 1 });
        Job *blocker = add(f, "blocker", ""), *job = add(f, "j", "[Schedule]\nOverlap=queue\nMaxQueued=1000000\n");

        plan.duration = SEC;
        engine_run(&f->engine, blocker);
        plan.duration = 0;
        for (unsigned i = 0; i < 50000; i++)
                engine_run(&f->engine, job);
        assert_int_equal(scheduler_n_queued(f->engine.scheduler), 50000);
        engine_advance_to(&f->engine, 2 * SEC);
        assert_int_equal(scheduler_n_queued(f->engine.scheduler), 0);
        assert_int_equal(scheduler_statistics(f->engine.scheduler)->by_state[RUN_SUCCEEDED], 50001);
        fixture_free(f);
}

/* --- timeouts and retries --- */

static void test_timeout(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        Job *job = add(f, "j", "TimeoutSec=2s\n");
        uint64_t id;

        plan = (FakePlan){ .duration = 10 * SEC, .cancel_delay = SEC };
        id = engine_run(&f->engine, job);
        engine_advance_to(&f->engine, 2500000);
        /* It is on its way out; what somebody else asks for changes nothing. */
        scheduler_cancel(f->engine.scheduler, scheduler_find_run(f->engine.scheduler, id));
        engine_advance_to(&f->engine, 10 * SEC);
        assert_ended(f, id, RUN_TIMEOUT, "timeout");
        assert_int_equal(record_of(f, id)->finished, 3 * SEC);

        /* One that ends well in spite of it has ended well. */
        plan.ignores_cancel = true;
        id = engine_run(&f->engine, job);
        engine_advance_to(&f->engine, 20 * SEC);
        assert_ended(f, id, RUN_SUCCEEDED, "");
        fixture_free(f);
}

static void test_retries(_unused_ void **state)
{
        Fixture *f = fixture_new(&(SchedulerLimits){ .seed = 42 });
        Job *job = add(f, "j", "Retries=6\nRetryDelaySec=1s\nRetryMaxDelaySec=10s\n");
        static const usec_t bases[] = { SEC, 2 * SEC, 4 * SEC, 8 * SEC, 10 * SEC, 10 * SEC };
        uint64_t id;

        plan = (FakePlan){ .duration = 1, .failures = 7 };
        id = engine_run(&f->engine, job);
        engine_advance_to(&f->engine, 100 * SEC);
        assert_ended(f, id, RUN_FAILED, "fake");
        assert_int_equal(record_of(f, id)->attempts, 7);
        assert_int_equal(f->n_retries, 6);
        for (size_t i = 0; i < 6; i++) {
                usec_t next = i < 5 ? f->retry_at[i + 1] - 1 : record_of(f, id)->finished - 1, delay = next - f->retry_at[i];

                assert_in_range(delay, bases[i] / 2, bases[i]);
        }

        plan.failures = 2;
        id = engine_run(&f->engine, job);
        engine_advance_to(&f->engine, 200 * SEC);
        assert_ended(f, id, RUN_SUCCEEDED, "");
        assert_int_equal(record_of(f, id)->attempts, 3);
        fixture_free(f);
}

/* A retry that finds no place waits in front of what never ran, and is still one run. */
static void test_retry_waits_for_a_place(_unused_ void **state)
{
        Fixture *f = fixture_new(&(SchedulerLimits){ .max_runs = 1 });
        Job *a = add(f, "a", "Retries=1\nRetryDelaySec=1s\n"), *b = add(f, "b", ""), *c = add(f, "c", "");

        plan = (FakePlan){ .duration = 1, .failures = 1 };
        engine_run(&f->engine, a);
        engine_advance_to(&f->engine, 100);
        plan.duration = 5 * SEC;
        engine_run(&f->engine, b);
        engine_run(&f->engine, c);
        assert_int_equal(scheduler_n_queued(f->engine.scheduler), 1);
        engine_advance_to(&f->engine, 2 * SEC);
        assert_int_equal(scheduler_n_queued(f->engine.scheduler), 2);
        assert_int_equal(scheduler_n_running(f->engine.scheduler), 1);
        engine_advance_to(&f->engine, 30 * SEC);
        assert_ended(f, 1, RUN_SUCCEEDED, "");
        assert_int_equal(record_of(f, 1)->attempts, 2);
        assert_true(record_of(f, 1)->finished < record_of(f, 3)->finished);
        fixture_free(f);
}

/* --- cancel, change, remove --- */

static void test_cancel_in_each_state(_unused_ void **state)
{
        Fixture *f = fixture_new(&(SchedulerLimits){ .max_runs = 1 });
        Job *a = add(f, "a", "Retries=3\nRetryDelaySec=60s\nRetryMaxDelaySec=60s\n[Schedule]\nOverlap=queue\n"), *b = add(f, "b", "");
        uint64_t running, waiting_in_job, waiting_for_place, retrying;

        plan = (FakePlan){ .duration = 10 * SEC };
        running = engine_run(&f->engine, a);
        waiting_in_job = engine_run(&f->engine, a);
        waiting_for_place = engine_run(&f->engine, b);
        scheduler_cancel(f->engine.scheduler, scheduler_find_run(f->engine.scheduler, waiting_in_job));
        scheduler_cancel(f->engine.scheduler, scheduler_find_run(f->engine.scheduler, waiting_for_place));
        assert_ended(f, waiting_in_job, RUN_CANCELLED, "cancelled");
        assert_ended(f, waiting_for_place, RUN_CANCELLED, "cancelled");
        scheduler_cancel(f->engine.scheduler, scheduler_find_run(f->engine.scheduler, running));
        assert_ended(f, running, RUN_CANCELLED, "cancelled");
        assert_int_equal(record_of(f, running)->attempts, 1);

        plan.failures = 1;
        plan.duration = 1;
        retrying = engine_run(&f->engine, a);
        engine_advance_to(&f->engine, 2 * SEC);
        assert_int_equal(scheduler_find_run(f->engine.scheduler, retrying)->state, RUN_RETRYING);
        scheduler_cancel(f->engine.scheduler, scheduler_find_run(f->engine.scheduler, retrying));
        assert_ended(f, retrying, RUN_CANCELLED, "cancelled");
        assert_null(scheduler_find_run(f->engine.scheduler, retrying));

        /* All of that left places free and nothing behind. */
        assert_int_equal(scheduler_n_running(f->engine.scheduler), 0);
        engine_run(&f->engine, b);
        engine_advance_to(&f->engine, 3 * SEC);
        assert_int_equal(count_state(f, RUN_SUCCEEDED), 1);
        fixture_free(f);
}

static void test_change_keeps_phase(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        Job *job = add(f, "j", "[Schedule]\nEvery=10s\n");
        JobSpec *spec;

        plan.duration = 15 * SEC;
        engine_advance_to(&f->engine, 13 * SEC);
        /* Other words, the same schedule: the grid and the run under way stay. */
        spec = make_fake_spec("j", "[Job]\nType=sleep\nDescription=new\n[Schedule]\nEvery=10s\n");
        scheduler_change_job(f->engine.scheduler, job, spec);
        job_spec_unref(spec);
        assert_int_equal(f->n_records, 1);
        engine_advance_to(&f->engine, 21 * SEC);
        assert_ended(f, 1, RUN_SUCCEEDED, "");
        assert_int_equal(record_of(f, 1)->started, 0);
        assert_int_equal(scheduler_n_running(f->engine.scheduler), 1);

        /* Another schedule begins where it is put in force. */
        plan.duration = 1;
        spec = make_fake_spec("j", "[Job]\nType=sleep\n[Schedule]\nEvery=7s\n");
        scheduler_change_job(f->engine.scheduler, job, spec);
        job_spec_unref(spec);
        engine_advance_to(&f->engine, 43 * SEC);
        assert_int_equal(f->records[f->n_records - 1].scheduled, 42 * SEC);
        fixture_free(f);
}

static void test_remove_with_runs(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        Job *job = add(f, "j", "[Schedule]\nEvery=10s\nOverlap=queue\n"), *again;

        plan.duration = 60 * SEC;
        engine_advance_to(&f->engine, 35 * SEC);
        assert_int_equal(scheduler_n_queued(f->engine.scheduler), 3);
        scheduler_remove_job(f->engine.scheduler, job);
        assert_ptr_equal(scheduler_find_job(f->engine.scheduler, "j"), job);
        assert_int_equal(job_state(job), JOB_REMOVED);
        assert_int_equal(scheduler_n_jobs(f->engine.scheduler), 0);
        assert_int_equal(scheduler_n_jobs_in(f->engine.scheduler, JOB_REMOVED), 1);
        assert_int_equal(scheduler_find_or_make_job(f->engine.scheduler, "j", &again), -ENOENT);
        assert_false(scheduler_pause_job(f->engine.scheduler, job));
        assert_int_equal(f->n_events[EVENT_REMOVED], 1);
        /* What waited never begins; what is under way goes on. */
        assert_int_equal(scheduler_n_queued(f->engine.scheduler), 0);
        assert_int_equal(scheduler_n_running(f->engine.scheduler), 1);
        assert_ended(f, 2, RUN_CANCELLED, "removed");

        /* Nothing new starts of it, and it goes with its last run. */
        engine_advance_to(&f->engine, 70 * SEC);
        assert_ended(f, 1, RUN_SUCCEEDED, "");
        assert_null(scheduler_find_job(f->engine.scheduler, "j"));
        assert_int_equal(scheduler_n_jobs_in(f->engine.scheduler, JOB_REMOVED), 0);
        assert_int_equal(f->n_records, 4);
        assert_int_equal(engine_run(&f->engine, add(f, "j", "")), 5);
        fixture_free(f);
}

/* The file is taken away and put back while a run is under way: all runs of the name count. */
static void test_remove_and_put_back(_unused_ void **state)
{
        static const char *const overlaps[] = { "skip", "queue", "replace" };
        static const RunState ends[] = { RUN_SUCCEEDED, RUN_SUCCEEDED, RUN_CANCELLED };

        for (size_t i = 0; i < ARRAY_SIZE(overlaps); i++) {
                Fixture *f = fixture_new(NULL);
                _cleanup_free_ char *keys = xasprintf("[Schedule]\nOverlap=%s\n", overlaps[i]);
                Job *job = add(f, "j", keys);

                plan.duration = 60 * SEC;
                (void)engine_run(&f->engine, job);
                for (unsigned n = 0; n < 3; n++) {
                        scheduler_remove_job(f->engine.scheduler, scheduler_find_job(f->engine.scheduler, "j"));
                        job = add(f, "j", keys);
                }
                (void)engine_run(&f->engine, job);
                assert_true(fake_under_way <= 1);
                engine_advance_to(&f->engine, 200 * SEC);
                assert_int_equal(fake_most, 1);
                assert_ended(f, 1, ends[i], i == 2 ? "replaced" : "");
                assert_ended(f, 2, i == 0 ? RUN_SKIPPED : RUN_SUCCEEDED, i == 0 ? "overlap" : "");
                fixture_free(f);
        }
}

/* What counts from the end of a run waits for the one that is under way. */
static void test_put_back_after(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        Job *job;

        plan.duration = 60 * SEC;
        job = add(f, "j", "[Schedule]\nAfter=10s\n");
        engine_advance_to(&f->engine, 5 * SEC);
        scheduler_remove_job(f->engine.scheduler, job);
        add(f, "j", "[Schedule]\nAfter=10s\n");
        engine_advance_to(&f->engine, 69 * SEC);
        assert_int_equal(f->n_started, 1);
        engine_advance_to(&f->engine, 71 * SEC);
        assert_int_equal(f->n_started, 2);
        assert_int_equal(f->n_records, 1);
        fixture_free(f);
}

/* A job that is gone retries nothing: neither what is under way, nor what waits for its next attempt. */
static void test_remove_ends_retries(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        Job *waits = add(f, "w", "Retries=1000\nRetryDelaySec=100s\n"), *runs;

        plan.failures = 1000;
        (void)engine_run(&f->engine, waits);
        engine_advance_to(&f->engine, 10 * SEC);
        plan.duration = 5 * SEC;
        runs = add(f, "r", "Retries=1000\n");
        (void)engine_run(&f->engine, runs);
        scheduler_remove_job(f->engine.scheduler, waits);
        scheduler_remove_job(f->engine.scheduler, runs);
        assert_ended(f, 1, RUN_CANCELLED, "removed");
        assert_null(scheduler_find_job(f->engine.scheduler, "w"));
        assert_non_null(scheduler_find_job(f->engine.scheduler, "r"));
        engine_advance_to(&f->engine, 20 * SEC);
        assert_ended(f, 2, RUN_FAILED, "fake");
        assert_null(scheduler_find_job(f->engine.scheduler, "r"));
        fixture_free(f);
}

/* Instances that are made on demand follow their template, and count as runs of their name. */
static void test_remove_template(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        Job *template = add(f, "t@", "[Schedule]\nOverlap=skip\n"), *job, *again;
        const JobSpec *old = template->spec;

        plan.duration = 60 * SEC;
        assert_ok(scheduler_find_or_make_job(f->engine.scheduler, "t@x", &job));
        (void)engine_run(&f->engine, job);
        scheduler_remove_job(f->engine.scheduler, template);
        assert_int_equal(scheduler_find_or_make_job(f->engine.scheduler, "t@x", &again), -ENOENT);
        template = add(f, "t@", "[Schedule]\nOverlap=queue\n");
        assert_ok(scheduler_find_or_make_job(f->engine.scheduler, "t@x", &again));
        assert_ptr_equal(again, job);
        assert_ptr_equal(job->spec, template->spec);
        assert_ptr_equal(scheduler_find_run(f->engine.scheduler, 1)->spec, old);
        (void)engine_run(&f->engine, job);
        engine_advance_to(&f->engine, 200 * SEC);
        assert_int_equal(fake_most, 1);
        assert_ended(f, 2, RUN_SUCCEEDED, "");
        assert_null(scheduler_find_job(f->engine.scheduler, "t@x"));
        fixture_free(f);
}

/* A cancel that comes while an attempt that timed out takes its time to end: it is the last attempt. */
static void test_cancel_after_timeout(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        Job *often = add(f, "j", "Retries=500\nTimeoutSec=1s\n"), *once = add(f, "k", "TimeoutSec=1s\n");
        uint64_t ids[2];

        plan.duration = 60 * SEC;
        plan.cancel_delay = 2 * SEC;
        ids[0] = engine_run(&f->engine, often);
        ids[1] = engine_run(&f->engine, once);
        engine_advance_to(&f->engine, 2 * SEC);
        for (size_t i = 0; i < 2; i++)
                scheduler_cancel(f->engine.scheduler, scheduler_find_run(f->engine.scheduler, ids[i]));
        engine_advance_to(&f->engine, 100 * SEC);
        assert_ended(f, ids[0], RUN_CANCELLED, "cancelled");
        assert_int_equal(record_of(f, ids[0])->attempts, 1);
        /* Where there was none to come, the timeout stands. */
        assert_ended(f, ids[1], RUN_TIMEOUT, "timeout");
        fixture_free(f);
}

/* Runs of an instance made on demand that wait go with its template; each may take the record of the job with it. */
static void test_remove_waiting_instance(_unused_ void **state)
{
        static const char *const overlaps[] = { "queue", "parallel" };

        for (size_t i = 0; i < ARRAY_SIZE(overlaps); i++) {
                Fixture *f = fixture_new(NULL);
                _cleanup_free_ char *keys = xasprintf("Retries=9\nRetryDelaySec=100s\n[Schedule]\nOverlap=%s\n", overlaps[i]);
                Job *template = add(f, "t@", keys), *job;

                assert_ok(scheduler_find_or_make_job(f->engine.scheduler, "t@x", &job));
                plan.failures = 10;
                for (unsigned n = 0; n < 4; n++)
                        (void)engine_run(&f->engine, job);
                scheduler_remove_job(f->engine.scheduler, template);
                assert_null(scheduler_find_template(f->engine.scheduler, "t@x"));
                scheduler_remove_job(f->engine.scheduler, job);
                assert_null(scheduler_find_job(f->engine.scheduler, "t@x"));
                assert_int_equal(count_state(f, RUN_CANCELLED), 4);
                engine_check(&f->engine);
                fixture_free(f);
        }
}

static void set_resources(Fixture *f, const char *text)
{
        _cleanup_(config_report_deinit) ConfigReport report = CONFIG_REPORT_NULL;
        ResourceSet set = {};
        char path[] = "/tmp/takt-test-XXXXXX";
        int fd = mkstemp(path);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        close(fd);
        assert_ok(resource_set_load(path, &report, &set));
        (void)unlink(path);
        assert_ok(scheduler_set_resources(f->engine.scheduler, &set));
        resource_set_deinit(&set);
}

/*
 * The end of one run hands on what it held to the next, which fails by that: whoever walks over them notices.
 */
static void test_remove_with_resource(_unused_ void **state)
{
        static const char *const overlaps[] = { "queue", "parallel" };

        for (size_t i = 0; i < ARRAY_SIZE(overlaps); i++) {
                Fixture *f = fixture_new(NULL);
                _cleanup_free_ char *keys = xasprintf("Use=a\nUse=b\nRetries=9\nRetryDelaySec=100s\n[Schedule]\nOverlap=%s\n",
                                                      overlaps[i]);
                Job *job;

                set_resources(f, "[Resource:a]\n[Resource:b]\n");
                job = add(f, "j", keys);
                plan.failures = 10;
                for (unsigned n = 0; n < 4; n++)
                        (void)engine_run(&f->engine, job);
                set_resources(f, "[Resource:a]\n");
                scheduler_remove_job(f->engine.scheduler, job);
                assert_null(scheduler_find_job(f->engine.scheduler, "j"));
                assert_int_equal(f->n_records, 4);
                engine_check(&f->engine);
                fixture_free(f);
        }
}

/* An instance made on demand has no schedule that could have missed anything in a pause. */
static void test_pause_on_demand(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        Job *job;

        add(f, "t@", "[Schedule]\nEvery=1s\nMissed=all\nOverlap=parallel\n");
        assert_ok(scheduler_find_or_make_job(f->engine.scheduler, "t@x", &job));
        plan.duration = 10 * SEC;
        (void)engine_run(&f->engine, job);
        assert_true(scheduler_pause_job(f->engine.scheduler, job));
        engine_advance_to(&f->engine, 5 * SEC);
        assert_true(scheduler_resume_job(f->engine.scheduler, job));
        engine_advance_to(&f->engine, 60 * SEC);
        assert_null(scheduler_find_job(f->engine.scheduler, "t@x"));
        assert_int_equal(f->n_records, 1);
        engine_check(&f->engine);
        fixture_free(f);
}

static void test_shutdown(_unused_ void **state)
{
        Fixture *f = fixture_new(&(SchedulerLimits){ .max_runs = 3 });
        Job *a = add(f, "a", "[Schedule]\nOverlap=queue\n"), *b = add(f, "b", "Retries=9\n[Schedule]\nOverlap=parallel\n");
        Job *c = add(f, "c", "[Schedule]\nEvery=1s\n");
        uint64_t late;

        plan = (FakePlan){ .duration = 100 * SEC, .cancel_delay = 5 * SEC };
        engine_run(&f->engine, a);
        engine_run(&f->engine, a);
        for (unsigned i = 0; i < 5; i++)
                engine_run(&f->engine, b);
        engine_advance_to(&f->engine, 3 * SEC + 1);
        scheduler_shutdown(f->engine.scheduler, on_shut_down, f);
        assert_false(f->shut_down);
        assert_int_equal(scheduler_n_queued(f->engine.scheduler), 0);
        assert_int_equal(scheduler_n_running(f->engine.scheduler), 3);
        late = engine_run(&f->engine, c);
        assert_ended(f, late, RUN_CANCELLED, "shutdown");
        engine_advance_to(&f->engine, 8 * SEC);
        assert_false(f->shut_down);
        assert_int_equal(scheduler_n_running(f->engine.scheduler), 3);
        engine_advance_to(&f->engine, 9 * SEC);
        assert_true(f->shut_down);
        /* No schedule was in force any more. */
        assert_int_equal(f->occurrences, 4);
        fixture_free(f);
}

/* What does not end when it is asked to is given up, and nothing is left of it. */
static void test_abandon(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        Job *job = add(f, "j", "TimeoutSec=1h\nRetries=3\n[Schedule]\nOverlap=queue\n"), *other = add(f, "k", "[Schedule]\nEvery=1s\n");
        uint64_t id;

        plan = (FakePlan){ .duration = 100 * SEC, .cancel_delay = 7 * SEC };
        id = engine_run(&f->engine, job);
        engine_run(&f->engine, job);
        engine_advance_to(&f->engine, SEC);
        scheduler_shutdown(f->engine.scheduler, on_shut_down, f);
        engine_advance_to(&f->engine, 3 * SEC);
        assert_false(f->shut_down);
        f->shut_down = true;
        scheduler_abandon(f->engine.scheduler);
        assert_ended(f, id, RUN_CANCELLED, "shutdown");
        assert_null(scheduler_next_run(f->engine.scheduler, NULL));
        assert_string_equal(other->name, "k");
        fixture_free(f);
}

/* --- kinds --- */

static void test_blink(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        static const struct {
                const char *keys;
                unsigned flashes;
                usec_t duration;
        } cases[] = {
                { "Message=Hello\nDuration=5s\nRate=2\n", 10, 5 * SEC },
                { "Duration=1s\nRate=3\n", 3, SEC },
                { "Duration=1s\nRate=7\nDuty=0\n", 7, SEC },
                { "Duration=1s\nRate=7\nDuty=1\n", 7, SEC },
                { "Duration=100ms\nRate=1000\nDuty=0.1\n", 100, 100000 },
                { "Duration=5s\nRate=0.1\n", 1, 5 * SEC },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_free_ char *text = xasprintf("[Job]\nType=blink\n[Blink]\n%s", cases[i].keys);
                Job *job = add_kind(f, "b", text, false);
                unsigned before = f->n_events[EVENT_PROGRESS];
                uint64_t id = engine_run(&f->engine, job);

                engine_advance_to(&f->engine, engine_now(&f->engine) + 10 * SEC);
                assert_ended(f, id, RUN_SUCCEEDED, "");
                assert_int_equal(f->n_events[EVENT_PROGRESS] - before, cases[i].flashes);
                assert_int_equal(record_of(f, id)->finished - record_of(f, id)->started, cases[i].duration);
                scheduler_remove_job(f->engine.scheduler, job);
        }
        fixture_free(f);
}

/* A loop that is held up drops no flash and no step. */
static void test_late_steps(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        Job *blink = add_kind(f, "b", "[Job]\nType=blink\n[Blink]\nDuration=5s\nRate=2\n", false);
        Job *count = add_kind(f, "c", "[Job]\nType=countdown\n[Countdown]\nFrom=8\nStep=500ms\n", false);
        uint64_t a = engine_run(&f->engine, blink), b = engine_run(&f->engine, count);

        engine_advance_to(&f->engine, SEC);
        virtual_clock_advance(&f->engine.clock, 2 * SEC);
        engine_advance_to(&f->engine, 10 * SEC);
        assert_ended(f, a, RUN_SUCCEEDED, "");
        assert_ended(f, b, RUN_SUCCEEDED, "");
        assert_int_equal(f->n_events[EVENT_PROGRESS], 10 + 8);
        assert_int_equal(record_of(f, a)->finished, 5 * SEC);
        assert_int_equal(record_of(f, b)->finished, 4 * SEC);
        fixture_free(f);
}

static void test_kinds_cancelled(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        Job *jobs[] = {
                add_kind(f, "b", "[Job]\nType=blink\n", false),
                add_kind(f, "c", "[Job]\nType=countdown\n[Countdown]\nName=x\n", false),
                add_kind(f, "s", "[Job]\nType=sleep\n", false),
        };

        for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
                uint64_t id = engine_run(&f->engine, jobs[i]);

                engine_advance_to(&f->engine, engine_now(&f->engine) + 300000);
                scheduler_cancel(f->engine.scheduler, scheduler_find_run(f->engine.scheduler, id));
                assert_ended(f, id, RUN_CANCELLED, "cancelled");
        }
        fixture_free(f);
}

/* --- whatever happens, every occurrence is accounted for --- */

#define STORM_JOBS 24U
#define STORM_SPAN (6 * 3600 * SEC)

static const char *const storm_overlaps[] = { "skip", "queue", "replace", "parallel" };

static Job *storm_job(Fixture *f, unsigned i, unsigned *random, usec_t *ret_period)
{
        _cleanup_free_ char *name = xasprintf("j%02u", i), *keys = NULL;
        usec_t period = (1 + draw(random, 9000)) * 10000;

        keys = xasprintf("Retries=%u\nRetryDelaySec=100ms\nRetryMaxDelaySec=2s\nTimeoutSec=%u\n[Schedule]\nEvery=%" PRIu64 "us\n"
                         "Overlap=%s\nMaxParallel=%u\nMaxQueued=%u\n",
                         draw(random, 3), 1 + draw(random, 4), period, storm_overlaps[draw(random, 4)], draw(random, 4), 1 + draw(random, 5));
        *ret_period = period;
        return add(f, name, keys);
}

static void storm_step(Fixture *f, Job *jobs[], unsigned *random)
{
        Job *job = jobs[draw(random, STORM_JOBS)];
        Run *run;

        switch (draw(random, 8)) {
        case 0:
                (void)scheduler_pause_job(f->engine.scheduler, job);
                break;
        case 1:
        case 2:
                (void)scheduler_resume_job(f->engine.scheduler, job);
                break;
        case 3:
                engine_run(&f->engine, job);
                break;
        case 4:
                run = scheduler_next_run(f->engine.scheduler, NULL);
                if (run)
                        scheduler_cancel(f->engine.scheduler, run);
                break;
        case 5:
                /* The machine sleeps. */
                virtual_clock_advance(&f->engine.clock, draw(random, 60) * SEC + draw(random, 1000000));
                break;
        case 6:
                plan.cancel_delay = draw(random, 3) * 500000;
                plan.ignores_cancel = draw(random, 4) == 0;
                break;
        default:
                scheduler_set_limits(f->engine.scheduler, &(SchedulerLimits){ .max_runs = 1 + draw(random, 12), .max_queued = 1 + draw(random, 20) });
        }
}

static void storm(unsigned seed)
{
        Fixture *f = fixture_new(&(SchedulerLimits){ .max_runs = 8, .max_queued = 10, .seed = seed });
        usec_t periods[STORM_JOBS];
        Job *jobs[STORM_JOBS];
        unsigned random = seed;
        uint64_t expected = 0;

        plan.random = seed | 1;
        for (unsigned i = 0; i < STORM_JOBS; i++)
                jobs[i] = storm_job(f, i, &random, &periods[i]);
        while (engine_now(&f->engine) < STORM_SPAN) {
                engine_advance_to(&f->engine, engine_now(&f->engine) + draw(&random, 60) * SEC);
                storm_step(f, jobs, &random);
        }
        engine_advance_to(&f->engine, engine_now(&f->engine));
        for (unsigned i = 0; i < STORM_JOBS; i++) {
                (void)scheduler_resume_job(f->engine.scheduler, jobs[i]);
                expected += engine_now(&f->engine) / periods[i] + 1;
        }
        scheduler_shutdown(f->engine.scheduler, on_shut_down, f);
        engine_advance_to(&f->engine, engine_now(&f->engine) + 60 * SEC);
        assert_true(f->shut_down);
        assert_int_equal(f->occurrences, expected);
        fixture_free(f);
}

static void test_storm(_unused_ void **state)
{
        for (unsigned seed = 1; seed <= 4; seed++)
                storm(seed * 7919);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                RUN(test_every_never_drifts),   RUN(test_every_skips_at_the_end_of_a_run),
                RUN(test_after),                RUN(test_after_long_run),
                RUN(test_on_startup_and_at), RUN(test_ends),    RUN(test_triggers_at_one_instant),
                RUN(test_both_clocks_at_one_instant),
                RUN(test_count),                RUN(test_held_up),
                RUN(test_disabled),             RUN(test_pause_accounts),
                RUN(test_overlap_skip),         RUN(test_overlap_queue),
                RUN(test_overlap_replace),      RUN(test_overlap_parallel),
                RUN(test_replaced_by_a_smaller_id),
                RUN(test_asked_for_while_others_are_replaced),
                RUN(test_max_runs_is_fifo),     RUN(test_many_at_once),
                RUN(test_timeout),              RUN(test_retries),
                RUN(test_retry_waits_for_a_place), RUN(test_cancel_in_each_state),
                RUN(test_change_keeps_phase),   RUN(test_remove_with_runs),
                RUN(test_remove_and_put_back),  RUN(test_put_back_after),
                RUN(test_remove_ends_retries),  RUN(test_remove_template),
                RUN(test_cancel_after_timeout), RUN(test_remove_waiting_instance),
                RUN(test_remove_with_resource), RUN(test_pause_on_demand),
                RUN(test_shutdown),             RUN(test_abandon),
                RUN(test_blink),
                RUN(test_late_steps),           RUN(test_kinds_cancelled),
                RUN(test_storm),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
