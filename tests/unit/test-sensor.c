/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Simulated input and conditions, on the real scheduler and a virtual clock. */
#include "test.h"

#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/string-util.h"
#include "engine.h"

#define VALUES_MAX 256U

typedef struct Fixture {
        Engine engine;
        char values[VALUES_MAX][16]; /* results of the runs of "keys" */
        size_t n;
        unsigned n_by_type[_EVENT_TYPE_MAX]; /* of those */
        char missed[128];     /* data of the last of its progress events */
        char last_error[128]; /* kind and message of the last run that ended otherwise */
        unsigned n_handled, n_skipped; /* of "handler" */
        char handled[256]; /* what it was started with */
} Fixture;

static void on_handler(Fixture *f, const Event *event)
{
        const JsonValue *value = json_get(json_get(run_params(event->run), "event"), "result");
        size_t n = strlen(f->handled);

        f->n_skipped += event->type == EVENT_SKIPPED;
        if (event->type != EVENT_SUCCEEDED)
                return;
        f->n_handled++;
        (void)snprintf(f->handled + n, sizeof(f->handled) - n, "%s ", json_string_or_null(value) ?: "?");
}

static void on_event(EventObserver *observer, const Event *event)
{
        Fixture *f = container_of(observer, Fixture, engine.observer);

        if (event->run && event->run->extra->error_kind)
                (void)snprintf(f->last_error, sizeof(f->last_error), "%s: %s", event->run->extra->error_kind, event->run->extra->error_message);
        if (streq(event->job, "handler") && event->run)
                on_handler(f, event);
        if (!streq(event->job, "keys") || !event->run)
                return;
        f->n_by_type[event->type]++;
        if (event->type == EVENT_PROGRESS)
                (void)snprintf(f->missed, sizeof(f->missed), "%s", event->data);
        if (event->type == EVENT_SUCCEEDED && f->n < VALUES_MAX)
                (void)snprintf(f->values[f->n++], sizeof(f->values[0]), "%s", event->run->result ?: "none");
}

static Fixture *fixture_new(void)
{
        Fixture *f = new0(Fixture, 1);

        assert_non_null(f);
        engine_init(&f->engine, on_event, NULL);
        return f;
}

static void fixture_free(Fixture *f)
{
        scheduler_abandon(f->engine.scheduler);
        engine_deinit(&f->engine);
        free(f);
}

static Job *add(Fixture *f, const char *name, const char *text)
{
        return engine_add(&f->engine, make_spec(name, text));
}

static void change(Fixture *f, Job *job, const char *text)
{
        JobSpec *spec = make_spec(job->name, text);

        scheduler_change_job(f->engine.scheduler, job, spec);
        job_spec_unref(spec);
}

static void run_now(Fixture *f, Job *job, const char *params)
{
        assert_ok(scheduler_run(f->engine.scheduler, job, &(RunRequest){ .trigger = RUN_TRIGGER_MANUAL, .params = params }, NULL));
        engine_pass(&f->engine, 0);
}

#define KEYS(schedule, sensor) "[Job]\nType=sensor\n[Schedule]\n" schedule "\n[Sensor]\nChoices=left right up down\n" sensor "\n"

/* Each reader of the same seed has the same, in every period; about as much as it was asked to. */
static void test_chance(_unused_ void **state)
{
        char first[VALUES_MAX][16];
        unsigned n_input = 0, n_left = 0;

        for (unsigned i = 0; i < 3; i++) {
                Fixture *f = fixture_new();

                add(f, "keys", i < 2 ? KEYS("Every=100ms", "PeriodSec=100ms\nSeed=7\nProbability=0.3") :
                                       KEYS("Every=100ms", "PeriodSec=100ms\nSeed=8\nProbability=0.3"));
                engine_pass(&f->engine, 21 * SEC);
                assert_in_range(f->n, 200, VALUES_MAX);
                assert_int_equal(f->n_by_type[EVENT_PROGRESS], 0);
                if (i == 0)
                        memcpy(first, f->values, sizeof(first));
                else
                        assert_int_equal(memcmp(first, f->values, 200 * sizeof(first[0])) == 0, i == 1);
                for (size_t k = 0; i == 0 && k < 200; k++) {
                        n_input += !streq(f->values[k], "null");
                        n_left += streq(f->values[k], "\"left\"");
                }
                if (i == 0)
                        assert_in_range(f->n_by_type[EVENT_YIELD], n_input, n_input + f->n - 200);
                fixture_free(f);
        }
        assert_in_range(n_input, 40, 80);
        assert_in_range(n_left, 5, 30);
}

