/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the log says of many events at once: never too much, and in its time of everybody. */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/rotation.h"
#include "daemon/event-log.h"
#include "daemon/stall-log.h"
#include "engine.h"

typedef struct Fixture {
        VirtualClock clock;
        TimerQueue *timers;
        EventBus events;
        EventLog log;
        int fd;       /* standard error: a file in memory */
        int saved_fd;
        char *text;   /* what was read of it last */
} Fixture;

static int set_up(void **state)
{
        Fixture *f = new0(Fixture, 1);

        assert_non_null(f);
        virtual_clock_init(&f->clock, START_BOOTTIME, START_REALTIME);
        f->timers = timer_queue_new(&f->clock.clock);
        event_bus_init(&f->events, &f->clock.clock);
        event_log_init(&f->log, false, &f->clock.clock, f->timers);
        event_bus_subscribe(&f->events, &f->log.observer);
        f->fd = memfd_create("log", MFD_CLOEXEC);
        f->saved_fd = dup(STDERR_FILENO);
        assert_true(f->fd >= 0 && f->saved_fd >= 0);
        assert_int_equal(dup2(f->fd, STDERR_FILENO), STDERR_FILENO);
        log_open(LOG_TARGET_CONSOLE, LOG_INFO);
        *state = f;
        return 0;
}

static int tear_down(void **state)
{
        Fixture *f = *state;

        event_log_deinit(&f->log);
        assert_int_equal(dup2(f->saved_fd, STDERR_FILENO), STDERR_FILENO);
        log_open(LOG_TARGET_CONSOLE, LOG_INFO);
        timer_queue_free(f->timers);
        close(f->fd);
        close(f->saved_fd);
        free(f->text);
        free(f);
        return 0;
}

static void fails(Fixture *f, const char *job)
{
        Event event = { .type = EVENT_FAILED, .job = job, .message = "it is broken" };

        event_bus_emit(&f->events, &event);
}

static void pass(Fixture *f, usec_t span)
{
        virtual_clock_advance(&f->clock, span);
        (void)timer_queue_dispatch(f->timers, f->clock.now_boottime, 0);
}

/* What was written since it was read last. */
static const char *read_log(Fixture *f)
{
        off_t n = lseek(f->fd, 0, SEEK_END);

        assert_true(n >= 0);
        free(f->text);
        f->text = new0(char, (size_t)n + 1);
        assert_non_null(f->text);
        assert_int_equal(pread(f->fd, f->text, (size_t)n, 0), n);
        assert_ok(ftruncate(f->fd, 0));
        assert_int_equal(lseek(f->fd, 0, SEEK_SET), 0);
        return f->text;
}

static unsigned count_lines(const char *text)
{
        unsigned n = 0;

        for (; (text = strchr(text, '\n')); text++)
                n++;
        return n;
}

/* Notes in SEEN who of dev@0 … dev@N-1 has a line of its own in TEXT, in NAMED who is there by name. */
static void note_seen(const char *text, bool *seen, bool *named, unsigned n)
{
        for (const char *p = text; (p = strstr(p, "dev@")); p += 4) {
                bool first = p == text || p[-1] == '\n';
                unsigned i;
                int end = 0;

                if (sscanf(p, "dev@%u%n", &i, &end) != 1 || i >= n)
                        continue;
                named[i] = true;
                seen[i] = seen[i] || (first && strncmp(p + end, ": failed: it is broken\n", 23) == 0);
        }
}

static unsigned count(const bool *flags, unsigned n)
{
        unsigned k = 0;

        for (unsigned i = 0; i < n; i++)
                k += flags[i];
        return k;
}

/* N instances fail once a second, always in the same order, for as many stretches as it takes until all were named. */
static void let_instances_fail(Fixture *f, unsigned n)
{
        unsigned per_name = (n + EVENT_LOG_NAMES_MAX - 1) / EVENT_LOG_NAMES_MAX, per_line = n / EVENT_LOG_BURST + 2;
        bool *seen = new0(bool, n), *named = new0(bool, n);

        assert_true(seen && named);
        for (unsigned stretch = 1; stretch <= per_line; stretch++) {
                const char *text;

                for (unsigned second = 0; second < 10; second++) {
                        for (unsigned i = 0; i < n; i++) {
                                char name[32];

                                (void)snprintf(name, sizeof(name), "dev@%u", i);
                                fails(f, name);
                        }
                        pass(f, SEC);
                }
                text = read_log(f);
                assert_true(count_lines(text) <= 2 * EVENT_LOG_BURST + 2);
                note_seen(text, seen, named, n);
                if (stretch == 2 * per_name)
                        assert_int_equal(count(named, n), n);
        }
        assert_int_equal(count(named, n), n);
        assert_int_equal(count(seen, n), n);
        free(seen);
        free(named);
}

static void test_instances(void **state)
{
        let_instances_fail(*state, 200);
}

static void test_many_instances(void **state)
{
        let_instances_fail(*state, 3000);
}

/* One that fails now and then among others that always do. */
static void test_rare_one(void **state)
{
        Fixture *f = *state;
        bool found = false;

        for (unsigned stretch = 0; stretch < 3 && !found; stretch++) {
                for (unsigned i = 0; i < 400; i++) {
                        char name[32];

                        (void)snprintf(name, sizeof(name), "dev@%u", i % 100);
                        fails(f, name);
                }
                fails(f, "dev@zz");
                pass(f, 11 * SEC);
                found = strstr(read_log(f), "dev@zz");
        }
        assert_true(found);
}

