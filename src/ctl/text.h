/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Text for people: styles, spans and points in time, text of strangers made harmless. */

#include "base/buffer.h"
#include "base/clock.h"
#include "when/timespan.h"
#include "when/timestamp.h"

typedef enum Style {
        STYLE_NONE,
        STYLE_BOLD,
        STYLE_DIM,
        STYLE_GOOD,
        STYLE_ACTIVE,
        STYLE_WARNING,
        STYLE_BAD,
        _STYLE_MAX,
} Style;

/* The escape sequences around styled text; "" without COLOUR. */
const char *style_begin(Style style, bool colour);
const char *style_end(Style style, bool colour);

/* Whether to use colour on standard output: $TAKT_COLORS, else $NO_COLOR, else whether it is a terminal. */
bool colour_wanted(void);

/* The style of a run's or a job's state. */
Style state_style(const char *state);

/* A span in at most three digits or two units: "180us", "21ms", "3.25s", "2min 5s", "5d 2h". Returns BUFFER. */
char *span_to_text(usec_t span, char buffer[static TIMESPAN_MAX]);

#define RELATIVE_MAX (TIMESPAN_MAX + 8)
/* "in 3s", "2min 5s ago", "now"; "-" for USEC_INFINITY. Returns BUFFER. */
char *relative_to_text(usec_t realtime, usec_t now_realtime, char buffer[static RELATIVE_MAX]);

/* As timestamp_format(), cut to whole UNITs; "-" for USEC_INFINITY. Returns BUFFER. */
char *time_to_text(usec_t realtime, usec_t unit, const Zone *zone, char buffer[static TIMESTAMP_MAX]);

/*
 * As above with neither weekday nor zone: "2026-11-22 10:00:00", and in milliseconds with all three digits of
 * these. Returns BUFFER.
 */
char *time_to_short_text(usec_t realtime, usec_t unit, const Zone *zone, char buffer[static TIMESTAMP_MAX]);
/* The same in seconds and, where that is today, the time of day alone. Returns BUFFER. */
char *time_to_day_text(usec_t realtime, usec_t now_realtime, const Zone *zone, char buffer[static TIMESTAMP_MAX]);

/*
 * Appends S with control characters as escapes ("\n", "\x1b"), so that it stays on its line and can't
 * drive the terminal; with KEEP_LINES, line breaks and tabs pass.
 */
int text_append_clean(Buffer *out, const char *s, size_t n, bool keep_lines);
/* Columns that S takes on a terminal. */
size_t text_width(const char *s);
/* Bytes of S that fit into WIDTH columns. */
size_t text_fit(const char *s, size_t width);
