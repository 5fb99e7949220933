/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Groups on the real scheduler and a virtual clock; at the end random programs beside a model of what they do. */
#include "test.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/string-util.h"
#include "job/references.h"
#include "engine.h"

#define MSEC USEC_PER_MSEC
#define RECORDS_MAX 512U

/* A run that ended; times count from the start of the test. */
typedef struct Record {
        uint64_t id, parent;
        char job[16];
        RunState state;
        usec_t started, finished;
        char error[24];
        char *result, *details, *message;
} Record;

typedef struct Fixture {
        Engine engine;
        Record records[RECORDS_MAX]; /* the first ones; all are counted */
        size_t n_ended;
        size_t by_state[_RUN_STATE_MAX];
        bool shut_down;
} Fixture;

static void on_event(EventObserver *observer, const Event *event)
{
        Fixture *f = container_of(observer, Fixture, engine.observer);
        const Run *run = event->run;
        Record *r;

        if (!run || event->type == EVENT_PROGRESS || !run_state_is_final(run->state))
                return;
        f->by_state[run->state]++;
        if (f->n_ended++ >= RECORDS_MAX)
                return;
        r = &f->records[f->n_ended - 1];
        *r = (Record){
                .id = run->id,
                .parent = run->trigger == RUN_TRIGGER_GROUP ? run->origin : 0,
                .state = run->state,
                .started = run->started_boottime > 0 ? run->started_boottime - START_BOOTTIME : 0,
                .finished = run->finished_boottime - START_BOOTTIME,
                .result = strdup(run->result ?: "null"),
                .details = strdup(run->extra->details ?: ""),
                .message = strdup(run->extra->error_message ?: ""),
        };
        (void)snprintf(r->job, sizeof(r->job), "%s", event->job);
        (void)snprintf(r->error, sizeof(r->error), "%s", run->extra->error_kind ?: "");
}

static Fixture *fixture_new(const SchedulerLimits *limits)
{
        Fixture *f = new0(Fixture, 1);

        assert_non_null(f);
        engine_init(&f->engine, on_event, limits);
        return f;
}

static void on_shut_down(void *userdata)
{
        Fixture *f = userdata;

        f->shut_down = true;
}

/* Ends all, and looks that nothing is left. */
static void fixture_free(Fixture *f)
{
        scheduler_shutdown(f->engine.scheduler, on_shut_down, f);
        engine_advance_to(&f->engine, engine_now(&f->engine) + SEC);
        assert_true(f->shut_down);
        assert_null(scheduler_next_run(f->engine.scheduler, NULL));
        engine_deinit(&f->engine);
        for (size_t i = 0; i < MIN(f->n_ended, (size_t)RECORDS_MAX); i++) {
                free(f->records[i].result);
                free(f->records[i].details);
                free(f->records[i].message);
        }
        free(f);
}

static Job *add(Fixture *f, const char *name, const char *text)
{
        return engine_add(&f->engine, make_spec(name, text));
}

static Job *add_group(Fixture *f, const char *name, const char *text)
{
        _cleanup_free_ char *all = xasprintf("[Job]\nType=group\n%s", text);

        assert_non_null(all);
        return add(f, name, all);
}

/* Leaves that the groups below run. */
static void add_leaves(Fixture *f)
{
        add(f, "s1", "[Job]\nType=sleep\n[Sleep]\nDuration=1s\n");
        add(f, "s3", "[Job]\nType=sleep\n[Sleep]\nDuration=3s\n");
        add(f, "s0", "[Job]\nType=sleep\n[Sleep]\nDuration=0\n");
        add(f, "count", "[Job]\nType=countdown\nParameter=from:int(0..100)\nParameter=name:string=x\n"
                        "[Countdown]\nFrom=${from}\nName=${name}\n");
        add(f, "late", "[Job]\nType=sleep\nTimeoutSec=2s\n[Sleep]\nDuration=10s\n");
        add(f, "echo", "[Job]\nType=group\nParameter=input:json=null\n[Group]\nMode=chain\nErrors=keep\nRun=${input}\n");
}

static const Record *ended(const Fixture *f, uint64_t id)
{
        for (size_t i = 0; i < MIN(f->n_ended, (size_t)RECORDS_MAX); i++)
                if (f->records[i].id == id)
                        return &f->records[i];
        fail_msg("run %" PRIu64 " has not ended", id);
        return NULL;
}

