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

int config_report_add(ConfigReport *report, const char *file, unsigned line, unsigned column, const char *format, ...)
{
        _cleanup_buffer_ Buffer message = BUFFER_NULL;
        _cleanup_free_ char *name = strdup(file);
        ConfigProblem *problems;
        va_list ap;
        int r;

        va_start(ap, format);
        r = buffer_appendv(&message, format, ap);
        va_end(ap);
        if (r < 0 || !name || report->n >= CONFIG_MAX_PROBLEMS) {
                report->n_dropped++;
                return -EBADMSG;
        }
        shorten(&message);
        problems = reallocarray(report->problems, report->n + 1, sizeof(*problems));
        if (!problems) {
                report->n_dropped++;
                return -EBADMSG;
        }
        report->problems = problems;
        report->problems[report->n++] = (ConfigProblem){
                .file = TAKE_PTR(name),
                .line = line,
                .column = column,
                .message = buffer_steal(&message),
        };
        return -EBADMSG;
}

int config_problem_format(const ConfigProblem *problem, Buffer *out)
{
        int r = buffer_append_string(out, problem->file);

        if (r >= 0 && problem->line > 0)
                r = buffer_appendf(out, ":%u", problem->line);
        if (r >= 0 && problem->column > 0)
                r = buffer_appendf(out, ":%u", problem->column);
        if (r >= 0)
                r = buffer_appendf(out, ": %s", problem->message);
        return r;
}
