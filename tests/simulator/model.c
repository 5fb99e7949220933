/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a job stands in time: its beginning, its cursors on both clocks, and what moves them but for occurrences. */
#include "model-internal.h"

/* when/schedule.h: a clock that goes back to further than this before what has run was wrong then. */
#define STEP_BACK_MAX (3 * 3600 * SEC)

void model_init(Model *m, World *world, unsigned index, uint64_t seed)
{
        *m = (Model){ .world = world, .index = index, .random = { .state = seed } };
        m->catch_up = calloc(2 * MODEL_CATCH_UP_MAX, sizeof(*m->catch_up));
        if (!m->catch_up)
                abort();
}

void model_deinit(Model *m)
{
        if (m->definition)
                job_spec_unref(m->definition->spec);
        free(m->definition);
        free(m->dues);
        free(m->runs);
        free(m->catch_up);
}

bool in_force(const Model *m)
{
        return m->definition->enabled && (m->definition->count == 0 || m->count < m->definition->count);
}

static void forget_dues(Model *m)
{
        m->n_dues = 0;
        m->overflow = false;
        m->every_done = m->every_taken;
        m->wall_done = m->wall_taken;
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
        if (m->n_catch_up > 0)
                world_fail(m->world, m, "%zu occurrences were never caught up on", m->n_catch_up);
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

        /* What was put off on the wall clock has begun. */
        if (set_first)
                settle(m);
        if (set_first || m->wall_last > now + STEP_BACK_MAX)
                m->wall_taken = m->wall_last = now;
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
}
