/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Time zones out of the system's TZif files (RFC 8536, versions 1 to 4) and the POSIX TZ rule that
 * goes on after a file's last transition. Seconds here are int64_t since 1970: "utc" seconds are
 * real ones, "local" seconds are what a clock on that wall shows, counted as if it were UTC.
 */

#include "when/error.h"

#define ZONE_NAME_MAX 255
#define ZONE_FILE_MAX (256 * 1024) /* bytes; the largest in tzdata 2024 has under 4 KiB */
#define ZONE_ABBREVIATION_MAX 15

/* The zone where nothing else is said: what /etc/localtime is. */
#define ZONE_LOCAL NULL

typedef struct Zone Zone;

/*
 * Where zones come from: the zoneinfo directory and the machine's own zone file, which are
 * /usr/share/zoneinfo and /etc/localtime until told otherwise. NULL restores that. The strings are
 * not copied.
 */
void zone_set_root(const char *zoneinfo, const char *localtime_file);

/*
 * The zone NAME ("Europe/Berlin"), or the machine's own for ZONE_LOCAL. Each is read once and
 * shared: the caller drops its reference with zone_unref(). "UTC" needs no file, and a machine
 * with no /etc/localtime is on UTC. -ENOENT for a name that isn't known, -EINVAL for a bad name,
 * -EBADMSG for a broken file, -EFBIG, -ENOMEM, errno; ERROR (may be NULL) says which.
 */
int zone_load(const char *name, Zone **ret, WhenError *error);
/* Lets later calls of zone_load() read the files again, after a change of zone or of tzdata. */
void zone_forget(void);

/* Whether they have the same name and the same times. */
bool zone_equal(const Zone *a, const Zone *b);

/* The machine's own zone file, as it is set above. */
const char *zone_local_path(void);

/* UTC, of which no reference needs to be dropped. */
Zone *zone_utc(void);

Zone *zone_ref(Zone *zone);
Zone *zone_unref(Zone *zone);
DEFINE_CLEANUP(Zone *, zone_unref);
#define _cleanup_zone_ _cleanup_(zone_unrefp)

/* "Europe/Berlin"; for the machine's own zone the name that /etc/localtime links to, or "localtime". */
const char *zone_name(const Zone *zone);

/* A stretch [start, end) of utc seconds of one offset. */
typedef struct ZoneSpan {
        int64_t start; /* INT64_MIN: always was so */
        int64_t end;   /* INT64_MAX: stays so */
        int32_t offset; /* local - utc, seconds */
        bool dst;
        char abbreviation[ZONE_ABBREVIATION_MAX + 1]; /* "CET" */
} ZoneSpan;

/* The stretch that UTC lies in: what a table or the rule tells, so START and END are exact. */
void zone_span(const Zone *zone, int64_t utc, ZoneSpan *ret);

typedef enum ZoneFit {
        ZONE_UNIQUE, /* the local time comes once */
        ZONE_GAP,    /* it is skipped: FIRST and SECOND are the first instant after the gap */
        ZONE_FOLD,   /* it comes twice: at FIRST and at SECOND */
} ZoneFit;

/* The real instants of a local time. */
ZoneFit zone_resolve(const Zone *zone, int64_t local, int64_t *ret_first, int64_t *ret_second);
