/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * takt-worker does for the daemon what may take long, never end, or end the process: jq programs, large
 * documents, files that block. It is a process of a pool, of which the daemon has as many as it needs: a line in,
 * a line out (work/limits.h), until its input ends. Whoever waits too long for an answer kills it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "work/jq-filter.h"
#include "work/limits.h"
#include "work/request.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifdef SANITIZED
/* The sanitizer takes terabytes of address space, so that it has to hold to the limit itself. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
        return "hard_rss_limit_mb=1024:allocator_may_return_null=1";
}
#endif

/* Programs can open no file, as there is no descriptor left for one. Returns the limit to go back to. */
static struct rlimit allow_files(void)
{
        struct rlimit limit, more;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return (struct rlimit){};
        more = (struct rlimit){ limit.rlim_max, limit.rlim_max };
        (void)setrlimit(RLIMIT_NOFILE, &more);
        return limit;
}

static int open_file(const char *path)
{
        struct rlimit limit = allow_files();
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

        if (fd < 0)
                fd = negative_errno();
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        return fd;
}

static int look(const Look *look, char **ret_nearest)
{
        struct rlimit limit = allow_files();
        int r = look_for(look, ret_nearest);

        (void)setrlimit(RLIMIT_NOFILE, &limit);
        return r;
}

_noreturn_ static void out_of_memory(void)
{
        static const char said[] = "{\"error\":{\"kind\":\"memory\",\"message\":\"Filter= needs more memory than a filter may have\"}}\n";

        (void)write_all(STDOUT_FILENO, said, sizeof(said) - 1);
        _exit(EXIT_FAILURE);
}

static void set_limits(void)
{
        const struct rlimit nothing = {};

        (void)setrlimit(RLIMIT_CORE, &nothing);
        (void)setrlimit(RLIMIT_FSIZE, &nothing);
#ifndef SANITIZED
        const struct rlimit memory = { WORK_MAX_MEMORY, WORK_MAX_MEMORY };

        (void)setrlimit(RLIMIT_AS, &memory);
#endif
}

/* Each request has WORK_MAX_CPU_SEC, on top of what was used. */
static void renew_cpu_limit(void)
{
        struct rusage usage;
        struct rlimit limit;

        if (getrusage(RUSAGE_SELF, &usage) < 0 || getrlimit(RLIMIT_CPU, &limit) < 0)
                return;
        limit.rlim_cur = MIN(limit.rlim_max,
                             (rlim_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + WORK_MAX_CPU_SEC);
        (void)setrlimit(RLIMIT_CPU, &limit);
}

int main(void)
{
        static const WorkFiles files = { .open = open_file, .look = look };
        char *empty[] = { NULL }; /* libjq can't do without one at all */
        _cleanup_free_ char *line = NULL;
        size_t allocated = 0;
        ssize_t n;
        int r = 0;

        set_limits();
        environ = empty;
        filter_init(out_of_memory);
        while (r >= 0 && (n = getline(&line, &allocated, stdin)) > 0) {
                _cleanup_buffer_ Buffer header = BUFFER_NULL, out = BUFFER_WITH_MAX(WORK_MAX_ANSWER);

                renew_cpu_limit();
                r = work_answer(&files, line, (size_t)n - (line[n - 1] == '\n'), &header, &out);
                if (r >= 0)
                        r = write_all(STDOUT_FILENO, header.data, header.len);
                if (r >= 0)
                        r = write_all(STDOUT_FILENO, buffer_string(&out), out.len);
        }
        filter_deinit();
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
