/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The POSIX TZ string that ends a TZif file: "CET-1CEST,M3.5.0,M10.5.0/3". */

#include "when/zone.h"

typedef enum RuleDayType {
        RULE_DAY_JULIAN,       /* Jn: 1 … 365, 29 February is never counted */
        RULE_DAY_ZERO,         /* n: 0 … 365, it is */
        RULE_DAY_MONTH_WEEK,   /* Mm.w.d */
} RuleDayType;

typedef struct RuleDay {
        RuleDayType type;
        int month;   /* 1 … 12 */
        int week;    /* 1 … 5: 5 is the last */
        int day;     /* n, or 0 Sunday … 6 */
        int32_t time; /* local seconds from midnight; -167 h … 167 h (RFC 8536, 3.3.1) */
} RuleDay;

typedef struct ZoneRule {
        bool has_dst;
        int32_t offset; /* local - utc */
        int32_t dst_offset;
        char abbreviation[ZONE_ABBREVIATION_MAX + 1];
        char dst_abbreviation[ZONE_ABBREVIATION_MAX + 1];
        RuleDay start; /* of daylight saving time, in standard time */
        RuleDay end;   /* in daylight saving time */
} ZoneRule;

/* -EINVAL */
int zone_rule_parse(const char *s, ZoneRule *ret);
/* As zone_span(), were the rule valid for all time. */
void zone_rule_span(const ZoneRule *rule, int64_t utc, ZoneSpan *ret);
