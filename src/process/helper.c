/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "process/helper.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <limits.h>

#include "base/file.h"
#include "process/children.h"

/* Helpers of one process at a time; those being replaced and those that replace them included. */
#define HELPERS_MAX 256U

static pid_t known[HELPERS_MAX];
static uint64_t n_reaped_others;

static pid_t *find_known(pid_t pid)
{
        for (size_t i = 0; i < HELPERS_MAX; i++)
                if (known[i] == pid)
                        return &known[i];
        return NULL;
}

bool helper_is_known(pid_t pid)
{
        return pid > 0 && find_known(pid);
}

static int find_in(const char *dir, const char *name, char **ret)
{
        _cleanup_free_ char *path = path_join(dir, name);

        if (!path)
                return -ENOMEM;
        if (access(path, X_OK) < 0)
                return negative_errno();
        *ret = TAKE_PTR(path);
        return 0;
}

int helper_find(const char *name, char **ret)
{
        const char *dir = getenv("TAKT_LIBEXECDIR");
        char self[PATH_MAX], *slash;
        ssize_t n;

        if (dir && *dir)
                return find_in(dir, name, ret);
        n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        if (n > 0) {
                self[n] = '\0';
                slash = strrchr(self, '/');
                if (slash) {
                        *slash = '\0';
                        if (find_in(self, name, ret) >= 0)
                                return 0;
                }
        }
        return find_in(PKGLIBEXECDIR, name, ret);
}

static int spawn_file_actions(posix_spawn_file_actions_t *actions, int fd, const int mark_fds[static HELPER_MARKS])
{
        int r;

        r = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(actions, STDIN_FILENO, STDOUT_FILENO);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(actions, fd, HELPER_FD);
        for (int i = 0; r == 0 && i < HELPER_MARKS; i++)
                r = mark_fds[i] >= 0 ? posix_spawn_file_actions_adddup2(actions, mark_fds[i], HELPER_MARK_FD + i) :
                                       posix_spawn_file_actions_addclose(actions, HELPER_MARK_FD + i);
        if (r == 0)
                r = posix_spawn_file_actions_addclosefrom_np(actions, HELPER_MARK_FD + HELPER_MARKS);
        return -r;
}

static int spawn_attributes(posix_spawnattr_t *attributes)
{
        sigset_t all, none;
        int r;

        (void)sigfillset(&all);
        (void)sigemptyset(&none);
        r = posix_spawnattr_setsigdefault(attributes, &all);
        if (r == 0)
                r = posix_spawnattr_setsigmask(attributes, &none);
        if (r == 0)
                r = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
        return -r;
}

static int spawn_connected(const char *path, int fd, const int mark_fds[static HELPER_MARKS], pid_t *ret)
{
        char *argv[] = { (char *)path, NULL }, *environment[] = { NULL };
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        int r;

        r = -posix_spawn_file_actions_init(&actions);
        if (r < 0)
                return r;
        r = -posix_spawnattr_init(&attributes);
        if (r < 0) {
                (void)posix_spawn_file_actions_destroy(&actions);
                return r;
        }
        r = spawn_file_actions(&actions, fd, mark_fds);
        if (r >= 0)
                r = spawn_attributes(&attributes);
        if (r >= 0)
                r = -posix_spawn(ret, path, &actions, &attributes, argv, environment);
        (void)posix_spawnattr_destroy(&attributes);
        (void)posix_spawn_file_actions_destroy(&actions);
        return r;
}

/* A copy of FD out of the way of the descriptors that are put in place before it. */
static int copy_high(int fd)
{
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, HELPER_MARK_FD + HELPER_MARKS);

        return copy < 0 ? negative_errno() : copy;
}

/* Copies of SOURCES, as far as these are there. On failure what was made is in RET as well. */
static int copy_marks(const int sources[static HELPER_MARKS], int ret[static HELPER_MARKS])
{
        int r = 0;

        for (size_t i = 0; i < HELPER_MARKS && r >= 0; i++)
                if (sources[i] >= 0)
                        r = ret[i] = copy_high(sources[i]);
        return MIN(r, 0);
}

static int spawn_with_marks(const char *path, int fd, const int mark_fds[static HELPER_MARKS], pid_t *ret)
{
        int marks[HELPER_MARKS] = { -1, -1 };
        int r = copy_marks(mark_fds, marks);

        if (r >= 0)
                r = spawn_connected(path, fd, marks, ret);
        for (size_t i = 0; i < HELPER_MARKS; i++)
                safe_close(marks[i]);
        return r;
}

int helper_start(const char *path, const int mark_fds[static HELPER_MARKS], int *ret_fd, pid_t *ret_pid, int *ret_pid_fd)
{
        _cleanup_close_ int ours = -1, theirs = -1, high = -1;
        pid_t *place = find_known(0), pid;
        int fds[2], pid_fd, r;

        if (!place)
                return -EAGAIN;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
                return negative_errno();
        ours = fds[0];
        theirs = fds[1];
        high = copy_high(theirs);
        if (high < 0)
                return high;
        r = spawn_with_marks(path, high, mark_fds, &pid);
        if (r < 0)
                return r;
        *place = pid;
        pid_fd = pidfd_open(pid, 0);
        if (pid_fd < 0) {
                r = negative_errno();
                helper_kill(pid);
                return r;
        }
        *ret_pid_fd = pid_fd;
        *ret_pid = pid;
        *ret_fd = TAKE_FD(ours);
        return 0;
}

static bool reap(pid_t pid, int flags, bool *ret_clean)
{
        pid_t *place = find_known(pid);
        int status = 0;
        pid_t r;

        do
                r = waitpid(pid, &status, flags);
        while (r < 0 && errno == EINTR);
        if (r == 0)
                return false;
        if (place)
                *place = 0;
        if (ret_clean)
                *ret_clean = r == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
        return true;
}

bool helper_reap(pid_t pid, bool *ret_clean)
{
        return reap(pid, WNOHANG, ret_clean);
}

void helper_kill(pid_t pid)
{
        (void)kill(pid, SIGKILL);
        (void)reap(pid, 0, NULL);
}

bool helper_reap_others(void)
{
        _cleanup_free_ pid_t *pids = NULL;
        unsigned n_reaped = 0;
        size_t n;

        if (children_list(&pids, &n) < 0)
                return false;
        for (size_t i = 0; i < n && n_reaped < HELPER_REAPED_MAX; i++)
                if (!helper_is_known(pids[i]) && waitpid(pids[i], NULL, WNOHANG) > 0)
                        n_reaped++;
        n_reaped_others += n_reaped;
        return n_reaped == HELPER_REAPED_MAX;
}

uint64_t helper_n_reaped(void)
{
        return n_reaped_others;
}
