/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What io.takt.Jobs.Explain tells, gathered in whatever order it is found and told in the order of time. */

#include "api/api.h"

typedef struct Decision {
        usec_t realtime;
        uint64_t run;     /* 0: it is about the job */
        uint64_t rank;    /* what comes first of the same instant: the lower */
        size_t nth;       /* and then what was found first */
        const char *what; /* one of the words of the interface */
        char *message;
        Requester by;
} Decision;

/* Ranks of what is about the job; those of runs are their ids. */
#define DECISION_BEFORE 0U
#define DECISION_AFTER UINT64_MAX

typedef struct Decisions {
        Decision *items;
        size_t n, n_allocated;
        usec_t now_realtime, now_boottime; /* of what just is so */
        int error; /* the first one */
} Decisions;

void decisions_deinit(Decisions *decisions);

/* Adds one of a run or, by its rank, of the job. BY may be NULL. */
void decide_by(Decisions *d, usec_t realtime, uint64_t run, const char *what, const Requester *by, const char *format, ...) _printf_(6, 7);
#define decide(d, realtime, run, what, ...) decide_by(d, realtime, run, what, NULL, __VA_ARGS__)
/* Of the job as it stands. */
#define decide_now(d, what, ...) decide_by(d, (d)->now_realtime, DECISION_AFTER, what, NULL, __VA_ARGS__)

/* Writes an array of Decision objects. An error is the writer's. */
void decisions_write(Decisions *d, JsonWriter *w);

/* explain-run.c: all about a run, under way or ended. */
void explain_run(Api *api, const RunRecord *record, Decisions *d);
/* Calls EACH with run ID, under way or ended. Whether there is one. */
bool explain_with_run(Api *api, uint64_t id, void (*each)(Api *api, const RunRecord *record, void *userdata), void *userdata);
