/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* All kinds of jobs: one file each, one line here and one in registry.c. */

#include "job/kind.h"

extern const JobKind blink_kind;
extern const JobKind countdown_kind;
extern const JobKind exec_kind;
extern const JobKind group_kind;
extern const JobKind http_kind;
extern const JobKind sensor_kind;
extern const JobKind sleep_kind;
extern const JobKind worker_kind;
