/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Warnings: reports that have both severities, names of jobs among many, and what is said of what is not there. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "job/name-check.h"
#include "job/surroundings.h"

/* --- reports --- */

static void assert_problem(const ConfigReport *report, size_t i, const char *text)
{
        _cleanup_buffer_ Buffer formatted = BUFFER_NULL;

        assert_true(i < report->n);
        assert_ok(config_problem_format(&report->problems[i], &formatted));
        assert_string_equal(buffer_string(&formatted), text);
}

static void test_severities(_unused_ void **state)
{
        _cleanup_(config_report_deinit) ConfigReport report = CONFIG_REPORT_NULL, copy = CONFIG_REPORT_NULL;

        config_report_warn(&report, "b", 2, 3, "odd %d", 1);
        assert_int_equal(config_report_add(&report, "b", 2, 1, "bad"), -EBADMSG);
        config_report_warn(&report, "a", 7, 0, "odder");
        assert_int_equal(report.n_warnings, 2);
        for (size_t i = 0; i < report.n; i++)
                config_report_add_copy(&copy, &report.problems[i]);
        config_report_sort(&copy);
        assert_int_equal(copy.n_warnings, 2);
        assert_problem(&copy, 0, "a:7: warning: odder");
        assert_problem(&copy, 1, "b:2:1: bad");
        assert_problem(&copy, 2, "b:2:3: warning: odd 1");
}

/* However many warnings there are, an error is told; and the other way round. */
static void test_caps(_unused_ void **state)
{
        _cleanup_(config_report_deinit) ConfigReport report = CONFIG_REPORT_NULL;
        JobWarnings *warnings = job_warnings_new();

        assert_non_null(warnings);
        for (unsigned i = 0; i < CONFIG_MAX_WARNINGS + 7; i++)
                config_report_warn(&report, "f", i, 0, "warning");
        for (unsigned i = 0; i < CONFIG_MAX_PROBLEMS + 5; i++)
                config_report_add(&report, "f", i, 0, "error");
        assert_int_equal(report.n, CONFIG_MAX_WARNINGS + CONFIG_MAX_PROBLEMS);
        assert_int_equal(report.n_dropped, 5);
        assert_int_equal(report.n_dropped_warnings, 7);
        for (unsigned i = 0; i < JOB_WARNINGS_MAX + 3; i++)
                assert_int_equal(job_warnings_add(warnings, "f", i, 1, "Key", "what"), i < JOB_WARNINGS_MAX);
        assert_int_equal(warnings->report.n, JOB_WARNINGS_MAX);
        assert_int_equal(warnings->report.n_dropped_warnings, 3);
        assert_problem(&warnings->report, 2, "f:2:1: warning: Key=: what");
        assert_null(job_warnings_unref(warnings));
}

/* Who finds them does so at different times. */
static void test_order(_unused_ void **state)
{
        JobWarnings *warnings = job_warnings_new();

        assert_non_null(warnings);
        assert_true(job_warnings_add(warnings, "a.job.d/x.conf", 2, 1, "D", "d"));
        assert_true(job_warnings_add(warnings, "a.job", 10, 1, "C", "c"));
        assert_true(job_warnings_add(warnings, "a.job", 9, 7, "B", "b"));
        assert_true(job_warnings_add(warnings, "a.job", 9, 3, "A", "a"));
        for (size_t i = 0; i < 4; i++)
                assert_int_equal(warnings->report.problems[i].message[0], "ABCD"[i]);
        assert_null(job_warnings_unref(warnings));
}

/* Only what stands behind the last empty assignment counts. */
static void test_assignments_that_count(_unused_ void **state)
{
        static const char text[] = "[A]\nK=1\nK=\nK=2\nL=3\n[B]\nK=4\n[A]\nK=5\n";
        _cleanup_(config_report_deinit) ConfigReport report = CONFIG_REPORT_NULL;
        _cleanup_(config_items_deinit) ConfigItems items = CONFIG_ITEMS_NULL;
        const ConfigItem *item;

        assert_ok(config_parse_text("f", text, strlen(text), &items, &report));
        item = config_items_next(&items, "A", "K", NULL);
        assert_string_equal(item->value, "2");
        item = config_items_next(&items, "A", "K", item);
        assert_string_equal(item->value, "5");
        assert_null(config_items_next(&items, "A", "K", item));
        assert_string_equal(config_items_next(&items, "A", "L", NULL)->value, "3");
        assert_null(config_items_next(&items, "A", "M", NULL));
}

