/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Missed, caught up, put off, come to an end: the real scheduler on a virtual clock that jumps. */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/string-util.h"
#include "kinds/kinds.h"
#include "sched/catch-up.h"
#include "sched/internal.h"
#include "sched/keep.h"
#include "sched/missed.h"
#include "sched/outlook.h"
#include "sched/spread.h"
#include "store/schedule-times.h"
#include "engine.h"

#define MIN_ USEC_PER_MINUTE
#define RECORDS_MAX 4096U

typedef struct Record {
        char job[32];
        RunState state;
        RunTrigger trigger;
        usec_t scheduled, started, lateness; /* times since the start of the test */
        bool is_late_known;
        usec_t jitter, slack;
        uint64_t n; /* occurrences */
        usec_t first;
        char error[16];
        bool more;
} Record;

typedef struct Fixture {
        Engine engine;
        Record records[RECORDS_MAX];
        size_t n;
        uint64_t occurrences;
        unsigned n_finished;
        char finished[128];
        usec_t duration;
        StampStore *stamps;
        char directory[32]; /* of the stamps */
} Fixture;

static Fixture *fixture;

static usec_t since_start(usec_t realtime)
{
        return usec_sub(realtime, START_REALTIME);
}

static void read_details(Record *r, const char *details)
{
        JsonDoc *doc;

        assert_non_null(details);
        assert_ok(json_parse(details, strlen(details), NULL, &doc, NULL));
        r->n = (uint64_t)json_get(json_root(doc), "occurrences")->integer;
        r->more = json_get(json_root(doc), "more")->boolean;
        json_doc_free(doc);
}

static void on_event(EventObserver *observer, const Event *event)
{
        Fixture *f = container_of(observer, Fixture, engine.observer);
        const Run *run = event->run;
        RunRecord record;
        Record *r;

        if (event->type == EVENT_FINISHED) {
                f->n_finished++;
                (void)snprintf(f->finished, sizeof(f->finished), "%s", event->message);
        }
        if (!run || event->type == EVENT_PROGRESS || !run_state_is_final(run->state))
                return;
        assert_true(f->n < RECORDS_MAX);
        run_get_record(run, &record);
        r = &f->records[f->n++];
        *r = (Record){
                .state = run->state,
                .trigger = run->trigger,
                .scheduled = since_start(run->scheduled_realtime),
                .started = run->started_realtime > 0 ? since_start(run->started_realtime) : 0,
                .lateness = run_lateness(run),
                .is_late_known = record.lateness != USEC_INFINITY,
                .jitter = run->extra->jitter,
                .slack = run->extra->slack,
                .n = 1,
        };
        (void)snprintf(r->job, sizeof(r->job), "%s", event->job);
        (void)snprintf(r->error, sizeof(r->error), "%s", run->extra->error_kind ?: "");
        if (run->state == RUN_MISSED || (run->state == RUN_SKIPPED && streq(r->error, "paused")))
                read_details(r, run->extra->details);
        if (run->trigger != RUN_TRIGGER_MANUAL)
                f->occurrences += r->n;
}

/* --- a kind that takes as long as the fixture says --- */

typedef struct FakeRun {
        Timer timer;
} FakeRun;

static void on_fake_timer(Timer *timer, _unused_ usec_t now)
{
        run_succeed(run_from_state(container_of(timer, FakeRun, timer)), strdup("1"), 1);
}

static void fake_start(Run *run)
{
        FakeRun *fake = run_state(run);

        fake->timer.callback = on_fake_timer;
        if (fixture->duration == 0)
                run_succeed(run, strdup("1"), 1);
        else
                assert_ok(timer_arm_after(run->services->timers, &fake->timer, fixture->duration));
}

static void fake_cancel(Run *run)
{
        run_fail(run, "fake", "cancelled");
}

static void fake_reset(Run *run)
{
        FakeRun *fake = run_state(run);

        timer_disarm(run->services->timers, &fake->timer);
}

static JobKind fake_kind;

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
        fixture = f;
        return f;
}

/* Nobody looks until T: the machine sleeps. */
static void sleep_to(Fixture *f, usec_t t)
{
        virtual_clock_advance(&f->engine.clock, t - engine_now(&f->engine));
}

static void set_clock(Fixture *f, usec_t realtime)
{
        f->engine.clock.now_realtime = realtime;
        scheduler_wall_clock_changed(f->engine.scheduler);
}

static void fixture_free(Fixture *f)
{
        scheduler_abandon(f->engine.scheduler);
        engine_deinit(&f->engine);
        free(f);
}

static JobSpec *make_fake_spec(const char *name, const char *schedule)
{
        _cleanup_free_ char *text = xasprintf("[Job]\nType=sleep\n[Schedule]\n%s", schedule);
        JobSpec *spec;

        assert_non_null(text);
        spec = make_spec(name, text);
        spec->kind = &fake_kind;
        return spec;
}

static Job *add(Fixture *f, const char *name, const char *schedule)
{
        return engine_add(&f->engine, make_fake_spec(name, schedule));
}

static void assert_record(const Fixture *f, size_t i, RunState state, RunTrigger trigger, usec_t scheduled, uint64_t n)
{
        const Record *r = &f->records[i];

        assert_true(i < f->n);
        assert_string_equal(run_state_to_string(r->state), run_state_to_string(state));
        assert_string_equal(run_trigger_to_string(r->trigger), run_trigger_to_string(trigger));
        assert_int_equal(r->scheduled, scheduled);
        assert_int_equal(r->n, n);
}

/* --- a daemon that is stopped and started --- */

static const uint8_t this_boot[16] = { 1 }, next_boot[16] = { 2 };

static void open_stamps(Fixture *f, const uint8_t boot[static 16])
{
        assert_ok(schedule_times_open(f->directory, boot, &f->stamps));
        f->engine.services.stamps = f->stamps;
}

static Fixture *fixture_new_kept(void)
{
        Fixture *f = fixture_new(NULL);

        (void)snprintf(f->directory, sizeof(f->directory), "/tmp/takt-test-XXXXXX");
        assert_non_null(mkdtemp(f->directory));
        open_stamps(f, this_boot);
        stamp_store_settle(f->stamps);
        return f;
}

/* Ends the scheduler, with or without its having time for it; what follows is another process. */
static void stop(Fixture *f, bool clean)
{
        if (clean)
                scheduler_shutdown(f->engine.scheduler, NULL, NULL);
        else
                /* What a SIGKILL leaves is in the file; what this process does from here on is not. */
                f->stamps = stamp_store_free(f->stamps);
        f->engine.services.stamps = f->stamps;
        for (Job *job = NULL; !clean && (job = scheduler_next_job(f->engine.scheduler, job));)
                job->stamp = NULL;
        scheduler_abandon(f->engine.scheduler);
        f->engine.scheduler = scheduler_free(f->engine.scheduler);
        f->stamps = stamp_store_free(f->stamps);
        f->n = 0;
        f->n_finished = 0;
}

/* Jobs are added before begin(). */
static void start(Fixture *f, const uint8_t boot[static 16])
{
        open_stamps(f, boot);
        engine_start_scheduler(&f->engine, NULL);
}

static void fixture_free_kept(Fixture *f)
{
        _cleanup_free_ char *path = path_join(f->directory, "schedule-times");
        StampStore *stamps = f->stamps;

        (void)unlink(path);
        (void)rmdir(f->directory);
        fixture_free(f);
        stamp_store_free(stamps);
}

/* --- late and missed --- */

static void test_late_within_grace(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);

        add(f, "j", "TimeZone=UTC\nOnCalendar=*-*-* *:10:00\n");
        sleep_to(f, 10 * MIN_ + MISSED_GRACE);
        engine_advance_to(&f->engine, 11 * MIN_);
        assert_record(f, 0, RUN_SUCCEEDED, RUN_TRIGGER_SCHEDULE, 10 * MIN_, 1);
        assert_int_equal(f->records[0].lateness, MISSED_GRACE);
        /* An hour later, but for two milliseconds more than that and AccuracySec=. */
        sleep_to(f, 71 * MIN_ + 2 * USEC_PER_MSEC);
        engine_advance_to(&f->engine, 72 * MIN_);
        assert_record(f, 1, RUN_MISSED, RUN_TRIGGER_SCHEDULE, 70 * MIN_, 1);
        assert_string_equal(f->records[1].error, "late");
        engine_advance_to(&f->engine, 131 * MIN_);
        assert_int_equal(f->n, 3);
        assert_record(f, 2, RUN_SUCCEEDED, RUN_TRIGGER_SCHEDULE, 130 * MIN_, 1);
        fixture_free(f);
}

