/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands through a real takt-spawn on a real loop. */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/directory-lock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/string-util.h"
#include "process/children.h"
#include "process/helper.h"
#include "process/protocol.h"
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
        unsigned left; /* of those to be started */
        bool timed_out;
        bool idle;
        pid_t watched;
        Spawner *watched_spawner;
        const char *directory;
        struct Heard *heard;
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
        assert_ok(spawner_new(fixture->loop, path, NULL, &fixture->spawner));
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
/* A request that captures everything, but for what is said otherwise. */
#pragma GCC diagnostic ignored "-Woverride-init"
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

static bool watched_is_gone(Fixture *fixture)
{
        return is_gone(fixture->watched);
}

static bool heard_has_pid(Fixture *fixture)
{
        return fixture->heard->pid > 0;
}

static bool heard_line(Fixture *fixture)
{
        return fixture->heard->lines.len > 0;
}

static bool heard_exit(Fixture *fixture)
{
        return fixture->heard->n_exits > 0;
}

static bool one_stray_is_told(Fixture *fixture)
{
        SpawnerStatus status;

        spawner_get_status(fixture->spawner, &status);
        return status.n_strays == 1;
}

static bool only_helper_is_left(Fixture *fixture)
{
        _cleanup_free_ pid_t *pids = NULL;
        SpawnerStatus status;
        size_t n;

        spawner_get_status(fixture->spawner, &status);
        assert_ok(children_list(&pids, &n));
        return n == 1 && pids[0] == status.helper_pid;
}

static char *make_directory(void)
{
        char *dir = strdup("/tmp/test-spawner.XXXXXX");

        assert_non_null(dir);
        assert_non_null(mkdtemp(dir));
        return dir;
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


/* Waits until PID is no more; it may have become our child meanwhile. */
static void run_until_gone(Fixture *fixture, pid_t pid)
{
        fixture->watched = pid;
        run_until(fixture, watched_is_gone);
}

static void test_not_executed(void **state)
{
        _cleanup_free_ char *dir = make_directory();
        _cleanup_free_ char *missing = path_join(dir, "missing"), *plain = path_join(dir, "plain"), *broken = path_join(dir, "broken"), *text = path_join(dir, "text");
        const struct {
                const char *program;
                const char *directory;
                const char *stage;
                int error;
        } cases[] = {
                { missing, NULL, "exec", -ENOENT },
                { "no-such-program", NULL, "exec", -ENOENT },
                { "", NULL, "exec", -ENOENT },
                { dir, NULL, "exec", -EACCES },
                { plain, NULL, "exec", -EACCES },
                { "plain", NULL, "exec", -EACCES },
                { broken, NULL, "exec", -ENOTDIR },
                { text, NULL, "exec", -ENOEXEC },
                { "true", missing, "chdir", -ENOENT },
        };
        _cleanup_free_ char *path = xasprintf("PATH=%s:/usr/bin:/bin", dir);
        char *environment[] = { path, NULL };

        assert_ok(write_file_atomic(plain, "#!/bin/sh\n", 10, 0644, false));
        assert_ok(write_file_atomic(broken, "#!/dev/null/sh\n", 15, 0755, false));
        assert_ok(write_file_atomic(text, "echo no interpreter\n", 20, 0755, false));
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_heard_ Heard heard = {};

                start_and_run(*state, &heard, &REQUEST(ARGV((char *)cases[i].program), .environment = environment,
                                                       .directory = cases[i].directory));
                assert_int_equal(heard.exit.error, cases[i].error);
                assert_string_equal(heard.exit.stage, cases[i].stage);
        }
        assert_int_equal(unlink(plain) + unlink(broken) + unlink(text) + rmdir(dir), 0);
}

static void test_shell_127(void **state)
{
        _cleanup_heard_ Heard heard = {};

        start_and_run(*state, &heard, &REQUEST(SHELL("no-such-command")));
        assert_int_equal(heard.exit.error, 0);
        assert_int_equal(heard.exit.status, 127);
}

static void test_refused(void **state)
{
        Fixture *fixture = *state;
        const SpawnLimit bad_limit = { .resource = 4711 };
        const SpawnRequest requests[] = {
                REQUEST(ARGV(NULL)),
                REQUEST(ARGV((char *)"true"), .directory = "relative"),
                REQUEST(ARGV((char *)"true"), .kill_signal = 4711),
                REQUEST(ARGV((char *)"true"), .set_umask = true, .umask = 077777),
                REQUEST(ARGV((char *)"true"), .limits = &bad_limit, .n_limits = 1),
                REQUEST(ARGV((char *)"true"), .input = { .mode = SPAWN_CAPTURE }),
                REQUEST(ARGV((char *)"true"), .output = { .mode = SPAWN_BYTES }),
        };
        _cleanup_free_ char *huge = malloc(SPAWNER_MAX_REQUEST + 1);
        SpawnedCommand *command = NULL;
        size_t n = count_fds();

        for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
                assert_int_equal(spawner_start(fixture->spawner, &requests[i], &callbacks, NULL, &command), -EINVAL);
        assert_non_null(huge);
        memset(huge, 'x', SPAWNER_MAX_REQUEST);
        huge[SPAWNER_MAX_REQUEST] = '\0';
        assert_int_equal(spawner_start(fixture->spawner, &REQUEST(ARGV((char *)"true", huge)), &callbacks, NULL, &command),
                         -E2BIG);
        assert_int_equal(spawner_start(fixture->spawner, &REQUEST(ARGV((char *)"true"), .input = { .mode = SPAWN_FD, .fd = -1 }),
                                       &callbacks, NULL, &command), -EBADF);
        assert_null(command);
        assert_int_equal(count_fds(), n);
}

/* --- what commands are given --- */

static void test_surroundings(void **state)
{
        const SpawnLimit limit = { .resource = RLIMIT_NOFILE, .limit = { .rlim_cur = 64, .rlim_max = 64 } };
        char *environment[] = { (char *)"PATH=/usr/bin:/bin", (char *)"A=b c", (char *)"NOTIFY_SOCKET=/x",
                                (char *)"LISTEN_FDS=1", (char *)"EMPTY=", NULL };
        _cleanup_heard_ Heard heard = {};

        start_and_run(*state, &heard, &REQUEST(
                        ARGV((char *)"sh", (char *)"-c", (char *)"pwd; umask; nice; ulimit -n; env | sort | grep -v ^_; ls /proc/self/fd | wc -l; "
                                           "cut -d ' ' -f 1,5,6 /proc/$$/stat; echo \"$1\"", (char *)"sh", (char *)"a  'b' $c"),
                        .environment = environment, .directory = "/usr", .set_umask = true, .umask = 027, .set_nice = true,
                        .nice = 7, .limits = &limit, .n_limits = 1));
        assert_int_equal(heard.exit.error, 0);
        {
                int pid = (int)heard.pid;
                _cleanup_free_ char *expected = xasprintf("/usr\n0027\n7\n64\nA=b c\nEMPTY=\nPATH=/usr/bin:/bin\nPWD=/usr\n4\n"
                                                          "%d %d %d\na  'b' $c\n", pid, pid, pid);

                assert_string_equal(heard.output, expected);
        }
}

/* Nothing of this process's signals is passed on; 32 and 33 are glibc's own and can't be touched. */
static void test_signal_state(void **state)
{
        _cleanup_heard_ Heard heard = {};
        unsigned n = 0;

        start_and_run(*state, &heard, &REQUEST(ARGV((char *)"grep", (char *)"-E", (char *)"^Sig(Blk|Ign)", (char *)"/proc/self/status")));
        for (const char *p = heard.output; (p = strchr(p, '\t')); p++, n++)
                assert_int_equal(strtoull(p, NULL, 16) & ~UINT64_C(0x180000000), 0);
        assert_int_equal(n, 2);
}

