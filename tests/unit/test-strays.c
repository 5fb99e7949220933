/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What commands leave, by the table of takt-spawn in this process: who is asked, who is killed, and who is
 * let be. Memory and the kernel's lists of children are taken away where a test wants it, processes seem to
 * be exec'd for as long as it wants, and time passes.
 */
#include "test.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/string-util.h"
#include "process/command-table-internal.h"
#include "process/spawner-internal.h"
#include "test-memory.h"

#define DEADLINE_USEC (60 * USEC_PER_SEC)
#define SHELL "/bin/sh"
/* Of another session. */
#define FAR(script) "(setsid sh -c '" script "' >/dev/null 2>&1 &)\n"
/* Notes that it is there, and each SIGTERM, which does not end it. */
#define DEAF(name) "trap \"echo x >>" name ".term\" TERM; echo $$ >>" name ".up; while :; do sleep 0.05; done"
/* Does not heed it. */
#define DULL "trap \"\" TERM; echo >>up; exec sleep 1000"
#define WAIT_FOR(n, name) "until [ -e " name " ] && [ $(wc -l <" name ") -ge " #n " ]; do sleep 0.02; done\n"

/* --- a kernel without lists of children --- */

static bool no_lists;
static pid_t without_environment; /* its environment can't be read from itself, as from one whose first thread has ended */
static pid_t executed;            /* it is being exec'd … */
static unsigned n_executed_reads; /* … for so many reads of its environment more */
static pid_t dying;           /* it dies … */
static unsigned n_stat_reads; /* … when it has been looked at so often */
static bool all_executed;         /* all processes are being exec'd */
static unsigned n_walks; /* of /proc */
static void (*on_own_list)(void); /* called before the list of the children of this process is read */

int __real_openat(int fd, const char *path, int flags, ...);
int __wrap_openat(int fd, const char *path, int flags, ...);
DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);

static bool is_proc_file(pid_t pid, const char *path, const char *name)
{
        char expected[64];

        (void)snprintf(expected, sizeof(expected), "/proc/%d/%s", (int)pid, name);
        return pid > 0 && streq(path, expected);
}

static bool is_one_of_all(const char *path, const char *name)
{
        pid_t pid = startswith(path, "/proc/") ? (pid_t)atoi(path + strlen("/proc/")) : 0;

        return all_executed && is_proc_file(pid, path, name);
}

/* What /proc/PID/stat says, after which the process dies. */
static int open_stat_of_dying(const char *path)
{
        int stat_fd = __real_openat(AT_FDCWD, path, O_RDONLY), fd = memfd_create("test-stat", MFD_CLOEXEC);
        char text[4096];
        ssize_t n = read(stat_fd, text, sizeof(text));

        close(stat_fd);
        assert_true(n > 0 && fd >= 0);
        assert_int_equal(write(fd, text, (size_t)n), n);
        assert_return_code(lseek(fd, 0, SEEK_SET), errno);
        assert_return_code(kill(dying, SIGKILL), errno);
        assert_return_code(waitid(P_PID, (id_t)dying, &(siginfo_t){}, WEXITED | WNOWAIT), errno);
        return fd;
}

/* What /proc/PID/stat says, with the places of its code and all that follows not known yet. */
static int open_stat_of_executed(const char *path)
{
        int stat_fd = __real_openat(AT_FDCWD, path, O_RDONLY), fd = memfd_create("test-stat", MFD_CLOEXEC);
        char text[4096], *end;
        ssize_t n = read(stat_fd, text, sizeof(text) - 1);

        close(stat_fd);
        assert_true(n > 0 && fd >= 0);
        text[n] = '\0';
        end = strrchr(text, ')');
        for (unsigned field = 2; field < 25; field++)
                end = strchr(end + 1, ' ');
        end = strchr(end + 1, ' ');
        assert_return_code(dprintf(fd, "%.*s 0 0 0 0 0\n", (int)(end - text), text), errno);
        assert_return_code(lseek(fd, 0, SEEK_SET), errno);
        return fd;
}

int __wrap_openat(int fd, const char *path, int flags, ...)
{
        const char *name = strrchr(path, '/');
        va_list ap;
        int mode;

        va_start(ap, flags);
        mode = va_arg(ap, int);
        va_end(ap);
        if (no_lists && name && streq(name, "/children")) {
                errno = ENOENT;
                return -1;
        }
        if (on_own_list && name && streq(name, "/children") && atoi(path) == (int)getpid())
                on_own_list();
        if (is_proc_file(without_environment, path, "environ") || is_one_of_all(path, "environ"))
                return memfd_create("test-environment", MFD_CLOEXEC);
        if (is_proc_file(executed, path, "environ") && n_executed_reads > 0) {
                n_executed_reads--;
                return memfd_create("test-environment", MFD_CLOEXEC);
        }
        if (is_proc_file(dying, path, "stat") && n_stat_reads > 0 && --n_stat_reads == 0)
                return open_stat_of_dying(path);
        if (is_one_of_all(path, "stat") || (n_executed_reads > 0 && is_proc_file(executed, path, "stat")))
                return open_stat_of_executed(path);
        return __real_openat(fd, path, flags, mode);
}

DIR *__wrap_opendir(const char *path)
{
        n_walks += streq(path, "/proc");
        return __real_opendir(path);
}

