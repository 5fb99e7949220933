/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Calendar expressions as systemd.time(7) writes them for OnCalendar=. */

#include "when/dst.h"
#include "when/error.h"

#define CALENDAR_TEXT_MAX 1024 /* bytes of an expression */
#define CALENDAR_PARTS_MAX 64  /* values, ranges and steps in one component */

typedef struct Calendar Calendar;

/*
 * Parses the whole grammar: weekdays, lists, ranges, steps, `~` from the end of the month,
 * fractions of a second, a time zone at the end, and the shorthands ("daily", …).
 * -EINVAL (also for what can never be, such as 31 February), -E2BIG, errors of zone_load(), -ENOMEM;
 * ERROR may be NULL.
 */
int calendar_parse(const char *s, Calendar **ret, WhenError *error);
Calendar *calendar_free(Calendar *calendar);
DEFINE_CLEANUP(Calendar *, calendar_free);

/* The normal form, as systemd-analyze prints it, that the caller frees. NULL: no memory. */
char *calendar_format(const Calendar *calendar);

/*
 * The first instant strictly later than AFTER_REALTIME. The expression's own zone, where it has
 * one, goes before the one of RULES. 1 found, 0 none up to WHEN_YEAR_MAX.
 */
int calendar_next(const Calendar *calendar, const DstRules *rules, usec_t after_realtime, usec_t *ret_realtime);

/*
 * Whether the local time of REALTIME lies in what the expression covers as a stretch: the whole day
 * where it names no time, the whole minute where it names no second. Then *RET_END is where all ends that
 * is covered without a break from there, or the zone's offset changes before that: what is covered for years is
 * skipped in a few steps.
 */
bool calendar_covers(const Calendar *calendar, const DstRules *rules, usec_t realtime, usec_t *ret_end);
