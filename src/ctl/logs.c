/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/logs.h"

#include <inttypes.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/string-util.h"
#include "process/helper.h"

#define LOGS_ARGS_MAX 12U /* of takt-logs beside the names of jobs, with the NULL */

typedef struct Command {
        char *path;
        char *env;
        char *lines;
        char *zone;
        char *since;
        char *socket;
        char **unknown; /* "--unknown=NAME" for each name that the daemon does not know */
        size_t n_unknown;
        char **argv; /* borrows from the others */
} Command;

static void command_deinit(Command *command)
{
        free(command->path);
        free(command->env);
        free(command->lines);
        free(command->zone);
        free(command->since);
        free(command->socket);
        for (size_t i = 0; i < command->n_unknown; i++)
                free(command->unknown[i]);
        free(command->unknown);
        free(command->argv);
}

/* -ENOMEM. Beside other output nothing is said of them. */
static int add_unknown(const Ctl *ctl, const LogsRequest *request, Command *command)
{
        size_t n = request->brief ? 0 : ctl->unknown.n_jobs;

        command->unknown = new0(char *, n + 1);
        if (!command->unknown)
                return -ENOMEM;
        for (; command->n_unknown < n; command->n_unknown++) {
                command->unknown[command->n_unknown] = xasprintf("--unknown=%s", ctl->unknown.jobs[command->n_unknown]);
                if (!command->unknown[command->n_unknown])
                        return -ENOMEM;
        }
        return 0;
}

/* 0, or an exit status after the user was told. */
static int make_command(Ctl *ctl, const LogsRequest *request, Command *command)
{
        const CtlOptions *o = &ctl->options;
        size_t k = 0;
        int r;

        r = ctl_resolve(ctl);
        if (r != 0)
                return r;
        r = helper_find("takt-logs", &command->path);
        if (r < 0 && r != -ENOMEM)
                return ctl_error(STATUS_FAILED, "takt-logs is not installed: %s", strerror(-r));
        command->env = xasprintf("--env=%s", ctl->environment->name);
        command->lines = xasprintf("--lines=%u", request->lines);
        command->zone = xasprintf("--timezone=%s", o->time_zone ?: "");
        command->since = xasprintf("%" PRIu64, request->since_realtime);
        command->socket = xasprintf("--socket=%s", ctl->environment->socket);
        if (!command->path || !command->env || !command->lines || !command->zone || !command->since || !command->socket ||
            add_unknown(ctl, request, command) < 0)
                return ctl_oom();
        command->argv = new0(char *, request->n_jobs + command->n_unknown + LOGS_ARGS_MAX);
        if (!command->argv)
                return ctl_oom();
        command->argv[k++] = (char *)"takt-logs";
        command->argv[k++] = command->env;
        command->argv[k++] = command->lines;
        if (o->time_zone)
                command->argv[k++] = command->zone;
        if (o->json)
                command->argv[k++] = (char *)"--json";
        if (o->quiet)
                command->argv[k++] = (char *)"--quiet";
        if (request->follow)
                command->argv[k++] = (char *)"--follow";
        if (o->no_pager || request->brief)
                command->argv[k++] = (char *)"--no-pager";
        if (request->brief)
                command->argv[k++] = (char *)"--brief";
        if (command->n_unknown > 0)
                command->argv[k++] = command->socket;
        memcpy(command->argv + k, command->unknown, command->n_unknown * sizeof(char *));
        k += command->n_unknown;
        command->argv[k++] = (char *)"--";
        command->argv[k++] = command->since;
        memcpy(command->argv + k, request->jobs, request->n_jobs * sizeof(char *));
        return 0;
}

int logs_become(Ctl *ctl, const LogsRequest *request)
{
        _cleanup_(command_deinit) Command command = {};
        int r = make_command(ctl, request, &command);

        if (r != 0)
                return r;
        execv(command.path, command.argv);
        return ctl_error(STATUS_FAILED, "can't run %s: %s", command.path, strerror(errno));
}

int logs_run(Ctl *ctl, const LogsRequest *request)
{
        _cleanup_(command_deinit) Command command = {};
        int r = make_command(ctl, request, &command), status;
        pid_t pid;

        if (r == 0)
                r = ctl_flush();
        if (r != 0)
                return r;
        /* Behind a pager its output is a pipe, whose colours are ours. */
        if (setenv("TAKT_COLORS", ctl->colour ? "1" : "0", 1) < 0)
                return ctl_oom();
        r = posix_spawn(&pid, command.path, NULL, NULL, command.argv, environ);
        if (r != 0)
                return ctl_error(STATUS_FAILED, "can't run %s: %s", command.path, strerror(r));
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return ctl_error(STATUS_FAILED, "waitpid: %s", strerror(errno));
        return WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_FAILED;
}
