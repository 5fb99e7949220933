/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The keys of [Schedule], and how they become a Schedule. */

#include "config/key.h"

struct ScheduleSettings;

extern const ConfigKey schedule_keys[];

/*
 * Compiles the triggers: they hang on TimeZone= and others, so this comes when all keys were read.
 * TRIGGERS gets those that count, as written, and WARNINGS what is legal and does nothing.
 * -EBADMSG with problems in REPORT, -ENOMEM.
 */
int schedule_settings_finish(struct ScheduleSettings *settings, StringList *triggers, const ConfigItems *items,
                             ConfigReport *report, ConfigReport *warnings);
