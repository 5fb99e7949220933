/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The occurrences that are due in a stretch of time and that nothing is known of yet: walked through, put in their
 * order, and kept until the scheduler has told what became of them.
 */
#include "model-internal.h"

#include <string.h>

/* Of occurrences that are late at once, those in between are not kept. */
#define DUES_MAX 100000U
/* Where there are more than so many, none but the last few matter besides: it catches up on 100. */
#define WALKED_MAX (3 * COUNTED_MAX)
#define LAST_FEW 400U
#define PATIENCE_MAX (2 * DAY)
/* Ahead of jobs that are due less often than so many times a day a look is worth it, so far at most. */
#define LOOK_DAILY 200U
#define LOOK_MAX (16 * DAY)
/* No definition excludes more than that at a stretch but for ever. */
#define EXCLUDED_MAX (800 * DAY)

/* *RET_END: the end of the day, minute or second that is excluded. */
static bool excluded(const Model *m, int64_t instant, int64_t *ret_end)
{
        for (unsigned i = 0; i < m->definition->n_excludes; i++)
                if (pattern_covers(&m->definition->excludes[i], m->definition->rules.zone, instant, ret_end))
                        return true;
        return false;
}

bool allowed(const Model *m, int64_t instant)
{
        int64_t end;

        return (usec_t)instant <= m->definition->until && !excluded(m, instant, &end);
}

static int compare_dues(const void *a, const void *b)
{
        const Due *x = a, *y = b;

        return (x->due > y->due) - (x->due < y->due);
}

static void sort_dues(Model *m)
{
        for (size_t i = 1; i < m->n_dues; i++)
                if (m->dues[i - 1].due > m->dues[i].due) {
                        qsort(m->dues, m->n_dues, sizeof(*m->dues), compare_dues);
                        return;
                }
}

/* Leaves out the middle: KEEP are left, which add_due() and fill() choose apart from each other. */
static void thin_dues(Model *m, size_t keep)
{
        sort_dues(m);
        memmove(m->dues + keep / 2, m->dues + m->n_dues - keep / 2, keep / 2 * sizeof(*m->dues));
        m->n_dues = keep;
        m->overflow = true;
}

/* For one more, behind those there are: what was taken leaves its place in front of them. */
static void make_room(Model *m)
{
        size_t taken = (size_t)(m->dues - m->dues_room);

        if (taken + m->n_dues < m->allocated_dues)
                return;
        if (taken > m->n_dues) {
                memcpy(m->dues_room, m->dues, m->n_dues * sizeof(*m->dues));
                m->dues = m->dues_room;
                return;
        }
        m->allocated_dues = m->allocated_dues * 2 + 16;
        m->dues_room = realloc(m->dues_room, m->allocated_dues * sizeof(*m->dues));
        if (!m->dues_room)
                abort();
        m->dues = m->dues_room + taken;
}

static void add_due(Model *m, int64_t due, int64_t scheduled, int at, bool wall)
{
        if (!allowed(m, scheduled))
                return;
        make_room(m);
        if (m->n_dues == DUES_MAX)
                thin_dues(m, DUES_MAX / 5 * 4);
        m->dues[m->n_dues++] = (Due){ due, scheduled, at, wall };
}

static void on_wall_instant(void *userdata, int64_t instant)
{
        Model *m = userdata;

        add_due(m, instant - world_offset(m->world), instant, -1, true);
}

/* The points of an unaligned grid in FROM < t <= TO. */
static void walk_every(Model *m, int64_t from, int64_t to)
{
        int64_t span = (int64_t)m->definition->every, offset = world_offset(m->world);
        int64_t k = from >= m->anchor ? (from - m->anchor) / span + 1 : 0;

        if (m->definition->aligned || m->definition->every == USEC_INFINITY)
                return;
        for (; m->anchor + k * span <= to; k++)
                add_due(m, m->anchor + k * span, m->anchor + k * span + offset, -1, false);
}

int64_t model_patience(const Model *m)
{
        return in_force(m) && !m->paused ? m->definition->patience : PATIENCE_MAX;
}

void model_rate(Definition *d)
{
        d->daily = d->every != USEC_INFINITY ? (unsigned)(DAY / (int64_t)d->every) : 0;
        for (unsigned i = 0; i < d->n_patterns; i++)
                d->daily += pattern_times_a_day(&d->patterns[i]);
        d->patience = MIN(PATIENCE_MAX, DAY / (d->daily + 1) * WALKED_MAX);
}

void walk_wall(Model *m, int64_t from, int64_t to)
{
        Definition *d = m->definition;

        for (unsigned i = 0; i < d->n_patterns; i++)
                pattern_walk(&d->patterns[i], &d->rules, from, to, on_wall_instant, m);
        if (d->aligned)
                grid_walk(&d->grid, &d->rules, from, to, on_wall_instant, m);
        for (unsigned i = 0; i < d->n_ats; i++)
                if (!(m->ats_done & 1U << i) && (int64_t)d->ats[i] > from && (int64_t)d->ats[i] <= to)
                        add_due(m, (int64_t)d->ats[i] - world_offset(m->world), (int64_t)d->ats[i], (int)i, true);
}

/*
 * What WALK finds in FROM < t <= TO; of more than can be counted only the first and the last: a clock may be set
 * decades forward, or a machine sleep for days over a grid of milliseconds.
 */