static void test_input(void **state)
{
        _cleanup_free_ char *bytes = malloc(300000);
        _cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        char elf[4] = "";
        _cleanup_heard_ Heard from_bytes = {}, from_null = {}, from_fd = {};

        assert_non_null(bytes);
        memset(bytes, 'y', 300000);
        start_and_run(*state, &from_bytes, &REQUEST(ARGV((char *)"wc", (char *)"-c"),
                                                    .input = { .mode = SPAWN_BYTES, .data = bytes, .n = 300000 }));
        assert_string_equal(from_bytes.output, "300000\n");
        start_and_run(*state, &from_null, &REQUEST(ARGV((char *)"wc", (char *)"-c")));
        assert_string_equal(from_null.output, "0\n");
        start_and_run(*state, &from_fd, &REQUEST(ARGV((char *)"head", (char *)"-c4"), .input = { .mode = SPAWN_FD, .fd = fd }));
        memcpy(elf, from_fd.output, 4);
        assert_memory_equal(elf, "\177ELF", 4);
}

/* Larger than a message: argument and environment travel in a memory file. */
static void test_large_request(void **state)
{
        char *arguments[32] = { (char *)"sh", (char *)"-c", (char *)"echo $# ${#1} ${#BIG}", (char *)"sh" };
        _cleanup_free_ char *large = malloc(60001), *variable = NULL;
        char *environment[] = { NULL, NULL };
        _cleanup_heard_ Heard heard = {};

        assert_non_null(large);
        memset(large, 'z', 60000);
        large[60000] = '\0';
        for (size_t i = 4; i < 30; i++)
                arguments[i] = large;
        variable = xasprintf("BIG=%s", large);
        environment[0] = variable;
        start_and_run(*state, &heard, &REQUEST(arguments, .environment = environment));
        assert_string_equal(heard.output, "26 60000 60000\n");
}

/* --- what commands print --- */

static void test_output_cap(void **state)
{
        Fixture *fixture = *state;
        _cleanup_heard_ Heard heard = {}, none = {};

        start(fixture, &heard, &REQUEST(SHELL("printf 0123456789; head -c 10485760 /dev/zero | tr '\\0' x; echo end >&2"),
                                        .output = { .mode = SPAWN_CAPTURE, .max_bytes = 1000 }));
        start(fixture, &none, &REQUEST(SHELL("echo much; exit 3"), .output = { .mode = SPAWN_CAPTURE }));
        run(fixture);
        assert_int_equal(strlen(heard.output), 1000);
        assert_memory_equal(heard.output, "0123456789xxx", 13);
        assert_int_equal(heard.dropped, 10485760 + 10 - 1000);
        assert_string_equal(heard.error_output, "end\n");
        assert_int_equal(heard.exit.status, 0);
        assert_string_equal(none.output, "");
        assert_int_equal(none.dropped, 5);
        assert_int_equal(none.exit.status, 3);
}

static void test_lines(void **state)
{
        _cleanup_heard_ Heard heard = {}, many = {};
        const char *expected = "1:one|1:|1:two three|1:partial|";
        size_t n = 0;

        start_and_run(*state, &heard, &REQUEST(SHELL("printf 'one\\n\\ntwo '; sleep 0.05; printf 'three\\npartial'"),
                                               .error_output = { .mode = SPAWN_NULL }));
        assert_string_equal(buffer_string(&heard.lines), expected);
        assert_string_equal(heard.output, "one\n\ntwo three\npartial");

        /* One line of 20000 bytes comes in pieces, and all of it. */
        start_and_run(*state, &many, &REQUEST(SHELL("head -c 20000 /dev/zero | tr '\\0' q >&2; echo >&2")));
        for (const char *p = buffer_string(&many.lines); *p; p++)
                n += *p == 'q';
        assert_int_equal(n, 20000);
        assert_true(many.lines.len > 20000 + 4 && many.lines.len < 20000 + 5 * 4);
}

/* The callback that hears a line may end the command. */
static void test_stop_on_line(void **state)
{
        _cleanup_heard_ Heard heard = { .stop_on_line = "now" };

        start_and_run(*state, &heard, &REQUEST(SHELL("echo first; echo now; exec sleep 1000")));
        assert_int_equal(heard.exit.code, CLD_KILLED);
        assert_int_equal(heard.exit.status, SIGTERM);
}

/* --- ending commands --- */

static void test_stop(void **state)
{
        _cleanup_heard_ Heard heard = { .stop_when_started = true };

        start_and_run(*state, &heard, &REQUEST(ARGV((char *)"sleep", (char *)"1000")));
        assert_int_equal(heard.exit.error, 0);
        assert_int_equal(heard.exit.code, CLD_KILLED);
        assert_int_equal(heard.exit.status, SIGTERM);
        assert_true(is_gone(heard.pid));
}

static void test_stop_at_once(void **state)
{
        Fixture *fixture = *state;
        _cleanup_heard_ Heard heard = {};

        start(fixture, &heard, &REQUEST(ARGV((char *)"sleep", (char *)"1000"), .kill_signal = SIGUSR1));
        spawned_command_stop(heard.command);
        spawned_command_stop(heard.command);
        run(fixture);
        assert_int_equal(heard.exit.code, CLD_KILLED);
        assert_int_equal(heard.exit.status, SIGUSR1);
}

static void test_kill_after(void **state)
{
        Fixture *fixture = *state;
        _cleanup_heard_ Heard ignoring = { .stop_on_line = "ready" }, at_once = { .stop_on_line = "ready" };
        char *script = (char *)"trap '' TERM; echo ready; while :; do sleep 0.02; done";
        SpawnerStatus status;

        start(fixture, &ignoring, &REQUEST(SHELL(script), .kill_after = 100 * USEC_PER_MSEC));
        start(fixture, &at_once, &REQUEST(SHELL(script), .kill_after = 0));
        run(fixture);
        assert_int_equal(ignoring.exit.status, SIGKILL);
        assert_int_equal(at_once.exit.status, SIGKILL);
        spawner_get_status(fixture->spawner, &status);
        assert_int_equal(status.n_kills, 1);
}

static void test_stopped_process(void **state)
{
        _cleanup_heard_ Heard heard = { .stop_on_line = "ready" };

        start_and_run(*state, &heard, &REQUEST(SHELL("echo ready; kill -STOP $$; sleep 1000"), .kill_after = USEC_INFINITY));
        assert_int_equal(heard.exit.code, CLD_KILLED);
        assert_int_equal(heard.exit.status, SIGTERM);
}

static void test_kill(void **state)
{
        Fixture *fixture = *state;
        _cleanup_heard_ Heard heard = {};

        start(fixture, &heard, &REQUEST(ARGV((char *)"sleep", (char *)"1000")));
        assert_int_equal(spawned_command_kill(heard.command, 0), -EINVAL);
        assert_ok(spawned_command_kill(heard.command, SIGINT));
        run(fixture);
        assert_int_equal(heard.exit.status, SIGINT);
}

static void test_free_before_exit(void **state)
{
        Fixture *fixture = *state;
        Heard heard = {};
        pid_t pid;

        start(fixture, &heard, &REQUEST(ARGV((char *)"sleep", (char *)"1000")));
        fixture->heard = &heard;
        run_until(fixture, heard_has_pid);
        pid = heard.pid;
        heard.command = spawned_command_free(heard.command);
        run_until_gone(fixture, pid);
        assert_int_equal(heard.n_exits, 0);
        heard_deinit(&heard);
}