/* Of a grid of milliseconds a day is missed: one record, to the last occurrence. */
static void test_missed_is_one_record(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);

        add(f, "j", "Every=1ms\n");
        engine_advance_to(&f->engine, 9 * USEC_PER_MSEC);
        assert_int_equal(f->n, 10);
        sleep_to(f, USEC_PER_DAY);
        engine_advance_to(&f->engine, USEC_PER_DAY);
        assert_int_equal(f->n, 12);
        assert_record(f, 10, RUN_MISSED, RUN_TRIGGER_SCHEDULE, USEC_PER_DAY - USEC_PER_MSEC, 86400000 - 10);
        assert_record(f, 11, RUN_SUCCEEDED, RUN_TRIGGER_SCHEDULE, USEC_PER_DAY, 1);
        assert_int_equal(f->occurrences, 86400001);
        fixture_free(f);
}

static void test_missed_latest(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);

        add(f, "j", "Every=1h\nMissed=latest\n");
        add(f, "young", "Every=1h\nMissed=latest\nMissedWindowSec=10min\n");
        engine_advance_to(&f->engine, 1);
        sleep_to(f, 5 * USEC_PER_HOUR + 30 * MIN_);
        engine_advance_to(&f->engine, 5 * USEC_PER_HOUR + 31 * MIN_);
        assert_int_equal(f->n, 5);
        assert_record(f, 2, RUN_MISSED, RUN_TRIGGER_SCHEDULE, 4 * USEC_PER_HOUR, 4);
        assert_record(f, 3, RUN_MISSED, RUN_TRIGGER_SCHEDULE, 5 * USEC_PER_HOUR, 5);
        assert_string_equal(f->records[3].job, "young");
        assert_record(f, 4, RUN_SUCCEEDED, RUN_TRIGGER_CATCH_UP, 5 * USEC_PER_HOUR, 1);
        assert_int_equal(f->records[4].lateness, 30 * MIN_);
        engine_advance_to(&f->engine, 6 * USEC_PER_HOUR);
        assert_record(f, 5, RUN_SUCCEEDED, RUN_TRIGGER_SCHEDULE, 6 * USEC_PER_HOUR, 1);
        assert_int_equal(f->occurrences, 14);
        fixture_free(f);
}

/* One after the other, whatever Overlap=skip would say, and the one that is just late by itself. */
static void test_missed_all(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);

        f->duration = 5 * SEC;
        add(f, "j", "TimeZone=UTC\nCron=*/10 * * * *\nMissed=all\nMissedWindowSec=45min\n");
        sleep_to(f, 2 * USEC_PER_HOUR);
        engine_advance_to(&f->engine, 2 * USEC_PER_HOUR + 9 * MIN_);
        assert_int_equal(f->n, 6);
        assert_record(f, 0, RUN_MISSED, RUN_TRIGGER_SCHEDULE, 70 * MIN_, 7);
        assert_record(f, 1, RUN_SUCCEEDED, RUN_TRIGGER_SCHEDULE, 120 * MIN_, 1);
        for (size_t i = 0; i < 4; i++) {
                assert_record(f, 2 + i, RUN_SUCCEEDED, RUN_TRIGGER_CATCH_UP, (80 + 10 * i) * MIN_, 1);
                assert_true(f->records[2 + i].started >= f->records[1 + i].started + 5 * SEC);
        }
        assert_int_equal(f->occurrences, 12);
        fixture_free(f);
}

static void test_missed_all_is_limited(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        usec_t end = 10000 * SEC + 500000;

        add(f, "j", "TimeZone=UTC\nOnCalendar=*:*:*\nMissed=all\n");
        add(f, "k", "TimeZone=UTC\nOnCalendar=*:*:*\nMissed=all\nCount=4\n");
        sleep_to(f, end);
        engine_advance_to(&f->engine, end);
        /* The latest is just late. */
        assert_record(f, 0, RUN_MISSED, RUN_TRIGGER_SCHEDULE, 9899 * SEC, 9899);
        assert_record(f, 1, RUN_SUCCEEDED, RUN_TRIGGER_SCHEDULE, 10000 * SEC, 1);
        assert_record(f, 2, RUN_MISSED, RUN_TRIGGER_SCHEDULE, 9996 * SEC, 9996);
        engine_advance_to(&f->engine, end + 3 * SEC);
        assert_int_equal(f->occurrences, 20003);
        assert_int_equal(f->n_finished, 1);
        assert_string_equal(f->finished, "never due again: it has had as many runs as Count= allows");
        /* Beyond what is counted one by one. */
        f->n = 0;
        sleep_to(f, 40000 * SEC);
        engine_advance_to(&f->engine, 40000 * SEC);
        assert_int_equal(f->records[0].n, MISSED_COUNTED_MAX);
        assert_true(f->records[0].more);
        fixture_free(f);
}

/* Thousands of jobs wake together: what they catch up on is paced. */
static void test_catch_up_is_paced(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        usec_t wake = USEC_PER_DAY - USEC_PER_HOUR;
        char name[16];

        for (unsigned i = 0; i < 300; i++) {
                (void)snprintf(name, sizeof(name), "j%03u", i);
                add(f, name, "TimeZone=UTC\nOnCalendar=20:00\nMissed=latest\n");
        }
        sleep_to(f, wake);
        engine_advance_to(&f->engine, wake + 10 * MIN_);
        assert_int_equal(f->n, 300);
        for (unsigned i = 0; i < 300; i++) {
                assert_record(f, i, RUN_SUCCEEDED, RUN_TRIGGER_CATCH_UP, 12 * USEC_PER_HOUR, 1);
                assert_int_equal(f->records[i].started, wake + i * CATCH_UP_INTERVAL);
        }
        fixture_free(f);
}

/* A job that has no time before it, but some to catch up on, has not ended. */
static void test_catch_up_is_told(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        Job *job = add(f, "j", "At=2027-01-15 09:00 UTC\nAt=2027-01-15 10:00 UTC\nMissed=all\nRandomizedDelaySec=1h\n");
        usec_t turn;

        assert_int_equal(scheduler_n_catch_ups(job, &turn), 0);
        sleep_to(f, 12 * USEC_PER_HOUR);
        engine_advance_to(&f->engine, 12 * USEC_PER_HOUR + 1);
        assert_int_equal(scheduler_n_catch_ups(job, &turn), 2);
        assert_string_equal(job_state_to_string(job_state(job)), "waiting");
        assert_in_range(since_start(turn), 12 * USEC_PER_HOUR, 13 * USEC_PER_HOUR);
        engine_advance_to(&f->engine, 15 * USEC_PER_HOUR);
        assert_int_equal(scheduler_n_catch_ups(job, &turn), 0);
        assert_int_equal(turn, 0);
        assert_string_equal(job_state_to_string(job_state(job)), "finished");
        fixture_free(f);
}

/* A second sleep while there is still something to catch up on. */
static void test_catch_up_again(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        uint64_t caught = 0;

        add(f, "j", "Every=10min\nMissed=all\n");
        engine_advance_to(&f->engine, 1);
        f->duration = 3 * MIN_;
        sleep_to(f, 605 * MIN_);
        engine_advance_to(&f->engine, 615 * MIN_);
        sleep_to(f, 1505 * MIN_);
        engine_advance_to(&f->engine, 3004 * MIN_);
        for (size_t i = 0; i < f->n; i++)
                caught += f->records[i].trigger == RUN_TRIGGER_CATCH_UP;
        assert_true(caught >= CATCH_UP_MAX);
        assert_true(caught < 120);
        assert_int_equal(f->occurrences, 301);
        fixture_free(f);
}

static void test_catch_up_is_dropped(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        Job *a, *b;

        a = add(f, "a", "Every=10min\nMissed=all\n");
        b = add(f, "b", "Every=10min\nMissed=all\n");
        add(f, "c", "Every=10min\nMissed=all\n");
        engine_advance_to(&f->engine, 1);
        f->duration = MIN_;
        sleep_to(f, 45 * MIN_);
        engine_advance_to(&f->engine, 45 * MIN_ + SEC);
        assert_int_equal(f->n, 3);
        assert_true(scheduler_pause_job(f->engine.scheduler, a));
        assert_record(f, 3, RUN_SKIPPED, RUN_TRIGGER_SCHEDULE, 40 * MIN_, 3);
        scheduler_remove_job(f->engine.scheduler, b);
        assert_record(f, 4, RUN_MISSED, RUN_TRIGGER_SCHEDULE, 40 * MIN_, 3);
        scheduler_shutdown(f->engine.scheduler, NULL, NULL);
        assert_record(f, 5, RUN_MISSED, RUN_TRIGGER_SCHEDULE, 40 * MIN_, 3);
        assert_string_equal(f->records[5].error, "stopped");
        assert_int_equal(f->occurrences, 15);
        fixture_free(f);
}

