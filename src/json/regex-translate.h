/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* From the syntax of an interchange format to the one of PCRE2. */

#include "base/buffer.h"

/* PATTERN is UTF-8. -EINVAL: it is not of RFC 9485's grammar; -ENOMEM. */
int regex_translate_i_regexp(const char *pattern, size_t n, Buffer *out);

/* PATTERN is UTF-8; its syntax is PCRE2's to check. -EINVAL: a group that ECMAScript does not have; -ENOMEM. */
int regex_translate_ecma(const char *pattern, size_t n, Buffer *out);
