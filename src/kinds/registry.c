/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kinds/kinds.h"

const JobKind *const job_kinds[] = {
        &blink_kind, &countdown_kind, &exec_kind, &group_kind, &http_kind, &sensor_kind, &sleep_kind, &worker_kind, NULL,
};

const JobKind *job_kind_find(const char *name)
{
        for (size_t i = 0; job_kinds[i]; i++)
                if (streq(job_kinds[i]->name, name))
                        return job_kinds[i];
        return NULL;
}