/* Delays are late, not missed; and none of them is lost for good. */
static void test_delays_are_caught_up(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        Job *job = add(f, "a", "After=1h\n");

        add(f, "s", "OnStartup=1h\n");
        sleep_to(f, 8 * USEC_PER_HOUR);
        engine_advance_to(&f->engine, 8 * USEC_PER_HOUR + MIN_);
        assert_int_equal(f->n, 2);
        assert_record(f, 0, RUN_SUCCEEDED, RUN_TRIGGER_CATCH_UP, 0, 1);
        assert_record(f, 1, RUN_SUCCEEDED, RUN_TRIGGER_CATCH_UP, USEC_PER_HOUR, 1);
        engine_advance_to(&f->engine, 9 * USEC_PER_HOUR);
        assert_record(f, 2, RUN_SUCCEEDED, RUN_TRIGGER_SCHEDULE, 9 * USEC_PER_HOUR, 1);
        sleep_to(f, 20 * USEC_PER_HOUR);
        engine_advance_to(&f->engine, 20 * USEC_PER_HOUR);
        assert_record(f, 3, RUN_SUCCEEDED, RUN_TRIGGER_CATCH_UP, 10 * USEC_PER_HOUR, 1);
        /* Paused before its turn in the pace of all, it counts from then. */
        sleep_to(f, 30 * USEC_PER_HOUR);
        (void)timer_queue_dispatch(f->engine.timers, f->engine.clock.now_boottime, 0);
        assert_true(scheduler_pause_job(f->engine.scheduler, job));
        assert_record(f, 4, RUN_SKIPPED, RUN_TRIGGER_SCHEDULE, 21 * USEC_PER_HOUR, 1);
        engine_advance_to(&f->engine, 31 * USEC_PER_HOUR);
        assert_true(scheduler_resume_job(f->engine.scheduler, job));
        assert_record(f, 5, RUN_SKIPPED, RUN_TRIGGER_SCHEDULE, 31 * USEC_PER_HOUR, 1);
        engine_advance_to(&f->engine, 32 * USEC_PER_HOUR);
        assert_record(f, 6, RUN_SUCCEEDED, RUN_TRIGGER_SCHEDULE, 32 * USEC_PER_HOUR, 1);
        fixture_free(f);
}

static void test_resume_makes_up(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        Job *job = add(f, "j", "Every=10min\nMissed=latest\n");

        engine_advance_to(&f->engine, 1);
        assert_true(scheduler_pause_job(f->engine.scheduler, job));
        engine_advance_to(&f->engine, 30 * MIN_ + SEC);
        assert_true(scheduler_resume_job(f->engine.scheduler, job));
        engine_advance_to(&f->engine, 39 * MIN_);
        assert_int_equal(f->n, 3);
        assert_record(f, 1, RUN_SKIPPED, RUN_TRIGGER_SCHEDULE, 20 * MIN_, 2);
        assert_record(f, 2, RUN_SUCCEEDED, RUN_TRIGGER_CATCH_UP, 30 * MIN_, 1);
        fixture_free(f);
}

/* --- spread --- */

static void test_jitter(_unused_ void **state)
{
        Fixture *f = fixture_new(&(SchedulerLimits){ .seed = 7 });
        usec_t least = USEC_INFINITY, most = 0;

        /* Longer than the period: no run is overtaken. */
        add(f, "j", "Every=10s\nRandomizedDelaySec=1min\n");
        engine_advance_to(&f->engine, 9999 * SEC);
        assert_true(f->n >= 999);
        for (size_t i = 0; i < f->n; i++) {
                assert_record(f, i, RUN_SUCCEEDED, RUN_TRIGGER_SCHEDULE, i * 10 * SEC, 1);
                /* It is late by no more than what nobody wanted. */
                assert_int_equal(f->records[i].lateness, 0);
                assert_int_equal(f->records[i].started, i * 10 * SEC + f->records[i].jitter);
                least = MIN(least, f->records[i].jitter);
                most = MAX(most, f->records[i].jitter);
        }
        assert_true(least < SEC && most > 9 * SEC && most < 10 * SEC);
        assert_int_equal(scheduler_statistics(f->engine.scheduler)->max_lateness, 0);
        fixture_free(f);
}

static void fixed_jitter(uint64_t key, usec_t ret[static 20])
{
        Fixture *f = fixture_new(&(SchedulerLimits){ .seed = key + 1, .machine_key = { { key, 1 } } });

        for (unsigned i = 0; i < 10; i++)
                add(f, (char[]){ (char)('a' + i), '\0' }, "TimeZone=UTC\nOnCalendar=hourly\nRandomizedDelaySec=10min\nFixedRandomDelay=yes\n");
        engine_advance_to(&f->engine, 2 * USEC_PER_HOUR + 30 * MIN_);
        assert_int_equal(f->n, 20);
        for (size_t i = 0; i < f->n; i++)
                ret[(f->records[i].scheduled / USEC_PER_HOUR - 1) * 10 + (size_t)(f->records[i].job[0] - 'a')] = f->records[i].jitter;
        fixture_free(f);
}

static void test_fixed_jitter(_unused_ void **state)
{
        usec_t here[20], again[20], elsewhere[20];

        fixed_jitter(1, here);
        fixed_jitter(1, again);
        fixed_jitter(2, elsewhere);
        assert_memory_equal(here, again, sizeof(here));
        assert_memory_equal(here, here + 10, sizeof(here) / 2);
        assert_memory_not_equal(here, elsewhere, sizeof(here));
        for (size_t i = 1; i < 10; i++)
                assert_true(here[i] != here[0] && here[i] <= 10 * MIN_);
}

/* What is said of the next times of a job is what becomes of them, or the range in which they come. */
static void check_outlook(const char *keys, bool decided)
{
        Fixture *f = fixture_new(&(SchedulerLimits){ .seed = 7, .machine_key = { { 3, 1 } } });
        Job *job;
        JobOutlook outlook[8];
        OutlookEnd end;

        engine_advance_to(&f->engine, 12345678);
        job = add(f, "j", keys);
        engine_advance_to(&f->engine, engine_now(&f->engine) + 1);
        f->n = 0;
        assert_int_equal(scheduler_job_outlook(f->engine.scheduler, job, outlook, ARRAY_SIZE(outlook), &end), ARRAY_SIZE(outlook));
        /* The one that is armed for is known. */
        assert_true(outlook[0].decided);
        assert_int_equal(job_outlook_earliest(&outlook[0]), job_next_begin_realtime(job));
        engine_pass(&f->engine, USEC_PER_DAY);
        for (size_t i = 0; i < ARRAY_SIZE(outlook); i++) {
                usec_t started = f->records[i].started + START_REALTIME;

                assert_true(outlook[i].decided == (decided || i == 0));
                assert_int_equal(f->records[i].scheduled + START_REALTIME, outlook[i].time.occurrence.scheduled_realtime);
                assert_in_range(started, job_outlook_earliest(&outlook[i]), job_outlook_latest(&outlook[i]));
                assert_int_equal(f->records[i].lateness, 0);
                /* It never reaches the next one. */
                if (i + 1 < ARRAY_SIZE(outlook))
                        assert_true(job_outlook_latest(&outlook[i]) < outlook[i + 1].time.occurrence.scheduled_realtime);
        }
        fixture_free(f);
}

static void test_outlook_of_delays(_unused_ void **state)
{
        check_outlook("Every=1min\n", true);
        check_outlook("Every=1min\nRandomizedDelaySec=30s\n", false);
        check_outlook("Every=1min\nRandomizedDelaySec=1h\nAccuracySec=10s\n", false);
        check_outlook("Every=1min\nRandomizedDelaySec=30s\nFixedRandomDelay=yes\n", true);
        check_outlook("Every=1min\nRandomizedDelaySec=1h\nFixedRandomDelay=yes\n", true);
        check_outlook("TimeZone=UTC\nOnCalendar=*:0/15\nOnCalendar=*:1\nRandomizedDelaySec=5min\nFixedRandomDelay=yes\nAccuracySec=1min\n", true);
        check_outlook("TimeZone=UTC\nOnCalendar=*:0/15\nAccuracySec=10min\n", true);
}

