/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What shaped an occurrence is found by asking the schedule again with that one setting turned round:
 * a time that is there with DstGap=after only was moved by a gap, one that another DstFold= would give at
 * another instant comes twice. So this can't disagree with what the scheduler does.
 */
#include "when/outlook.h"

static const char *const shift_names[_OUTLOOK_SHIFT_MAX] = {
        [OUTLOOK_GAP] = "gap",
        [OUTLOOK_FOLD_FIRST] = "fold-first",
        [OUTLOOK_FOLD_SECOND] = "fold-second",
};

static const struct {
        const char *name;
        const char *text;
} ends[_OUTLOOK_END_MAX] = {
        [OUTLOOK_NO_TRIGGER] = { "no-trigger", "it has no trigger of time: it is started by hand or by events" },
        [OUTLOOK_COUNT] = { "count", "it has had as many runs as Count= allows" },
        [OUTLOOK_UNTIL] = { "until", "nothing is due after the time in Until=" },
        [OUTLOOK_AFTER_RUN] = { "after-run", "After= counts from the end of a run that has not ended yet" },
        [OUTLOOK_STARTUP] = { "startup", "OnStartup= is due again when the daemon is started the next time" },
        [OUTLOOK_EXCLUDED] = { "excluded", "Exclude= leaves nothing of what is to come" },
        [OUTLOOK_PASSED] = { "passed", "all its times have passed" },
};

const char *outlook_shift_to_string(OutlookShift shift)
{
        return shift_names[shift];
}

const char *outlook_end_to_string(OutlookEnd end)
{
        return ends[end].name;
}

const char *outlook_end_to_text(OutlookEnd end)
{
        return ends[end].text;
}

/* Whether trigger I of SCHEDULE alone, with what the copy says of gaps and folds, is due at REALTIME. */
static bool is_due_at(Schedule schedule, uint32_t i, usec_t realtime, const ScheduleNow *now)
{
        ScheduleState state;
        Occurrence o;

        schedule.triggers += i;
        schedule.n_triggers = 1;
        schedule.n_excludes = 0;
        schedule.max_count = 0;
        schedule_state_init(&state, now);
        state.last_realtime = realtime - 1;
        state.ahead = true;
        return schedule_next(&schedule, &state, now, &o) > 0 && o.scheduled_realtime == realtime;
}

static OutlookShift shift_of(const Schedule *schedule, const Occurrence *o, const ScheduleNow *now)
{
        TriggerType type = schedule->triggers[o->trigger].type;
        Schedule other = *schedule;
        ZoneSpan span;
        int64_t first, second, utc = (int64_t)(o->scheduled_realtime / USEC_PER_SEC);

        if (o->clock != SCHEDULE_CLOCK_WALL || type == TRIGGER_AT || !schedule->zone || o->scheduled_realtime == 0)
                return OUTLOOK_AS_WRITTEN;
        other.gap = DST_GAP_SKIP;
        if (!is_due_at(other, o->trigger, o->scheduled_realtime, now))
                return OUTLOOK_GAP;
        zone_span(schedule->zone, utc, &span);
        if (zone_resolve(schedule->zone, utc + span.offset, &first, &second) != ZONE_FOLD)
                return OUTLOOK_AS_WRITTEN;
        /* A wildcard runs both times, whatever DstFold= says. */
        other.fold = utc == first ? DST_FOLD_SECOND : DST_FOLD_FIRST;
        if (is_due_at(other, o->trigger, o->scheduled_realtime, now))
                return OUTLOOK_AS_WRITTEN;
        return utc == first ? OUTLOOK_FOLD_FIRST : OUTLOOK_FOLD_SECOND;
}

static unsigned count_excluded(const Schedule *schedule, const ScheduleState *from, const ScheduleNow *now,
                               const Occurrence *until)
{
        Schedule all = *schedule;
        ScheduleState state = *from;
        unsigned n = 0;
        Occurrence o;

        if (schedule->n_excludes == 0)
                return 0;
        all.n_excludes = 0;
        while (n < OUTLOOK_EXCLUDED_MAX && schedule_next(&all, &state, now, &o) > 0 &&
               o.scheduled_realtime < until->scheduled_realtime) {
                schedule_take(&all, &state, now, &o);
                n++;
        }
        return n;
}

int outlook_next(const Schedule *schedule, ScheduleState *state, const ScheduleNow *now, OutlookTime *ret)
{
        Occurrence o;

        if (schedule_find(schedule, state, now, &o) <= 0)
                return 0;
        *ret = (OutlookTime){
                .occurrence = o,
                .shift = shift_of(schedule, &o, now),
                .n_excluded = count_excluded(schedule, state, now, &o),
        };
        schedule_take(schedule, state, now, &o);
        state->count++;
        return 1;
}

static bool goes_on(const Schedule *schedule, const ScheduleState *state, const ScheduleNow *now)
{
        Occurrence o;

        return schedule_next(schedule, state, now, &o) != 0;
}

OutlookEnd outlook_end(const Schedule *schedule, const ScheduleState *state, const ScheduleNow *now)
{
        Schedule other;

        if (schedule->n_triggers == 0)
                return OUTLOOK_NO_TRIGGER;
        if (schedule->max_count > 0 && state->count >= schedule->max_count)
                return OUTLOOK_COUNT;
        if (goes_on(schedule, state, now))
                return OUTLOOK_GOES_ON;
        for (size_t i = 0; i < schedule->n_triggers && state->ended_boottime == USEC_INFINITY; i++)
                if (schedule->triggers[i].type == TRIGGER_AFTER && now->realtime <= schedule->until_realtime)
                        return OUTLOOK_AFTER_RUN;
        if (schedule_begins_anew(schedule, state))
                return OUTLOOK_STARTUP;
        if (schedule->until_realtime == USEC_INFINITY && schedule->n_excludes == 0)
                return OUTLOOK_PASSED;
        other = *schedule;
        other.until_realtime = USEC_INFINITY;
        if (goes_on(&other, state, now))
                return OUTLOOK_UNTIL;
        other.n_excludes = 0;
        return goes_on(&other, state, now) ? OUTLOOK_EXCLUDED : OUTLOOK_PASSED;
}
