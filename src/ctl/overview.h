/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* status without a job: how the daemon as a whole is. */

#include "ctl/ctl.h"

int overview_print(Ctl *ctl);
