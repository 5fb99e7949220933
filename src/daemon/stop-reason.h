/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Whether a SIGTERM is the beginning of a restart. systemd sends the same signal for both and tells no more,
 * but its queue of jobs does: systemctl(1) is asked, as a command of takt-spawn's.
 */

#include "process/spawner.h"

typedef struct StopReason StopReason;

/* How long the answer is waited for; later it is taken for a stop. */
#define STOP_REASON_WAIT_USEC (3 * USEC_PER_SEC)

/* The unit that TEXT, a /proc/PID/cgroup, tells of; USER: of a user's manager. NULL: of none; or no memory. */
char *stop_reason_unit(const char *text, bool *ret_user);
/* Whether TEXT, the output of `systemctl list-jobs`, has UNIT restarted. */
bool stop_reason_is_restart(const char *text, const char *unit);

/* DONE is called once, from the loop. -ENXIO: no unit; errors of spawner_start(). */
int stop_reason_ask(Loop *loop, Spawner *spawner, void (*done)(bool restart, void *userdata), void *userdata, StopReason **ret);
StopReason *stop_reason_free(StopReason *reason);
