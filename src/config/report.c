/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/report.h"

#include <stdarg.h>

void config_report_deinit(ConfigReport *report)
{
        for (size_t i = 0; i < report->n; i++) {
                free(report->problems[i].file);
                free(report->problems[i].message);
        }
        free(report->problems);
        *report = CONFIG_REPORT_NULL;
}

/* A value of a megabyte is no help in a message about it. */
static void shorten(Buffer *message)
{
        static const char ellipsis[] = "…";
        size_t half = (CONFIG_MESSAGE_MAX_BYTES - strlen(ellipsis)) / 2, head = half, tail;

        if (message->len <= CONFIG_MESSAGE_MAX_BYTES)
                return;
        tail = message->len - half;
        while (head > 0 && ((unsigned char)message->data[head] & 0xc0) == 0x80)
                head--;
        while (tail < message->len && ((unsigned char)message->data[tail] & 0xc0) == 0x80)
                tail++;
        memcpy(message->data + head, ellipsis, strlen(ellipsis));
        memmove(message->data + head + strlen(ellipsis), message->data + tail, message->len - tail + 1);
        message->len = head + strlen(ellipsis) + message->len - tail;
}

static bool has_room(const ConfigReport *report, ConfigSeverity severity)
{
        return severity == CONFIG_WARNING ? report->n_warnings < CONFIG_MAX_WARNINGS :
                                            report->n - report->n_warnings < CONFIG_MAX_PROBLEMS;
}

/* MESSAGE is taken over; NULL: there was no memory for it. */
static int add(ConfigReport *report, ConfigProblem problem, char *message)
{
        _cleanup_free_ char *name = strdup(problem.file), *owned = message;
        ConfigProblem *problems;

        if (!name || !owned || !has_room(report, problem.severity))
                return -ENOBUFS;
        problems = reallocarray(report->problems, report->n + 1, sizeof(*problems));
        if (!problems)
                return -ENOMEM;
        problem.file = TAKE_PTR(name);
        problem.message = TAKE_PTR(owned);
        report->problems = problems;
        report->problems[report->n++] = problem;
        report->n_warnings += problem.severity == CONFIG_WARNING;
        return 0;
}

/* What could not be kept is counted. */
static void add_or_drop(ConfigReport *report, const ConfigProblem *problem, char *message)
{
        if (add(report, *problem, message) >= 0)
                return;
        if (problem->severity == CONFIG_WARNING)
                report->n_dropped_warnings++;
        else
                report->n_dropped++;
}

_printf_(3, 0)
static void addv(ConfigReport *report, const ConfigProblem *problem, const char *format, va_list ap)
{
        Buffer message = BUFFER_NULL;

        if (buffer_appendv(&message, format, ap) >= 0)
                shorten(&message);
        else
                buffer_deinit(&message);
        add_or_drop(report, problem, message.data ? buffer_steal(&message) : NULL);
}

int config_report_add(ConfigReport *report, const char *file, unsigned line, unsigned column, const char *format, ...)
{
        const ConfigProblem problem = { .severity = CONFIG_ERROR, .file = (char *)file, .line = line, .column = column };
        va_list ap;

        va_start(ap, format);
        addv(report, &problem, format, ap);
        va_end(ap);
        return -EBADMSG;
}

void config_report_warn(ConfigReport *report, const char *file, unsigned line, unsigned column, const char *format, ...)
{
        const ConfigProblem problem = { .severity = CONFIG_WARNING, .file = (char *)file, .line = line, .column = column };
        va_list ap;

        va_start(ap, format);
        addv(report, &problem, format, ap);
        va_end(ap);
}

void config_report_add_copy(ConfigReport *report, const ConfigProblem *problem)
{
        add_or_drop(report, problem, strdup(problem->message));
}

static int compare_places(const void *a, const void *b)
{
        const ConfigProblem *x = a, *y = b;
        int order = strcmp(x->file, y->file);

        if (order == 0 && x->line != y->line)
                order = x->line < y->line ? -1 : 1;
        if (order == 0 && x->column != y->column)
                order = x->column < y->column ? -1 : 1;
        return order;
}

void config_report_sort(ConfigReport *report)
{
        if (report->n > 1)
                qsort(report->problems, report->n, sizeof(*report->problems), compare_places);
}

const char *config_severity_to_string(ConfigSeverity severity)
{
        static const char *const names[_CONFIG_SEVERITY_MAX] = { [CONFIG_ERROR] = "error", [CONFIG_WARNING] = "warning" };

        return names[severity];
}

int config_problem_format(const ConfigProblem *problem, Buffer *out)
{
        int r = buffer_append_string(out, problem->file);

        if (r >= 0 && problem->line > 0)
                r = buffer_appendf(out, ":%u", problem->line);
        if (r >= 0 && problem->column > 0)
                r = buffer_appendf(out, ":%u", problem->column);
        if (r >= 0)
                r = buffer_appendf(out, ": %s%s", problem->severity == CONFIG_WARNING ? "warning: " : "", problem->message);
        return r;
}
