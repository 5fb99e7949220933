/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * A fast hash of short texts, for where nobody gains by making two collide. Elsewhere base/siphash.h has its
 * place. It is the same in each life of a daemon, on machines of one byte order.
 */

#include <string.h>

#include "base/macro.h"

/* Multiplies and folds TEXT[0…N), eight bytes at a time. */
static inline uint64_t hash_text(const char *text, size_t n)
{
        static const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15); /* 2^64 / the golden ratio */
        uint64_t hash = n, word;

        for (; n > 0; n -= MIN(n, sizeof(word)), text += sizeof(word)) {
                word = 0;
                if (n >= sizeof(word))
                        memcpy(&word, text, sizeof(word));
                else
                        memcpy(&word, text, n);
                hash = (hash ^ word) * odd;
                hash ^= hash >> 32;
        }
        return hash;
}
