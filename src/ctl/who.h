/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Who asked for something, in words. The daemon tells ids; what their names are is looked up here, where it may take its time. */

#include "base/buffer.h"
#include "json/json.h"

/* Appends BEFORE and "by alice (uid 1000, pid 4711)" for a Client of io.takt.Runs; nothing where BY is none. -ENOMEM. */
int who_append(Buffer *out, const char *before, const JsonValue *by);
