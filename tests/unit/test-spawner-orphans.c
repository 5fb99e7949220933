/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a dead helper left, look by look. */
#include "test.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/children.h"
#include "process/helper.h"
#include "process/spawner-internal.h"
#include "test-memory.h"

#define MIN_DELAY (10 * USEC_PER_MSEC)
#define MAX_DELAY (1 * USEC_PER_SEC)
/* More of them than it takes for the longest pause, also where a pass needs several. */
#define LOOKS_MAX 128U
#define CHILDREN_MAX 1024U
#define MARK SPAWN_MARK_RUN "=9"

/* --- what the kernel does --- */

static bool immortal;    /* who is killed does not die */
static unsigned n_polls; /* pauses of spawner_wait_for_orphans() */
static unsigned slowness = 1; /* so many times as long */

int __real_pidfd_send_signal(int fd, int signo, siginfo_t *info, unsigned flags);
int __wrap_pidfd_send_signal(int fd, int signo, siginfo_t *info, unsigned flags);
int __real_poll(struct pollfd *fds, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout);

/* Who is killed has ended when this returns. */
int __wrap_pidfd_send_signal(int fd, int signo, siginfo_t *info, unsigned flags)
{
        siginfo_t end;
        int r;

        if (signo != SIGKILL)
                return __real_pidfd_send_signal(fd, signo, info, flags);
        if (immortal)
                return 0;
        r = __real_pidfd_send_signal(fd, signo, info, flags);
        (void)waitid(P_PIDFD, (id_t)fd, &end, WEXITED | WNOWAIT);
        return r;
}

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
        n_polls++;
        return __real_poll(fds, n, timeout * (int)slowness);
}

/* --- a spawner whose helper has died --- */

typedef struct Fixture {
        Spawner spawner;
        pid_t children[CHILDREN_MAX];
        size_t n;
} Fixture;

static int setup(void **state)
{
        Fixture *f = new0(Fixture, 1);

        assert_non_null(f);
        assert_ok(loop_new(clock_system(), &f->spawner.loop));
        f->spawner.orphans.callback = spawner_on_orphans;
        assert_ok(timer_arm(loop_timers(f->spawner.loop), &f->spawner.orphans, USEC_INFINITY));
        n_polls = 0;
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        Fixture *f = *state;

        immortal = false;
        slowness = 1;
        for (size_t i = 0; i < f->n; i++) {
                (void)kill(f->children[i], SIGKILL);
                (void)waitpid(f->children[i], NULL, 0);
        }
        timer_disarm(loop_timers(f->spawner.loop), &f->spawner.orphans);
        loop_free(f->spawner.loop);
        free(f);
        return 0;
}

static void look(Fixture *f)
{
        spawner_on_orphans(&f->spawner.orphans, 0);
}

static bool is_over(const Fixture *f)
{
        return f->spawner.orphans_unseen >= SPAWNER_ORPHANS_PASSES;
}

static void look_until_over(Fixture *f)
{
        for (unsigned i = 0; !is_over(f); i++) {
                assert_true(i < LOOKS_MAX);
                look(f);
        }
}

static void look_until_delay(Fixture *f, usec_t delay)
{
        for (unsigned i = 0; f->spawner.orphans_delay < delay; i++) {
                assert_true(i < LOOKS_MAX);
                look(f);
        }
}

/* ENTRY: all of its environment. By that of a mark it is known as a command's. Its exec is over. */
static pid_t add_child(Fixture *f, const char *entry)
{
        char *environment[] = { (char *)entry, NULL };
        ProcessStat stat = {};
        pid_t pid = vfork();

        if (pid == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void)execle("/bin/sleep", "sleep", "1000", NULL, environment);
                _exit(1);
        }
        assert_true(pid > 0 && f->n < CHILDREN_MAX);
        f->children[f->n++] = pid;
        while (!stat.executed) {
                assert_ok(process_stat_read(pid, &stat));
                (void)__real_poll(NULL, 0, stat.executed ? 0 : 1);
        }
        return pid;
}

static void add_children(Fixture *f, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                (void)add_child(f, NULL);
}

static bool is_gone(pid_t pid)
{
        return kill(pid, 0) < 0 && errno == ESRCH;
}

static void assert_all_gone(const Fixture *f)
{
        for (size_t i = 0; i < f->n; i++)
                assert_true(is_gone(f->children[i]));
}

/* --- the pause between two looks --- */

/* It grows to its maximum however many there are, also where they are more than are killed in a turn. */
static void check_pause_grows(Fixture *f)
{
        immortal = true;
        spawner_end_orphans(&f->spawner);
        look_until_delay(f, MAX_DELAY);
        look(f);
        assert_int_equal(f->spawner.orphans_delay, MAX_DELAY);
        assert_false(is_over(f));
        immortal = false;
}

static void check_pause_of(unsigned n)
{
        Fixture *f;

        (void)setup((void **)&f);
        add_children(f, n);
        check_pause_grows(f);
        (void)teardown((void **)&f);
}

