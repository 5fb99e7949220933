/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What a run may use of the process it lives in. Filled by daemon/ once at start, passed down to
 * kinds by pointer. Members that a program has no use for are NULL there (a simulation has a
 * clock and timers only); a kind that needs one says so in its NEEDS and is refused at load.
 */

#include "loop/timer.h"

struct Loop;
struct HttpClient;
struct PoolSet;
struct UnitManager;
struct Spawner;
struct LedSet;
struct Environment;
struct GuardOperations;
struct RefineOperations;
struct MemberOperations;
struct StampStore;
struct Work;

typedef struct Services {
        Clock *clock;
        TimerQueue *timers;
        struct Loop *loop;
        struct HttpClient *http;
        struct Spawner *spawner;
        struct PoolSet *pools;
        struct UnitManager *units;
        struct LedSet *leds;
        const struct MemberOperations *members; /* of groups: the scheduler's */
        const struct GuardOperations *guards; /* of Enter= and Exit= */
        const struct RefineOperations *refine; /* of results, off the loop */
        struct Work *work; /* who does that */
        const struct Environment *environment;
        const char *credentials_directory; /* NULL: none */
        struct StampStore *stamps; /* NULL: schedules begin anew with each process */
} Services;
