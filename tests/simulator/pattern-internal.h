/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What the files of patterns share: pattern.c matches, walk.c walks through time, random-pattern.c makes them. */

#include "pattern.h"

#include "base/macro.h"

#define MINUTE 60
#define HOUR 3600
#define DAY 86400
#define USEC INT64_C(1000000)

static inline bool has(uint64_t set, int n)
{
        return set >> n & 1;
}

static inline int64_t floor_to(int64_t t, int64_t unit)
{
        return t - ((t % unit) + unit) % unit;
}

bool date_matches(const Pattern *p, const Date *date);
bool day_matches(Pattern *p, int64_t day);
/* Whether some time of the local second LOCAL matches. */
bool second_matches(Pattern *p, int64_t local);