/* --- what commands leave behind --- */

/* In the group, without the pipe: the run is over at once, the rest is ended. */
static void test_rest_of_group(void **state)
{
        Fixture *fixture = *state;
        _cleanup_heard_ Heard heard = {};

        start_and_run(fixture, &heard, &REQUEST(SHELL("sleep 1000 >/dev/null 2>&1 & echo $!")));
        assert_int_equal(heard.exit.status, 0);
        assert_false(heard.exit.truncated);
        run_until_gone(fixture, (pid_t)atoi(heard.output));
}

/* In the group, with the pipe, deaf to SIGTERM. */
static void test_held_pipe(void **state)
{
        Fixture *fixture = *state;
        _cleanup_heard_ Heard heard = {};

        start_and_run(fixture, &heard, &REQUEST(SHELL("(trap '' TERM; while :; do sleep 0.05; done) & echo $!; exit 5"),
                                                .kill_after = 100 * USEC_PER_MSEC));
        assert_int_equal(heard.exit.error, 0);
        assert_int_equal(heard.exit.status, 5);
        assert_true(heard.exit.truncated);
        run_until_gone(fixture, (pid_t)atoi(heard.output));
}

/*
 * The shell goes on once that process has escaped: one that is still of the group when the shell ends is no
 * stray, and may not live to tell its number.
 */
#define ESCAPE "pid=$( (setsid sh -c 'echo $$; exec sleep 1000 >/dev/null 2>&1' &) ); echo $pid"

/* Out of group and session, its parent dead. */
static void test_escaped(void **state)
{
        Fixture *fixture = *state;
        _cleanup_heard_ Heard heard = {};

        start_and_run(fixture, &heard, &REQUEST(SHELL(ESCAPE)));
        run_until_gone(fixture, (pid_t)atoi(heard.output));
        /* That one can be gone before the message about it is read. */
        run_until(fixture, one_stray_is_told);
}

/* Whose command still runs is left alone; the mark tells it from a command that is older. */
static void test_escaped_by_mark(void **state)
{
        Fixture *fixture = *state;
        char *one[] = { (char *)"PATH=/usr/bin:/bin", (char *)"MARK=1", NULL };
        char *two[] = { (char *)"PATH=/usr/bin:/bin", (char *)"MARK=2", NULL };
        char *three[] = { (char *)"PATH=/usr/bin:/bin", (char *)"MARK=3", NULL };
        _cleanup_heard_ Heard older = {}, running = {}, ended = {};
        pid_t kept;

        start(fixture, &older, &REQUEST(ARGV((char *)"sleep", (char *)"1000"), .environment = one, .mark = one[1]));
        start(fixture, &running, &REQUEST(SHELL(ESCAPE "; exec sleep 1000"), .environment = two, .mark = two[1]));
        start(fixture, &ended, &REQUEST(SHELL(ESCAPE), .environment = three, .mark = three[1]));
        fixture->heard = &running;
        run_until(fixture, heard_line);
        kept = (pid_t)atoi(buffer_string(&running.lines) + 2);
        fixture->heard = &ended;
        run_until(fixture, heard_exit);
        run_until_gone(fixture, (pid_t)atoi(ended.output));
        assert_false(is_gone(kept));
        spawned_command_stop(running.command);
        run_until_gone(fixture, kept);
        assert_int_equal(older.n_exits, 0);
        spawned_command_stop(older.command);
        if (fixture->running > 0)
                run(fixture);
}

/* --- what commands leave behind: ends that were chosen --- */

/* Each command has a mark of its own. */
#define MARKED_BY(m) .environment = (char *[]){ (char *)"PATH=/usr/bin:/bin", (char *)(m), NULL }, .mark = (m)
#define MARKED MARKED_BY("MARK=4")
/* In another session; the second in another group of the same one. */
#define FAR(script) "(setsid sh -c '" script "' >/dev/null 2>&1 &)\n"
#define OTHER_GROUP(script) "set -m\nsh -c '" script "' >/dev/null 2>&1 &\nset +m\n"
#define DEAF_FOR_EVER "trap \"\" TERM; while :; do sleep 0.05; done"

static bool heard_main_is_gone(Fixture *fixture)
{
        return fixture->heard->pid > 0 && is_gone(fixture->heard->pid);
}

/* What the helper had to say of HEARD before has been read once another command has come to its end. */
static void catch_up(Fixture *fixture)
{
        _cleanup_heard_ Heard other = {};
        Heard *heard = fixture->heard;

        start(fixture, &other, &REQUEST(ARGV((char *)"true")));
        fixture->heard = &other;
        run_until(fixture, heard_exit);
        fixture->heard = heard;
}

/* Where a process that nobody protects has been found and ended, all others were looked at as well. */
static void wait_for_scan(Fixture *fixture)
{
        _cleanup_heard_ Heard other = {};
        Heard *heard = fixture->heard;

        /* Without a mark it might be another command's. */
        start(fixture, &other, &REQUEST(SHELL(ESCAPE), MARKED_BY("MARK=scan")));
        fixture->heard = &other;
        run_until(fixture, heard_exit);
        run_until_gone(fixture, (pid_t)atoi(other.output));
        fixture->heard = heard;
}

static void test_left_is_counted(void **state)
{
        Fixture *fixture = *state;
        _cleanup_heard_ Heard none = {}, two = {}, stopped = {};

        start_and_run(fixture, &none, &REQUEST(SHELL("sleep 0 & wait")));
        assert_int_equal(none.exit.left, 0);
        start_and_run(fixture, &two, &REQUEST(SHELL(FAR("exec sleep 1000") "sleep 1000 >/dev/null 2>&1 &"), MARKED));
        assert_int_equal(two.exit.left, 2);
        /* What was told to end was not left. */
        stopped.stop_on_line = "go";
        start_and_run(fixture, &stopped, &REQUEST(SHELL("sleep 1000 >/dev/null 2>&1 & echo go; wait"), MARKED));
        assert_int_equal(stopped.exit.left, 0);
        run_until(fixture, only_helper_is_left);
}

static void touch(const char *dir, const char *name)
{
        _cleanup_free_ char *path = path_join(dir, name);

        assert_ok(write_file_atomic(path, "", 0, 0600, false));
}

static void remove_directory(const char *dir)
{
        _cleanup_free_ char *command = xasprintf("rm -rf '%s'", dir);

        assert_int_equal(system(command), 0);
}

static void test_exit_with_all(void **state)
{
        Fixture *fixture = *state;
        _cleanup_free_ char *dir = make_directory(), *script = NULL;
        _cleanup_heard_ Heard heard = { .fixture = fixture };

        script = xasprintf("(setsid sh -c 'until test -e %1$s/far; do sleep 0.02; done' >/dev/null 2>&1 &)\n"
                           "(until test -e %1$s/near; do sleep 0.02; done; echo late) &\necho now; exit 7", dir);
        start(fixture, &heard, &REQUEST(SHELL(script), MARKED, .exit_type = SPAWN_EXIT_WITH_ALL));
        fixture->heard = &heard;
        run_until(fixture, heard_main_is_gone);
        catch_up(fixture);
        wait_for_scan(fixture);
        assert_int_equal(heard.n_exits, 0);
        touch(dir, "near");
        /* It is the last one that counts: now in another session, known by its mark. */
        while (strcmp(buffer_string(&heard.lines), "1:now|1:late|") != 0)
                catch_up(fixture);
        wait_for_scan(fixture);
        assert_int_equal(heard.n_exits, 0);
        touch(dir, "far");
        run_until(fixture, heard_exit);
        assert_int_equal(heard.exit.code, CLD_EXITED);
        assert_int_equal(heard.exit.status, 7);
        assert_int_equal(heard.exit.left, 0);
        assert_false(heard.exit.truncated);
        assert_string_equal(heard.output, "now\nlate\n");
        remove_directory(dir);
}

