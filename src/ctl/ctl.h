/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * taktctl: what its verbs share. A verb is one function of verbs.c's table; it tells the user what
 * went wrong itself and returns the exit status.
 */

#include "base/buffer.h"
#include "base/clock.h"
#include "config/environment.h"
#include "json/json.h"
#include "json/writer.h"
#include "varlink/client.h"
#include "when/zone.h"

typedef struct Ctl Ctl;
typedef struct Verb Verb;

/* Exit statuses; scripts rely on them. */
enum {
        STATUS_OK = 0,
        STATUS_FAILED = 1,        /* the run or check failed, or the daemon could not do it */
        STATUS_USAGE = 2,         /* wrong usage or unusable input */
        STATUS_NOT_FOUND = 3,     /* no such job or run */
        STATUS_NO_DAEMON = 4,
        STATUS_NOT_PERMITTED = 5,
};

/*
 * What is said of a run that is not there and, as far as the daemon knows, never was. RUN is a literal, with
 * what stands for its id.
 */
#define NO_RUN_TEXT(run) "no run " run " is known; see: taktctl runs"

/* Words of the command line; they belong to it. */
typedef struct Words {
        const char **words;
        size_t n;
} Words;

/* What the options say. */
typedef struct CtlOptions {
        const char *env;
        EnvironmentScope scope;
        const char *time_zone;
        const char *from;
        const char *since;
        const char *run;
        const char *signal;
        const char *throw;
        const char *until;
        const char *seed;
        usec_t timeout; /* USEC_INFINITY: none */
        unsigned lines; /* 0: not said, or none */
        bool no_lines;  /* -n 0 */
        Words states;
        Words events;
        Words params;
        Words durations;
        Words items;
        const char *mode;
        const char *errors;
        unsigned concurrency; /* 0: not said */
        bool again;
        bool all;
        bool any;
        bool close;
        bool cron;
        bool failed;
        bool strict;
        bool list;
        bool follow;
        bool json;
        bool quiet;
        bool no_pager;
        bool wait;
        bool names;
        bool force;
        bool help;
        bool version;
} CtlOptions;

/* What was named and is not there; the names are copies. */
typedef struct UnknownRun {
        int64_t run;
        bool forgotten; /* there once was one */
} UnknownRun;

typedef struct Unknown {
        char **jobs;
        size_t n_jobs;
        UnknownRun *runs;
        size_t n_runs;
        unsigned n_suggested; /* for how many of the names another one was looked for */
        bool any;             /* there was something, so that the exit status is STATUS_NOT_FOUND */
} Unknown;

struct Ctl {
        char **argv;
        const Verb *verb;
        CtlOptions options;
        Environment *environment; /* NULL until it is needed */
        VarlinkClient *client;    /* so too */
        Unknown unknown;          /* of which nobody was told yet */
        Zone *zone;               /* that times are shown in; loaded by main() */
        bool colour;
        bool terminal; /* standard output is one, before a pager takes its place */
        size_t width;  /* its columns; 0: no limit */
};

/* --- saying what is wrong --- */

/* "taktctl: MESSAGE" on standard error. Returns STATUS. */
int ctl_error(int status, const char *format, ...) _printf_(2, 3);
/* For want of memory. */
int ctl_oom(void);

/* Whether each of WORDS, values of --OPTION, is one of KNOWN, which ends with NULL. 0, or an exit status after it told the user. */
int ctl_check_words(const Words *words, const char *option, const char *const *known);

/* --- calling the daemon; each returns 0, or an exit status after it told the user --- */

/* Says that no job matches, where only patterns were given and that is so. It is no error: 0. */
int ctl_tell_none(const Ctl *ctl);

