/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a schedule is made of, and what a job remembers of it. */
#include "when/schedule-internal.h"

#include "base/string-util.h"
#include "when/civil.h"
#include "when/timestamp.h"

/* Monday, 5 January 1970. */
#define ALIGN_ORIGIN (4 * LOCAL_PER_DAY)

static void trigger_deinit(Trigger *trigger)
{
        if (trigger->type == TRIGGER_CALENDAR)
                calendar_free(trigger->calendar);
        else if (trigger->type == TRIGGER_CRON)
                cron_free(trigger->cron);
}

void schedule_deinit(Schedule *schedule)
{
        for (size_t i = 0; i < schedule->n_triggers; i++)
                trigger_deinit(&schedule->triggers[i]);
        for (size_t i = 0; i < schedule->n_excludes; i++)
                calendar_free(schedule->excludes[i]);
        free(schedule->triggers);
        free(schedule->excludes);
        zone_unref(schedule->zone);
        zone_unref(schedule->zone_before);
        *schedule = SCHEDULE_NULL;
}

int schedule_add_trigger(Schedule *schedule, Trigger trigger)
{
        Trigger *triggers = NULL;
        bool full = schedule->n_triggers >= SCHEDULE_TRIGGERS_MAX;

        if (!full)
                triggers = reallocarray(schedule->triggers, schedule->n_triggers + 1, sizeof(*triggers));
        if (!triggers) {
                trigger_deinit(&trigger);
                return full ? -E2BIG : -ENOMEM;
        }
        schedule->triggers = triggers;
        schedule->triggers[schedule->n_triggers++] = trigger;
        return 0;
}

int schedule_add_exclude(Schedule *schedule, Calendar *calendar)
{
        Calendar **excludes = NULL;
        bool full = schedule->n_excludes >= SCHEDULE_EXCLUDES_MAX;

        if (!full)
                excludes = reallocarray(schedule->excludes, schedule->n_excludes + 1, sizeof(*excludes));
        if (!excludes) {
                calendar_free(calendar);
                return full ? -E2BIG : -ENOMEM;
        }
        schedule->excludes = excludes;
        schedule->excludes[schedule->n_excludes++] = calendar;
        return 0;
}

int schedule_parse_align(Schedule *schedule, const char *s, WhenError *error)
{
        int64_t origin;
        bool align;
        int r;

        if (parse_boolean(s, &align) >= 0) {
                schedule->align = align;
                schedule->align_from = false;
                schedule->align_origin = ALIGN_ORIGIN;
                return 0;
        }
        r = timestamp_parse_local(s, &origin, error);
        if (r < 0)
                return r;
        schedule->align = true;
        schedule->align_from = true;
        schedule->align_origin = origin;
        return 0;
}

void schedule_set_zone(Schedule *schedule, Zone *zone)
{
        zone_ref(zone);
        zone_unref(schedule->zone);
        schedule->zone = zone;
        for (size_t i = 0; i < schedule->n_triggers; i++)
                if (schedule->triggers[i].at_is_local)
                        (void)timestamp_resolve(schedule->triggers[i].at_local, zone, &schedule->triggers[i].at_realtime);
        if (schedule->until_is_local)
                (void)timestamp_resolve(schedule->until_local, zone, &schedule->until_realtime);
}

Zone *schedule_change_zone(Schedule *schedule, Zone *zone, uint32_t change)
{
        if (schedule->zone_change == change)
                return schedule->zone_before;
        schedule->zone_change = change;
        zone_unref(schedule->zone_before);
        schedule->zone_before = NULL;
        if (!zone || zone == schedule->zone)
                return NULL;
        if (!zone_equal(zone, schedule->zone))
                schedule->zone_before = zone_ref(schedule->zone);
        schedule_set_zone(schedule, zone);
        return schedule->zone_before;
}

/* --- the state --- */

void schedule_state_init(ScheduleState *state, const ScheduleNow *now)
{
        *state = (ScheduleState){
                .anchor_boottime = now->boottime,
                .last_boottime = USEC_INFINITY,
                .last_realtime = now->realtime,
        };
}

/* Takes what TRIGGER (of index I) asks for on the boot clock up to DUE. */
static void take_boot(const Schedule *schedule, size_t i, ScheduleState *state, const ScheduleNow *now, usec_t due)
{
        TriggerType type = schedule->triggers[i].type;

        /* Of a grid, pass_boot() takes it. */
        if ((type != TRIGGER_STARTUP && type != TRIGGER_AFTER) || schedule_boot_due(schedule, i, state, now) > due)
                return;
        if (type == TRIGGER_STARTUP)
                set_done(state, i);
        else
                schedule_run_started(state);
}

/* A delay can be due since before what was taken of the grid. */
static void pass_boot(ScheduleState *state, usec_t boottime)
{
        if (state->last_boottime == USEC_INFINITY || state->last_boottime < boottime)
                state->last_boottime = boottime;
}

