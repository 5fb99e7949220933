/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each clock has one cursor in the state, and the triggers that stand on that clock answer one
 * question: what comes strictly after it? The boot clock's answers are arithmetic. The wall
 * clock's are searches, of which the earliest counts; several that fall on one instant are one
 * occurrence, because the cursor moves past all of them. One-time triggers have a bit besides, so
 * that a wall clock that goes back far doesn't bring them back.
 */
#include "when/schedule.h"

#include "base/string-util.h"
#include "when/civil.h"
#include "when/timestamp.h"

/* Monday, 5 January 1970. */
#define ALIGN_ORIGIN (4 * LOCAL_PER_DAY)

static const char *const trigger_names[_TRIGGER_TYPE_MAX] = {
        [TRIGGER_EVERY] = "Every=",
        [TRIGGER_AFTER] = "After=",
        [TRIGGER_STARTUP] = "OnStartup=",
        [TRIGGER_AT] = "At=",
        [TRIGGER_CALENDAR] = "OnCalendar=",
        [TRIGGER_CRON] = "Cron=",
};

const char *trigger_type_to_string(TriggerType type)
{
        return trigger_names[type];
}

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

/* --- conversion between the clocks, as they stand to each other now --- */

static usec_t shift(usec_t t, usec_t from, usec_t to)
{
        if (t == USEC_INFINITY)
                return t;
        return t >= from ? usec_add(to, t - from) : usec_sub(to, from - t);
}

static usec_t to_realtime(const ScheduleNow *now, usec_t boottime)
{
        return shift(boottime, now->boottime, now->realtime);
}

static usec_t to_boottime(const ScheduleNow *now, usec_t realtime)
{
        return shift(realtime, now->realtime, now->boottime);
}

/* The wall clock's cursor: the last occurrence, unless the clock was far wrong when that was. */
static usec_t wall_cursor(const ScheduleState *state, const ScheduleNow *now)
{
        if (!state->ahead && state->last_realtime > usec_add(now->realtime, SCHEDULE_STEP_BACK_MAX))
                return now->realtime;
        return state->last_realtime;
}

static bool is_done(const ScheduleState *state, size_t trigger)
{
        return state->done & UINT64_C(1) << trigger;
}

static void set_done(ScheduleState *state, size_t trigger)
{
        state->done |= UINT64_C(1) << trigger;
}

/* --- the boot clock --- */

static bool on_boot_clock(const Schedule *schedule, const Trigger *trigger)
{
        return trigger->type == TRIGGER_AFTER || trigger->type == TRIGGER_STARTUP ||
               (trigger->type == TRIGGER_EVERY && !schedule->align);
}

/* The first point of the grid at or after FROM. */
static usec_t every_from(const ScheduleState *state, usec_t span, usec_t from)
{
        usec_t k, distance;

        if (from <= state->anchor_boottime)
                return state->anchor_boottime;
        k = (from - state->anchor_boottime - 1) / span + 1;
        if (__builtin_mul_overflow(k, span, &distance))
                return USEC_INFINITY;
        return usec_add(state->anchor_boottime, distance);
}

