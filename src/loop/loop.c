/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libevent's own timeouts round to the epoll millisecond and know CLOCK_MONOTONIC only, so the
 * queue of deadlines is ours, and libevent sees one timerfd on CLOCK_BOOTTIME. Deadlines are fired
 * in turns of at most TIMERS_A_TURN, so that thousands that are due at once do not keep
 * descriptors waiting.
 *
 * To sleep and wake up costs as much as ten fires. So where deadlines lie close, turns of them begin
 * TURN_GAP apart: what would be due before shares the next one. One deadline alone is as exact as ever.
 *
 * The other way round, a turn may have hundreds of descriptors ready whose callbacks take long in
 * all. What came due meanwhile is fired between two of them, and what was deferred is run, at most
 * once in TURN_SPAN: neither side can starve the other.
 *
 * A callback that takes long may have computed, or others may have had the processors: only the first is its fault. To ask
 * the kernel costs as much as several fires, so it is asked once in LOOP_USAGE_AGE, where a callback begins, and
 * when a stall has ended.
 */
#include "loop/loop.h"

#include <event2/event.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/file.h"
#include "base/thread-usage.h"

#define TIMERS_A_TURN 256
#define TURN_SPAN (USEC_PER_MSEC / 2)
#define TURN_GAP ((usec_t)50)
/* No machine sleeps for less; the two clocks that tell so are read one after the other, and may differ by a moment. */
#define SLEEP_MIN USEC_PER_SEC

struct Loop {
        struct event_base *base;
        Clock *clock;
        TimerQueue *timers;
        int timer_fd;
        struct event *timer_event;
        usec_t armed_boottime; /* what the timerfd is set to */
        bool in_io;            /* a descriptor is served: the timerfd is set when that has ended */
        bool earlier;          /* a deadline is earlier than what it is set to */
        usec_t turned_boottime; /* when timers were last looked at */
        struct event *deferred_event;
        bool in_deferred;
        Deferred *deferred;
        Deferred **deferred_tail;
        int exit_code;
        IoSource *wall_clock; /* on a timer that never fires but is cancelled when the clock is set */
        void (*wall_clock_callback)(void *userdata);
        void *wall_clock_userdata;
        int usage_fd;
        ThreadUsage usage;         /* before the callback that runs … */
        usec_t usage_due_boottime; /* … as long as that began before this */
        LoopStalls stalls;
        LoopStallCallback stall_callback;
        void *stall_userdata;
        void (*ended_callback)(void *userdata);
        void *ended_userdata;
};

struct IoSource {
        Loop *loop;
        struct event *event;
        int fd;
        unsigned events;
        IoCallback callback;
        void *userdata;
};

struct SignalSource {
        Loop *loop;
        struct event *event;
        SignalCallback callback;
        void *userdata;
};

