/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Sets of small numbers as bits, which calendars and cron lines share. */

#include "when/civil.h"

#define BIT(n) (UINT64_C(1) << (n))

/* The lowest bit of SET at or above FROM (at most 64), or -1. */
static inline int bits_next(uint64_t set, int from)
{
        set = from > 63 ? 0 : set & UINT64_MAX << from;
        return set ? __builtin_ctzll(set) : -1;
}

/* Bits FROM … TO */
static inline uint64_t bits_range(int from, int to)
{
        return (UINT64_MAX << from) & (UINT64_MAX >> (63 - to));
}

/* The days 1 … 31 whose weekday is in WEEKDAYS (bit 0 Monday), in a month that begins on FIRST. */
static inline uint64_t bits_weekdays(unsigned weekdays, int first)
{
        /* The week six times over; then the first of the month comes to bit 1. */
        return (uint64_t)weekdays * UINT64_C(0x810204081) >> first << 1;
}
