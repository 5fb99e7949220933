/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/string-util.h"

#include <ctype.h>
#include <locale.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

char *xasprintf(const char *format, ...)
{
        va_list ap;
        char *s;
        int n;

        va_start(ap, format);
        n = vasprintf(&s, format, ap);
        va_end(ap);
        return n < 0 ? NULL : s;
}

char *string_join(const char *a, const char *b, const char *c)
{
        size_t n_a = strlen(a), n_b = strlen(b), n_c = strlen(c);
        char *joined = malloc(n_a + n_b + n_c + 1);

        if (joined)
                *(char *)mempcpy(mempcpy(mempcpy(joined, a, n_a), b, n_b), c, n_c) = '\0';
        return joined;
}

char *put_uint64(char *p, uint64_t value)
{
        char digits[UINT64_DIGITS_MAX], *s = digits + sizeof(digits);
        size_t n;

        do
                *--s = (char)('0' + value % 10);
        while ((value /= 10) > 0);
        n = (size_t)(digits + sizeof(digits) - s);
        memcpy(p, s, n);
        return p + n;
}

int parse_uint64(const char *s, uint64_t *ret)
{
        int base = s[0] == '0' && (s[1] == 'x' || s[1] == 'X') ? 16 : 10;
        unsigned long long value;
        char *end;

        if (!isdigit((unsigned char)s[0]))
                return -EINVAL;
        errno = 0;
        value = strtoull(s, &end, base);
        if (errno == ERANGE)
                return -ERANGE;
        if (end == s || *end)
                return -EINVAL;
        *ret = value;
        return 0;
}

int parse_int64(const char *s, int64_t *ret)
{
        const char *digits = s[0] == '-' || s[0] == '+' ? s + 1 : s;
        long long value;
        char *end;

        if (!isdigit((unsigned char)digits[0]))
                return -EINVAL;
        errno = 0;
        value = strtoll(s, &end, 10);
        if (errno == ERANGE)
                return -ERANGE;
        if (*end)
                return -EINVAL;
        *ret = value;
        return 0;
}

int parse_double(const char *s, double *ret)
{
        const char *digits = s[0] == '-' || s[0] == '+' ? s + 1 : s;
        double value;
        char *end;

        /* Refuses "inf", "nan", leading blanks and hexadecimal digits, which strtod() accepts. */
        if ((!isdigit((unsigned char)digits[0]) && digits[0] != '.') || strpbrk(digits, "xX"))
                return -EINVAL;
        value = strtod(s, &end);
        if (end == s || *end)
                return -EINVAL;
        if (!isfinite(value))
                return -ERANGE;
        *ret = value;
        return 0;
}

int parse_boolean(const char *s, bool *ret)
{
        static const char *const yes[] = { "1", "yes", "y", "true", "t", "on" };
        static const char *const no[] = { "0", "no", "n", "false", "f", "off" };

        for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
                if (strcasecmp(s, yes[i]) == 0) {
                        *ret = true;
                        return 0;
                }
        for (size_t i = 0; i < ARRAY_SIZE(no); i++)
                if (strcasecmp(s, no[i]) == 0) {
                        *ret = false;
                        return 0;
                }
        return -EINVAL;
}

int parse_size(const char *s, uint64_t *ret)
{
        static const char suffixes[] = "KMGTPE";
        unsigned long long value;
        unsigned shift = 0;
        char *end;

        if (!isdigit((unsigned char)s[0]))
                return -EINVAL;
        errno = 0;
        value = strtoull(s, &end, 10);
        if (errno == ERANGE)
                return -ERANGE;
        if (*end && *end != 'B') {
                const char *p = strchr(suffixes, *end);

                if (!p)
                        return -EINVAL;
                shift = 10 * (unsigned)(p - suffixes + 1);
                end++;
        }
        if (*end == 'B')
                end++;
        if (*end)
                return -EINVAL;
        if (shift > 0 && value > (UINT64_MAX >> shift))
                return -ERANGE;
        *ret = value << shift;
        return 0;
}