static void arm_timer_fd(Loop *loop, usec_t not_before)
{
        usec_t next = MAX(timer_queue_wake(loop->timers), not_before);
        struct itimerspec spec = {};

        if (next == loop->armed_boottime)
                return;
        loop->armed_boottime = next;
        if (next != USEC_INFINITY) {
                /* An all-zero value would disarm: what is due at 0 is due at 1 ns. */
                spec.it_value.tv_sec = (time_t)(next / USEC_PER_SEC);
                spec.it_value.tv_nsec = (long)(next % USEC_PER_SEC * NSEC_PER_USEC);
                if (next == 0)
                        spec.it_value.tv_nsec = 1;
        }
        (void)timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

static void on_earlier_deadline(void *userdata)
{
        Loop *loop = userdata;

        loop->earlier = loop->in_io;
        if (!loop->in_io)
                arm_timer_fd(loop, 0);
}

static _noinline_ void read_usage(Loop *loop, usec_t now)
{
        thread_usage_read(loop->usage_fd, &loop->usage);
        loop->usage_due_boottime = usec_add(now, LOOP_USAGE_AGE);
}

usec_t loop_callback_begins(Loop *loop)
{
        usec_t now = clock_boottime(loop->clock);

        if (now >= loop->usage_due_boottime)
                read_usage(loop, now);
        return now;
}

/* Where DURATION went, of which the thread's use before and after is known. */
static LoopStall divide(usec_t duration, const ThreadUsage *before, const ThreadUsage *after)
{
        usec_t asleep = usec_sub(after->asleep, before->asleep);
        LoopStall stall = { .duration = asleep >= SLEEP_MIN ? usec_sub(duration, asleep) : duration };

        stall.work = MIN(usec_sub(after->work, before->work), stall.duration);
        stall.blocked = stall.duration - stall.work;
        stall.waiting = after->waiting;
        if (before->waiting != USEC_INFINITY && after->waiting != USEC_INFINITY) {
                stall.waiting = MIN(usec_sub(after->waiting, before->waiting), stall.blocked);
                stall.blocked -= stall.waiting;
        }
        return stall;
}

static void add_stall(LoopStalls *stalls, const LoopStall *stall)
{
        stalls->n++;
        stalls->longest = MAX(stalls->longest, stall->duration);
        stalls->work += stall->work;
        stalls->waiting += stall->waiting != USEC_INFINITY ? stall->waiting : 0;
        stalls->blocked += stall->blocked;
}

static _noinline_ void stalled(Loop *loop, usec_t duration, usec_t now)
{
        const ThreadUsage before = loop->usage;
        LoopStall stall;

        read_usage(loop, now);
        stall = divide(duration, &before, &loop->usage);
        /* The machine slept meanwhile. */
        if (stall.duration < LOOP_STALL_USEC)
                return;
        add_stall(&loop->stalls, &stall);
        if (loop->stall_callback)
                loop->stall_callback(&stall, &activity_now, loop->stall_userdata);
}

/* The use is due at the latest LOOP_USAGE_AGE after a callback began: after a stall it always is. */
_Static_assert(LOOP_USAGE_AGE <= LOOP_STALL_USEC, "the use is looked at after each stall");

static _noinline_ void look_at_usage(Loop *loop, usec_t duration, usec_t now)
{
        if (duration >= LOOP_STALL_USEC)
                stalled(loop, duration, now);
        else
                read_usage(loop, now);
}

usec_t loop_callback_ended(Loop *loop, usec_t began_boottime)
{
        usec_t now = clock_boottime(loop->clock);

        if (now >= loop->usage_due_boottime)
                look_at_usage(loop, usec_sub(now, began_boottime), now);
        activity_clear();
        if (loop->ended_callback)
                loop->ended_callback(loop->ended_userdata);
        return now;
}

void loop_watch_callbacks(Loop *loop, void (*callback)(void *userdata), void *userdata)
{
        loop->ended_callback = callback;
        loop->ended_userdata = userdata;
}

static usec_t on_timer_ended(usec_t began_boottime, void *userdata)
{
        return loop_callback_ended(userdata, began_boottime);
}

static void on_timer_fd(_unused_ evutil_socket_t fd, _unused_ short what, void *userdata)
{
        Loop *loop = userdata;
        size_t fired;

        /*
         * The timerfd is not read: setting it anew clears it. While deadlines remain that are due
         * already, it fires again in the next turn, behind the descriptors of this one.
         */
        loop->turned_boottime = loop_callback_begins(loop);
        fired = timer_queue_dispatch(loop->timers, loop->turned_boottime, TIMERS_A_TURN);
        if (loop->armed_boottime <= loop->turned_boottime)
                loop->armed_boottime = USEC_INFINITY - 1;
        arm_timer_fd(loop, fired > 1 && fired < TIMERS_A_TURN ? usec_add(loop->turned_boottime, TURN_GAP) : 0);
}

/*
 * An event that is activated from its own callback runs again before libevent looks at descriptors,
 * so that the next batch goes through a timeout, of which libevent takes care after them.
 */
static void schedule_deferred(Loop *loop)
{
        static const struct timeval now = {};

        if (event_add(loop->deferred_event, &now) < 0)
                event_active(loop->deferred_event, 0, 0);
}

static void on_deferred(_unused_ evutil_socket_t fd, _unused_ short what, void *userdata)
{
        Loop *loop = userdata;
        Deferred *batch = loop->deferred;
        usec_t began = loop_callback_begins(loop);

        /* What is deferred from here on belongs to the next turn. */
        loop->in_deferred = true;
        loop->deferred = NULL;
        if (batch)
                batch->slot = &batch;
        loop->deferred_tail = &loop->deferred;
        while (batch) {
                Deferred *d = batch;

                batch = d->next;
                if (batch)
                        batch->slot = &batch;
                d->next = NULL;
                d->slot = NULL;
                d->callback(d);
                began = loop_callback_ended(loop, began);
        }
        loop->in_deferred = false;
        if (loop->deferred)
                schedule_deferred(loop);
}

int loop_new(Clock *clock, Loop **ret)
{
        struct event_config *config;
        _cleanup_(loop_freep) Loop *loop = new0(Loop, 1);

        if (!loop)
                return -ENOMEM;
        loop->timer_fd = -1;
        loop->usage_fd = thread_usage_open(); /* without it, less is told of a stall */
        loop->clock = clock;
        loop->armed_boottime = USEC_INFINITY;
        loop->deferred_tail = &loop->deferred;

        config = event_config_new();
        if (!config)
                return -ENOMEM;
        (void)event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
        loop->base = event_base_new_with_config(config);
        event_config_free(config);
        loop->timers = timer_queue_new(clock);
        if (!loop->base || !loop->timers)
                return -ENOMEM;
        timer_queue_set_notify(loop->timers, on_earlier_deadline, loop);
        timer_queue_set_meter(loop->timers, on_timer_ended, loop);

        loop->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
        if (loop->timer_fd < 0)
                return negative_errno();
        loop->timer_event = event_new(loop->base, loop->timer_fd, EV_READ | EV_PERSIST, on_timer_fd, loop);
        loop->deferred_event = event_new(loop->base, -1, 0, on_deferred, loop);
        if (!loop->timer_event || !loop->deferred_event || event_add(loop->timer_event, NULL) < 0)
                return -ENOMEM;

        *ret = TAKE_PTR(loop);
        return 0;
}

void loop_watch_stalls(Loop *loop, LoopStallCallback callback, void *userdata)
{
        loop->stall_callback = callback;
        loop->stall_userdata = userdata;
}

const LoopStalls *loop_stalls(const Loop *loop)
{
        return &loop->stalls;
}

static int arm_wall_clock(int fd)
{
        /* Far off: the kernel's own limit is some 292 years from 1970. */
        static const struct itimerspec never = { .it_value.tv_sec = INT64_C(9000000000) };

        return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) < 0 ? negative_errno() : 0;
}

