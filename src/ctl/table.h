/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Tables that fit the terminal. Errors stick: fill all of it, then print. */

#include <stdio.h>

#include "ctl/text.h"

typedef struct Table Table;

typedef struct TableColumn {
        const char *title;
        bool right;        /* aligned so */
        unsigned min_width; /* may be cut down to this many columns, 0: never */
        bool wrap;          /* the last one: what is cut off goes on below it */
} TableColumn;

/* COLUMNS is borrowed. NULL: no memory. */
Table *table_new(const TableColumn *columns, size_t n);
Table *table_free(Table *table);
DEFINE_CLEANUP(Table *, table_free);

/* The next cell of the row, then of the next row; TEXT is made harmless, NULL and "" are "-". */
void table_add(Table *table, Style style, const char *text);
void table_addf(Table *table, Style style, const char *format, ...) _printf_(3, 4);
size_t table_rows(const Table *table);

/* Puts PREFIX before the text of a cell. -ENOMEM. */
int table_prefix(Table *table, size_t row, size_t column, const char *prefix);
/* The rows are printed in this ORDER, an array of their numbers that is taken over. */
void table_set_order(Table *table, size_t *order);

/*
 * Prints it WIDTH columns wide at most (0: as wide as it is) by cutting down columns that have a
 * minimum; where that is not enough, lines are longer. -ENOMEM where a cell could not be added.
 */
int table_print(Table *table, size_t width, bool header, bool colour, FILE *file);

/* The width of the terminal that standard output is, $COLUMNS first; 0 where it is none. */
size_t terminal_width(void);
