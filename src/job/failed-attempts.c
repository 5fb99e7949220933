/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A line each: the time, the number, and the reason with its line breaks made blanks. */
#include "job/failed-attempts.h"

#include <stdio.h>

#include "base/string-util.h"

static const char *skip_lines(const char *list, size_t n)
{
        for (; n > 0; n--)
                list = strchr(list, '\n') + 1;
        return list;
}

static size_t count_lines(const char *list)
{
        size_t n = 0;

        for (; (list = strchr(list, '\n')); list++)
                n++;
        return n;
}

int failed_attempts_add(char **list, usec_t realtime, unsigned number, const char *kind, const char *message)
{
        const char *old = *list ?: "";
        _cleanup_free_ char *line = xasprintf("%s: %s", kind, message);
        size_t n = count_lines(old);
        char *text;

        for (char *p = line; p && *p; p++)
                if (*p == '\n')
                        *p = ' ';
        if (n >= FAILED_ATTEMPTS_KEPT)
                old = skip_lines(old, n + 1 - FAILED_ATTEMPTS_KEPT);
        text = line ? xasprintf("%s%llu %u %s\n", old, (unsigned long long)realtime, number, line) : NULL;
        if (!text)
                return -ENOMEM;
        free(*list);
        *list = text;
        return 0;
}

bool failed_attempts_next(const char **cursor, FailedAttempt *ret)
{
        unsigned long long realtime;
        int n = -1;

        if (!*cursor || sscanf(*cursor, "%llu %u %n", &realtime, &ret->number, &n) != 2 || n < 0)
                return false;
        ret->realtime = realtime;
        ret->reason = *cursor + n;
        ret->reason_len = strcspn(ret->reason, "\n");
        *cursor = ret->reason + ret->reason_len + (ret->reason[ret->reason_len] == '\n');
        return true;
}
