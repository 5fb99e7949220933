/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * A growable run of bytes with a cap. What it holds is always followed by a NUL that does not
 * count. A failed append leaves the contents as they were.
 */

#include <stdarg.h>

#include "base/macro.h"

typedef struct Buffer {
        char *data;       /* NULL until the first append */
        size_t len;       /* bytes held */
        size_t allocated; /* bytes of DATA */
        size_t max;       /* cap on LEN, 0 for none */
} Buffer;

#define BUFFER_NULL ((Buffer){})
#define BUFFER_WITH_MAX(n) ((Buffer){ .max = (n) })

void buffer_deinit(Buffer *buffer);
#define _cleanup_buffer_ _cleanup_(buffer_deinit)

/* As buffer_reserve(), where there may be no room. */
int buffer_grow(Buffer *buffer, size_t n);

/* Makes room for N more bytes and a NUL. Returns 0, -ENOMEM, or -E2BIG above the cap. */
static inline int buffer_reserve(Buffer *buffer, size_t n)
{
        if (n >= buffer->allocated - buffer->len || (buffer->max > 0 && buffer->len + n > buffer->max))
                return buffer_grow(buffer, n);
        return 0;
}

/* Appends N bytes. Errors of buffer_reserve(). */
static inline int buffer_append(Buffer *buffer, const void *data, size_t n)
{
        int r = buffer_reserve(buffer, n);

        if (r < 0)
                return r;
        if (n > 0)
                memcpy(buffer->data + buffer->len, data, n);
        buffer->len += n;
        buffer->data[buffer->len] = '\0';
        return 0;
}

int buffer_append_string(Buffer *buffer, const char *s);
int buffer_append_char(Buffer *buffer, char c);
int buffer_appendf(Buffer *buffer, const char *format, ...) _printf_(2, 3);
int buffer_appendv(Buffer *buffer, const char *format, va_list ap) _printf_(2, 0);
/* Drops the first N bytes. */
void buffer_consume(Buffer *buffer, size_t n);
/* Forgets the contents, keeps the memory. */
void buffer_clear(Buffer *buffer);
/* Hands the bytes over as a NUL-terminated string that the caller frees; "" where it was empty. NULL: no memory. */
char *buffer_steal(Buffer *buffer);

/* The contents as a string; "" where nothing was ever appended. */
static inline const char *buffer_string(const Buffer *buffer)
{
        return buffer->data ? buffer->data : "";
}