static void fill(Model *m, int64_t from, int64_t to, void (*walk)(Model *m, int64_t from, int64_t to))
{
        size_t before = m->n_dues, n;

        for (int64_t span = 3600 * SEC; from < to && m->n_dues <= before + WALKED_MAX; span = MIN(2 * span, 64 * DAY)) {
                int64_t end = MIN(to, from + span);

                walk(m, from, end);
                from = end;
        }
        if (from < to && m->n_dues > DUES_MAX / 4)
                thin_dues(m, DUES_MAX / 4);
        n = m->n_dues;
        for (int64_t span = 60 * SEC; from < to; span *= 4) {
                int64_t start = MAX(from, to - span);

                m->n_dues = n;
                walk(m, start, to);
                m->overflow = m->overflow || start > from;
                if (start == from || m->n_dues >= n + LAST_FEW)
                        break;
        }
}

/* Nothing is due by boot time FROM; until when is that so? In the meantime there is nothing to walk through. */
static void look_ahead(Model *m, int64_t from)
{
        int64_t offset = world_offset(m->world), end = from + LOOK_MAX;

        for (int64_t span = DAY / 4; from < end && m->n_dues == 0; span *= 2) {
                walk_wall(m, from + offset, from + span + offset);
                walk_every(m, MAX(from, m->anchor - 1), from + span);
                from += span;
        }
        m->quiet_until = from;
        for (size_t i = 0; i < m->n_dues; i++)
                m->quiet_until = MIN(m->quiet_until, m->dues[i].due - 1);
        m->n_dues = 0;
}

void model_fill(Model *m, int64_t to)
{
        int64_t wall_to = to + world_offset(m->world);

        if (in_force(m) && to > m->quiet_until) {
                fill(m, m->wall_done, wall_to, walk_wall);
                fill(m, MAX(m->every_done, m->anchor - 1), to, walk_every);
                sort_dues(m);
                /* Not where the wall clock was set back, and stands before what is walked through. */
                if (m->n_dues == 0 && m->definition->daily < LOOK_DAILY && m->wall_done <= wall_to)
                        look_ahead(m, to);
        }
        m->every_done = to;
        m->wall_done = MAX(m->wall_done, wall_to);
}

int64_t behind_excluded(const Model *m, int64_t due, int64_t limit)
{
        int64_t offset = world_offset(m->world), end;

        while (due <= limit && (usec_t)(due + offset) <= m->definition->until) {
                if (!excluded(m, due + offset, &end))
                        return due;
                due = end - offset;
        }
        return NEVER;
}

int64_t after_due(Model *m)
{
        const Definition *d = m->definition;

        if (d->after == USEC_INFINITY || m->after_state == AFTER_HELD || !in_force(m))
                return NEVER;
        if (m->after_due == UNKNOWN) {
                int64_t due = m->after_state == AFTER_FIRST ? m->anchor : m->after_from + (int64_t)d->after;

                m->after_due = behind_excluded(m, due, due + EXCLUDED_MAX);
        }
        return m->after_due;
}

static int64_t startup_time(const Model *m)
{
        return MAX(world_start(m->world) + (int64_t)m->definition->startup, m->anchor);
}

int64_t startup_due(const Model *m)
{
        if (m->definition->startup == USEC_INFINITY || m->startup_done || !in_force(m) ||
            !allowed(m, startup_time(m) + world_offset(m->world)))
                return NEVER;
        return startup_time(m);
}

static void add_pending(Pending *p, const Due *due, bool startup)
{
        p->total++;
        p->first = MIN(p->first, due->due);
        if (due->due < p->last)
                return;
        p->distinct += due->due > p->last;
        p->startup = startup && (p->startup || due->due > p->last);
        p->last = due->due;
        p->scheduled = due->scheduled;
}

void get_pending(Model *m, int64_t to, Pending *ret)
{
        int64_t offset = world_offset(m->world);
        Due others[] = { { .due = after_due(m), .at = 0 }, { .due = startup_due(m), .at = 1 } };
        Pending p = { .first = INT64_MAX, .last = INT64_MIN };
        size_t i = 0;

        if (others[0].due > others[1].due) {
                Due later = others[0];

                others[0] = others[1];
                others[1] = later;
        }
        for (unsigned k = 0; k < 3; k++) {
                while (i < m->n_dues && m->dues[i].due <= to && (k == 2 || m->dues[i].due <= others[k].due))
                        add_pending(&p, &m->dues[i++], false);
                if (k < 2 && others[k].due <= to) {
                        others[k].scheduled = others[k].due + offset;
                        add_pending(&p, &others[k], others[k].at == 1);
                }
        }
        *ret = p;
}

void take_pending(Model *m, int64_t to, bool ran)
{
        size_t n = 0;

        for (; n < m->n_dues && m->dues[n].due <= to; n++)
                if (m->dues[n].at >= 0 && ran)
                        m->ats_done |= 1U << m->dues[n].at;
        m->dues += n;
        m->n_dues -= n;
        m->overflow = false;
        if (m->definition->startup != USEC_INFINITY && startup_time(m) <= to)
                m->startup_done = true;
}

int64_t model_spread(const Model *m)
{
        return (int64_t)m->definition->random_delay + (m->definition->accuracy > 1000 ? (int64_t)m->definition->accuracy : 0);
}
