/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Long output through the user's pager. */

#include "base/macro.h"

/*
 * Sends standard output through $TAKT_PAGER, $PAGER or less, where it is a terminal and WANTED; a pager
 * that is "" or "cat" is none. Where it can't be started the output goes on as it was.
 */
void pager_open(bool wanted);
/* Ends the output and waits until the user has seen enough. */
void pager_close(void);
