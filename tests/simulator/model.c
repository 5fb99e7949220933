/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model.h"

#include <stdio.h>
#include <string.h>


#define SEC INT64_C(1000000)
#define DAY (86400 * SEC)
#define NEVER INT64_MAX
#define UNKNOWN INT64_MIN
/* Of occurrences that are late at once, those in between are not kept. */
#define DUES_MAX 100000U
/* when/schedule.h: a clock that goes back to further than this before what has run was wrong then. */
#define STEP_BACK_MAX (3 * 3600 * SEC)
/* sched/missed.h: later than that is missed. */
#define GRACE (60 * SEC)
/* The scheduler counts no more than this one by one. */
#define COUNTED_MAX 10000U
/* Where there are more than so many, none but the last few matter besides: it catches up on 100. */
#define WALKED_MAX (3 * COUNTED_MAX)
#define LAST_FEW 400U

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

static bool in_force(const Model *m)
{
        return m->definition->enabled && (m->definition->count == 0 || m->count < m->definition->count);
}

/* --- where it stands --- */

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

/* --- what is due --- */

static bool excluded(const Model *m, int64_t instant)
{
        for (unsigned i = 0; i < m->definition->n_excludes; i++)
                if (pattern_covers(&m->definition->excludes[i], m->definition->rules.zone, instant))
                        return true;
        return false;
}

