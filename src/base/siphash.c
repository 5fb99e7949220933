/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/siphash.h"

static uint64_t rotate(uint64_t x, unsigned bits)
{
        return x << bits | x >> (64 - bits);
}

static void rounds(uint64_t v[static 4], unsigned n)
{
        while (n-- > 0) {
                v[0] += v[1];
                v[1] = rotate(v[1], 13) ^ v[0];
                v[0] = rotate(v[0], 32);
                v[2] += v[3];
                v[3] = rotate(v[3], 16) ^ v[2];
                v[0] += v[3];
                v[3] = rotate(v[3], 21) ^ v[0];
                v[2] += v[1];
                v[1] = rotate(v[1], 17) ^ v[2];
                v[2] = rotate(v[2], 32);
        }
}

/* At most 8 bytes as a little-endian number. */
static uint64_t load(const uint8_t *p, size_t n)
{
        uint64_t word = 0;

        for (size_t i = 0; i < n; i++)
                word |= (uint64_t)p[i] << (8 * i);
        return word;
}

static void compress(uint64_t v[static 4], uint64_t word)
{
        v[3] ^= word;
        rounds(v, 2);
        v[0] ^= word;
}

uint64_t siphash24(const SipKey *key, const void *data, size_t n)
{
        const uint8_t *p = data;
        uint64_t v[4] = {
                key->k[0] ^ UINT64_C(0x736f6d6570736575),
                key->k[1] ^ UINT64_C(0x646f72616e646f6d),
                key->k[0] ^ UINT64_C(0x6c7967656e657261),
                key->k[1] ^ UINT64_C(0x7465646279746573),
        };
        uint64_t last = (uint64_t)n << 56;

        for (; n >= 8; n -= 8, p += 8)
                compress(v, load(p, 8));
        compress(v, last | load(p, n));
        v[2] ^= 0xff;
        rounds(v, 4);
        return v[0] ^ v[1] ^ v[2] ^ v[3];
}
