/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Warnings: reports that have both severities. */
#include "test.h"

#include "config/file.h"

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

        for (unsigned i = 0; i < CONFIG_MAX_WARNINGS + 7; i++)
                config_report_warn(&report, "f", i, 0, "warning");
        for (unsigned i = 0; i < CONFIG_MAX_PROBLEMS + 5; i++)
                config_report_add(&report, "f", i, 0, "error");
        assert_int_equal(report.n, CONFIG_MAX_WARNINGS + CONFIG_MAX_PROBLEMS);
        assert_int_equal(report.n_dropped, 5);
        assert_int_equal(report.n_dropped_warnings, 7);
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

int main(void)
{
        const struct CMUnitTest tests[] = { RUN(test_severities), RUN(test_caps), RUN(test_assignments_that_count) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