/* What TRIGGER (of index I) asks for on the boot clock, were nothing excluded; USEC_INFINITY: nothing. */
static usec_t boot_due(const Schedule *schedule, size_t i, const ScheduleState *state, const ScheduleNow *now)
{
        const Trigger *trigger = &schedule->triggers[i];

        switch (trigger->type) {
        case TRIGGER_EVERY:
                return every_from(state, trigger->span,
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

static bool excluded(const Schedule *schedule, usec_t realtime, usec_t *ret_end)
{
        DstRules rules = { .zone = schedule->zone, .gap = schedule->gap, .fold = schedule->fold };

        for (size_t i = 0; i < schedule->n_excludes; i++)
                if (calendar_covers(schedule->excludes[i], &rules, realtime, ret_end))
                        return true;
        return false;
}

/*
 * The same with Exclude= applied: the grid goes on to its first point behind what is excluded, a
 * delay waits until the end of it, a one-time trigger is dropped. 1 found, 0 never, -EAGAIN: nothing before *RET.
 */
static int boot_search(const Schedule *schedule, size_t i, const ScheduleState *state, const ScheduleNow *now, usec_t *ret)
{
        const Trigger *trigger = &schedule->triggers[i];
        usec_t due = boot_due(schedule, i, state, now);

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
                        due = every_from(state, trigger->span, due);
        }
        return 0;
}

/* USEC_INFINITY where it is not known, too. */
static usec_t boot_next(const Schedule *schedule, size_t i, const ScheduleState *state, const ScheduleNow *now)
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

/* As next_of(), but goes on where that gives up, which is marked in STATE. */
static int find_of(const Schedule *schedule, uint64_t mask, ScheduleState *state, const ScheduleNow *now, usec_t until_boottime,
                   Occurrence *ret)
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
        return find_of(schedule, UINT64_MAX, state, now, USEC_INFINITY, ret);
}

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
        if (!on_boot_clock(schedule, &schedule->triggers[i]) || boot_due(schedule, i, state, now) > due)
                return;
        if (schedule->triggers[i].type == TRIGGER_STARTUP)
                set_done(state, i);
        else if (schedule->triggers[i].type == TRIGGER_AFTER)
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
                        if (state->ended_boottime == USEC_INFINITY || boot_next(schedule, i, state, now) <= now->boottime)
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
                if (schedule->triggers[i].type == TRIGGER_STARTUP && boot_due(schedule, i, state, now) <= now->boottime)
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

/* --- what has passed --- */

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
        usec_t span = schedule->triggers[i].span, first = boot_due(schedule, i, state, now), n;

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
        usec_t due = boot_next(schedule, i, state, now);

        for (size_t k = 0; k < schedule->n_triggers && due != USEC_INFINITY; k++) {
                const Trigger *other = &schedule->triggers[k];

                if (k == i || !on_boot_clock(schedule, other))
                        continue;
                if (other->type == TRIGGER_EVERY) {
                        if (boot_due(schedule, k, state, now) <= due && every_from(state, other->span, due) == due)
                                return true;
                } else if (k < i && boot_next(schedule, k, state, now) == due) {
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
                if (find_of(schedule, mask, state, now, now->boottime, &o) > 0 && position(&o) <= limit) {
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

        while ((r = find_of(schedule, mask, &cursor, now, now->boottime, &o)) > 0 && o.due_boottime <= now->boottime) {
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
                           usec_t *times, size_t max)
{
        ScheduleState cursor = *state;
        usec_t from_boottime = usec_sub(now->boottime, age), from_realtime = usec_sub(now->realtime, age);
        Occurrence o;
        size_t n = 0;

        cursor.last_realtime = MAX(wall_cursor(state, now), usec_sub(from_realtime, 1));
        if (from_boottime > 0 && (cursor.last_boottime == USEC_INFINITY || cursor.last_boottime < from_boottime))
                cursor.last_boottime = from_boottime - 1;
        while (find_of(schedule, UINT64_MAX, &cursor, now, now->boottime, &o) > 0 && o.due_boottime <= now->boottime) {
                schedule_take(schedule, &cursor, now, &o);
                /* A delay is due since whenever; and both clocks may have one at the same instant. */
                if (o.scheduled_realtime < from_realtime || (n > 0 && times[n - 1] == o.scheduled_realtime))
                        continue;
                if (n == max)
                        return max + 1;
                times[n++] = o.scheduled_realtime;
        }
        return n;
}

size_t schedule_newest(const Schedule *schedule, const ScheduleState *state, const ScheduleNow *now, usec_t window,
                       usec_t *times, size_t max)
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
                    boot_next(schedule, i, state, now) <= now->boottime)
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