/*
 * The two clocks are read one after the other: what an interval's time is on the wall clock differs by some
 * microseconds each time. That is no other occurrence: what was drawn for it is shown, and kept where it is
 * computed anew.
 */
static void check_drawn_is_kept(const char *keys)
{
        Fixture *f = fixture_new(&(SchedulerLimits){ .seed = 7 });
        Job *job = add(f, "j", keys);
        usec_t jitter, begin;
        JobOutlook outlook;
        OutlookEnd end;

        engine_pass(&f->engine, 1);
        jitter = job->next_jitter;
        begin = job_next_begin_realtime(job);
        for (int i = 0; i < 3; i++) {
                f->engine.clock.now_realtime += i == 1 ? -5 : 3;
                assert_int_equal(scheduler_job_outlook(f->engine.scheduler, job, &outlook, 1, &end), 1);
                assert_true(outlook.decided);
                assert_int_equal(outlook.jitter, jitter);
                assert_int_equal(job_outlook_earliest(&outlook), begin);
        }
        scheduler_wall_clock_changed(f->engine.scheduler);
        assert_int_equal(job->next_jitter, jitter);
        fixture_free(f);
}

static void test_drawn_is_kept(_unused_ void **state)
{
        check_drawn_is_kept("Every=1h\nRandomizedDelaySec=30min\n");
        check_drawn_is_kept("Every=1h\nRandomizedDelaySec=30min\nAccuracySec=1min\n");
        check_drawn_is_kept("Every=1h\nExclude=*-*-* 09:*\nTimeZone=UTC\nRandomizedDelaySec=30min\n");
        check_drawn_is_kept("OnStartup=1h\nRandomizedDelaySec=30min\n");
        check_drawn_is_kept("After=1h\nRandomizedDelaySec=30min\n");
        check_drawn_is_kept("TimeZone=UTC\nOnCalendar=hourly\nRandomizedDelaySec=30min\n");
}

/* Between its scheduled time and the one that it is put off to, a job waits for what is to come, and not for what is past. */
static void test_next_is_put_off(_unused_ void **state)
{
        Fixture *f = fixture_new(&(SchedulerLimits){ .seed = 7 });
        Job *job = add(f, "j", "TimeZone=UTC\nOnCalendar=hourly\nRandomizedDelaySec=30min\n");
        usec_t begin = job_next_begin_realtime(job);

        assert_int_equal(since_start(job->next_realtime), USEC_PER_HOUR);
        assert_in_range(since_start(begin), USEC_PER_HOUR + 1, 90 * MIN_);
        assert_int_equal(begin, job->next_realtime + job->next_jitter);
        engine_advance_to(&f->engine, USEC_PER_HOUR + 1);
        assert_int_equal(f->n, 0);
        assert_int_equal(job_next_begin_realtime(job), begin);
        engine_advance_to(&f->engine, since_start(begin));
        assert_int_equal(f->n, 1);
        assert_int_equal(f->records[0].lateness, 0);
        scheduler_pause_job(f->engine.scheduler, job);
        assert_int_equal(job_next_begin_realtime(job), USEC_INFINITY);
        fixture_free(f);
}

/* What goes on with the next daemon is no later by that, and of what is lost nobody knows how far it was put off. */
static void test_lateness_after_restart(_unused_ void **state)
{
        Fixture *f = fixture_new(&(SchedulerLimits){ .seed = 7 });
        Job *job = add(f, "j", "TimeZone=UTC\nOnCalendar=hourly\nRandomizedDelaySec=30min\n"), *plain = add(f, "k", "");
        const RunRequest request = { .scheduled_realtime = START_REALTIME + USEC_PER_HOUR };
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        RunNote note;
        Run *run;

        f->duration = USEC_PER_HOUR;
        engine_advance_to(&f->engine, 90 * MIN_);
        run = scheduler_next_run(f->engine.scheduler, NULL);
        assert_non_null(run);
        assert_true(run->extra->jitter > 0);
        assert_ok(run_note_write(run, &text));
        assert_ok(run_note_parse(text.data, &note));
        assert_int_equal(note.started_boottime, note.due_boottime);
        for (unsigned i = 0; i < 2; i++)
                assert_ok(scheduler_end_left(f->engine.scheduler, i == 0 ? job : plain, &request,
                                             &(LeftRun){
                                                     .id = 100 + i,
                                                     .started_realtime = START_REALTIME + 65 * MIN_,
                                                     .attempts = 1,
                                                     .state = RUN_LOST,
                                                     .kind = "lost",
                                                     .message = "lost",
                                             }));
        assert_int_equal(f->n, 2);
        assert_false(f->records[0].is_late_known);
        assert_true(f->records[1].is_late_known);
        assert_int_equal(f->records[1].lateness, 5 * MIN_);
        fixture_free(f);
}

static void test_slack(_unused_ void **state)
{
        assert_int_equal(spread_slack(0, SEC), 0);
        assert_int_equal(spread_slack(5 * SEC + 1, SEC), SEC - 1);
        assert_int_equal(spread_slack(5 * SEC + 1, 10 * SEC), 5 * SEC - 1);
        assert_int_equal(spread_slack(5 * SEC + 1, MIN_), MIN_ - 5 * SEC - 1);
        assert_int_equal(spread_slack(5 * SEC + 1, 100), 0);
        assert_int_equal(spread_slack(USEC_PER_DAY + 1, USEC_INFINITY), USEC_PER_DAY - 1);
}

/* A thousand jobs of a minute, loaded at any time: the machine wakes at most once a second. */
static void test_coalescing(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        char name[16];

        for (unsigned i = 0; i < 500; i++) {
                (void)snprintf(name, sizeof(name), "j%u", i);
                engine_advance_to(&f->engine, i * 119993);
                add(f, name, "Every=1min\nAccuracySec=1s\n");
        }
        f->n = 0;
        f->engine.n_wakes = 0;
        engine_advance_to(&f->engine, 2 * MIN_);
        assert_true(f->engine.n_wakes <= 121);
        for (size_t i = 0; i < f->n; i++) {
                assert_true(f->records[i].slack <= SEC);
                assert_int_equal(f->records[i].lateness, 0);
        }
        /* As far as it may, but not beyond the next one. */
        add(f, "k", "Every=100ms\nAccuracySec=1min\n");
        f->n = 0;
        engine_advance_to(&f->engine, 3 * MIN_);
        for (size_t i = 0; i < f->n; i++)
                assert_int_equal(f->records[i].state, RUN_SUCCEEDED);
        fixture_free(f);
}

/* --- clocks --- */

/* The clock shows 2099 by mistake, and is set right: nothing is stuck, nothing storms, what has not run has its time. */
static void test_wrong_century(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        const usec_t wrong = UINT64_C(4086000000) * SEC;

        add(f, "minute", "TimeZone=UTC\nCron=* * * * *\n");
        add(f, "at", "TimeZone=UTC\nAt=2027-01-15 09:30:00\n");
        add(f, "until", "TimeZone=UTC\nOnCalendar=*:0/15\nUntil=2030-01-01\n");
        engine_advance_to(&f->engine, 10 * MIN_);
        set_clock(f, wrong);
        engine_advance_to(&f->engine, 12 * MIN_);
        assert_int_equal(f->n_finished, 2);
        assert_true(f->n < 20);
        set_clock(f, START_REALTIME + 12 * MIN_);
        f->n = 0;
        engine_advance_to(&f->engine, 120 * MIN_);
        assert_int_equal(f->n, 108 + 1 + 8);
        for (size_t i = 0; i < f->n; i++)
                assert_int_equal(f->records[i].state, RUN_SUCCEEDED);
        fixture_free(f);
}

static void test_step_forward(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);

        add(f, "j", "TimeZone=UTC\nOnCalendar=hourly\n");
        add(f, "k", "TimeZone=UTC\nOnCalendar=hourly\nMissed=latest\n");
        add(f, "every", "Every=1h\n");
        engine_advance_to(&f->engine, MIN_);
        set_clock(f, START_REALTIME + 150 * MIN_);
        engine_advance_to(&f->engine, 2 * MIN_);
        assert_int_equal(f->n, 4);
        assert_record(f, 1, RUN_MISSED, RUN_TRIGGER_SCHEDULE, 120 * MIN_, 2);
        assert_string_equal(f->records[1].error, "clock-set");
        assert_record(f, 2, RUN_MISSED, RUN_TRIGGER_SCHEDULE, 60 * MIN_, 1);
        assert_record(f, 3, RUN_SUCCEEDED, RUN_TRIGGER_CATCH_UP, 120 * MIN_, 1);
        fixture_free(f);
}

