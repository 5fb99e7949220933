/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The normal form parses to itself, fires at the same times, and time never stands still. */
#include "fuzz.h"

#include "when/calendar.h"

#define TIMES 4
#define FROM (UINT64_C(1729900000) * USEC_PER_SEC) /* the night of a fold, 2024-10-26 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(calendar_freep) Calendar *calendar = NULL, *again = NULL;
        _cleanup_free_ char *s = NULL, *normal = NULL, *second = NULL;
        _cleanup_zone_ Zone *zone = NULL;
        usec_t a = FROM, b = FROM, end;
        WhenError error = {};
        DstRules rules = {};

        if (size > 0) {
                rules.gap = (DstGap)(data[0] & 1);
                rules.fold = (DstFold)(data[0] / 2 % 3);
                data++;
                size--;
        }
        s = fuzz_next_string(&data, &size);
        if (calendar_parse(s, &calendar, &error) < 0) {
                FUZZ_CHECK(!calendar && error.message[0] && error.offset <= strlen(s));
                return 0;
        }
        normal = calendar_format(calendar);
        FUZZ_CHECK(normal && calendar_parse(normal, &again, NULL) == 0);
        second = calendar_format(again);
        FUZZ_CHECK(second && streq(normal, second));

        FUZZ_CHECK(zone_load("UTC", &zone, NULL) == 0);
        rules.zone = zone;
        for (unsigned i = 0; i < TIMES; i++) {
                usec_t before = a;
                int r = calendar_next(calendar, &rules, a, &a);

                FUZZ_CHECK(calendar_next(again, &rules, b, &b) == r && a == b);
                if (r == 0)
                        break;
                FUZZ_CHECK(a > before);
                if (calendar_covers(calendar, &rules, a, &end))
                        FUZZ_CHECK(end > a);
        }
        return 0;
}
