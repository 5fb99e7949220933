/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The keys of [Schedule], and how they become a Schedule. */

#include "config/key.h"

struct ScheduleSettings;

extern const ConfigKey schedule_keys[];

/* KEY makes a trigger (and is shown to people among the others). */
bool schedule_key_is_trigger(const char *key);

/*
 * Compiles the triggers: they hang on TimeZone= and others, so this comes when all keys were read.
 * -EBADMSG with problems in REPORT, -ENOMEM.
 */
int schedule_settings_finish(struct ScheduleSettings *settings, const ConfigItems *items, ConfigReport *report);