/* --- names --- */

/* "job-00000", "job-00001" and so on, and then "zz@", a template. */
typedef struct Many {
        size_t n;
        char name[JOB_NAME_MAX + 1];
        bool only_links;
        unsigned n_named;
} Many;

static const char *name_of(size_t i, void *userdata)
{
        Many *many = userdata;

        many->n_named++;
        if (i + 1 == many->n)
                return "zz@";
        (void)snprintf(many->name, sizeof(many->name), "job-%05zu", i);
        return many->name;
}

static JobSpec *spec_of(size_t i, bool *ret_only_links, void *userdata)
{
        const Many *many = userdata;

        *ret_only_links = i + 1 == many->n && many->only_links;
        return NULL;
}

static JobSpec *load(const char *text)
{
        _cleanup_(config_report_deinit) ConfigReport report = CONFIG_REPORT_NULL;
        _cleanup_(config_items_deinit) ConfigItems items = CONFIG_ITEMS_NULL;
        JobSpec *spec;

        assert_ok(config_parse_text("f", text, strlen(text), &items, &report));
        assert_ok(job_spec_load_items("it", &items, &report, &spec));
        return spec;
}

/* What is warned of the job whose key On= has VALUE, "" for nothing. No step looks at more names than it may. */
static char *check_on(Many *many, NameCheck *check, const char *value)
{
        _cleanup_(job_spec_unrefp) JobSpec *spec = NULL;
        _cleanup_free_ char *text = NULL;
        int r = 0;

        assert_true(asprintf(&text, "[Job]\nType=sleep\n[Schedule]\nOn=%s.failed\n", value) > 0);
        spec = load(text);
        name_check_begin(check, spec);
        while (r == 0) {
                many->n_named = 0;
                r = name_check_step(check);
                assert_true(many->n_named <= 3 * NAME_CHECK_LOOKS);
        }
        assert_int_equal(r, 1);
        return strdup(spec->warnings ? spec->warnings->report.problems[0].message : "");
}

static void assert_on(Many *many, NameCheck *check, const char *value, const char *expected)
{
        _cleanup_free_ char *found = check_on(many, check, value);

        assert_string_equal(found, expected);
}

static void test_names(_unused_ void **state)
{
        Many many = { .n = 30000 };
        const JobNames names = { .n = many.n, .name = name_of, .spec = spec_of, .userdata = &many };
        NameCheck check = { .names = &names };

        assert_on(&many, &check, "job-00000", "");
        assert_on(&many, &check, "job-29998", "");
        assert_on(&many, &check, "zz@x", "");
        assert_on(&many, &check, "gather", "");
        assert_on(&many, &check, "job-2999?", "");
        assert_on(&many, &check, "zz@[a-c]*", "");
        assert_on(&many, &check, "job-3*", "On=: no job matches job-3*");
        /* Nobody looks through all names for that: nothing is said. */
        assert_on(&many, &check, "job-*x", "");
        assert_on(&many, &check, "jbo-00003", "On=: there is no job jbo-00003; did you mean job-00003?");
        assert_on(&many, &check, "zy@x", "On=: there is no job zy@x; did you mean zz@x?");
        assert_on(&many, &check, "nosuch", "On=: there is no job nosuch");
        many.only_links = true;
        assert_on(&many, &check, "zz@x", "On=: there is no job zz@x");
        assert_on(&many, &check, "zz@*", "");
        assert_on(&many, &check, "zz@y*", "On=: no job matches zz@y*");
        /* Nor is what was meant looked for without end. */
        check.n_suggestions = NAME_CHECK_SUGGESTIONS_MAX;
        assert_on(&many, &check, "jbo-00003", "On=: there is no job jbo-00003");
}

static void test_no_names(_unused_ void **state)
{
        Many many = {};
        const JobNames names = { .name = name_of, .spec = spec_of, .userdata = &many };
        NameCheck check = { .names = &names };

        assert_on(&many, &check, "nosuch", "On=: there is no job nosuch");
        assert_on(&many, &check, "*", "On=: no job matches *");
}

