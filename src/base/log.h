/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Log messages with structured fields: to the journal where standard error is connected to it,
 * else as text to standard error. Never blocks: what the journal can't take at once is counted
 * and reported with the next message that it takes.
 */

#include <stdarg.h>
#include <syslog.h>

#include "base/macro.h"

typedef enum LogTarget {
        LOG_TARGET_AUTO,    /* the journal where standard error is connected to it, else the console */
        LOG_TARGET_CONSOLE, /* standard error, coloured on a terminal */
        LOG_TARGET_JOURNAL,
} LogTarget;

/* One KEY=value of a structured message; a NULL value is left out. */
typedef struct LogField {
        const char *key;
        const char *value;
} LogField;

void log_open(LogTarget target, int max_level);
void log_set_max_level(int level);
/* A field of every message from now on, borrowed; a NULL value is left out. */
void log_set_common_field(const LogField *field);
int log_max_level(void);
/* "emerg" … "debug", or a number. -EINVAL. */
int log_level_from_string(const char *s);

/* FIELDS ends with a NULL key, and may itself be NULL. errno is kept. */
void log_full(int level, const LogField *fields, const char *format, ...) _printf_(3, 4);
void log_fullv(int level, const LogField *fields, const char *format, va_list ap) _printf_(3, 0);

#define log_at(level, fields, ...)                              \
        do {                                                    \
                if ((level) <= log_max_level())                 \
                        log_full((level), (fields), __VA_ARGS__); \
        } while (0)

#define log_error(...) log_at(LOG_ERR, NULL, __VA_ARGS__)
#define log_warning(...) log_at(LOG_WARNING, NULL, __VA_ARGS__)
#define log_notice(...) log_at(LOG_NOTICE, NULL, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, NULL, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, NULL, __VA_ARGS__)

/* Logs, and returns the negative errno R, so that `return log_errno(…)` reads as one step. %m is R's text. */
#define log_errno(level, r, ...)                  \
        ({                                        \
                int _r = (r);                     \
                errno = -_r;                      \
                log_at((level), NULL, __VA_ARGS__); \
                _r;                               \
        })
