/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a job stands in time: its beginning, its cursors on both clocks, and what moves them but for occurrences. */
#include "model-internal.h"

/* when/schedule.h: a clock that goes back to further than this before what has run was wrong then. */
#define STEP_BACK_MAX (3 * 3600 * SEC)
/* takt.job(5): a clock that shows a year before 2026 has not been set. */
#define CLOCK_IS_SET (1767225600 * SEC)

void model_init(Model *m, World *world, unsigned index, uint64_t seed)
{
        *m = (Model){ .world = world, .index = index, .random = { .state = seed }, .edited = true };
        m->catch_up = calloc(2 * MODEL_CATCH_UP_MAX, sizeof(*m->catch_up));
        if (!m->catch_up)
                abort();
}

void model_deinit(Model *m)
{
        if (m->definition)
                job_spec_unref(m->definition->spec);
        free(m->definition);
        free(m->dues_room);
        free(m->runs);
        free(m->catch_up);
}

bool in_force(const Model *m)
{
        return m->definition->enabled && (m->definition->count == 0 || m->count < m->definition->count);
}

static void forget_dues(Model *m)
{
        m->dues = m->dues_room;
        m->n_dues = 0;
        m->overflow = false;
        m->every_done = m->every_taken;
        m->wall_done = m->wall_taken;
        m->quiet_until = INT64_MIN;
        m->after_due = UNKNOWN;
}

void model_begin(Model *m)
{
        m->anchor = world_boottime(m->world);
        m->every_taken = m->anchor - 1;
        m->wall_taken = m->wall_last = m->anchor + world_offset(m->world);
        m->startup_done = false;
        m->ats_done = 0;
        m->after_state = AFTER_FIRST;
        m->count = 0;
        m->paused = false;
        m->wall_kept = world_trusts_clock(m->world) ? m->wall_taken : 0;
        if (m->n_catch_up > 0)
                world_fail(m->world, m, "%zu occurrences were never caught up on", m->n_catch_up);
        forget_dues(m);
}

/* What a next daemon will find: nothing is written down by a clock that can't be trusted. */
static void keep_wall(Model *m)
{
        if (world_trusts_clock(m->world))
                m->wall_kept = m->definition->enabled ? m->wall_taken : 0;
}

/* What the last daemon left on the wall clock, or now: takt.job(5) under "Clocks". */
static void go_on_by_wall(Model *m)
{
        int64_t now = world_boottime(m->world) + world_offset(m->world);

        m->wall_taken = m->wall_last = now;
        if (m->definition->resume && world_trusts_clock(m->world) && m->wall_kept >= CLOCK_IS_SET &&
            m->wall_kept <= now + STEP_BACK_MAX)
                m->wall_taken = m->wall_last = m->wall_kept;
}

/* takt.job(5) under "Restarts". */
void model_restart(Model *m, bool boot)
{
        bool anew = !m->definition->resume || !m->definition->enabled || m->edited;
        int64_t now = world_boottime(m->world);

        m->edited = false;
        if (anew) {
                m->n_catch_up = 0;
                model_begin(m);
                return;
        }
        if (boot) {
                m->anchor = now;
                m->every_taken = now - 1;
                m->after_state = AFTER_FIRST;
        } else if (m->after_state == AFTER_HELD) {
                m->after_state = AFTER_COUNTS;
                m->after_from = now;
        }
        go_on_by_wall(m);
        m->startup_done = false;
        m->paused = false;
        m->restarting = m->n_catch_up > 0;
        forget_dues(m);
}

void model_restarted(Model *m)
{
        if (m->restarting)
                world_fail(m->world, m, "%zu occurrences were left to catch up on, and are not told of", m->n_catch_up);
}

void model_zone_changed(Model *m)
{
        Definition *d = m->definition;
        int64_t now = world_boottime(m->world) + world_offset(m->world);

        d->rules.zone = world_zone(m->world);
        for (unsigned i = 0; i < d->n_ats; i++)
                if (d->ats_local[i] != INT64_MIN)
                        d->ats[i] = (usec_t)local_instant(d->rules.zone, d->ats_local[i]);
        if (d->until != USEC_INFINITY && d->until_local != INT64_MIN)
                d->until = (usec_t)local_instant(d->rules.zone, d->until_local);
        if (!m->paused) {
                settle(m);
                m->wall_taken = MAX(m->wall_taken, now);
                m->wall_last = MAX(m->wall_last, now);
        }
        forget_dues(m);
}

void model_changed(Model *m, bool same, bool was_enabled)
{
        bool startup_done = m->startup_done, paused = m->paused;
        unsigned ats_done = m->ats_done, count = m->count;

        if (!same || !was_enabled)
                model_begin(m);
        m->paused = paused;
        if (same) {
                m->startup_done = startup_done;
                m->ats_done = ats_done;
                m->count = count;
        }
        if (model_waiting(m) + model_active(m) > 0)
                m->after_state = AFTER_HELD;
        m->after_due = UNKNOWN;
        m->unordered = m->newest;
}

void model_settle(Model *m)
{
        int64_t now = world_boottime(m->world) + world_offset(m->world);

        if (!m->paused)
                m->wall_last = MAX(m->wall_last, m->n_dues > 0 ? m->dues[0].scheduled - 1 : now);
}

/*
 * What was taken up to now; what is put off waits still. Neither clock's cursor goes back for what waits on
 * the other one: a wall clock that was set forward can have that before the boot.
 */
void settle(Model *m)
{
        int64_t every = m->every_done, wall = m->wall_done;

        if (m->n_dues > 0) {
                every = MIN(every, m->dues[0].due - 1);
                wall = MIN(wall, m->dues[0].scheduled - 1);
        }
        m->every_taken = MAX(m->every_taken, every);
        m->wall_taken = MAX(m->wall_taken, wall);
}

void model_clock_stepped(Model *m, bool set_first)
{
        int64_t now = world_boottime(m->world) + world_offset(m->world);

        /* What was put off on the wall clock has begun. A pause goes by the clock at its end alone. */
        if (set_first && !m->paused)
                settle(m);
        if (set_first)
                go_on_by_wall(m);
        else if (m->wall_last > now + STEP_BACK_MAX)
                m->wall_taken = m->wall_last = now;
        keep_wall(m);
        forget_dues(m);
}

void model_check(Model *m, int64_t to)
{
        /* What was due before the boot counts from there. */
        int64_t until = to < model_spread(m) ? INT64_MIN : to - model_spread(m);
        Pending p;

        if (m->paused)
                return;
        get_pending(m, until, &p);
        if (in_force(m) && p.total > 0)
                world_fail(m->world, m, "%zu occurrences were lost, the first due at %lld, the last scheduled for %lld", p.distinct,
                           (long long)p.first, (long long)p.scheduled);
        take_pending(m, until, true);
        if (!in_force(m))
                m->n_dues = 0;
        settle(m);
        keep_wall(m);
}