static void assert_ended(const Fixture *f, uint64_t id, RunState state, const char *error, const char *result, usec_t finished)
{
        const Record *r = ended(f, id);

        if (r->state != state)
                fail_msg("%s, not %s: %s %s", run_state_to_string(r->state), run_state_to_string(state), r->error, r->message);
        assert_string_equal(r->error, error);
        if (result)
                assert_string_equal(r->result, result);
        assert_int_equal(r->finished, finished);
}

static void test_gather(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        uint64_t id;

        add_leaves(f);
        /* The results are in the order named, whatever ends first; arguments by position and by name. */
        id = engine_run(&f->engine, add_group(f, "g", "[Group]\nRun=count 4 A\nRun=s1\nRun=count --name=B --from 3\nRun=s0\n"));
        assert_int_equal(scheduler_n_running(f->engine.scheduler), 4);
        engine_advance_to(&f->engine, 10 * SEC);
        assert_ended(f, id, RUN_SUCCEEDED, "", "[\"done!\",null,\"done!\",null]", 4 * SEC);
        for (size_t i = 0; i + 1 < f->n_ended; i++)
                assert_int_equal(f->records[i].parent, id);
        /* One that fails: the others go on, and the group fails in the end. */
        id = engine_run(&f->engine, add_group(f, "h", "[Group]\nRun=late\nRun=s3\nRun=count 1\n"));
        engine_advance_to(&f->engine, 20 * SEC);
        assert_ended(f, id, RUN_FAILED, "member-failed", "[null,null,\"done!\"]", 13 * SEC);
        assert_non_null(strstr(ended(f, id)->message, "1 of 3 members failed; the first: late (run "));
        id = engine_run(&f->engine, add_group(f, "k", "[Group]\nErrors=keep\nRun=count 1\nRun=count 101\nRun=count\nRun=gone\n"));
        engine_advance_to(&f->engine, 30 * SEC);
        assert_ended(f, id, RUN_SUCCEEDED, "", NULL, 21 * SEC);
        assert_non_null(strstr(ended(f, id)->result, "\"bad-parameter\""));
        assert_non_null(strstr(ended(f, id)->result, "\"no-such-job\""));
        assert_non_null(startswith(ended(f, id)->details, "{\"members\":4,\"failed\":3,"));
        fixture_free(f);
}

static void test_taskgroup(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        uint64_t id;

        add_leaves(f);
        add_group(f, "inner", "[Group]\nRun=s3\nRun=s3\n");
        id = engine_run(&f->engine, add_group(f, "t", "[Group]\nMode=taskgroup\nRun=s1\nRun=inner\nRun=late\nRun=s3\n"));
        engine_advance_to(&f->engine, 10 * SEC);
        assert_ended(f, id, RUN_FAILED, "member-failed", "[null,null,null,null]", 2 * SEC);
        /* late is its one failure; s3, inner and its two members were cancelled with it. */
        assert_int_equal(f->by_state[RUN_TIMEOUT], 1);
        assert_int_equal(f->by_state[RUN_CANCELLED], 4);
        assert_non_null(startswith(ended(f, id)->details, "{\"members\":4,\"failed\":1,\"errors\":[{\"job\":\"late\""));
        /* A failure while members are begun: those that were not are never begun. */
        id = engine_run(&f->engine, add_group(f, "u", "[Group]\nMode=taskgroup\nRun=s1\nRun=gone\nRun=s1\n"));
        assert_ended(f, id, RUN_FAILED, "member-failed", NULL, 10 * SEC);
        assert_int_equal(f->by_state[RUN_CANCELLED], 5);
        fixture_free(f);
}

