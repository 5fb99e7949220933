/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * A fast hash of short texts, for where nobody gains by making two collide. Elsewhere base/siphash.h has its
 * place. It is the same in each life of a daemon, on machines of one byte order.
 */

#include <string.h>

#include "base/macro.h"

/* Multiplies and folds. */
static inline uint64_t hash_word(uint64_t hash, uint64_t word)
{
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15); /* 2^64 / the golden ratio */
        return hash ^ hash >> 32;
}

/*
 * Of TEXT[0…N), eight bytes at a time. The last eight may begin in those before: a shorter copy costs more.
 */
static inline uint64_t hash_text(const char *text, size_t n)
{
        const char *end = text + n;
        uint64_t hash = n, word = 0;

        if (n < sizeof(word)) {
                memcpy(&word, text, n);
                return hash_word(hash, word);
        }
        for (; (size_t)(end - text) > sizeof(word); text += sizeof(word)) {
                memcpy(&word, text, sizeof(word));
                hash = hash_word(hash, word);
        }
        memcpy(&word, end - sizeof(word), sizeof(word));
        return hash_word(hash, word);
}
