/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What the parser of cron expressions hands to the search. */

#include "when/cron.h"

#define CRON_NTH_MAX 5 /* "5#5": no weekday comes more often in a month */

typedef enum CronField {
        CRON_SECOND,
        CRON_MINUTE,
        CRON_HOUR,
        CRON_DAY,
        CRON_MONTH,
        CRON_WEEKDAY,
        _CRON_FIELD_MAX,
} CronField;

typedef enum CronForm {
        CRON_FORM_ALL,          /* * or ? */
        CRON_FORM_VALUE,        /* START; with STEP on to the field's end */
        CRON_FORM_RANGE,        /* START-STOP */
        CRON_FORM_LAST,         /* L, L-START */
        CRON_FORM_LAST_WEEKDAY, /* LW */
        CRON_FORM_NEAREST,      /* STARTW */
        CRON_FORM_LAST_OF,      /* STARTL: weekday */
        CRON_FORM_NTH_OF,       /* START#STOP: weekday */
} CronForm;

typedef struct CronPart {
        CronForm form;
        int8_t start;
        int8_t stop;
        int8_t step; /* 0: none was written */
} CronPart;

typedef struct CronList {
        CronPart *parts;
        size_t n; /* 0: the field is not there, which only seconds can be */
} CronList;

/* Both day fields. Of weekdays, bit 0 is Monday. */
typedef struct CronDays {
        uint32_t days;     /* bits 1 … 31 */
        uint32_t from_end; /* bit 0 is the last day */
        uint32_t nearest;  /* bits 1 … 31: W */
        bool last_weekday;
        uint8_t weekdays;
        uint8_t last;              /* of the month */
        uint8_t nth[CRON_NTH_MAX]; /* [0] the first of the month */
} CronDays;

struct Cron {
        CronList fields[_CRON_FIELD_MAX];
        uint64_t seconds;
        uint64_t minutes;
        uint32_t hours;
        uint16_t months; /* bits 1 … 12 */
        bool both;       /* `+` before the weekdays: both day fields must allow a day */
        bool either;     /* both day fields are restricted: one of them is enough */
        bool fixed;      /* neither hour nor minute is a wildcard */
        CronDays days;
};

/* LocalNext of a Cron. */
int cron_local_next(const void *cron, int64_t local, int64_t *ret);
