/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/thread-usage.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

int thread_usage_open(void)
{
        int fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);

        return fd < 0 ? negative_errno() : fd;
}

static usec_t read_clock(clockid_t id)
{
        struct timespec ts = {};

        (void)clock_gettime(id, &ts);
        return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / NSEC_PER_USEC;
}

/* "TIME-ON-A-PROCESSOR TIME-WAITING SLICES" in nanoseconds; the first is only exact to a tick, and 0 if nothing is counted. */
static usec_t read_waiting(int fd)
{
        unsigned long long ran, waited;
        char text[96];
        ssize_t n = fd >= 0 ? pread(fd, text, sizeof(text) - 1, 0) : -1;

        if (n <= 0)
                return USEC_INFINITY;
        text[n] = '\0';
        if (sscanf(text, "%llu %llu", &ran, &waited) != 2 || ran == 0)
                return USEC_INFINITY;
        return waited / NSEC_PER_USEC;
}

void thread_usage_read(int fd, ThreadUsage *ret)
{
        *ret = (ThreadUsage){
                .work = read_clock(CLOCK_THREAD_CPUTIME_ID),
                .waiting = read_waiting(fd),
                .asleep = usec_sub(read_clock(CLOCK_BOOTTIME), read_clock(CLOCK_MONOTONIC)),
        };
}
