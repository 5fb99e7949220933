/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What a parser of spans, dates, calendars and cron lines says about text that it refuses. */

#include "base/macro.h"

#define WHEN_ERROR_MESSAGE_MAX 128

typedef struct WhenError {
        size_t offset;                        /* of the offending byte in the parsed string */
        char message[WHEN_ERROR_MESSAGE_MAX]; /* what is wrong and what would be right; no full stop */
} WhenError;

/* Fills ERROR (which may be NULL) and returns R, so that `return when_error(…)` reads as one step. */
int when_error(WhenError *error, int r, size_t offset, const char *format, ...) _printf_(4, 5);
