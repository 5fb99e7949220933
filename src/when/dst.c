/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A zone is a row of stretches of one offset. Within a stretch local time is real time plus a
 * constant, so a search goes stretch by stretch and asks the pattern for the first local time in
 * it. What a fixed time does differently is confined to the stretch's two ends: where it begins
 * with a gap, the times that were skipped become its first instant; where it begins or ends with
 * a fold, the hour that comes twice is cut off on one of the two sides.
 */
#include "when/dst.h"

#include "when/civil.h"

/* No change of offset is larger: zone.c refuses offsets beyond 26 h. */
#define CHANGE_MAX (2 * 26 * LOCAL_PER_HOUR)
/* Microseconds; leaves room to add offsets and spans. 73,000 years on either side. */
#define INSTANT_MAX (INT64_MAX / 4 / LOCAL_PER_SEC * LOCAL_PER_SEC)

static int from_string(const char *const names[], size_t n, const char *s)
{
        for (size_t i = 0; i < n; i++)
                if (streq(s, names[i]))
                        return (int)i;
        return -EINVAL;
}

int dst_gap_from_string(const char *s, DstGap *ret)
{
        static const char *const names[] = { [DST_GAP_AFTER] = "after", [DST_GAP_SKIP] = "skip" };
        int r = from_string(names, ARRAY_SIZE(names), s);

        if (r < 0)
                return r;
        *ret = (DstGap)r;
        return 0;
}

int dst_fold_from_string(const char *s, DstFold *ret)
{
        static const char *const names[] = {
                [DST_FOLD_FIRST] = "first",
                [DST_FOLD_SECOND] = "second",
                [DST_FOLD_BOTH] = "both",
        };
        int r = from_string(names, ARRAY_SIZE(names), s);

        if (r < 0)
                return r;
        *ret = (DstFold)r;
        return 0;
}

/* Where a search stands: the first instant that may be returned, and the stretch it lies in. */
typedef struct Search {
        LocalNext next;
        const void *pattern;
        bool fixed;
        const DstRules *rules;
        int64_t from;   /* microseconds, as all that follows */
        int64_t start;  /* of the stretch */
        int64_t end;
        int64_t offset; /* of the stretch */
} Search;

/* S seconds as microseconds, within ±INSTANT_MAX. */
static int64_t seconds(int64_t s)
{
        static const int64_t max = INSTANT_MAX / LOCAL_PER_SEC;

        return MAX(-max, MIN(s, max)) * LOCAL_PER_SEC;
}

static int64_t offset_at(const Search *search, int64_t instant)
{
        ZoneSpan span;

        zone_span(search->rules->zone, floor_div(instant, LOCAL_PER_SEC), &span);
        return seconds(span.offset);
}

static void move_to(Search *search, int64_t from)
{
        ZoneSpan span;

        search->from = from;
        zone_span(search->rules->zone, floor_div(from, LOCAL_PER_SEC), &span);
        search->start = seconds(span.start);
        search->end = seconds(span.end);
        search->offset = seconds(span.offset);
}

/*
 * Looks at how the stretch begins. True: a fixed time was swallowed by a gap and runs now. A fold
 * may raise *LOWER, the first local time that counts.
 */
static bool begin_stretch(const Search *search, int64_t *lower)
{
        int64_t before, match;

        if (!search->fixed || search->start == -INSTANT_MAX || search->from - search->start > CHANGE_MAX)
                return false;
        before = offset_at(search, search->start - 1);
        if (before < search->offset)
                return search->rules->gap == DST_GAP_AFTER && search->from <= search->start &&
                       search->next(search->pattern, search->start + before, &match) > 0 &&
                       match < search->start + search->offset;
        if (before > search->offset && search->rules->fold == DST_FOLD_FIRST)
                *lower = MAX(*lower, search->start + before);
        return false;
}

/* Whether INSTANT's local time comes again in the next stretch, and that is the one which counts. */
static bool is_left_to_next(const Search *search, int64_t instant)
{
        return search->fixed && search->rules->fold == DST_FOLD_SECOND && search->end - instant <= CHANGE_MAX &&
               instant + search->offset >= search->end + offset_at(search, search->end);
}

/* 1 found, 0 there is nothing any more, -EAGAIN: look at the stretch that it has moved to. */
static int search_stretch(Search *search, int64_t *ret)
{
        int64_t lower = search->from + search->offset, match, instant;
        bool last = search->end == INSTANT_MAX;

        if (begin_stretch(search, &lower)) {
                *ret = search->start;
                return 1;
        }
        if (search->next(search->pattern, lower, &match) == 0) {
                /* Save that a fold nearby brings back the local times which have just gone by. */
                if (last || search->end - search->from > CHANGE_MAX)
                        return 0;
                move_to(search, search->end);
                return -EAGAIN;
        }
        instant = match - search->offset;
        if (last || (instant < search->end && !is_left_to_next(search, instant))) {
                *ret = instant;
                return 1;
        }
        /*
         * Nothing matches before MATCH; what is between can only come nearer by a change of offset. Here as
         * well, a fold nearby brings back what has just gone by.
         */
        move_to(search, search->end - search->from > CHANGE_MAX ? MAX(search->end, instant - CHANGE_MAX) : search->end);
        return -EAGAIN;
}

int dst_next(LocalNext next, const void *pattern, bool fixed, const DstRules *rules,
             usec_t after_realtime, usec_t *ret_realtime)
{
        DstRules utc = { .zone = zone_utc(), .gap = rules->gap, .fold = rules->fold };
        Search search = {
                .next = next,
                .pattern = pattern,
                .fixed = fixed,
                .rules = rules->zone ? rules : &utc,
        };
        int64_t found;
        int r;

        if (after_realtime >= (usec_t)INSTANT_MAX)
                return 0;
        move_to(&search, (int64_t)after_realtime + 1);
        do
                r = search_stretch(&search, &found);
        while (r == -EAGAIN);
        if (r > 0)
                *ret_realtime = (usec_t)found;
        return r;
}