static void test_chain(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        uint64_t id;

        add_leaves(f);
        id = engine_run(&f->engine, add_group(f, "c", "[Group]\nMode=chain\nRun=s1\nRun=count 2\nRun=s0\nRun=s3\n"));
        engine_advance_to(&f->engine, 10 * SEC);
        assert_ended(f, id, RUN_SUCCEEDED, "", "null", 6 * SEC);
        /* The middle fails: the rest is never begun. */
        id = engine_run(&f->engine, add_group(f, "d", "[Group]\nMode=chain\nRun=s1\nRun=late\nRun=s3\n"));
        engine_advance_to(&f->engine, 20 * SEC);
        assert_ended(f, id, RUN_FAILED, "member-failed", NULL, 13 * SEC);
        assert_int_equal(f->n_ended, 5 + 3);
        /* A chain an item, side by side; what one gives is the input of the next. */
        add_group(f, "make", "[Job]\nParameter=input:json\n[Group]\nErrors=keep\nRun=x${input}\n");
        id = engine_run(&f->engine, add_group(f, "e", "[Group]\nMode=chain\nFor=a 1..2 [true]\nRun=s1\nRun=s3\n"));
        engine_advance_to(&f->engine, 30 * SEC);
        assert_ended(f, id, RUN_SUCCEEDED, "", "[null,null,null,null]", 24 * SEC);
        id = engine_run(&f->engine, add_group(f, "i", "[Group]\nMode=chain\nFor=a 7\nRun=make\nRun=count 1 ${index}${item}\n"));
        engine_advance_to(&f->engine, 40 * SEC);
        assert_ended(f, id, RUN_SUCCEEDED, "", "[\"done!\",\"done!\"]", 31 * SEC);
        fixture_free(f);
}

/* What is passed on is seen by the name of the job that is looked for: there is none. */
static void test_input(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        uint64_t id;

        add_leaves(f);
        id = engine_run(&f->engine, add_group(f, "g", "[Group]\nMode=chain\nFor=a\nRun=echo\nRun=echo\nRun=echo --input=[${input},1]\n"));
        assert_ended(f, id, RUN_SUCCEEDED, "", NULL, 0);
        /* item → echo's input → the job's name; its error is the next one's input, by itself and as the line says. */
        assert_non_null(startswith(f->records[0].result, "{\"job\":\"a\",\"run\":null"));
        assert_non_null(startswith(f->records[1].result, "{\"job\":\"{\\\"job\\\":\\\"a\\\""));
        assert_non_null(startswith(f->records[2].result, "{\"job\":\"[{\\\"job\\\":"));
        fixture_free(f);
}

static void test_items(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        uint64_t id;

        add_leaves(f);
        id = engine_run(&f->engine, add_group(f, "none", "[Group]\nFor=5..4\nRun=s1\n"));
        assert_ended(f, id, RUN_SUCCEEDED, "", "[]", 0);
        id = engine_run(&f->engine, add_group(f, "pairs", "[Group]\nFor=1..2\nRun=count ${item}\nRun=s1\n"));
        engine_advance_to(&f->engine, 10 * SEC);
        assert_ended(f, id, RUN_SUCCEEDED, "", "[\"done!\",null,\"done!\",null]", 2 * SEC);
        id = engine_run(&f->engine, add_group(f, "many", "[Group]\nFor=1..1000000000\nRun=s0\n"));
        assert_ended(f, id, RUN_FAILED, "too-large", NULL, 10 * SEC);
        id = engine_run(&f->engine, add_group(f, "byname", "[Group]\nFor=s1 s3 s0\nRun=${item}\n"));
        engine_advance_to(&f->engine, 20 * SEC);
        assert_ended(f, id, RUN_SUCCEEDED, "", "[null,null,null]", 13 * SEC);
        fixture_free(f);
}

static void test_concurrency(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        uint64_t id;

        add_leaves(f);
        id = engine_run(&f->engine, add_group(f, "g", "[Group]\nConcurrency=3\nFor=1..10\nRun=s1\n"));
        assert_int_equal(scheduler_n_running(f->engine.scheduler), 4);
        engine_advance_to(&f->engine, 10 * SEC);
        assert_ended(f, id, RUN_SUCCEEDED, "", NULL, 4 * SEC);
        id = engine_run(&f->engine, add_group(f, "c", "[Group]\nMode=chain\nConcurrency=1\nFor=1..2\nRun=s1\nRun=s0\n"));
        engine_advance_to(&f->engine, 20 * SEC);
        assert_ended(f, id, RUN_SUCCEEDED, "", NULL, 12 * SEC);
        fixture_free(f);
}

