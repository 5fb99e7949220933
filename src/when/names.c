/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "when/names.h"

#include <strings.h>

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define SHORT_LENGTH 3

const char *const weekday_names[7] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" };

static int parse_word(const char **p, const char *const names[], size_t n)
{
        size_t length = strspn(*p, LETTERS);

        for (size_t i = 0; i < n; i++)
                if ((length == SHORT_LENGTH || length == strlen(names[i])) &&
                    strncasecmp(*p, names[i], length) == 0) {
                        *p += length;
                        return (int)i;
                }
        return -EINVAL;
}

int weekday_parse(const char **p)
{
        static const char *const names[] = {
                "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
        };

        return parse_word(p, names, ARRAY_SIZE(names));
}

int month_parse(const char **p)
{
        static const char *const names[] = {
                "January", "February", "March", "April", "May", "June", "July", "August", "September",
                "October", "November", "December",
        };
        int r = parse_word(p, names, ARRAY_SIZE(names));

        return r < 0 ? r : r + 1;
}
