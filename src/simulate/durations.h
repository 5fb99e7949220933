/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* How long the runs of a simulation take. */

#include "ctl/ctl.h"
#include "simulate/simulation.h"

/*
 * As --duration says of a job or of all; else as long as the last runs took on average, where a daemon of the
 * environment answers; else no time at all. 0, or an exit status after it told the user.
 */
int durations_set(Ctl *ctl, Simulation *simulation);
