/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * One block of memory that was given back, for the next one of about its size: what comes and goes in turn, a
 * million times a second, then asks the allocator nothing. A tool that watches memory sees each block come and go.
 */

#include "base/macro.h"

/* What is larger costs more to fill than to ask for. */
#define SPARE_MAX 4096U

#ifdef __SANITIZE_ADDRESS__
#define SPARE_IS_KEPT false
#else
#define SPARE_IS_KEPT true
#endif

typedef struct Spare {
        void *block; /* NULL: none */
        size_t size;
} Spare;

/* Blocks of sizes that are the same when rounded take each other's place. */
static inline size_t spare_round(size_t size)
{
        return (size + 15) & ~(size_t)15;
}

/* A block of SIZE bytes at least, with whatever is in it; for spare_put() or free(). NULL: no memory. */
static inline void *spare_take(Spare *spare, size_t size)
{
        size = spare_round(size);
        if (spare->block && spare->size == size)
                return TAKE_PTR(spare->block);
        return malloc(size);
}

/* Gives back BLOCK, of spare_take() with this SIZE. */
static inline void spare_put(Spare *spare, void *block, size_t size)
{
        if (SPARE_IS_KEPT && !spare->block && size <= SPARE_MAX) {
                spare->block = block;
                spare->size = spare_round(size);
        } else {
                free(block);
        }
}

static inline void spare_deinit(Spare *spare)
{
        free(TAKE_PTR(spare->block));
}
