/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* References to URIs, as JSON Schema resolves them: RFC 3986, section 5.2. */

#include "base/buffer.h"

/* Appends what REFERENCE (N bytes, its fragment left out) means against BASE, which may be "". -ENOMEM, -E2BIG. */
int uri_resolve(const char *base, const char *reference, size_t n, Buffer *out);

/* What follows "#" in S[0…N), or NULL. */
static inline const char *uri_fragment(const char *s, size_t n)
{
        const char *hash = memchr(s, '#', n);

        return hash ? hash + 1 : NULL;
}

/* Appends S[0…N) with its %XX decoded. -EINVAL for a % that two hexadecimal digits don't follow, -ENOMEM. */
int uri_percent_decode(const char *s, size_t n, Buffer *out);
