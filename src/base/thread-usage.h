/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What became of a thread's time, as the kernel counts it: it worked, it waited for a processor, or the whole machine
 * slept. The rest is time in which it wanted none: it was blocked, or stopped. Two readings tell of the time between.
 */

#include "base/clock.h"

/* Since the thread, or the machine, began. */
typedef struct ThreadUsage {
        usec_t work;    /* on a processor */
        usec_t waiting; /* ready to run, but others had the processors; USEC_INFINITY: the kernel does not count it */
        usec_t asleep;  /* the machine: boot clock - monotonic clock, exact to some microseconds */
} ThreadUsage;

/* A descriptor for what follows, about the thread that calls. -errno where the kernel has no such count. */
int thread_usage_open(void);
/* Of the calling thread, which opened FD (or it is negative: not counted). Two system calls, some 2 µs. */
void thread_usage_read(int fd, ThreadUsage *ret);
