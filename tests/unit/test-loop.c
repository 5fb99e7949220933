/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/string-util.h"
#include "base/thread-usage.h"
#include "loop/file-watch.h"
#include "loop/loop.h"

#define N_TIMERS 5000

typedef struct Entry {
        Timer timer;
        unsigned id;
} Entry;

static struct {
        unsigned fired[2 * N_TIMERS];
        size_t n;
        TimerQueue *queue;
} trace;

static void on_entry(Timer *timer, _unused_ usec_t now)
{
        trace.fired[trace.n++] = container_of(timer, Entry, timer)->id;
}

/* Against a sorted model, with timers moved and disarmed at random. */
static void test_heap_order(_unused_ void **state)
{
        static Entry entries[N_TIMERS];
        VirtualClock clock;
        _cleanup_(timer_queue_freep) TimerQueue *queue = NULL;
        size_t armed = 0;
        size_t half;

        srand(1);
        virtual_clock_init(&clock, 0, 0);
        queue = timer_queue_new(&clock.clock);
        assert_non_null(queue);
        for (unsigned i = 0; i < N_TIMERS; i++) {
                entries[i] = (Entry){ .timer.callback = on_entry, .id = i };
                assert_ok(timer_arm(queue, &entries[i].timer, (usec_t)(rand() % 1000)));
        }
        for (unsigned i = 0; i < N_TIMERS; i++) {
                unsigned k = (unsigned)rand() % N_TIMERS;

                if (rand() % 3 == 0)
                        timer_disarm(queue, &entries[k].timer);
                else
                        assert_ok(timer_arm(queue, &entries[k].timer, (usec_t)(rand() % 1000)));
        }
        for (unsigned i = 0; i < N_TIMERS; i++)
                armed += timer_is_armed(&entries[i].timer);
        assert_int_equal(timer_queue_size(queue), armed);

        trace.n = 0;
        half = timer_queue_dispatch(queue, 499, 0);
        assert_int_equal(half, trace.n);
        assert_int_equal(timer_queue_dispatch(queue, 1000, 0), armed - half);
        assert_int_equal(trace.n, armed);
        for (size_t i = 1; i < trace.n; i++) {
                const Timer *a = &entries[trace.fired[i - 1]].timer, *b = &entries[trace.fired[i]].timer;

                assert_true(a->due_boottime < b->due_boottime ||
                            (a->due_boottime == b->due_boottime && (int32_t)(b->sequence - a->sequence) > 0));
        }
        assert_true(timer_queue_next(queue) == USEC_INFINITY);
}

/* From microseconds to years, and many at the same instant. */
static usec_t random_due(usec_t now)
{
        if (rand() % 8 == 0)
                return now + 12345678;
        if (rand() % 64 == 0)
                return usec_sub(now, (usec_t)(rand() % 1000));
        if (rand() % 512 == 0)
                return USEC_INFINITY - (usec_t)(rand() % 2);
        return now + ((((usec_t)rand() << 31) | (usec_t)rand()) & ((UINT64_C(1) << rand() % 48) - 1));
}

/* That what fired at NOW was due, and came in order. */
static void check_trace(const Entry *entries, usec_t now)
{
        for (size_t i = 0; i < trace.n; i++) {
                const Timer *b = &entries[trace.fired[i]].timer, *a = i > 0 ? &entries[trace.fired[i - 1]].timer : NULL;

                assert_true(b->due_boottime <= now);
                assert_true(!a || a->due_boottime < b->due_boottime ||
                            (a->due_boottime == b->due_boottime && (int32_t)(b->sequence - a->sequence) > 0));
        }
}

static usec_t least_due(const Entry *entries, size_t n)
{
        usec_t least = USEC_INFINITY;

        for (size_t i = 0; i < n; i++)
                if (timer_is_armed(&entries[i].timer))
                        least = MIN(least, entries[i].timer.due_boottime);
        return least;
}

