/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/run-tree.h"

#include <langinfo.h>
#include <stdlib.h>

#include "base/string-util.h"

#define JOB_COLUMN 1
/* Groups nest less deep; what a daemon says beyond that is shown side by side. */
#define DEPTH_MAX 32U

typedef struct RunTreeRow {
        int64_t id;
        int64_t parent; /* 0: none, or not in the table */
        size_t row;     /* as it came */
} RunTreeRow;

typedef struct Arrangement {
        const RunTreeRow *rows; /* by parent, then by id */
        size_t n;
        Table *table;
        size_t *order;
        size_t n_ordered;
        bool plain; /* no line drawing */
} Arrangement;

void run_tree_deinit(RunTree *tree)
{
        free(tree->rows);
        *tree = RUN_TREE_NULL;
}

int run_tree_add(Ctl *ctl, RunTree *tree, Table *table, const JsonValue *run)
{
        RunTreeRow *rows = reallocarray(tree->rows, tree->n + 1, sizeof(*rows));

        if (!rows)
                return ctl_oom();
        tree->rows = rows;
        rows[tree->n] = (RunTreeRow){
                .id = json_get_int(run, "run", 0),
                .parent = json_get_int(run, "parent", 0),
                .row = tree->n,
        };
        tree->n++;
        return run_add_row(ctl, table, run) < 0 ? ctl_oom() : 0;
}

static int compare_ids(const void *a, const void *b)
{
        const RunTreeRow *x = a, *y = b;

        return x->id < y->id ? -1 : x->id > y->id;
}

static int compare_parents(const void *a, const void *b)
{
        const RunTreeRow *x = a, *y = b;

        if (x->parent != y->parent)
                return x->parent < y->parent ? -1 : 1;
        return compare_ids(a, b);
}

/* The first row whose parent is PARENT or more. */
static size_t first_child(const Arrangement *a, int64_t parent)
{
        size_t low = 0, high = a->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (a->rows[middle].parent < parent)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

/* INDENT is what stands before the branches of PARENT's children. */
static int place_children(Arrangement *a, int64_t parent, const char *indent, unsigned depth)
{
        for (size_t i = first_child(a, parent); i < a->n && a->rows[i].parent == parent; i++) {
                bool last = i + 1 == a->n || a->rows[i + 1].parent != parent;
                _cleanup_free_ char *branch = NULL, *deeper = NULL;
                int r;

                branch = xasprintf("%s%s", indent, a->plain ? (last ? "`-" : "|-") : last ? "└─" : "├─");
                deeper = xasprintf("%s%s", indent, last ? "  " : a->plain ? "| " : "│ ");
                if (!branch || !deeper)
                        return -ENOMEM;
                a->order[a->n_ordered++] = a->rows[i].row;
                r = table_prefix(a->table, a->rows[i].row, JOB_COLUMN, branch);
                if (r >= 0)
                        r = place_children(a, a->rows[i].id, depth < DEPTH_MAX ? deeper : indent, depth + 1);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* A run that is in no group here: it stays where it came. */
static bool is_root(const RunTreeRow *row)
{
        return row->parent == 0;
}

static int arrange(Arrangement *a, const RunTreeRow *as_they_came)
{
        int r = 0;

        for (size_t i = 0; i < a->n && r >= 0; i++)
                if (is_root(&as_they_came[i])) {
                        a->order[a->n_ordered++] = as_they_came[i].row;
                        r = place_children(a, as_they_came[i].id, "", 0);
                }
        return r;
}

int run_tree_arrange(const RunTree *tree, Table *table)
{
        _cleanup_free_ RunTreeRow *came = NULL, *sorted = NULL;
        _cleanup_free_ size_t *order = NULL;
        Arrangement a = { .n = tree->n, .table = table, .plain = !streq(nl_langinfo(CODESET), "UTF-8") };
        int r;

        if (tree->n == 0)
                return 0;
        came = new0(RunTreeRow, tree->n);
        sorted = new0(RunTreeRow, tree->n);
        order = new0(size_t, tree->n);
        if (!came || !sorted || !order)
                return -ENOMEM;
        memcpy(came, tree->rows, tree->n * sizeof(*came));
        memcpy(sorted, tree->rows, tree->n * sizeof(*sorted));
        /* A parent began before its members: nothing else is taken for one, so that there are no circles. */
        qsort(sorted, tree->n, sizeof(*sorted), compare_ids);
        for (size_t i = 0; i < tree->n; i++)
                if (came[i].parent >= came[i].id ||
                    !bsearch(&(RunTreeRow){ .id = came[i].parent }, sorted, tree->n, sizeof(*sorted), compare_ids))
                        came[i].parent = 0;
        memcpy(sorted, came, tree->n * sizeof(*sorted));
        qsort(sorted, tree->n, sizeof(*sorted), compare_parents);
        a.rows = sorted;
        a.order = order;
        r = arrange(&a, came);
        if (r < 0)
                return r;
        table_set_order(table, TAKE_PTR(order));
        return 0;
}
