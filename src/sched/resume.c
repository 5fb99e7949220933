/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs that go on from one daemon to the next: left by the one, taken up by the other. */
#include "sched/internal.h"
#include "sched/keep.h"

static int take_note(Run *run, const RunNote *note)
{
        if (requester_is_known(&note->started_by) && run_story(run))
                run->extra->story->started_by = note->started_by;
        run->trigger = note->trigger;
        run->attempts = note->attempts;
        run->origin = note->origin;
        run->cause = job_spec_trigger_by_id(run->spec, note->cause);
        run->scheduled_realtime = note->scheduled_realtime;
        run->created_realtime = note->created_realtime;
        run->started_realtime = note->started_realtime;
        run->due_boottime = note->due_boottime;
        run->started_boottime = note->started_boottime;
        return note->params ? run_set_params(run, note->params) : 0;
}

/* NULL: its runs can go on. */
static const char *why_not(const JobSpec *spec)
{
        if (!spec->kind->resume)
                return "the job is of another kind now";
        if (spec->kind->can_resume && !spec->kind->can_resume(spec))
                return "the job begins its commands in another way now";
        return job_spec_is_guarded(spec) ? "the job has Use=, Enter= or Exit= now" : NULL;
}

int scheduler_can_resume(Scheduler *s, const char *name, const char **ret_why)
{
        Job *job;
        int r;

        *ret_why = NULL;
        r = scheduler_find_or_make_job(s, name, &job);
        if (r < 0)
                return r;
        *ret_why = why_not(job->spec);
        scheduler_release_job(s, job);
        return *ret_why ? -EOPNOTSUPP : 0;
}

static int resume(Scheduler *s, Job *job, const RunNote *note, bool stopping, void *survivor)
{
        Run *run;
        int r;

        if (why_not(job->spec))
                return -EOPNOTSUPP;
        r = runs_new(s, job, note->id, &run);
        if (r < 0)
                return r;
        r = take_note(run, note);
        if (r < 0) {
                runs_leave(s, run);
                return r;
        }
        /*
         * Who wanted its end is not remembered, nor whether its time had passed before. One that nobody
         * wanted ends by its timeout.
         */
        run->unwanted = note->unwanted ? RUN_STOP_CANCEL : RUN_STOP_NONE;
        execute_go_on(s, run);
        if (stopping)
                run->stop = note->unwanted ? RUN_STOP_CANCEL : RUN_STOP_TIMEOUT;
        run->kind_done = false;
        r = run->spec->kind->resume(run, survivor);
        if (r < 0) {
                runs_leave(s, run);
                return r;
        }
        schedule_run_started(&job->schedule);
        keep(s, job);
        execute_went_on(s, run, note->attempt_boottime);
        /* That was noted, and then the process ended before it could ask the kind. */
        if (note->unwanted && !stopping)
                stop_run(s, run, RUN_STOP_CANCEL);
        return 0;
}

int scheduler_resume_run(Scheduler *s, const char *name, const RunNote *note, bool stopping, void *survivor)
{
        Job *job;
        int r;

        if (scheduler_find_run(s, note->id))
                return -EEXIST;
        r = scheduler_find_or_make_job(s, name, &job);
        if (r < 0)
                return r;
        r = resume(s, job, note, stopping, survivor);
        if (r < 0)
                scheduler_release_job(s, job);
        return r;
}

void scheduler_leave(Scheduler *s)
{
        Run *run;

        s->shutting_down = true;
        s->shutdown_done = NULL;
        timer_disarm(s->services->timers, &s->pump);
        while ((run = RB_MIN(RunTree, &s->runs)))
                runs_leave(s, run);
}
