/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job/time-format.h"

#include <inttypes.h>
#include <stdio.h>

/* POSIX's conversions and glibc's k, l, P and s; no E and O, which only locales other than C know. */
#define CONVERSIONS "aAbBcCdDeFfgGhHIjklmMnpPrRsStTuUVwWxXyYzZ%"
#define FLAGS "_-0^#"
#define FLAGS_MAX 2
#define CONVERSION_MAX 128 /* bytes that one conversion becomes in the C locale, generously */

int time_format_check(const char *format, TextError *ret_error)
{
        for (const char *p = format; (p = strchr(p, '%')); p++) {
                size_t flags = strspn(p + 1, FLAGS);
                char c = p[1 + flags];

                if (!c || flags > FLAGS_MAX || !strchr(CONVERSIONS, c))
                        return text_error(ret_error, (size_t)(p - format),
                                          "'%.*s' is no conversion of strftime(3); write %%%% for a percent sign",
                                          (int)MIN(2 + flags, strlen(p)), p);
                p += flags + 1;
        }
        return 0;
}

/* One conversion, from its '%' on. */
static int append_conversion(const char *spec, size_t n, usec_t realtime, const struct tm *tm, Buffer *out)
{
        /* The full stop tells an empty result (%p of some locales) from a full buffer. */
        char format[FLAGS_MAX + 4] = {}, text[CONVERSION_MAX];
        size_t len;

        if (spec[n - 1] == 's')
                return buffer_appendf(out, "%" PRIu64, realtime / USEC_PER_SEC);
        if (spec[n - 1] == 'f')
                return buffer_appendf(out, "%06" PRIu64, realtime % USEC_PER_SEC);
        memcpy(format, spec, n);
        format[n] = '.';
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        len = strftime(text, sizeof(text), format, tm);
#pragma GCC diagnostic pop
        return len > 0 ? buffer_append(out, text, len - 1) : 0;
}

int time_format_append(const char *format, usec_t realtime, const struct tm *tm, Buffer *out)
{
        const char *p = format;
        int r;

        while (*p) {
                size_t n = *p == '%' ? 2 + strspn(p + 1, FLAGS) : strcspn(p, "%");

                r = *p == '%' ? append_conversion(p, n, realtime, tm, out) : buffer_append(out, p, n);
                if (r < 0)
                        return r;
                p += n;
        }
        return 0;
}

int time_format_append_rfc3339(usec_t realtime, const struct tm *tm, Buffer *out)
{
        long minutes = labs(tm->tm_gmtoff) / 60;
        int r;

        r = time_format_append("%Y-%m-%dT%H:%M:%S.%f", realtime, tm, out);
        if (r < 0)
                return r;
        return buffer_appendf(out, "%c%02ld:%02ld", tm->tm_gmtoff < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

int time_format_parse_iso(const char *s, usec_t *ret_realtime)
{
        struct tm tm = {};
        unsigned usec;
        time_t t;
        int end = 0;

        if (sscanf(s, "%4d-%2d-%2dT%2d:%2d:%2d.%6uZ%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
                   &tm.tm_min, &tm.tm_sec, &usec, &end) < 7 || end == 0 || s[end])
                return -EINVAL;
        tm.tm_year -= 1900;
        tm.tm_mon -= 1;
        t = timegm(&tm);
        if (t < 0)
                return -EINVAL;
        *ret_realtime = (usec_t)t * USEC_PER_SEC + usec;
        return 0;
}
