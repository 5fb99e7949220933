/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Looking through what stands between quotes, many bytes at a time: sixteen in the compiler's vectors,
 * which are SSE2 or NEON where there is such, to find where a string ends; eight in a word for strings
 * whose length is known, and mostly short.
 */

#include <endian.h>

#include "base/macro.h"

typedef unsigned char QuotedBytes __attribute__((__vector_size__(16)));

static inline QuotedBytes quoted_bytes(const char *s)
{
        QuotedBytes bytes;

        memcpy(&bytes, s, sizeof(bytes));
        return bytes;
}

/* Marks, by all of their bits, quotes, backslashes and control characters: no string goes on beyond without more ado. */
static inline QuotedBytes quoted_ends(QuotedBytes bytes)
{
        return (QuotedBytes)(bytes == '"') | (QuotedBytes)(bytes == '\\') | (QuotedBytes)(bytes < 0x20);
}

/* How many bytes come before the first mark; sizeof(MARKS) where there is none. */
static inline unsigned quoted_before(QuotedBytes marks)
{
        uint64_t halves[2];

        memcpy(halves, &marks, sizeof(halves));
        if (halves[0] != 0)
                return (unsigned)__builtin_ctzll(le64toh(halves[0])) / 8;
        return 8 + (halves[1] != 0 ? (unsigned)__builtin_ctzll(le64toh(halves[1])) / 8 : 8);
}

#define QUOTED_EACH_BYTE(c) (UINT64_C(0x0101010101010101) * (c))
#define QUOTED_HIGH_BITS QUOTED_EACH_BYTE(0x80)

static inline bool quoted_is_ascii(QuotedBytes bytes)
{
        uint64_t halves[2];

        memcpy(halves, &bytes, sizeof(halves));
        return ((halves[0] | halves[1]) & QUOTED_HIGH_BITS) == 0;
}

/* Not 0 where a byte does not stand for itself between quotes, or is not ASCII (Mycroft's test: Warren, "Hacker's Delight", 6-1). */
static inline uint64_t quoted_special(uint64_t word)
{
        uint64_t quote = word ^ QUOTED_EACH_BYTE('"'), backslash = word ^ QUOTED_EACH_BYTE('\\');

        return ((quote - QUOTED_EACH_BYTE(1)) | (backslash - QUOTED_EACH_BYTE(1)) | (word - QUOTED_EACH_BYTE(0x20)) | word) &
               QUOTED_HIGH_BITS;
}

static inline uint64_t quoted_word(const char *s)
{
        uint64_t word;

        memcpy(&word, s, sizeof(word));
        return word;
}

/* Four or more bytes from S on, up to seven: those in the middle are there twice. */
static inline uint64_t quoted_word_of_few(const char *s, size_t n)
{
        uint32_t first, last;

        memcpy(&first, s, sizeof(first));
        memcpy(&last, s + n - sizeof(last), sizeof(last));
        return (uint64_t)last << 32 | first;
}
