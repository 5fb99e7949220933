/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pools of real processes, most of them small shell scripts. */
#include "test.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/log.h"
#include "base/string-util.h"
#include "process/pool-set.h"

#define WATCHDOG_USEC (60 * USEC_PER_SEC)
#define CALLS_MAX 2000U

typedef struct Fixture {
        Loop *loop;
        Spawner *spawner;
        Pool *pool;
        Timer watchdog;
        unsigned left;
        bool timed_out;
        unsigned n_answers;
        int errors[CALLS_MAX]; /* in the order of the answers */
        char *answers[CALLS_MAX];
        Buffer lines;
} Fixture;

static char *const environment[] = { (char *)"PATH=/usr/bin:/bin", NULL };

static void on_watchdog(Timer *timer, _unused_ usec_t now)
{
        Fixture *fixture = container_of(timer, Fixture, watchdog);

        fixture->timed_out = true;
        loop_exit(fixture->loop, 0);
}

static void forget_answers(Fixture *fixture)
{
        while (fixture->n_answers > 0)
                free(fixture->answers[--fixture->n_answers]);
}

static int setup(void **state)
{
        const char *dir = getenv("TAKT_BUILDDIR");
        _cleanup_free_ char *path = path_join(dir ? dir : ".", "takt-spawn");
        Fixture *fixture = new0(Fixture, 1);

        assert_non_null(fixture);
        fixture->watchdog.callback = on_watchdog;
        assert_ok(loop_new(clock_system(), &fixture->loop));
        assert_ok(spawner_new(fixture->loop, path, NULL, &fixture->spawner));
        *state = fixture;
        return 0;
}

static int teardown(void **state)
{
        Fixture *fixture = *state;

        pool_free(fixture->pool);
        spawner_free(fixture->spawner);
        loop_free(fixture->loop);
        forget_answers(fixture);
        buffer_deinit(&fixture->lines);
        free(fixture);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
        return 0;
}

static void on_line(_unused_ PoolCall *call, pid_t pid, const char *line, size_t n, void *userdata)
{
        Fixture *fixture = userdata;

        assert_true(pid > 0);
        assert_ok(buffer_append(&fixture->lines, line, n));
        if (--fixture->left == 0)
                loop_exit(fixture->loop, 0);
}

/* A pool of SCRIPT, run by a shell. */
static PoolConfig shell_pool(Fixture *fixture, const char *script)
{
        static char *argv[4];

        argv[0] = (char *)"/bin/sh";
        argv[1] = (char *)"-c";
        argv[2] = (char *)script;
        return (PoolConfig){
                .command = { .argv = argv, .environment = environment, .error_output = { .mode = SPAWN_CAPTURE },
                             .kill_after = 200 * USEC_PER_MSEC },
                .max_processes = 1,
                .max_queued = CALLS_MAX,
                .max_answer = 1000,
                .line = on_line,
                .userdata = fixture,
        };
}

static void start_pool(Fixture *fixture, const PoolConfig *config)
{
        assert_ok(pool_new(fixture->loop, fixture->spawner, config, &fixture->pool));
}

static void on_answer(PoolCall *call, int error, const char *answer, size_t n, void *userdata)
{
        Fixture *fixture = userdata;

        fixture->errors[fixture->n_answers] = error;
        fixture->answers[fixture->n_answers++] = answer ? strndup(answer, n) : NULL;
        pool_call_free(call);
        if (--fixture->left == 0)
                loop_exit(fixture->loop, 0);
}

static PoolCall *ask(Fixture *fixture, const char *line, usec_t timeout)
{
        PoolCall *call;

        assert_ok(pool_call(fixture->pool, line, strlen(line), timeout, on_answer, fixture, &call));
        fixture->left++;
        return call;
}