int ctl_resolve(Ctl *ctl);
int ctl_connect(Ctl *ctl);
/* PARAMETERS is JSON text or NULL. An error reply is told to the user. */
int ctl_call(Ctl *ctl, const char *method, const char *parameters, VarlinkReply *ret);
/* Sends a call, so that several are under way. */
int ctl_send(Ctl *ctl, const char *method, const char *parameters, unsigned flags);
/* The next reply, after at most TIMEOUT. */
int ctl_receive(Ctl *ctl, usec_t timeout, VarlinkReply *ret);
/* As above, but for -ETIMEDOUT, which it leaves to the caller to tell. */
int ctl_receive_within(Ctl *ctl, usec_t timeout, VarlinkReply *ret);
/* Tells of the error in REPLY; STATUS_OK where there is none. What was named and is not there is kept for later. */
int ctl_reply_status(Ctl *ctl, const VarlinkReply *reply);
/* Keeps what the parameters of an answer or error say is not there. 0, or an exit status. */
int ctl_note_unknown(Ctl *ctl, const JsonValue *parameters);
/* Keeps the name of a job that is not there, once where it comes again at once. 0, or an exit status. */
int ctl_note_unknown_job(Ctl *ctl, const char *job);
/*
 * Tells of what is not there, a line each on standard error. Done at the end, below what is there and behind the pager;
 * who waits for long does so before.
 */
void ctl_tell_unknown(Ctl *ctl);
/* Of R, where some of what was asked for is there: 0 for STATUS_NOT_FOUND, with which taktctl then ends. */
int ctl_go_on(Ctl *ctl, int r);

/* FILE:LINE:COLUMN: MESSAGE of each io.takt.Manager.Problem of a list, on standard error. */
void ctl_print_problems(const JsonValue *problems);

/* How long the daemon may take for an answer that it gives at once. */
#define CTL_TIMEOUT (60 * USEC_PER_SEC)

/* Called for each item of a list; not 0 ends it. */
typedef int (*CtlEach)(Ctl *ctl, const JsonValue *item, void *userdata);
/* Calls METHOD with `more` and hands over each item of the arrays KEY of its replies. */
int ctl_each(Ctl *ctl, const char *method, const char *parameters, const char *key, CtlEach each, void *userdata);

/* --- parameters of calls --- */

typedef struct Params {
        Buffer text;
        JsonWriter writer;
} Params;

#define PARAMS_NULL ((Params){})
#define _cleanup_params_ _cleanup_(params_deinit)
void params_init(Params *params);
void params_deinit(Params *params);
void params_string(Params *params, const char *key, const char *value);
void params_int(Params *params, const char *key, int64_t value);
/* Leaves the key out where N is 0. */
void params_strings(Params *params, const char *key, const char *const *values, size_t n);
/* Ends the object. 0, or an exit status after it told the user. */
int params_end(Params *params, const char **ret);

/* --- printing --- */

/* VALUE on standard output, followed by a line break: indented on a terminal, else on one line. */
int ctl_print_json(const Ctl *ctl, const JsonValue *value);

/* Prints values as one JSON array, with one of them a line. */
typedef struct JsonArray {
        size_t n;
} JsonArray;

int json_array_add(JsonArray *array, const JsonValue *value);
void json_array_end(JsonArray *array);

/* Opens the pager for what is printed from now on, where that is for people. */
void ctl_pager(const Ctl *ctl);

/* Flushes standard output. 0, or an exit status after it told the user that not all could be written. */
int ctl_flush(void);

/* --- looking into replies --- */

/* Text of the member, or what stands for it where it is missing or null. */
const char *json_get_string(const JsonValue *object, const char *key, const char *otherwise);
int64_t json_get_int(const JsonValue *object, const char *key, int64_t otherwise);
bool json_get_bool(const JsonValue *object, const char *key);
/* A member that is a point in time; USEC_INFINITY where there is none. */
usec_t json_get_time(const JsonValue *object, const char *key);
/* As above, of an item of a list. */
usec_t json_item_time(const JsonValue *value);
/* A member that is a span of time; USEC_INFINITY where there is none. */
usec_t json_get_span(const JsonValue *object, const char *key);