static bool allowed(const Model *m, int64_t instant)
{
        return (usec_t)instant <= m->definition->until && !excluded(m, instant);
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

static void add_due(Model *m, int64_t due, int64_t scheduled, int at, bool wall)
{
        if (!allowed(m, scheduled))
                return;
        if (m->n_dues == m->allocated_dues) {
                m->allocated_dues = m->allocated_dues * 2 + 16;
                m->dues = realloc(m->dues, m->allocated_dues * sizeof(*m->dues));
                if (!m->dues)
                        abort();
        }
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
        const Definition *d = m->definition;
        int64_t daily = 0;

        if (!in_force(m) || m->paused)
                return 2 * DAY;
        if (d->every != USEC_INFINITY)
                daily = DAY / (int64_t)d->every;
        for (unsigned i = 0; i < d->n_patterns; i++)
                daily += pattern_times_a_day(&d->patterns[i]);
        return MIN(2 * DAY, DAY / (daily + 1) * WALKED_MAX);
}

/* What the wall clock has in FROM < t <= TO. */
static void walk_wall(Model *m, int64_t from, int64_t to)
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

void model_fill(Model *m, int64_t to)
{
        int64_t wall_to = to + world_offset(m->world);

        if (in_force(m)) {
                fill(m, m->wall_done, wall_to, walk_wall);
                fill(m, MAX(m->every_done, m->anchor - 1), to, walk_every);
                sort_dues(m);
        }
        m->every_done = to;
        m->wall_done = MAX(m->wall_done, wall_to);
}

/* The end of what Exclude= covers, second by second or minute by minute. */
static int64_t behind_excluded(const Model *m, int64_t due)
{
        int64_t offset = world_offset(m->world), unit = 60 * SEC, end = due + 800 * DAY;

        for (unsigned i = 0; i < m->definition->n_excludes; i++)
                if (m->definition->excludes[i].precision == PATTERN_SECOND)
                        unit = SEC;
        while (excluded(m, due + offset)) {
                if ((usec_t)(due + offset) > m->definition->until || due > end)
                        return NEVER;
                due = (due + offset) / unit * unit + unit - offset;
        }
        return (usec_t)(due + offset) > m->definition->until ? NEVER : due;
}

static int64_t after_due(Model *m)
{
        const Definition *d = m->definition;

        if (d->after == USEC_INFINITY || m->after_state == AFTER_HELD || !in_force(m))
                return NEVER;
        if (m->after_due == UNKNOWN)
                m->after_due = behind_excluded(m, m->after_state == AFTER_FIRST ? m->anchor : m->after_from + (int64_t)d->after);
        return m->after_due;
}

static int64_t startup_time(const Model *m)
{
        return MAX(world_start(m->world) + (int64_t)m->definition->startup, m->anchor);
}

static int64_t startup_due(const Model *m)
{
        if (m->definition->startup == USEC_INFINITY || m->startup_done || !in_force(m) ||
            !allowed(m, startup_time(m) + world_offset(m->world)))
                return NEVER;
        return startup_time(m);
}

/* What is due by TO and has not been told of. */
typedef struct Pending {
        size_t distinct; /* instants */
        size_t total;    /* … of each trigger */
        int64_t first, last, scheduled; /* the last one's */
        bool startup;    /* is the last one */
} Pending;

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

/* Delays are no part of DUES: when they are due hangs on what happens meanwhile. */
static void get_pending(Model *m, int64_t to, Pending *ret)
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

/* All that is due by TO is accounted for. RAN: by a run. */
static void take_pending(Model *m, int64_t to, bool ran)
{
        size_t n = 0;

        for (; n < m->n_dues && m->dues[n].due <= to; n++)
                if (m->dues[n].at >= 0 && ran)
                        m->ats_done |= 1U << m->dues[n].at;
        if (n > 0)
                memmove(m->dues, m->dues + n, (m->n_dues - n) * sizeof(*m->dues));
        m->n_dues -= n;
        m->overflow = false;
        if (m->definition->startup != USEC_INFINITY && startup_time(m) <= to)
                m->startup_done = true;
}

int64_t model_spread(const Model *m)
{
        return (int64_t)m->definition->random_delay + (m->definition->accuracy > 1000 ? (int64_t)m->definition->accuracy : 0);
}

/*
 * What was taken up to now; what is put off waits still. Neither clock's cursor goes back for what waits on
 * the other one: a wall clock that was set forward can have that before the boot.
 */
static void settle(Model *m)
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

/* --- what has to become of it --- */

/* Those of DUES, and of the delays, up to NOW: the newest at most MAX that are scheduled for FROM or later. */
static size_t newest(Model *m, int64_t now, int64_t from, size_t max, int64_t *times)
{
        int64_t offset = world_offset(m->world), delays[] = { after_due(m), startup_due(m) };
        size_t n = 0, i = m->n_dues;

        while (i > 0 && m->dues[i - 1].due > now)
                i--;
        for (;;) {
                int64_t latest = INT64_MIN;

                if (i > 0)
                        latest = m->dues[i - 1].due;
                for (unsigned k = 0; k < ARRAY_SIZE(delays); k++)
                        if (delays[k] <= now)
                                latest = MAX(latest, delays[k]);
                if (latest == INT64_MIN || n == max)
                        break;
                while (i > 0 && m->dues[i - 1].due == latest)
                        i--;
                for (unsigned k = 0; k < ARRAY_SIZE(delays); k++)
                        if (delays[k] == latest)
                                delays[k] = NEVER;
                if (latest + offset >= from)
                        times[n++] = latest + offset;
        }
        for (size_t k = 0; k < n / 2; k++) {
                int64_t older = times[n - 1 - k];

                times[n - 1 - k] = times[k];
                times[k] = older;
        }
        return n;
}

/* The scheduled times to catch up on, as takt.job(5) has it under "Late and missed". */
static size_t choose(Model *m, const Pending *p, int64_t now, bool runs, int64_t *times)
{
        const Definition *d = m->definition;
        int64_t window = d->missed_window == USEC_INFINITY ? INT64_MAX : (int64_t)d->missed_window;
        int64_t wall = now + world_offset(m->world);
        size_t n = 0, room;

        if (d->missed == MISSED_ALL) {
                n = newest(m, now, window > wall ? 0 : wall - window, MODEL_CATCH_UP_MAX + runs, times);
                n -= n > 0 && runs;
        }
        if (n == 0 && !runs && ((d->missed != MISSED_SKIP && now - p->last <= window) ||
                                (!m->decision.paused && (after_due(m) <= now || startup_due(m) <= now))))
                times[n++] = p->scheduled;
        room = d->count == 0 ? SIZE_MAX : d->count - m->count - runs;
        if (n > room) {
                memmove(times, times + (n - room), room * sizeof(*times));
                n = room;
        }
        return n;
}

/* Those before CUT have no run. */
static void count_missed(Model *m, const Pending *all, int64_t cut)
{
        Decision *decision = &m->decision;
        Pending p = *all;

        if (cut != NEVER)
                get_pending(m, cut - 1 - world_offset(m->world), &p);
        decision->n_missed = p.distinct;
        decision->n_missed_total = p.total;
        decision->many = m->overflow;
        decision->first = p.total > 0 ? p.first + world_offset(m->world) : 0;
        decision->last_missed = p.scheduled;
}

static void add_catch_up(Model *m, const int64_t *times, size_t n)
{
        Decision *decision = &m->decision;
        size_t excess = m->n_catch_up + n > MODEL_CATCH_UP_MAX ? m->n_catch_up + n - MODEL_CATCH_UP_MAX : 0;

        if (n == 0)
                return;
        if (excess > 0) {
                decision->n_dropped = excess;
                decision->last_dropped = m->catch_up[excess - 1];
        }
        m->n_catch_up -= excess;
        memmove(m->catch_up, m->catch_up + excess, m->n_catch_up * sizeof(*m->catch_up));
        memcpy(m->catch_up + m->n_catch_up, times, n * sizeof(*times));
        m->n_catch_up += n;
}

static void account(Model *m, const Pending *p, int64_t now)
{
        int64_t times[MODEL_CATCH_UP_MAX + 1];
        Decision *decision = &m->decision;
        bool runs = !decision->paused && now - p->last <= GRACE + (int64_t)m->definition->accuracy;
        size_t n = choose(m, p, now, runs, times);

        decision->runs = runs;
        decision->scheduled = p->scheduled;
        decision->startup = p->startup;
        count_missed(m, p, n > 0 ? times[0] : runs ? p->scheduled : NEVER);
        if (after_due(m) <= now) {
                m->after_state = AFTER_COUNTS;
                m->after_from = now;
        }
        take_pending(m, now, n > 0 || runs);
        m->wall_last = MAX(m->wall_last, now + world_offset(m->world));
        m->count += (unsigned)(n + runs);
        add_catch_up(m, times, n);
        if (n > 0 || runs || model_waiting(m) + model_active(m) > 0)
                m->after_state = AFTER_HELD;
        m->after_due = UNKNOWN;
}

/* What is due at DUE runs, whatever else there is. */
static void run_alone(Model *m, const Pending *p, int64_t due)
{
        m->decision.runs = true;
        m->decision.scheduled = due + world_offset(m->world);
        m->decision.startup = p->startup;
        if (m->n_dues > 0 && m->dues[0].due == due && m->dues[0].wall)
                m->wall_last = m->dues[0].scheduled;
        m->count++;
        take_pending(m, due, true);
        m->after_state = AFTER_HELD;
        m->after_due = UNKNOWN;
}

/*
 * Instants besides the first. A delay behind that is none: it counts from the end of the run that begins now. Nor is
 * anything where the first one is the last of Count=.
 */
static size_t count_others(Model *m, const Pending *all, int64_t now)
{
        int64_t delay = after_due(m), state = m->after_state;
        Pending p = *all;

        if (m->definition->count > 0 && m->count + 1 == m->definition->count)
                return 0;
        if (delay > all->first && delay <= now) {
                m->after_state = AFTER_HELD;
                get_pending(m, now, &p);
                m->after_state = (unsigned)state;
        }
        return p.distinct - 1;
}

void model_decide(Model *m, bool paused, int64_t next_due, int64_t timer_due)
{
        int64_t now = world_boottime(m->world);
        size_t others;
        Pending p;

        m->decision = (Decision){ .open = true, .paused = paused, .alone = INT64_MIN };
        get_pending(m, now, &p);
        if (p.total == 0 || !in_force(m) || (m->paused && !paused)) {
                if (paused)
                        take_pending(m, now, true);
                return;
        }
        if (!paused && now != world_disturbed(m->world) && (p.first > now || now - MAX(p.first, INT64_C(0)) > model_spread(m)))
                world_fail(m->world, m, "what was due at %lld is late without need", (long long)p.first);
        if (!paused && model_spread(m) == 0)
                world_order(m->world, p.first);
        others = count_others(m, &p, now);
        if (paused || now - p.first - (timer_due - next_due) > GRACE + (int64_t)m->definition->accuracy ||
            (others > 0 && model_spread(m) == 0))
                account(m, &p, now);
        else if (others == 0)
                run_alone(m, &p, p.first);
        else /* As the next one is put off, it may not have to come yet. */
                m->decision.alone = p.first;
}

/* The first event tells whether what is first of several runs by itself. */
static void learn_alone(Model *m, const Run *run)
{
        int64_t now = world_boottime(m->world), alone = m->decision.alone;
        Pending p;

        if (alone == INT64_MIN)
                return;
        m->decision.alone = INT64_MIN;
        get_pending(m, now, &p);
        if (run && run->state != RUN_MISSED && (int64_t)run->scheduled_realtime == alone + world_offset(m->world))
                run_alone(m, &p, alone);
        else
                account(m, &p, now);
}

void model_decided(Model *m)
{
        const Decision *decision = &m->decision;

        learn_alone(m, NULL);
        if (decision->n_missed > 0 || decision->n_dropped > 0 || decision->runs)
                world_fail(m->world, m, "%zu missed ones, %zu dropped ones, %d runs were not told of", decision->n_missed,
                           decision->n_dropped, decision->runs);
        if (decision->paused) {
                m->paused = false;
                if (!in_force(m))
                        m->n_dues = 0;
                settle(m);
        }
        m->decision.open = false;
}

/* --- what comes next --- */

static int64_t next_on_wall(const Model *m, unsigned days)
{
        Model ahead = *m;
        int64_t found = NEVER;

        ahead.dues = NULL;
        ahead.n_dues = ahead.allocated_dues = 0;
        for (unsigned i = 0; i < days && ahead.n_dues == 0; i++) {
                walk_wall(&ahead, ahead.wall_done, ahead.wall_done + DAY);
                ahead.wall_done += DAY;
        }
        for (size_t i = 0; i < ahead.n_dues; i++)
                found = MIN(found, ahead.dues[i].due);
        free(ahead.dues);
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
                int64_t end = behind_excluded(m, t);

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

/* --- what happened --- */

static LiveRun *find_run(Model *m, uint64_t id)
{
        for (size_t i = 0; i < m->n_runs; i++)
                if (m->runs[i].id == id)
                        return &m->runs[i];
        return NULL;
}

unsigned model_waiting(const Model *m)
{
        unsigned n = 0;

        for (size_t i = 0; i < m->n_runs; i++)
                n += m->runs[i].state == RUN_QUEUED && !m->runs[i].orphan;
        return n;
}

unsigned model_active(const Model *m)
{
        unsigned n = 0;

        for (size_t i = 0; i < m->n_runs; i++)
                n += m->runs[i].state != RUN_QUEUED && !m->runs[i].orphan;
        return n;
}

void model_forget_runs(Model *m)
{
        for (size_t i = 0; i < m->n_runs; i++)
                m->runs[i].orphan = true;
}

/* The number that a record's message tells. */
static uint64_t record_count(const Run *run, bool *ret_more)
{
        const char *s = run->error_message ?: "";
        unsigned long long n;

        *ret_more = strncmp(s, "more than ", 10) == 0;
        if (sscanf(*ret_more ? s + 10 : s, "%llu occurrences", &n) == 1)
                return n;
        return 1;
}

static void check_first(const Model *m, const Run *run)
{
        char iso[REALTIME_ISO_MAX], expected[REALTIME_ISO_MAX + 16];

        (void)snprintf(expected, sizeof(expected), "\"first\":\"%s\"", realtime_to_iso((usec_t)m->decision.first, iso));
        if (!m->decision.many && (!run->details || !strstr(run->details, expected)))
                world_fail(m->world, m, "the first missed is in %s, not %s", run->details ?: "nothing", expected);
}

/* A record of what did not run: of the decision, or of what the job does not catch up on after all. */
static void take_record(Model *m, const Run *run)
{
        Decision *decision = &m->decision;
        int64_t last = (int64_t)run->scheduled_realtime;
        bool more, paused = strcmp(run->error_kind, "paused") == 0;
        uint64_t n = record_count(run, &more);

        learn_alone(m, run);
        if (decision->n_missed > 0) {
                bool right = more || decision->many ? n >= COUNTED_MAX - 1 && decision->n_missed_total >= COUNTED_MAX
                                                    : n >= decision->n_missed && n <= decision->n_missed_total;

                if (!right || last != decision->last_missed || paused != decision->paused)
                        world_fail(m->world, m, "tells of %llu (last %lld): %s; there were %zu at %zu instants (last %lld)",
                                   (unsigned long long)n, (long long)last, run->error_message, decision->n_missed_total,
                                   decision->n_missed, (long long)decision->last_missed);
                check_first(m, run);
                decision->n_missed = 0;
        } else if (decision->n_dropped > 0) {
                if (n != decision->n_dropped || last != decision->last_dropped)
                        world_fail(m->world, m, "drops %llu instead of %zu", (unsigned long long)n, decision->n_dropped);
                decision->n_dropped = 0;
        } else {
                if (decision->open || m->n_catch_up == 0 || n != m->n_catch_up || last != m->catch_up[n - 1])
                        world_fail(m->world, m, "a record of nothing that was missed: %s", run->error_message);
                m->n_catch_up = 0;
        }
}

static void take_scheduled(Model *m, const Run *run)
{
        Decision *decision = &m->decision;

        learn_alone(m, run);
        if (!decision->open || !decision->runs || decision->n_missed > 0 || decision->n_dropped > 0)
                world_fail(m->world, m, "run %llu for %llu is of no occurrence", (unsigned long long)run->id,
                           (unsigned long long)run->scheduled_realtime);
        if ((int64_t)run->scheduled_realtime != decision->scheduled)
                world_fail(m->world, m, "run %llu is for %llu instead of %lld", (unsigned long long)run->id,
                           (unsigned long long)run->scheduled_realtime, (long long)decision->scheduled);
        if (run->trigger == RUN_TRIGGER_STARTUP && !decision->startup && model_spread(m) == 0)
                world_fail(m->world, m, "run %llu is none of OnStartup=", (unsigned long long)run->id);
        decision->runs = false;
}

static void take_catch_up(Model *m, const Run *run)
{
        if (m->n_catch_up == 0 || (int64_t)run->scheduled_realtime != m->catch_up[0] || m->paused ||
            model_active(m) + model_waiting(m) > 0)
                world_fail(m->world, m, "run %llu for %llu has nothing to catch up on", (unsigned long long)run->id,
                           (unsigned long long)run->scheduled_realtime);
        world_pace(m->world, m);
        memmove(m->catch_up, m->catch_up + 1, --m->n_catch_up * sizeof(*m->catch_up));
}

/* What its rules make of a new run, as the first event tells. */
static void check_admission(const Model *m, const Event *event)
{
        const Definition *d = m->definition;
        unsigned active = model_active(m), waiting = model_waiting(m), others = active + waiting;
        /* The run itself is counted already. Of what waits, some may wait for a place and some for its job. */
        bool full = world_n_running(m->world) - (event->type == EVENT_RUNNING) >= world_max_runs(m->world);
        bool idle = !full && world_n_queued(m->world) - (event->type == EVENT_QUEUED) == 0;
        EventType expected = EVENT_RUNNING;

        if (others > 0 && d->overlap == OVERLAP_SKIP)
                expected = EVENT_SKIPPED;
        else if (others > 0 && d->overlap == OVERLAP_QUEUE)
                expected = waiting < d->max_queued ? EVENT_QUEUED : EVENT_SKIPPED;
        else if (others > 0 && d->overlap == OVERLAP_REPLACE)
                expected = EVENT_QUEUED;
        else if (others > 0 && d->max_parallel > 0 && others >= d->max_parallel)
                expected = EVENT_SKIPPED;
        else if (full)
                expected = EVENT_QUEUED;
        if (event->type == expected || (expected == EVENT_QUEUED && full && event->type == EVENT_SKIPPED) ||
            (expected == EVENT_RUNNING && !idle && event->type == EVENT_QUEUED))
                return;
        world_fail(m->world, m, "run %llu is %s, should be %s: %u active, %u waiting", (unsigned long long)event->run->id,
                   event_type_to_string(event->type), event_type_to_string(expected), active, waiting);
}

static bool is_pause_record(const Event *event)
{
        return event->type == EVENT_SKIPPED && event->run->error_kind && strcmp(event->run->error_kind, "paused") == 0;
}

static LiveRun *add_run(Model *m, const Event *event)
{
        const Run *run = event->run;

        if (event->type == EVENT_MISSED || is_pause_record(event)) {
                take_record(m, run);
        } else {
                if (run->trigger == RUN_TRIGGER_CATCH_UP)
                        take_catch_up(m, run);
                else if (run->trigger != RUN_TRIGGER_MANUAL)
                        take_scheduled(m, run);
                check_admission(m, event);
        }
        if (m->n_runs == m->allocated_runs) {
                m->allocated_runs = m->allocated_runs * 2 + 4;
                m->runs = realloc(m->runs, m->allocated_runs * sizeof(*m->runs));
                if (!m->runs)
                        abort();
        }
        m->newest = run->id;
        m->runs[m->n_runs] = (LiveRun){ .id = run->id, .state = RUN_QUEUED };
        return &m->runs[m->n_runs++];
}

/* An attempt begins: nothing else may be under way, and runs begin in their order. */
static void check_start(Model *m, const LiveRun *live, const Run *run)
{
        const ScheduleSettings *rules = &run->spec->schedule;
        unsigned others = model_active(m) - (live->state == RUN_RETRYING);

        if (world_n_running(m->world) > world_max_runs(m->world))
                world_fail(m->world, m, "run %llu exceeds MaxRuns=", (unsigned long long)run->id);
        if (live->orphan)
                return;
        if (m->definition->spec == run->spec && rules->overlap != OVERLAP_PARALLEL && others > 0)
                world_fail(m->world, m, "run %llu begins beside another", (unsigned long long)run->id);
        if (live->state == RUN_QUEUED && run->attempts == 1 && run->id > m->unordered && rules->overlap != OVERLAP_PARALLEL) {
                if (run->id <= m->last_first_attempt)
                        world_fail(m->world, m, "run %llu begins after a later one", (unsigned long long)run->id);
                m->last_first_attempt = run->id;
        }
        if (run->attempts > run->spec->job.retries + 1)
                world_fail(m->world, m, "run %llu is tried once more", (unsigned long long)run->id);
}

/* RECORDED: in a decision, which After= does not count from. */
static void end_run(Model *m, LiveRun *live, bool recorded)
{
        bool orphan = live->orphan;

        *live = m->runs[--m->n_runs];
        if (orphan || recorded || model_waiting(m) + model_active(m) > 0)
                return;
        m->after_state = AFTER_COUNTS;
        m->after_from = world_boottime(m->world);
        m->after_due = UNKNOWN;
}

void model_event(Model *m, const Event *event)
{
        LiveRun *live = find_run(m, event->run->id);

        if (event->type == EVENT_PROGRESS)
                return;
        if (!live)
                live = add_run(m, event);
        if (event->type == EVENT_RUNNING)
                check_start(m, live, event->run);
        live->state = event->run->state;
        if (run_state_is_final(live->state))
                end_run(m, live, m->decision.open && (event->type == EVENT_MISSED || is_pause_record(event)));
}