static void test_pause_grows(_unused_ void **state)
{
        static const unsigned numbers[] = { 1, 31, 32, 33, 100, 300 };

        for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
                check_pause_of(numbers[i]);
}

/* One, beside so many other children that a turn does not come to all of them. */
static void test_pause_grows_among_others(void **state)
{
        Fixture *f = *state;

        add_children(f, 300);
        (void)add_child(f, MARK);
        f->spawner.has_others = true;
        check_pause_grows(f);
        look_until_over(f);
        assert_true(is_gone(f->children[--f->n]));
        for (size_t i = 0; i < f->n; i++)
                assert_false(is_gone(f->children[i]));
}

/* Those that die are never waited for longer than at first. */
static void test_pause_stays(void **state)
{
        Fixture *f = *state;

        add_children(f, 100);
        spawner_end_orphans(&f->spawner);
        for (unsigned i = 0; !is_over(f); i++) {
                assert_true(i < LOOKS_MAX);
                assert_int_equal(f->spawner.orphans_delay, MIN_DELAY);
                look(f);
        }
        assert_all_gone(f);
}

/* Once they die after all, the rest follows without a pause. */
static void test_pause_shrinks(void **state)
{
        Fixture *f = *state;

        add_children(f, 100);
        check_pause_grows(f);
        look(f);
        look(f);
        assert_int_equal(f->spawner.orphans_delay, MIN_DELAY);
        look_until_over(f);
        assert_all_gone(f);
}

/* --- who has ended --- */

static void end_child(pid_t pid)
{
        siginfo_t end;

        assert_return_code(kill(pid, SIGKILL), errno);
        assert_return_code(waitid(P_PID, (id_t)pid, &end, WEXITED | WNOWAIT), errno);
}

/* A child that is behind those that a turn asks, and nobody's orphan, does not stay as a zombie. */
static void test_ended_among_others(void **state)
{
        Fixture *f = *state;
        pid_t last;

        f->spawner.has_others = true;
        add_children(f, 250);
        last = f->children[f->n - 1];
        end_child(last);
        spawner_end_orphans(&f->spawner);
        assert_true(is_gone(last));
}

/* What is reaped elsewhere counts as well: it may have left children of its own. */
static void test_reaped_elsewhere(void **state)
{
        Fixture *f = *state;

        spawner_end_orphans(&f->spawner);
        look(f);
        assert_true(is_over(f));
        spawner_end_orphans(&f->spawner);
        end_child(add_child(f, NULL));
        (void)helper_reap_others();
        assert_all_gone(f);
        look(f);
        assert_false(is_over(f));
}

/* --- shortage --- */

/* Looks at which N allocations succeed, and at some more. Whether any failed. */
static bool look_with(Fixture *f, unsigned n)
{
        allocation_failed = false;
        for (unsigned i = 0; i <= SPAWNER_ORPHANS_PASSES; i++) {
                allocations_left = n;
                if (i == 0)
                        spawner_end_orphans(&f->spawner);
                else if (!is_over(f))
                        look(f);
        }
        allocations_left = ALLOCATIONS_UNLIMITED;
        return allocation_failed;
}

/* Without memory no look is the last one as long as any of them is left. */
static void check_memory(Fixture *f, const char *entry)
{
        bool failed = true;

        for (unsigned n = 0; failed; n++) {
                (void)add_child(f, entry);
                failed = look_with(f, n);
                if (is_over(f))
                        assert_all_gone(f);
                look_until_over(f);
                assert_all_gone(f);
                f->n = 0;
        }
}

static void test_memory(void **state)
{
        check_memory(*state, NULL);
}

static void test_memory_among_others(void **state)
{
        Fixture *f = *state;

        f->spawner.has_others = true;
        check_memory(f, MARK);
}

/* --- without a loop --- */

/* It is the time that counts, not how often it was looked. */
static void test_wait_is_bounded(void **state)
{
        Fixture *f = *state;

        add_children(f, 1);
        immortal = true;
        slowness = 5;
        spawner_wait_for_orphans(&f->spawner, 100 * USEC_PER_MSEC);
        assert_in_range(n_polls, 0, 2);
        assert_false(is_over(f));
}

/* There is a pause after a pass, and none after each turn. */
static void test_wait_for_many(void **state)
{
        Fixture *f = *state;

        add_children(f, 640);
        spawner_wait_for_orphans(&f->spawner, USEC_INFINITY);
        assert_true(is_over(f));
        assert_all_gone(f);
        assert_in_range(n_polls, 1, 640 / 32 / 2);
}

#define WITH_SPAWNER(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                RUN(test_pause_grows),
                WITH_SPAWNER(test_pause_grows_among_others),
                WITH_SPAWNER(test_pause_stays),
                WITH_SPAWNER(test_pause_shrinks),
                WITH_SPAWNER(test_ended_among_others),
                WITH_SPAWNER(test_reaped_elsewhere),
                WITH_SPAWNER(test_memory),
                WITH_SPAWNER(test_memory_among_others),
                WITH_SPAWNER(test_wait_is_bounded),
                WITH_SPAWNER(test_wait_for_many),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