/* A board without a battery boots in 1970 and is set right: nothing between was due. */
static void test_clock_not_set(_unused_ void **state)
{
        Fixture *f = fixture_new_kept();

        add(f, "j", "TimeZone=UTC\nOnCalendar=hourly\n");
        add(f, "all", "TimeZone=UTC\nOnCalendar=hourly\nMissed=all\n");
        engine_advance_to(&f->engine, 65 * MIN_);
        stop(f, false);
        virtual_clock_init(&f->engine.clock, SEC, 5 * SEC);
        start(f, next_boot);
        add(f, "j", "TimeZone=UTC\nOnCalendar=hourly\n");
        add(f, "all", "TimeZone=UTC\nOnCalendar=hourly\nMissed=all\n");
        add(f, "new", "TimeZone=UTC\nOnCalendar=hourly\n");
        scheduler_begin(f->engine.scheduler);
        virtual_clock_advance(&f->engine.clock, USEC_PER_HOUR);
        (void)timer_queue_dispatch(f->engine.timers, f->engine.clock.now_boottime, 0);
        assert_int_equal(f->n, 3);
        f->n = 0;
        set_clock(f, START_REALTIME + 5 * USEC_PER_HOUR + 30 * MIN_);
        for (unsigned i = 0; i < 100; i++) {
                (void)timer_queue_dispatch(f->engine.timers, f->engine.clock.now_boottime, 0);
                virtual_clock_advance(&f->engine.clock, CATCH_UP_INTERVAL);
        }
        assert_int_equal(f->n, 5);
        assert_record(f, 0, RUN_MISSED, RUN_TRIGGER_SCHEDULE, 5 * USEC_PER_HOUR, 4);
        assert_string_equal(f->records[0].error, "stopped");
        for (unsigned i = 0; i < 4; i++)
                assert_record(f, 1 + i, RUN_SUCCEEDED, RUN_TRIGGER_CATCH_UP, (2 + i) * USEC_PER_HOUR, 1);
        fixture_free_kept(f);
}

/* A board boots in 1970; what waits for its random delay when the clock is set right for the first time runs, once. */
static void test_put_off_when_first_set(_unused_ void **state)
{
        Fixture *f = fixture_new_kept();
        const char *daily = "TimeZone=UTC\nOnCalendar=01:00\nRandomizedDelaySec=30min\nFixedRandomDelay=yes\n";
        Job *job;

        stop(f, true);
        virtual_clock_init(&f->engine.clock, SEC, 5 * SEC);
        start(f, next_boot);
        job = add(f, "daily", daily);
        scheduler_begin(f->engine.scheduler);
        virtual_clock_advance(&f->engine.clock, job->next_boottime + 1 - f->engine.clock.now_boottime);
        assert_int_equal(f->n, 0);
        assert_true(job->next_jitter > 0);
        set_clock(f, START_REALTIME);
        (void)timer_queue_dispatch(f->engine.timers, f->engine.clock.now_boottime, 0);
        assert_int_equal(f->n, 1);
        assert_int_equal(f->records[0].state, RUN_SUCCEEDED);
        assert_int_equal(f->records[0].trigger, RUN_TRIGGER_SCHEDULE);
        assert_int_equal(since_start(job->next_realtime), 17 * USEC_PER_HOUR);
        fixture_free_kept(f);
}

/* An occurrence that is computed anew keeps its random delay, but not one that its new definition does not have. */
static void test_delay_is_of_the_definition(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        Job *job = add(f, "j", "TimeZone=UTC\nOnCalendar=*:30\nRandomizedDelaySec=29min\n");
        JobSpec *same = make_fake_spec("j", "TimeZone=UTC\nOnCalendar=*:30\nRandomizedDelaySec=29min\nMissed=all\n"),
                *exact = make_fake_spec("j", "TimeZone=UTC\nOnCalendar=*:30\nAccuracySec=10s\n");
        usec_t jitter = job->next_jitter;

        assert_true(jitter > 10 * SEC);
        scheduler_change_job(f->engine.scheduler, job, same);
        assert_int_equal(job->next_jitter, jitter);
        scheduler_change_job(f->engine.scheduler, job, exact);
        assert_int_equal(job->next_jitter, 0);
        assert_true(job->timer.due_boottime - job->next_boottime <= 10 * SEC);
        job_spec_unref(same);
        job_spec_unref(exact);
        fixture_free(f);
}

/* A schedule that is changed while the clock is wrong begins then: what the old one had is none of its times. */
static void test_changed_before_clock_is_set(_unused_ void **state)
{
        Fixture *f = fixture_new_kept();
        Job *job = add(f, "j", "TimeZone=UTC\nOnCalendar=*:0/10\nMissed=all\n");
        JobSpec *spec = make_fake_spec("j", "TimeZone=UTC\nOnCalendar=*:0/7\nMissed=all\n");

        engine_advance_to(&f->engine, 15 * MIN_);
        assert_int_equal(f->n, 1);
        f->n = 0;
        set_clock(f, UINT64_C(1000000000) * SEC);
        scheduler_change_job(f->engine.scheduler, job, spec);
        job_spec_unref(spec);
        set_clock(f, START_REALTIME + 2 * USEC_PER_HOUR);
        engine_advance_to(&f->engine, 16 * MIN_);
        assert_int_equal(f->n, 0);
        assert_int_equal(since_start(job->next_realtime), 2 * USEC_PER_HOUR + 7 * MIN_);
        fixture_free_kept(f);
}

/* What was due before the boot, and is put off behind it, is not settled when the clock is set or the job paused. */
static void test_put_off_from_before_the_boot(_unused_ void **state)
{
        static const char schedule[] = "TimeZone=UTC\nOnCalendar=*:30\nRandomizedDelaySec=25min\nFixedRandomDelay=yes\n";
        Fixture *f = fixture_new_kept();
        Job *job;

        add(f, "j", schedule);
        engine_advance_to(&f->engine, 20 * MIN_);
        stop(f, true);
        virtual_clock_init(&f->engine.clock, 10 * SEC, START_REALTIME + 40 * MIN_);
        start(f, next_boot);
        job = add(f, "j", schedule);
        scheduler_begin(f->engine.scheduler);
        assert_true(job->next_boottime == 0 && job->next_jitter > MIN_);
        set_clock(f, f->engine.clock.now_realtime + SEC);
        assert_int_equal(since_start(job->next_realtime), 30 * MIN_);
        assert_true(scheduler_pause_job(f->engine.scheduler, job));
        assert_true(scheduler_resume_job(f->engine.scheduler, job));
        assert_record(f, 0, RUN_SKIPPED, RUN_TRIGGER_SCHEDULE, 30 * MIN_, 1);
        fixture_free_kept(f);
}

#define MANY 3000U

/* The clock is set, again and again, while jobs wait for their turn: none runs by an old one, and none is lost. */
static void test_clock_set_for_many(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        char name[16];

        for (unsigned i = 0; i < MANY; i++) {
                (void)snprintf(name, sizeof(name), "j%04u", i);
                add(f, name, i % 2 ? "TimeZone=UTC\nOnCalendar=*:10\n" : "Every=10min\n");
        }
        (void)timer_queue_dispatch(f->engine.timers, f->engine.clock.now_boottime, 0);
        assert_int_equal(f->n, MANY / 2);
        f->n = 0;
        sleep_to(f, 10 * MIN_ - 1);
        for (unsigned i = 0; i < 20; i++)
                set_clock(f, START_REALTIME + 10 * MIN_ - 1 - i * SEC);
        set_clock(f, START_REALTIME + 5 * MIN_);
        /* All were to come now, before their turns. */
        virtual_clock_advance(&f->engine.clock, 1);
        assert_non_null(f->engine.scheduler->wall_next);
        for (unsigned i = 0; i < 10; i++)
                (void)timer_queue_dispatch(f->engine.timers, f->engine.clock.now_boottime, 0);
        assert_null(f->engine.scheduler->wall_next);
        assert_int_equal(f->n, MANY / 2);
        for (size_t i = 0; i < f->n; i++)
                assert_int_equal(f->records[i].scheduled, 5 * MIN_ + 1);
        f->n = 0;
        engine_advance_to(&f->engine, 15 * MIN_);
        assert_int_equal(f->n, MANY / 2);
        for (size_t i = 0; i < f->n; i++) {
                assert_int_equal(f->records[i].state, RUN_SUCCEEDED);
                assert_int_equal(f->records[i].scheduled, 10 * MIN_);
        }
        /* Who is paused, or removed, before its turn. */
        f->n = 0;
        set_clock(f, START_REALTIME + 30 * MIN_);
        assert_true(scheduler_pause_job(f->engine.scheduler, scheduler_find_job(f->engine.scheduler, "j2999")));
        scheduler_remove_job(f->engine.scheduler, f->engine.scheduler->wall_next);
        engine_advance_to(&f->engine, 16 * MIN_);
        assert_null(f->engine.scheduler->wall_next);
        assert_int_equal(f->n, 0);
        fixture_free(f);
}

