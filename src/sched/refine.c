/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sched/refine.h"

#include "job/refine.h"
#include "job/spec.h"

static RefineCall **step(Run *run)
{
        return run_state(run);
}

/* What a program says may quote anything that it saw. */
static void fail(Run *run, const char *kind, const char *message)
{
        _cleanup_free_ char *shown = strdup(message);
        size_t n = shown ? strlen(shown) : 0;

        if (shown)
                run_redact(run, shown, &n);
        run->failed = true;
        run_set_error(run, kind, shown);
}

static void on_done(Run *run, const char *kind, const char *message)
{
        *step(run) = NULL;
        run->refining = false;
        if (kind)
                fail(run, kind, message);
        execute_refined(run->job->scheduler, run);
}

void refine_reset(Run *run)
{
        if (run->refining)
                *step(run) = run->services->refine->stop(*step(run));
        else if (!run->kind_done && run->spec->kind->reset)
                run->spec->kind->reset(run);
        run->refining = false;
        run->kind_done = true;
}

void refine_stop(Run *run)
{
        refine_reset(run);
        run->failed = true;
}

/* Why it could not begin. */
static void fail_to_begin(Run *run, int r)
{
        run_set_result(run, NULL, 0);
        if (r == -EILSEQ)
                fail(run, "bad-json", "not JSON: there is a control character in it");
        else if (r == -EAGAIN)
                fail(run, "too-many-runs", "as many results wait for takt-worker as may be");
        else
                fail(run, r == -ENOMEM ? "memory" : "helper", strerror(-r));
}

bool refine_begin(Run *run)
{
        int r;

        if (run->failed || run->kind_done || !(run->undecoded || run->spec->result.filter.program))
                return false;
        refine_reset(run);
        *step(run) = NULL;
        r = run->services->refine ? run->services->refine->start(run, on_done, step(run)) : -EOPNOTSUPP;
        run->undecoded = false;
        if (r < 0)
                fail_to_begin(run, r);
        else
                run->refining = true;
        return r >= 0;
}