static void run(Fixture *fixture)
{
        assert_ok(timer_arm_after(loop_timers(fixture->loop), &fixture->watchdog, WATCHDOG_USEC));
        assert_ok(loop_run(fixture->loop));
        timer_disarm(loop_timers(fixture->loop), &fixture->watchdog);
        assert_false(fixture->timed_out);
}

static PoolStatus status_of(const Fixture *fixture)
{
        PoolStatus status;

        pool_get_status(fixture->pool, &status);
        return status;
}

/* Answers with its number and what it read. */
#define ECHO "while read -r x; do echo \"$$ $x\"; done"

static void test_one_process(void **state)
{
        Fixture *fixture = *state;
        PoolConfig config = shell_pool(fixture, ECHO);
        int first = 0;

        config.max_pipelined = 8;
        start_pool(fixture, &config);
        for (unsigned i = 0; i < 500; i++) {
                char line[32];

                (void)snprintf(line, sizeof(line), "call %u", i);
                (void)ask(fixture, line, USEC_INFINITY);
        }
        run(fixture);
        for (unsigned i = 0; i < 500; i++) {
                int pid;
                unsigned n;

                assert_int_equal(fixture->errors[i], 0);
                assert_int_equal(sscanf(fixture->answers[i], "%d call %u", &pid, &n), 2);
                first = first ?: pid;
                assert_int_equal(pid, first);
                assert_int_equal(n, i);
        }
        assert_int_equal(status_of(fixture).n_started, 1);
        assert_int_equal(status_of(fixture).n_answers, 500);
        assert_int_equal(status_of(fixture).n_calls, 0);
}

/* As many processes as there are calls at once; the calls run side by side. */
static void test_parallel(void **state)
{
        Fixture *fixture = *state;
        PoolConfig config = shell_pool(fixture, "while read -r x; do sleep 0.2; echo $x; done");
        usec_t begin = clock_boottime(clock_system());

        config.max_processes = 8;
        start_pool(fixture, &config);
        for (unsigned i = 0; i < 8; i++)
                (void)ask(fixture, "x", USEC_INFINITY);
        run(fixture);
        assert_int_equal(status_of(fixture).n_started, 8);
        assert_int_equal(status_of(fixture).n_idle, 8);
        assert_true(clock_boottime(clock_system()) - begin >= 200 * USEC_PER_MSEC);
}

static void test_warm(void **state)
{
        Fixture *fixture = *state;
        PoolConfig config = shell_pool(fixture, ECHO);

        config.min_processes = 3;
        config.max_processes = 4;
        start_pool(fixture, &config);
        assert_int_equal(status_of(fixture).n_processes, 3);
        (void)ask(fixture, "x", USEC_INFINITY);
        run(fixture);
        assert_int_equal(status_of(fixture).n_started, 3);
}

static void test_queue_full(void **state)
{
        Fixture *fixture = *state;
        PoolConfig config = shell_pool(fixture, ECHO);
        PoolCall *call = NULL;

        config.max_queued = 2;
        start_pool(fixture, &config);
        for (unsigned i = 0; i < 3; i++)
                (void)ask(fixture, "x", USEC_INFINITY);
        assert_int_equal(pool_call(fixture->pool, "x", 1, USEC_INFINITY, on_answer, fixture, &call), -EAGAIN);
        assert_int_equal(pool_call(fixture->pool, "x\ny", 3, USEC_INFINITY, on_answer, fixture, &call), -EINVAL);
        assert_null(call);
        run(fixture);
        assert_int_equal(fixture->n_answers, 3);
        (void)ask(fixture, "x", USEC_INFINITY);
        run(fixture);
}

