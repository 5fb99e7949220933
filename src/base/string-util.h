/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Strings: numbers and booleans out of them, UTF-8, allocation by format. */

#include "base/macro.h"

/* A string that the caller frees; NULL where there is no memory. */
char *xasprintf(const char *format, ...) _printf_(1, 2);

/* A, B and C one behind the other, as a string that the caller frees; NULL where there is no memory. */
char *string_join(const char *a, const char *b, const char *c);

/* Writes VALUE in decimal at P, UINT64_DIGITS_MAX bytes at most, with no NUL. Returns what is behind it. */
#define UINT64_DIGITS_MAX 20U
char *put_uint64(char *p, uint64_t value);

/* Strict decimal (or 0x…) numbers: no blanks, no sign for unsigned, no rest. -EINVAL, -ERANGE. */
int parse_uint64(const char *s, uint64_t *ret);
int parse_int64(const char *s, int64_t *ret);
/* A finite decimal number in the C locale's form. -EINVAL, -ERANGE. */
int parse_double(const char *s, double *ret);
/* systemd's spellings: 1 yes y true t on, 0 no n false f off, any case. -EINVAL for all else. */
int parse_boolean(const char *s, bool *ret);
/* Bytes with systemd's suffixes K M G T P E (powers of 1024) and an optional B. -EINVAL, -ERANGE. */
int parse_size(const char *s, uint64_t *ret);

/*
 * The first byte of S[0…N) that is not part of strictly valid UTF-8 (RFC 3629: no overlong form,
 * no surrogate, nothing past U+10FFFF), or N where all of it is valid.
 */
size_t utf8_check(const char *s, size_t n);

/* Replaces the contents of *P by a copy of S (which may be NULL). -ENOMEM leaves *P. */
int free_and_strdup(char **p, const char *s);

/* The number of "SIGTERM", "TERM" or "15". -EINVAL. */
int signal_from_string(const char *s);
/* Cuts blanks off both ends of S in place; returns the new start, which lies in S. */
char *strip(char *s);

/*
 * How many edits (insert, delete, replace, swap neighbours) make B of A, upper and lower case being the
 * same: what a typing error costs, for suggestions (the restricted distance of Damerau and Levenshtein).
 * Of longer names the first 63 bytes count.
 */
unsigned string_distance(const char *a, const char *b);

/* Of names that are looked at one after another, the one that was meant, if NAME is one with a typing error. */
typedef struct Nearest {
        const char *name;
        const char *found; /* NULL: none is near */
        unsigned distance;
} Nearest;

/* At most three edits, and at most a third as many as the name that is suggested has bytes. */
void nearest_look(Nearest *nearest, const char *candidate);