size_t utf8_check(const char *s, size_t n)
{
        const unsigned char *u = (const unsigned char *)s;
        size_t i = 0;

        while (i < n) {
                uint32_t code, least;
                size_t more;

                /* Eight ASCII bytes at a time: most text is nothing else. */
                while (i + 8 <= n) {
                        uint64_t word;

                        memcpy(&word, u + i, sizeof(word));
                        if (word & UINT64_C(0x8080808080808080))
                                break;
                        i += 8;
                }
                if (i >= n)
                        break;
                if (u[i] < 0x80) {
                        i++;
                        continue;
                }

                if (u[i] >= 0xc2 && u[i] <= 0xdf) {
                        more = 1, code = u[i] & 0x1f, least = 0x80;
                } else if ((u[i] & 0xf0) == 0xe0) {
                        more = 2, code = u[i] & 0x0f, least = 0x800;
                } else if (u[i] >= 0xf0 && u[i] <= 0xf4) {
                        more = 3, code = u[i] & 0x07, least = 0x10000;
                } else {
                        return i;
                }
                if (n - i <= more)
                        return i;
                for (size_t k = 1; k <= more; k++) {
                        if ((u[i + k] & 0xc0) != 0x80)
                                return i;
                        code = code << 6 | (u[i + k] & 0x3f);
                }
                if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
                        return i;
                i += more + 1;
        }
        return n;
}

int free_and_strdup(char **p, const char *s)
{
        char *copy = NULL;

        if (s) {
                copy = strdup(s);
                if (!copy)
                        return -ENOMEM;
        }
        free(*p);
        *p = copy;
        return 0;
}

char *strip(char *s)
{
        size_t n;

        s += strspn(s, " \t\r\n");
        n = strlen(s);
        while (n > 0 && strchr(" \t\r\n", s[n - 1]))
                n--;
        s[n] = '\0';
        return s;
}

#define DISTANCE_MAX_BYTES 63U

unsigned string_distance(const char *a, const char *b)
{
        size_t n = strnlen(a, DISTANCE_MAX_BYTES), m = strnlen(b, DISTANCE_MAX_BYTES);
        unsigned rows[3][DISTANCE_MAX_BYTES + 1];

        /* rows[i % 3][k]: the distance of the first i bytes of A and the first k of B. */
        for (size_t k = 0; k <= m; k++)
                rows[0][k] = (unsigned)k;
        for (size_t i = 1; i <= n; i++) {
                const unsigned *above = rows[(i - 1) % 3], *above_that = rows[(i + 1) % 3];
                unsigned *row = rows[i % 3];

                row[0] = (unsigned)i;
                for (size_t k = 1; k <= m; k++) {
                        int x = tolower((unsigned char)a[i - 1]), y = tolower((unsigned char)b[k - 1]);

                        row[k] = MIN(above[k - 1] + (x != y), MIN(above[k], row[k - 1]) + 1);
                        if (i > 1 && k > 1 && x == tolower((unsigned char)b[k - 2]) &&
                            y == tolower((unsigned char)a[i - 2]))
                                row[k] = MIN(row[k], above_that[k - 2] + 1);
                }
        }
        return rows[n % 3][m];
}

#define NEAREST_MAX_EDITS 3U

void nearest_look(Nearest *nearest, const char *candidate)
{
        unsigned distance = string_distance(nearest->name, candidate);

        if (distance > NEAREST_MAX_EDITS || 3 * distance > strlen(candidate))
                return;
        if (nearest->found && distance >= nearest->distance)
                return;
        nearest->found = candidate;
        nearest->distance = distance;
}

int signal_from_string(const char *s)
{
        uint64_t number;

        if (parse_uint64(s, &number) >= 0)
                return number >= 1 && number < NSIG ? (int)number : -EINVAL;
        s = startswith(s, "SIG") ?: s;
        for (int signo = 1; signo < NSIG; signo++) {
                const char *name = sigabbrev_np(signo);

                if (name && streq(name, s))
                        return signo;
        }
        return -EINVAL;
}
