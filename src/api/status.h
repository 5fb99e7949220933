/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The status pages: /healthz as JSON, /metrics in OpenMetrics text. */

#include "loop/http-server.h"
#include "loop/loop.h"
#include "process/pool-set.h"
#include "sched/scheduler.h"

typedef struct Status Status;

/* All borrowed; SPAWNER may be NULL. */
typedef struct StatusContext {
        Scheduler *scheduler;
        Spawner *spawner;
        PoolSet *pools; /* NULL: none */
        TimerQueue *timers;
        Loop *loop;
        usec_t started_boottime;
} StatusContext;

/* -ENOMEM */
int status_new(const StatusContext *context, Status **ret);
Status *status_free(Status *status);

/* For http_server_new(), with the Status as their userdata. */
extern const HttpServerRoute status_routes[];
extern const size_t status_n_routes;
