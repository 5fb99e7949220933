/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What the files of schedules share: schedule.c has what one is made of and what its state remembers,
 * schedule-search.c looks for what comes next, schedule-missed.c for what has passed.
 */

#include "when/schedule.h"

/* --- conversion between the clocks, as they stand to each other now --- */

static inline usec_t shift_clock(usec_t t, usec_t from, usec_t to)
{
        if (t == USEC_INFINITY)
                return t;
        return t >= from ? usec_add(to, t - from) : usec_sub(to, from - t);
}

static inline usec_t to_realtime(const ScheduleNow *now, usec_t boottime)
{
        return shift_clock(boottime, now->boottime, now->realtime);
}

static inline usec_t to_boottime(const ScheduleNow *now, usec_t realtime)
{
        return shift_clock(realtime, now->realtime, now->boottime);
}

/* --- what a state says --- */

/* The wall clock's cursor: the last occurrence, unless the clock was far wrong when that was. */
static inline usec_t wall_cursor(const ScheduleState *state, const ScheduleNow *now)
{
        if (!state->ahead && state->last_realtime > usec_add(now->realtime, SCHEDULE_STEP_BACK_MAX))
                return now->realtime;
        return state->last_realtime;
}

static inline bool is_done(const ScheduleState *state, size_t trigger)
{
        return state->done & UINT64_C(1) << trigger;
}

static inline void set_done(ScheduleState *state, size_t trigger)
{
        state->done |= UINT64_C(1) << trigger;
}

static inline bool on_boot_clock(const Schedule *schedule, const Trigger *trigger)
{
        return trigger->type == TRIGGER_AFTER || trigger->type == TRIGGER_STARTUP ||
               (trigger->type == TRIGGER_EVERY && !schedule->align);
}

/* --- schedule-search.c --- */

/* The first point of the grid at or after FROM. */
usec_t schedule_every_from(const ScheduleState *state, usec_t span, usec_t from);
/* What trigger I asks for on the boot clock, were nothing excluded; USEC_INFINITY: nothing. */
usec_t schedule_boot_due(const Schedule *schedule, size_t i, const ScheduleState *state, const ScheduleNow *now);
/* The same with Exclude= and Until=. USEC_INFINITY where it is not known, too. */
usec_t schedule_boot_next(const Schedule *schedule, size_t i, const ScheduleState *state, const ScheduleNow *now);
/*
 * schedule_next() over the triggers of MASK, whatever Count= says; goes on where that gives up, which is marked in
 * STATE, until UNTIL_BOOTTIME or SCHEDULE_LOOKS_MAX times.
 */
int schedule_find_of(const Schedule *schedule, uint64_t mask, ScheduleState *state, const ScheduleNow *now,
                     usec_t until_boottime, Occurrence *ret);
