/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What has to become of all that is due at an instant: the rules of takt.job(5) under "Late and missed". */
#include "model-internal.h"

#include <string.h>

/* sched/missed.h: later than that is missed. */
#define GRACE (60 * SEC)

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
        /* What is put off may have to begin before its time. */
        if (!paused && timer_due <= now)
                world_order(m->world, m, model_spread(m) == 0 ? p.first : timer_due);
        others = count_others(m, &p, now);
        if (paused || now - p.first - (timer_due - next_due) > GRACE + (int64_t)m->definition->accuracy ||
            (others > 0 && model_spread(m) == 0))
                account(m, &p, now);
        else if (others == 0)
                run_alone(m, &p, p.first);
        else /* As the next one is put off, it may not have to come yet. */
                m->decision.alone = p.first;
}

void learn_alone(Model *m, const Run *run)
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
