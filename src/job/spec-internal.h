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
