/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/clock.h"

#include <time.h>

static usec_t read_clock(clockid_t id)
{
        struct timespec ts = {};

        (void)clock_gettime(id, &ts);
        return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / NSEC_PER_USEC;
}

static usec_t system_boottime(_unused_ Clock *clock)
{
        return read_clock(CLOCK_BOOTTIME);
}

static usec_t system_realtime(_unused_ Clock *clock)
{
        return read_clock(CLOCK_REALTIME);
}

Clock *clock_system(void)
{
        static Clock system = { .boottime = system_boottime, .realtime = system_realtime };

        return &system;
}

static usec_t virtual_boottime(Clock *clock)
{
        return container_of(clock, VirtualClock, clock)->now_boottime;
}

static usec_t virtual_realtime(Clock *clock)
{
        return container_of(clock, VirtualClock, clock)->now_realtime;
}

void virtual_clock_init(VirtualClock *clock, usec_t boottime, usec_t realtime)
{
        *clock = (VirtualClock){
                .clock = { .boottime = virtual_boottime, .realtime = virtual_realtime },
                .now_boottime = boottime,
                .now_realtime = realtime,
        };
}

void virtual_clock_advance(VirtualClock *clock, usec_t usec)
{
        clock->now_boottime = usec_add(clock->now_boottime, usec);
        clock->now_realtime = usec_add(clock->now_realtime, usec);
}

/* N digits of VALUE with leading zeros. */
static char *put_digits(char *s, unsigned value, unsigned n)
{
        for (unsigned i = n; i > 0; i--, value /= 10)
                s[i - 1] = (char)('0' + value % 10);
        return s + n;
}

/* By hand, as every record of a run has three of these and strftime() takes ten times as long. */
char *realtime_to_iso(usec_t realtime, char buffer[static REALTIME_ISO_MAX])
{
        static const time_t last_second = 253402300799; /* 9999-12-31T23:59:59Z */
        time_t seconds = (time_t)MIN(realtime / USEC_PER_SEC, (usec_t)last_second);
        char *s = buffer;
        struct tm tm = {};

        (void)gmtime_r(&seconds, &tm);
        s = put_digits(s, (unsigned)tm.tm_year + 1900, 4);
        *s++ = '-';
        s = put_digits(s, (unsigned)tm.tm_mon + 1, 2);
        *s++ = '-';
        s = put_digits(s, (unsigned)tm.tm_mday, 2);
        *s++ = 'T';
        s = put_digits(s, (unsigned)tm.tm_hour, 2);
        *s++ = ':';
        s = put_digits(s, (unsigned)tm.tm_min, 2);
        *s++ = ':';
        s = put_digits(s, (unsigned)tm.tm_sec, 2);
        *s++ = '.';
        s = put_digits(s, (unsigned)(realtime % USEC_PER_SEC), 6);
        *s++ = 'Z';
        *s = '\0';
        return buffer;
}
