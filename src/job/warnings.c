/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "job/warnings.h"

JobWarnings *job_warnings_new(void)
{
        JobWarnings *warnings = new0(JobWarnings, 1);

        if (warnings)
                warnings->n_ref = 1;
        return warnings;
}

JobWarnings *job_warnings_ref(JobWarnings *warnings)
{
        warnings->n_ref++;
        return warnings;
}

JobWarnings *job_warnings_unref(JobWarnings *warnings)
{
        if (!warnings || --warnings->n_ref > 0)
                return NULL;
        config_report_deinit(&warnings->report);
        free(warnings);
        return NULL;
}

static bool has_room(JobWarnings *warnings)
{
        if (warnings->report.n < JOB_WARNINGS_MAX)
                return true;
        warnings->report.n_dropped_warnings++;
        return false;
}

bool job_warnings_add(JobWarnings *warnings, const char *file, unsigned line, unsigned column, const char *key,
                      const char *message)
{
        if (!has_room(warnings))
                return false;
        config_report_warn(&warnings->report, file, line, column, "%s=: %s", key, message);
        config_report_sort(&warnings->report);
        return true;
}

bool job_warnings_add_copy(JobWarnings *warnings, const ConfigProblem *problem)
{
        if (!has_room(warnings))
                return false;
        config_report_add_copy(&warnings->report, problem);
        config_report_sort(&warnings->report);
        return true;
}