/* Whatever is left of it, and wherever that went; by KILL_MODE. */
static void check_stop_with_all(Fixture *fixture, SpawnKillMode kill_mode)
{
        _cleanup_heard_ Heard heard = { .fixture = fixture };

        start(fixture, &heard, &REQUEST(SHELL(FAR(DEAF_FOR_EVER) OTHER_GROUP("exec sleep 1000") "(" DEAF_FOR_EVER ") &"), MARKED,
                                        .exit_type = SPAWN_EXIT_WITH_ALL, .kill_mode = kill_mode, .kill_after = 100 * USEC_PER_MSEC));
        fixture->heard = &heard;
        run_until(fixture, heard_main_is_gone);
        catch_up(fixture);
        assert_int_equal(heard.n_exits, 0);
        spawned_command_stop(heard.command);
        run_until(fixture, heard_exit);
        assert_int_equal(heard.exit.error, 0);
        assert_int_equal(heard.exit.status, 0);
        run_until(fixture, only_helper_is_left);
}

static void test_stop_with_all(void **state)
{
        check_stop_with_all(*state, SPAWN_KILL_ALL);
        check_stop_with_all(*state, SPAWN_KILL_MAIN_THEN_ALL);
}

/* Kills and reaps processes of ours that the helper has let be. */
static void end_spared(void)
{
        _cleanup_free_ pid_t *pids = NULL;
        size_t n;

        assert_ok(children_list(&pids, &n));
        for (size_t i = 0; i < n; i++) {
                (void)kill(pids[i], SIGKILL);
                assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
        }
}

/* What is left goes on: after the command's end, in spite of later looks for strays, and after the helper's end. */
static void test_kill_main(void **state)
{
        Fixture *fixture = *state;
        _cleanup_heard_ Heard left = { .fixture = fixture }, stopped = { .fixture = fixture }, waiting = { .fixture = fixture };
        pid_t near, far, child, last;

        start_and_run(fixture, &left, &REQUEST(SHELL(ESCAPE "; sleep 1000 >/dev/null 2>&1 & echo $!"), MARKED_BY("MARK=5"), .kill_mode = SPAWN_KILL_MAIN));
        assert_int_equal(sscanf(left.output, "%d\n%d\n", &far, &near), 2);
        assert_int_equal(left.exit.left, 2);

        start(fixture, &stopped, &REQUEST(SHELL("sleep 1000 >/dev/null 2>&1 & echo $!; trap '' TERM; while :; do sleep 0.05 >/dev/null 2>&1; done"),
                                          MARKED_BY("MARK=6"), .kill_mode = SPAWN_KILL_MAIN, .kill_after = 50 * USEC_PER_MSEC));
        fixture->heard = &stopped;
        run_until(fixture, heard_line);
        spawned_command_stop(stopped.command);
        run_until(fixture, heard_exit);
        assert_int_equal(stopped.exit.status, SIGKILL);
        child = atoi(stopped.output);

        start(fixture, &waiting, &REQUEST(SHELL("sleep 1000 >/dev/null 2>&1 & echo $!; exit 3"), MARKED_BY("MARK=7"), .kill_mode = SPAWN_KILL_MAIN,
                                          .exit_type = SPAWN_EXIT_WITH_ALL));
        fixture->heard = &waiting;
        run_until(fixture, heard_main_is_gone);
        catch_up(fixture);
        assert_int_equal(waiting.n_exits, 0);
        spawned_command_stop(waiting.command);
        run_until(fixture, heard_exit);
        assert_int_equal(waiting.exit.status, 3);
        assert_int_equal(waiting.exit.left, 1);
        last = atoi(waiting.output);

        wait_for_scan(fixture);
        spawner_free(TAKE_PTR(fixture->spawner));
        assert_false(is_gone(near) || is_gone(far) || is_gone(child) || is_gone(last));
        end_spared();
}

#define LEAVES_ONE REQUEST(SHELL("sleep 1000 >/dev/null 2>&1 &"), .output = { .mode = SPAWN_NULL }, \
                           .error_output = { .mode = SPAWN_NULL }, .kill_mode = SPAWN_KILL_MAIN)
#define BATCH 64U

/* So many commands, each of which leaves a process that is let be. */
static void leave_many(Fixture *fixture, unsigned n)
{
        for (unsigned i = 0; i < n; i += BATCH) {
                Heard heard[BATCH] = {};

                for (unsigned j = 0; j < BATCH; j++)
                        start(fixture, &heard[j], &LEAVES_ONE);
                run(fixture);
                for (unsigned j = 0; j < BATCH; j++) {
                        assert_int_equal(heard[j].exit.error, 0);
                        heard_deinit(&heard[j]);
                }
        }
}

/*
 * So many that a look for strays comes while commands that have ended already are being launched. None of
 * them has a mark.
 */
static void test_kill_main_of_short_ones(void **state)
{
        Fixture *fixture = *state;
        _cleanup_free_ pid_t *pids = NULL;
        size_t n;

        leave_many(fixture, 4 * BATCH);
        wait_for_scan(fixture);
        spawner_free(TAKE_PTR(fixture->spawner));
        assert_ok(children_list(&pids, &n));
        end_spared();
        assert_int_equal(n, 4 * BATCH);
}

static bool can_leave_one(Fixture *fixture)
{
        _cleanup_heard_ Heard heard = {};

        start_and_run(fixture, &heard, &LEAVES_ONE);
        if (heard.exit.error == 0)
                return true;
        assert_int_equal(heard.exit.error, -EDQUOT);
        assert_string_equal(heard.exit.stage, "request");
        return false;
}

/* Where as many are let be as may be, no more commands of that sort begin until one of these has ended. */
static void test_kill_main_is_capped(void **state)
{
        Fixture *fixture = *state;
        _cleanup_heard_ Heard first = {};

        start_and_run(fixture, &first, &REQUEST(SHELL("sleep 1000 >/dev/null 2>&1 & echo $!"), .kill_mode = SPAWN_KILL_MAIN));
        leave_many(fixture, SPAWN_SPARED_MAX - BATCH);
        for (unsigned i = 1; i < BATCH; i++)
                assert_true(can_leave_one(fixture));
        assert_false(can_leave_one(fixture));
        /* It is no matter of others. */
        wait_for_scan(fixture);
        assert_false(can_leave_one(fixture));
        assert_return_code(kill((pid_t)atoi(first.output), SIGKILL), errno);
        while (!can_leave_one(fixture))
                wait_for_scan(fixture);
        assert_false(can_leave_one(fixture));
        spawner_free(TAKE_PTR(fixture->spawner));
        end_spared();
}

/* The kill signal is for the main process alone, SIGKILL for what it leaves. */
static void test_kill_main_then_all(void **state)
{
        Fixture *fixture = *state;
        _cleanup_free_ char *dir = make_directory(), *script = NULL, *noted = path_join(dir, "term");
        _cleanup_heard_ Heard heard = { .stop_on_line = "go" };

        script = xasprintf("sh -c 'trap \"echo >%s\" TERM; echo go; while :; do sleep 0.05; done' & trap 'exit 3' TERM; wait", noted);
        start_and_run(fixture, &heard, &REQUEST(SHELL(script), .kill_mode = SPAWN_KILL_MAIN_THEN_ALL));
        assert_int_equal(heard.exit.status, 3);
        run_until(fixture, only_helper_is_left);
        assert_int_equal(access(noted, F_OK), -1);
        remove_directory(dir);
}

