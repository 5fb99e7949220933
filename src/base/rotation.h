/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Whose turn it is, where more want one than there are. Of the names that are offered, a rotation keeps those that come
 * next behind the one that had the last turn, in the order of strcmp() and around its end. Whoever is offered again and
 * again so has a turn when all others had theirs, at the latest, and no more is remembered than one turn takes.
 */

#include "base/macro.h"

typedef struct Rotation {
        char **names; /* whose turn is next, in that order; NULL: nobody was offered yet */
        size_t n, max;
        size_t n_bytes, max_bytes; /* of their texts; 0: without limit */
        char *last;                /* who had the last turn; NULL: nobody */
        bool full;                 /* there are others, who have to wait */
} Rotation;

void rotation_deinit(Rotation *rotation);
/* Copies NAME where it is one of those whose turn is next. Without memory, it has to be offered again. */
void rotation_offer(Rotation *rotation, const char *name);
/* Forgets the names: they had their turn. */
void rotation_next(Rotation *rotation);
