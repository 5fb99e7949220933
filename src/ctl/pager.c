/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/pager.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

/* F: not for less than a screen, R: colours, S: no folding, X: leave the screen, M: position, K: end on ^C. */
#define LESS_OPTIONS "FRSXMK"

static pid_t pager_pid;

/* The command line of the user's pager, NULL for the built-in choice, "" for none. */
static const char *pager_command(void)
{
        static const char *const variables[] = { "TAKT_PAGER", "PAGER" };

        for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
                const char *value = getenv(variables[i]);

                if (value)
                        return streq(value, "cat") ? "" : value;
        }
        return NULL;
}

/* Somebody works with more rights than the own: the pager must not offer a shell. */
static bool is_privileged(void)
{
        return geteuid() != getuid() || getenv("SUDO_UID");
}

static _noreturn_ void run_pager(const char *command)
{
        char buffer[4096];
        ssize_t n;

        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        (void)setenv("LESS", LESS_OPTIONS, 1);
        (void)setenv("LESSCHARSET", "utf-8", 1);
        if (is_privileged())
                (void)setenv("LESSSECURE", "1", 1);
        else if (command)
                execlp("sh", "sh", "-c", command, (char *)NULL);
        execlp("less", "less", (char *)NULL);
        if (!is_privileged())
                execlp("more", "more", (char *)NULL);

        while ((n = read(STDIN_FILENO, buffer, sizeof(buffer))) > 0)
                if (write_all(STDOUT_FILENO, buffer, (size_t)n) < 0)
                        break;
        _exit(EXIT_SUCCESS);
}

void pager_open(bool wanted)
{
        const char *command = pager_command(), *term = getenv("TERM");
        int pipe_fds[2];
        pid_t pid;

        if (!wanted || pager_pid > 0 || !isatty(STDOUT_FILENO) || !term || streq(term, "dumb") ||
            (command && !*command))
                return;
        if (pipe2(pipe_fds, O_CLOEXEC) < 0)
                return;
        (void)fflush(stdout);
        pid = fork();
        if (pid == 0) {
                if (dup2(pipe_fds[0], STDIN_FILENO) < 0)
                        _exit(EXIT_FAILURE);
                (void)close(pipe_fds[0]);
                (void)close(pipe_fds[1]);
                run_pager(command);
        }
        (void)close(pipe_fds[0]);
        if (pid > 0 && dup2(pipe_fds[1], STDOUT_FILENO) >= 0) {
                pager_pid = pid;
                /* ^C is for the pager, and who leaves it early has seen enough. */
                (void)signal(SIGINT, SIG_IGN);
        }
        (void)close(pipe_fds[1]);
}

void pager_close(void)
{
        if (pager_pid <= 0)
                return;
        (void)fflush(stdout);
        (void)close(STDOUT_FILENO);
        while (waitpid(pager_pid, NULL, 0) < 0 && errno == EINTR)
                ;
        pager_pid = 0;
}
