/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The verbs and options of taktctl as tables. Help, completions and the tests that compare them
 * with the manual are made from these.
 */

#include "ctl/ctl.h"

/* Options that only some verbs take; the others are for all. */
enum {
        OPTION_CRON = 1 << 0,
        OPTION_EVENT = 1 << 1,
        OPTION_FOLLOW = 1 << 2,
        OPTION_FORCE = 1 << 3,
        OPTION_FROM = 1 << 4,
        OPTION_LINES = 1 << 5,
        OPTION_NAMES = 1 << 6,
        OPTION_PARAM = 1 << 7,
        OPTION_SINCE = 1 << 8,
        OPTION_STATE = 1 << 9,
        OPTION_TIMEOUT = 1 << 10,
        OPTION_WAIT = 1 << 11,
        OPTION_NO_LINES = 1 << 12, /* -n may be 0 */
        OPTION_JOB_ARGS = 1 << 13, /* behind its first argument, options that are not its own are arguments as well */
        OPTION_ANY = 1 << 14,
        OPTION_GROUP = 1 << 15,
        OPTION_RUN = 1 << 16,
        OPTION_SEND = 1 << 17, /* --throw, --signal and --close */
        OPTION_SIMULATE = 1 << 18,
        OPTION_FAILED = 1 << 19,
        OPTION_AGAIN = 1 << 20,
        OPTION_STRICT = 1 << 21,
        OPTION_ONE_NAME = 1 << 22, /* its first argument is one job or run, and no pattern */
};

#define ARGS_UNLIMITED UINT32_MAX

struct Verb {
        const char *name;
        const char *args; /* as the usage shows them */
        unsigned min_args;
        unsigned max_args;
        unsigned options; /* OPTION_… that it takes */
        int (*run)(Ctl *ctl, char **args, size_t n);
        const char *summary; /* one line */
        const char *details; /* lines for its own help, NULL for none */
        int (*usage)(Ctl *ctl, char **args, size_t n); /* what --help does behind arguments; NULL: as without */
};

/* In the order of the help, ended by a NULL name. */
extern const Verb verbs[];

/* NULL where there is none. */
const Verb *verb_find(const char *name);
/* The verb whose name is nearest to NAME; NULL where none is near. */
const char *verb_nearest(const char *name);

typedef enum OptionType {
        OPTION_FLAG,   /* bool */
        OPTION_SCOPE,  /* EnvironmentScope: the row's value */
        OPTION_STRING, /* const char * */
        OPTION_WORDS,  /* Words: may be given again */
        OPTION_LIST,   /* the same, and several with commas between them */
        OPTION_COUNT,  /* unsigned; 0 for OPTION_NO_LINES only */
        OPTION_SPAN,   /* usec_t */
} OptionType;

typedef struct Option {
        char letter; /* 0: none */
        const char *name;
        const char *metavar; /* NULL: takes no value */
        unsigned verbs;      /* 0: for all verbs, else the OPTION_… bit */
        OptionType type;
        int value;
        size_t offset; /* in CtlOptions */
        const char *help;
} Option;

/* In the order of the help, ended by a NULL name. */
extern const Option options[];

/*
 * Reads the command line into CTL: its verb (the table's first, where none is said) and options.
 * ARGS, an array of ARGC pointers, gets the arguments of the verb. 0, or an exit status after it
 * told the user.
 */
int options_parse(Ctl *ctl, int argc, char **argv, char **args, size_t *ret_n);
void options_deinit(CtlOptions *options);

/* Prints the help of VERB, or of the whole for NULL. Lines have at most 80 columns. */
void help_print(const Verb *verb);

/* The verbs' functions, each family in a file of its own. */
int verb_calendar(Ctl *ctl, char **args, size_t n);
int verb_cancel(Ctl *ctl, char **args, size_t n);
int verb_cat(Ctl *ctl, char **args, size_t n);
int verb_env(Ctl *ctl, char **args, size_t n);
int verb_gather(Ctl *ctl, char **args, size_t n);
int verb_info(Ctl *ctl, char **args, size_t n);
int verb_list(Ctl *ctl, char **args, size_t n);
int verb_logs(Ctl *ctl, char **args, size_t n);
int verb_next(Ctl *ctl, char **args, size_t n);
int verb_path(Ctl *ctl, char **args, size_t n);
int verb_pause(Ctl *ctl, char **args, size_t n);
int verb_ping(Ctl *ctl, char **args, size_t n);
int verb_reload(Ctl *ctl, char **args, size_t n);
int verb_result(Ctl *ctl, char **args, size_t n);
int verb_resume(Ctl *ctl, char **args, size_t n);
int verb_run(Ctl *ctl, char **args, size_t n);
int verb_run_usage(Ctl *ctl, char **args, size_t n);
int verb_runs(Ctl *ctl, char **args, size_t n);
int verb_send(Ctl *ctl, char **args, size_t n);
int verb_show(Ctl *ctl, char **args, size_t n);
int verb_simulate(Ctl *ctl, char **args, size_t n);
int verb_status(Ctl *ctl, char **args, size_t n);
int verb_validate(Ctl *ctl, char **args, size_t n);
int verb_verify(Ctl *ctl, char **args, size_t n);
int verb_wait(Ctl *ctl, char **args, size_t n);
int verb_watch(Ctl *ctl, char **args, size_t n);
int verb_why(Ctl *ctl, char **args, size_t n);
