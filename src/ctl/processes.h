/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The processes of runs under way. The daemon tells which one a run began with; what has become of that is read
 * here from /proc, with the rights of the user, who so sees what ps(1) shows and no more. The daemon's loop reads
 * none of it: the command line of a process can only be read once its memory is not locked, which may take long.
 */

#include "ctl/ctl.h"

typedef struct ProcessRoots {
        struct ProcessRoot *roots;
        size_t n;
} ProcessRoots;

#define PROCESS_ROOTS_NULL ((ProcessRoots){})
void process_roots_deinit(ProcessRoots *roots);

/* Takes up RUN where it is under way and has a process. 0, or an exit status. */
int process_roots_add(ProcessRoots *roots, const JsonValue *run);
/* Prints a tree for each, as far as they are still there. 0, or an exit status. */
int process_roots_print(const Ctl *ctl, const ProcessRoots *roots);
