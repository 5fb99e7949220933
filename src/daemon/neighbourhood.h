/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Where a job file stands, for those who check it without a daemon: the jobs beside it and the environment that it is
 * of. Both are known only of an environment's jobs/, and the jobs of a directory that was given as one as well.
 */

#include "job/name-check.h"
#include "job/surroundings.h"

typedef struct Neighbourhood Neighbourhood;

/* That of DIRECTORY out of *LIST, to which it is added. NULL: no memory. */
Neighbourhood *neighbourhood_get(Neighbourhood **list, const char *directory);
/* The jobs of DIRECTORY belong together, be it an environment's or not. -ENOMEM. */
int neighbourhood_add(Neighbourhood **list, const char *directory);
/* Accepts NULL. */
void neighbourhood_free_all(Neighbourhood *list);

/* The names that its jobs may mention; NULL: nobody knows. */
const JobNames *neighbourhood_names(const Neighbourhood *neighbourhood);
const Surroundings *neighbourhood_surroundings(const Neighbourhood *neighbourhood);
