/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/text-error.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/string-util.h"

int text_error(TextError *e, size_t offset, const char *format, ...)
{
        va_list ap;

        if (!e)
                return -EBADMSG;
        e->offset = offset;
        va_start(ap, format);
        (void)vsnprintf(e->message, sizeof(e->message), format, ap);
        va_end(ap);
        /* Quoted input may be cut in the middle of a character, or not have been UTF-8 at all. */
        e->message[utf8_check(e->message, strlen(e->message))] = '\0';
        return -EBADMSG;
}
