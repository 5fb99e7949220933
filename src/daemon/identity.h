/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Who this machine is, and which boot of it this is. */

#include "base/siphash.h"

/*
 * A key of this machine's own, the same on each start: of machine-id(5), which can't be told from it, else of
 * the host name.
 */
SipKey machine_key(void);

/* At random where it can't be read: every start is one of another boot then. */
void boot_id(uint8_t ret[static 16]);
