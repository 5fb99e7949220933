/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Runs of groups in a table: members under the run whose they are. */

#include "ctl/run-text.h"

typedef struct RunTree {
        struct RunTreeRow *rows; /* one a row of the table */
        size_t n;
} RunTree;

#define RUN_TREE_NULL ((RunTree){})
void run_tree_deinit(RunTree *tree);

/* Adds RUN as a row of TABLE, which has run_columns. 0 or an exit status. */
int run_tree_add(Ctl *ctl, RunTree *tree, Table *table, const JsonValue *run);
/* Puts the rows in order: the runs as they came, members behind their group with a branch before their name. */
int run_tree_arrange(const RunTree *tree, Table *table);
