/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sched/keep.h"

#include "sched/catch-up.h"
#include "sched/missed.h"

void keep_open(Scheduler *s, Job *job)
{
        StampStore *stamps = s->services->stamps;

        if (!job_has_schedule(job) || !job->spec->schedule.resume || job->spec->schedule.schedule.n_triggers == 0)
                keep_drop(s, job);
        else if (!job->stamp && stamps)
                job->stamp = stamp_store_get(stamps, job->name);
}

void keep_drop(Scheduler *s, Job *job)
{
        if (job->stamp)
                stamp_store_drop(s->services->stamps, job->stamp);
        job->stamp = NULL;
}

void keep_anew(const Scheduler *s, const Job *job)
{
        ScheduleStamp *stamp = job->stamp;
        uint64_t schedule;

        if (!stamp)
                return;
        schedule = stamp_store_hash(s->services->stamps, job->spec->schedule_identity);
        /* Of another schedule; by a clock that can't be trusted it is not replaced. */
        if (stamp->schedule != schedule)
                stamp->last_realtime = 0;
        stamp->schedule = schedule;
        stamp->anchor_boottime = job->schedule.anchor_boottime;
        keep(s, job);
        /* What passes while a job is off was never due. */
        if (!job->spec->job.enabled)
                stamp->anchor_boottime = stamp->last_realtime = 0;
}

/* The triggers that run once, and not once with each daemon. */
static uint64_t once_mask(const Schedule *schedule)
{
        uint64_t mask = 0;

        for (size_t i = 0; i < schedule->n_triggers; i++)
                if (schedule->triggers[i].type == TRIGGER_AT)
                        mask |= UINT64_C(1) << i;
        return mask;
}

static bool is_past(usec_t boottime, const ScheduleNow *now)
{
        return boottime <= now->boottime || boottime == USEC_INFINITY;
}

static void restore_boot(const ScheduleStamp *stamp, ScheduleState *state, const ScheduleNow *now)
{
        if (stamp->anchor_boottime == 0 || stamp->anchor_boottime > now->boottime || !is_past(stamp->last_boottime, now) ||
            !is_past(stamp->ended_boottime, now))
                return;
        state->anchor_boottime = stamp->anchor_boottime;
        state->last_boottime = stamp->last_boottime;
        /* A run that was under way has ended with the daemon. */
        state->ended_boottime = MIN(stamp->ended_boottime, now->boottime);
}

void keep_restore_wall(Scheduler *s, Job *job, const ScheduleNow *now)
{
        const ScheduleStamp *stamp = job->stamp;

        job->schedule.last_realtime = now->realtime;
        job->schedule.ahead = false;
        if (!s->clock_trusted || !stamp || stamp->last_realtime < KEEP_EPOCH ||
            stamp->last_realtime > usec_add(now->realtime, SCHEDULE_STEP_BACK_MAX))
                return;
        job->schedule.last_realtime = stamp->last_realtime;
        job->away = MISSED_STOPPED;
}

Job *scheduler_keep_again(Scheduler *s, const char *after, size_t max)
{
        Job *last = NULL;

        for (Job *job = scheduler_job_after(s, after); job && max > 0; job = scheduler_next_job(s, job), max--) {
                last = job;
                if (!job->stamp)
                        continue;
                stamp_store_name(s->services->stamps, job->stamp, job->name);
                if (job->stamp->schedule != 0)
                        continue;
                keep_anew(s, job);
                catch_up_keep(job);
        }
        return last;
}

void keep_restore(Scheduler *s, Job *job, const ScheduleNow *now)
{
        const ScheduleStamp *stamp = job->stamp;
        const Schedule *schedule = &job->spec->schedule.schedule;
        ScheduleStamp old;

        if (!stamp)
                return;
        old = *stamp;
        if (job->spec->job.enabled && stamp->schedule == stamp_store_hash(s->services->stamps, job->spec->schedule_identity)) {
                restore_boot(stamp, &job->schedule, now);
                keep_restore_wall(s, job, now);
                job->schedule.done = stamp->done & once_mask(schedule);
                job->schedule.count = stamp->count;
                job->away = MISSED_STOPPED;
        } else {
                old = (ScheduleStamp){};
        }
        keep_anew(s, job);
        /* Until the clock can be trusted, what the last daemon left is not lost. */
        if (!s->clock_trusted)
                job->stamp->last_realtime = old.last_realtime;
        job->stamp->n_catch_up = 0;
        if (old.n_catch_up > 0) {
                job->deciding = true;
                missed_record(s, job, &(MissedRun){
                                              .n = old.n_catch_up,
                                              .first_realtime = old.last_realtime,
                                              .last_realtime = old.last_realtime,
                                              .state = RUN_MISSED,
                                              .kind = "stopped",
                                              .why = "had not been caught up on when the daemon ended",
                                      });
                job->deciding = false;
        }
}
