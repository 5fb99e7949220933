/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The simulator's dice: equal seeds, equal traces. */

#include <stdbool.h>
#include <stdint.h>

typedef struct Random {
        uint64_t state; /* not 0 */
} Random;

/* splitmix64, public domain, Vigna 2015: good from any seed on. */
static inline uint64_t random_next(Random *random)
{
        uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        return z ^ z >> 31;
}

/* 0 … N - 1 */
static inline uint64_t draw(Random *random, uint64_t n)
{
        return random_next(random) % n;
}

/* LOW … HIGH */
static inline int64_t draw_range(Random *random, int64_t low, int64_t high)
{
        return low + (int64_t)draw(random, (uint64_t)(high - low + 1));
}

static inline bool chance(Random *random, unsigned percent)
{
        return draw(random, 100) < percent;
}