/* --- deaths --- */

/* kill -9 of the helper with commands, their children and escapees under way. */
static void test_helper_killed(void **state)
{
        Fixture *fixture = *state;
        Heard heard[20] = {};
        _cleanup_heard_ Heard after = {};
        SpawnerStatus status;

        for (unsigned i = 0; i < ARRAY_SIZE(heard); i++)
                start(fixture, &heard[i], &REQUEST(i % 2 == 0 ? ARGV((char *)"sleep", (char *)"1000") :
                                                   SHELL(ESCAPE "; trap '' TERM; sleep 1000")));
        fixture->heard = &heard[ARRAY_SIZE(heard) - 1];
        run_until(fixture, heard_line);
        spawner_get_status(fixture->spawner, &status);
        assert_int_equal(kill(status.helper_pid, SIGKILL), 0);
        run(fixture);
        for (unsigned i = 0; i < ARRAY_SIZE(heard); i++) {
                assert_int_equal(heard[i].n_exits, 1);
                assert_int_equal(heard[i].exit.error, -EOWNERDEAD);
                assert_string_equal(heard[i].exit.stage, "helper");
        }
        run_until(fixture, only_helper_is_left);
        for (unsigned i = 0; i < ARRAY_SIZE(heard); i++)
                heard_deinit(&heard[i]);

        start_and_run(fixture, &after, &REQUEST(SHELL("echo again")));
        assert_string_equal(after.output, "again\n");
        spawner_get_status(fixture->spawner, &status);
        assert_int_equal(status.n_restarts, 1);
}

static bool helper_is_restarted(Fixture *fixture)
{
        SpawnerStatus status;

        spawner_get_status(fixture->spawner, &status);
        return status.n_restarts > 0 && status.helper_pid > 0;
}

static pid_t leave_behind(const char *script, const char *entry)
{
        char *environment[] = { (char *)"PATH=/usr/bin:/bin", (char *)entry, NULL };
        char *argv[] = { (char *)"/bin/sh", (char *)"-c", (char *)script, NULL };
        pid_t pid = fork();

        if (pid == 0) {
                (void)setsid();
                (void)execve(argv[0], argv, environment);
                _exit(1);
        }
        return pid;
}

/* Reads a number that SCRIPT wrote as its first line into a pipe. */
static pid_t read_pid(int fd)
{
        char text[32] = "";

        for (size_t i = 0; i < sizeof(text) - 1 && read(fd, text + i, 1) == 1 && text[i] != '\n'; i++)
                ;
        return (pid_t)atoi(text);
}

/*
 * A shell started things in the background and then exec'd this process: its children are let be when the
 * helper dies, and what comes from them later, even though it ends up here as well. What the helper left is
 * ended, marked or not.
 */
static void test_helper_killed_among_others(_unused_ void **state)
{
        _cleanup_free_ char *path = helper_path();
        Fixture fixture = {};
        Heard marked = {}, session = {};
        pid_t older, escaped, late, grandchild;
        int fds[2], gate[2];
        SpawnerStatus status;
        char *script = NULL;

        assert_ok(setenv("TAKT_RUN", "outer", 1));
        assert_return_code(pipe2(fds, 0), errno);
        assert_return_code(pipe2(gate, 0), errno);
        older = leave_behind("exec sleep 1000", "TAKT_RUN=outer");
        script = xasprintf("read x <&%d; setsid sh -c 'echo $$ >&%d; exec sleep 1000' & exec sleep 1000", gate[0], fds[1]);
        late = leave_behind(script, "TAKT_RUN=outer");
        free(script);
        assert_true(older > 0 && late > 0);
        assert_ok(loop_new(clock_system(), &fixture.loop));
        assert_ok(spawner_new(fixture.loop, path, NULL, &fixture.spawner));
        start(&fixture, &marked, &REQUEST(SHELL(ESCAPE "; exec sleep 1000"), MARKED_BY("TAKT_RUN=1")));
        start(&fixture, &session, &REQUEST(SHELL("set -m; env -i sleep 1000 >/dev/null 2>&1 & echo $!; set +m; exec sleep 1000")));
        fixture.heard = &marked;
        run_until(&fixture, heard_line);
        fixture.heard = &session;
        run_until(&fixture, heard_line);
        escaped = (pid_t)atoi(buffer_string(&marked.lines) + 2);
        /* A process that begins after the helper, and comes here when its parent ends. */
        assert_int_equal(write(gate[1], "x\n", 2), 2);
        grandchild = read_pid(fds[0]);
        assert_true(grandchild > 0);
        assert_return_code(kill(late, SIGKILL), errno);
        assert_int_equal(waitpid(late, NULL, 0), late);

        spawner_get_status(fixture.spawner, &status);
        assert_return_code(kill(status.helper_pid, SIGKILL), errno);
        run(&fixture);
        run_until_gone(&fixture, escaped);
        run_until_gone(&fixture, (pid_t)atoi(buffer_string(&session.lines) + 2));
        run_until(&fixture, helper_is_restarted);
        spawner_free(fixture.spawner);
        loop_free(fixture.loop);
        assert_false(is_gone(older));
        assert_false(is_gone(grandchild));
        end_spared();
        heard_deinit(&marked);
        heard_deinit(&session);
        for (unsigned i = 0; i < 2; i++) {
                safe_close(fds[i]);
                safe_close(gate[i]);
        }
        assert_ok(unsetenv("TAKT_RUN"));
}

/* Again and again, with requests that come while there is none. */
static void test_helper_killed_often(void **state)
{
        Fixture *fixture = *state;
        size_t n = count_fds();

        for (unsigned i = 0; i < 4; i++) {
                Heard before = {}, queued = {}, cancelled = {};
                SpawnerStatus status;

                start(fixture, &before, &REQUEST(ARGV((char *)"sleep", (char *)"1000")));
                fixture->heard = &before;
                run_until(fixture, heard_has_pid);
                spawner_get_status(fixture->spawner, &status);
                assert_int_equal(kill(status.helper_pid, SIGKILL), 0);
                run_until(fixture, heard_exit);
                assert_int_equal(before.exit.error, -EOWNERDEAD);
                start(fixture, &queued, &REQUEST(SHELL("echo queued")));
                start(fixture, &cancelled, &REQUEST(SHELL("sleep 1000")));
                spawned_command_stop(cancelled.command);
                run(fixture);
                assert_string_equal(queued.output, "queued\n");
                /* Where it waited it never ran. */
                assert_true(cancelled.exit.error == -ECANCELED || cancelled.exit.status == SIGTERM);
                heard_deinit(&before);
                heard_deinit(&queued);
                heard_deinit(&cancelled);
        }
        run_until(fixture, only_helper_is_left);
        assert_int_equal(count_fds(), n);
}

static void stop_helper(SpawnedCommand *command, _unused_ pid_t pid, void *userdata)
{
        static const SpawnCallbacks *const rest = &callbacks;
        Heard *heard = userdata;
        SpawnerStatus status;

        rest->started(command, pid, userdata);
        spawner_get_status(heard->fixture->spawner, &status);
        assert_return_code(kill(status.helper_pid, SIGSTOP), errno);
        spawner_set_patience(heard->fixture->spawner, 100 * USEC_PER_MSEC);
}

