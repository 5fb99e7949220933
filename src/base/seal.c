/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/seal.h"

#include <stdio.h>

#include "base/siphash.h"

/* The check guards against accidents, so its key is no secret. */
static const SipKey seal_key = { { UINT64_C(0x74616b745f736561), UINT64_C(0x6f6e65206c696e65) } };

/* " 0123456789abcdef\n" */
static void format_check(const char *words, size_t n, char check[static SEAL_SIZE + 1])
{
        (void)snprintf(check, SEAL_SIZE + 1, " %016llx\n", (unsigned long long)siphash24(&seal_key, words, n));
}

int seal_line(Buffer *line)
{
        char check[SEAL_SIZE + 1];

        format_check(buffer_string(line), line->len, check);
        return buffer_append(line, check, SEAL_SIZE);
}

int unseal_line(Buffer *line)
{
        char check[SEAL_SIZE + 1];
        size_t n;

        if (line->len <= SEAL_SIZE)
                return -EBADMSG;
        n = line->len - SEAL_SIZE;
        format_check(line->data, n, check);
        if (memchr(line->data, '\0', n) || memcmp(line->data + n, check, SEAL_SIZE) != 0)
                return -EBADMSG;
        line->len = n;
        line->data[n] = '\0';
        return 0;
}
