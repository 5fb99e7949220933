/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "when/civil.h"

/*
 * Years are counted from 1 March of a year that 400 divides, so that the leap day ends a year and
 * months follow the rhythm 153 m + 2 over 5 (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
 */
#define DAYS_PER_ERA 146097 /* 400 years */
#define EPOCH_OFFSET 719468 /* 0000-03-01 to 1970-01-01 */

int64_t civil_to_days(int year, int month, int day)
{
        int64_t y = (int64_t)year - (month <= 2), era = floor_div(y, 400), year_of_era = y - era * 400;
        int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

        return era * DAYS_PER_ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
               EPOCH_OFFSET;
}

CivilDate civil_from_days(int64_t days)
{
        int64_t z = days + EPOCH_OFFSET, era = floor_div(z, DAYS_PER_ERA), day = z - era * DAYS_PER_ERA;
        int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
        int64_t day_of_year = day - (365 * year + year / 4 - year / 100);
        int64_t month = (5 * day_of_year + 2) / 153;

        return (CivilDate){
                .year = (int)(year + era * 400 + (month >= 10)),
                .month = (int)(month < 10 ? month + 3 : month - 9),
                .day = (int)(day_of_year - (153 * month + 2) / 5 + 1),
        };
}

int civil_weekday(int64_t days)
{
        /* 1970-01-01 was a Thursday. */
        return (int)(days + 3 - 7 * floor_div(days + 3, 7));
}

CivilTime civil_from_local(int64_t local)
{
        int64_t days = floor_div(local, LOCAL_PER_DAY), rest = local - days * LOCAL_PER_DAY;

        return (CivilTime){
                .date = civil_from_days(days),
                .hour = (int)(rest / LOCAL_PER_HOUR),
                .minute = (int)(rest / LOCAL_PER_MINUTE % 60),
                .second = (int)(rest / LOCAL_PER_SEC % 60),
                .usec = (int)(rest % LOCAL_PER_SEC),
        };
}

int64_t civil_to_local(const CivilTime *time)
{
        return civil_to_days(time->date.year, time->date.month, time->date.day) * LOCAL_PER_DAY +
               time->hour * LOCAL_PER_HOUR + time->minute * LOCAL_PER_MINUTE + time->second * LOCAL_PER_SEC +
               time->usec;
}
