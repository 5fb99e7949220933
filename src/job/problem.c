/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job/problem.h"

void problem_write(const ConfigProblem *problem, JsonWriter *w)
{
        json_key(w, "file");
        json_string_lossy(w, problem->file, strlen(problem->file));
        json_key(w, "line");
        json_uint(w, problem->line);
        json_key(w, "column");
        json_uint(w, problem->column);
        json_key(w, "severity");
        json_string(w, config_severity_to_string(problem->severity));
        json_key(w, "message");
        json_string_lossy(w, problem->message, strlen(problem->message));
}
