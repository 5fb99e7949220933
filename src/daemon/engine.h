/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The engine that taktd and takt-run share: loop, services, event bus, run ids, scheduler, store. */

#include "config/environment.h"
#include "config/settings.h"
#include "drivers/http.h"
#include "drivers/led.h"
#include "job/stamp.h"
#include "loop/loop.h"
#include "process/pool-set.h"
#include "process/transient-unit.h"
#include "sched/scheduler.h"
#include "store/change-log.h"
#include "store/store.h"
#include "work/work.h"

typedef struct Engine {
        Loop *loop;
        EventBus events;
        Services services;
        HttpClient *http;
        Spawner *spawner;
        PoolSet *pools;
        UnitManager *units;
        Work *work;
        LedSet *leds;
        RunIds *ids;
        Store *store;
        ChangeLog *changes;
        usec_t started_realtime; /* when all of this was made */
        StampStore *stamps;
        EventObserver store_observer;
        Scheduler *scheduler;
} Engine;

/*
 * Fills ENGINE, whose memory must stay where it is. ENVIRONMENT may be NULL (a job that is run alone);
 * STATE_DIRECTORY keeps run ids and schedules (where KEEP says so, the helper's mark as well) and what LEDs were, or
 * doesn't where there is none: state_keeper_new() tells. Errors are logged and returned.
 */
int engine_init(Engine *engine, const Environment *environment, const Settings *settings, const char *state_directory,
                bool keep);
/* No run may be under way. Accepts what engine_init() left half made. */
void engine_deinit(Engine *engine);

void engine_apply_settings(Engine *engine, const Settings *settings);