/* One that is there and does nothing is as good as dead. */
static void test_helper_stopped(void **state)
{
        static const SpawnCallbacks stopping = { .started = stop_helper, .line = on_line, .exited = on_exited };
        Fixture *fixture = *state;
        _cleanup_heard_ Heard heard = {}, next = {};
        SpawnerStatus status;

        heard.fixture = fixture;
        fixture->running++;
        assert_ok(spawner_start(fixture->spawner, &REQUEST(ARGV((char *)"sleep", (char *)"1000")), &stopping, &heard,
                                &heard.command));
        log_set_max_level(LOG_CRIT);
        run(fixture);
        log_set_max_level(LOG_ERR);
        assert_int_equal(heard.exit.error, -EOWNERDEAD);
        run_until_gone(fixture, heard.pid);
        spawner_set_patience(fixture->spawner, SPAWNER_PATIENCE_USEC);
        start_and_run(fixture, &next, &REQUEST(SHELL("echo on")));
        assert_string_equal(next.output, "on\n");
        spawner_get_status(fixture->spawner, &status);
        assert_int_equal(status.n_restarts, 1);
        assert_true(status.helper_answers);
}

/* Whoever raises its own limit later does not raise that of commands, also not of those that another helper starts. */
static void test_descriptor_limit(void **state)
{
        Fixture *fixture = *state;
        _cleanup_heard_ Heard before = {}, after = {}, own = {};
        struct rlimit limit, raised;
        char expected[32];
        SpawnerStatus status;
        SpawnLimit wish = { .resource = RLIMIT_NOFILE };

        assert_return_code(getrlimit(RLIMIT_NOFILE, &limit), errno);
        (void)snprintf(expected, sizeof(expected), "%llu\n", (unsigned long long)limit.rlim_cur);
        start_and_run(fixture, &before, &REQUEST(SHELL("ulimit -n")));
        assert_string_equal(before.output, expected);
        raised = limit;
        raised.rlim_cur = limit.rlim_cur < limit.rlim_max ? limit.rlim_max : limit.rlim_cur - 1;
        assert_return_code(setrlimit(RLIMIT_NOFILE, &raised), errno);
        spawner_get_status(fixture->spawner, &status);
        assert_return_code(kill(status.helper_pid, SIGKILL), errno);
        run_until(fixture, helper_is_restarted);
        start_and_run(fixture, &after, &REQUEST(SHELL("ulimit -n")));
        assert_return_code(setrlimit(RLIMIT_NOFILE, &limit), errno);
        assert_string_equal(after.output, expected);
        wish.limit = (struct rlimit){ 100, 200 };
        start_and_run(fixture, &own, &REQUEST(SHELL("ulimit -Sn; ulimit -Hn"), .limits = &wish, .n_limits = 1));
        assert_string_equal(own.output, "100\n200\n");
}

static void copy_connection(_unused_ Spawner *spawner, int fd, void *userdata)
{
        *(int *)userdata = fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static bool heard_kept(Fixture *fixture)
{
        const Buffer *output = spawned_command_output(fixture->heard->command, 1);

        return output && output->len > 0;
}

static void note_idle(_unused_ Spawner *spawner, void *userdata)
{
        Fixture *fixture = userdata;

        fixture->idle = true;
}

static bool is_idle(Fixture *fixture)
{
        return fixture->idle;
}

static bool helper_is_reaped(Fixture *fixture)
{
        return helper_reap(fixture->watched, NULL);
}

static HeldCommand *find_held(Spawner *spawner, const char *note)
{
        HeldCommand *held = NULL;

        while ((held = spawner_next_held(spawner, held)))
                if (strcmp(held_command_note(held), note) == 0)
                        return held;
        return NULL;
}

/* Goes on with the command of NOTE, and hears of it from now on. */
static void adopt(Fixture *fixture, Spawner *spawner, const char *note, Heard *heard)
{
        HeldCommand *held = find_held(spawner, note);

        assert_non_null(held);
        heard->fixture = fixture;
        fixture->running++;
        assert_ok(spawner_adopt(held, 1024, &callbacks, heard, &heard->command));
}

/* COMMAND reads what is written into the pipe that ends in INPUT. */
static void start_fed(Fixture *fixture, Heard *heard, const char *command, const char *note, int input)
{
        SpawnRequest request = REQUEST(SHELL(command), .note = note);

        request.input = (SpawnInput){ .mode = SPAWN_FD, .fd = input };
        start(fixture, heard, &request);
}

/* Waits for the number of its process. */
static pid_t pid_of(Fixture *fixture, Heard *heard)
{
        fixture->heard = heard;
        run_until(fixture, heard_has_pid);
        assert_true(heard->pid > 0);
        return heard->pid;
}

/*
 * What goes on in another process: here in another spawner at a copy of the connection. One command has printed
 * and goes on, one has ended meanwhile, one is wanted by nobody, and one had no note.
 */
static void test_resumed(void **state)
{
        Fixture *fixture = *state;
        _cleanup_heard_ Heard first = {}, ended = {}, unwanted = {}, bare = {}, again = {}, again_ended = {};
        _cleanup_free_ char *path = helper_path();
        Spawner *old;
        SpawnerStatus status;
        int connection = -1, gate[2];
        pid_t unwanted_pid, bare_pid;

        spawner_outlive(fixture->spawner, copy_connection, &connection);
        assert_true(connection >= 0);
        assert_return_code(pipe2(gate, O_CLOEXEC), errno);
        start(fixture, &unwanted, &REQUEST(ARGV((char *)"sleep", (char *)"1000"), .note = "unwanted"));
        start(fixture, &bare, &REQUEST(ARGV((char *)"sleep", (char *)"1000")));
        start_fed(fixture, &ended, "read line; echo over; exit 3", "ended", gate[0]);
        start_fed(fixture, &first, "echo one; read line; echo two", "first", gate[0]);
        fixture->heard = &first;
        run_until(fixture, heard_kept);
        unwanted_pid = pid_of(fixture, &unwanted);
        bare_pid = pid_of(fixture, &bare);
        spawner_get_status(fixture->spawner, &status);
        spawner_leave(fixture->spawner);
        spawner_free(fixture->spawner);
        fixture->running = 0;
        /* Both go on, one of them to its end before anyone asks. */
        assert_int_equal(write(gate[1], "x\nx\n", 4), 4);
        assert_ok(spawner_new(fixture->loop, path, NULL, &fixture->spawner));

        assert_ok(spawner_resume(fixture->loop, connection, &old));
        assert_null(find_held(old, "none"));
        adopt(fixture, old, "first", &again);
        adopt(fixture, old, "ended", &again_ended);
        spawner_settle(old, note_idle, fixture);
        run(fixture);
        assert_string_equal(again.output, "one\ntwo\n");
        assert_int_equal(again.exit.status, 0);
        assert_int_equal(again.exit.error, 0);
        assert_string_equal(again_ended.output, "over\n");
        assert_int_equal(again_ended.exit.status, 3);
        run_until_gone(fixture, unwanted_pid);
        run_until_gone(fixture, bare_pid);
        /*
         * Nothing is left: that is told. The end of the connection is the end of the helper, which in this process, unlike
         * in a taktd that takes over, is a child still.
         */
        run_until(fixture, is_idle);
        spawner_free(old);
        fixture->watched = status.helper_pid;
        run_until(fixture, helper_is_reaped);
        assert_return_code(close(gate[0]), errno);
        assert_return_code(close(gate[1]), errno);
}

static bool watched_helper_is_dead(Fixture *fixture)
{
        return !spawner_is_connected(fixture->watched_spawner);
}

/* A helper that was started by another process dies: the children of this one are not what it left. */
static void test_resumed_dies(void **state)
{
        Fixture *fixture = *state;
        _cleanup_heard_ Heard first = {};
        _cleanup_free_ char *path = helper_path();
        int connection = -1, status;
        SpawnerStatus spawner_status;
        pid_t child;

        spawner_outlive(fixture->spawner, copy_connection, &connection);
        start(fixture, &first, &REQUEST(ARGV((char *)"sleep", (char *)"1000"), .note = "first"));
        (void)pid_of(fixture, &first);
        spawner_get_status(fixture->spawner, &spawner_status);
        spawner_leave(fixture->spawner);
        spawner_free(fixture->spawner);
        fixture->running = 0;
        child = fork();
        if (child == 0) {
                (void)pause();
                _exit(0);
        }
        assert_ok(spawner_new(fixture->loop, path, NULL, &fixture->spawner));
        assert_ok(spawner_resume(fixture->loop, connection, &fixture->watched_spawner));
        assert_return_code(kill(spawner_status.helper_pid, SIGKILL), errno);
        run_until(fixture, watched_helper_is_dead);
        fixture->watched = spawner_status.helper_pid;
        run_until(fixture, helper_is_reaped);
        spawner_free(fixture->watched_spawner);
        /* SIGKILL would have come before. */
        assert_return_code(kill(child, SIGTERM), errno);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(WTERMSIG(status), SIGTERM);
        /* In this process, unlike in a taktd that takes over, what the helper had comes to it. */
        assert_int_equal(waitpid(first.pid, NULL, 0), first.pid);
}

/* A connection that nobody answers, or that speaks something else, is given up. */
static void test_resume_nothing(void **state)
{
        static const char nonsense[200] = "what is this?";
        Fixture *fixture = *state;
        Spawner *old;
        int fds[2];

        assert_return_code(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), errno);
        assert_return_code(close(fds[1]), errno);
        assert_true(spawner_resume(fixture->loop, fds[0], &old) < 0);
        assert_return_code(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), errno);
        assert_int_equal(send(fds[1], nonsense, sizeof(nonsense), 0), sizeof(nonsense));
        assert_true(spawner_resume(fixture->loop, fds[0], &old) < 0);
        assert_return_code(close(fds[1]), errno);
}

