/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a schedule had up to now and nobody took: counted, the latest of it, the newest. A grid is
 * arithmetic; everything else is walked through, by the same searches that find what comes next.
 */
#include "when/schedule-internal.h"

static void missed_add(ScheduleMissed *missed, uint64_t n, const Occurrence *last)
{
        if (missed->n == 0 || last->scheduled_realtime >= missed->last.scheduled_realtime)
                missed->last = *last;
        missed->n += n;
}

/* The points of an unaligned grid. */
static void missed_grid(const Schedule *schedule, size_t i, const ScheduleState *state, const ScheduleNow *now,
                        ScheduleMissed *missed)
{
        usec_t end = MIN(now->boottime, to_boottime(now, schedule->until_realtime));
        usec_t span = schedule->triggers[i].span, first = schedule_boot_due(schedule, i, state, now), n;

        if (first > end)
                return;
        n = (end - first) / span;
        missed_add(missed, n + 1, &(Occurrence){
                .due_boottime = first + n * span,
                .scheduled_realtime = to_realtime(now, first + n * span),
                .trigger = (uint32_t)i,
                .clock = SCHEDULE_CLOCK_BOOT,
        });
}

/* TRIGGER I, a delay or a one-time one, falls on an instant that another one of the boot clock counts. */
static bool coincides(const Schedule *schedule, size_t i, const ScheduleState *state, const ScheduleNow *now)
{
        usec_t due = schedule_boot_next(schedule, i, state, now);

        for (size_t k = 0; k < schedule->n_triggers && due != USEC_INFINITY; k++) {
                const Trigger *other = &schedule->triggers[k];

                if (k == i || !on_boot_clock(schedule, other))
                        continue;
                if (other->type == TRIGGER_EVERY) {
                        if (schedule_boot_due(schedule, k, state, now) <= due && schedule_every_from(state, other->span, due) == due)
                                return true;
                } else if (k < i && schedule_boot_next(schedule, k, state, now) == due) {
                        return true;
                }
        }
        return false;
}

/* Where O stands on its own clock. */
static usec_t position(const Occurrence *o)
{
        return o->clock == SCHEDULE_CLOCK_WALL ? o->scheduled_realtime : o->due_boottime;
}

/*
 * The latest occurrence of the triggers of MASK, all of one clock, up to HIGH on that clock: *LAST
 * is one of them, and bisection finds how far one can go on and still have another ahead.
 */
static void find_last(const Schedule *schedule, uint64_t mask, ScheduleState *state, const ScheduleNow *now,
                      usec_t high, Occurrence *last)
{
        usec_t limit = high, low = position(last);
        Occurrence o;

        while (low < high) {
                usec_t middle = low + (high - low) / 2;

                if (last->clock == SCHEDULE_CLOCK_WALL)
                        state->last_realtime = middle;
                else
                        state->last_boottime = middle;
                if (schedule_find_of(schedule, mask, state, now, now->boottime, &o) > 0 && position(&o) <= limit) {
                        *last = o;
                        low = position(&o);
                } else {
                        high = middle;
                }
        }
}

/* Walks through what the triggers of MASK, all of one clock, had up to NOW. */
static void missed_walk(const Schedule *schedule, uint64_t mask, const ScheduleState *state,
                        const ScheduleNow *now, uint64_t max, ScheduleMissed *missed)
{
        ScheduleState cursor = *state;
        Occurrence o, last;
        uint64_t n = 0;
        int r;

        while ((r = schedule_find_of(schedule, mask, &cursor, now, now->boottime, &o)) > 0 && o.due_boottime <= now->boottime) {
                last = o;
                if (n == max) {
                        missed->more = true;
                        find_last(schedule, mask, &cursor, now,
                                  o.clock == SCHEDULE_CLOCK_WALL ? now->realtime : now->boottime, &last);
                        break;
                }
                n++;
                schedule_take(schedule, &cursor, now, &o);
        }
        if (r < 0 && o.due_boottime <= now->boottime)
                missed->more = true;
        if (n > 0)
                missed_add(missed, n, &last);
}

void schedule_missed(const Schedule *schedule, const ScheduleState *state, const ScheduleNow *now, uint64_t max,
                     ScheduleMissed *ret)
{
        ScheduleMissed missed = {};
        uint64_t wall = 0;

        for (size_t i = 0; i < schedule->n_triggers; i++) {
                uint64_t mask = UINT64_C(1) << i;

                if (!on_boot_clock(schedule, &schedule->triggers[i]))
                        wall |= mask;
                else if (schedule->triggers[i].type == TRIGGER_EVERY && schedule->n_excludes == 0)
                        missed_grid(schedule, i, state, now, &missed);
                else if (schedule->triggers[i].type == TRIGGER_EVERY || !coincides(schedule, i, state, now))
                        missed_walk(schedule, mask, state, now, max, &missed);
        }
        if (wall != 0)
                missed_walk(schedule, wall, state, now, max, &missed);
        *ret = missed;
}

/*
 * As schedule_newest() with AGE for the window. Returns MAX + 1 where there are more; what is in TIMES
 * is of no use then.
 */
static size_t younger_than(const Schedule *schedule, const ScheduleState *state, const ScheduleNow *now, usec_t age,
                           ScheduleTime *times, size_t max)
{
        ScheduleState cursor = *state;
        usec_t from_boottime = usec_sub(now->boottime, age), from_realtime = usec_sub(now->realtime, age);
        Occurrence o;
        size_t n = 0;

        cursor.last_realtime = MAX(wall_cursor(state, now), usec_sub(from_realtime, 1));
        if (from_boottime > 0 && (cursor.last_boottime == USEC_INFINITY || cursor.last_boottime < from_boottime))
                cursor.last_boottime = from_boottime - 1;
        while (schedule_find_of(schedule, UINT64_MAX, &cursor, now, now->boottime, &o) > 0 && o.due_boottime <= now->boottime) {
                schedule_take(schedule, &cursor, now, &o);
                /* A delay is due since whenever; and both clocks may have one at the same instant. */
                if (o.scheduled_realtime < from_realtime || (n > 0 && times[n - 1].scheduled_realtime == o.scheduled_realtime))
                        continue;
                if (n == max)
                        return max + 1;
                times[n++] = (ScheduleTime){ o.scheduled_realtime, o.trigger };
        }
        return n;
}

size_t schedule_newest(const Schedule *schedule, const ScheduleState *state, const ScheduleNow *now, usec_t window,
                       ScheduleTime *times, size_t max)
{
        usec_t fits = 0, excess = window;
        size_t n = max > 0 ? younger_than(schedule, state, now, window, times, max) : 0;

        if (n <= max)
                return n;
        excess = MIN(excess, MAX(now->realtime, now->boottime));
        while (excess - fits > 1) {
                usec_t middle = fits + (excess - fits) / 2;

                if (younger_than(schedule, state, now, middle, times, max) <= max)
                        fits = middle;
                else
                        excess = middle;
        }
        n = younger_than(schedule, state, now, fits, times, max);
        return n <= max ? n : 0;
}

bool schedule_delay_is_due(const Schedule *schedule, const ScheduleState *state, const ScheduleNow *now)
{
        for (size_t i = 0; i < schedule->n_triggers; i++)
                if ((schedule->triggers[i].type == TRIGGER_AFTER || schedule->triggers[i].type == TRIGGER_STARTUP) &&
                    schedule_boot_next(schedule, i, state, now) <= now->boottime)
                        return true;
        return false;
}