/* --- time that passes --- */

Clock *__real_clock_system(void);
Clock *__wrap_clock_system(void);

static usec_t passed;     /* so much more than has */
static usec_t stopped_at; /* 0: the clock goes on */

static usec_t test_boottime(_unused_ Clock *clock)
{
        return stopped_at > 0 ? stopped_at : usec_add(clock_boottime(__real_clock_system()), passed);
}

Clock *__wrap_clock_system(void)
{
        static Clock clock;

        clock = *__real_clock_system();
        clock.boottime = test_boottime;
        return &clock;
}

/* --- commands --- */

typedef struct Fixture {
        char *dir;
        CommandTable *table;
        unsigned n_exited;
        unsigned n_strays;
        unsigned n_slots;
        int null_fd;
} Fixture;

static void on_report(const SpawnReport *report, void *userdata)
{
        Fixture *f = userdata;

        f->n_exited += report->type == SPAWN_EXITED;
        f->n_strays += report->type == SPAWN_STRAY;
}

static int setup(void **state)
{
        Fixture *f = new0(Fixture, 1);

        assert_non_null(f);
        f->dir = strdup("/tmp/test-strays.XXXXXX");
        assert_non_null(f->dir);
        assert_non_null(mkdtemp(f->dir));
        f->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        assert_true(f->null_fd >= 0);
        assert_return_code(prctl(PR_SET_CHILD_SUBREAPER, 1), errno);
        assert_ok(command_table_new(on_report, f, &f->table));
        *state = f;
        return 0;
}

/* From now on. */
static void take_lists_away(Fixture *f)
{
        no_lists = true;
        f->table = command_table_free(f->table);
        assert_ok(command_table_new(on_report, f, &f->table));
}

static int teardown(void **state)
{
        _cleanup_free_ char *command = NULL;
        Fixture *f = *state;

        no_lists = all_executed = false;
        executed = 0;
        passed = 0;
        command_table_free(f->table);
        command = xasprintf("rm -rf '%s'", f->dir);
        assert_int_equal(system(command), 0);
        safe_close(f->null_fd);
        free(f->dir);
        free(f);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
        assert_int_equal(errno, ECHILD);
        return 0;
}

/* Enters it; its slot is a new one. */
static Command *enter(Fixture *f, uint32_t flags, const char *mark, const char *script, SpawnStart *start,
                      SpawnPayload *payload, char **vectors)
{
        Command *command;

        vectors[0] = (char *)SHELL;
        vectors[1] = (char *)"-c";
        vectors[2] = (char *)script;
        vectors[3] = NULL;
        vectors[4] = (char *)"PATH=/usr/bin:/bin";
        vectors[5] = (char *)mark;
        vectors[6] = NULL;
        *payload = (SpawnPayload){ .directory = f->dir, .mark = mark, .note = "", .argv = vectors, .environment = vectors + 4 };
        *start = (SpawnStart){ .header = { .type = SPAWN_START, .slot = f->n_slots++, .serial = 1 },
                               .flags = flags, .kill_signal = SIGTERM, .kill_after_usec = 30 * USEC_PER_SEC };
        assert_ok(command_table_enter(f->table, start, payload, &command));
        return command;
}

static Command *launch_into(Fixture *f, uint32_t flags, const char *mark, const char *script, int out)
{
        const int fds[3] = { f->null_fd, out, f->null_fd };
        SpawnPayload payload;
        char *vectors[7];
        SpawnStart start;
        Command *command = enter(f, flags, mark, script, &start, &payload, vectors);

        command_launch(command, &start, &payload, fds);
        (void)command_table_launched(f->table, command);
        return command;
}

/* OUT: its standard output. */
static uint32_t launch(Fixture *f, const char *mark, const char *script, int out)
{
        return launch_into(f, 0, mark, script, out)->header.slot;
}

static Command *launch_with(Fixture *f, uint32_t flags, const char *mark, const char *script)
{
        return launch_into(f, flags, mark, script, f->null_fd);
}

/* A command that goes on until its orphan has ended. */
static Command *launch_that_waits(Fixture *f, const char *mark, const char *script)
{
        return launch_with(f, SPAWN_EXIT_CGROUP, mark, script);
}

static void stop(Fixture *f, uint32_t slot)
{
        command_table_stop(f->table, &(SpawnHeader){ .slot = slot, .serial = 1 });
}

static void turn(Fixture *f)
{
        command_table_reap(f->table);
        (void)command_table_dispatch(f->table, clock_boottime(clock_system()));
}

#define run_until(f, condition)                                                                             \
        do {                                                                                                \
                usec_t _until = usec_add(clock_boottime(clock_system()), DEADLINE_USEC);                    \
                                                                                                            \
                while (!(condition)) {                                                                      \
                        assert_true(clock_boottime(clock_system()) < _until);                               \
                        turn(f);                                                                            \
                        (void)poll(NULL, 0, 2);                                                             \
                }                                                                                           \
        } while (false)

static unsigned lines_of(const Fixture *f, const char *name, pid_t *ret_first)
{
        _cleanup_free_ char *path = path_join(f->dir, name);
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        unsigned n = 0;

        if (read_file_at(AT_FDCWD, path, 65536, &text) < 0)
                return 0;
        for (size_t i = 0; i < text.len; i++)
                n += text.data[i] == '\n';
        if (ret_first)
                *ret_first = (pid_t)atoi(buffer_string(&text));
        return n;
}

