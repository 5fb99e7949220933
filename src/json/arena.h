/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Memory that is given out piece by piece and taken back as a whole: for a document's tree, for
 * what a reader needs while it reads, for a compiled expression.
 */

#include "base/macro.h"

typedef struct ArenaChunk ArenaChunk;

typedef struct Arena {
        ArenaChunk *chunks; /* on the heap, newest first */
        char *next;         /* free bytes: [next, end) */
        char *end;
        size_t chunk_size; /* of the next chunk */
} Arena;

#define ARENA_NULL ((Arena){})
#define ARENA_ALIGN _Alignof(max_align_t)
#define ARENA_CHUNK_MIN 512U
#define ARENA_CHUNK_MAX (256U * 1024) /* larger only for one piece that needs it */

/* Serves the first pieces from FIRST, which the caller owns, is aligned to ARENA_ALIGN and outlives ARENA. */
static inline void arena_init(Arena *arena, void *first, size_t n)
{
        *arena = (Arena){ .next = first, .end = (char *)first + n };
}

void arena_deinit(Arena *arena);
#define _cleanup_arena_ _cleanup_(arena_deinit)

/* As arena_alloc(), where there may be no room. */
void *arena_alloc_slowly(Arena *arena, size_t n);

/* N bytes with any content, aligned to ARENA_ALIGN; or NULL. */
static inline void *arena_alloc(Arena *arena, size_t n)
{
        uintptr_t at = ((uintptr_t)arena->next + ARENA_ALIGN - 1) & ~(uintptr_t)(ARENA_ALIGN - 1);

        if (at == 0 || at > (uintptr_t)arena->end || (uintptr_t)arena->end - at < n)
                return arena_alloc_slowly(arena, n);
        arena->next += at - (uintptr_t)arena->next + n;
        return arena->next - n;
}

/* N zeroed items of SIZE bytes; or NULL. */
void *arena_calloc(Arena *arena, size_t n, size_t size);
/* A copy with a NUL after its N bytes, packed without regard to alignment; or NULL. */
char *arena_strndup(Arena *arena, const char *s, size_t n);
