/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/descriptors.h"

#include <sys/resource.h>

#include "base/log.h"

static void fit(unsigned *cap, rlim_t most, const char *name, const char *part)
{
        if (most >= *cap)
                return;
        *cap = (unsigned)MAX(most, (rlim_t)1);
        log_info("%s= is lowered to %u, %s of the limit of open files", name, *cap, part);
}

void descriptors_fit(Settings *settings)
{
        struct rlimit limit;

        /* The hard limit: the soft one is raised to it. */
        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_max == RLIM_INFINITY)
                return;
        fit(&settings->max_connections, limit.rlim_max / 2, "MaxConnections", "half");
        fit(&settings->http_max_connections, limit.rlim_max / 4, "HttpMaxConnections", "a quarter");
}

void descriptors_raise_limit(void)
{
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
                limit.rlim_cur = limit.rlim_max;
                (void)setrlimit(RLIMIT_NOFILE, &limit);
        }
}
