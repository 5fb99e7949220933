/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What the files of api/ share. */

#include "api/api.h"
#include "sched/outlook.h"

/* An answer that goes over many jobs or runs lets the loop go on after this; so many are looked at between two looks at the clock. */
#define API_TURN_USEC (2 * USEC_PER_MSEC)
#define API_TURN_CLOCK_EVERY 16U

#define API_RUNS_MAX 100000U /* that one call names by their ids */

struct WaitSlot;
RB_HEAD(WaitTree, WaitSlot);

struct Api {
        ApiContext context;
        EventObserver observer;
        List watches; /* Watch calls */
        List waits;   /* Start and Wait calls */
        List walks;   /* calls about all jobs that match */
        struct WaitTree wait_slots; /* by the runs that they wait for */
        size_t n_watches;
};

extern const VarlinkMethod api_manager_methods[];
extern const VarlinkMethod api_jobs_methods[];
extern const VarlinkMethod api_runs_methods[];

/* Generated from the .varlink files. */
extern const char api_manager_text[], api_jobs_text[], api_runs_text[];

/* job-filter.c: names of jobs, and patterns of fnmatch(3). */
typedef struct JobFilter {
        const char **patterns; /* sorted; the strings are JSON's */
        size_t n;              /* 0: all jobs */
        size_t prefix;         /* bytes with which all names begin that match */
        bool only_names;
        bool (*fits)(const Job *job); /* of others, a name is as unknown as if they were not there; NULL: all fit */
} JobFilter;

/* JOBS is an array of strings, checked against the interface, or NULL or null; FILTER lives no longer. -ENOMEM. */
int job_filter_init(JobFilter *filter, const JsonValue *jobs);
void job_filter_deinit(JobFilter *filter);
bool job_filter_matches(const JobFilter *filter, const char *name);
/* The first job with a name behind AFTER that may match; NULL: no other does. */
Job *job_filter_next(const JobFilter *filter, Scheduler *scheduler, const char *after);
/* Whether the store has runs of JOB, be it there or not. */
bool job_has_stored_runs(Store *store, const char *job);
/* Whether pattern I is a name that is no job's; with STORE, one whose job is gone is known as long as its runs are. */
bool job_filter_is_unknown(const JobFilter *filter, size_t i, Scheduler *scheduler, Store *store);

/* unknown.c: what a call names and is not there. */
typedef struct ApiUnknown {
        const char **jobs; /* the filter's strings */
        size_t n_jobs;
        uint64_t *runs;
        size_t n_runs;
        uint64_t *forgotten; /* of these, the runs that there once were */
        size_t n_forgotten;
} ApiUnknown;

/* -ENOMEM. A job that was added last is not added again. */
int api_unknown_add_job(ApiUnknown *unknown, const char *job);
/* Adds the names in FILTER that are unknown, as job_filter_is_unknown() has it. How many of its patterns that are; -ENOMEM. */
ssize_t api_unknown_find_jobs(ApiUnknown *unknown, const JobFilter *filter, Scheduler *scheduler, Store *store);
int api_unknown_add_run(ApiUnknown *unknown, const Scheduler *scheduler, uint64_t run);
/*
 * Adds the members "unknown", "unknownRuns" and "forgottenRuns" to the open object, those of them that have
 * something to tell.
 */
void api_unknown_write(const ApiUnknown *unknown, JsonWriter *w);
/* Answers CALL, which named nothing but UNKNOWN: with NoSuchRun where that has runs, else with NoSuchJob. */
int api_unknown_error(const ApiUnknown *unknown, VarlinkCall *call);
void api_unknown_deinit(ApiUnknown *unknown);

/* walk.c: answers with an array of what is told of many jobs or runs, in turns of the loop. */
typedef struct ApiWalk ApiWalk;
/* Looks at the next one, and writes to walk->writer; false: there is none. */
typedef bool (*ApiWalkNext)(ApiWalk *walk);
/* Must not remove jobs. */
typedef void (*ApiJobVisit)(Api *api, const VarlinkCall *call, Job *job, JsonWriter *w);

struct ApiWalk {
        Api *api;
        List link;
        VarlinkCall *call;
        ApiWalkNext visit_next;
        const char *key, *too_many; /* of the array; the error where it is too long for one reply */
        JsonDoc *parameters;        /* what the filter points into */
        JobFilter filter;           /* of their "jobs" */
        Deferred step;
        Buffer text; /* an array, not ended */
        JsonWriter writer;
        ApiJobVisit visit_job;
        ApiUnknown unknown; /* of what was named */
        size_t n_missing;   /* with those that were named twice */
        /* How far it has come. */
        size_t n_checked;   /* of these */
        char after_job[JOB_NAME_MAX + 1];
        uint64_t after_run, last_run;
        uint32_t index;
};

