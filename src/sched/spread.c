/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * AccuracySec= gives each occurrence a window. It is put on the roundest instant in there, as counted
 * by the boot clock: points of 10 s before those of 1 s, and so on. Whatever jobs there are, their
 * windows meet at the same points, and no job has to know of another. The boot clock begins anywhere
 * on the wall clock's scale, so that machines do not act in step.
 */
#include "sched/spread.h"

/* Each divides the one before. */
static const usec_t points[] = {
        USEC_PER_DAY,
        6 * USEC_PER_HOUR,
        USEC_PER_HOUR,
        10 * USEC_PER_MINUTE,
        USEC_PER_MINUTE,
        10 * USEC_PER_SEC,
        USEC_PER_SEC,
        250 * USEC_PER_MSEC,
        50 * USEC_PER_MSEC,
        10 * USEC_PER_MSEC,
        2 * USEC_PER_MSEC,
};

usec_t spread_jitter(Scheduler *s, const Job *job, usec_t limit)
{
        uint64_t share;

        if (limit == 0)
                return 0;
        share = job->spec->schedule.fixed_random_delay ?
                        siphash24(&s->limits.machine_key, job->name, strlen(job->name)) : scheduler_random(s);
        /* The upper half of the product: a share of 2^64ths. */
        return (usec_t)(((unsigned __int128)share * ((unsigned __int128)limit + 1)) >> 64);
}

usec_t spread_slack(usec_t due_boottime, usec_t accuracy)
{
        for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
                usec_t past = due_boottime % points[i], slack = past > 0 ? points[i] - past : 0;

                if (slack <= accuracy)
                        return slack;
        }
        return 0;
}

Delay spread_delay(Scheduler *s, const Job *job, usec_t due_boottime, usec_t gap, usec_t kept)
{
        const ScheduleSettings *rules = &job->spec->schedule;
        usec_t room = gap == USEC_INFINITY ? gap : usec_sub(gap, 1), limit = MIN(rules->random_delay, room);
        Delay delay = {};

        if (rules->random_delay > 0)
                delay.jitter = kept <= limit ? kept : spread_jitter(s, job, limit);
        if (rules->accuracy > SPREAD_EXACT)
                delay.slack = spread_slack(usec_add(due_boottime, delay.jitter),
                                           MIN(rules->accuracy, usec_sub(room, delay.jitter)));
        return delay;
}
