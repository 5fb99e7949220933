/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "process/children.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

#define STAT_MAX 4096U
/* 16384 commands and as many strays, seven digits each, take less. */
#define CHILDREN_MAX (1024U * 1024)
#define ENVIRONMENT_MAX (4U * 1024 * 1024)

int process_stat_parse(const char *text, ProcessStat *ret)
{
        const char *end = strrchr(text, ')'); /* the name before it may hold anything */
        ProcessStat stat = {};
        int parent, session;
        char state;

        if (!end || sscanf(end + 1, " %c %d %*d %d", &state, &parent, &session) != 3)
                return -EBADMSG;
        stat.state = state;
        stat.parent = parent;
        stat.session = session;
        /* The state is field 3, the start time 22. */
        if (sscanf(end + 1,
                   " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64,
                   &stat.start_ticks) != 1)
                return -EBADMSG;
        *ret = stat;
        return 0;
}

int process_stat_read(pid_t pid, ProcessStat *ret)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        char path[64];
        int r;

        (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        r = read_file_at(AT_FDCWD, path, STAT_MAX, &text);
        if (r < 0)
                return r;
        return process_stat_parse(buffer_string(&text), ret);
}

uint64_t process_ticks_now(void)
{
        uint64_t per_second = (uint64_t)sysconf(_SC_CLK_TCK);

        return clock_boottime(clock_system()) / (USEC_PER_SEC / per_second);
}

/* For kernels without CONFIG_PROC_CHILDREN: every process is asked for its parent. */
static int children_from_stats(Buffer *list)
{
        _cleanup_(closedirp) DIR *dir = opendir("/proc");
        struct dirent *entry;

        if (!dir)
                return negative_errno();
        while ((entry = readdir(dir))) {
                ProcessStat stat;
                int r;

                if (!isdigit((unsigned char)entry->d_name[0]))
                        continue;
                if (process_stat_read((pid_t)atoi(entry->d_name), &stat) < 0 || stat.parent != getpid())
                        continue;
                r = buffer_appendf(list, "%s ", entry->d_name);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Each thread has children of its own. */
static int children_of_threads(Buffer *list)
{
        _cleanup_(closedirp) DIR *tasks = opendir("/proc/self/task");
        struct dirent *entry;

        if (!tasks)
                return negative_errno();
        while ((entry = readdir(tasks))) {
                char path[sizeof(entry->d_name) + 16];
                int r;

                if (entry->d_name[0] == '.')
                        continue;
                (void)snprintf(path, sizeof(path), "%s/children", entry->d_name);
                r = read_file_at(dirfd(tasks), path, CHILDREN_MAX, list);
                if (r < 0)
                        return r;
        }
        return 0;
}

int children_list(pid_t **ret, size_t *ret_n)
{
        _cleanup_buffer_ Buffer list = BUFFER_NULL;
        _cleanup_free_ pid_t *pids = NULL;
        char *p, *end;
        size_t n = 0;
        int r;

        r = children_of_threads(&list);
        if (r == -ENOENT)
                r = children_from_stats(&list);
        if (r < 0)
                return r;

        /* A pid and its blank take two bytes at least. */
        pids = new0(pid_t, list.len / 2 + 1);
        if (!pids)
                return -ENOMEM;
        p = list.data;
        for (; p && *p; p = end) {
                long pid = strtol(p, &end, 10);

                if (end == p)
                        break;
                pids[n++] = (pid_t)pid;
        }
        *ret = TAKE_PTR(pids);
        *ret_n = n;
        return 0;
}

int process_has_environment(pid_t pid, const char *entry)
{
        _cleanup_buffer_ Buffer environment = BUFFER_NULL;
        char path[64];
        int r;

        (void)snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
        r = read_file_at(AT_FDCWD, path, ENVIRONMENT_MAX, &environment);
        if (r < 0)
                return r;
        for (size_t i = 0; i < environment.len; i += strlen(environment.data + i) + 1)
                if (streq(environment.data + i, entry))
                        return 1;
        return 0;
}
