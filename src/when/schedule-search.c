/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each clock has one cursor in the state, and the triggers that stand on that clock answer one
 * question: what comes strictly after it? The boot clock's answers are arithmetic. The wall
 * clock's are searches, of which the earliest counts; several that fall on one instant are one
 * occurrence, because the cursor moves past all of them. One-time triggers have a bit besides, so
 * that a wall clock that goes back far doesn't bring them back.
 */
#include "when/schedule.h"
#include "when/schedule-internal.h"

#include "when/civil.h"

/* --- the boot clock --- */

usec_t schedule_every_from(const ScheduleState *state, usec_t span, usec_t from)
{
        usec_t k, distance;

        if (from <= state->anchor_boottime)
                return state->anchor_boottime;
        k = (from - state->anchor_boottime - 1) / span + 1;
        if (__builtin_mul_overflow(k, span, &distance))
                return USEC_INFINITY;
        return usec_add(state->anchor_boottime, distance);
}

usec_t schedule_boot_due(const Schedule *schedule, size_t i, const ScheduleState *state, const ScheduleNow *now)
{
        const Trigger *trigger = &schedule->triggers[i];

        switch (trigger->type) {
        case TRIGGER_EVERY:
                return schedule_every_from(state, trigger->span,
                                  state->last_boottime == USEC_INFINITY ? 0 : state->last_boottime + 1);
        case TRIGGER_AFTER:
                return state->ended_boottime == 0 ? state->anchor_boottime
                                                  : usec_add(state->ended_boottime, trigger->span);
        case TRIGGER_STARTUP:
                return is_done(state, i) ? USEC_INFINITY
                                         : MAX(usec_add(now->startup_boottime, trigger->span), state->anchor_boottime);
        default:
                return USEC_INFINITY;
        }
}

static bool is_in_excludes(const Schedule *schedule, usec_t realtime, usec_t *ret_end)
{
        DstRules rules = { .zone = schedule->zone, .gap = schedule->gap, .fold = schedule->fold };

        for (size_t i = 0; i < schedule->n_excludes; i++)
                if (calendar_covers(schedule->excludes[i], &rules, realtime, ret_end))
                        return true;
        return false;
}

static inline bool excluded(const Schedule *schedule, usec_t realtime, usec_t *ret_end)
{
        return schedule->n_excludes > 0 && is_in_excludes(schedule, realtime, ret_end);
}

/*
 * The same with Exclude= applied: the grid goes on to its first point behind what is excluded, a
 * delay waits until the end of it, a one-time trigger is dropped. 1 found, 0 never, -EAGAIN: nothing before *RET.
 */
static int boot_search(const Schedule *schedule, size_t i, const ScheduleState *state, const ScheduleNow *now, usec_t *ret)
{
        const Trigger *trigger = &schedule->triggers[i];
        usec_t due = schedule_boot_due(schedule, i, state, now);

        for (unsigned n = 0; due != USEC_INFINITY; n++) {
                usec_t realtime = to_realtime(now, due), end;

                *ret = due;
                if (realtime > schedule->until_realtime)
                        return 0;
                if (n == SCHEDULE_EXCLUDED_MAX)
                        return -EAGAIN;
                if (!excluded(schedule, realtime, &end))
                        return 1;
                /* In whatever zone, the end of all time. */
                if (trigger->type == TRIGGER_STARTUP || end >= (usec_t)WHEN_END - 2 * USEC_PER_DAY)
                        return 0;
                due = usec_add(due, end - realtime);
                if (trigger->type == TRIGGER_EVERY)
                        due = schedule_every_from(state, trigger->span, due);
        }
        return 0;
}

usec_t schedule_boot_next(const Schedule *schedule, size_t i, const ScheduleState *state, const ScheduleNow *now)
{
        usec_t due;

        return boot_search(schedule, i, state, now, &due) > 0 ? due : USEC_INFINITY;
}

/* --- the wall clock --- */

/* The grid of an aligned Every=, as local time. */
typedef struct Grid {
        int64_t origin;
        int64_t span;
        bool from_origin;
} Grid;

static int grid_next(const void *pattern, int64_t local, int64_t *ret)
{
        const Grid *grid = pattern;
        int64_t distance = local - grid->origin, k;

        k = distance / grid->span;
        if (distance % grid->span > 0)
                k++;
        if (k < 0 && grid->from_origin)
                k = 0;
        if (local >= WHEN_END || (k > 0 && grid->span > (WHEN_END - grid->origin) / k))
                return 0;
        *ret = grid->origin + k * grid->span;
        return *ret < WHEN_END;
}

static int every_wall_next(const Schedule *schedule, const Trigger *trigger, usec_t after, usec_t *ret)
{
        DstRules rules = { .zone = schedule->zone, .gap = schedule->gap, .fold = schedule->fold };
        Grid grid = {
                .origin = schedule->align_origin,
                .span = (int64_t)trigger->span,
                .from_origin = schedule->align_from,
        };

        if (trigger->span > INT64_MAX)
                return 0;
        /* Whole days keep their time of day like a fixed time; smaller steps are a wildcard's. */
        return dst_next(grid_next, &grid, trigger->span % USEC_PER_DAY == 0, &rules, after, ret);
}

