/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Keys that do nothing without another one. A table of them for the sections that every job may have is in
 * key-needs.c, each kind has one of its own section. What is set to its default says nothing that would not
 * hold anyway, and is not asked for its needs.
 */

#include "config/file.h"

typedef struct JobSpec JobSpec;

typedef struct KeyNeed {
        const char *key;
        bool (*is_met)(const JobSpec *spec); /* the key does something */
        const char *why;   /* what is missing, behind "does nothing, as " */
        const char *other; /* the key of the same section that could be in another file and is to blame; NULL: none */
} KeyNeed;

/*
 * Adds a warning to SPEC, once its kind has loaded it, for each key that ITEMS sets and that does nothing.
 * -ENOMEM.
 */
int spec_check_needs(JobSpec *spec, const ConfigItems *items);
