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
                RUN(test_severities), RUN(test_caps), RUN(test_assignments_that_count), RUN(test_names), RUN(test_no_names),
                RUN(test_surroundings),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
