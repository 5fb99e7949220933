/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Intrusive red-black trees: BSD's <sys/tree.h>, as libbsd has it. */

#include <sys/tree.h>

/* libbsd's RB_GENERATE_STATIC() wants a `__unused` that glibc does not define. */
#define TREE_GENERATE(name, type, field, compare) \
        RB_GENERATE_INTERNAL(name, type, field, compare, __attribute__((__unused__)) static)

/* RB_INSERT() of what comes behind LAST, the last element (NULL: the tree is empty), without a search. */
#define TREE_APPEND(name, head, last, element, field)                  \
        do {                                                           \
                RB_SET(element, last, field);                          \
                if (last)                                              \
                        RB_RIGHT(last, field) = (element);             \
                else                                                   \
                        RB_ROOT(head) = (element);                     \
                name##_RB_INSERT_COLOR(head, element);                 \
        } while (0)