static void on_wall_clock(_unused_ IoSource *source, int fd, _unused_ unsigned events, void *userdata)
{
        Loop *loop = userdata;
        uint64_t expirations;

        if (read(fd, &expirations, sizeof(expirations)) >= 0 || errno != ECANCELED)
                return;
        (void)arm_wall_clock(fd);
        loop->wall_clock_callback(loop->wall_clock_userdata);
}

static void stop_watching_wall_clock(Loop *loop)
{
        if (!loop->wall_clock)
                return;
        safe_close(loop->wall_clock->fd);
        loop->wall_clock = io_source_free(loop->wall_clock);
}

int loop_watch_wall_clock(Loop *loop, void (*callback)(void *userdata), void *userdata)
{
        _cleanup_close_ int fd = -1;
        int r;

        stop_watching_wall_clock(loop);
        if (!callback)
                return 0;
        fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
        if (fd < 0)
                return negative_errno();
        r = arm_wall_clock(fd);
        if (r >= 0)
                r = io_source_new(loop, fd, IO_READ, on_wall_clock, loop, &loop->wall_clock);
        if (r < 0)
                return r;
        loop->wall_clock_callback = callback;
        loop->wall_clock_userdata = userdata;
        TAKE_FD(fd);
        return 0;
}

Loop *loop_free(Loop *loop)
{
        if (!loop)
                return NULL;
        if (loop->timer_event)
                event_free(loop->timer_event);
        if (loop->deferred_event)
                event_free(loop->deferred_event);
        stop_watching_wall_clock(loop);
        timer_queue_free(loop->timers);
        safe_close(loop->timer_fd);
        safe_close(loop->usage_fd);
        if (loop->base)
                event_base_free(loop->base);
        free(loop);
        return NULL;
}

int loop_run(Loop *loop)
{
        if (event_base_dispatch(loop->base) < 0)
                return -EIO;
        return loop->exit_code;
}

void loop_exit(Loop *loop, int code)
{
        loop->exit_code = code;
        (void)event_base_loopbreak(loop->base);
}

TimerQueue *loop_timers(Loop *loop)
{
        return loop->timers;
}

Clock *loop_clock(Loop *loop)
{
        return loop->clock;
}

struct event_base *loop_event_base(Loop *loop)
{
        return loop->base;
}

/*
 * What came due while a descriptor was served is fired behind the others of this turn, for which the timerfd
 * need not be set. Deadlines themselves never have more fired in their turn.
 */
static void arm_earlier(Loop *loop, usec_t now)
{
        if (!loop->earlier)
                return;
        loop->earlier = false;
        if (timer_queue_wake(loop->timers) <= now)
                event_active(loop->timer_event, EV_READ, 0);
        else
                arm_timer_fd(loop, 0);
}

