/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The job that was meant by a name that no job has. */

#include "ctl/ctl.h"

/*
 * The name nearest to NAME, which the caller frees; NULL where none is near, and where the daemon would not say. It
 * is asked over a connection of its own, as the one of CTL may be at work. Of many jobs, it looks at the first
 * 10,000 that begin as NAME does, then at the first 10,000 of all. *RET_REMOVED: a job of this very name has
 * runs left, and its file is gone.
 */
char *suggest_job(const Ctl *ctl, const char *name, bool *ret_removed);
