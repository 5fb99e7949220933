/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The journal is read by a program of its own, takt-logs, as libsystemd takes longer to load than a
 * call takes.
 */

#include "ctl/ctl.h"

/* What takt-logs is asked for beside what the options of all verbs say. */
typedef struct LogsRequest {
        char **jobs; /* names and patterns */
        size_t n_jobs;
        unsigned lines;       /* the last so many; 0: all */
        usec_t since_realtime; /* 0: from the beginning */
        bool follow;
        bool brief; /* beside other output: no pager, and nothing said where there is nothing to show */
} LogsRequest;

/* Becomes takt-logs; an exit status where that fails. */
int logs_become(Ctl *ctl, const LogsRequest *request);
/* Lets it print where standard output goes. Its exit status, or one after the user was told why not. */
int logs_run(Ctl *ctl, const LogsRequest *request);
