/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What the files of the model share. model.c has where a job stands, dues.c what is due, outlook.c what comes
 * next, decide.c what has to become of what is due, account.c compares that with what the scheduler tells.
 */

#include "model.h"

#define SEC INT64_C(1000000)
#define DAY (86400 * SEC)
#define NEVER INT64_MAX
#define UNKNOWN INT64_MIN
/* The scheduler counts no more than this one by one. */
#define COUNTED_MAX 10000U

/* What is due by TO and has not been told of. */
typedef struct Pending {
        size_t distinct; /* instants */
        size_t total;    /* … of each trigger */
        int64_t first, last, scheduled; /* the last one's */
        bool startup;    /* is the last one */
} Pending;

/* Enabled, and Count= leaves a run. */
bool in_force(const Model *m);
/* Takes what lies before now, but for what waits, as accounted for. */
void settle(Model *m);

/* --- dues.c --- */

/* Whether neither Exclude= nor Until= rules INSTANT (wall clock) out. */
bool allowed(const Model *m, int64_t instant);
/* The first boot time from DUE to LIMIT that is not excluded, day by day, minute by minute or second by second. NEVER. */
int64_t behind_excluded(const Model *m, int64_t due, int64_t limit);
/* What the wall clock has in FROM < t <= TO goes into DUES. */
void walk_wall(Model *m, int64_t from, int64_t to);
/* Boot times at which these are due; NEVER. */
int64_t after_due(Model *m);
int64_t startup_due(const Model *m);
void get_pending(Model *m, int64_t to, Pending *ret);
/* All that is due by TO is accounted for. RAN: by a run. */
void take_pending(Model *m, int64_t to, bool ran);

/* --- decide.c --- */

/* The first event of a decision tells whether what is first of several runs by itself. NULL: there was none. */
void learn_alone(Model *m, const Run *run);
