/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Whether the jobs that a definition names (Run= of groups, On=) are there, and have the events that it waits for.
 * There may be a million names to look through, so a check goes on in steps.
 */

#include "base/string-util.h"
#include "job/spec.h"

/* Names that one step looks at. */
#define NAME_CHECK_LOOKS 256U
/* Names that a pattern is held against, and that are looked at for the one that was meant, from those that begin alike on. */
#define NAME_CHECK_LOOKS_MAX 10000U
/* Missing names of one load for which the one that was meant is looked for. */
#define NAME_CHECK_SUGGESTIONS_MAX 100U

/* The jobs that there are, in the order of strcmp(). A job whose file is broken is one. */
typedef struct JobNames {
        size_t n;
        const char *(*name)(size_t i, void *userdata);
        /* Its definition; NULL: it can't be had. *RET_ONLY_LINKS: it is a template that has no instance but by links. */
        JobSpec *(*spec)(size_t i, bool *ret_only_links, void *userdata);
        /* Whether Instances= of I, a template that has it, names NAME. True as well where that takes too long to say. */
        bool (*lists)(size_t i, const char *name, void *userdata);
        void *userdata;
} JobNames;

/* Zeroed but for NAMES; one for all definitions of a load. */
typedef struct NameCheck {
        const JobNames *names;
        unsigned n_suggestions;

        JobSpec *spec;      /* that is checked; NULL: none */
        size_t next;        /* of its references and then its mentions */
        bool searching;     /* through names from POSITION on, of which LOOKED were looked at and END will be */
        size_t position, end, looked;
        Nearest nearest;
        char suggestion[JOB_NAME_MAX + 1]; /* what that has found */
} NameCheck;

/* Begins with SPEC (borrowed), which gets the warnings. */
void name_check_begin(NameCheck *check, JobSpec *spec);
/* 1: all of it was looked at, 0: there is more; -ENOMEM. */
int name_check_step(NameCheck *check);
