/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What comes next: what the timer of a job that nothing is due of must be armed for. */
#include "model-internal.h"

static int64_t next_on_wall(const Model *m, unsigned days)
{
        Model ahead = *m;
        int64_t found = NEVER;

        ahead.dues = ahead.dues_room = NULL;
        ahead.n_dues = ahead.allocated_dues = 0;
        for (unsigned i = 0; i < days && ahead.n_dues == 0; i++) {
                walk_wall(&ahead, ahead.wall_done, ahead.wall_done + DAY);
                ahead.wall_done += DAY;
        }
        for (size_t i = 0; i < ahead.n_dues; i++)
                found = MIN(found, ahead.dues[i].due);
        free(ahead.dues_room);
        return found;
}

static int64_t next_of_every(const Model *m, int64_t horizon)
{
        int64_t span = (int64_t)m->definition->every, t = m->anchor;

        if (m->definition->every == USEC_INFINITY || m->definition->aligned)
                return NEVER;
        if (m->every_done >= m->anchor)
                t += ((m->every_done - m->anchor) / span + 1) * span;
        while (t <= horizon && !allowed(m, t + world_offset(m->world))) {
                int64_t end = behind_excluded(m, t, horizon);

                if (end == NEVER)
                        return NEVER;
                t = m->anchor + (end - m->anchor + span - 1) / span * span;
        }
        return t <= horizon ? t : NEVER;
}

void model_check_next(Model *m, const Job *job, unsigned days)
{
        int64_t horizon = world_boottime(m->world) + days * DAY, next, armed;

        if (!in_force(m) || m->paused) {
                if (timer_is_armed(&job->timer))
                        world_fail(m->world, m, "waits for a time though it is paused, disabled or done");
                return;
        }
        if (m->n_dues > 0)
                next = m->dues[0].due;
        else
                next = MIN(MIN(next_on_wall(m, days), next_of_every(m, horizon)), MIN(after_due(m), startup_due(m)));
        armed = timer_is_armed(&job->timer) ? (int64_t)job->next_boottime : NEVER;
        if ((next > horizon ? armed > horizon : armed == next) &&
            (armed == NEVER || (int64_t)job->timer.due_boottime - armed <= model_spread(m)))
                return;
        world_fail(m->world, m, "waits for %lld instead of %lld (boot time; wall clock %lld ahead)", (long long)armed,
                   (long long)next, (long long)world_offset(m->world));
}