static void look_now(Fixture *f)
{
        f->table->scan_due = 0;
        turn(f);
}

static bool has_children(void)
{
        return waitid(P_ALL, 0, &(siginfo_t){}, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* Stops the last command, and waits until nothing is left. */
static void stop_last(Fixture *f, uint32_t slot)
{
        stop(f, slot);
        run_until(f, !has_children());
}

static bool is_gone(pid_t pid)
{
        return kill(pid, 0) < 0 && errno == ESRCH;
}

/* --- who is asked --- */

/*
 * 30 processes behind a shell that ends at once: each is asked, once, and is killed as it does not heed that.
 */
static void check_family(Fixture *f)
{
        (void)launch(f, "TAKT_RUN=1",
                     "cat >deaf <<'END'\n" DEAF("deaf") "\nEND\n"
                     FAR("for i in $(seq 30); do sh deaf & done; wait") WAIT_FOR(30, "deaf.up"), f->null_fd);
        run_until(f, f->n_exited == 1 && !has_children());
        assert_int_equal(lines_of(f, "deaf.term", NULL), 30);
}

static void test_family(void **state)
{
        check_family(*state);
}

/* One walk of /proc is enough for all of a look, however many these are. */
static void test_family_without_lists(void **state)
{
        Fixture *f = *state;

        take_lists_away(f);
        check_family(f);
        (void)launch(f, "TAKT_RUN=2", FAR("for i in $(seq 30); do sleep 1000 & echo >>up; done; wait") WAIT_FOR(30, "up"), f->null_fd);
        f->n_strays = 0;
        while (f->n_strays == 0) {
                n_walks = 0;
                command_table_reap(f->table);
                assert_true(n_walks <= 1);
                n_walks = 0;
                (void)command_table_dispatch(f->table, clock_boottime(clock_system()));
        }
        assert_int_equal(n_walks, 1);
        assert_true(f->n_strays >= 31);
        run_until(f, !has_children());
}

/*
 * The daemon has died. An orphan is asked, at which the command ends; what comes from it then is older than
 * that, and was not asked yet.
 */
static void test_older_is_asked(void **state)
{
        Fixture *f = *state;

        (void)launch(f, "TAKT_RUN=1",
                     FAR(DEAF("orphan"))
                     "setsid sh -c '" DEAF("child") "' >/dev/null 2>&1 &\n"
                     "trap '' TERM; echo >up\n" WAIT_FOR(1, "orphan.term"), f->null_fd);
        run_until(f, lines_of(f, "orphan.up", NULL) == 1 && lines_of(f, "child.up", NULL) == 1 && lines_of(f, "up", NULL) == 1);
        command_table_shut_down(f->table);
        run_until(f, !has_children());
        assert_int_equal(lines_of(f, "orphan.term", NULL), 1);
        assert_int_equal(lines_of(f, "child.term", NULL), 1);
}

/* The command takes longer to end than what it left before has time. */
static void test_late_is_asked(void **state)
{
        Fixture *f = *state;

        (void)launch(f, "TAKT_RUN=1",
                     FAR(DEAF("orphan"))
                     "setsid sh -c '" DEAF("late") "' >/dev/null 2>&1 &\n"
                     "trap '' TERM; echo >up\n" WAIT_FOR(1, "orphan.up") "while kill -0 $(cat orphan.up); do sleep 0.02; done", f->null_fd);
        run_until(f, lines_of(f, "orphan.up", NULL) == 1 && lines_of(f, "late.up", NULL) == 1 && lines_of(f, "up", NULL) == 1);
        command_table_shut_down(f->table);
        run_until(f, !has_children());
        assert_int_equal(lines_of(f, "late.term", NULL), 1);
}

/* --- who makes others all the time --- */

static void check_forker(Fixture *f, const char *script)
{
        struct pollfd pollfd = { .events = POLLIN };
        int fds[2];

        assert_return_code(pipe2(fds, O_CLOEXEC), errno);
        (void)launch(f, "TAKT_RUN=1", script, fds[1]);
        safe_close(fds[1]);
        pollfd.fd = fds[0];
        /* The last of them has closed it. */
        run_until(f, poll(&pollfd, 1, 0) > 0 && (pollfd.revents & POLLHUP));
        run_until(f, !has_children());
        safe_close(fds[0]);
        assert_true(f->n_strays > 1);
}

/* HOW it is started. What it starts ignores the signals from its beginning, the first one once it says so. */
#define FORKER(how, nap) "cat >fork <<'END'\ntrap '' TERM HUP\necho >up\n" nap "\nsetsid sh fork &\nEND\n" \
                         how " setsid sh fork &\n" WAIT_FOR(1, "up")

static void test_forker(void **state)
{
        check_forker(*state, FORKER("", "sleep 0.2"));
}

static void test_forker_that_hurries(void **state)
{
        check_forker(*state, FORKER("", ":"));
}

static void test_forker_of_nobody(void **state)
{
        check_forker(*state, FORKER("env -i PATH=/usr/bin:/bin", "sleep 0.2"));
}

static void test_forker_without_lists(void **state)
{
        take_lists_away(*state);
        check_forker(*state, FORKER("", "sleep 0.1"));
}

/*
 * The time of a family is over that has nobody who came later: its time begins anew after as many looks as
 * tell that nobody came.
 */
static void test_nobody_late(void **state)
{
        Fixture *f = *state;
        const StrayFamily *family;

        take_lists_away(f);
        (void)launch(f, "TAKT_RUN=1", FAR(DULL) WAIT_FOR(1, "up"), f->null_fd);
        run_until(f, f->n_strays > 0);
        family = &list_first(&f->table->over, Command, commands)->family;
        assert_true(family->begun > 0);
        n_walks = 0;
        strays_kill_due(f->table, usec_add(clock_boottime(clock_system()), STRAY_FAMILY_USEC));
        assert_int_equal(n_walks, UNSEEN_LOOKS);
        assert_int_equal(family->begun, 0);
        run_until(f, !has_children());
}

/* One more has the mark of the second command, in a session of its own. It is there when this returns. */
static void leave_another(void)
{
        char *environment[] = { (char *)"TAKT_RUN=2", NULL };
        bool has_mark = false;
        pid_t pid = fork();

        if (pid == 0) {
                (void)setsid();
                (void)execle("/bin/sleep", "sleep", "1000", NULL, environment);
                _exit(1);
        }
        while (!has_mark) {
                _cleanup_buffer_ Buffer text = BUFFER_NULL;

                (void)process_environment_read(pid, &text);
                has_mark = process_environment_has(&text, environment[0]);
        }
        stopped_at = usec_add(stopped_at, 10 * USEC_PER_MSEC);
}

/* It is told of once, also where it dies while all are looked at. */
static void test_told_once(void **state)
{
        Fixture *f = *state;

        for (unsigned i = 1; i <= 2; i++) {
                _cleanup_free_ char *name = xasprintf("up%u", i);
                _cleanup_free_ char *script = xasprintf(FAR("trap \"\" TERM; echo $$ >>%s; exec sleep 1000")
                                                        WAIT_FOR(1, "%s"), name, name, name);

                f->n_strays = 0;
                (void)launch(f, "TAKT_RUN=1", script, f->null_fd);
                while (lines_of(f, name, &dying) == 0)
                        (void)poll(NULL, 0, 2);
                run_until(f, f->n_strays == 1);
                n_stat_reads = i;
                look_now(f);
                assert_int_equal(n_stat_reads, 0);
                run_until(f, !has_children());
                assert_int_equal(f->n_strays, 1);
        }
}

static StrayFamily *family_of(const Fixture *f, const char *mark)
{
        Command *command;

        list_foreach(command, &f->table->over, Command, commands)
                if (streq(command->mark, mark))
                        return &command->family;
        fail_msg("no command with %s is over", mark);
        return NULL;
}

/* Where one family has somebody new in each look, the time of another one begins anew all the same. */
static void test_noisy_beside_quiet(void **state)
{
        Fixture *f = *state;
        StrayFamily *quiet, *noisy;

        (void)launch(f, "TAKT_RUN=1", FAR(DULL) WAIT_FOR(1, "up"), f->null_fd);
        (void)launch(f, "TAKT_RUN=2", WAIT_FOR(1, "up") FAR(DULL) WAIT_FOR(2, "up"), f->null_fd);
        run_until(f, f->n_strays == 2);
        quiet = family_of(f, "TAKT_RUN=1");
        noisy = family_of(f, "TAKT_RUN=2");
        /* Times of processes are counted in hundredths of a second. */
        (void)poll(NULL, 0, 30);
        stopped_at = usec_add(MAX(quiet->begun, noisy->begun), STRAY_FAMILY_USEC);
        on_own_list = leave_another;
        strays_kill_due(f->table, stopped_at);
        on_own_list = NULL;
        stopped_at = 0;
        assert_true(f->n_strays > 2 + UNSEEN_LOOKS);
        assert_int_equal(quiet->begun, 0);
        assert_true(noisy->begun > 0);
        run_until(f, !has_children());
}

/* --- whose they are --- */

/* Nobody can tell whose daemon it is; it is ended when the last command has that it may belong to. */
static void test_of_running(void **state)
{
        Fixture *f = *state;
        pid_t daemon = 0, other = 0;
        uint32_t slot;

        slot = launch(f, "TAKT_RUN=1",
                      "(env -i PATH=/usr/bin:/bin setsid sh -c 'sh -c \"echo \\$\\$ >>daemon; exec sleep 1000\" &' &)\nexec sleep 1000",
                      f->null_fd);
        run_until(f, lines_of(f, "daemon", &daemon) == 1);
        (void)launch(f, "TAKT_RUN=2", FAR("echo $$ >>other; exec sleep 1000") WAIT_FOR(1, "other"), f->null_fd);
        /* Where that one was found and ended, all were looked at. */
        run_until(f, f->n_exited == 1 && lines_of(f, "other", &other) == 1 && is_gone(other));
        assert_false(is_gone(daemon));
        assert_int_equal(f->n_strays, 1);
        stop_last(f, slot);
        assert_true(is_gone(daemon));
}

/* It has the mark of a run that is over for long, so it is not that of a process of a pool. */
static void test_of_other_mark(void **state)
{
        Fixture *f = *state;
        pid_t daemon = 0;
        uint32_t slot;

        slot = launch(f, "TAKT_PROCESS=1",
                      "(env -i PATH=/usr/bin:/bin TAKT_RUN=7 setsid sh -c 'echo $$ >>daemon; exec sleep 1000' &)\nexec sleep 1000",
                      f->null_fd);
        run_until(f, lines_of(f, "daemon", &daemon) == 1);
        command_table_schedule_scan(f->table, 0);
        run_until(f, is_gone(daemon));
        assert_int_equal(f->n_exited, 0);
        stop_last(f, slot);
}

/* Nobody can tell whose daemon it is, but a command that starts nothing did not start it. */
static void test_of_one_that_starts_nothing(void **state)
{
        Fixture *f = *state;
        pid_t daemon = 0;
        uint32_t slot;

        slot = launch_with(f, SPAWN_STARTS_NOTHING, "TAKT_PROCESS=1", "exec sleep 1000")->header.slot;
        (void)launch(f, "TAKT_RUN=1",
                     "(env -i PATH=/usr/bin:/bin setsid sh -c 'echo $$ >>daemon; exec sleep 1000' &)\n" WAIT_FOR(1, "daemon"), f->null_fd);
        run_until(f, lines_of(f, "daemon", &daemon) == 1 && is_gone(daemon));
        assert_int_equal(f->n_exited, 1);
        stop_last(f, slot);
}

/* From now on the process that says its number in the file "up" is being exec'd, for ever. */
static void let_it_hang(const Fixture *f)
{
        n_executed_reads = UINT_MAX;
        while (lines_of(f, "up", &executed) == 0)
                (void)poll(NULL, 0, 2);
}

/* While an orphan is being exec'd, the command that it may be of is remembered. */
static void test_remembered_for_exec(void **state)
{
        Fixture *f = *state;

        (void)launch(f, "TAKT_RUN=1", FAR("echo $$ >>up; exec sleep 1000") WAIT_FOR(1, "up"), f->null_fd);
        let_it_hang(f);
        run_until(f, f->n_exited == 1);
        f->table->scan_due = 0;
        turn(f);
        assert_true(f->table->undecided);
        assert_int_equal(f->n_strays, 0);
        assert_false(list_is_empty(&f->table->over));
        n_executed_reads = 0;
        run_until(f, !has_children());
        assert_int_equal(f->n_strays, 1);
}

/* What an earlier command left is not held up by one that began later. */
static void test_of_ended(void **state)
{
        Fixture *f = *state;
        pid_t daemon = 0;
        uint32_t slot;

        (void)launch(f, "TAKT_RUN=1",
                     "(env -i PATH=/usr/bin:/bin setsid sh -c 'echo $$ >>daemon; exec sleep 1000' &)\n" WAIT_FOR(1, "daemon"), f->null_fd);
        while (lines_of(f, "daemon", &daemon) == 0)
                (void)poll(NULL, 0, 20);
        /* Times are counted in hundredths of a second. */
        (void)poll(NULL, 0, 50);
        slot = launch(f, "TAKT_RUN=2", "exec sleep 1000", f->null_fd);
        run_until(f, is_gone(daemon));
        assert_int_equal(f->n_exited, 1);
        stop_last(f, slot);
}

/* --- who hangs in exec --- */

#define HANGS "echo $$ >>up; exec sleep 1000"
/* In the session of its command, and in a group of its own. */
#define NEAR(script) "bash -c 'set -m; sh -c \"" script "\" >/dev/null 2>&1 & " WAIT_FOR(1, "up") "'\n"
#define NEAR_HANGS NEAR("echo \\$\\$ >>up; exec sleep 1000")

/* So much time passes that nobody waits any more for those that are being exec'd. A look may miss one. */
static void wait_for_exec(Fixture *f)
{
        for (unsigned i = 0; i < 6; i++) {
                passed += PROCESS_EXEC_USEC / 2;
                look_now(f);
        }
        assert_false(f->table->undecided);
}

/* A command may have left it whose processes are let be, and is remembered for as long as it is there. */
static void test_spared_that_hangs(void **state)
{
        Fixture *f = *state;

        (void)launch_with(f, SPAWN_KILL_PROCESS, "TAKT_RUN=1", FAR(HANGS) WAIT_FOR(1, "up"));
        let_it_hang(f);
        run_until(f, f->n_exited == 1);
        wait_for_exec(f);
        for (unsigned i = 0; i < 2 * UNSEEN_LOOKS; i++)
                look_now(f);
        assert_int_equal(f->table->n_spared, 1);
        /* Its disk answers after all. */
        n_executed_reads = 0;
        for (unsigned i = 0; i < 2 * UNSEEN_LOOKS; i++)
                look_now(f);
        assert_int_equal(f->table->n_spared, 1);
        assert_int_equal(f->n_strays, 0);
        assert_return_code(kill(executed, SIGKILL), errno);
        run_until(f, !has_children() && f->table->n_spared == 0);
}

/* It is left alone while it may be of another command's, and is ended as soon as it tells whose it is. */
static void test_hangs_no_more(void **state)
{
        Fixture *f = *state;
        uint32_t slot = launch_with(f, SPAWN_KILL_PROCESS, "TAKT_RUN=1", "exec sleep 1000")->header.slot;

        (void)launch(f, "TAKT_RUN=2", FAR(HANGS) WAIT_FOR(1, "up"), f->null_fd);
        let_it_hang(f);
        run_until(f, f->n_exited == 1);
        wait_for_exec(f);
        assert_int_equal(f->n_strays, 0);
        n_executed_reads = 0;
        run_until(f, is_gone(executed));
        assert_int_equal(f->n_strays, 1);
        stop_last(f, slot);
}

/* Whose it is its session tells, so it is not let be as what a command beside it leaves. */
static void test_session_beside_spared(void **state)
{
        Fixture *f = *state;
        uint32_t slot = launch_with(f, SPAWN_KILL_PROCESS, "TAKT_RUN=1", "exec sleep 1000")->header.slot;

        (void)launch(f, "TAKT_RUN=2", NEAR_HANGS, f->null_fd);
        let_it_hang(f);
        run_until(f, f->n_exited == 1);
        wait_for_exec(f);
        run_until(f, is_gone(executed));
        assert_int_equal(f->n_strays, 1);
        stop_last(f, slot);
}

/* A command that waits for it ends when it is stopped. */
static void test_stop_beside_spared(void **state)
{
        Fixture *f = *state;
        uint32_t slot = launch_with(f, SPAWN_KILL_PROCESS, "TAKT_RUN=1", "exec sleep 1000")->header.slot;
        Command *command = launch_that_waits(f, "TAKT_RUN=2", NEAR_HANGS);

        let_it_hang(f);
        run_until(f, command->exited);
        wait_for_exec(f);
        assert_int_equal(f->n_exited, 0);
        command_table_stop(f->table, &command->header);
        run_until(f, f->n_exited == 1);
        assert_true(is_gone(executed));
        stop_last(f, slot);
}

/* At the end it is not left as one that is let be. */
static void test_shut_down_beside_spared(void **state)
{
        Fixture *f = *state;
        pid_t daemon = 0;

        (void)launch_with(f, SPAWN_KILL_PROCESS, "TAKT_RUN=1",
                          FAR("echo $$ >>daemon; exec sleep 1000") WAIT_FOR(1, "daemon") WAIT_FOR(1, "up"));
        (void)launch(f, "TAKT_RUN=2", NEAR_HANGS "echo >>left; exec sleep 1000", f->null_fd);
        let_it_hang(f);
        run_until(f, f->n_exited == 1 && lines_of(f, "left", NULL) == 1);
        assert_int_equal(lines_of(f, "daemon", &daemon), 1);
        command_table_shut_down(f->table);
        run_until(f, f->n_exited == 2);
        wait_for_exec(f);
        run_until(f, command_table_is_empty(f->table));
        command_table_reap(f->table);
        assert_true(is_gone(executed));
        assert_false(is_gone(daemon));
        assert_return_code(kill(daemon, SIGKILL), errno);
        run_until(f, !has_children());
}

/* Two commands have left what is let be: the one whose session it is is remembered, and not the other one. */
static void test_session_of_spared(void **state)
{
        Fixture *f = *state;

        (void)launch_with(f, SPAWN_KILL_PROCESS, "TAKT_RUN=1", WAIT_FOR(1, "up"));
        (void)launch_with(f, SPAWN_KILL_PROCESS, "TAKT_RUN=2", NEAR_HANGS);
        let_it_hang(f);
        run_until(f, f->n_exited == 2);
        wait_for_exec(f);
        for (unsigned i = 0; i < 2 * UNSEEN_LOOKS; i++)
                look_now(f);
        assert_int_equal(f->table->n_spared, 1);
        assert_string_equal(list_first(&f->table->spared, Command, commands)->mark, "TAKT_RUN=2");
        assert_int_equal(f->n_strays, 0);
        assert_return_code(kill(executed, SIGKILL), errno);
        run_until(f, !has_children() && f->table->n_spared == 0);
}

/* That it hangs is not forgotten while nobody looks. */
static void test_hangs_after_pause(void **state)
{
        Fixture *f = *state;
        uint32_t slot = launch(f, "TAKT_RUN=1", "exec sleep 1000", f->null_fd);

        (void)launch(f, "TAKT_RUN=2", FAR(HANGS) WAIT_FOR(1, "up"), f->null_fd);
        let_it_hang(f);
        run_until(f, f->n_exited == 1);
        wait_for_exec(f);
        passed += 10 * PROCESS_EXEC_USEC;
        look_now(f);
        assert_false(f->table->undecided);
        assert_true(list_is_empty(&f->table->over));
        assert_int_equal(f->n_strays, 0);
        stop_last(f, slot);
}

static size_t n_children(void)
{
        _cleanup_free_ pid_t *pids = NULL;
        size_t n;

        assert_ok(children_list(&pids, &n));
        return n;
}

/* There are more of them than can be noted. When one ends, nobody waits for the others again. */
static void test_many_hang(void **state)
{
        const size_t n = EXECUTED_ORPHANS_MAX + 4;
        _cleanup_free_ char *script = xasprintf(FAR("for i in $(seq %zu); do sleep 1000 & done"), n);
        Fixture *f = *state;
        uint32_t slot = launch(f, "TAKT_RUN=1", "exec sleep 1000", f->null_fd);
        pid_t pid;

        (void)launch(f, "TAKT_RUN=2", script, f->null_fd);
        /* Both commands and the shell that started the others, of which two have ended by then. */
        while (n_children() < n + 3)
                (void)poll(NULL, 0, 2);
        all_executed = true;
        run_until(f, f->n_exited == 1);
        wait_for_exec(f);
        pid = f->table->executed[0].id.pid;
        assert_return_code(kill(pid, SIGKILL), errno);
        run_until(f, is_gone(pid));
        for (unsigned i = 0; i < 4; i++) {
                passed += PROCESS_EXEC_USEC / 2;
                look_now(f);
                assert_false(f->table->undecided);
        }
        assert_int_equal(f->n_strays, 0);
        stop_last(f, slot);
        assert_int_equal(f->n_strays, n - 1);
        /* The places are there for others. */
        look_now(f);
        look_now(f);
        for (size_t i = 0; i < EXECUTED_ORPHANS_MAX; i++)
                assert_int_equal(f->table->executed[i].seen, 0);
        assert_int_equal(f->table->crowded_since, 0);
}

/* --- how many are left --- */

/* The table reads N bytes of TEXT where it read the kernel's list of its children. */
static void replace_list(Fixture *f, const char *text, size_t n)
{
        int fd = memfd_create("test-list", MFD_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, n), n);
        safe_close(f->table->children_fd);
        f->table->children_fd = fd;
}

/* The kernel hands out whole entries of a list, so what it gives of a long one does not fill the buffer. */
static void test_list_that_is_cut(void **state)
{
        Fixture *f = *state;
        Command *running = launch_that_waits(f, "TAKT_RUN=1", "exec sleep 1000"), *command;
        char text[511 * 8 + 1];

        for (size_t i = 0; i + 1 < sizeof(text); i += 8)
                assert_int_equal(snprintf(text + i, 9, "%07d ", (int)running->pid), 8);
        replace_list(f, text, sizeof(text) - 1);
        command = launch_that_waits(f, "TAKT_RUN=2", FAR("echo >>up; exec sleep 1000") WAIT_FOR(1, "up"));
        run_until(f, command->exited);
        assert_int_equal(orphans_count(f->table, command), 1);
        orphans_forget(f->table);
        command_table_shut_down(f->table);
        run_until(f, !has_children());
}

/* All that end in a turn are told by one look. */
static void test_list_once_a_turn(void **state)
{
        Fixture *f = *state;
        Command *command = launch_that_waits(f, "TAKT_RUN=1", "exec sleep 1000");

        assert_int_equal(orphans_count(f->table, command), 0);
        replace_list(f, "1 ", 2);
        assert_true(f->table->orphans_known);
        assert_int_equal(orphans_count(f->table, command), 0);
        command_table_reap(f->table);
        assert_false(f->table->orphans_known);
        command_table_shut_down(f->table);
        run_until(f, !has_children());
}

/* --- faults --- */

/* An orphan has the mark of a command that is being launched, which then fails. */
static void test_fork_error(void **state)
{
        Fixture *f = *state;
        SpawnPayload payload;
        char *vectors[7];
        SpawnStart start;
        Command *command = enter(f, 0, "TAKT_RUN=9", "exit 0", &start, &payload, vectors);
        pid_t pid = fork();

        if (pid == 0) {
                (void)setsid();
                (void)chdir(f->dir);
                (void)execle(SHELL, SHELL, "-c", DEAF("orphan"), NULL, vectors + 4);
                _exit(1);
        }
        run_until(f, lines_of(f, "orphan.up", NULL) == 1);
        command_table_shut_down(f->table);
        run_until(f, f->n_strays >= 1);
        command->fork_error = -EAGAIN;
        (void)command_table_launched(f->table, command);
        assert_int_equal(f->n_exited, 1);
        run_until(f, !has_children());
        assert_int_equal(lines_of(f, "orphan.term", NULL), 1);
        run_until(f, command_table_is_empty(f->table));
}

/* Whatever can't be noted at one look is at a later one. */
static void check_memory(Fixture *f)
{
        (void)launch(f, "TAKT_RUN=1", FAR("for i in 1 2 3 4 5; do sleep 1000 & echo >>up; done; wait") WAIT_FOR(5, "up"), f->null_fd);
        for (unsigned i = 0; lines_of(f, "up", NULL) < 5 || i < 40; i++) {
                (void)poll(NULL, 0, 20);
                allocations_left = i % 40;
                turn(f);
                allocations_left = ALLOCATIONS_UNLIMITED;
        }
        run_until(f, f->n_exited == 1 && !has_children());
}

static void test_memory(void **state)
{
        check_memory(*state);
}

static void test_memory_without_lists(void **state)
{
        take_lists_away(*state);
        check_memory(*state);
}

/* A later process with the same number gets no signal. */
static void test_signal(_unused_ void **state)
{
        pid_t pid = fork();
        ProcessStat stat;
        ProcessId id;
        int status;

        if (pid == 0) {
                (void)pause();
                _exit(0);
        }
        assert_ok(process_stat_read(pid, &stat));
        id = (ProcessId){ .pid = pid, .start_ticks = stat.start_ticks - 1 };
        assert_int_equal(process_signal(&id, SIGKILL), -ESRCH);
        assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
        id.start_ticks++;
        assert_ok(process_signal(&id, SIGTERM));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(WTERMSIG(status), SIGTERM);
        assert_int_equal(process_signal(&id, SIGTERM), -ESRCH);
}

/* While it is being exec'd a process has no environment, which is not an empty one. */
static void test_environment_of_exec(_unused_ void **state)
{
        char *environment[] = { (char *)"MARK=1", NULL };
        unsigned n_read = 0;
        pid_t pid = fork();

        if (pid == 0) {
                (void)execle("/proc/self/exe", "test-strays", "again", NULL, environment);
                _exit(1);
        }
        while (n_read < 20000) {
                _cleanup_buffer_ Buffer text = BUFFER_NULL;
                int r = process_environment_read(pid, &text);

                if (r == -EAGAIN)
                        continue;
                assert_ok(r);
                assert_true(text.len > 0);
                n_read += process_environment_has(&text, environment[0]);
        }
        assert_return_code(kill(pid, SIGKILL), errno);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void *pause_until_killed(_unused_ void *userdata)
{
        (void)pause();
        return NULL;
}

/* The first thread ends, another one goes on. */
static _noreturn_ void end_first_thread(void)
{
        pthread_t thread;

        assert_int_equal(pthread_create(&thread, NULL, pause_until_killed, NULL), 0);
        pthread_exit(NULL);
}

/* A process whose first thread has ended still says its environment, by a thread that goes on. */
static void test_environment_of_threads(_unused_ void **state)
{
        char *environment[] = { (char *)"MARK=1", NULL };
        ProcessStat stat = {};
        pid_t pid = fork();

        if (pid == 0) {
                (void)execle("/proc/self/exe", "test-strays", "threads", NULL, environment);
                _exit(1);
        }
        while (stat.state != 'Z' || stat.n_threads < 2)
                assert_ok(process_stat_read(pid, &stat));
        /* A kernel opens it and has nothing in it, or does not open it. */
        for (unsigned i = 0; i < 2; i++) {
                _cleanup_buffer_ Buffer text = BUFFER_NULL;

                without_environment = i == 0 ? pid : 0;
                assert_ok(process_environment_read(pid, &text));
                assert_true(process_environment_has(&text, environment[0]));
        }
        assert_return_code(kill(pid, SIGKILL), errno);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* One that is being exec'd for ever is not waited for for ever. */
static void test_endless_exec(void **state)
{
        Fixture *f = *state;
        Command *command = launch_that_waits(f, "TAKT_RUN=1", FAR("echo $$ >>up; exec sleep 1000") WAIT_FOR(1, "up"));

        let_it_hang(f);
        run_until(f, command->exited);
        wait_for_exec(f);
        run_until(f, f->n_exited == 1);
        run_until(f, !has_children());
        assert_int_equal(f->n_strays, 1);
}

/*
 * Whose an orphan of a dead helper is can't be told while it is being exec'd, so that those looks find not
 * nothing.
 */
static void test_exec_after_helper(_unused_ void **state)
{
        static Spawner spawner = { .has_others = true };
        char *environment[] = { (char *)SPAWN_MARK_RUN "=9", NULL };
        pid_t pid = fork();

        if (pid == 0) {
                (void)execle(SHELL, SHELL, "-c", "kill -STOP $$", NULL, environment);
                _exit(1);
        }
        assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
        executed = pid;
        n_executed_reads = 4;
        spawner_wait_for_orphans(&spawner, DEADLINE_USEC);
        assert_int_equal(n_executed_reads, 0);
        assert_true(is_gone(pid));
}

#define WITH_TABLE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                WITH_TABLE(test_family),
                WITH_TABLE(test_family_without_lists),
                WITH_TABLE(test_older_is_asked),
                WITH_TABLE(test_late_is_asked),
                WITH_TABLE(test_forker),
                WITH_TABLE(test_forker_that_hurries),
                WITH_TABLE(test_forker_of_nobody),
                WITH_TABLE(test_forker_without_lists),
                WITH_TABLE(test_nobody_late),
                WITH_TABLE(test_told_once),
                WITH_TABLE(test_noisy_beside_quiet),
                WITH_TABLE(test_of_running),
                WITH_TABLE(test_of_ended),
                WITH_TABLE(test_of_other_mark),
                WITH_TABLE(test_of_one_that_starts_nothing),
                WITH_TABLE(test_remembered_for_exec),
                WITH_TABLE(test_spared_that_hangs),
                WITH_TABLE(test_hangs_no_more),
                WITH_TABLE(test_session_beside_spared),
                WITH_TABLE(test_stop_beside_spared),
                WITH_TABLE(test_shut_down_beside_spared),
                WITH_TABLE(test_session_of_spared),
                WITH_TABLE(test_hangs_after_pause),
                WITH_TABLE(test_many_hang),
                WITH_TABLE(test_list_that_is_cut),
                WITH_TABLE(test_list_once_a_turn),
                WITH_TABLE(test_fork_error),
                WITH_TABLE(test_memory),
                WITH_TABLE(test_memory_without_lists),
                WITH_TABLE(test_endless_exec),
                RUN(test_signal),
                RUN(test_environment_of_exec),
                RUN(test_environment_of_threads),
                RUN(test_exec_after_helper),
        };

        if (argc > 1 && streq(argv[1], "again"))
                (void)execv("/proc/self/exe", argv);
        if (argc > 1 && streq(argv[1], "threads"))
                end_first_thread();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
