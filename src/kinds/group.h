/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What the configuration of groups (group-config.c) and their runs (group.c) share. */

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
