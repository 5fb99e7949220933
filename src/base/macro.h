/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Small macros that every file may use: container_of, ownership by cleanup attributes. */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define _cleanup_(f) __attribute__((__cleanup__(f)))
#define _printf_(fmt, args) __attribute__((__format__(__printf__, fmt, args)))
/* What is rare, out of the way of what is not. */
#define _noinline_ __attribute__((__noinline__))
#define _always_inline_ inline __attribute__((always_inline))
#define _unused_ __attribute__((__unused__))
#define _pure_ __attribute__((__pure__))
#define _noreturn_ __attribute__((__noreturn__))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define CONST_MIN(a, b) ((a) < (b) ? (a) : (b))

/* Names of their own a use, so that uses can be nested without shadowing. */
#define _PASTE(a, b) a##b
#define PASTE(a, b) _PASTE(a, b)
#define _MINMAX(op, x, y, a, b)               \
        ({                                    \
                const __typeof__(a) x = (a);  \
                const __typeof__(b) y = (b);  \
                x op y ? x : y;               \
        })
#define MIN(a, b) _MINMAX(<, PASTE(_a, __COUNTER__), PASTE(_b, __COUNTER__), a, b)
#define MAX(a, b) _MINMAX(>, PASTE(_a, __COUNTER__), PASTE(_b, __COUNTER__), a, b)

/* The object of TYPE whose MEMBER PTR points to; NULL stays NULL. */
#define container_of(ptr, type, member)                                       \
        ({                                                                    \
                __typeof__(((type *)0)->member) *_p = (ptr);                  \
                _p ? (type *)(void *)((char *)_p - offsetof(type, member)) : NULL;    \
        })

/* Hands the value over and leaves nothing behind to clean up. */
#define TAKE_PTR(p)                     \
        ({                              \
                __typeof__(p) _t = (p); \
                (p) = NULL;             \
                _t;                     \
        })
#define TAKE_FD(fd)           \
        ({                    \
                int _t = (fd); \
                (fd) = -1;    \
                _t;           \
        })

/* Makes `_cleanup_(FUNCp)` usable for a destructor that accepts NULL. */
#define DEFINE_CLEANUP(type, func)                     \
        static inline void func##p(type *p)            \
        {                                              \
                if (*p)                                \
                        func(*p);                      \
        }                                              \
        struct _##func##_needs_semicolon

static inline void freep(void *p)
{
        free(*(void **)p);
}
#define _cleanup_free_ _cleanup_(freep)

#define new0(type, n) ((type *)calloc((n), sizeof(type)))

static inline bool streq(const char *a, const char *b)
{
        return strcmp(a, b) == 0;
}

static inline bool streq_ptr(const char *a, const char *b)
{
        return a == b || (a && b && streq(a, b));
}

/* What follows PREFIX in S, or NULL where S does not begin with it. */
static inline const char *startswith(const char *s, const char *prefix)
{
        size_t n = strlen(prefix);

        return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

/* errno of the call that just failed, negative; never 0. */
static inline int negative_errno(void)
{
        return errno > 0 ? -errno : -EIO;
}