/* Through years, in steps of any size: what fires, in which order, and what is said to be next. */
static void test_wheel(_unused_ void **state)
{
        static Entry entries[500];
        _cleanup_(timer_queue_freep) TimerQueue *queue = NULL;
        usec_t now = UINT64_C(123456789012), next;
        VirtualClock clock;
        size_t n_fired = 0;

        srand(2);
        virtual_clock_init(&clock, now, 0);
        queue = timer_queue_new(&clock.clock);
        for (unsigned i = 0; i < ARRAY_SIZE(entries); i++)
                entries[i] = (Entry){ .timer.callback = on_entry, .id = i };
        for (unsigned turn = 0; turn < 3000; turn++) {
                size_t n, max = turn % 3 == 0 ? 0 : (size_t)rand() % 20 + 1;

                for (unsigned i = 0; i < 20; i++) {
                        Timer *timer = &entries[(size_t)rand() % ARRAY_SIZE(entries)].timer;

                        if (rand() % 4 == 0)
                                timer_disarm(queue, timer);
                        else
                                assert_ok(timer_arm(queue, timer, random_due(now)));
                }
                next = least_due(entries, ARRAY_SIZE(entries));
                assert_true(timer_queue_next(queue) == next);
                assert_true(timer_queue_wake(queue) <= next);
                if (rand() % 2 == 0 && next < USEC_INFINITY - 1)
                        now = MAX(now, next);
                else
                        now = MIN(random_due(now), UINT64_C(1) << 60);
                trace.n = 0;
                n = timer_queue_dispatch(queue, now, max);
                assert_int_equal(n, trace.n);
                check_trace(entries, now);
                n_fired += trace.n;
                if (max == 0 || trace.n < max)
                        assert_true(least_due(entries, ARRAY_SIZE(entries)) > now);
        }
        assert_true(n_fired > 1000);
}

static void on_rearm(Timer *timer, usec_t now)
{
        on_entry(timer, now);
        assert_ok(timer_arm(trace.queue, timer, now));
}

/* A timer that arms itself for now can't keep the queue from returning. */
static void test_rearm_for_now(_unused_ void **state)
{
        Entry entry = { .timer.callback = on_rearm };
        VirtualClock clock;

        virtual_clock_init(&clock, 10, 0);
        trace.queue = timer_queue_new(&clock.clock);
        trace.n = 0;
        assert_ok(timer_arm(trace.queue, &entry.timer, 5));
        assert_int_equal(timer_queue_dispatch(trace.queue, 10, 0), 1);
        assert_int_equal(timer_queue_dispatch(trace.queue, 10, 0), 1);
        trace.queue = timer_queue_free(trace.queue);
}

typedef struct LoopTest {
        Loop *loop;
        Timer timer;
        Deferred first, second;
        int pipe[2];
        char order[16];
        size_t n;
} LoopTest;

static void note(LoopTest *t, char c)
{
        t->order[t->n++] = c;
}

static void on_second(Deferred *deferred)
{
        LoopTest *t = container_of(deferred, LoopTest, second);

        note(t, '2');
        assert_int_equal(write(t->pipe[1], "x", 1), 1);
}

static void on_first(Deferred *deferred)
{
        LoopTest *t = container_of(deferred, LoopTest, first);

        note(t, '1');
        if (t->n == 2)
                loop_defer(t->loop, deferred); /* once more, in the next turn, behind its descriptors */
}

static void on_pipe(IoSource *source, int fd, unsigned events, void *userdata)
{
        LoopTest *t = userdata;
        char c;

        assert_int_equal(events, IO_READ);
        assert_int_equal(read(fd, &c, 1), 1);
        note(t, 'p');
        io_source_free(source);
        (void)raise(SIGUSR1);
}

static void on_usr1(_unused_ SignalSource *source, int signo, void *userdata)
{
        LoopTest *t = userdata;

        assert_int_equal(signo, SIGUSR1);
        note(t, 's');
        loop_exit(t->loop, 42);
}

static void on_timer(Timer *timer, usec_t now)
{
        LoopTest *t = container_of(timer, LoopTest, timer);

        assert_true(now >= timer->due_boottime);
        note(t, 't');
        loop_defer(t->loop, &t->first);
        loop_defer(t->loop, &t->second);
        loop_defer(t->loop, &t->second);
}

static void test_loop(_unused_ void **state)
{
        LoopTest t = { .timer.callback = on_timer, .first.callback = on_first, .second.callback = on_second };
        SignalSource *usr1;
        IoSource *source;

        assert_ok(loop_new(clock_system(), &t.loop));
        assert_int_equal(pipe(t.pipe), 0);
        assert_ok(io_source_new(t.loop, t.pipe[0], 0, on_pipe, &t, &source));
        assert_ok(io_source_set_events(source, IO_READ));
        assert_ok(signal_source_new(t.loop, SIGUSR1, on_usr1, &t, &usr1));
        assert_ok(timer_arm_after(loop_timers(t.loop), &t.timer, 2000));
        assert_int_equal(loop_run(t.loop), 42);
        assert_string_equal(t.order, "t12p1s");
        signal_source_free(usr1);
        loop_free(t.loop);
        close(t.pipe[0]);
        close(t.pipe[1]);
}

