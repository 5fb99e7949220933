/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Names of weekdays and months. */

#include "base/macro.h"

/* "Mon" … "Sun": 0 Monday. */
extern const char *const weekday_names[7];

/*
 * The whole word at *P, in English in full or as its first three letters, in any case: 0 Monday …
 * 6 Sunday; 1 January … 12 December. Moves *P behind it. -EINVAL for any other word.
 */
int weekday_parse(const char **p);
int month_parse(const char **p);