/* The job's own caps hold for members, and Overlap=skip does not. */
static void test_overlap(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        uint64_t id;

        add(f, "q", "[Job]\nType=sleep\n[Schedule]\nOverlap=queue\nMaxQueued=1\n[Sleep]\nDuration=1s\n");
        add(f, "p", "[Job]\nType=sleep\n[Schedule]\nOverlap=parallel\nMaxParallel=2\n[Sleep]\nDuration=1s\n");
        add(f, "r", "[Job]\nType=sleep\n[Schedule]\nOverlap=replace\n[Sleep]\nDuration=1s\n");
        id = engine_run(&f->engine, add_group(f, "g", "[Group]\nFor=1..5\nRun=q\n"));
        engine_advance_to(&f->engine, 10 * SEC);
        assert_ended(f, id, RUN_SUCCEEDED, "", NULL, 5 * SEC);
        id = engine_run(&f->engine, add_group(f, "h", "[Group]\nFor=1..5\nRun=p\n"));
        engine_advance_to(&f->engine, 20 * SEC);
        assert_ended(f, id, RUN_SUCCEEDED, "", NULL, 13 * SEC);
        id = engine_run(&f->engine, add_group(f, "i", "[Group]\nFor=1..5\nRun=r\n"));
        engine_advance_to(&f->engine, 30 * SEC);
        assert_ended(f, id, RUN_SUCCEEDED, "", NULL, 21 * SEC);
        /* Cancelled while most wait. */
        id = engine_run(&f->engine, add_group(f, "j", "[Job]\nTimeoutSec=1500ms\n[Group]\nFor=1..5\nRun=p\nRun=q\n"));
        engine_advance_to(&f->engine, 40 * SEC);
        assert_ended(f, id, RUN_TIMEOUT, "timeout", NULL, 31500 * MSEC);
        fixture_free(f);
}

/* Groups hold no place, so that even one place is enough; and those that find none do not stand before others. */
static void test_max_runs(_unused_ void **state)
{
        Fixture *f = fixture_new(&(SchedulerLimits){ .max_runs = 1, .max_queued = 5 });
        uint64_t id, other;
        Job *leaf;

        leaf = add(f, "leaf", "[Job]\nType=sleep\n[Schedule]\nOverlap=parallel\n[Sleep]\nDuration=1s\n");
        add_group(f, "a", "[Group]\nRun=leaf\nRun=leaf\n");
        add_group(f, "b", "[Group]\nRun=a\nRun=leaf\nRun=a\n");
        id = engine_run(&f->engine, add_group(f, "c", "[Group]\nFor=1..3\nRun=b\n"));
        engine_advance_to(&f->engine, 60 * SEC);
        assert_ended(f, id, RUN_SUCCEEDED, "", NULL, 15 * SEC);
        id = engine_run(&f->engine, add_group(f, "d", "[Group]\nFor=1..30\nRun=leaf\n"));
        engine_advance_to(&f->engine, 60500 * MSEC);
        other = engine_run(&f->engine, leaf);
        engine_advance_to(&f->engine, 120 * SEC);
        assert_ended(f, other, RUN_SUCCEEDED, "", NULL, 62 * SEC);
        assert_ended(f, id, RUN_SUCCEEDED, "", NULL, 91 * SEC);
        fixture_free(f);
}

static void test_cancel(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        Job *outer;
        uint64_t id;

        add_leaves(f);
        add_group(f, "mid", "[Group]\nMode=chain\nRun=s1\nRun=s3\n");
        outer = add_group(f, "outer", "[Job]\nTimeoutSec=5s\n[Group]\nRun=mid\nRun=s3\nRun=mid\n");
        id = engine_run(&f->engine, outer);
        engine_advance_to(&f->engine, 2 * SEC);
        scheduler_cancel(f->engine.scheduler, scheduler_find_run(f->engine.scheduler, id));
        assert_ended(f, id, RUN_CANCELLED, "cancelled", NULL, 2 * SEC);
        assert_int_equal(scheduler_n_running(f->engine.scheduler), 0);
        assert_int_equal(f->by_state[RUN_CANCELLED], 1 + 2 + 2 + 1);
        /* Any member can be cancelled by itself: that is a failure of the group, not its cancellation. */
        id = engine_run(&f->engine, outer);
        engine_advance_to(&f->engine, 3 * SEC);
        scheduler_cancel(f->engine.scheduler, scheduler_find_run(f->engine.scheduler, id + 3));
        engine_advance_to(&f->engine, 20 * SEC);
        assert_ended(f, id, RUN_FAILED, "member-failed", NULL, 6 * SEC);
        fixture_free(f);
}

