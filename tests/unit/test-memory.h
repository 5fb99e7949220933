/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Memory that runs out when a test wants it to. The program is linked with
 * --wrap=malloc, calloc, realloc and reallocarray; libraries outside the tree are not affected.
 */

#include <limits.h>

#include "base/macro.h"

#define ALLOCATIONS_UNLIMITED UINT_MAX

/* How many allocations still succeed; then all fail, or only the next one. */
static unsigned allocations_left = ALLOCATIONS_UNLIMITED;
static bool allocations_fail_once;
static bool allocation_failed; /* one did */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t n);
void *__real_reallocarray(void *old, size_t n, size_t size);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t n);
void *__wrap_reallocarray(void *old, size_t n, size_t size);

static bool may_allocate(void)
{
        if (allocations_left == ALLOCATIONS_UNLIMITED)
                return true;
        if (allocations_left > 0) {
                allocations_left--;
                return true;
        }
        allocation_failed = true;
        if (allocations_fail_once)
                allocations_left = ALLOCATIONS_UNLIMITED;
        errno = ENOMEM;
        return false;
}

void *__wrap_malloc(size_t n)
{
        return may_allocate() ? __real_malloc(n) : NULL;
}

void *__wrap_calloc(size_t n, size_t size)
{
        return may_allocate() ? __real_calloc(n, size) : NULL;
}

void *__wrap_realloc(void *old, size_t n)
{
        return may_allocate() ? __real_realloc(old, n) : NULL;
}

void *__wrap_reallocarray(void *old, size_t n, size_t size)
{
        return may_allocate() ? __real_reallocarray(old, n, size) : NULL;
}

/* EXPRESSION, a call that gives 0 or an error, with only N allocations granted. */
#define WITH_ALLOCATIONS(n, expression)                     \
        ({                                                  \
                int _r;                                     \
                allocations_left = (n);                     \
                _r = (expression);                          \
                allocations_left = ALLOCATIONS_UNLIMITED;   \
                _r;                                         \
        })
