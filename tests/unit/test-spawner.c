/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands through a real takt-spawn on a real loop. */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/string-util.h"
#include "process/children.h"
#include "process/helper.h"
#include "process/spawner.h"

/* Long enough for a machine under load with sanitizers; reached only where something hangs. */
#define WATCHDOG_USEC (60 * USEC_PER_SEC)

typedef struct Fixture {
        Loop *loop;
        Spawner *spawner;
        Timer watchdog;
        Timer poll;
        bool (*done)(struct Fixture *fixture);
        unsigned running;
        bool timed_out;
} Fixture;

/* One command and all that was heard of it. */
typedef struct Heard {
        Fixture *fixture;
        SpawnedCommand *command;
        pid_t pid;
        unsigned n_exits;
        SpawnExit exit;
        char *output;
        char *error_output;
        uint64_t dropped;
        Buffer lines; /* each followed by '|' */
        bool stop_when_started;
        const char *stop_on_line;
} Heard;

static char *helper_path(void)
{
        const char *dir = getenv("TAKT_BUILDDIR");

        return path_join(dir ? dir : ".", "takt-spawn");
}

static void on_watchdog(Timer *timer, _unused_ usec_t now)
{
        Fixture *fixture = container_of(timer, Fixture, watchdog);

        fixture->timed_out = true;
        loop_exit(fixture->loop, 0);
}

static void on_poll(Timer *timer, _unused_ usec_t now)
{
        Fixture *fixture = container_of(timer, Fixture, poll);

        if (fixture->done(fixture))
                loop_exit(fixture->loop, 0);
        else
                assert_ok(timer_arm_after(loop_timers(fixture->loop), timer, 5 * USEC_PER_MSEC));
}

static void run(Fixture *fixture)
{
        fixture->watchdog.callback = on_watchdog;
        assert_ok(timer_arm_after(loop_timers(fixture->loop), &fixture->watchdog, WATCHDOG_USEC));
        assert_ok(loop_run(fixture->loop));
        timer_disarm(loop_timers(fixture->loop), &fixture->watchdog);
        assert_false(fixture->timed_out);
}

/* Runs the loop until DONE says so, which is asked every few milliseconds. */
static void run_until(Fixture *fixture, bool (*done)(Fixture *fixture))
{
        fixture->done = done;
        fixture->poll.callback = on_poll;
        assert_ok(timer_arm_after(loop_timers(fixture->loop), &fixture->poll, 0));
        run(fixture);
        timer_disarm(loop_timers(fixture->loop), &fixture->poll);
}

static int setup(void **state)
{
        _cleanup_free_ char *path = helper_path();
        Fixture *fixture = new0(Fixture, 1);

        assert_non_null(fixture);
        assert_ok(loop_new(clock_system(), &fixture->loop));
        assert_ok(spawner_new(fixture->loop, path, &fixture->spawner));
        *state = fixture;
        return 0;
}

static int teardown(void **state)
{
        Fixture *fixture = *state;

        spawner_free(fixture->spawner);
        loop_free(fixture->loop);
        free(fixture);
        /* No child is left, dead or alive. */
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
        assert_int_equal(errno, ECHILD);
        return 0;
}

static void on_started(SpawnedCommand *command, pid_t pid, void *userdata)
{
        Heard *heard = userdata;

        assert_true(pid > 0);
        assert_int_equal(heard->pid, 0);
        heard->pid = pid;
        if (heard->stop_when_started)
                spawned_command_stop(command);
}

static void on_line(SpawnedCommand *command, int fd, const char *line, size_t n, void *userdata)
{
        Heard *heard = userdata;

        assert_ok(buffer_appendf(&heard->lines, "%d:%.*s|", fd, (int)n, line));
        if (heard->stop_on_line && n == strlen(heard->stop_on_line) && memcmp(line, heard->stop_on_line, n) == 0)
                spawned_command_stop(command);
}

static void on_exited(SpawnedCommand *command, const SpawnExit *exit, void *userdata)
{
        Heard *heard = userdata;
        Buffer *output = spawned_command_output(command, 1), *error_output = spawned_command_output(command, 2);

        heard->n_exits++;
        heard->exit = *exit;
        if (output)
                heard->output = buffer_steal(output);
        if (error_output)
                heard->error_output = buffer_steal(error_output);
        heard->dropped = spawned_command_dropped(command, 1);
        heard->command = spawned_command_free(command);
        if (--heard->fixture->running == 0)
                loop_exit(heard->fixture->loop, 0);
}

