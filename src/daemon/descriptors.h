/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Who may have how many of the process's descriptors: clients of the control socket at most half,
 * HTTP connections at most a quarter, so that jobs and files have theirs whoever connects.
 */

#include "config/settings.h"

/* Lowers the caps in SETTINGS to what the limit of open files allows, and says so. */
void descriptors_fit(Settings *settings);
/* Thousands of connections and pipes: the soft limit is for programs that select(2). */
void descriptors_raise_limit(void);
