/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Enter= and Exit= commands: as a command of Type=exec is started, but around a run of any kind. */
#include "job/guard.h"

#include <signal.h>

#include "base/string-util.h"
#include "job/expand.h"
#include "job/job.h"
#include "job/spec.h"
#include "kinds/command.h"
#include "process/spawner.h"
#include "when/timespan.h"

/* From the kill signal of a command that took too long, or was told to end, to SIGKILL. */
#define KILL_AFTER_USEC (5 * USEC_PER_SEC)

struct GuardCommand {
        Run *run;
        SpawnedCommand *command;
        Timer timeout;
        bool timed_out;
        void (*done)(Run *run, const char *error);
        CommandLog log;
        char last_line[COMMAND_QUOTE_MAX + 1];
};

static void on_line(_unused_ SpawnedCommand *command, int fd, const char *line, size_t n, void *userdata)
{
        GuardCommand *g = userdata;
        size_t kept = MIN(n, sizeof(g->last_line) - 1);

        if (fd != 2)
                return;
        memcpy(g->last_line, line, kept);
        g->last_line[kept] = '\0';
        run_redact(g->run, g->last_line, &kept);
        command_log_line(&g->log, g->run->services->clock, g->run->job->name, g->run->id, g->last_line, kept);
}

/* A sentence on how it ended; NULL: well. */
static char *describe_exit(const GuardCommand *g, const SpawnExit *exit)
{
        const char *colon = g->last_line[0] ? ": " : "";
        char span[TIMESPAN_MAX];

        if (exit->error == 0 && exit->code == CLD_EXITED && exit->status == 0)
                return NULL;
        if (exit->error == -EOWNERDEAD)
                return strdup("takt-spawn died; the command was ended");
        if (exit->error < 0)
                return xasprintf("can't be executed (%s): %s", exit->stage ?: "start", strerror(-exit->error));
        if (g->timed_out)
                return xasprintf("no end within %s", timespan_format(GUARD_COMMAND_USEC, span));
        if (exit->code == CLD_EXITED)
                return xasprintf("exit status %d%s%s", exit->status, colon, g->last_line);
        return xasprintf("killed by SIG%s%s%s", sigabbrev_np(exit->status) ?: "?", colon, g->last_line);
}

static void on_exited(_unused_ SpawnedCommand *command, const SpawnExit *exit, void *userdata)
{
        GuardCommand *g = userdata;
        bool well = exit->error == 0 && exit->code == CLD_EXITED && exit->status == 0;
        _cleanup_free_ char *error = describe_exit(g, exit);

        command_log_flush(&g->log, g->run->job->name);
        timer_disarm(g->run->services->timers, &g->timeout);
        g->done(g->run, error ?: well ? NULL : "no memory for what went wrong");
}

static void on_timeout(Timer *timer, _unused_ usec_t now)
{
        GuardCommand *g = container_of(timer, GuardCommand, timeout);

        g->timed_out = true;
        spawned_command_stop(g->command);
}

static GuardCommand *guard_command_free(GuardCommand *g)
{
        if (!g)
                return NULL;
        timer_disarm(g->run->services->timers, &g->timeout);
        spawned_command_free(g->command);
        free(g);
        return NULL;
}
DEFINE_CLEANUP(GuardCommand *, guard_command_free);

static int make_request(Run *run, const CommandLine *line, const char *state, char ***ret_argv, StringList *environment, char **ret_error)
{
        _cleanup_free_ char *variable = state ? xasprintf("TAKT_STATE=%s", state) : NULL;
        TemplateContext context;
        int r;

        run_template_context(run, &context);
        r = command_base_environment(run, NULL, environment);
        if (r >= 0 && state)
                r = variable ? string_list_append(environment, variable) : -ENOMEM;
        return r < 0 ? r : command_line_expand(line, &context, ret_argv, ret_error);
}

static int guard_command_start(Run *run, const CommandLine *line, const char *state, void (*done)(Run *run, const char *error),
                               GuardCommand **ret, char **ret_error)
{
        static const SpawnCallbacks callbacks = { .line = on_line, .exited = on_exited };
        const struct Environment *e = run->services->environment;
        _cleanup_(guard_command_freep) GuardCommand *g = new0(GuardCommand, 1);
        _cleanup_(words_freep) char **argv = NULL;
        _cleanup_(string_list_deinit) StringList environment = {};
        _cleanup_free_ char *directory = command_default_directory(e), *mark = xasprintf("TAKT_RUN=%llu", (unsigned long long)run->id);
        SpawnRequest request;
        int r;

        if (!g || !directory || !mark)
                return -ENOMEM;
        *g = (GuardCommand){ .run = run, .done = done, .timeout.callback = on_timeout };
        r = make_request(run, line, state, &argv, &environment, ret_error);
        if (r < 0)
                return r;
        request = (SpawnRequest){
                .argv = argv,
                .environment = environment.strings,
                .directory = directory,
                .mark = mark,
                .error_output = { .mode = SPAWN_CAPTURE },
                .set_umask = true,
                .umask = 0022,
                .kill_after = KILL_AFTER_USEC,
        };
        r = timer_arm_after(run->services->timers, &g->timeout, GUARD_COMMAND_USEC);
        if (r >= 0)
                r = spawner_start(run->services->spawner, &request, &callbacks, g, &g->command);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(g);
        return 0;
}

static void guard_command_stop(GuardCommand *g)
{
        spawned_command_stop(g->command);
}

const GuardOperations guard_commands = {
        .start = guard_command_start,
        .stop = guard_command_stop,
        .free = guard_command_free,
};
