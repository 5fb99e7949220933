/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What a new process of takt-spawn does between vfork and exec. It runs in its parent's memory, so it
 * calls nothing that locks or allocates.
 */

#include "process/protocol.h"

/* How far a child has come; written by it, read by its parent. */
typedef struct SpawnProgress {
        volatile pid_t pid;      /* set first of all: the parent's own knowledge comes after the exec */
        volatile uint32_t stage; /* SpawnStage at which it failed, 0: it did not */
        volatile int32_t error;  /* positive errno */
} SpawnProgress;

typedef struct SpawnChild {
        const SpawnStart *start;
        const SpawnPayload *payload;
        int fds[3];   /* standard input, output and error */
        pid_t parent; /* whose death is to be this one's */
        SpawnProgress *progress;
} SpawnChild;

/* In the child: becomes the command, or says in PROGRESS why not and exits. */
_noreturn_ void spawn_child_run(const SpawnChild *child);
