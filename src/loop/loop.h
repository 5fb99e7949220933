/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The event loop: the only owner of libevent. Descriptors, signals, deferred calls, and one timer
 * queue under one timerfd. One thread; callbacks must not block.
 */

#include "base/activity.h"
#include "base/clock.h"
#include "loop/timer.h"

typedef struct Loop Loop;
typedef struct IoSource IoSource;
typedef struct SignalSource SignalSource;
typedef struct Deferred Deferred;

/* Returns 0 and a loop with a timer queue on CLOCK (borrowed; it must be the system's to sleep rightly). -errno. */
int loop_new(Clock *clock, Loop **ret);
/* All sources of the loop must have been freed before. */
Loop *loop_free(Loop *loop);
DEFINE_CLEANUP(Loop *, loop_free);

/* Runs until loop_exit(). Returns the code given there, or -errno. */
int loop_run(Loop *loop);
void loop_exit(Loop *loop, int code);

TimerQueue *loop_timers(Loop *loop);
Clock *loop_clock(Loop *loop);
/* The libevent base, for loop/ itself only (evhttp). */
struct event_base;
struct event_base *loop_event_base(Loop *loop);

/*
 * What an IoSource waits for and is told of; level-triggered. A hang-up shows as readable. Who does
 * not want to read waits for IO_HANGUP: that the peer has shut down its end, or gone away. It comes
 * once for each of these (edge-triggered), and is not to be combined with the others.
 */
enum {
        IO_READ = 1 << 0,
        IO_WRITE = 1 << 1,
        IO_HANGUP = 1 << 2,
};

typedef void (*IoCallback)(IoSource *source, int fd, unsigned events, void *userdata);

/* Watches FD (borrowed: close it after io_source_free()) for EVENTS, which may be 0. 0 or -errno. */
int io_source_new(Loop *loop, int fd, unsigned events, IoCallback callback, void *userdata, IoSource **ret);
/* Changes what is waited for; costs nothing where EVENTS is what it was. */
int io_source_set_events(IoSource *source, unsigned events);
/* May be called from its own callback. Accepts NULL, returns NULL. */
IoSource *io_source_free(IoSource *source);
DEFINE_CLEANUP(IoSource *, io_source_free);

/*
 * Tells, at once, that somebody set the wall clock. One watcher a loop; a NULL CALLBACK ends it.
 * -errno where the kernel has no such timer.
 */
int loop_watch_wall_clock(Loop *loop, void (*callback)(void *userdata), void *userdata);

/*
 * A callback that kept the loop for LOOP_STALL_USEC or longer. Everything else waited for it, so each
 * is worth a word: what it was doing is the last note of base/activity.h, if it made one.
 */
#define LOOP_STALL_USEC (50 * USEC_PER_MSEC)
/* How old what is known of the thread's use of the processor is, at most, when a callback begins. */
#define LOOP_USAGE_AGE (5 * USEC_PER_MSEC)

/*
 * One stall, and where its time went. The use before it is known as of up to LOOP_USAGE_AGE earlier: so much of what was
 * done before it may be told as its own.
 */
typedef struct LoopStall {
        usec_t duration; /* of which … */
        usec_t work;     /* … it computed, */
        usec_t waiting;  /* it waited for a processor that others had (USEC_INFINITY: nobody counts that), */
        usec_t blocked;  /* and it waited for something else, or was stopped */
} LoopStall;

/* Their number and their times in all. */
typedef struct LoopStalls {
        uint64_t n;
        usec_t longest;
        usec_t work, waiting, blocked;
} LoopStalls;

typedef void (*LoopStallCallback)(const LoopStall *stall, const Activity *activity, void *userdata);

/* CALLBACK is told of each stall at its end. One watcher a loop; NULL ends it. */
void loop_watch_stalls(Loop *loop, LoopStallCallback callback, void *userdata);
const LoopStalls *loop_stalls(const Loop *loop);
/* For loop/ itself only: a callback begins. Returns the time now. */
usec_t loop_callback_begins(Loop *loop);
/* For loop/ itself only: a callback that began at BEGAN has returned. Returns the time now. */
usec_t loop_callback_ended(Loop *loop, usec_t began_boottime);

/* CALLBACK is called whenever a callback of the loop has returned: for checks. One watcher a loop; NULL ends it. */
void loop_watch_callbacks(Loop *loop, void (*callback)(void *userdata), void *userdata);

typedef void (*SignalCallback)(SignalSource *source, int signo, void *userdata);

int signal_source_new(Loop *loop, int signo, SignalCallback callback, void *userdata, SignalSource **ret);
SignalSource *signal_source_free(SignalSource *source);
DEFINE_CLEANUP(SignalSource *, signal_source_free);

/*
 * A call that is made from the loop, not from where it was asked for: after the callbacks that are
 * running now, before the loop sleeps. Embedded in its owner; asked for twice it is made once. What
 * is deferred by such a call comes in the next turn, behind the descriptors that are ready then.
 */
struct Deferred {
        void (*callback)(Deferred *deferred);
        struct Deferred *next;
        struct Deferred **slot; /* where it is linked, NULL: not pending */
};

void loop_defer(Loop *loop, Deferred *deferred);
void deferred_cancel(Loop *loop, Deferred *deferred);
