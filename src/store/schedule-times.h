/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Stamps in a mapped file that nobody syncs: a stop, a crash and a SIGKILL of the daemon leave it as it
 * was, a crash of the machine may lose its last seconds. A job costs 64 bytes of it, and an occurrence
 * no call but the writing back that the kernel does in its own time.
 */

#include "job/stamp.h"

/* Jobs whose times are kept; further ones begin anew with each daemon. 64 MiB. */
#define SCHEDULE_TIMES_MAX (1U << 20)

/*
 * Reads what the last daemon left in STATE_DIRECTORY/schedule-times; a file that can't be read is logged and
 * left out. BOOT_ID tells whether it was the same boot. The file is replaced when it settles; where there can't be
 * one, stamps are in memory until stamp_store_keep() can make it. -ENOMEM.
 */
int schedule_times_open(const char *state_directory, const uint8_t boot_id[static 16], StampStore **ret);
