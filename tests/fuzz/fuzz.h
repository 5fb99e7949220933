/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * A fuzz target is tests/fuzz/fuzz-NAME.c with this one function. With --enable-fuzzing and clang it
 * becomes a libFuzzer program; otherwise replay.c feeds it what lies in tests/fuzz/corpus/NAME.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that has to hold; unlike assert() never compiled out. */
#define FUZZ_CHECK(condition)                                                                    \
        do {                                                                                     \
                if (!(condition)) {                                                              \
                        fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);  \
                        abort();                                                                 \
                }                                                                                \
        } while (0)

/*
 * The next part of the input, which a NUL ends, as a string of its own: an access past its end is found.
 * Never NULL; the caller frees it.
 */
static inline char *fuzz_next_string(const uint8_t **data, size_t *size)
{
        size_t n = strnlen((const char *)*data, *size);
        char *s = strndup((const char *)*data, n);

        FUZZ_CHECK(s);
        *data += n;
        *size -= n;
        if (*size > 0) {
                (*data)++;
                (*size)--;
        }
        return s;
}
