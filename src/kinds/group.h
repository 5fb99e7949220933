/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What the configuration of groups (group-config.c), their runs (group.c), the steps of these (group-step.c) and
 * their ends (group-result.c) share.
 */

#include "job/key-need.h"
#include "job/member.h"
#include "job/run.h"
#include "job/spec.h"
#include "job/types.h"

#define GROUP_MEMBERS_MAX 1000000U          /* of one group: items times lines */
#define GROUP_RESULT_MAX (64U * 1024 * 1024) /* bytes of the results of all members together */
#define GROUP_ERRORS_SHOWN_MAX 1000U        /* errors that the details list; all are counted */

typedef enum GroupMode {
        GROUP_GATHER,
        GROUP_CHAIN,
        GROUP_TASKGROUP,
} GroupMode;

typedef enum GroupErrors {
        GROUP_RAISE,
        GROUP_KEEP,
} GroupErrors;

typedef struct GroupConfig {
        int mode;         /* GroupMode */
        int errors;       /* GroupErrors */
        CommandList runs; /* each line a job and its arguments */
        CommandList items;
        unsigned concurrency; /* 0: no limit */
} GroupConfig;

extern const ConfigSection group_section;
extern const KeyNeed group_needs[];
int group_load(JobSpec *spec, void *config, const ConfigItems *items, ConfigReport *report);

/* The items of For=: JSON values that point into DOCS. */
typedef struct GroupItems {
        JsonValue *items;
        size_t n, allocated;
        char **words;   /* that strings among the items are */
        size_t n_words;
        JsonDoc **docs; /* of words that were JSON arrays */
        size_t n_docs;
} GroupItems;

void group_items_deinit(GroupItems *items);

/*
 * Expands For= of RUN. A word is an item, a string; A..B stands for the whole numbers from A to B, a JSON
 * array for its elements. On an error the run has been ended as failed, and may be gone: -EBADMSG.
 */
int group_items_expand(Run *run, GroupItems *ret);

/* A line or chain on its way: group.c. */
typedef struct Track {
        Member member;
        char *text;     /* the result of the last step, or the error that ended it; NULL: null */
        size_t len;
        uint32_t step;  /* the one under way, or the next */
        uint32_t next_ready;
        bool failed;
        bool told; /* it ended because the group told it to: that is no error of its own */
} Track;

typedef struct GroupRun {
        Timer turn;
        Track *tracks;
        size_t n;         /* tracks */
        size_t n_begun;
        size_t n_active;  /* begun and not ended */
        size_t n_failed;  /* of those that were not told to end */
        size_t n_bytes;   /* of all texts */
        size_t n_cancelled;       /* tracks that were told to end, from the first */
        size_t first_failed;
        uint32_t ready_head, ready_tail; /* tracks whose next step is due */
        unsigned n_steps;
        bool advancing;
        bool ending;      /* nothing more is begun, what is under way is told to end */
        bool too_large;
        GroupItems items;
} GroupRun;

static inline const GroupConfig *group_config(const Run *run)
{
        return run_config(run);
}

/* What a line of Run= knows beside the parameters; ends with NULL. */
extern const char *const group_placeholders[];

/* What a step runs. Points into the run's definition, its parameters, the track and itself. */
typedef struct GroupStep {
        const char *job;
        const char *const *args;
        size_t n_args;
        const JsonValue *input; /* for a parameter named "input"; NULL: none, or the line names it itself */
        const char *few[8]; /* words of a line without placeholders: enough for most */
        const char **constant;
        char **expanded; /* words of one with them */
        JsonValue index;
        JsonDoc *doc;
} GroupStep;

/*
 * Fills STEP, all zeros, with the next one of TRACK, to be freed by group_step_deinit() also where it fails: its
 * job says then what can be said. Errors of command_line_expand().
 */
int group_step_make(Run *run, const GroupRun *g, const Track *track, GroupStep *step, char **ret_error);
void group_step_deinit(GroupStep *step);

/* What there is to tell of the members so far becomes the run's details. */
void group_set_details(Run *run, const GroupRun *g);
/* All members have ended: so does RUN, which may be gone afterwards. */
void group_end(Run *run, GroupRun *g);
