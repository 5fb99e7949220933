/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Type=exec: a command, by one of the start methods. */

#include "kinds/exec.h"
#include "kinds/kinds.h"

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

static void exec_start(Run *run)
{
        method_of(run)->start(run);
}

static int exec_resume(Run *run, void *survivor)
{
        const ExecMethod *method = method_of(run);

        return method->resume ? method->resume(run, survivor) : -EOPNOTSUPP;
}

static void exec_cancel(Run *run)
{
        method_of(run)->cancel(run);
}

static char *exec_details(const Run *run)
{
        const ExecMethod *method = method_of(run);

        return method->details ? method->details(run) : NULL;
}

static void exec_reset(Run *run)
{
        method_of(run)->reset(run);
}

const JobKind exec_kind = {
        .name = "exec",
        .help = "Runs a command.",
        .section = &exec_section,
        .load = exec_config_load,
        .unload = exec_config_unload,
        .run_size = EXEC_RUN_SIZE_MAX,
        .start = exec_start,
        .resume = exec_resume,
        .cancel = exec_cancel,
        .details = exec_details,
        .reset = exec_reset,
};
