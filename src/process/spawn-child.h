/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What a new process of takt-spawn does between fork and exec. */

#include "process/protocol.h"

/* Where a child leaves word of its failure; lies in memory that it shares with its parent until exec. */
typedef struct SpawnFailure {
        uint32_t stage; /* SpawnStage, 0: none */
        int32_t error;  /* positive errno */
} SpawnFailure;

typedef struct SpawnChild {
        const SpawnStart *start;
        const SpawnPayload *payload;
        int fds[3];   /* standard input, output and error */
        pid_t parent; /* whose death is to be this one's */
        SpawnFailure *failure;
} SpawnChild;

/* In the child: becomes the command, or says in FAILURE why not and exits. */
_noreturn_ void spawn_child_run(const SpawnChild *child);
