/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A span that is taken is printed as one that reads back as the same, and a time stamp keeps its day. */
#include "fuzz.h"

#include "when/timespan.h"
#include "when/timestamp.h"

#define LAST_PRINTED (UINT64_C(253402128000) * USEC_PER_SEC) /* 9999-12-30 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *s = fuzz_next_string(&data, &size);
        char text[TIMESPAN_MAX], stamp[TIMESTAMP_MAX], again_text[TIMESPAN_MAX];
        WhenError error = {};
        usec_t span, again;

        if (timespan_parse(s, &span, &error) == 0) {
                FUZZ_CHECK(timespan_parse(timespan_format(span, text), &again, NULL) == 0 && again == span);
                FUZZ_CHECK(streq(timespan_format(again, again_text), text));
        } else {
                FUZZ_CHECK(error.message[0] && error.offset <= strlen(s));
        }

        error = (WhenError){};
        if (timestamp_parse(s, NULL, &span, &error) < 0) {
                FUZZ_CHECK(error.message[0] && error.offset <= strlen(s));
                return 0;
        }
        /* Of the last days of 9999 the printer knows the first only. */
        if (span < LAST_PRINTED)
                FUZZ_CHECK(timestamp_parse(timestamp_format(span, NULL, stamp), NULL, &again, NULL) == 0 &&
                           again == span);
        return 0;
}
