/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Time spans as systemd.time(7) writes them: "500ms", "2min 30s", "1.5h", "infinity". */

#include "base/clock.h"
#include "when/error.h"

#define USEC_PER_WEEK (7 * USEC_PER_DAY)
/* systemd's mean month and year: a twelfth of 365.25 days, and 365.25 days. */
#define USEC_PER_MONTH (UINT64_C(2629800) * USEC_PER_SEC)
#define USEC_PER_YEAR (UINT64_C(31557600) * USEC_PER_SEC)

/*
 * Parses a sum of numbers with units into microseconds; a number without a unit is in seconds, and
 * "infinity" is USEC_INFINITY. What is below a microsecond is cut off. ERROR may be NULL.
 * -EINVAL for bad syntax, -ERANGE for a span past 584,000 years.
 */
int timespan_parse(const char *s, usec_t *ret, WhenError *error);
/* The same, with DEFAULT_UNIT microseconds for a number without a unit. */
int timespan_parse_unit(const char *s, usec_t default_unit, usec_t *ret, WhenError *error);

#define TIMESPAN_MAX 64

/*
 * Writes the shortest text that timespan_parse() reads back as exactly SPAN, with each larger unit
 * used as often as it fits: "0", "1.5s", "2min 30s", "30d", "infinity". Months and years, which
 * are no whole number of days, aren't used. Returns BUFFER.
 */
char *timespan_format(usec_t span, char buffer[static TIMESPAN_MAX]);
