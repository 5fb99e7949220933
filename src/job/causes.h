/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The jobs whose events led to a run (On=), the newest first. It is a chain of shared links: runs that one event
 * started have the same one, and it goes on into the chain of the run whose event that was. As events start runs
 * TRIGGER_DEPTH_MAX deep at most, and groups are nested GROUP_DEPTH_MAX deep, it ends.
 */

#include "base/macro.h"

typedef struct Causes Causes;

/* JOB (copied) on top of BEFORE (borrowed; NULL: nothing led to it). NULL: no memory. */
Causes *causes_new(Causes *before, const char *job);
/* CAUSES may be NULL. */
Causes *causes_ref(Causes *causes);
Causes *causes_unref(Causes *causes);
DEFINE_CLEANUP(Causes *, causes_unref);

/* Whether JOB is among them; all instances of a template count as one job. CAUSES may be NULL. */
bool causes_have(const Causes *causes, const char *job);
/* Whether A and B are the same job, or instances of one template. */
bool causes_are_same(const char *a, const char *b);
