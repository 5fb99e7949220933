/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Deadlines on the boot-time clock, in intrusive entries: a wheel of lists for what is to come, in which
 * arming and disarming cost O(1) however many wait, and a heap for what is due within the present
 * millisecond. All fire in the order of their deadlines, to the microsecond, and entries of the same deadline
 * in the order in which they were armed. The queue reads no clock of its own, so tests drive it with a
 * virtual one.
 */

#include "base/clock.h"
#include "base/list.h"

typedef struct Timer Timer;
typedef struct TimerQueue TimerQueue;
/* NOW: where the queue has a meter, what that said a moment ago; else when the queue was dispatched. */
typedef void (*TimerCallback)(Timer *timer, usec_t now_boottime);

/* Embedded in what waits. Zeroed but for CALLBACK is a timer that is not armed. */
struct Timer {
        TimerCallback callback;
        usec_t due_boottime;
        uint32_t sequence; /* order among equal deadlines */
        uint32_t slot;     /* 1-based place in the heap, 0: not armed, UINT32_MAX: in a list */
        List link;
};

/* CLOCK is borrowed. NULL: no memory. */
TimerQueue *timer_queue_new(Clock *clock);
/* Entries that are still armed are forgotten, not fired. */
TimerQueue *timer_queue_free(TimerQueue *queue);
DEFINE_CLEANUP(TimerQueue *, timer_queue_free);

Clock *timer_queue_clock(TimerQueue *queue);

/*
 * Arms TIMER, or moves it. Never fails where the timer was armed before or timer_queue_reserve()
 * made room; else 0 or -ENOMEM.
 */
int timer_arm(TimerQueue *queue, Timer *timer, usec_t due_boottime);
/* As timer_arm(), AFTER from now on. */
int timer_arm_after(TimerQueue *queue, Timer *timer, usec_t after);
/* Harmless where it is not armed. */
void timer_disarm(TimerQueue *queue, Timer *timer);

static inline bool timer_is_armed(const Timer *timer)
{
        return timer->slot > 0;
}

/* Room for N more timers, so that arming them can't fail. 0 or -ENOMEM. */
int timer_queue_reserve(TimerQueue *queue, size_t n);

/* The earliest deadline, USEC_INFINITY where nothing is armed. Looks through what lies near it. */
usec_t timer_queue_next(const TimerQueue *queue);
/*
 * When to call timer_queue_dispatch() next: not after the earliest deadline, but sometimes before it, where
 * that one was disarmed or many lie close together. O(1).
 */
usec_t timer_queue_wake(const TimerQueue *queue);
size_t timer_queue_size(const TimerQueue *queue);

/*
 * Fires what is due at NOW, at most MAX entries (0: all), each disarmed before its callback runs;
 * what callbacks arm for NOW or earlier waits for the next call. Returns the number fired.
 */
size_t timer_queue_dispatch(TimerQueue *queue, usec_t now_boottime, size_t max);

/* How often timer_queue_dispatch() was called: what can't change within one call is the same as long as this is. */
uint64_t timer_queue_turn(const TimerQueue *queue);

/* Called whenever timer_queue_wake() becomes earlier; the loop re-arms its timerfd with it. */
typedef void (*TimerQueueNotify)(void *userdata);
void timer_queue_set_notify(TimerQueue *queue, TimerQueueNotify notify, void *userdata);

/*
 * Called after each callback of a timer, and after work of the queue's own between two, with the time at which that
 * began; returns the time now, at which the next one begins.
 */
typedef usec_t (*TimerQueueMeter)(usec_t began_boottime, void *userdata);
void timer_queue_set_meter(TimerQueue *queue, TimerQueueMeter meter, void *userdata);
