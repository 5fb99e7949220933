/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "process/children.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
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
        int parent, group, session;
        char state;

        if (!end || sscanf(end + 1, " %c %d %d %d", &state, &parent, &group, &session) != 4)
                return -EBADMSG;
        stat.state = state;
        stat.parent = parent;
        stat.group = group;
        stat.session = session;
        /* The state is field 3, the number of threads 20, the start time 22. */
        if (sscanf(end + 1,
                   " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %u %*s %" SCNu64,
                   &stat.n_threads, &stat.start_ticks) != 2)
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

uint64_t process_ticks_at(usec_t boottime)
{
        uint64_t per_second = (uint64_t)sysconf(_SC_CLK_TCK);

        return boottime / (USEC_PER_SEC / per_second);
}

uint64_t process_ticks_now(void)
{
        return process_ticks_at(clock_boottime(clock_system()));
}

/* For kernels without CONFIG_PROC_CHILDREN: every process is asked for its parent. */
static int children_from_stats(pid_t parent, Buffer *list)
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
                if (process_stat_read((pid_t)atoi(entry->d_name), &stat) < 0 || stat.parent != parent)
                        continue;
                r = buffer_appendf(list, "%s ", entry->d_name);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Each thread has children of its own. */
static int children_of_threads(pid_t parent, Buffer *list)
{
        _cleanup_(closedirp) DIR *tasks = NULL;
        struct dirent *entry;
        char directory[64];

        (void)snprintf(directory, sizeof(directory), "/proc/%d/task", (int)parent);
        tasks = opendir(directory);
        if (!tasks)
                return errno == ENOENT ? -ESRCH : negative_errno();
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

int pid_list_parse(const char *text, pid_t **ret, size_t *ret_n)
{
        /* A pid and its blank take two bytes at least. */
        _cleanup_free_ pid_t *pids = new0(pid_t, strlen(text) / 2 + 1);
        const char *p = text;
        size_t n = 0;

        if (!pids)
                return -ENOMEM;
        for (;;) {
                char *end;
                long pid = strtol(p, &end, 10);

                if (end == p)
                        break;
                pids[n++] = (pid_t)pid;
                p = end;
        }
        *ret = TAKE_PTR(pids);
        *ret_n = n;
        return 0;
}

int process_children(pid_t pid, pid_t **ret, size_t *ret_n)
{
        _cleanup_buffer_ Buffer list = BUFFER_NULL;
        int r = children_of_threads(pid, &list);

        if (r == -ENOENT)
                r = children_from_stats(pid, &list);
        return r < 0 ? r : pid_list_parse(buffer_string(&list), ret, ret_n);
}

int children_list(pid_t **ret, size_t *ret_n)
{
        return process_children(getpid(), ret, ret_n);
}

static bool process_set_has(const ProcessSet *set, pid_t pid)
{
        for (size_t i = 0; i < set->n; i++)
                if (set->pids[i] == pid)
                        return true;
        return false;
}

/* It has the signal before it is asked for its children: of one that is stopped these are all. */
static bool add_one(ProcessSet *set, pid_t pid, int signo)
{
        if (process_set_has(set, pid) || set->n == set->max)
                return false;
        if (set->n == set->n_allocated) {
                size_t n = MAX(2 * set->n_allocated, (size_t)16);
                pid_t *pids = reallocarray(set->pids, n, sizeof(*pids));

                if (!pids)
                        return false;
                set->pids = pids;
                set->n_allocated = n;
        }
        (void)kill(pid, signo);
        set->pids[set->n++] = pid;
        return true;
}

bool process_set_add(ProcessSet *set, pid_t pid, int signo)
{
        size_t i = set->n;

        if (!add_one(set, pid, signo))
                return false;
        for (; i < set->n; i++) {
                _cleanup_free_ pid_t *pids = NULL;
                size_t n;

                if (process_children(set->pids[i], &pids, &n) < 0)
                        continue;
                for (size_t k = 0; k < n; k++)
                        (void)add_one(set, pids[k], signo);
        }
        return true;
}

void process_set_signal(const ProcessSet *set, int signo)
{
        for (size_t i = 0; i < set->n; i++)
                (void)kill(set->pids[i], signo);
}

void process_set_end(ProcessSet *set, int signo)
{
        process_set_signal(set, signo);
        free(set->pids);
        *set = (ProcessSet){};
}

int process_environment_read(pid_t pid, Buffer *ret)
{
        char path[64];

        (void)snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
        return read_file_at(AT_FDCWD, path, ENVIRONMENT_MAX, ret);
}

bool process_environment_has(const Buffer *environment, const char *entry)
{
        const char *text = buffer_string(environment);

        for (size_t i = 0; i < environment->len; i += strlen(text + i) + 1)
                if (streq(text + i, entry))
                        return true;
        return false;
}