void schedule_pass(const Schedule *schedule, ScheduleState *state, const ScheduleNow *now, const Occurrence *occurrence)
{
        const Trigger *trigger = &schedule->triggers[occurrence->trigger];
        usec_t due = occurrence->due_boottime;

        if (occurrence->clock == SCHEDULE_CLOCK_WALL) {
                state->last_realtime = occurrence->scheduled_realtime - 1;
                state->ahead = state->last_realtime > now->realtime;
        } else if (trigger->type == TRIGGER_AFTER) {
                /* As if the run had ended so late that only now it were over. Soon after boot it waits for longer than it needs to. */
                schedule_run_ended(state, usec_sub(due, trigger->span));
        } else if (due > 0) {
                pass_boot(state, due - 1);
        }
}

void schedule_take(const Schedule *schedule, ScheduleState *state, const ScheduleNow *now,
                   const Occurrence *occurrence)
{
        if (occurrence->clock == SCHEDULE_CLOCK_BOOT) {
                for (size_t i = 0; i < schedule->n_triggers; i++)
                        take_boot(schedule, i, state, now, occurrence->due_boottime);
                pass_boot(state, occurrence->due_boottime);
                return;
        }
        state->last_realtime = occurrence->scheduled_realtime;
        state->ahead = occurrence->scheduled_realtime > now->realtime;
        for (size_t i = 0; i < schedule->n_triggers; i++)
                if (schedule->triggers[i].type == TRIGGER_AT &&
                    schedule->triggers[i].at_realtime == occurrence->scheduled_realtime)
                        set_done(state, i);
}

void schedule_take_until(const Schedule *schedule, ScheduleState *state, const ScheduleNow *now)
{
        usec_t cursor = wall_cursor(state, now);

        for (size_t i = 0; i < schedule->n_triggers; i++) {
                const Trigger *trigger = &schedule->triggers[i];

                if (trigger->type == TRIGGER_AT) {
                        if (trigger->at_realtime > cursor && trigger->at_realtime <= now->realtime)
                                set_done(state, i);
                } else if (trigger->type == TRIGGER_AFTER) {
                        /* One that waits for the end of what is excluded goes on to wait. */
                        if (state->ended_boottime == USEC_INFINITY || schedule_boot_next(schedule, i, state, now) <= now->boottime)
                                schedule_run_ended(state, now->boottime);
                } else {
                        take_boot(schedule, i, state, now, now->boottime);
                }
        }
        state->last_boottime = now->boottime;
        state->last_realtime = MAX(cursor, now->realtime);
}

void schedule_pass_until(const Schedule *schedule, ScheduleState *state, const ScheduleNow *now)
{
        uint64_t done = state->done;

        schedule_take_until(schedule, state, now);
        for (size_t i = 0; i < schedule->n_triggers; i++)
                if (schedule->triggers[i].type == TRIGGER_AT)
                        state->done &= done | ~(UINT64_C(1) << i);
}

void schedule_settle(const Schedule *schedule, ScheduleState *state, const ScheduleNow *now)
{
        for (size_t i = 0; i < schedule->n_triggers; i++)
                if (schedule->triggers[i].type == TRIGGER_STARTUP && schedule_boot_due(schedule, i, state, now) <= now->boottime)
                        set_done(state, i);
        pass_boot(state, now->boottime);
        state->last_realtime = MAX(state->last_realtime, now->realtime);
}

void schedule_clock_set(ScheduleState *state, const ScheduleNow *now)
{
        /* Once and for all: a cursor that follows the clock would pass over what comes due meanwhile. */
        state->last_realtime = wall_cursor(state, now);
}

void schedule_run_started(ScheduleState *state)
{
        state->ended_boottime = USEC_INFINITY;
}

void schedule_run_ended(ScheduleState *state, usec_t boottime)
{
        state->ended_boottime = MAX(boottime, (usec_t)1);
}

/* --- whether it can fire --- */

bool schedule_begins_anew(const Schedule *schedule, const ScheduleState *state)
{
        if (schedule->until_realtime != USEC_INFINITY || schedule->n_excludes > 0 ||
            (schedule->max_count > 0 && state->count >= schedule->max_count))
                return false;
        for (size_t i = 0; i < schedule->n_triggers; i++)
                if (schedule->triggers[i].type == TRIGGER_STARTUP)
                        return true;
        return false;
}

int schedule_check(const Schedule *schedule, const ScheduleNow *now, WhenError *error)
{
        ScheduleNow epoch = { .boottime = now->boottime, .startup_boottime = now->startup_boottime };
        Schedule endless = *schedule;
        ScheduleState state;
        Occurrence o;

        if (schedule->n_triggers == 0)
                return 0;
        schedule_state_init(&state, now);
        if (schedule_find(schedule, &state, now, &o) != 0)
                return 0;
        if (now->realtime > schedule->until_realtime)
                return when_error(error, -ETIME, 0, "the time in Until= has passed");
        schedule_state_init(&state, &epoch);
        if (schedule_find(schedule, &state, &epoch, &o) > 0)
                return when_error(error, -ETIME, 0, "every time in this schedule has passed");
        endless.until_realtime = USEC_INFINITY;
        schedule_state_init(&state, &epoch);
        if (schedule_find(&endless, &state, &epoch, &o) > 0)
                return when_error(error, -EINVAL, 0, "Until= comes before every time of this schedule");
        if (schedule->n_excludes > 0)
                return when_error(error, -EINVAL, 0, "Exclude= leaves nothing of this schedule");
        return when_error(error, -EINVAL, 0, "this schedule never fires up to the year %d", WHEN_YEAR_MAX);
}
