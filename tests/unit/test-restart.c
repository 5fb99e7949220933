/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "daemon/stop-reason.h"
#include "job/run-note.h"

static void test_note(_unused_ void **state)
{
        RunNote note;

        assert_ok(run_note_parse("run3 17 1 2 1000 4711 5 100 200 300 400 500 600 lab-job {\"a\":\"b c\"}", &note));
        assert_int_equal(note.id, 17);
        assert_int_equal(note.trigger, 1);
        assert_int_equal(note.attempts, 2);
        assert_int_equal(note.started_by.uid, 1000);
        assert_int_equal(note.started_by.pid, 4711);
        assert_int_equal(note.origin, 5);
        assert_int_equal(note.scheduled_realtime, 100);
        assert_int_equal(note.created_realtime, 200);
        assert_int_equal(note.started_realtime, 300);
        assert_int_equal(note.due_boottime, 400);
        assert_int_equal(note.started_boottime, 500);
        assert_int_equal(note.attempt_boottime, 600);
        assert_int_equal(note.job_len, 7);
        assert_memory_equal(note.job, "lab-job", 7);
        assert_string_equal(note.params, "{\"a\":\"b c\"}");
        assert_ok(run_note_parse("run3 17 0 1 0 0 0 0 0 0 0 0 0 x", &note));
        assert_null(note.params);
}

static void test_note_refused(_unused_ void **state)
{
        static const char *const texts[] = {
                "",
                "run3",
                "run2 17 0 1 0 0 0 0 0 0 0 0 0 x",
                "run3 0 0 1 0 0 0 0 0 0 0 0 0 x",
                "run3 17 99 1 0 0 0 0 0 0 0 0 0 x",
                "run3 17 0 0 0 0 0 0 0 0 0 0 0 x",
                "run3 17 0 1 0 0 0 0 0 0 0 0 0",
                "run3 17 0 1 0 0 0 0 0 0 0 0 0 ",
                "run3 17 0 1 0 0 0 0 0 0 0 0 0 ../x",
                "run3 17 0 1 0 0 0 0 0 0 0 0 x",
                "run3 99999999999999999999 0 1 0 0 0 0 0 0 0 0 0 x",
        };
        RunNote note;

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                assert_int_equal(run_note_parse(texts[i], &note), -EBADMSG);
}

static void check_unit(const char *cgroup, const char *expected, bool user)
{
        bool found_user = !user;
        _cleanup_free_ char *unit = stop_reason_unit(cgroup, &found_user);

        if (!expected) {
                assert_null(unit);
                return;
        }
        assert_non_null(unit);
        assert_string_equal(unit, expected);
        assert_int_equal(found_user, user);
}

static void test_unit(_unused_ void **state)
{
        check_unit("0::/system.slice/taktd.service\n", "taktd.service", false);
        check_unit("0::/system.slice/system-taktd.slice/taktd@srv-lab.service", "taktd@srv-lab.service", false);
        check_unit("0::/user.slice/user-7.slice/user@7.service/app.slice/taktd.service\n", "taktd.service", true);
        check_unit("12:cpu:/x\n1:name=systemd:/system.slice/taktd.service\n0::/\n", NULL, false);
        check_unit("1:name=systemd:/system.slice/taktd.service\n", "taktd.service", false);
        check_unit("0::/user.slice/user-0.slice/session-1.scope\n", NULL, false);
        check_unit("0::/\n", NULL, false);
        check_unit("0::", NULL, false);
        check_unit("", NULL, false);
}

static void test_is_restart(_unused_ void **state)
{
        assert_true(stop_reason_is_restart("123 taktd.service restart running\n", "taktd.service"));
        assert_true(stop_reason_is_restart("  1 a.service start waiting\n  2 taktd.service try-restart waiting\n", "taktd.service"));
        assert_false(stop_reason_is_restart("123 taktd.service stop running\n", "taktd.service"));
        assert_false(stop_reason_is_restart("123 other.service restart running\n", "taktd.service"));
        assert_false(stop_reason_is_restart("No jobs listed.\n", "taktd.service"));
        assert_false(stop_reason_is_restart("123 taktd.service", "taktd.service"));
        assert_false(stop_reason_is_restart("", "taktd.service"));
}

int main(void)
{
        const struct CMUnitTest tests[] = { RUN(test_note), RUN(test_note_refused), RUN(test_unit), RUN(test_is_restart) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