/* --- keys that do nothing, and members that events have not --- */

typedef struct Lines {
        const char *schedule; /* lines of [Schedule] … */
        const char *kind;     /* … of what comes behind it, which may begin with a section; NULL: a job that sleeps */
        const char *expected; /* the messages, one a line; "" for none */
} Lines;

static void assert_warnings(const Lines *lines)
{
        _cleanup_(job_spec_unrefp) JobSpec *spec = NULL;
        _cleanup_buffer_ Buffer text = BUFFER_NULL, found = BUFFER_NULL;

        assert_ok(buffer_appendf(&text, "[Schedule]\n%s\n%s\n", lines->schedule, lines->kind ?: "[Job]\nType=sleep"));
        spec = load(buffer_string(&text));
        for (size_t i = 0; spec->warnings && i < spec->warnings->report.n; i++)
                assert_ok(buffer_appendf(&found, "%s%s", i > 0 ? "\n" : "", spec->warnings->report.problems[i].message));
        assert_string_equal(buffer_string(&found), lines->expected);
}

#define NO_TRIGGER "does nothing, as no key of [Schedule] says at which times the job runs"
#define NEVER_MISSED "does nothing, as After= and OnStartup= are never missed, and no other key says at which times the job runs"
#define NO_FIXED_TIME "does nothing, as there is no OnCalendar=, Cron= or Exclude= and no Align= with an Every= of whole days"