static const Record *find_record(const Fixture *f, const char *job, size_t i)
{
        for (size_t k = 0; k < f->n; k++)
                if (streq(f->records[k].job, job) && i-- == 0)
                        return &f->records[k];
        return NULL;
}

static void link_localtime(const char *path, const char *zone)
{
        _cleanup_free_ char *target = path_join("/usr/share/zoneinfo", zone);

        (void)unlink(path);
        assert_return_code(symlink(target, path), errno);
        zone_forget();
}

/* The machine goes from Berlin (09:00) to Tokyo (17:00): times of day that have passed there were never due. */
static void test_zone_change(_unused_ void **state)
{
        Fixture *f = fixture_new_kept();
        _cleanup_free_ char *path = path_join(f->directory, "localtime");
        Job *evening, *berlin, *at;

        zone_set_root(NULL, path);
        link_localtime(path, "Europe/Berlin");
        add(f, "morning", "OnCalendar=10:00\n");
        evening = add(f, "evening", "Cron=0 18 * * *\nMissed=all\n");
        berlin = add(f, "berlin", "TimeZone=Europe/Berlin\nOnCalendar=10:00\n");
        at = add(f, "at", "At=2027-01-15 19:30\nAt=2027-01-15 08:30 UTC\n");
        add(f, "until", "OnCalendar=*:0/10\nUntil=2027-01-15 19:00\n");
        add(f, "due", "OnCalendar=09:10\n");
        add(f, "put-off", "OnCalendar=09:09\nRandomizedDelaySec=12h\nFixedRandomDelay=yes\n");
        engine_advance_to(&f->engine, 10 * MIN_ - 1);
        f->n = 0;
        /* It is due just now. */
        virtual_clock_advance(&f->engine.clock, 1);
        link_localtime(path, "Asia/Tokyo");
        scheduler_zones_changed(f->engine.scheduler);
        assert_int_equal(f->n, 3);
        assert_non_null(find_record(f, "due", 0));
        assert_non_null(find_record(f, "put-off", 0));
        assert_int_equal(since_start(evening->next_realtime), USEC_PER_HOUR);
        assert_int_equal(since_start(berlin->next_realtime), USEC_PER_HOUR);
        assert_int_equal(since_start(at->next_realtime), 30 * MIN_);
        engine_advance_to(&f->engine, 16 * USEC_PER_HOUR);
        for (size_t i = 0; i < f->n; i++)
                assert_int_equal(f->records[i].state, RUN_SUCCEEDED);
        assert_int_equal(find_record(f, "at", 1)->scheduled, 150 * MIN_);
        assert_null(find_record(f, "morning", 0));
        assert_non_null(find_record(f, "until", 11));
        assert_null(find_record(f, "until", 12));
        /* The same zone read anew is no change, and no zone at all is UTC. */
        zone_forget();
        scheduler_zones_changed(f->engine.scheduler);
        (void)unlink(path);
        zone_forget();
        scheduler_zones_changed(f->engine.scheduler);
        assert_int_equal(since_start(evening->next_realtime), 34 * USEC_PER_HOUR);
        zone_set_root(NULL, NULL);
        fixture_free_kept(f);
}

/*
 * The machine goes from Berlin to Tokyo and on to New York (03:00) while jobs wait for their turn, half of them of one
 * definition, and its clock is set meanwhile: what was due at 09:10 in Berlin begins once, and nothing of Tokyo.
 */
static void test_zone_change_for_many(_unused_ void **state)
{
        Fixture *f = fixture_new_kept();
        _cleanup_free_ char *path = path_join(f->directory, "localtime");
        JobSpec *spec;
        Job *job;
        char name[16];

        zone_set_root(NULL, path);
        link_localtime(path, "Europe/Berlin");
        spec = make_fake_spec("j@", "OnCalendar=09:10\nOnCalendar=17:20\nOnCalendar=04:00\n");
        for (unsigned i = 0; i < MANY; i++) {
                (void)snprintf(name, sizeof(name), i % 2 ? "j@%04u" : "j%04u", i);
                if (i % 2)
                        assert_ok(scheduler_add_instance(f->engine.scheduler, spec, name, NULL));
                else
                        add(f, name, "OnCalendar=09:10\nOnCalendar=17:20\nOnCalendar=04:00\n");
        }
        sleep_to(f, 10 * MIN_);
        link_localtime(path, "Asia/Tokyo");
        scheduler_zones_changed(f->engine.scheduler);
        assert_non_null(f->engine.scheduler->wall_next);
        assert_true(f->n > 0 && f->n < MANY / 2);
        /* Who is paused before its turn has it first. */
        job = scheduler_find_job(f->engine.scheduler, "j@2999");
        assert_true(job->wall_seen != f->engine.scheduler->n_wall_changes);
        assert_true(scheduler_pause_job(f->engine.scheduler, job));
        assert_string_equal(f->records[f->n - 1].job, "j@2999");
        assert_true(scheduler_resume_job(f->engine.scheduler, job));
        set_clock(f, f->engine.clock.now_realtime + MIN_);
        link_localtime(path, "America/New_York");
        scheduler_zones_changed(f->engine.scheduler);
        assert_true(f->engine.scheduler->zones_wait);
        for (unsigned i = 0; i < 40; i++)
                (void)timer_queue_dispatch(f->engine.timers, f->engine.clock.now_boottime, 0);
        assert_null(f->engine.scheduler->wall_next);
        assert_false(f->engine.scheduler->zones_wait);
        assert_int_equal(f->n, MANY);
        for (size_t i = 0; i < f->n; i++) {
                assert_int_equal(f->records[i].state, RUN_SUCCEEDED);
                assert_int_equal(f->records[i].scheduled, 10 * MIN_);
        }
        for (job = NULL; (job = scheduler_next_job(f->engine.scheduler, job));)
                assert_int_equal(since_start(job->next_realtime), USEC_PER_HOUR);
        zone_set_root(NULL, NULL);
        job_spec_unref(spec);
        fixture_free_kept(f);
}

/* --- from one daemon to the next --- */

static void add_all(Fixture *f, const char *changed)
{
        add(f, "a-cal", "TimeZone=UTC\nOnCalendar=*:0/10\n");
        add(f, "b-latest", "TimeZone=UTC\nOnCalendar=*:0/10\nMissed=latest\n");
        add(f, "c-every", "Every=7min\n");
        add(f, "d-after", "After=20min\n");
        add(f, "e-count", "Every=1min\nCount=3\n");
        add(f, "f-startup", "OnStartup=1min\n");
        add(f, "g-at", "TimeZone=UTC\nAt=2027-01-15 08:05\nAt=2027-01-15 09:15\n");
        add(f, "h-changed", changed);
        add(f, "b-persistent", "TimeZone=UTC\nOnCalendar=*:0/10\nPersistent=yes\n");
        add(f, "b-persistent-no", "TimeZone=UTC\nOnCalendar=*:0/10\nPersistent=no\n");
        add(f, "i-not-kept", "Every=7min\nResume=no\n");
}

static void assert_found(const Fixture *f, const char *job, size_t i, RunState state, RunTrigger trigger, usec_t scheduled, uint64_t n)
{
        const Record *r = find_record(f, job, i);

        if (!r)
                fail_msg("%s has no record %zu", job, i);
        assert_record(f, (size_t)(r - f->records), state, trigger, scheduled, n);
}

