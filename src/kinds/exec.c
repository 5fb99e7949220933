/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Type=exec: a command, by one of the start methods. */

#include "kinds/environment-fetch.h"
#include "kinds/exec.h"
#include "kinds/kinds.h"

/* The state of the method, then what is needed before that begins. */
typedef struct ExecRun {
        char method[EXEC_RUN_SIZE_MAX];
        EnvironmentFetch *fetch;
} ExecRun;

static const ExecMethod *const methods[_EXEC_START_METHOD_MAX] = {
        [EXEC_SPAWN] = &exec_by_spawn,
        [EXEC_POOL] = &exec_by_pool,
        [EXEC_UNIT] = &exec_by_unit,
};

static const ExecMethod *method_of(const Run *run)
{
        const ExecConfig *config = run_config(run);

        return methods[config->start_method];
}

const StringList *exec_assignments(Run *run)
{
        const ExecRun *state = run_state(run);

        return environment_fetch_result(state->fetch);
}

static void exec_start(Run *run)
{
        const ExecMethod *method = method_of(run);
        const ExecConfig *config = run_config(run);
        ExecRun *state = run_state(run);

        if ((method->is_prepared && method->is_prepared(run)) ||
            environment_fetch_start(run, &config->environment_files, method->start, &state->fetch) == 0)
                method->start(run);
}

static int exec_resume(Run *run, void *survivor)
{
        return method_of(run)->resume(run, survivor);
}

static bool exec_can_resume(const JobSpec *spec)
{
        const ExecConfig *config = spec->config;

        return methods[config->start_method]->resume;
}

static void exec_cancel(Run *run)
{
        ExecRun *state = run_state(run);

        if (!environment_fetch_is_under_way(state->fetch)) {
                method_of(run)->cancel(run);
                return;
        }
        state->fetch = environment_fetch_free(state->fetch);
        run_fail(run, "cancelled", "ended before its time");
}

static char *exec_details(const Run *run)
{
        const ExecMethod *method = method_of(run);

        return method->details ? method->details(run) : NULL;
}

static void exec_reset(Run *run)
{
        ExecRun *state = run_state(run);

        state->fetch = environment_fetch_free(state->fetch);
        method_of(run)->reset(run);
}

const JobKind exec_kind = {
        .name = "exec",
        .help = "Runs a command.",
        .section = &exec_section,
        .load = exec_config_load,
        .needs = exec_needs,
        .unload = exec_config_unload,
        .run_size = sizeof(ExecRun),
        .start = exec_start,
        .resume = exec_resume,
        .can_resume = exec_can_resume,
        .cancel = exec_cancel,
        .details = exec_details,
        .reset = exec_reset,
};