static void test_retries_begin_anew(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        uint64_t id;

        add_leaves(f);
        id = engine_run(&f->engine, add_group(f, "g", "[Job]\nRetries=2\nRetryDelaySec=1s\n[Group]\nMode=taskgroup\nRun=s3\nRun=late\n"));
        engine_advance_to(&f->engine, 60 * SEC);
        assert_string_equal(ended(f, id)->error, "member-failed");
        assert_int_equal(f->by_state[RUN_TIMEOUT], 3);
        assert_int_equal(f->by_state[RUN_CANCELLED], 3);
        fixture_free(f);
}

/*
 * A run that replaces those of its job begins with the first of a group's members, whose end takes the other
 * ones along.
 */
static void test_replace_members(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        uint64_t group, newest;
        Job *job;

        job = add(f, "r", "[Job]\nType=sleep\n[Schedule]\nOverlap=replace\n[Sleep]\nDuration=1s\n");
        group = engine_run(&f->engine, add_group(f, "g", "[Group]\nRun=r\nRun=r\nRun=r\n"));
        assert_int_equal(job->n_active, 3);
        newest = engine_run(&f->engine, job);
        engine_advance_to(&f->engine, 10 * SEC);
        assert_ended(f, group, RUN_FAILED, "member-failed", NULL, 0);
        assert_ended(f, newest, RUN_SUCCEEDED, "", NULL, 1 * SEC);
        assert_int_equal(f->by_state[RUN_CANCELLED], 3);
        engine_check(&f->engine);
        fixture_free(f);
}

/* Members that begin as others are replaced are newer than the run that replaces those, and are let be. */
static void test_replace_older_alone(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        uint64_t group, newest;
        Job *job;

        job = add(f, "r", "[Job]\nType=sleep\n[Schedule]\nOverlap=replace\n[Sleep]\nDuration=1s\n");
        group = engine_run(&f->engine, add_group(f, "g", "[Group]\nConcurrency=1\nErrors=keep\nFor=1..3\nRun=r\n"));
        engine_advance_to(&f->engine, SEC / 2);
        newest = engine_run(&f->engine, job);
        engine_advance_to(&f->engine, 10 * SEC);
        assert_ended(f, newest, RUN_SUCCEEDED, "", NULL, SEC * 3 / 2);
        assert_ended(f, group, RUN_SUCCEEDED, "", NULL, SEC * 5 / 2);
        assert_int_equal(f->by_state[RUN_CANCELLED], 1);
        engine_check(&f->engine);
        fixture_free(f);
}

static void test_remove_with_members(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);
        Job *leaf, *group;
        uint64_t id;

        add_leaves(f);
        leaf = add(f, "leaf", "[Job]\nType=sleep\n[Schedule]\nOverlap=queue\n[Sleep]\nDuration=1s\n");
        group = add_group(f, "g", "[Group]\nErrors=keep\nRun=leaf\nRun=leaf\nRun=s1\n");
        id = engine_run(&f->engine, group);
        /* The one under way goes on, the one that waits is cancelled; later ones find no job. */
        scheduler_remove_job(f->engine.scheduler, leaf);
        scheduler_remove_job(f->engine.scheduler, group);
        engine_advance_to(&f->engine, 10 * SEC);
        assert_ended(f, id, RUN_SUCCEEDED, "", NULL, 1 * SEC);
        assert_non_null(strstr(ended(f, id)->result, "\"removed\""));
        fixture_free(f);
}

