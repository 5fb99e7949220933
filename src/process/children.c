/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "process/children.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

#define STAT_MAX 4096U
/* 16384 commands and as many strays, seven digits each, take less. */
#define CHILDREN_MAX (1024U * 1024)
#define ENVIRONMENT_MAX (4U * 1024 * 1024)
/* One that is empty so often, without an exec that explains it, has nothing in it. */
#define ENVIRONMENT_READS 3U

int process_stat_parse(const char *text, ProcessStat *ret)
{
        const char *end = strrchr(text, ')'); /* the name before it may hold anything */
        ProcessStat stat = {};
        int parent, group, session;
        uint64_t start_code;
        char state;

        if (!end || sscanf(end + 1, " %c %d %d %d", &state, &parent, &group, &session) != 4)
                return -EBADMSG;
        stat.state = state;
        stat.parent = parent;
        stat.group = group;
        stat.session = session;
        /* The state is field 3, the number of threads 20, the start time 22, where its code starts 26. */
        if (sscanf(end + 1,
                   " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %u %*s %" SCNu64 " %*s %*s %*s %" SCNu64,
                   &stat.n_threads, &stat.start_ticks, &start_code) != 3)
                return -EBADMSG;
        /* execve() sets that last of all. It is 1 where it is a secret. */
        stat.executed = start_code != 0;
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

/* --- who is whose child --- */

struct ProcessParent {
        pid_t parent;
        pid_t pid;
};

void process_tree_deinit(ProcessTree *tree)
{
        free(tree->parents);
        *tree = (ProcessTree){};
}

static int process_tree_add(ProcessTree *tree, pid_t parent, pid_t pid)
{
        if (tree->n == tree->n_allocated) {
                size_t n = MAX(2 * tree->n_allocated, (size_t)256);
                struct ProcessParent *parents = reallocarray(tree->parents, n, sizeof(*parents));

                if (!parents)
                        return -ENOMEM;
                tree->parents = parents;
                tree->n_allocated = n;
        }
        tree->parents[tree->n++] = (struct ProcessParent){ .parent = parent, .pid = pid };
        return 0;
}

static int process_tree_walk(ProcessTree *tree)
{
        _cleanup_(closedirp) DIR *dir = opendir("/proc");
        struct dirent *entry;

        if (!dir)
                return negative_errno();
        while ((entry = readdir(dir))) {
                ProcessStat stat;
                pid_t pid;
                int r;

                if (!isdigit((unsigned char)entry->d_name[0]))
                        continue;
                pid = (pid_t)atoi(entry->d_name);
                if (process_stat_read(pid, &stat) < 0)
                        continue;
                r = process_tree_add(tree, stat.parent, pid);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int children_from_walk(ProcessTree *tree, pid_t parent, Buffer *list)
{
        if (!tree->walked) {
                int r = process_tree_walk(tree);

                if (r < 0) {
                        process_tree_deinit(tree);
                        return r;
                }
                tree->walked = true;
        }
        for (size_t i = 0; i < tree->n; i++) {
                int r = 0;

                if (tree->parents[i].parent == parent)
                        r = buffer_appendf(list, "%d ", (int)tree->parents[i].pid);
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
                /* A thread that has ended meanwhile has no children. */
                if (r == -ESRCH || (r == -ENOENT && faccessat(dirfd(tasks), entry->d_name, F_OK, 0) < 0))
                        continue;
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

int process_tree_list(ProcessTree *tree, pid_t pid, pid_t **ret, size_t *ret_n)
{
        _cleanup_buffer_ Buffer list = BUFFER_NULL;
        int r = tree->walked ? -ENOENT : children_of_threads(pid, &list);

        if (r == -ENOENT)
                r = children_from_walk(tree, pid, &list);
        return r < 0 ? r : pid_list_parse(buffer_string(&list), ret, ret_n);
}

static bool is_still(const ProcessId *id)
{
        ProcessStat stat;

        return process_stat_read(id->pid, &stat) >= 0 && stat.start_ticks == id->start_ticks;
}

int process_tree_children(ProcessTree *tree, const ProcessId *parent, ProcessId **ret, size_t *ret_n)
{
        _cleanup_free_ ProcessId *ids = NULL;
        _cleanup_free_ pid_t *pids = NULL;
        size_t n, n_ids = 0;
        int r;

        r = process_tree_list(tree, parent->pid, &pids, &n);
        if (r < 0)
                return r;
        ids = new0(ProcessId, MAX(n, (size_t)1));
        if (!ids)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                ProcessStat stat;

                if (process_stat_read(pids[i], &stat) >= 0 && stat.parent == parent->pid && !process_stat_is_over(&stat))
                        ids[n_ids++] = (ProcessId){ .pid = pids[i], .start_ticks = stat.start_ticks };
        }
        /* It had its number all the time where it has it now. */
        if (n_ids > 0 && !is_still(parent))
                return -ESRCH;
        *ret = TAKE_PTR(ids);
        *ret_n = n_ids;
        return 0;
}

int process_children(pid_t pid, pid_t **ret, size_t *ret_n)
{
        _cleanup_process_tree_ ProcessTree tree = {};

        return process_tree_list(&tree, pid, ret, ret_n);
}

int children_list(pid_t **ret, size_t *ret_n)
{
        return process_children(getpid(), ret, ret_n);
}

/* --- signals --- */

int process_signal(const ProcessId *id, int signo)
{
        _cleanup_close_ int fd = pidfd_open(id->pid, 0);

        if (fd < 0)
                return negative_errno();
        /* What the descriptor is of had the number before: if that one has ended, nobody gets the signal. */
        if (!is_still(id))
                return -ESRCH;
        return pidfd_send_signal(fd, signo, NULL, 0) < 0 ? negative_errno() : 0;
}

static bool process_set_has(const ProcessSet *set, const ProcessId *id)
{
        for (size_t i = 0; i < set->n; i++)
                if (process_id_equal(&set->ids[i], id))
                        return true;
        return false;
}

bool process_set_stop(ProcessSet *set, const ProcessId *id)
{
        if (process_set_has(set, id) || set->n == set->max)
                return false;
        if (set->n == set->n_allocated) {
                size_t n = MAX(2 * set->n_allocated, (size_t)16);
                ProcessId *ids = reallocarray(set->ids, n, sizeof(*ids));

                if (!ids)
                        return false;
                set->ids = ids;
                set->n_allocated = n;
        }
        (void)process_signal(id, SIGSTOP);
        set->ids[set->n++] = *id;
        return true;
}

size_t process_set_stop_descendants(ProcessSet *set)
{
        _cleanup_process_tree_ ProcessTree tree = {};
        size_t n_before = set->n;

        for (size_t i = 0; i < set->n; i++) {
                _cleanup_free_ ProcessId *ids = NULL;
                const ProcessId parent = set->ids[i];
                size_t n;

                if (process_tree_children(&tree, &parent, &ids, &n) < 0)
                        continue;
                for (size_t k = 0; k < n; k++)
                        (void)process_set_stop(set, &ids[k]);
        }
        return set->n - n_before;
}

void process_set_kill(ProcessSet *set)
{
        for (size_t i = 0; i < set->n; i++)
                (void)process_signal(&set->ids[i], SIGKILL);
        free(set->ids);
        *set = (ProcessSet){};
}

/* --- environments --- */

/*
 * The first thread has ended, and has no memory to read from any more. The others go on, and have the same
 * one.
 */
static int environment_read_by_threads(pid_t pid, Buffer *ret)
{
        _cleanup_(closedirp) DIR *tasks = NULL;
        size_t before = ret->len;
        struct dirent *entry;
        char directory[64];

        (void)snprintf(directory, sizeof(directory), "/proc/%d/task", (int)pid);
        tasks = opendir(directory);
        while (tasks && (entry = readdir(tasks))) {
                char path[sizeof(entry->d_name) + 16];
                int r;

                if (entry->d_name[0] == '.')
                        continue;
                (void)snprintf(path, sizeof(path), "%s/environ", entry->d_name);
                r = read_file_at(dirfd(tasks), path, ENVIRONMENT_MAX, ret);
                if (ret->len > before)
                        return r;
        }
        return -ESRCH;
}

int process_environment_read(pid_t pid, Buffer *ret)
{
        size_t before = ret->len;
        char path[64];

        (void)snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
        for (unsigned i = 0; i < ENVIRONMENT_READS; i++) {
                ProcessStat stat;
                int r = read_file_at(AT_FDCWD, path, ENVIRONMENT_MAX, ret);

                /*
                 * Of one without memory some kernels say that it is not there, and others that there is
                 * nothing.
                 */
                if ((r < 0 && r != -ESRCH) || ret->len > before)
                        return r;
                if (process_stat_read(pid, &stat) < 0 || process_stat_is_over(&stat))
                        return r;
                if (stat.state == 'Z')
                        return environment_read_by_threads(pid, ret);
                if (r < 0)
                        return r;
                if (!stat.executed)
                        return -EAGAIN;
                /* It may have been exec'd since its environment was read. */
        }
        return 0;
}

bool process_environment_has(const Buffer *environment, const char *entry)
{
        const char *text = buffer_string(environment);

        for (size_t i = 0; i < environment->len; i += strlen(text + i) + 1)
                if (streq(text + i, entry))
                        return true;
        return false;
}

const char *process_environment_find(const Buffer *environment, const char *entry)
{
        size_t n = (size_t)(strchrnul(entry, '=') - entry);
        const char *text = buffer_string(environment);

        for (size_t i = 0; i < environment->len; i += strlen(text + i) + 1)
                if (strncmp(text + i, entry, n) == 0 && text[i + n] == '=')
                        return text + i;
        return NULL;
}
