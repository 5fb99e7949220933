/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The walk through real time, and what becomes of local times that a change of offset skips or repeats. */
#include "pattern-internal.h"

#include <stdlib.h>

static bool on_grid(const Grid *grid, int64_t local)
{
        return (local - grid->origin) % grid->span == 0 && (!grid->from_origin || local >= grid->origin);
}

/* --- what becomes of it at changes of offset --- */

/* Whether the local time of T (seconds) also was, BACK, or will be that of another second. */
static bool comes_twice(LocalZone *zone, int64_t t, bool back)
{
        Stretch here, other;
        int64_t step = back ? -1 : 1, at;

        local_stretch(zone, t, &here);
        for (other = here; llabs((long long)(at = back ? other.start - 1 : other.end) - t) < 2 * DAY;) {
                int64_t twin;

                local_stretch(zone, at, &other);
                twin = t + here.offset - other.offset;
                if ((twin - t) * step > 0 && twin >= other.start && twin < other.end)
                        return true;
        }
        return false;
}

static bool fold_allows(const PatternRules *rules, bool fixed, int64_t t)
{
        if (!fixed || rules->fold == BOTH)
                return true;
        return !comes_twice(rules->zone, t, rules->fold == FIRST);
}

/* The local seconds FROM … TO - 1 are skipped by a change. */
static bool gap_has_match(Pattern *pattern, const Grid *grid, int64_t from, int64_t to)
{
        for (int64_t local = from; local < to; local++)
                if (pattern ? second_matches(pattern, local) : on_grid(grid, local))
                        return true;
        return false;
}

/* --- the walk --- */

typedef struct Walk {
        Pattern *pattern;
        const Grid *grid; /* where there is no pattern */
        const PatternRules *rules;
        LocalZone *zone;
        bool fixed;
        int64_t from, to; /* microseconds */
        int64_t last;     /* what was found last */
        PatternFound found;
        void *userdata;
} Walk;

static void find(Walk *walk, int64_t instant)
{
        if (instant <= walk->from || instant > walk->to || instant <= walk->last)
                return;
        walk->last = instant;
        walk->found(walk->userdata, instant);
}

/* The stretch begins at its START with a gap in which a fixed time was due. */
static void walk_gap(Walk *walk, const Stretch *stretch)
{
        Stretch before;

        if (!walk->fixed || walk->rules->skip_gaps)
                return;
        local_stretch(walk->zone, stretch->start - 1, &before);
        if (before.offset < stretch->offset &&
            gap_has_match(walk->pattern, walk->grid, stretch->start + before.offset, stretch->start + stretch->offset))
                find(walk, stretch->start * USEC);
}

/* The local minute that begins at MINUTE, of which T … END - 1 are in the stretch. */
static void walk_minute(Walk *walk, int64_t offset, int64_t minute, int64_t t, int64_t end)
{
        const Pattern *p = walk->pattern;

        for (unsigned i = 0; i < p->n_seconds; i++) {
                int64_t second = minute - offset + p->seconds[i] / USEC;

                if (second >= t && second < end && fold_allows(walk->rules, walk->fixed, second))
                        find(walk, second * USEC + p->seconds[i] % USEC);
        }
}

/* Bits of SET from FROM on; N: there is none. */
static int next_bit(uint64_t set, int from, int n)
{
        set = from < 64 ? set >> from << from : 0;
        return set ? MIN(__builtin_ctzll(set), n) : n;
}

/* From second to second, days, hours and minutes in which none matches at once. */
static void walk_stretch(Walk *walk, const Stretch *stretch, int64_t t, int64_t end)
{
        int64_t offset = stretch->offset, first = t + offset, last = end + offset;
        Pattern *p = walk->pattern;

        for (int64_t day = floor_to(first, DAY); day < last; day += DAY) {
                int hour = first > day ? (int)((first - day) / HOUR) : 0;

                if (!day_matches(p, day / DAY))
                        continue;
                for (hour = next_bit(p->hours, hour, 24); hour < 24 && day + hour * HOUR < last; hour = next_bit(p->hours, hour + 1, 24)) {
                        int64_t start = day + hour * HOUR;
                        int minute = first > start ? (int)((first - start) / MINUTE) : 0;

                        for (minute = next_bit(p->minutes, minute, 60); minute < 60 && start + minute * MINUTE < last;
                             minute = next_bit(p->minutes, minute + 1, 60))
                                walk_minute(walk, offset, start + minute * MINUTE, t, end);
                }
        }
}

static void walk_grid_stretch(Walk *walk, const Stretch *stretch, int64_t t, int64_t end)
{
        const Grid *grid = walk->grid;

        /* Spans and origins are whole minutes. */
        for (t = floor_to(t + stretch->offset, MINUTE) - stretch->offset; t < end;) {
                int64_t past = ((t + stretch->offset - grid->origin) % grid->span + grid->span) % grid->span;

                if (past == 0 && t >= stretch->start && on_grid(grid, t + stretch->offset) &&
                    fold_allows(walk->rules, walk->fixed, t))
                        find(walk, t * USEC);
                t += grid->span - past;
        }
}

static void walk_all(Walk *walk)
{
        int64_t t = floor_to(walk->from, USEC) / USEC, end = walk->to / USEC + 1;
        Stretch stretch;

        for (; t < end; t = stretch.end) {
                local_stretch(walk->zone, t, &stretch);
                if (t == stretch.start)
                        walk_gap(walk, &stretch);
                (walk->pattern ? walk_stretch : walk_grid_stretch)(walk, &stretch, t, MIN(end, stretch.end));
        }
}

void pattern_walk(Pattern *pattern, const PatternRules *rules, int64_t from, int64_t to, PatternFound found, void *userdata)
{
        PatternRules own = *rules;
        Walk walk = { .pattern = pattern, .rules = &own, .zone = pattern->zone ?: rules->zone, .fixed = pattern->fixed,
                      .from = from, .to = to, .last = INT64_MIN, .found = found, .userdata = userdata };

        own.zone = walk.zone;
        walk_all(&walk);
}

void grid_walk(const Grid *grid, const PatternRules *rules, int64_t from, int64_t to, PatternFound found, void *userdata)
{
        Walk walk = { .grid = grid, .rules = rules, .zone = rules->zone, .fixed = grid->span % DAY == 0,
                      .from = from, .to = to, .last = INT64_MIN, .found = found, .userdata = userdata };

        walk_all(&walk);
}