/* More than a turn begins, and more than a turn cancels. */
static void test_ten_thousand(_unused_ void **state)
{
        Fixture *f = fixture_new(&(SchedulerLimits){ .max_runs = 20000 });
        uint64_t id;
        Job *group;

        add_leaves(f);
        group = add_group(f, "g", "[Group]\nFor=1..10000\nRun=s1\n");
        id = engine_run(&f->engine, group);
        assert_in_range(scheduler_n_running(f->engine.scheduler), 1, 1000);
        engine_advance_to(&f->engine, 2 * SEC);
        assert_int_equal(f->by_state[RUN_SUCCEEDED], 10001);
        id = engine_run(&f->engine, group);
        engine_advance_to(&f->engine, 2500 * MSEC);
        scheduler_cancel(f->engine.scheduler, scheduler_find_run(f->engine.scheduler, id));
        engine_advance_to(&f->engine, 2600 * MSEC);
        assert_int_equal(f->by_state[RUN_CANCELLED], 10001);
        /* Chains that never wait neither nest nor hold the loop up. */
        id = engine_run(&f->engine, add_group(f, "c", "[Group]\nMode=chain\nFor=1..2000\nRun=s0\nRun=s0\nRun=s0\n"));
        assert_non_null(scheduler_find_run(f->engine.scheduler, id));
        engine_advance_to(&f->engine, 3 * SEC);
        assert_null(scheduler_find_run(f->engine.scheduler, id));
        /* Default caps: what finds no place waits in its group, and none is skipped. */
        scheduler_set_limits(f->engine.scheduler, &(SchedulerLimits){ .max_runs = 100, .max_queued = 10 });
        id = engine_run(&f->engine, group);
        engine_advance_to(&f->engine, 200 * SEC);
        assert_null(scheduler_find_run(f->engine.scheduler, id));
        assert_int_equal(f->by_state[RUN_SKIPPED], 0);
        fixture_free(f);
}

static void test_abandon(_unused_ void **state)
{
        Fixture *f = fixture_new(NULL);

        add_leaves(f);
        engine_run(&f->engine, add_group(f, "g", "[Group]\nFor=1..5000\nRun=s1\nRun=s3\n"));
        scheduler_abandon(f->engine.scheduler);
        fixture_free(f);
}

/* --- what is refused --- */