typedef struct HangupTest {
        Loop *loop;
        int fds[2];
        Timer timer;
        unsigned n_hangups;
        unsigned n_turns;
} HangupTest;

static void on_hangup(_unused_ IoSource *source, _unused_ int fd, unsigned events, void *userdata)
{
        HangupTest *t = userdata;

        assert_int_equal(events, IO_HANGUP);
        t->n_hangups++;
}

static void on_hangup_timer(Timer *timer, _unused_ usec_t now)
{
        HangupTest *t = container_of(timer, HangupTest, timer);

        switch (t->n_turns++) {
        case 0: /* unread bytes are no hang-up */
                assert_int_equal(t->n_hangups, 0);
                assert_int_equal(shutdown(t->fds[1], SHUT_WR), 0);
                break;
        case 1:
                assert_int_equal(t->n_hangups, 1);
                close(t->fds[1]);
                break;
        case 2:
                assert_int_equal(t->n_hangups, 2);
                loop_exit(t->loop, 0);
                return;
        }
        assert_ok(timer_arm_after(loop_timers(t->loop), timer, 1000));
}

/* Half a hang-up and a whole one are told once each, whatever is there to read. */
static void test_hangup(_unused_ void **state)
{
        HangupTest t = { .timer.callback = on_hangup_timer };
        IoSource *source;

        assert_ok(loop_new(clock_system(), &t.loop));
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, t.fds), 0);
        assert_ok(io_source_new(t.loop, t.fds[0], IO_READ, on_hangup, &t, &source));
        assert_ok(io_source_set_events(source, IO_HANGUP));
        assert_int_equal(write(t.fds[1], "x", 1), 1);
        assert_ok(timer_arm_after(loop_timers(t.loop), &t.timer, 1000));
        assert_ok(loop_run(t.loop));
        io_source_free(source);
        close(t.fds[0]);
        loop_free(t.loop);
}

static void on_again(Deferred *deferred)
{
        LoopTest *t = container_of(deferred, LoopTest, first);

        loop_defer(t->loop, deferred);
}

static void on_again_timer(Timer *timer, _unused_ usec_t now)
{
        note(container_of(timer, LoopTest, timer), 't');
}

/* Calls that ask for themselves again and again keep neither descriptors nor timers nor signals waiting. */
static void test_deferred_again(_unused_ void **state)
{
        LoopTest t = { .timer.callback = on_again_timer, .first.callback = on_again };
        SignalSource *usr1;
        IoSource *source;

        assert_ok(loop_new(clock_system(), &t.loop));
        assert_int_equal(pipe(t.pipe), 0);
        assert_int_equal(write(t.pipe[1], "x", 1), 1);
        assert_ok(io_source_new(t.loop, t.pipe[0], IO_READ, on_pipe, &t, &source));
        assert_ok(signal_source_new(t.loop, SIGUSR1, on_usr1, &t, &usr1));
        assert_ok(timer_arm_after(loop_timers(t.loop), &t.timer, 0));
        loop_defer(t.loop, &t.first);
        assert_int_equal(loop_run(t.loop), 42);
        assert_int_equal(t.n, 3);
        assert_non_null(memchr(t.order, 't', t.n));
        deferred_cancel(t.loop, &t.first);
        signal_source_free(usr1);
        loop_free(t.loop);
        close(t.pipe[0]);
        close(t.pipe[1]);
}

static void test_deferred_cancel(_unused_ void **state)
{
        LoopTest t = { .first.callback = on_first, .second.callback = on_second };

        assert_ok(loop_new(clock_system(), &t.loop));
        loop_defer(t.loop, &t.first);
        loop_defer(t.loop, &t.second);
        deferred_cancel(t.loop, &t.first);
        assert_null(t.first.slot);
        deferred_cancel(t.loop, &t.second);
        loop_defer(t.loop, &t.first);
        assert_non_null(t.first.slot);
        deferred_cancel(t.loop, &t.first);
        loop_free(t.loop);
}