/* The call that hangs fails and its process with it; those behind it are answered by another. */
static void test_timeout(void **state)
{
        Fixture *fixture = *state;
        PoolConfig config = shell_pool(fixture, "trap '' TERM; while read -r x; do [ $x = hang ] && sleep 1000; echo $x; done");

        config.max_pipelined = 4;
        start_pool(fixture, &config);
        (void)ask(fixture, "one", USEC_INFINITY);
        (void)ask(fixture, "hang", 300 * USEC_PER_MSEC);
        (void)ask(fixture, "two", USEC_INFINITY);
        (void)ask(fixture, "three", USEC_INFINITY);
        run(fixture);
        assert_string_equal(fixture->answers[0], "one");
        assert_int_equal(fixture->errors[1], -ETIMEDOUT);
        assert_string_equal(fixture->answers[2], "two");
        assert_string_equal(fixture->answers[3], "three");
        assert_int_equal(status_of(fixture).n_timeouts, 1);
        assert_int_equal(status_of(fixture).n_started, 2);
        assert_int_equal(status_of(fixture).n_deaths, 0);
}

/* One that waits behind a slow call times out alone. */
static void test_timeout_in_turn(void **state)
{
        Fixture *fixture = *state;
        PoolConfig config = shell_pool(fixture, "while read -r x; do [ $x = slow ] && sleep 2; echo $x; done");

        config.max_pipelined = 2;
        start_pool(fixture, &config);
        (void)ask(fixture, "slow", USEC_INFINITY);
        (void)ask(fixture, "impatient", 100 * USEC_PER_MSEC);
        (void)ask(fixture, "queued", 150 * USEC_PER_MSEC);
        (void)ask(fixture, "patient", USEC_INFINITY);
        run(fixture);
        assert_int_equal(fixture->errors[0], -ETIMEDOUT);
        assert_int_equal(fixture->errors[1], -ETIMEDOUT);
        assert_string_equal(fixture->answers[2], "slow");
        assert_string_equal(fixture->answers[3], "patient");
        assert_int_equal(status_of(fixture).n_started, 1);
        assert_int_equal(status_of(fixture).n_answers, 3);
}

static void test_given_up(void **state)
{
        Fixture *fixture = *state;
        PoolConfig config = shell_pool(fixture, ECHO);
        PoolCall *asked, *queued;

        start_pool(fixture, &config);
        asked = ask(fixture, "asked", USEC_INFINITY);
        queued = ask(fixture, "queued", USEC_INFINITY);
        pool_call_free(asked);
        pool_call_free(queued);
        fixture->left -= 2;
        (void)ask(fixture, "last", USEC_INFINITY);
        run(fixture);
        assert_int_equal(fixture->n_answers, 1);
        assert_non_null(strstr(fixture->answers[0], "last"));
        assert_int_equal(status_of(fixture).n_calls, 0);
}

static void test_recycled(void **state)
{
        Fixture *fixture = *state;
        PoolConfig config = shell_pool(fixture, ECHO);

        config.max_requests = 10;
        config.max_pipelined = 4;
        start_pool(fixture, &config);
        for (unsigned i = 0; i < 45; i++)
                (void)ask(fixture, "x", USEC_INFINITY);
        run(fixture);
        assert_int_equal(status_of(fixture).n_started, 5);
        assert_int_equal(status_of(fixture).n_recycled, 4);
        assert_int_equal(status_of(fixture).n_deaths, 0);
}

/* Every call kills its process; each is told, and no other is lost. */
static void test_deaths(void **state)
{
        Fixture *fixture = *state;
        PoolConfig config = shell_pool(fixture, "while read -r x; do [ $x = die ] && kill -9 $$; echo $x; done");

        config.max_processes = 2;
        config.max_pipelined = 2;
        start_pool(fixture, &config);
        for (unsigned i = 0; i < 30; i++) {
                (void)ask(fixture, "live", USEC_INFINITY);
                (void)ask(fixture, "die", USEC_INFINITY);
        }
        run(fixture);
        {
                unsigned died = 0;

                for (unsigned i = 0; i < 60; i++)
                        died += fixture->errors[i] == -EPIPE;
                assert_int_equal(died, 30);
        }
        assert_int_equal(status_of(fixture).n_answers, 30);
        assert_int_equal(status_of(fixture).n_deaths, 30);
}

