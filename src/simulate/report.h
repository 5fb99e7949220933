/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What came of a simulation, for people and as JSON. */

#include "ctl/ctl.h"
#include "simulate/simulation.h"

/* Either returns 0 or an exit status after it told the user. */
int report_print(const Ctl *ctl, const Simulation *simulation, usec_t from_realtime);
int report_print_json(const Ctl *ctl, const Simulation *simulation, usec_t from_realtime, bool complete);
/* A line about a run that begins or does not. */
void report_print_run(const Ctl *ctl, const Run *run);