/* Two descriptors that are ready at once, the first of which keeps the loop until the timer is due. */
typedef struct BusyTest {
        Loop *loop;
        Timer timer;
        bool fired;
        unsigned n_reads;
} BusyTest;

static void on_busy_timer(Timer *timer, _unused_ usec_t now)
{
        container_of(timer, BusyTest, timer)->fired = true;
}

static void on_busy(IoSource *source, _unused_ int fd, _unused_ unsigned events, void *userdata)
{
        BusyTest *t = userdata;

        assert_ok(io_source_set_events(source, 0));
        if (t->n_reads++ == 0) {
                while (clock_boottime(clock_system()) <= t->timer.due_boottime + USEC_PER_MSEC)
                        ;
                return;
        }
        assert_true(t->fired);
        loop_exit(t->loop, 1);
}

static void test_timer_between_descriptors(_unused_ void **state)
{
        BusyTest t = { .timer.callback = on_busy_timer };
        IoSource *sources[2];
        int pipes[2][2];

        assert_ok(loop_new(clock_system(), &t.loop));
        for (size_t i = 0; i < 2; i++) {
                assert_int_equal(pipe(pipes[i]), 0);
                assert_int_equal(write(pipes[i][1], "x", 1), 1);
                assert_ok(io_source_new(t.loop, pipes[i][0], IO_READ, on_busy, &t, &sources[i]));
        }
        assert_ok(timer_arm_after(loop_timers(t.loop), &t.timer, 20 * USEC_PER_MSEC));
        assert_int_equal(loop_run(t.loop), 1);
        for (size_t i = 0; i < 2; i++) {
                io_source_free(sources[i]);
                close(pipes[i][0]);
                close(pipes[i][1]);
        }
        loop_free(t.loop);
}

/* A step that takes too long is told with what it noted, also of a job that went in it; those before and after it are not. */

typedef struct StallTrace {
        Loop *loop;
        unsigned n;
        usec_t duration;
        const char *doing;
        char subject[ACTIVITY_SUBJECT_MAX];
        unsigned n_fired;
} StallTrace;

static StallTrace stalls;

static void on_stall(const LoopStall *stall, const Activity *activity, void *userdata)
{
        StallTrace *t = userdata;

        t->n++;
        /* On a machine under load the others may have been held up as well. */
        if (activity->is_job) {
                t->duration = stall->duration;
                t->doing = activity->doing;
                (void)strcpy(t->subject, activity->subject);
        }
}

static void on_step(_unused_ Timer *timer, _unused_ usec_t now)
{
        usec_t begin = clock_boottime(clock_system());

        stalls.n_fired++;
        activity_note("something quick", NULL);
        if (stalls.n_fired == 2) {
                char *job = strdup("snail");

                assert_non_null(job);
                activity_note_job("something slow", job);
                while (clock_boottime(clock_system()) - begin < LOOP_STALL_USEC)
                        ;
                activity_forget(job);
                free(job);
        }
        if (stalls.n_fired == 3)
                loop_exit(stalls.loop, 0);
}

static void test_stall(_unused_ void **state)
{
        Timer timers[3] = {};
        _cleanup_(loop_freep) Loop *loop = NULL;

        assert_ok(loop_new(clock_system(), &loop));
        stalls = (StallTrace){ .loop = loop };
        loop_watch_stalls(loop, on_stall, &stalls);
        for (unsigned i = 0; i < ARRAY_SIZE(timers); i++) {
                timers[i].callback = on_step;
                assert_ok(timer_arm(loop_timers(loop), &timers[i], 1 + i));
        }
        assert_ok(loop_run(loop));
        assert_int_equal(stalls.n_fired, 3);
        assert_int_equal(loop_stalls(loop)->n, stalls.n);
        assert_true(stalls.duration >= LOOP_STALL_USEC);
        assert_true(loop_stalls(loop)->longest >= stalls.duration);
        assert_string_equal(stalls.doing, "something slow");
        assert_string_equal(stalls.subject, "snail");
}

/* --- where the time of a stall went --- */

typedef struct Divided {
        Loop *loop;
        Timer timers[2];
        LoopStall stalls[2]; /* of work, of a sleep */
} Divided;

static usec_t thread_time(void)
{
        ThreadUsage usage;

        thread_usage_read(-1, &usage);
        return usage.work;
}