/* Half a line, and the end. */
static void test_half_line(void **state)
{
        Fixture *fixture = *state;
        PoolConfig config = shell_pool(fixture, "read -r x; printf half");

        start_pool(fixture, &config);
        (void)ask(fixture, "x", USEC_INFINITY);
        run(fixture);
        assert_int_equal(fixture->errors[0], -EPIPE);
        assert_int_equal(status_of(fixture).n_partial, 1);
}

static void test_answers_twice(void **state)
{
        Fixture *fixture = *state;
        PoolConfig config = shell_pool(fixture, "while read -r x; do echo $x; echo $x; done");

        start_pool(fixture, &config);
        (void)ask(fixture, "1", USEC_INFINITY);
        run(fixture);
        assert_string_equal(fixture->answers[0], "1");
        (void)ask(fixture, "2", USEC_INFINITY);
        run(fixture);
        /* The second answer to "1" may have come before "2" was asked, or have been taken for its answer. */
        assert_true(fixture->errors[1] == 0 || fixture->errors[1] == -EPIPE);
        assert_true(status_of(fixture).n_unasked <= 2);
}

/* Answers begin as the question does. */
static int check_echo(PoolCall *call, const char *line, size_t n, void *userdata)
{
        assert_ptr_equal(pool_call_userdata(call), userdata);
        assert_true(pool_call_pid(call) >= 0);
        return n > 0 && line[0] == 'a' ? 0 : -EBADMSG;
}

/* What is no answer to the call ends the process, and the next call has another. */
static void test_wrong_answer(void **state)
{
        Fixture *fixture = *state;
        PoolConfig config = shell_pool(fixture, "while read -r x; do echo $x; done");

        config.check = check_echo;
        start_pool(fixture, &config);
        (void)ask(fixture, "a1", USEC_INFINITY);
        (void)ask(fixture, "b", USEC_INFINITY);
        (void)ask(fixture, "a2", USEC_INFINITY);
        run(fixture);
        assert_string_equal(fixture->answers[0], "a1");
        assert_int_equal(fixture->errors[1], -EBADMSG);
        assert_string_equal(fixture->answers[2], "a2");
        assert_int_equal(status_of(fixture).n_wrong, 1);
        assert_int_equal(status_of(fixture).n_started, 2);
        assert_int_equal(status_of(fixture).n_deaths, 0);
}

/* A call that is stopped takes its process with it, one that waits does not. */
static void test_stopped(void **state)
{
        Fixture *fixture = *state;
        PoolConfig config = shell_pool(fixture, "while read -r x; do [ $x = hang ] && sleep 1000; echo $x; done");
        PoolCall *hanging, *waiting;

        start_pool(fixture, &config);
        hanging = ask(fixture, "hang", USEC_INFINITY);
        waiting = ask(fixture, "waits", USEC_INFINITY);
        assert_null(pool_call_stop(waiting));
        assert_int_equal(status_of(fixture).n_stopped, 0);
        assert_null(pool_call_stop(hanging));
        assert_int_equal(status_of(fixture).n_stopped, 1);
        fixture->left -= 2;
        (void)ask(fixture, "next", USEC_INFINITY);
        run(fixture);
        assert_string_equal(fixture->answers[0], "next");
        assert_int_equal(status_of(fixture).n_started, 2);
}

static void on_drained(Pool *pool, void *userdata)
{
        Fixture *fixture = userdata;
        PoolStatus status;

        pool_get_status(pool, &status);
        assert_int_equal(status.n_processes, 0);
        fixture->pool = pool_free(pool);
        loop_exit(fixture->loop, 0);
}