static const SpawnCallbacks callbacks = { .started = on_started, .line = on_line, .exited = on_exited };

static void heard_deinit(Heard *heard)
{
        assert_true(heard->n_exits <= 1);
        spawned_command_free(heard->command);
        free(heard->output);
        free(heard->error_output);
        buffer_deinit(&heard->lines);
}
#define _cleanup_heard_ _cleanup_(heard_deinit)

static char *const default_environment[] = { (char *)"PATH=/usr/bin:/bin", NULL };

#define ARGV(...) ((char *[]){ __VA_ARGS__, NULL })
#define SHELL(script) ARGV((char *)"/bin/sh", (char *)"-c", (char *)(script))
/* A request that captures everything. */
#define REQUEST(arguments, ...)                                                       \
        ((SpawnRequest){ .argv = (arguments), .environment = default_environment,     \
                         .output = { .mode = SPAWN_CAPTURE, .max_bytes = 65536 },     \
                         .error_output = { .mode = SPAWN_CAPTURE, .max_bytes = 65536 }, \
                         .kill_after = 10 * USEC_PER_SEC, __VA_ARGS__ })

static void start(Fixture *fixture, Heard *heard, const SpawnRequest *request)
{
        heard->fixture = fixture;
        assert_ok(spawner_start(fixture->spawner, request, &callbacks, heard, &heard->command));
        fixture->running++;
}

static void start_and_run(Fixture *fixture, Heard *heard, const SpawnRequest *request)
{
        start(fixture, heard, request);
        run(fixture);
        assert_int_equal(heard->n_exits, 1);
}

static bool is_gone(pid_t pid)
{
        return kill(pid, 0) < 0 && errno == ESRCH;
}

static size_t count_fds(void)
{
        _cleanup_(closedirp) DIR *dir = opendir("/proc/self/fd");
        size_t n = 0;

        assert_non_null(dir);
        while (readdir(dir))
                n++;
        return n;
}

/* --- how commands end --- */

static void test_exit_status(void **state)
{
        for (int status = 0; status <= 255; status += 51) {
                _cleanup_free_ char *script = xasprintf("echo out; echo err >&2; exit %d", status);
                _cleanup_heard_ Heard heard = {};

                start_and_run(*state, &heard, &REQUEST(SHELL(script)));
                assert_int_equal(heard.exit.error, 0);
                assert_null(heard.exit.stage);
                assert_int_equal(heard.exit.code, CLD_EXITED);
                assert_int_equal(heard.exit.status, status);
                assert_false(heard.exit.truncated);
                assert_true(heard.pid > 0);
                assert_string_equal(heard.output, "out\n");
                assert_string_equal(heard.error_output, "err\n");
                assert_true(heard.exit.max_resident > 0);
        }
}

static void test_signals(void **state)
{
        for (int signo = 1; signo < SIGSYS + 1; signo++) {
                _cleanup_free_ char *script = xasprintf("ulimit -c 0; kill -%d $$; sleep 0.001; exit 77", signo);
                _cleanup_heard_ Heard heard = {};

                /* Ignored by default, or stopping. */
                if (signo == SIGCHLD || signo == SIGCONT || signo == SIGURG || signo == SIGWINCH || signo == SIGSTOP ||
                    signo == SIGTSTP || signo == SIGTTIN || signo == SIGTTOU)
                        continue;
                start_and_run(*state, &heard, &REQUEST(SHELL(script)));
                assert_int_equal(heard.exit.error, 0);
                assert_true(heard.exit.code == CLD_KILLED || heard.exit.code == CLD_DUMPED);
                assert_int_equal(heard.exit.status, signo);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_exit_status, setup, teardown),
                cmocka_unit_test_setup_teardown(test_signals, setup, teardown),
        };

        log_open(LOG_TARGET_CONSOLE, LOG_ERR);
        (void)count_fds;
        (void)run_until;
        (void)is_gone;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