static void on_work(_unused_ Timer *timer, _unused_ usec_t now)
{
        usec_t begin = thread_time();

        activity_note("work", NULL);
        while (thread_time() - begin < 2 * LOOP_STALL_USEC)
                ;
}

static void on_sleep(Timer *timer, _unused_ usec_t now)
{
        const struct timespec span = { .tv_nsec = 2 * LOOP_STALL_USEC * NSEC_PER_USEC };

        activity_note("sleep", NULL);
        (void)nanosleep(&span, NULL);
        loop_exit(container_of(timer, Divided, timers[1])->loop, 0);
}

static void on_divided(const LoopStall *stall, const Activity *activity, void *userdata)
{
        Divided *d = userdata;

        if (activity->doing)
                d->stalls[streq(activity->doing, "sleep")] = *stall;
}

/* However loaded the machine is: what is computed is work, and what is slept is neither that nor waiting. */
static void test_stall_is_divided(_unused_ void **state)
{
        Divided d = { .timers = { { .callback = on_work }, { .callback = on_sleep } } };
        const LoopStalls *all;

        assert_ok(loop_new(clock_system(), &d.loop));
        loop_watch_stalls(d.loop, on_divided, &d);
        for (unsigned i = 0; i < ARRAY_SIZE(d.timers); i++)
                assert_ok(timer_arm(loop_timers(d.loop), &d.timers[i], 1 + i));
        assert_ok(loop_run(d.loop));
        for (unsigned i = 0; i < ARRAY_SIZE(d.stalls); i++) {
                const LoopStall *stall = &d.stalls[i];
                usec_t waiting = stall->waiting != USEC_INFINITY ? stall->waiting : 0;

                assert_int_equal(stall->work + waiting + stall->blocked, stall->duration);
        }
        assert_true(d.stalls[0].work >= 2 * LOOP_STALL_USEC);
        assert_true(d.stalls[1].blocked >= 2 * LOOP_STALL_USEC - LOOP_USAGE_AGE);
        all = loop_stalls(d.loop);
        assert_true(all->n >= 2);
        assert_true(all->work >= d.stalls[0].work && all->blocked >= d.stalls[1].blocked);
        loop_free(d.loop);
}

static Loop *watched_loop;

static void on_file_changed(_unused_ void *userdata)
{
        loop_exit(watched_loop, 1);
}

static void on_too_late(_unused_ Timer *timer, _unused_ usec_t now)
{
        loop_exit(watched_loop, 2);
}

/* A link that is made, replaced, removed and made again; and a neighbour that is nobody's concern. */
static void test_file_watch(_unused_ void **state)
{
        char directory[] = "/tmp/takt-test-XXXXXX";
        _cleanup_free_ char *path = NULL, *other = NULL;
        Timer too_late = { .callback = on_too_late };
        Loop *loop;
        FileWatch *watch;

        assert_non_null(mkdtemp(directory));
        path = path_join(directory, "localtime");
        other = path_join(directory, "localtime.new");
        assert_ok(loop_new(clock_system(), &loop));
        watched_loop = loop;
        assert_int_equal(file_watch_new(loop, "/nowhere/at/all", on_file_changed, NULL, &watch), -ENOENT);
        assert_ok(file_watch_new(loop, path, on_file_changed, NULL, &watch));
        for (unsigned i = 0; i < 3; i++) {
                assert_return_code(symlink("/dev/null", other), errno);
                assert_return_code(rename(other, path), errno);
                assert_int_equal(loop_run(loop), 1);
        }
        assert_return_code(unlink(path), errno);
        assert_return_code(symlink("/dev/zero", path), errno);
        assert_int_equal(loop_run(loop), 1);
        /* That was one change; the neighbour is none. */
        assert_return_code(symlink("/dev/null", other), errno);
        assert_return_code(unlink(other), errno);
        assert_ok(timer_arm_after(loop_timers(loop), &too_late, 5 * FILE_WATCH_SETTLE));
        assert_int_equal(loop_run(loop), 2);
        file_watch_free(watch);
        loop_free(loop);
        (void)unlink(path);
        (void)rmdir(directory);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_stall), cmocka_unit_test(test_stall_is_divided),
                RUN(test_heap_order), RUN(test_wheel), RUN(test_rearm_for_now), RUN(test_loop), RUN(test_hangup),
                RUN(test_deferred_again), RUN(test_deferred_cancel), RUN(test_timer_between_descriptors),
                RUN(test_file_watch),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