/* Numbers stay numbers; 1 is always and 0 never; a second look in a period finds nothing new. */
static void test_values(_unused_ void **state)
{
        Fixture *f = fixture_new();
        Job *job = add(f, "keys", "[Job]\nType=sensor\n[Sensor]\nChoices=3.25\nProbability=1\n[Result]\nOutput=v: $\n");

        run_now(f, job, NULL);
        run_now(f, job, NULL);
        assert_string_equal(f->values[0], "3.25");
        assert_string_equal(f->values[1], "null");
        assert_int_equal(f->n_by_type[EVENT_YIELD], 1);
        engine_pass(&f->engine, SEC);
        run_now(f, job, NULL);
        assert_string_equal(f->values[2], "3.25");
        change(f, job, "[Job]\nType=sensor\n[Sensor]\nChoices=3.25\nProbability=0\n");
        engine_pass(&f->engine, SEC);
        run_now(f, job, NULL);
        assert_string_equal(f->values[3], "null");
        /* What it keeps is not that of another kind. */
        change(f, job, "[Job]\nType=sleep\n[Sleep]\nDuration=0\n");
        assert_null(job->extra->memo);
        run_now(f, job, NULL);
        fixture_free(f);
}

static void test_late_reader(_unused_ void **state)
{
        Fixture *f = fixture_new();
        Job *job = add(f, "keys", KEYS("", "PeriodSec=100ms\nProbability=1"));

        run_now(f, job, NULL);
        engine_pass(&f->engine, 150000);
        run_now(f, job, NULL);
        assert_int_equal(f->n_by_type[EVENT_PROGRESS], 0);
        /* Periods 2 to 5 have passed; 2 ended at 300 ms. */
        engine_pass(&f->engine, 480000);
        run_now(f, job, NULL);
        assert_int_equal(f->n_by_type[EVENT_PROGRESS], 1);
        assert_string_equal(f->missed, "{\"missed\":{\"lateUsec\":330000,\"lost\":4}}");
        /* On time again. */
        engine_pass(&f->engine, 100000);
        run_now(f, job, NULL);
        assert_int_equal(f->n_by_type[EVENT_PROGRESS], 1);
        fixture_free(f);
}

static void test_handler(_unused_ void **state)
{
        Fixture *f = fixture_new();

        add(f, "keys", KEYS("Every=100ms\nCount=50", "PeriodSec=100ms\nProbability=0.5\nSeed=3"));
        add(f, "handler", "[Job]\nType=sleep\nCondition=@.event.result != 'up'\n"
                          "[Schedule]\nOn=keys.yield\nOverlap=queue\n[Sleep]\nDuration=0\n");
        engine_pass(&f->engine, 10 * SEC);
        assert_int_equal(f->n_handled + f->n_skipped, f->n_by_type[EVENT_YIELD]);
        assert_true(f->n_by_type[EVENT_YIELD] < 50 && f->n_skipped > 0);
        assert_null(strstr(f->handled, "up"));
        assert_non_null(strstr(f->handled, "left"));
        assert_null(strchr(f->handled, '?'));
        fixture_free(f);
}

static void test_condition(_unused_ void **state)
{
        static const struct {
                const char *condition, *params;
                bool runs;
        } cases[] = {
                { "@.params.temp > 30", "{\"temp\":31}", true },
                { "@.params.temp > 30", "{\"temp\":30}", false },
                { "@.params.temp > 30", "{}", false },
                { "$.trigger == 'manual' && !@.event.job", "{}", true },
                { "@.event.job == 'x'", "{\"event\":{\"job\":\"x\"}}", true },
                { "@.last.v == null", "{}", false },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                Fixture *f = fixture_new();
                _cleanup_free_ char *text = xasprintf("[Job]\nType=sleep\nCondition=%s\n[Sleep]\nDuration=0\n", cases[i].condition);
                Job *job = add(f, "keys", text);

                run_now(f, job, cases[i].params);
                assert_int_equal(f->n_by_type[EVENT_SUCCEEDED], cases[i].runs);
                assert_int_equal(f->n_by_type[EVENT_SKIPPED], !cases[i].runs);
                if (!cases[i].runs)
                        assert_non_null(strstr(f->last_error, "condition: its condition does not hold: "));
                fixture_free(f);
        }
}

/* Outputs of the last success: a reading is only followed by another one while it is small. */
static void test_condition_last(_unused_ void **state)
{
        Fixture *f = fixture_new();
        Job *job = add(f, "keys", "[Job]\nType=sensor\nCondition=!@.last.v || @.last.v < 5\n"
                                  "[Sensor]\nChoices=7\nProbability=1\n[Result]\nOutput=v: $\n");

        run_now(f, job, NULL);
        run_now(f, job, NULL);
        assert_int_equal(f->n_by_type[EVENT_SUCCEEDED], 1);
        assert_int_equal(f->n_by_type[EVENT_SKIPPED], 1);
        fixture_free(f);
}