/* --- very many orphans --- */

#define MANY 2000U

static bool helper_is_dead(Fixture *fixture)
{
        SpawnerStatus status;

        spawner_get_status(fixture->spawner, &status);
        return status.helper_pid != fixture->watched;
}

static size_t count_children(void)
{
        _cleanup_free_ pid_t *pids = NULL;
        size_t n;

        assert_ok(children_list(&pids, &n));
        return n;
}

/*
 * A dead helper left so many that the loop is not held up until all of them are reaped; and one that goes on.
 * None of them is told as a stray, as they did not outlive a command.
 */
static void test_many_orphans(void **state)
{
        Fixture *fixture = *state;
        SpawnerStatus status;

        spawner_get_status(fixture->spawner, &status);
        fixture->watched = status.helper_pid;
        for (unsigned i = 0; i < MANY; i++) {
                pid_t pid = vfork();

                if (pid == 0)
                        _exit(0);
                assert_true(pid > 0);
        }
        if (fork() == 0) {
                (void)pause();
                _exit(0);
        }
        assert_return_code(kill(status.helper_pid, SIGKILL), errno);
        run_until(fixture, helper_is_dead);
        assert_in_range(count_children(), MANY / 4, MANY);
        run_until(fixture, only_helper_is_left);
        spawner_get_status(fixture->spawner, &status);
        assert_int_equal(status.n_strays, 0);
}

/* --- the mark of a helper --- */

static bool is_nobody(_unused_ pid_t pid, _unused_ void *userdata)
{
        return false;
}

static pid_t find_mark(const char *dir)
{
        _cleanup_close_ int fd = directory_open(dir);

        assert_true(fd >= 0);
        return directory_find_mark(fd, is_nobody, NULL);
}

static bool mark_is_gone(Fixture *fixture)
{
        return find_mark(fixture->directory) == 0;
}

static bool helper_is_another(Fixture *fixture)
{
        SpawnerStatus status;

        spawner_get_status(fixture->spawner, &status);
        return status.helper_pid > 0 && status.helper_pid != fixture->watched;
}

/* A helper holds it until the last of its commands has ended, whatever becomes of who started it. */
static void test_mark(void **state)
{
        _cleanup_free_ char *dir = make_directory(), *path = helper_path();
        Fixture *fixture = *state;
        _cleanup_heard_ Heard heard = {};
        SpawnerStatus status;
        pid_t pid;

        fixture->directory = dir;
        spawner_free(fixture->spawner);
        assert_ok(spawner_new(fixture->loop, path, dir, &fixture->spawner));
        spawner_get_status(fixture->spawner, &status);
        assert_int_equal(find_mark(dir), status.helper_pid);
        /* The next one after a death. */
        fixture->watched = status.helper_pid;
        assert_return_code(kill(status.helper_pid, SIGKILL), errno);
        run_until(fixture, helper_is_another);
        spawner_get_status(fixture->spawner, &status);
        assert_int_equal(find_mark(dir), status.helper_pid);

        start(fixture, &heard, &REQUEST(SHELL("trap '' TERM; echo deaf; while :; do sleep 0.05; done"), .kill_after = 2 * USEC_PER_SEC));
        fixture->heard = &heard;
        run_until(fixture, heard_line);
        pid = heard.pid;
        fixture->running = 0;
        /* It waits a second, and the helper goes on alone. */
        spawner_free(TAKE_PTR(fixture->spawner));
        assert_int_equal(find_mark(dir), status.helper_pid);
        assert_return_code(kill(pid, 0), errno);
        run_until(fixture, mark_is_gone);
        assert_true(kill(pid, 0) < 0);
        assert_return_code(waitpid(status.helper_pid, NULL, 0), errno);
        assert_return_code(rmdir(dir), errno);
}

static void test_helper_missing(_unused_ void **state)
{
        _cleanup_(loop_freep) Loop *loop = NULL;
        Spawner *spawner = NULL;

        assert_ok(loop_new(clock_system(), &loop));
        assert_int_equal(spawner_new(loop, "/dev/null/takt-spawn", NULL, &spawner), -ENOTDIR);
        assert_null(spawner);
}

/* A program that isn't takt-spawn ends at once: what waits fails, and it isn't started in a tight circle. */
static void test_helper_useless(_unused_ void **state)
{
        Fixture fixture = {};
        _cleanup_heard_ Heard heard = {};
        SpawnerStatus status;

        assert_ok(loop_new(clock_system(), &fixture.loop));
        assert_ok(spawner_new(fixture.loop, "/bin/false", NULL, &fixture.spawner));
        start_and_run(&fixture, &heard, &REQUEST(ARGV((char *)"true")));
        assert_int_equal(heard.exit.error, -EOWNERDEAD);
        spawner_get_status(fixture.spawner, &status);
        assert_true(status.n_restarts <= 2);
        spawner_free(fixture.spawner);
        loop_free(fixture.loop);
}