/* Idle processes end by the end of their input, without a signal. */
static void test_drained(void **state)
{
        Fixture *fixture = *state;
        PoolConfig config = shell_pool(fixture, "while read -r x; do echo $x; done; echo bye >&2");
        PoolCall *call;

        config.max_processes = 3;
        start_pool(fixture, &config);
        for (unsigned i = 0; i < 3; i++)
                (void)ask(fixture, "x", USEC_INFINITY);
        run(fixture);
        fixture->left = 100;
        pool_drain(fixture->pool, on_drained, fixture);
        assert_int_equal(pool_call(fixture->pool, "x", 1, USEC_INFINITY, on_answer, fixture, &call), -EINVAL);
        run(fixture);
        assert_string_equal(buffer_string(&fixture->lines), "byebyebye");
        fixture->left = 0;
}

static void test_answer_too_long(void **state)
{
        Fixture *fixture = *state;
        PoolConfig config = shell_pool(fixture, "while read -r x; do head -c $x /dev/zero | tr '\\0' a; echo; done");

        start_pool(fixture, &config);
        (void)ask(fixture, "1000", USEC_INFINITY);
        (void)ask(fixture, "1001", USEC_INFINITY);
        (void)ask(fixture, "3", USEC_INFINITY);
        run(fixture);
        assert_int_equal(strlen(fixture->answers[0]), 1000);
        assert_int_equal(fixture->errors[1], -EMSGSIZE);
        assert_string_equal(fixture->answers[2], "aaa");
}

static void test_no_program(void **state)
{
        Fixture *fixture = *state;
        static char *argv[] = { (char *)"/dev/null/no-such-program", NULL };
        PoolConfig config = shell_pool(fixture, "");

        config.command.argv = argv;
        config.max_pipelined = 2;
        start_pool(fixture, &config);
        for (unsigned i = 0; i < 3; i++)
                (void)ask(fixture, "x", USEC_INFINITY);
        run(fixture);
        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(fixture->errors[i], -ENOTDIR);
        /* Not once for every call. */
        assert_int_equal(status_of(fixture).n_started, 1);
}

static void test_idle_shrinks(void **state)
{
        Fixture *fixture = *state;
        PoolConfig config = shell_pool(fixture, ECHO);

        config.min_processes = 1;
        config.max_processes = 5;
        config.idle = 50 * USEC_PER_MSEC;
        start_pool(fixture, &config);
        for (unsigned i = 0; i < 5; i++)
                (void)ask(fixture, "x", USEC_INFINITY);
        run(fixture);
        assert_int_equal(status_of(fixture).n_started, 5);
        /* Asked again and again until only one is there to answer. */
        while (status_of(fixture).n_processes > 1) {
                forget_answers(fixture);
                (void)ask(fixture, "x", USEC_INFINITY);
                run(fixture);
        }
        assert_int_equal(status_of(fixture).n_deaths, 0);
}

static void test_large_lines(void **state)
{
        Fixture *fixture = *state;
        PoolConfig config = shell_pool(fixture, "exec cat");
        _cleanup_free_ char *large = malloc(1000001);

        assert_non_null(large);
        memset(large, 'L', 1000000);
        large[1000000] = '\0';
        config.max_answer = 1000000;
        config.max_pipelined = 4;
        start_pool(fixture, &config);
        for (unsigned i = 0; i < 4; i++)
                (void)ask(fixture, large, USEC_INFINITY);
        run(fixture);
        for (unsigned i = 0; i < 4; i++)
                assert_string_equal(fixture->answers[i], large);
}

/* With calls under way everywhere. */
static void test_freed_busy(void **state)
{
        Fixture *fixture = *state;
        PoolConfig config = shell_pool(fixture, "sleep 1000");
        PoolCall *calls[6];

        config.max_processes = 2;
        config.max_pipelined = 2;
        start_pool(fixture, &config);
        for (unsigned i = 0; i < 6; i++)
                calls[i] = ask(fixture, "x", USEC_PER_SEC);
        fixture->pool = pool_free(fixture->pool);
        for (unsigned i = 0; i < 6; i++)
                pool_call_free(calls[i]);
        assert_int_equal(fixture->n_answers, 0);
}

