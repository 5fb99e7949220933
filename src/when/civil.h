/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The proleptic Gregorian calendar: days since 1970 and their year, month and day. */

#include "base/clock.h"

#define SEC_PER_DAY 86400
/* usec_t's units for signed local time */
#define LOCAL_PER_SEC ((int64_t)USEC_PER_SEC)
#define LOCAL_PER_MINUTE ((int64_t)USEC_PER_MINUTE)
#define LOCAL_PER_HOUR ((int64_t)USEC_PER_HOUR)
#define LOCAL_PER_DAY ((int64_t)USEC_PER_DAY)

typedef struct CivilDate {
        int year;
        int month; /* 1 … 12 */
        int day;   /* 1 … 31 */
} CivilDate;

typedef struct CivilTime {
        CivilDate date;
        int hour;
        int minute;
        int second;
        int usec;
} CivilTime;

static inline bool civil_is_leap_year(int year)
{
        return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static inline int civil_days_in_month(int year, int month)
{
        static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

        return month == 2 && civil_is_leap_year(year) ? 29 : days[month - 1];
}

/* Days since 1970-01-01. The date must exist. */
int64_t civil_to_days(int year, int month, int day);
/* The reverse, for DAYS within a few million years. */
CivilDate civil_from_days(int64_t days);

/* 0 Monday … 6 Sunday */
int civil_weekday(int64_t days);

/* Local microseconds since 1970, as if UTC, and their parts. */
CivilTime civil_from_local(int64_t local);
int64_t civil_to_local(const CivilTime *time);

/* Division that rounds towards minus infinity; B is positive. */
static inline int64_t floor_div(int64_t a, int64_t b)
{
        return a / b - (a % b < 0);
}
