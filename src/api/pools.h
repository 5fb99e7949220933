/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What the control interface and the status pages tell of pools of processes. SET may be NULL: none. */

#include "json/writer.h"
#include "process/pool-set.h"

/* Adds an array of io.takt.Manager.Pool. */
void pools_write(const PoolSet *set, JsonWriter *w);
/* Appends the families of all their numbers, each pool being a label. */
void pools_write_metrics(const PoolSet *set, Buffer *out);
