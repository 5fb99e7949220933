/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What spec.c, the keys and the life of a definition, and spec-load.c, its way out of a file, share. */

#include "job/spec.h"

/* A section that a job of its kind has, and where its values are. Both NULL: it has none of that name. */
typedef struct SpecSection {
        const ConfigSection *section;
        void *structure;
} SpecSection;

SpecSection spec_find_section(JobSpec *spec, const char *name);

/* spec-oversights.c: warns of what ITEMS say and can't mean. -ENOMEM. */
int spec_check_oversights(JobSpec *spec, const ConfigItems *items);

/* spec-mentions.c: notes what ITEMS name beside what the job's kind notes by itself. -ENOMEM. */
int spec_note_mentions(JobSpec *spec, const ConfigItems *items);