static void restart(bool clean)
{
        Fixture *f = fixture_new_kept();

        add_all(f, "Every=1min\n");
        engine_advance_to(&f->engine, 26 * MIN_);
        stop(f, clean);
        sleep_to(f, 64 * MIN_);
        start(f, this_boot);
        add_all(f, "Every=2min\n");
        scheduler_begin(f->engine.scheduler);
        engine_advance_to(&f->engine, 64 * MIN_ + SEC);
        assert_found(f, "a-cal", 0, RUN_MISSED, RUN_TRIGGER_SCHEDULE, 60 * MIN_, 4);
        assert_string_equal(find_record(f, "a-cal", 0)->error, "stopped");
        assert_found(f, "b-latest", 0, RUN_MISSED, RUN_TRIGGER_SCHEDULE, 50 * MIN_, 3);
        assert_found(f, "b-latest", 1, RUN_SUCCEEDED, RUN_TRIGGER_CATCH_UP, 60 * MIN_, 1);
        assert_found(f, "b-persistent", 0, RUN_MISSED, RUN_TRIGGER_SCHEDULE, 50 * MIN_, 3);
        assert_found(f, "b-persistent", 1, RUN_SUCCEEDED, RUN_TRIGGER_CATCH_UP, 60 * MIN_, 1);
        assert_null(find_record(f, "b-persistent", 2));
        assert_found(f, "b-persistent-no", 0, RUN_MISSED, RUN_TRIGGER_SCHEDULE, 60 * MIN_, 4);
        assert_null(find_record(f, "b-persistent-no", 1));
        /* 28, 35, 42, 49, 56 and, just late, 63. */
        assert_found(f, "c-every", 0, RUN_MISSED, RUN_TRIGGER_SCHEDULE, 56 * MIN_, 5);
        assert_found(f, "c-every", 1, RUN_SUCCEEDED, RUN_TRIGGER_SCHEDULE, 63 * MIN_, 1);
        assert_found(f, "d-after", 0, RUN_SUCCEEDED, RUN_TRIGGER_CATCH_UP, 40 * MIN_, 1);
        assert_null(find_record(f, "e-count", 0));
        assert_found(f, "h-changed", 0, RUN_SUCCEEDED, RUN_TRIGGER_SCHEDULE, 64 * MIN_, 1);
        assert_found(f, "i-not-kept", 0, RUN_SUCCEEDED, RUN_TRIGGER_SCHEDULE, 64 * MIN_, 1);
        assert_int_equal(f->n_finished, 1);
        engine_advance_to(&f->engine, 76 * MIN_);
        assert_found(f, "f-startup", 0, RUN_SUCCEEDED, RUN_TRIGGER_STARTUP, 65 * MIN_, 1);
        assert_found(f, "g-at", 0, RUN_SUCCEEDED, RUN_TRIGGER_SCHEDULE, 75 * MIN_, 1);
        assert_found(f, "c-every", 2, RUN_SUCCEEDED, RUN_TRIGGER_SCHEDULE, 70 * MIN_, 1);
        /* f-startup is due again when the next daemon starts. */
        assert_int_equal(f->n_finished, 2);
        fixture_free_kept(f);
}

static void test_restart(_unused_ void **state)
{
        restart(true);
}

static void test_killed(_unused_ void **state)
{
        restart(false);
}

/* Of another boot only the wall clock's times go on. */
static void test_reboot(_unused_ void **state)
{
        Fixture *f = fixture_new_kept();

        add_all(f, "Every=1min\n");
        engine_advance_to(&f->engine, 26 * MIN_);
        stop(f, false);
        virtual_clock_init(&f->engine.clock, 30 * SEC, START_REALTIME + 30 * MIN_ + 50 * SEC);
        start(f, next_boot);
        add_all(f, "Every=1min\n");
        scheduler_begin(f->engine.scheduler);
        (void)timer_queue_dispatch(f->engine.timers, f->engine.clock.now_boottime, 0);
        /* It was due before this boot, and is just late. */
        assert_found(f, "a-cal", 0, RUN_SUCCEEDED, RUN_TRIGGER_SCHEDULE, 30 * MIN_, 1);
        assert_found(f, "c-every", 0, RUN_SUCCEEDED, RUN_TRIGGER_SCHEDULE, 30 * MIN_ + 50 * SEC, 1);
        assert_found(f, "d-after", 0, RUN_SUCCEEDED, RUN_TRIGGER_SCHEDULE, 30 * MIN_ + 50 * SEC, 1);
        assert_null(find_record(f, "e-count", 0));
        fixture_free_kept(f);
}

/* What a killed daemon still had to catch up on is told of. */
static void test_killed_while_catching_up(_unused_ void **state)
{
        Fixture *f = fixture_new_kept();

        add(f, "j", "Every=10min\nMissed=all\n");
        engine_advance_to(&f->engine, 1);
        f->duration = MIN_;
        sleep_to(f, 55 * MIN_);
        engine_advance_to(&f->engine, 55 * MIN_ + SEC);
        stop(f, false);
        start(f, this_boot);
        add(f, "j", "Every=10min\nMissed=all\n");
        scheduler_begin(f->engine.scheduler);
        assert_int_equal(f->n, 1);
        assert_int_equal(f->records[0].n, 4);
        assert_int_equal(f->records[0].state, RUN_MISSED);
        stop(f, true);
        start(f, this_boot);
        add(f, "j", "Every=10min\nMissed=all\n");
        scheduler_begin(f->engine.scheduler);
        assert_int_equal(f->n, 0);
        fixture_free_kept(f);
}

/* A job that is removed, or no more there at the start, is forgotten; so is one that is turned off. */
static void test_forgotten(_unused_ void **state)
{
        static const char hourly[] = "TimeZone=UTC\nOnCalendar=hourly\nMissed=latest\n";
        Fixture *f = fixture_new_kept();

        scheduler_remove_job(f->engine.scheduler, add(f, "gone", hourly));
        add(f, "late", hourly);
        engine_advance_to(&f->engine, MIN_);
        stop(f, true);
        start(f, this_boot);
        scheduler_begin(f->engine.scheduler);
        stop(f, true);
        sleep_to(f, 100 * MIN_);
        start(f, this_boot);
        add(f, "gone", hourly);
        add(f, "late", hourly);
        scheduler_begin(f->engine.scheduler);
        engine_advance_to(&f->engine, 101 * MIN_);
        assert_int_equal(f->n, 0);
        fixture_free_kept(f);
}

static void write_garbage(const Fixture *f, size_t head, unsigned seed)
{
        _cleanup_free_ char *path = path_join(f->directory, "schedule-times");
        _cleanup_buffer_ Buffer file = BUFFER_NULL;

        assert_ok(read_file_at(AT_FDCWD, path, SIZE_MAX / 2, &file));
        for (size_t i = head; i < file.len; i++) {
                seed = seed * 1103515245U + 12345U;
                /* Names stay: each slot is of some job. */
                if (i < 4096 || i % 64 >= 16)
                        file.data[i] = (char)(seed >> 16);
        }
        assert_ok(write_file_atomic(path, file.data, file.len - seed % 100, 0600, false));
}

/* Whatever is in the file, jobs run from now on, and nothing storms. */
static void test_garbage(_unused_ void **state)
{
        Fixture *f = fixture_new_kept();

        add_all(f, "Every=1min\n");
        engine_advance_to(&f->engine, MIN_);
        for (unsigned i = 1; i < 60; i++) {
                stop(f, true);
                write_garbage(f, i % 3 == 0 ? 0 : 4096, i);
                start(f, this_boot);
                add_all(f, "Every=1min\n");
                scheduler_begin(f->engine.scheduler);
                engine_advance_to(&f->engine, engine_now(&f->engine) + 30 * MIN_);
                assert_true(f->n < 400);
                assert_non_null(find_record(f, "h-changed", 5));
        }
        fixture_free_kept(f);
}

/* More jobs than the first chunk has room for, and places that become free. */
static void test_many_kept(_unused_ void **state)
{
        Fixture *f = fixture_new_kept();
        char name[16];

        for (unsigned round = 0; round < 2; round++) {
                for (unsigned i = 0; i < 700; i++) {
                        (void)snprintf(name, sizeof(name), "j%u", i);
                        add(f, name, "TimeZone=UTC\nOnCalendar=hourly\nMissed=latest\n");
                        if (i % 3 == 1)
                                scheduler_remove_job(f->engine.scheduler, scheduler_find_job(f->engine.scheduler, name));
                }
                scheduler_begin(f->engine.scheduler);
                if (round == 0) {
                        engine_advance_to(&f->engine, MIN_);
                        stop(f, false);
                        sleep_to(f, 62 * MIN_);
                        start(f, this_boot);
                }
        }
        engine_advance_to(&f->engine, 90 * MIN_);
        assert_int_equal(f->n, 467);
        fixture_free_kept(f);
}

