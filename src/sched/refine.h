/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The step of an attempt's end that is done off the loop: job/refine.h. The kind has given back its state by then,
 * and its memory holds what is known of the step.
 */

#include "sched/internal.h"

/*
 * RUN's kind has ended. True: the step is under way, and execute_refined() is called once that is over. False:
 * there is nothing to do, or the run has failed of it.
 */
bool refine_begin(Run *run);
/* Ends the step of a run that is_refining, which has failed then. */
void refine_stop(Run *run);
/* Frees the state of the run's kind, or the step that followed. */
void refine_reset(Run *run);
