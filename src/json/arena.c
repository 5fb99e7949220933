/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json/arena.h"

struct ArenaChunk {
        ArenaChunk *next;
        max_align_t data[];
};

void arena_deinit(Arena *arena)
{
        while (arena->chunks) {
                ArenaChunk *chunk = arena->chunks;

                arena->chunks = chunk->next;
                free(chunk);
        }
        *arena = ARENA_NULL;
}

/* A piece in a chunk of its own leaves the rest of the current one in use. */
static void *alloc_chunk(Arena *arena, size_t n, bool own)
{
        ArenaChunk *chunk;
        size_t size;

        if (__builtin_add_overflow(n, sizeof(*chunk), &size))
                return NULL;
        chunk = malloc(size);
        if (!chunk)
                return NULL;
        chunk->next = arena->chunks;
        arena->chunks = chunk;
        if (!own) {
                arena->next = (char *)chunk->data;
                arena->end = arena->next + n;
        }
        return chunk->data;
}

static bool fits(const Arena *arena, size_t pad, size_t n)
{
        size_t room = (size_t)(arena->end - arena->next);

        return room >= pad && room - pad >= n;
}

static void *alloc_aligned(Arena *arena, size_t n, size_t align)
{
        size_t pad = -(uintptr_t)arena->next & (align - 1);
        void *piece;

        if (!arena->next || !fits(arena, pad, n)) {
                arena->chunk_size = MIN(MAX(arena->chunk_size * 2, (size_t)ARENA_CHUNK_MIN), (size_t)ARENA_CHUNK_MAX);
                if (n > arena->chunk_size / 4)
                        return alloc_chunk(arena, n, true);
                if (!alloc_chunk(arena, arena->chunk_size, false))
                        return NULL;
                pad = 0;
        }
        piece = arena->next + pad;
        arena->next += pad + n;
        return piece;
}

void *arena_alloc_slowly(Arena *arena, size_t n)
{
        return alloc_aligned(arena, n, ARENA_ALIGN);
}

void *arena_calloc(Arena *arena, size_t n, size_t size)
{
        size_t total;
        void *piece;

        if (__builtin_mul_overflow(n, size, &total))
                return NULL;
        piece = arena_alloc(arena, total);
        return piece ? memset(piece, 0, total) : NULL;
}

char *arena_strndup(Arena *arena, const char *s, size_t n)
{
        char *copy = alloc_aligned(arena, n + 1, 1);

        if (!copy)
                return NULL;
        if (n > 0)
                memcpy(copy, s, n);
        copy[n] = '\0';
        return copy;
}