static void test_one_job(void **state)
{
        Fixture *f = *state;

        for (unsigned i = 0; i < 70; i++)
                fails(f, "room");
        assert_int_equal(count_lines(read_log(f)), EVENT_LOG_BURST);
        pass(f, 9 * SEC);
        assert_string_equal(read_log(f), "");
        /* Nothing else need happen for it to be told of. */
        pass(f, SEC);
        assert_string_equal(read_log(f), "room: failed: … 50 more like this\n");
        pass(f, 100 * SEC);
        fails(f, "room");
        assert_string_equal(read_log(f), "room: failed: it is broken\n");
        assert_false(timer_is_armed(&f->log.timer));
}

/* Jobs by the thousand that are no instances: what they all write is bounded, and each is named. */
static void test_many_jobs(void **state)
{
        enum { N = 2000 };
        bool named[N] = {};
        Fixture *f = *state;

        for (unsigned stretch = 0; stretch < 2 + N / EVENT_LOG_NAMES_MAX; stretch++) {
                const char *text, *p;

                for (unsigned i = 0; i < 3 * N; i++) {
                        char name[32];

                        (void)snprintf(name, sizeof(name), "job-%u", i % N);
                        fails(f, name);
                }
                pass(f, 10 * SEC);
                pass(f, 10 * SEC);
                text = read_log(f);
                assert_true(count_lines(text) <= EVENT_LOG_LINES_MAX + EVENT_LOG_BURST + EVENT_LOG_BURSTS_MAX + 1);
                for (p = text; (p = strstr(p, "job-")); p += 4)
                        named[strtoul(p + 4, NULL, 10) % N] = true;
        }
        assert_int_equal(count(named, N), N);
}

static void test_clock_set_back(void **state)
{
        Fixture *f = *state;

        for (unsigned i = 0; i < 30; i++)
                fails(f, "room");
        (void)read_log(f);
        f->clock.now_realtime -= 3600 * SEC;
        fails(f, "room");
        assert_string_equal(read_log(f), "room: failed: … 10 more like this\nroom: failed: it is broken\n");
}

static void test_end(void **state)
{
        Fixture *f = *state;

        for (unsigned i = 0; i < 30; i++) {
                char name[32];

                (void)snprintf(name, sizeof(name), "dev@%u", i);
                fails(f, name);
        }
        (void)read_log(f);
        event_log_deinit(&f->log);
        assert_string_equal(read_log(f), "dev@: failed: … 10 more like this, of dev@20, dev@21, dev@22, dev@23, dev@24, dev@25, "
                                         "dev@26, dev@27, dev@28, dev@29\n");
        timer_disarm(f->timers, &f->log.timer);
        event_bus_unsubscribe(&f->log.observer);
        f->log = (EventLog){};
}

/* --- the loop held up --- */

static void hold_up(Fixture *f, Loop *loop, const char *job)
{
        usec_t began = f->clock.now_boottime;

        activity_note_job("starting a run", job);
        pass(f, 60 * USEC_PER_MSEC);
        (void)loop_callback_ended(loop, began);
}

/* Where the time of a virtual clock went is the machine's matter. */
static void expect_stall(const char *text, const char *end)
{
        assert_memory_equal(text, "The loop was held up for 60ms (", strlen("The loop was held up for 60ms ("));
        assert_true(strlen(text) > strlen(end));
        assert_string_equal(text + strlen(text) - strlen(end), end);
}

static void test_stalls(void **state)
{
        static const char *const jobs[] = { "a", "b", "c", "d", "e", "hall", "room", "hall" };
        Fixture *f = *state;
        StallLog log;
        Loop *loop;

        assert_ok(loop_new(&f->clock.clock, &loop));
        stall_log_init(&log, loop);
        for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
                hold_up(f, loop, jobs[i]);
        assert_int_equal(count_lines(read_log(f)), STALL_LOG_BURST);
        pass(f, STALL_LOG_INTERVAL);
        hold_up(f, loop, "yard");
        expect_stall(read_log(f), " by starting a run: yard; 3 more since the last message, of hall, room\n");
        hold_up(f, loop, "yard");
        expect_stall(read_log(f), " by starting a run: yard\n");
        stall_log_deinit(&log);
        loop_free(loop);
}

/* --- rotation --- */

static void offer(Rotation *rotation, const char *names)
{
        for (; *names; names++)
                rotation_offer(rotation, (const char[]){ *names, '\0' });
}

static void expect_turn(Rotation *rotation, const char *names, bool full)
{
        char found[32] = "";

        for (size_t i = 0; i < rotation->n; i++)
                strcat(found, rotation->names[i]);
        assert_string_equal(found, names);
        assert_int_equal(rotation->full, full);
        rotation_next(rotation);
}

static void test_rotation(_unused_ void **state)
{
        _cleanup_(rotation_deinit) Rotation rotation = { .max = 3, .max_bytes = 100 };

        rotation_next(&rotation);
        offer(&rotation, "ba");
        expect_turn(&rotation, "ab", false);
        offer(&rotation, "edcbaabcde");
        expect_turn(&rotation, "abc", true);
        offer(&rotation, "edcbaabcde");
        expect_turn(&rotation, "dea", true);
        offer(&rotation, "abcde");
        expect_turn(&rotation, "bcd", true);
        offer(&rotation, "aa");
        expect_turn(&rotation, "a", false);
        offer(&rotation, "zabcde");
        expect_turn(&rotation, "eza", true);
        rotation.max_bytes = 2;
        offer(&rotation, "dcb");
        expect_turn(&rotation, "bc", true);
        rotation_offer(&rotation, "long");
        assert_int_equal(rotation.n, 1);
        rotation_offer(&rotation, "longer");
        expect_turn(&rotation, "long", true);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_instances, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_many_instances, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_rare_one, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_one_job, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_many_jobs, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_clock_set_back, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_end, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_stalls, set_up, tear_down),
                RUN(test_rotation),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
