/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What never began, or ended with an earlier daemon, is told and kept like any run. */
#include "sched/internal.h"

#include "sched/guard.h"
#include "sched/spread.h"

int record_occurrence(Scheduler *s, Job *job, RunState state, const RunRequest *when, const char *kind,
                      const char *message, char *details)
{
        Run *run;
        int r = runs_new(s, job, 0, &run);

        if (r < 0) {
                free(details);
                return r;
        }
        run_set_details(run, details);
        run->trigger = RUN_TRIGGER_SCHEDULE;
        run->scheduled_realtime = when->scheduled_realtime;
        run->cause = when->cause;
        run_set_error(run, kind, message);
        execute_finish(s, run, state);
        return 0;
}

int record_refused(Scheduler *s, Job *job, const RunRequest *request, RunState state, const char *kind,
                   const char *message)
{
        Run *run;
        int r = runs_new(s, job, 0, &run);

        if (r < 0)
                return r;
        run->trigger = request->trigger;
        run->scheduled_realtime = request->scheduled_realtime;
        run->cause = request->cause;
        run->origin = request->origin;
        run->event_depth = request->event_depth;
        triggers_note_causes(run, request->causes);
        run_set_error(run, kind, message);
        execute_finish(s, run, state);
        return 0;
}

/*
 * RUN began so, in an earlier process. How late that was is known by the wall clock alone, and not where nobody knows how
 * far it was put off.
 */
static void restore_start(Scheduler *s, Run *run, usec_t started_realtime)
{
        usec_t since_start = usec_sub(scheduler_realtime(s), started_realtime);

        run->started_realtime = started_realtime;
        run->started_boottime = usec_sub(scheduler_boottime(s), since_start);
        if (spread_applies(&run->spec->schedule))
                run->due_boottime = USEC_INFINITY;
        else if (run->scheduled_realtime > 0)
                run->due_boottime = usec_sub(run->started_boottime, usec_sub(started_realtime, run->scheduled_realtime));
}

int scheduler_end_left(Scheduler *s, Job *job, const RunRequest *request, const LeftRun *left)
{
        Run *run;
        int r;

        r = runs_new(s, job, left->id, &run);
        if (r < 0)
                return r;
        run->trigger = request->trigger;
        run->cause = request->cause;
        run->origin = request->origin;
        run->event_depth = request->event_depth;
        run->scheduled_realtime = request->scheduled_realtime;
        if (left->started_realtime > 0)
                restore_start(s, run, left->started_realtime);
        run->attempts = left->attempts;
        if (request->params)
                (void)run_set_params(run, request->params);
        run_set_error(run, left->kind, left->message);
        if (left->entered.n_resources > 0 || left->entered.job) {
                r = guard_restore(s, run, left->entered);
                if (r < 0) {
                        runs_leave(s, run);
                        return r;
                }
                execute_go_on(s, run);
        }
        execute_finish(s, run, left->state);
        return 0;
}