static void test_idle_schedule_keys(_unused_ void **state)
{
        static const Lines table[] = {
                { "On=a.failed\nExclude=*:0\nUntil=2099-01-01\nCount=3\nAlign=yes", NULL,
                  "Exclude=: " NO_TRIGGER "\nUntil=: " NO_TRIGGER "\nCount=: " NO_TRIGGER "\nAlign=: " NO_TRIGGER },
                { "Persistent=yes\nMissedWindowSec=1h\nResume=no", "[Schedule]\nPersistent=\n[Job]\nType=sleep",
                  "MissedWindowSec=: " NO_TRIGGER "\nResume=: " NO_TRIGGER },
                { "Persistent=yes\nRandomizedDelaySec=1s\nFixedRandomDelay=yes\nAccuracySec=1s", NULL,
                  "Persistent=: " NO_TRIGGER "\nRandomizedDelaySec=: " NO_TRIGGER "\nFixedRandomDelay=: " NO_TRIGGER
                  "\nAccuracySec=: " NO_TRIGGER },
                { "DstGap=skip\nDstFold=both\nTimeZone=Europe/Berlin\nMissed=all", NULL,
                  "DstGap=: " NO_TRIGGER "\nDstFold=: " NO_TRIGGER "\nTimeZone=: does nothing, as the file names no time that is one of a zone"
                  "\nMissed=: " NO_TRIGGER },
                /* What says the default, in whatever way, asks for nothing. */
                { "Count=0\nMissed=skip\nResume=true\nRandomizedDelaySec=0s\nAccuracySec=1000us\nDstGap=after\nPersistent=off"
                  "\nMissedWindowSec=infinity\nMaxParallel=0\nMaxQueued=100\nFixedRandomDelay=no\nDstFold=\nAlign=", NULL, "" },
                { "After=1h\nMissed=latest\nMissedWindowSec=1h", NULL, "Missed=: " NEVER_MISSED "\nMissedWindowSec=: " NEVER_MISSED },
                { "OnStartup=1h\nPersistent=yes", NULL, "Persistent=: " NEVER_MISSED },
                { "OnStartup=1h\nAfter=1h\nResume=no\nCount=3\nRandomizedDelaySec=1s\nAccuracySec=1s\nUntil=2099-01-01", NULL, "" },
                { "OnStartup=1h\nResume=no", NULL, "Resume=: does nothing, as OnStartup= begins anew with each start of the daemon anyway" },
                { "OnStartup=1h\nResume=no\nCount=3", NULL, "" },
                { "Every=1h\nMissedWindowSec=1h\nFixedRandomDelay=yes", NULL,
                  "MissedWindowSec=: does nothing, as Missed= is skip\nFixedRandomDelay=: does nothing, as RandomizedDelaySec= is not set" },
                /* A sleeping machine misses times as well, and a pause does. */
                { "Every=1h\nMissed=all\nMissedWindowSec=1h\nResume=no", NULL, "" },
                { "Every=1h\nTimeZone=UTC\nDstGap=skip", NULL,
                  "TimeZone=: does nothing, as the file names no time that is one of a zone\nDstGap=: " NO_FIXED_TIME },
                { "Every=1h\nAlign=yes\nTimeZone=UTC\nDstFold=both", NULL, "DstFold=: " NO_FIXED_TIME },
                { "Every=2d\nAlign=yes\nTimeZone=UTC\nDstFold=both", NULL, "" },
                { "Every=1h\nExclude=*-*-* 02:*\nTimeZone=UTC\nDstGap=skip", NULL, "" },
                { "Every=1h\nUntil=2099-01-01\nTimeZone=UTC", NULL, "" },
                { "Every=1h\nUntil=2099-01-01 UTC\nTimeZone=UTC", NULL, "TimeZone=: does nothing, as the file names no time that is one of a zone" },
                { "At=2099-01-01\nTimeZone=UTC\nDstGap=skip", NULL, "DstGap=: " NO_FIXED_TIME },
                { "Cron=* * * * *\nTimeZone=UTC\nDstGap=skip\nDstFold=both", NULL, "" },
                { "TimeZone=Europe/Berlin", "[Job]\nType=exec\n[Exec]\nCommand=${env:X} ${scheduled:%H}", "" },
                { "TimeZone=Europe/Berlin", "[Job]\nType=exec\n[Exec]\nCommand=${env:X} ${scheduled@UTC:%H} ${scheduled}",
                  "TimeZone=: does nothing, as the file names no time that is one of a zone" },
                { "After=1h\nAlign=yes", NULL, "Align=: does nothing, as it is about the grid of Every=, which is not set" },
                { "After=1h\nAlign=no", NULL, "" },
                { "MaxParallel=3", NULL, "MaxParallel=: does nothing, as Overlap= is not parallel" },
                { "MaxParallel=3\nOverlap=parallel", NULL, "" },
                { "MaxQueued=3", NULL, "MaxQueued=: does nothing, as neither Overlap=queue nor On= lets runs of the job wait" },
                { "MaxQueued=3\nOverlap=skip\nOn=a.failed", NULL, "MaxQueued=: does nothing, as neither Overlap=queue nor On= lets runs of the job wait" },
                { "MaxQueued=3\nOn=a.failed", NULL, "" },
                { "MaxQueued=3\nOverlap=queue", NULL, "" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++)
                assert_warnings(&table[i]);
}

static void test_other_idle_keys(_unused_ void **state)
{
        static const Lines table[] = {
                { "", "[Job]\nType=sleep\nRetryDelaySec=2s\nRetryMaxDelaySec=1h\n[Publish]\nIndent=2",
                  "RetryDelaySec=: does nothing, as Retries= is not set\nRetryMaxDelaySec=: does nothing, as Retries= is not set"
                  "\nIndent=: does nothing, as File= is not set" },
                { "", "[Job]\nType=sleep\nRetries=1\nRetryDelaySec=2s\n[Publish]\nIndent=2\nFile=x", "" },
                { "", "[Job]\nType=blink\n[Blink]\nDuty=0.1", "Duty=: does nothing, as Led= is not set" },
                { "", "[Job]\nType=blink\n[Blink]\nDuty=0.50", "" },
                { "", "[Job]\nType=group\n[Group]\nRun=a\nConcurrency=2", "Concurrency=: does nothing, as there is nothing that could run side by side" },
                { "", "[Job]\nType=group\n[Group]\nMode=chain\nRun=a\nRun=b\nConcurrency=2",
                  "Concurrency=: does nothing, as there is nothing that could run side by side" },
                { "", "[Job]\nType=group\n[Group]\nMode=chain\nRun=a\nFor=1..3\nConcurrency=2", "" },
                { "", "[Job]\nType=group\n[Group]\nRun=a\nRun=b\nConcurrency=2", "" },
                { "", "[Job]\nType=http\n[Http]\nUrl=http://x\nConcurrency=0\nCaFile=/\nCertFile=/\nKeyFile=/\nVerify=no",
                  "Concurrency=: does nothing, as Requests= is 1\nCaFile=: does nothing, as the URL is one of http:// and no redirect is followed"
                  "\nCertFile=: does nothing, as the URL is one of http:// and no redirect is followed"
                  "\nKeyFile=: does nothing, as the URL is one of http:// and no redirect is followed"
                  "\nVerify=: does nothing, as the URL is one of http:// and no redirect is followed" },
                { "", "[Job]\nType=http\n[Http]\nUrl=https://x\nConcurrency=0\nRequests=2\nCaFile=/\nVerify=no",
                  "CaFile=: does nothing, as Verify= is no" },
                { "", "[Job]\nType=http\n[Http]\nUrl=http://x\nCaFile=/\nMaxRedirects=1", "" },
                { "", "[Job]\nType=http\n[Http]\nUrl=${env:X}\nVerify=no", "" },
                { "", "[Job]\nType=exec\n[Exec]\nCommand=x\nKillSignal=SIGKILL\nKillAfterSec=1s",
                  "KillAfterSec=: does nothing, as KillSignal= is SIGKILL already" },
                { "", "[Job]\nType=worker\n[Worker]\nCommand=x\nKillSignal=SIGKILL\nKillAfterSec=1s",
                  "KillAfterSec=: does nothing, as KillSignal= is SIGKILL already" },
                { "", "[Job]\nType=worker\n[Worker]\nCommand=x\nKillAfterSec=1s", "" },
                { "Overlap=parallel", "[Job]\nType=exec\n[Exec]\nCommand=x\nStartMethod=pool\nProcesses=2\nMinProcesses=2\nIdleSec=1s",
                  "IdleSec=: does nothing, as MinProcesses= is as many as Processes=, and so all are kept" },
                { "Overlap=parallel", "[Job]\nType=exec\n[Exec]\nCommand=x\nStartMethod=pool\nProcesses=2\nIdleSec=1s", "" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++)
                assert_warnings(&table[i]);
}

#define ON_EVENT "[Job]\nType=exec\n[Exec]\nCommand="

static void test_event_members(_unused_ void **state)
{
        static const Lines table[] = {
                { "On=a.failed", ON_EVENT "x ${event} ${event:event} ${event:outputs.temp.x} ${event:error.kind:-none}", "" },
                { "On=a.failed", ON_EVENT "x ${event:reslut} ${event:output.temp:-0}",
                  "Command=: ${event:reslut}: events have no member reslut; did you mean result?\n"
                  "Command=: ${event:output.temp:-0}: events have no member output; did you mean outputs?" },
                { "On=a.failed", ON_EVENT "x\nEnvironment=A=${event:temperature}",
                  "Environment=: ${event:temperature}: events have no member temperature, but event, job, run, state, time, message, data, "
                  "params, result, outputs and error" },
                { "", ON_EVENT "x ${event:job}", "Command=: ${event:job} has no value in any run, as no On= is set" },
                { "", ON_EVENT "x ${event:job:-none}", "" },
                { "", ON_EVENT "x ${event:typo}\n[Job]\nParameter=event:json", "" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++)
                assert_warnings(&table[i]);
}

/* --- what contradicts another file --- */

/* Of a job of two files, "a" and "a.d": the first problem, or warning, as it is formatted. */
static void assert_in_two_files(const char *first, const char *second, const char *expected)
{
        _cleanup_(config_report_deinit) ConfigReport report = CONFIG_REPORT_NULL;
        _cleanup_(config_items_deinit) ConfigItems items = CONFIG_ITEMS_NULL;
        _cleanup_(job_spec_unrefp) JobSpec *spec = NULL;

        assert_ok(config_parse_text("a", first, strlen(first), &items, &report));
        assert_ok(config_parse_text("a.d", second, strlen(second), &items, &report));
        (void)job_spec_load_items("it", &items, &report, &spec);
        assert_problem(spec ? &spec->warnings->report : &report, 0, expected);
}

static void test_contradictions(_unused_ void **state)
{
        assert_in_two_files("[Job]\nType=sleep\n[Schedule]\nEvery=1h\nMissed=all\n", "[Schedule]\n\nPersistent=yes\n",
                            "a:5:8: Missed=: Persistent=yes stands for Missed=latest: leave one of the two keys out "
                            "(Persistent= is set in a.d:3)");
        assert_in_two_files("[Job]\nType=sleep\n[Schedule]\nEvery=1h\nMissed=all\nPersistent=yes\n", "",
                            "a:5:8: Missed=: Persistent=yes stands for Missed=latest: leave one of the two keys out");
        assert_in_two_files("[Job]\nType=exec\n[Exec]\nCommand=x\nUser=root\n", "[Exec]\nStartMethod=pool\n",
                            "a:5:6: User=: belongs to StartMethod=unit (StartMethod= is set in a.d:2)");
        assert_in_two_files("[Job]\nType=sensor\n[Sensor]\nChoices=x\n", "[Sensor]\nDriver=file\nPath=x\n",
                            "a:4:1: Choices= is for Driver=sim, and this is Driver=file (Driver= is set in a.d:2)");
        assert_in_two_files("[Job]\nType=exec\n[Exec]\nCommand=x\n", "[Job]\nType=sleep\n",
                            "a:4:1: [Exec] belongs to Type=exec, and this job is Type=sleep (Type= is set in a.d:2)");
        assert_in_two_files("[Job]\nType=exec\n[Exec]\nCommand=x\nInput=x\n", "[Exec]\nInputJson=1\n",
                            "a.d:2:11: InputJson=: there can be one input only, of Input= and InputJson= (Input= is set in a:5)");
        assert_in_two_files("[Job]\nType=sleep\n[Schedule]\nMaxParallel=3\nOverlap=parallel\n", "[Schedule]\nOverlap=queue\n",
                            "a:4:13: warning: MaxParallel=: does nothing, as Overlap= is not parallel (Overlap= is set in a.d:2)");
}

/* --- what is looked for beside them --- */

static void test_surroundings(_unused_ void **state)
{
        const Surroundings nowhere = {}, daemon = { .directory = "/env", .path = "/env/bin:/bin", .of_daemon = true };
        Mention program = { .type = MENTION_PROGRAM, .key = "Command", .name = (char *)"tool" };
        Mention credential = { .type = MENTION_CREDENTIAL, .key = "Secret", .name = (char *)"pass" };
        Mention variable = { .type = MENTION_VARIABLE, .key = "Input", .name = (char *)"TAKT_NO_SUCH_VARIABLE" };
        _cleanup_free_ char *a = NULL, *b = NULL, *c = NULL, *d = NULL, *message = NULL;
        Look look;

        /* Without an environment, an absolute name alone can be looked for. */
        assert_int_equal(mention_to_look(&program, &nowhere, &look, &a), 0);
        assert_int_equal(mention_to_look(&program, &daemon, &look, &a), 1);
        assert_string_equal(look.path, "/env/bin:/bin");
        assert_false(look.by_another);
        program.name = (char *)"bin/tool";
        assert_int_equal(mention_to_look(&program, &nowhere, &look, &b), 0);
        program.directory = (char *)"sub";
        assert_int_equal(mention_to_look(&program, &daemon, &look, &b), 1);
        assert_string_equal(look.directory, "/env/sub");
        program.name = (char *)"/home/x/tool";
        assert_int_equal(mention_to_look(&program, &nowhere, &look, &c), 1);
        assert_true(look.by_another);
        /* A unit of systemd sees what the daemon's sandbox may hide. */
        message = mention_describe(&program, &daemon, -ENOENT, NULL);
        assert_string_equal(message, "there is no program /home/x/tool");
        program.foreign = true;
        assert_null(mention_describe(&program, &daemon, -ENOENT, NULL));
        /* Only the daemon knows what it has. */
        assert_int_equal(mention_to_look(&credential, &nowhere, &look, &d), 0);
        assert_int_equal(mention_to_look(&credential, &daemon, &look, &d), -ENOENT);
        assert_int_equal(mention_to_look(&variable, &nowhere, &look, &d), 0);
        assert_int_equal(mention_to_look(&variable, &daemon, &look, &d), -ENOENT);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                RUN(test_severities), RUN(test_caps), RUN(test_order), RUN(test_assignments_that_count), RUN(test_names), RUN(test_no_names),
                RUN(test_idle_schedule_keys), RUN(test_other_idle_keys), RUN(test_event_members), RUN(test_contradictions),
                RUN(test_surroundings),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
