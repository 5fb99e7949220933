/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Formats of strftime(3) that are checked when they are read. Two conversions differ from libc's:
 * %s is the second since 1970 of the instant itself, whatever the zone of the broken-down time, and
 * %f is the fraction of the second as six digits. Flags (_ - 0 ^ #) are known, widths are not.
 */

#include <time.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/text-error.h"

/* 0, or -EBADMSG with RET_ERROR (may be NULL; its offset counts from FORMAT). */
int time_format_check(const char *format, TextError *ret_error);

/* Appends REALTIME, broken down as TM, in a FORMAT that was checked. Errors of buffer_append(). */
int time_format_append(const char *format, usec_t realtime, const struct tm *tm, Buffer *out);

/* RFC 3339 in the offset of TM: "2026-11-22T12:00:00.000000+02:00". */
int time_format_append_rfc3339(usec_t realtime, const struct tm *tm, Buffer *out);

/* Reads what realtime_to_iso() wrote. -EINVAL. */
int time_format_parse_iso(const char *s, usec_t *ret_realtime);
