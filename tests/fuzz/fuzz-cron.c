/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The normal form parses to itself, fires at the same times, and time never stands still. */
#include "fuzz.h"

#include "when/cron.h"

#define TIMES 4
#define FROM (UINT64_C(1729900000) * USEC_PER_SEC)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *s = fuzz_next_string(&data, &size), *normal = NULL, *second = NULL;
        _cleanup_(cron_freep) Cron *cron = NULL, *again = NULL;
        usec_t a = FROM, b = FROM;
        WhenError error = {};
        DstRules rules = {};

        if (cron_parse(s, &cron, &error) < 0) {
                FUZZ_CHECK(!cron && error.message[0] && error.offset <= strlen(s));
                return 0;
        }
        normal = cron_format(cron);
        FUZZ_CHECK(normal && cron_parse(normal, &again, NULL) == 0);
        second = cron_format(again);
        FUZZ_CHECK(second && streq(normal, second));
        for (unsigned i = 0; i < TIMES; i++) {
                usec_t before = a;
                int r = cron_next(cron, &rules, a, &a);

                FUZZ_CHECK(cron_next(again, &rules, b, &b) == r && a == b);
                if (r == 0)
                        break;
                FUZZ_CHECK(a > before);
        }
        return 0;
}
