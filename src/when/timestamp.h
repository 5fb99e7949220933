/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Points in time as text. */

#include "base/clock.h"
#include "when/error.h"
#include "when/zone.h"

/*
 * Parses a date and time into REALTIME:
 *
 *      2026-11-22 10:00:00      2026-11-22 10:00       2026-11-22 (midnight)
 *      2026-11-22 10:00:00.25   2026-11-22T10:00:00Z   2026-11-22 10:00:00+01:00
 *      2026-11-22 10:00 Europe/Berlin                  @1795341600.5
 *
 * with a day of the week before the date if it is the right one. Without Z, offset or zone name
 * the time is one of ZONE. A time that a gap swallows is the first instant after it; one that
 * comes twice is the first of the two. -EINVAL, -ERANGE (before 1970, past 9999, or no such day),
 * errors of zone_load(); ERROR may be NULL.
 */
int timestamp_parse(const char *s, const Zone *zone, usec_t *ret_realtime, WhenError *error);

/* The same with no zone in the text and none applied: local microseconds as if UTC. */
int timestamp_parse_local(const char *s, int64_t *ret_local, WhenError *error);

/* The instant of LOCAL, as the above reads it, in ZONE. -ERANGE. */
int timestamp_resolve(int64_t local, const Zone *zone, usec_t *ret_realtime);

#define TIMESTAMP_MAX 64

/* "Sun 2026-11-22 10:00:00.25 CET" in ZONE, with no more digits of the second than it has. Returns BUFFER. */
char *timestamp_format(usec_t realtime, const Zone *zone, char buffer[static TIMESTAMP_MAX]);
