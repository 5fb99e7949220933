/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/buffer.h"

#include <stdio.h>

#define BUFFER_MIN_ALLOCATED 64

void buffer_deinit(Buffer *buffer)
{
        free(buffer->data);
        *buffer = (Buffer){ .max = buffer->max };
}

int buffer_grow(Buffer *buffer, size_t n)
{
        size_t want, size;
        char *data;

        if (__builtin_add_overflow(buffer->len, n, &want) || want == SIZE_MAX)
                return -E2BIG;
        if (buffer->max > 0 && want > buffer->max)
                return -E2BIG;
        if (want < buffer->allocated)
                return 0;

        size = MAX(buffer->allocated + buffer->allocated / 2, (size_t)BUFFER_MIN_ALLOCATED);
        size = MAX(size, want + 1);
        data = realloc(buffer->data, size);
        if (!data)
                return -ENOMEM;
        data[buffer->len] = '\0';
        buffer->data = data;
        buffer->allocated = size;
        return 0;
}

int buffer_append_string(Buffer *buffer, const char *s)
{
        return buffer_append(buffer, s, strlen(s));
}

int buffer_append_char(Buffer *buffer, char c)
{
        return buffer_append(buffer, &c, 1);
}

int buffer_appendv(Buffer *buffer, const char *format, va_list ap)
{
        va_list measure;
        int n, r;

        va_copy(measure, ap);
        n = vsnprintf(NULL, 0, format, measure);
        va_end(measure);
        if (n < 0)
                return -EINVAL;
        r = buffer_reserve(buffer, (size_t)n);
        if (r < 0)
                return r;
        (void)vsnprintf(buffer->data + buffer->len, (size_t)n + 1, format, ap);
        buffer->len += (size_t)n;
        return 0;
}

int buffer_appendf(Buffer *buffer, const char *format, ...)
{
        va_list ap;
        int r;

        va_start(ap, format);
        r = buffer_appendv(buffer, format, ap);
        va_end(ap);
        return r;
}

void buffer_consume(Buffer *buffer, size_t n)
{
        if (n == 0)
                return;
        n = MIN(n, buffer->len);
        buffer->len -= n;
        memmove(buffer->data, buffer->data + n, buffer->len + 1);
}

void buffer_clear(Buffer *buffer)
{
        buffer->len = 0;
        if (buffer->data)
                buffer->data[0] = '\0';
}

char *buffer_steal(Buffer *buffer)
{
        char *s = buffer->data ? buffer->data : strdup("");

        *buffer = (Buffer){ .max = buffer->max };
        return s;
}
