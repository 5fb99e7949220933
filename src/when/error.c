/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "when/error.h"

#include <stdarg.h>
#include <stdio.h>

int when_error(WhenError *error, int r, size_t offset, const char *format, ...)
{
        va_list ap;

        if (!error)
                return r;
        error->offset = offset;
        va_start(ap, format);
        (void)vsnprintf(error->message, sizeof(error->message), format, ap);
        va_end(ap);
        return r;
}
