/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Regular expressions of interchange formats, translated to PCRE2 and run under limits, so that
 * neither a pattern nor a text that others wrote can take unlimited time.
 */

#include "base/macro.h"

typedef struct Regex Regex;

typedef enum RegexSyntax {
        REGEX_I_REGEXP, /* RFC 9485; everything that its grammar does not have is refused */
        REGEX_ECMA,     /* ECMAScript with its "u" flag, as far as PCRE2 has the same */
} RegexSyntax;

#define REGEX_MAX_BYTES 8192U /* of a pattern */
#define REGEX_MAX_DEPTH 64U   /* of nested groups */

/* WHOLE: the pattern must match all of a text. -EINVAL: no such pattern; -ENOMEM. */
int regex_compile(RegexSyntax syntax, const char *pattern, size_t n, bool whole, Regex **ret);
Regex *regex_free(Regex *regex);
DEFINE_CLEANUP(Regex *, regex_free);

/*
 * Whether it matches S, which is UTF-8. BUDGET goes down by what that cost, 1 for a simple match.
 * -E2BIG: it is used up, or this match alone took too long; -ENOMEM.
 */
int regex_match(const Regex *regex, const char *s, size_t n, size_t *budget, bool *ret);
