/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What becomes of wall-clock times where the offset of a zone changes.
 *
 * A pattern of fixed hours and minutes follows the two settings below. A pattern with a wildcard
 * hour or minute (`*`, or a step that goes on to the end) runs at every real instant whose local
 * time matches, whatever the settings say.
 */

#include "base/clock.h"
#include "when/zone.h"

typedef enum DstGap {
        DST_GAP_AFTER, /* a time that is skipped runs at the first instant after the gap */
        DST_GAP_SKIP,  /* it does not run */
} DstGap;

typedef enum DstFold {
        DST_FOLD_FIRST, /* a time that comes twice runs the first time */
        DST_FOLD_SECOND,
        DST_FOLD_BOTH,
} DstFold;

/* "after", "skip"; "first", "second", "both". -EINVAL. */
int dst_gap_from_string(const char *s, DstGap *ret);
int dst_fold_from_string(const char *s, DstFold *ret);

/* How local times become real ones. */
typedef struct DstRules {
        const Zone *zone; /* NULL: UTC */
        DstGap gap;
        DstFold fold;
} DstRules;

/* Years that schedules can name; no search goes past the end of the last. As in systemd. */
#define WHEN_YEAR_MIN 1970
#define WHEN_YEAR_MAX 2199
/* Where the last one ends: local microseconds. */
#define WHEN_END (INT64_C(7258118400) * (int64_t)USEC_PER_SEC)

/*
 * The first local time (microseconds as if UTC) at or after LOCAL that PATTERN matches.
 * 1 found, 0 none up to WHEN_YEAR_MAX.
 */
typedef int (*LocalNext)(const void *pattern, int64_t local, int64_t *ret);

/*
 * The first instant strictly later than AFTER_REALTIME that PATTERN gives under RULES; FIXED says
 * which of the two kinds above it is. 1 found, 0 none.
 */
int dst_next(LocalNext next, const void *pattern, bool fixed, const DstRules *rules,
             usec_t after_realtime, usec_t *ret_realtime);
