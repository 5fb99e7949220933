/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* A keyed hash of short strings: what it gives can't be foreseen without the key. */

#include "base/macro.h"

typedef struct SipKey {
        uint64_t k[2];
} SipKey;

/* SipHash-2-4 of DATA[0…N): Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012. */
uint64_t siphash24(const SipKey *key, const void *data, size_t n);