static void test_load_errors(_unused_ void **state)
{
        static const struct {
                const char *text, *message;
        } cases[] = {
                { "", "a group needs a Run= line" },
                { "Mode=taskgroup\nErrors=keep\nRun=x\n", "a taskgroup ends with its first failure" },
                { "Run=${nosuch}\n", "no parameter 'nosuch' is declared" },
                { "Run=a/b\n", "can't be the name of a job" },
                { "Run=x ${credential:key}\n", "a credential can't be an argument" },
                { "Run='x\n", "" },
                { "Mode=race\nRun=x\n", "" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_(config_report_deinit) ConfigReport report = CONFIG_REPORT_NULL;
                _cleanup_free_ char *text = xasprintf("[Job]\nType=group\n[Group]\n%s", cases[i].text);
                JobSpec *spec;

                assert_int_equal(load_spec("g", text, &report, &spec), -EBADMSG);
                assert_non_null(strstr(report.problems[0].message, cases[i].message));
        }
}

static JobSpec *known[4];

static JobSpec *lookup(const char *name, _unused_ void *userdata)
{
        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
                if (streq(known[i]->name, name))
                        return known[i];
        return NULL;
}

static void test_cycles(_unused_ void **state)
{
        static const char *const texts[][2] = {
                { "a", "[Job]\nType=group\n[Group]\nRun=x\nRun=b 1\n" },
                { "b", "[Job]\nType=group\nParameter=n:int\n[Group]\nRun=c\nRun=d\n" },
                { "c", "[Job]\nType=group\n[Group]\nRun=a\n" },
                { "d", "[Job]\nType=group\n[Group]\nRun=c\n" },
        };
        _cleanup_(config_report_deinit) ConfigReport report = CONFIG_REPORT_NULL;
        Fixture *f;
        uint64_t id;

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                assert_ok(load_spec(texts[i][0], texts[i][1], &report, &known[i]));
        assert_int_equal(job_references_check(known[0], lookup, NULL, &report), -EBADMSG);
        assert_string_equal(report.problems[0].message, "the group would run itself: a → b → c → a");
        assert_int_equal(report.problems[0].line, 5);
        assert_int_equal(job_references_check(known[3], lookup, NULL, &report), -EBADMSG);
        assert_string_equal(report.problems[1].message, "the group would run itself: d → c → a → b → d");
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                job_spec_unref(known[i]);

        /* A name that is made at run time is found out then. */
        f = fixture_new(NULL);
        id = engine_run(&f->engine, add_group(f, "self", "[Group]\nFor=self\nRun=${item}\n"));
        assert_ended(f, id, RUN_FAILED, "member-failed", NULL, 0);
        assert_non_null(strstr(ended(f, id)->message, "self: cycle"));
        fixture_free(f);
}

/* --- random programs beside a model --- */

#define NODES_MAX 40
#define CHILDREN_MAX 5

typedef struct Node Node;

struct Node {
        char name[8];
        int mode; /* -1: a leaf; then as the modes of groups */
        bool keep;
        usec_t duration, timeout;
        unsigned concurrency;
        unsigned n;
        Node *children[CHILDREN_MAX];
        /* what the model says */
        bool begun;
        RunState state;
        usec_t start, end;
};

typedef struct Program {
        Node nodes[NODES_MAX];
        unsigned n;
        unsigned random;
} Program;

static unsigned draw(unsigned *state, unsigned n)
{
        *state = *state * 1103515245U + 12345U;
        return (*state >> 8) % n;
}

/* Times that are never the same twice, so that the order of what happens is the model's. */
static usec_t draw_time(Program *p, unsigned max_msec)
{
        return (1 + draw(&p->random, max_msec)) * MSEC + draw(&p->random, 999);
}

static Node *make_node(Program *p, unsigned depth)
{
        Node *node = &p->nodes[p->n];

        *node = (Node){ .mode = depth == 0 ? -1 : (int)draw(&p->random, 4) - 1, .timeout = USEC_INFINITY };
        (void)snprintf(node->name, sizeof(node->name), "n%u", p->n++);
        if (draw(&p->random, 4) == 0)
                node->timeout = draw_time(p, 8000);
        if (node->mode < 0) {
                node->duration = draw_time(p, 4000);
                return node;
        }
        node->keep = node->mode != 2 && draw(&p->random, 3) == 0;
        node->concurrency = node->mode == 0 ? draw(&p->random, 4) : 0;
        for (unsigned n = 1 + draw(&p->random, CHILDREN_MAX); n > 0 && p->n < NODES_MAX - CHILDREN_MAX; n--)
                node->children[node->n++] = make_node(p, depth - 1);
        if (node->n == 0) {
                node->mode = -1;
                node->duration = draw_time(p, 4000);
        }
        return node;
}

static void add_node(Fixture *f, const Node *node)
{
        static const char *const modes[] = { "gather", "chain", "taskgroup" };
        _cleanup_buffer_ Buffer text = BUFFER_NULL;

        assert_ok(buffer_appendf(&text, "[Job]\nType=%s\n", node->mode < 0 ? "sleep" : "group"));
        if (node->timeout != USEC_INFINITY)
                assert_ok(buffer_appendf(&text, "TimeoutSec=%" PRIu64 "us\n", node->timeout));
        if (node->mode < 0)
                assert_ok(buffer_appendf(&text, "[Sleep]\nDuration=%" PRIu64 "us\n", node->duration));
        else
                assert_ok(buffer_appendf(&text, "[Group]\nMode=%s\nErrors=%s\nConcurrency=%u\n", modes[node->mode],
                                         node->keep ? "keep" : "raise", node->concurrency));
        for (unsigned i = 0; i < node->n; i++)
                assert_ok(buffer_appendf(&text, "Run=%s\n", node->children[i]->name));
        add(f, node->name, text.data);
}

static void forget(Node *node)
{
        node->begun = false;
        for (unsigned i = 0; i < node->n; i++)
                forget(node->children[i]);
}

static void model(Node *node, usec_t start, usec_t stop);

/*
 * Begins the children side by side: the next one whenever there is a place. CULPRIT, whose failure is
 * why the others stop, ends by itself.
 */
static void model_side_by_side(Node *node, usec_t start, usec_t stop, const Node *culprit)
{
        unsigned most = node->concurrency > 0 ? node->concurrency : node->n, n_active = 0;
        usec_t ends[CHILDREN_MAX];

        for (unsigned i = 0; i < node->n; i++)
                forget(node->children[i]);
        for (unsigned i = 0; i < node->n; i++) {
                usec_t at = start;

                if (n_active == most) {
                        unsigned first = 0;

                        for (unsigned k = 1; k < n_active; k++)
                                if (ends[k] < ends[first])
                                        first = k;
                        at = ends[first];
                        ends[first] = ends[--n_active];
                }
                if (at >= stop)
                        break;
                model(node->children[i], at, node->children[i] == culprit ? USEC_INFINITY : stop);
                ends[n_active++] = node->children[i]->end;
        }
}

static void model_chain(Node *node, usec_t start, usec_t stop)
{
        for (unsigned i = 0; i < node->n; i++)
                forget(node->children[i]);
        for (unsigned i = 0; i < node->n; i++) {
                model(node->children[i], start, stop);
                if (node->children[i]->state != RUN_SUCCEEDED)
                        break;
                start = node->children[i]->end;
        }
}

static void model_group(Node *node, usec_t stop)
{
        usec_t failure = USEC_INFINITY;
        const Node *culprit = NULL;
        bool failed = false;

        if (node->mode == 1)
                model_chain(node, node->start, stop);
        else
                model_side_by_side(node, node->start, stop, NULL);
        for (unsigned i = 0; i < node->n; i++)
                if (node->children[i]->begun && node->children[i]->state != RUN_SUCCEEDED && node->children[i]->end < failure) {
                        culprit = node->children[i];
                        failure = culprit->end;
                }
        if (node->mode == 2 && failure < stop)
                model_side_by_side(node, node->start, failure, culprit);
        node->end = node->start;
        for (unsigned i = 0; i < node->n; i++)
                if (node->children[i]->begun) {
                        node->end = MAX(node->end, node->children[i]->end);
                        failed = failed || node->children[i]->state != RUN_SUCCEEDED;
                }
        node->state = failed && !node->keep ? RUN_FAILED : RUN_SUCCEEDED;
}

/* What becomes of a run that begins at START and is told to end at STOP. */
static void model(Node *node, usec_t start, usec_t stop)
{
        usec_t timeout = usec_add(start, node->timeout), end = MIN(stop, timeout);

        node->begun = true;
        node->start = start;
        if (node->mode < 0) {
                node->state = RUN_SUCCEEDED;
                node->end = MIN(start + node->duration, end);
        } else {
                model_group(node, end);
        }
        if (node->end >= end)
                node->state = timeout < stop ? RUN_TIMEOUT : RUN_CANCELLED;
}

static void assert_as_modelled(const Fixture *f, const Node *node)
{
        const Record *record = NULL;

        for (size_t i = 0; i < f->n_ended; i++)
                if (streq(f->records[i].job, node->name)) {
                        assert_null(record);
                        record = &f->records[i];
                }
        if (!node->begun) {
                assert_null(record);
                return;
        }
        assert_non_null(record);
        if (record->state != node->state || record->started != node->start || record->finished != node->end)
                fail_msg("%s: %s from %" PRIu64 " to %" PRIu64 ", not %s from %" PRIu64 " to %" PRIu64, node->name,
                         run_state_to_string(record->state), record->started, record->finished,
                         run_state_to_string(node->state), node->start, node->end);
}

static void run_program(unsigned seed)
{
        Fixture *f = fixture_new(NULL);
        Program *p = new0(Program, 1);
        usec_t cancel;
        uint64_t id;
        Node *root;

        assert_non_null(p);
        p->random = seed;
        root = make_node(p, 4);
        for (unsigned i = 0; i < p->n; i++)
                add_node(f, &p->nodes[i]);
        cancel = draw(&p->random, 2) == 0 ? draw_time(p, 10000) : USEC_INFINITY;
        model(root, 0, cancel);
        id = engine_run(&f->engine, scheduler_find_job(f->engine.scheduler, root->name));
        if (cancel != USEC_INFINITY) {
                engine_advance_to(&f->engine, cancel);
                if (scheduler_find_run(f->engine.scheduler, id))
                        scheduler_cancel(f->engine.scheduler, scheduler_find_run(f->engine.scheduler, id));
        }
        engine_advance_to(&f->engine, 3600 * SEC);
        assert_null(scheduler_next_run(f->engine.scheduler, NULL));
        for (unsigned i = 0; i < p->n; i++)
                assert_as_modelled(f, &p->nodes[i]);
        free(p);
        fixture_free(f);
}

static void test_programs(_unused_ void **state)
{
        for (unsigned seed = 1; seed <= 400; seed++)
                run_program(seed * 7919);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                RUN(test_gather),      RUN(test_taskgroup),
                RUN(test_chain),       RUN(test_input),
                RUN(test_items),       RUN(test_concurrency),
                RUN(test_overlap),     RUN(test_max_runs),
                RUN(test_cancel),      RUN(test_retries_begin_anew),
                RUN(test_replace_members), RUN(test_replace_older_alone), RUN(test_remove_with_members), RUN(test_ten_thousand),
                RUN(test_abandon),     RUN(test_load_errors),
                RUN(test_cycles),      RUN(test_programs),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