static int wall_trigger_next(const Schedule *schedule, size_t i, const ScheduleState *state, usec_t after,
                             usec_t *ret)
{
        DstRules rules = { .zone = schedule->zone, .gap = schedule->gap, .fold = schedule->fold };
        const Trigger *trigger = &schedule->triggers[i];

        switch (trigger->type) {
        case TRIGGER_EVERY:
                return every_wall_next(schedule, trigger, after, ret);
        case TRIGGER_AT:
                if (is_done(state, i) || trigger->at_realtime <= after)
                        return 0;
                *ret = trigger->at_realtime;
                return 1;
        case TRIGGER_CALENDAR:
                return calendar_next(trigger->calendar, &rules, after, ret);
        case TRIGGER_CRON:
                return cron_next(trigger->cron, &rules, after, ret);
        default:
                return 0;
        }
}

/* The earliest instant after AFTER that some trigger asks for and no exclusion covers. -EAGAIN: none before *RET. */
static int wall_next(const Schedule *schedule, const ScheduleState *state, usec_t after, usec_t *ret,
                     uint32_t *ret_trigger)
{
        for (unsigned n = 0; n < SCHEDULE_EXCLUDED_MAX; n++) {
                usec_t earliest = USEC_INFINITY, end;

                for (size_t i = 0; i < schedule->n_triggers; i++) {
                        usec_t t;

                        if (on_boot_clock(schedule, &schedule->triggers[i]) ||
                            wall_trigger_next(schedule, i, state, after, &t) == 0 || t >= earliest)
                                continue;
                        earliest = t;
                        *ret_trigger = (uint32_t)i;
                }
                *ret = earliest;
                if (earliest == USEC_INFINITY || earliest > schedule->until_realtime)
                        return 0;
                if (!excluded(schedule, earliest, &end))
                        return 1;
                after = end - 1;
        }
        *ret = after + 1;
        return -EAGAIN;
}

/* --- both together --- */

/* schedule_next() over the triggers of MASK, whatever Count= says. */
static int next_of(const Schedule *schedule, uint64_t mask, const ScheduleState *state, const ScheduleNow *now,
                   Occurrence *ret)
{
        Occurrence best = { .due_boottime = USEC_INFINITY };
        int best_r = 0, r;
        bool wall = false;
        uint32_t trigger = 0;
        usec_t t = USEC_INFINITY;

        for (size_t i = 0; i < schedule->n_triggers; i++) {
                if (!(mask & UINT64_C(1) << i))
                        continue;
                if (!on_boot_clock(schedule, &schedule->triggers[i])) {
                        wall = true;
                        continue;
                }
                r = boot_search(schedule, i, state, now, &t);
                if (r == 0 || t > best.due_boottime || (t == best.due_boottime && r <= best_r))
                        continue;
                best_r = r;
                best = (Occurrence){
                        .due_boottime = t,
                        .scheduled_realtime = to_realtime(now, t),
                        .trigger = (uint32_t)i,
                        .clock = SCHEDULE_CLOCK_BOOT,
                };
        }
        r = wall ? wall_next(schedule, state, wall_cursor(state, now), &t, &trigger) : 0;
        if (r != 0 && to_boottime(now, t) < best.due_boottime) {
                best_r = r;
                best = (Occurrence){
                        .due_boottime = to_boottime(now, t),
                        .scheduled_realtime = t,
                        .trigger = trigger,
                        .clock = SCHEDULE_CLOCK_WALL,
                };
        }
        if (best_r != 0)
                *ret = best;
        return best_r;
}

int schedule_next(const Schedule *schedule, const ScheduleState *state, const ScheduleNow *now, Occurrence *ret)
{
        if (schedule->max_count > 0 && state->count >= schedule->max_count)
                return 0;
        return next_of(schedule, UINT64_MAX, state, now, ret);
}

int schedule_find_of(const Schedule *schedule, uint64_t mask, ScheduleState *state, const ScheduleNow *now,
                     usec_t until_boottime, Occurrence *ret)
{
        int r = 0;

        for (unsigned n = 0; n < SCHEDULE_LOOKS_MAX; n++) {
                r = next_of(schedule, mask, state, now, ret);
                if (r != -EAGAIN || ret->due_boottime > until_boottime)
                        break;
                schedule_pass(schedule, state, now, ret);
        }
        return r;
}

int schedule_find(const Schedule *schedule, ScheduleState *state, const ScheduleNow *now, Occurrence *ret)
{
        if (schedule->max_count > 0 && state->count >= schedule->max_count)
                return 0;
        return schedule_find_of(schedule, UINT64_MAX, state, now, USEC_INFINITY, ret);
}