static void test_bad_keys(_unused_ void **state)
{
        static const struct {
                const char *text, *problem;
                unsigned column;
        } cases[] = {
                { "[Job]\nType=sensor\n", "needs Choices=", 0 },
                { "[Job]\nType=sensor\n[Sensor]\nChoices=a\nProbability=2\n", "0 to 1", 13 },
                { "[Job]\nType=sensor\n[Sensor]\nChoices=a\nPeriodSec=0\n", "1ms", 11 },
                { "[Job]\nType=sensor\n[Sensor]\nChoices=a\nDriver=radar\n", "radar", 8 },
                { "[Job]\nType=sleep\nCondition=@.temp >\n", "was expected", 19 },
                { "[Job]\nType=sleep\nCondition=temp > 30\n", "", 11 },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_(config_report_deinit) ConfigReport report = CONFIG_REPORT_NULL;
                const ConfigProblem *problem;
                JobSpec *spec;

                assert_int_equal(load_spec("bad", cases[i].text, &report, &spec), -EBADMSG);
                problem = &report.problems[0];
                if (!strstr(problem->message, cases[i].problem) || (cases[i].column > 0 && problem->column != cases[i].column))
                        fail_msg("case %zu: column %u: %s", i, problem->column, problem->message);
        }
}

static char *write_schema(const char *text)
{
        char *path = strdup("/tmp/takt-test-schema-XXXXXX");
        int fd = mkstemp(path);

        assert_ok(fd);
        assert_ok(write_all(fd, text, strlen(text)));
        close(fd);
        return path;
}

/* A result that does not fit fails, with the reason; so does one of a kind that makes its result itself. */
static void test_result_schema(_unused_ void **state)
{
        _cleanup_free_ char *path = write_schema("{\"type\":\"number\",\"minimum\":3}");
        static const struct {
                const char *job, *error;
        } cases[] = {
                { "[Job]\nType=sensor\n[Sensor]\nChoices=3\nProbability=1\n", NULL },
                { "[Job]\nType=sensor\n[Sensor]\nChoices=2\nProbability=1\n", "/: minimum: " },
                { "[Job]\nType=sensor\n[Sensor]\nChoices=x\nProbability=1\n", "/: type: " },
                { "[Job]\nType=countdown\n[Countdown]\nFrom=0\n", "/: type: " },
                { "[Job]\nType=sleep\n[Sleep]\nDuration=0\n", "/: type: " },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                Fixture *f = fixture_new();
                _cleanup_free_ char *text = xasprintf("%s[Result]\nSchema=%s\n", cases[i].job, path);

                run_now(f, add(f, "keys", text), NULL);
                assert_int_equal(f->n_by_type[EVENT_SUCCEEDED], !cases[i].error);
                assert_int_equal(f->n_by_type[EVENT_FAILED], !!cases[i].error);
                assert_int_equal(f->n_by_type[EVENT_YIELD], i == 0);
                if (cases[i].error && (!startswith(f->last_error, "schema: ") || !strstr(f->last_error, cases[i].error)))
                        fail_msg("case %zu: %s", i, f->last_error);
                fixture_free(f);
        }
        (void)unlink(path);
}

static void test_bad_schema(_unused_ void **state)
{
        static const char *const texts[][2] = {
                { "{\"type\":\"numbr\"}", "type" },
                { "{\"type\":", ":1:" },
                { "{\"$ref\":\"missing.json\"}", "missing.json" },
                { NULL, "No such file" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                _cleanup_free_ char *path = write_schema(texts[i][0] ?: "");
                _cleanup_free_ char *text = xasprintf("[Job]\nType=sleep\n[Result]\nSchema=%s\n", path);
                _cleanup_(config_report_deinit) ConfigReport report = CONFIG_REPORT_NULL;
                JobSpec *spec;

                if (!texts[i][0])
                        (void)unlink(path);
                assert_int_equal(load_spec("bad", text, &report, &spec), -EBADMSG);
                if (!strstr(report.problems[0].message, texts[i][1]))
                        fail_msg("case %zu: %s", i, report.problems[0].message);
                (void)unlink(path);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                RUN(test_chance),    RUN(test_values),         RUN(test_late_reader), RUN(test_handler),
                RUN(test_condition), RUN(test_condition_last), RUN(test_bad_keys),
                RUN(test_result_schema), RUN(test_bad_schema),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