static void test_helper_killed(void **state)
{
        Fixture *fixture = *state;
        PoolConfig config = shell_pool(fixture, ECHO);
        SpawnerStatus status;

        start_pool(fixture, &config);
        (void)ask(fixture, "before", USEC_INFINITY);
        run(fixture);
        spawner_get_status(fixture->spawner, &status);
        assert_int_equal(kill(status.helper_pid, SIGKILL), 0);
        /* Calls may still go to the process that dies with the helper, until another one has answered. */
        do {
                forget_answers(fixture);
                (void)ask(fixture, "x", USEC_INFINITY);
                run(fixture);
                assert_true(fixture->errors[0] == 0 || fixture->errors[0] == -EPIPE);
        } while (status_of(fixture).n_started < 2 || fixture->errors[0] < 0);
}

static void test_error_output(void **state)
{
        Fixture *fixture = *state;
        PoolConfig config = shell_pool(fixture, "while read -r x; do echo said >&2; echo $x; done");

        start_pool(fixture, &config);
        (void)ask(fixture, "x", USEC_INFINITY);
        fixture->left++; /* the line */
        run(fixture);
        assert_string_equal(buffer_string(&fixture->lines), "said");
}

/* Pools are the same one where everything of their processes is the same. */
static void test_shared(void **state)
{
        Fixture *fixture = *state;
        const PoolConfig config = shell_pool(fixture, ECHO);
        PoolConfig others[] = { config, config, config, config, config, config, config };
        _cleanup_(pool_set_freep) PoolSet *set = NULL;
        SharedPool *first, *other;

        others[0].command.starts_nothing = true;
        others[1].command.exit_type = SPAWN_EXIT_WITH_ALL;
        others[2].command.kill_mode = SPAWN_KILL_MAIN;
        others[3].command.error_output.mode = SPAWN_NULL;
        others[4].command.error_output.max_bytes = 17;
        others[5].answer_after_exit = true;
        others[6].max_queued--;
        assert_ok(pool_set_new(fixture->loop, fixture->spawner, &set));
        assert_int_equal(pool_set_hold(set, "a", &config, &first), 1);
        assert_int_equal(pool_set_hold(set, "a", &config, &other), 0);
        assert_ptr_equal(first, other);
        shared_pool_release(other);
        for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
                assert_int_equal(pool_set_hold(set, "a", &others[i], &other), 1);
                assert_ptr_not_equal(first, other);
                shared_pool_release(other);
        }
        shared_pool_release(first);
}

#define WITH_SPAWNER(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                WITH_SPAWNER(test_one_process),
                WITH_SPAWNER(test_parallel),
                WITH_SPAWNER(test_warm),
                WITH_SPAWNER(test_queue_full),
                WITH_SPAWNER(test_timeout),
                WITH_SPAWNER(test_timeout_in_turn),
                WITH_SPAWNER(test_given_up),
                WITH_SPAWNER(test_recycled),
                WITH_SPAWNER(test_deaths),
                WITH_SPAWNER(test_half_line),
                WITH_SPAWNER(test_answers_twice),
                WITH_SPAWNER(test_wrong_answer),
                WITH_SPAWNER(test_stopped),
                WITH_SPAWNER(test_drained),
                WITH_SPAWNER(test_answer_too_long),
                WITH_SPAWNER(test_no_program),
                WITH_SPAWNER(test_idle_shrinks),
                WITH_SPAWNER(test_large_lines),
                WITH_SPAWNER(test_freed_busy),
                WITH_SPAWNER(test_helper_killed),
                WITH_SPAWNER(test_error_output),
                WITH_SPAWNER(test_shared),
        };

        /* As every program with a pool does: its processes may die while they are written to. */
        (void)signal(SIGPIPE, SIG_IGN);
        log_open(LOG_TARGET_CONSOLE, LOG_ERR);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
