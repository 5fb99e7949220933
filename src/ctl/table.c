/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/table.h"

#include <langinfo.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/string-util.h"

#define COLUMN_GAP 2U
#define WIDTH_MAX 10000U /* what $COLUMNS may say */

typedef struct Cell {
        char *text;
        size_t width;
        Style style;
} Cell;

struct Table {
        const TableColumn *columns;
        size_t n_columns;
        Cell *cells;
        size_t n_cells;
        size_t allocated;
        size_t *order; /* NULL: as they were added */
        int error;
};

Table *table_new(const TableColumn *columns, size_t n)
{
        Table *table = new0(Table, 1);

        if (!table)
                return NULL;
        table->columns = columns;
        table->n_columns = n;
        return table;
}

Table *table_free(Table *table)
{
        if (!table)
                return NULL;
        for (size_t i = 0; i < table->n_cells; i++)
                free(table->cells[i].text);
        free(table->cells);
        free(table->order);
        free(table);
        return NULL;
}

static int add_cell(Table *table, Style style, const char *text)
{
        _cleanup_buffer_ Buffer clean = BUFFER_NULL;
        Cell *cell;
        int r;

        if (table->n_cells == table->allocated) {
                size_t n = MAX(table->allocated * 2, (size_t)64);
                Cell *cells = reallocarray(table->cells, n, sizeof(Cell));

                if (!cells)
                        return -ENOMEM;
                table->cells = cells;
                table->allocated = n;
        }
        if (!text || !*text)
                text = "-";
        r = text_append_clean(&clean, text, strlen(text), false);
        if (r < 0)
                return r;
        cell = &table->cells[table->n_cells];
        *cell = (Cell){ .text = buffer_steal(&clean), .style = style };
        if (!cell->text)
                return -ENOMEM;
        cell->width = text_width(cell->text);
        table->n_cells++;
        return 0;
}

void table_add(Table *table, Style style, const char *text)
{
        int r = table->error < 0 ? 0 : add_cell(table, style, text);

        if (r < 0)
                table->error = r;
}

void table_addf(Table *table, Style style, const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0) {
                text = NULL;
                table->error = -ENOMEM;
                return;
        }
        table_add(table, style, text);
}

size_t table_rows(const Table *table)
{
        return table->n_cells / table->n_columns;
}

int table_prefix(Table *table, size_t row, size_t column, const char *prefix)
{
        Cell *cell = &table->cells[row * table->n_columns + column];
        char *text = xasprintf("%s%s", prefix, cell->text);

        if (!text)
                return -ENOMEM;
        free(cell->text);
        cell->text = text;
        cell->width = text_width(text);
        return 0;
}

void table_set_order(Table *table, size_t *order)
{
        free(table->order);
        table->order = order;
}

/* Takes the columns that are too many from the widest that may be cut, one by one. */
static void shrink(const Table *table, size_t *widths, size_t available)
{
        size_t total = (table->n_columns - 1) * COLUMN_GAP;

        for (size_t c = 0; c < table->n_columns; c++)
                total += widths[c];
        while (total > available) {
                size_t widest = SIZE_MAX;

                for (size_t c = 0; c < table->n_columns; c++)
                        if (table->columns[c].min_width > 0 && widths[c] > table->columns[c].min_width &&
                            (widest == SIZE_MAX || widths[c] >= widths[widest]))
                                widest = c;
                if (widest == SIZE_MAX)
                        return;
                widths[widest]--;
                total--;
        }
}

static const char *ellipsis(void)
{
        return streq(nl_langinfo(CODESET), "UTF-8") ? "…" : "~";
}

static void print_cell(const Table *table, size_t c, const Cell *cell, size_t width, bool colour, FILE *file)
{
        size_t fill = cell->width < width ? width - cell->width : 0;
        bool last = c + 1 == table->n_columns;

        if (c > 0)
                fprintf(file, "%*s", (int)COLUMN_GAP, "");
        if (table->columns[c].right)
                fprintf(file, "%*s", (int)fill, "");
        fputs(style_begin(cell->style, colour), file);
        if (cell->width > width) {
                fwrite(cell->text, 1, text_fit(cell->text, width - 1), file);
                fputs(ellipsis(), file);
        } else {
                fputs(cell->text, file);
        }
        fputs(style_end(cell->style, colour), file);
        if (!table->columns[c].right && !last)
                fprintf(file, "%*s", (int)fill, "");
}

/* Bytes of TEXT that a line of WIDTH columns takes, to the end of a word where one ends there. */
static size_t line_length(const char *text, size_t width)
{
        size_t n = text_fit(text, width);

        if (text[n])
                for (size_t k = n; k > 0; k--)
                        if (text[k] == ' ')
                                return k;
        return n;
}

/* The last cell of a row, over as many lines as it takes. */
static void print_wrapped(const Cell *cell, size_t indent, size_t width, bool colour, FILE *file)
{
        const char *text = cell->text;

        fprintf(file, "%*s", (int)COLUMN_GAP, "");
        fputs(style_begin(cell->style, colour), file);
        while (*text) {
                size_t n = line_length(text, width);

                if (text != cell->text)
                        fprintf(file, "\n%*s", (int)indent, "");
                /* A character that is wider than all there is. */
                n = n > 0 ? n : strlen(text);
                fwrite(text, 1, n, file);
                text += n + (text[n] == ' ');
        }
        fputs(style_end(cell->style, colour), file);
}

static void print_row(const Table *table, const Cell *cells, const size_t *widths, bool colour, FILE *file)
{
        size_t last = table->n_columns - 1, indent = 0;

        for (size_t c = 0; c <= last; c++) {
                if (table->columns[c].wrap && c == last && c > 0 && cells[c].width > widths[c])
                        print_wrapped(&cells[c], indent, widths[c], colour, file);
                else
                        print_cell(table, c, &cells[c], widths[c], colour, file);
                indent += widths[c] + COLUMN_GAP;
        }
        fputc('\n', file);
}

int table_print(Table *table, size_t width, bool header, bool colour, FILE *file)
{
        _cleanup_free_ size_t *widths = new0(size_t, table->n_columns);
        size_t rows = table_rows(table);

        if (table->error < 0)
                return table->error;
        if (!widths)
                return -ENOMEM;
        for (size_t c = 0; c < table->n_columns; c++) {
                widths[c] = header ? text_width(table->columns[c].title) : 0;
                for (size_t r = 0; r < rows; r++)
                        widths[c] = MAX(widths[c], table->cells[r * table->n_columns + c].width);
        }
        if (width > 0)
                shrink(table, widths, width);

        for (size_t c = 0; header && c < table->n_columns; c++) {
                Cell title = { (char *)table->columns[c].title, text_width(table->columns[c].title), STYLE_BOLD };

                print_cell(table, c, &title, widths[c], colour, file);
        }
        if (header)
                fputc('\n', file);
        for (size_t r = 0; r < rows; r++)
                print_row(table, &table->cells[(table->order ? table->order[r] : r) * table->n_columns], widths, colour, file);
        return 0;
}

size_t terminal_width(void)
{
        const char *columns = getenv("COLUMNS");
        struct winsize size;
        uint64_t n;

        if (!isatty(STDOUT_FILENO))
                return 0;
        if (columns && parse_uint64(columns, &n) >= 0 && n > 0 && n <= WIDTH_MAX)
                return (size_t)n;
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
                return size.ws_col;
        return 80;
}