/*
 * A walk that answers CALL with KEY, an array, in pieces where the caller asked for more; the error TOO_MANY where it
 * did not, and there is too much to say. Its last answer tells what of the names in "jobs" is unknown; it is an error
 * where nothing else was named. It goes its ways with api_walk_begin(). -ENOMEM.
 */
int api_walk_new(Api *api, VarlinkCall *call, const JsonValue *parameters, const char *key, const char *too_many, ApiWalk **ret);
void api_walk_begin(ApiWalk *walk, ApiWalkNext visit_next);
/* All of that with VISIT for each job that "jobs" matches and that FITS (NULL: all do). */
int api_walk_jobs(Api *api, VarlinkCall *call, const JsonValue *parameters, const char *key, bool (*fits)(const Job *job), ApiJobVisit visit);
void api_walks_stop(Api *api);

/* outlook.c: what is to come */
int api_jobs_next(VarlinkCall *call, const JsonValue *parameters, void *userdata);
/* What shifts O, in words; nothing where nothing does. -ENOMEM. */
int api_outlook_note(const JobOutlook *o, Buffer *out);
/* Adds an Occurrence of io.takt.Jobs. */
void api_write_occurrence(const Job *job, const JobOutlook *o, JsonWriter *w);
/* Adds the keys "held" and "end" to the open object, where they have something to tell. */
void api_write_end(const Job *job, OutlookEnd end, JsonWriter *w);
/* Why JOB has no time left, in words, with what starts it all the same. -ENOMEM. */
int api_end_note(const Job *job, OutlookEnd end, Buffer *out);
/* Adds the keys "catchUps" and "catchUpNext" where missed times wait to be caught up on. */
void api_write_catch_ups(const Job *job, JsonWriter *w);

/* explain.c: what was decided, and why */
int api_jobs_explain(VarlinkCall *call, const JsonValue *parameters, void *userdata);

/* waits.c: runs that somebody waits for. */
void api_waits_notify(Api *api, const Event *event);
void api_waits_stop(Api *api);
int api_runs_start(VarlinkCall *call, const JsonValue *parameters, void *userdata);
/* Answers the call that started run ID, and goes on to do so at each change of its state where it wants more. */
int api_reply_started(Api *api, VarlinkCall *call, uint64_t id);
int api_runs_wait(VarlinkCall *call, const JsonValue *parameters, void *userdata);

/* again.c: the job and the parameters of a run, under way or ended. */
typedef struct ApiAgain {
        char *job;
        JsonDoc *params;
        int error;
} ApiAgain;

/* 1; 0 where there is no such run; -ENOMEM. RET is to be zeroed, and freed whatever comes of it. */
int api_again_find(Api *api, uint64_t run, ApiAgain *ret);
void api_again_deinit(ApiAgain *again);

/* gather.c: groups that no file defines. */
int api_runs_gather(VarlinkCall *call, const JsonValue *parameters, void *userdata);
/* cancel.c: the end of many runs. */
int api_runs_cancel(VarlinkCall *call, const JsonValue *parameters, void *userdata);
/* send.c: input of runs under way. */
int api_runs_send(VarlinkCall *call, const JsonValue *parameters, void *userdata);

/* watch.c: the stream of events. */
void api_watches_notify(Api *api, const Event *event);
void api_watches_stop(Api *api);
int api_runs_watch(VarlinkCall *call, const JsonValue *parameters, void *userdata);

/*
 * jobs.c: writes the member "usage": how taktctl runs the job or, where AGAIN is not 0, that run of it again,
 * which had EARLIER. -ENOMEM.
 */
int api_write_usage(const Job *job, uint64_t again, const JsonValue *earlier, JsonWriter *w);

/* common.c */

/* The strings of an array parameter, which is absent or checked against the interface. Lives as long as PARAMETERS. */
int api_strings(const JsonValue *array, const char ***ret, size_t *ret_n);
/* A copy of a call's parameters, for who needs them longer than the call lets. */
int api_copy_parameters(const JsonValue *parameters, JsonDoc **ret);

/* Who makes CALL. */
Requester api_requester(const VarlinkCall *call);

/* Ends CALL with the service's error for R, or with its connection: nobody waits for an answer that does not come. */
void api_fail(VarlinkCall *call, int r);
/*
 * The parameter NAME, which is checked against the interface, is a run's id or an array of them. 1: none is
 * negative; else CALL is answered with InvalidParameter, which names the parameter or its item, and what that
 * answer returned.
 */
int api_check_run_ids(VarlinkCall *call, const JsonValue *parameters, const char *name);
int api_no_such_job(VarlinkCall *call, const char *job);
int api_no_such_run(Api *api, VarlinkCall *call, uint64_t run);

/* The run with this id, under way or ended, written as a value: 1; 0 where there is none. */
typedef struct ApiRunText {
        Buffer text; /* JSON */
        RunState state;
} ApiRunText;
int api_find_run(Api *api, uint64_t id, bool omit_result, ApiRunText *ret);
