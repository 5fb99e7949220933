/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Time as takt counts it: microseconds, on one of two clocks that a variable names in its name:
 * `_boottime` (CLOCK_BOOTTIME: never steps, runs on in suspend) for intervals and `_realtime`
 * (CLOCK_REALTIME: the wall clock) for calendars. The clock is an object, so that tests pass one.
 */

#include "base/macro.h"

typedef uint64_t usec_t;

#define USEC_INFINITY UINT64_MAX
#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_PER_SEC UINT64_C(1000000)
#define USEC_PER_MINUTE (60 * USEC_PER_SEC)
#define USEC_PER_HOUR (60 * USEC_PER_MINUTE)
#define USEC_PER_DAY (24 * USEC_PER_HOUR)
#define NSEC_PER_USEC UINT64_C(1000)

typedef struct Clock Clock;

struct Clock {
        usec_t (*boottime)(Clock *clock);
        usec_t (*realtime)(Clock *clock);
};

/* A clock that stands still until it is told to move; for tests and simulation. */
typedef struct VirtualClock {
        Clock clock;
        usec_t now_boottime;
        usec_t now_realtime;
} VirtualClock;

/* The kernel's clocks. Never fails, is never freed. */
Clock *clock_system(void);

void virtual_clock_init(VirtualClock *clock, usec_t boottime, usec_t realtime);
/* Lets USEC pass on both clocks. */
void virtual_clock_advance(VirtualClock *clock, usec_t usec);

static inline usec_t clock_boottime(Clock *clock)
{
        return clock->boottime(clock);
}

static inline usec_t clock_realtime(Clock *clock)
{
        return clock->realtime(clock);
}

/* Saturates at USEC_INFINITY, which absorbs everything. */
static inline usec_t usec_add(usec_t a, usec_t b)
{
        usec_t sum;

        return __builtin_add_overflow(a, b, &sum) ? USEC_INFINITY : sum;
}

/* Saturates at 0; USEC_INFINITY stays. */
static inline usec_t usec_sub(usec_t a, usec_t b)
{
        if (a == USEC_INFINITY)
                return a;
        return a > b ? a - b : 0;
}

/* "2026-11-22T10:00:00.000000Z" */
#define REALTIME_ISO_MAX 32

/*
 * Writes REALTIME as RFC 3339 in UTC with microseconds, as every interface of takt prints it.
 * Returns BUFFER. Years past 9999 are printed as year 9999.
 */
char *realtime_to_iso(usec_t realtime, char buffer[static REALTIME_ISO_MAX]);