/* kill -9 of the daemon: its helper ends all commands by itself. The orphans come to this process. */
static void test_daemon_killed(_unused_ void **state)
{
        _cleanup_buffer_ Buffer pids = BUFFER_NULL;
        int fds[2], status;
        pid_t daemon;

        assert_ok(prctl(PR_SET_CHILD_SUBREAPER, 1));
        assert_ok(pipe2(fds, O_CLOEXEC));
        daemon = fork();
        if (daemon == 0) {
                void *fixture = NULL;
                char *script = (char *)"echo $$; (setsid sh -c 'echo $$; exec sleep 1000' &) ; sleep 1000 & echo $!; "
                                       "trap '' TERM; while :; do sleep 0.1; done";

                (void)setup(&fixture);
                for (unsigned i = 0; i < 5; i++) {
                        static Heard heard[5];

                        start(fixture, &heard[i], &REQUEST(SHELL(script), .output = { .mode = SPAWN_FD, .fd = fds[1] },
                                                           .kill_after = 200 * USEC_PER_MSEC));
                }
                safe_close(fds[1]);
                run(fixture);
                _exit(0);
        }
        safe_close(fds[1]);
        /* Three numbers of each command. */
        for (unsigned n = 0; n < 15;) {
                char c;

                assert_int_equal(read(fds[0], &c, 1), 1);
                assert_ok(buffer_append_char(&pids, c));
                n += c == '\n';
        }
        assert_int_equal(kill(daemon, SIGKILL), 0);
        while (waitpid(-1, &status, 0) > 0)
                ;
        assert_int_equal(errno, ECHILD);
        for (char *p = pids.data; *p; p = strchr(p, '\n') + 1)
                assert_true(is_gone((pid_t)atoi(p)));
        safe_close(fds[0]);
}

/* --- many --- */

static void on_exited_in_row(SpawnedCommand *command, const SpawnExit *exit, void *userdata)
{
        Fixture *fixture = userdata;
        static const SpawnCallbacks row = { .exited = on_exited_in_row };

        if (command) {
                assert_int_equal(exit->error, 0);
                assert_int_equal(exit->status, 0);
                assert_string_equal(buffer_string(spawned_command_output(command, 1)), "x\n");
                spawned_command_free(command);
                if (--fixture->running == 0) {
                        loop_exit(fixture->loop, 0);
                        return;
                }
        }
        if (fixture->left > 0) {
                fixture->left--;
                assert_ok(spawner_start(fixture->spawner, &REQUEST(ARGV((char *)"echo", (char *)"x")), &row, fixture, &command));
        }
}

static void test_thousand_in_row(void **state)
{
        Fixture *fixture = *state;
        size_t n = count_fds();
        SpawnerStatus status;

        fixture->running = 1000;
        fixture->left = 1000;
        for (unsigned i = 0; i < 4; i++)
                on_exited_in_row(NULL, NULL, fixture);
        run(fixture);
        run_until(fixture, only_helper_is_left);
        assert_int_equal(count_fds(), n);
        spawner_get_status(fixture->spawner, &status);
        assert_int_equal(status.n_commands, 0);
        assert_int_equal(status.n_started, 1000);
        assert_int_equal(status.n_restarts, 0);
}

static void test_hundreds_at_once(void **state)
{
        Fixture *fixture = *state;
        Heard heard[200] = {};

        for (unsigned i = 0; i < ARRAY_SIZE(heard); i++)
                start(fixture, &heard[i], &REQUEST(SHELL("read x; echo $x"), .input = { .mode = SPAWN_BYTES, .data = "in\n", .n = 3 }));
        run(fixture);
        for (unsigned i = 0; i < ARRAY_SIZE(heard); i++) {
                assert_string_equal(heard[i].output, "in\n");
                heard_deinit(&heard[i]);
        }
}

/* Pipes that can't be made are an error of that command alone. */
static void test_no_descriptors(void **state)
{
        Fixture *fixture = *state;
        struct rlimit old, none = {};
        SpawnedCommand *command = NULL;
        _cleanup_heard_ Heard heard = {};

        assert_ok(getrlimit(RLIMIT_NOFILE, &old));
        none.rlim_max = old.rlim_max;
        assert_ok(setrlimit(RLIMIT_NOFILE, &none));
        assert_int_equal(spawner_start(fixture->spawner, &REQUEST(ARGV((char *)"true")), &callbacks, NULL, &command), -EMFILE);
        assert_ok(setrlimit(RLIMIT_NOFILE, &old));
        start_and_run(fixture, &heard, &REQUEST(ARGV((char *)"true")));
        assert_int_equal(heard.exit.status, 0);
}

static void test_stat_parse(_unused_ void **state)
{
        ProcessStat stat;

        assert_ok(process_stat_parse("42 (a) b) (c)) S 7 40 41 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2 3 4096", &stat));
        assert_int_equal(stat.state, 'S');
        assert_int_equal(stat.parent, 7);
        assert_int_equal(stat.group, 40);
        assert_int_equal(stat.session, 41);
        assert_int_equal(stat.n_threads, 1);
        assert_int_equal(stat.start_ticks, 987654);
        assert_true(stat.executed);
        assert_false(process_stat_is_over(&stat));
        stat.state = 'Z';
        assert_true(process_stat_is_over(&stat));
        stat.n_threads = 2;
        assert_false(process_stat_is_over(&stat));
        assert_int_equal(process_stat_parse("", &stat), -EBADMSG);
        assert_int_equal(process_stat_parse("42 (x) S 7 42", &stat), -EBADMSG);
        assert_ok(process_stat_read(getpid(), &stat));
        assert_int_equal(stat.parent, getppid());
        assert_true(stat.start_ticks <= process_ticks_now());
}

#define WITH_SPAWNER(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                WITH_SPAWNER(test_exit_status),
                WITH_SPAWNER(test_signals),
                WITH_SPAWNER(test_not_executed),
                WITH_SPAWNER(test_shell_127),
                WITH_SPAWNER(test_refused),
                WITH_SPAWNER(test_surroundings),
                WITH_SPAWNER(test_signal_state),
                WITH_SPAWNER(test_input),
                WITH_SPAWNER(test_large_request),
                WITH_SPAWNER(test_output_cap),
                WITH_SPAWNER(test_lines),
                WITH_SPAWNER(test_stop_on_line),
                WITH_SPAWNER(test_stop),
                WITH_SPAWNER(test_stop_at_once),
                WITH_SPAWNER(test_kill_after),
                WITH_SPAWNER(test_stopped_process),
                WITH_SPAWNER(test_kill),
                WITH_SPAWNER(test_free_before_exit),
                WITH_SPAWNER(test_rest_of_group),
                WITH_SPAWNER(test_held_pipe),
                WITH_SPAWNER(test_escaped),
                WITH_SPAWNER(test_escaped_by_mark),
                WITH_SPAWNER(test_left_is_counted),
                WITH_SPAWNER(test_exit_with_all),
                WITH_SPAWNER(test_stop_with_all),
                WITH_SPAWNER(test_kill_main),
                WITH_SPAWNER(test_kill_main_of_short_ones),
                WITH_SPAWNER(test_kill_main_is_capped),
                WITH_SPAWNER(test_kill_main_then_all),
                WITH_SPAWNER(test_helper_killed),
                WITH_SPAWNER(test_helper_killed_often),
                RUN(test_helper_killed_among_others),
                WITH_SPAWNER(test_helper_stopped),
                WITH_SPAWNER(test_resumed),
                WITH_SPAWNER(test_resumed_dies),
                WITH_SPAWNER(test_resume_nothing),
                WITH_SPAWNER(test_many_orphans),
                WITH_SPAWNER(test_descriptor_limit),
                WITH_SPAWNER(test_mark),
                RUN(test_helper_missing),
                RUN(test_helper_useless),
                RUN(test_daemon_killed),
                WITH_SPAWNER(test_thousand_in_row),
                WITH_SPAWNER(test_hundreds_at_once),
                WITH_SPAWNER(test_no_descriptors),
                RUN(test_stat_parse),
        };

        log_open(LOG_TARGET_CONSOLE, LOG_ERR);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