/* Between two descriptors of one turn. */
static void catch_up(Loop *loop, usec_t now)
{
        if (now < usec_add(loop->turned_boottime, TURN_SPAN) || event_base_got_break(loop->base))
                return;
        if (timer_queue_wake(loop->timers) <= now)
                on_timer_fd(loop->timer_fd, EV_READ, loop);
        else
                loop->turned_boottime = now;
        if (loop->deferred)
                on_deferred(-1, 0, loop);
}

static void on_io(evutil_socket_t fd, short what, void *userdata)
{
        IoSource *source = userdata;
        Loop *loop = source->loop;
        usec_t began = loop_callback_begins(loop);
        unsigned events = 0;

        if (what & EV_READ)
                events |= IO_READ;
        if (what & EV_WRITE)
                events |= IO_WRITE;
        if (what & EV_CLOSED)
                events |= IO_HANGUP;
        loop->in_io = true;
        source->callback(source, fd, events, source->userdata); /* may free the source */
        loop->in_io = false;
        began = loop_callback_ended(loop, began);
        arm_earlier(loop, began);
        catch_up(loop, began);
}

static short to_event_flags(unsigned events)
{
        return (short)(EV_PERSIST | (events & IO_READ ? EV_READ : 0) | (events & IO_WRITE ? EV_WRITE : 0) |
                       (events & IO_HANGUP ? EV_CLOSED | EV_ET : 0));
}

int io_source_new(Loop *loop, int fd, unsigned events, IoCallback callback, void *userdata, IoSource **ret)
{
        _cleanup_(io_source_freep) IoSource *source = new0(IoSource, 1);

        if (!source)
                return -ENOMEM;
        *source = (IoSource){ .loop = loop, .fd = fd, .events = events, .callback = callback, .userdata = userdata };
        source->event = event_new(loop->base, fd, to_event_flags(events), on_io, source);
        if (!source->event)
                return -ENOMEM;
        if (events != 0 && event_add(source->event, NULL) < 0)
                return -EIO;
        *ret = TAKE_PTR(source);
        return 0;
}

int io_source_set_events(IoSource *source, unsigned events)
{
        if (source->events == events)
                return 0;
        if (source->events != 0 && event_del(source->event) < 0)
                return -EIO;
        source->events = 0;
        if (event_assign(source->event, source->loop->base, source->fd, to_event_flags(events), on_io, source) < 0)
                return -EINVAL;
        if (events != 0 && event_add(source->event, NULL) < 0)
                return -EIO;
        source->events = events;
        return 0;
}

IoSource *io_source_free(IoSource *source)
{
        if (!source)
                return NULL;
        if (source->event)
                event_free(source->event);
        free(source);
        return NULL;
}

static void on_signal(evutil_socket_t signo, _unused_ short what, void *userdata)
{
        SignalSource *source = userdata;
        Loop *loop = source->loop;
        usec_t began = loop_callback_begins(loop);

        source->callback(source, signo, source->userdata); /* may free the source */
        (void)loop_callback_ended(loop, began);
}

int signal_source_new(Loop *loop, int signo, SignalCallback callback, void *userdata, SignalSource **ret)
{
        _cleanup_(signal_source_freep) SignalSource *source = new0(SignalSource, 1);

        if (!source)
                return -ENOMEM;
        source->loop = loop;
        source->callback = callback;
        source->userdata = userdata;
        source->event = evsignal_new(loop->base, signo, on_signal, source);
        if (!source->event || event_add(source->event, NULL) < 0)
                return -ENOMEM;
        *ret = TAKE_PTR(source);
        return 0;
}

SignalSource *signal_source_free(SignalSource *source)
{
        if (!source)
                return NULL;
        if (source->event)
                event_free(source->event);
        free(source);
        return NULL;
}

void loop_defer(Loop *loop, Deferred *deferred)
{
        if (deferred->slot)
                return;
        deferred->next = NULL;
        deferred->slot = loop->deferred_tail;
        *loop->deferred_tail = deferred;
        loop->deferred_tail = &deferred->next;
        if (!loop->in_deferred)
                event_active(loop->deferred_event, 0, 0);
}

void deferred_cancel(Loop *loop, Deferred *deferred)
{
        if (!deferred->slot)
                return;
        *deferred->slot = deferred->next;
        if (deferred->next)
                deferred->next->slot = deferred->slot;
        else if (loop->deferred_tail == &deferred->next)
                loop->deferred_tail = deferred->slot;
        deferred->next = NULL;
        deferred->slot = NULL;
}