/* The places of jobs that went are taken by those that come, as many as there are. */
static void test_places_are_taken_again(_unused_ void **state)
{
        Fixture *f = fixture_new_kept();
        ScheduleStamp *stamps[700], *again;
        char name[16];

        for (unsigned i = 0; i < ARRAY_SIZE(stamps); i++) {
                (void)snprintf(name, sizeof(name), "j%u", i);
                stamps[i] = stamp_store_get(f->stamps, name);
                assert_non_null(stamps[i]);
                stamps[i]->last_realtime = START_REALTIME;
        }
        for (unsigned i = 0; i < ARRAY_SIZE(stamps); i++)
                stamp_store_drop(f->stamps, stamps[i]);
        for (unsigned i = 0; i < ARRAY_SIZE(stamps); i++) {
                (void)snprintf(name, sizeof(name), "k%u", i);
                again = stamp_store_get(f->stamps, name);
                assert_ptr_equal(again, stamps[ARRAY_SIZE(stamps) - 1 - i]);
                assert_int_equal(again->last_realtime, 0);
        }
        fixture_free_kept(f);
}

/* --- the end --- */

/* 11,520 times that are excluded one by one are more than one search looks through. */
static void test_long_exclusion(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        Job *comb = add(f, "comb", "TimeZone=UTC\nOnCalendar=*:0/2\nExclude=*-01-16..31 *:0/2\n");
        Job *month = add(f, "month", "TimeZone=UTC\nOnCalendar=*:*\nExclude=*-01-16..31 *:*\nMissed=all\n");
        const usec_t midnight = 16 * USEC_PER_HOUR, february = midnight + 16 * USEC_PER_DAY;

        engine_advance_to(&f->engine, midnight + 1);
        assert_int_equal(f->n, 16 * 30 - 1 + 16 * 60 - 1);
        f->n = f->engine.n_wakes = 0;
        assert_string_equal(job_state_to_string(job_state(comb)), "waiting");
        assert_int_equal(since_start(month->next_realtime), february);
        engine_advance_to(&f->engine, february);
        assert_in_range(f->engine.n_wakes, 3, 5);
        assert_int_equal(f->n, 2);
        assert_non_null(find_record(f, "comb", 0));
        assert_record(f, 0, RUN_SUCCEEDED, RUN_TRIGGER_SCHEDULE, february, 1);
        assert_record(f, 1, RUN_SUCCEEDED, RUN_TRIGGER_SCHEDULE, february, 1);
        assert_int_equal(f->n_finished, 0);
        fixture_free(f);
}

static void test_end_is_told_once(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);

        add(f, "past", "TimeZone=UTC\nAt=2027-01-15 07:00\n");
        assert_int_equal(f->n_finished, 1);
        assert_string_equal(f->finished, "never due again: all its times have passed");
        f->duration = 5 * SEC;
        add(f, "at", "TimeZone=UTC\nAt=2027-01-15 08:00:10\n");
        engine_advance_to(&f->engine, 12 * SEC);
        assert_int_equal(f->n_finished, 1);
        engine_advance_to(&f->engine, 16 * SEC);
        assert_int_equal(f->n_finished, 2);
        add(f, "until", "TimeZone=UTC\nEvery=1s\nUntil=2027-01-15 08:00:30\n");
        add(f, "hand", "");
        engine_advance_to(&f->engine, 60 * SEC);
        assert_int_equal(f->n_finished, 3);
        assert_string_equal(f->finished, "never due again: nothing is due after the time in Until=");
        fixture_free(f);
}

/* What is wrong with a key is said at its place. */
static void test_bad_keys(_unused_ void **state)
{
        static const char *const bad[] = {
                "Missed=some", "MissedWindowSec=0", "MissedWindowSec=soon", "RandomizedDelaySec=infinity", "RandomizedDelaySec=-1s",
                "AccuracySec=0", "AccuracySec=2y", "FixedRandomDelay=perhaps", "Persistent=2", "Resume=2",
        };

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                _cleanup_(config_items_deinit) ConfigItems items = CONFIG_ITEMS_NULL;
                _cleanup_(config_report_deinit) ConfigReport report = CONFIG_REPORT_NULL;
                _cleanup_free_ char *text = xasprintf("[Job]\nType=sleep\n[Schedule]\nEvery=1s\n%s\n", bad[i]);
                JobSpec *spec;

                assert_ok(config_parse_text("j", text, strlen(text), &items, &report));
                assert_int_equal(job_spec_load_items("j", &items, &report, &spec), -EBADMSG);
                assert_int_equal(report.n, 1);
                assert_int_equal(report.problems[0].line, 5);
                assert_int_equal(report.problems[0].column, strchr(bad[i], '=') - bad[i] + 2);
        }
}

/* Persistent=yes is the same as two other keys, which say the same or nothing beside it. */
static void test_persistent(_unused_ void **state)
{
        static const struct {
                const char *text;
                unsigned bad_line; /* 0: it is good */
                JobMissed missed;
                bool resume;
        } cases[] = {
                { "Persistent=yes", 0, MISSED_LATEST, true },
                { "Persistent=yes\nMissed=latest\nResume=yes", 0, MISSED_LATEST, true },
                { "Missed=all\nMissed=\nPersistent=yes", 0, MISSED_LATEST, true },
                { "Persistent=yes\nPersistent=\nMissed=all", 0, MISSED_ALL, true },
                { "Persistent=no", 0, MISSED_SKIP, true },
                { "Persistent=no\nMissed=all\nResume=no", 0, MISSED_ALL, false },
                { "Persistent=no\nMissed=latest", 0, MISSED_LATEST, true },
                { "Persistent=yes\nMissed=all", 6, 0, false },
                { "Missed=skip\nPersistent=yes", 5, 0, false },
                { "Resume=yes\nPersistent=yes\nResume=no", 7, 0, false },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_(config_items_deinit) ConfigItems items = CONFIG_ITEMS_NULL;
                _cleanup_(config_report_deinit) ConfigReport report = CONFIG_REPORT_NULL;
                _cleanup_free_ char *text = xasprintf("[Job]\nType=sleep\n[Schedule]\nEvery=1s\n%s\n", cases[i].text);
                JobSpec *spec = NULL;
                int r;

                assert_ok(config_parse_text("j", text, strlen(text), &items, &report));
                r = job_spec_load_items("j", &items, &report, &spec);
                if (cases[i].bad_line > 0) {
                        assert_int_equal(r, -EBADMSG);
                        assert_int_equal(report.n, 1);
                        assert_int_equal(report.problems[0].line, cases[i].bad_line);
                        assert_non_null(strstr(report.problems[0].message, "Persistent=yes stands for "));
                        continue;
                }
                assert_ok(r);
                assert_int_equal(spec->schedule.missed, cases[i].missed);
                assert_int_equal(spec->schedule.resume, cases[i].resume);
                job_spec_unref(spec);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                RUN(test_late_within_grace),
                RUN(test_missed_is_one_record),
                RUN(test_missed_latest),
                RUN(test_missed_all),
                RUN(test_missed_all_is_limited),
                RUN(test_catch_up_is_paced), RUN(test_catch_up_is_told),
                RUN(test_catch_up_again),
                RUN(test_catch_up_is_dropped),
                RUN(test_delays_are_caught_up),
                RUN(test_resume_makes_up),
                RUN(test_jitter),
                RUN(test_fixed_jitter),
                RUN(test_outlook_of_delays), RUN(test_drawn_is_kept), RUN(test_next_is_put_off), RUN(test_lateness_after_restart), RUN(test_slack),
                RUN(test_coalescing),
                RUN(test_wrong_century),
                RUN(test_step_forward),
                RUN(test_clock_not_set),
                RUN(test_put_off_when_first_set),
                RUN(test_clock_set_for_many),
                RUN(test_delay_is_of_the_definition),
                RUN(test_changed_before_clock_is_set),
                RUN(test_put_off_from_before_the_boot),
                RUN(test_zone_change),
                RUN(test_zone_change_for_many),
                RUN(test_restart),
                RUN(test_killed),
                RUN(test_reboot),
                RUN(test_killed_while_catching_up),
                RUN(test_forgotten),
                RUN(test_garbage),
                RUN(test_many_kept),
                RUN(test_places_are_taken_again),
                RUN(test_long_exclusion),
                RUN(test_end_is_told_once),
                RUN(test_bad_keys),
                RUN(test_persistent),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
