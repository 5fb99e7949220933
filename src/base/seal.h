/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * A line of text that people can read and that shows when it was garbled: "WORDS CHECK\n". One changed bit, a
 * missing end and a line that was never sealed are all noticed; a forged line is not.
 */

#include "base/buffer.h"

/* Bytes that a seal adds to the words. */
#define SEAL_SIZE 18U

/* Seals the words in LINE, of which there is one or more, and ends it. -ENOMEM, -E2BIG. */
int seal_line(Buffer *line);
/* Leaves the words alone in LINE. -EBADMSG, and LINE as it was, where they are not what was sealed. */
int unseal_line(Buffer *line);
