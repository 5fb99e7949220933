/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "process/spawn-child.h"

#include <signal.h>
#include <stdio.h>
#include <limits.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Searched where the command's own environment has no PATH; systemd's and Debian's default. */
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* What the shells call "command not found". Nobody sees it: its progress says more. */
#define EXIT_NOT_EXECUTED 127

/*
 * A session of its own: no controlling terminal to read from or be stopped by, and a number by which
 * processes that leave the group (job control, timeout(1)) are still known as the command's.
 */
static int enter_session(const SpawnChild *child)
{
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                return negative_errno();
        /* The parent may have died before the signal was asked for. */
        if (getppid() != child->parent)
                _exit(EXIT_NOT_EXECUTED);
        if (setsid() < 0)
                return negative_errno();
        return 0;
}

static int connect_stdio(const SpawnChild *child)
{
        for (int fd = 0; fd < 3; fd++)
                if (dup2(child->fds[fd], fd) < 0)
                        return negative_errno();
        /* Here and not by exec: that may hang, and streams of other commands are among them. */
        (void)close_range(3, ~0U, 0);
        return 0;
}

static int apply_limits(const SpawnChild *child)
{
        if (child->start->flags & SPAWN_SET_UMASK)
                (void)umask((mode_t)child->start->umask);
        for (size_t i = 0; i < child->start->n_limits; i++) {
                const SpawnWireLimit *wire = &child->payload->limits[i];
                struct rlimit limit = { .rlim_cur = wire->soft, .rlim_max = wire->hard };

                if (setrlimit((int)wire->resource, &limit) < 0)
                        return negative_errno();
        }
        return 0;
}

static int apply_nice(const SpawnChild *child)
{
        if ((child->start->flags & SPAWN_SET_NICE) && setpriority(PRIO_PROCESS, 0, child->start->nice) < 0)
                return negative_errno();
        return 0;
}

static int change_directory(const SpawnChild *child)
{
        return chdir(child->payload->directory) < 0 ? negative_errno() : 0;
}

static const char *find_path(char *const *environment)
{
        for (; *environment; environment++) {
                const char *path = startswith(*environment, "PATH=");

                if (path)
                        return path;
        }
        return DEFAULT_PATH;
}

/*
 * As execvpe(), but on the PATH of the command's environment, and what is no program is not handed
 * to a shell: a script has to name its interpreter.
 */
static int execute(const SpawnChild *child)
{
        char *const *argv = child->payload->argv;
        char *const *environment = child->payload->environment;
        char program[PATH_MAX];
        const char *path;
        int error = -ENOENT;
        sigset_t none;

        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        if (strchr(argv[0], '/') || argv[0][0] == '\0') {
                (void)execve(argv[0], argv, environment);
                return negative_errno();
        }
        for (path = find_path(environment); path;) {
                const char *colon = strchrnul(path, ':');
                int n = (int)MIN(colon - path, (ptrdiff_t)PATH_MAX);

                /* An empty entry is the current directory. */
                if (snprintf(program, sizeof(program), "%.*s%s%s", n, path, n > 0 ? "/" : "./", argv[0]) < PATH_MAX) {
                        (void)execve(program, argv, environment);
                        /* One that may not be run is worth more than "none was found". */
                        if (errno != ENOENT && errno != ENOTDIR && error == -ENOENT)
                                error = negative_errno();
                        if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
                                return negative_errno();
                }
                path = *colon ? colon + 1 : NULL;
        }
        return error;
}

static const struct {
        SpawnStage stage;
        int (*step)(const SpawnChild *child);
} steps[] = {
        { SPAWN_STAGE_SESSION, enter_session },
        { SPAWN_STAGE_STDIO, connect_stdio },
        { SPAWN_STAGE_LIMIT, apply_limits },
        { SPAWN_STAGE_NICE, apply_nice },
        { SPAWN_STAGE_CHDIR, change_directory },
        { SPAWN_STAGE_EXEC, execute },
};

void spawn_child_run(const SpawnChild *child)
{
        child->progress->pid = getpid();
        for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
                int r = steps[i].step(child);

                if (r >= 0)
                        continue;
                child->progress->error = -r;
                child->progress->stage = steps[i].stage;
                break;
        }
        _exit(EXIT_NOT_EXECUTED);
}
