/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each job has one timer, armed for its next occurrence. When it fires, that one is taken, the next is
 * computed and armed, and only then a run begins: what a run does can't shift the grid. What it takes
 * while a job waits is kept in the job, so that a due time costs one search and no second one. Where the
 * time is long past, or the next one is due as well, sched/missed.c decides.
 */
#include "sched/occurrence.h"

#include "base/log.h"
#include "base/string-util.h"
#include "sched/keep.h"
#include "sched/missed.h"
#include "sched/outlook.h"
#include "sched/spread.h"

static const Schedule *job_schedule(const Job *job)
{
        return &job->spec->schedule.schedule;
}

/* From NEXT to the one after it, as far as one can tell now. */
static usec_t gap_after(const Job *job, const ScheduleNow *now, const Occurrence *next)
{
        ScheduleState state = job->schedule;
        Occurrence after;

        schedule_take(job_schedule(job), &state, now, next);
        state.count++;
        /* Where the search gave up, it is no less than that. */
        if (schedule_next(job_schedule(job), &state, now, &after) == 0)
                return USEC_INFINITY;
        return usec_sub(after.due_boottime, next->due_boottime);
}

bool occurrence_is_armed(const Job *job, const Occurrence *o)
{
        if (!timer_is_armed(&job->timer) || job->next_realtime == USEC_INFINITY ||
            job->next_on_wall != (o->clock == SCHEDULE_CLOCK_WALL))
                return false;
        /* A delay that ends with what Exclude= covers stands on the wall clock, too. */
        return job->next_realtime == o->scheduled_realtime || (!job->next_on_wall && job->next_boottime == o->due_boottime);
}

static void arm_for(Scheduler *s, Job *job, const ScheduleNow *now, const Occurrence *next)
{
        usec_t due = next->due_boottime;
        Delay delay = {};

        if (spread_applies(&job->spec->schedule)) {
                /* One that is computed anew keeps its place. */
                bool same = occurrence_is_armed(job, next);

                delay = spread_delay(s, job, due, gap_after(job, now, next), same ? job->next_jitter : USEC_INFINITY);
                due = usec_add(usec_add(due, delay.jitter), delay.slack);
        }
        job->next_realtime = next->scheduled_realtime;
        job->next_boottime = next->due_boottime;
        job->next_jitter = delay.jitter;
        job->next_trigger = (uint8_t)next->trigger;
        job->next_on_wall = next->clock == SCHEDULE_CLOCK_WALL;
        job->finished = false;
        (void)timer_arm(s->services->timers, &job->timer, due);
        scheduler_count_state(s, job);
}

/* So much is excluded that the search gave up at FROM: it goes on when that time comes. */
static void arm_to_look_again(Scheduler *s, Job *job, const Occurrence *from)
{
        job->next_realtime = USEC_INFINITY;
        job->next_boottime = from->due_boottime;
        job->next_jitter = 0;
        job->next_trigger = (uint8_t)from->trigger;
        job->next_on_wall = from->clock == SCHEDULE_CLOCK_WALL;
        (void)timer_arm(s->services->timers, &job->timer, from->due_boottime);
        scheduler_count_state(s, job);
}

static void disarm(Scheduler *s, Job *job)
{
        job->next_realtime = USEC_INFINITY;
        timer_disarm(s->services->timers, &job->timer);
        scheduler_count_state(s, job);
}

/* R is what schedule_next() said. */
static void arm(Scheduler *s, Job *job, const ScheduleNow *now, int r, const Occurrence *next)
{
        if (r > 0)
                arm_for(s, job, now, next);
        else if (r < 0)
                arm_to_look_again(s, job, next);
        else
                disarm(s, job);
}

void occurrence_arm(Scheduler *s, Job *job)
{
        ScheduleNow now = scheduler_now(s);
        Occurrence next;
        int r = 0;

        if (s->begun && !s->shutting_down && job_has_schedule(job) && job->spec->job.enabled &&
            job->paused_realtime == 0)
                r = schedule_next(job_schedule(job), &job->schedule, &now, &next);
        arm(s, job, &now, r, &next);
}

/* What the timer is armed for. */
static Occurrence armed(const Job *job)
{
        return (Occurrence){
                .due_boottime = job->next_boottime,
                .scheduled_realtime = job->next_realtime,
                .trigger = job->next_trigger,
                .clock = job->next_on_wall ? SCHEDULE_CLOCK_WALL : SCHEDULE_CLOCK_BOOT,
        };
}

/* What comes after DUE. The same instant on the other clock is the same occurrence, and taken with it. */
static int next_instant(Job *job, const ScheduleNow *now, const Occurrence *due, Occurrence *ret)
{
        int r;

        while ((r = schedule_next(job_schedule(job), &job->schedule, now, ret)) > 0 &&
               ret->due_boottime == due->due_boottime && ret->scheduled_realtime == due->scheduled_realtime)
                schedule_take(job_schedule(job), &job->schedule, now, ret);
        return r;
}

/* What lies before the place where the search gave up is none of the schedule's. */
static void look_again(Scheduler *s, Job *job, const ScheduleNow *now)
{
        Occurrence from = armed(job);
        int64_t offset = (int64_t)(now->realtime - now->boottime);

        /* Where the wall clock was set and nobody has told yet, less is sure. */
        from.scheduled_realtime = from.due_boottime + (usec_t)MIN(offset, s->wall_offset);
        if (from.clock != SCHEDULE_CLOCK_WALL || from.scheduled_realtime > job->schedule.last_realtime)
                schedule_pass(job_schedule(job), &job->schedule, now, &from);
        keep(s, job);
        occurrence_arm(s, job);
        occurrence_tell_end(s, job);
}

void occurrence_on_due(Timer *timer, usec_t now_boottime)
{
        Job *job = container_of(timer, Job, timer);
        Scheduler *s = job->scheduler;
        ScheduleNow now = scheduler_timer_now(s, now_boottime);
        ScheduleState before = job->schedule;
        Occurrence due = armed(job), next;
        usec_t delay = timer->due_boottime - due.due_boottime;
        RunRequest request = {
                .trigger = scheduler_run_trigger(job, due.trigger),
                .scheduled_realtime = due.scheduled_realtime,
                .due_boottime = due.due_boottime,
                .jitter = job->next_jitter,
                .slack = delay - job->next_jitter,
                .cause = job_spec_trigger(job->spec, due.trigger),
        };
        int r;

        if (s->shutting_down)
                return;
        /* It is to come by the clock as it is now; until that is known, it waits. */
        if (job->wall_seen != s->n_wall_changes) {
                (void)timer_arm(s->services->timers, timer, timer->due_boottime);
                wall_follow(s, job);
                return;
        }
        if (job->next_realtime == USEC_INFINITY) {
                look_again(s, job, &now);
                return;
        }
        /* The wall clock was set back. */
        if (due.clock == SCHEDULE_CLOCK_WALL && now.realtime < due.scheduled_realtime) {
                occurrence_arm(s, job);
                return;
        }
        schedule_take(job_schedule(job), &job->schedule, &now, &due);
        job->schedule.count++;
        schedule_run_started(&job->schedule);
        r = next_instant(job, &now, &due, &next);
        arm(s, job, &now, r, &next);
        if ((timer_is_armed(timer) && timer->due_boottime <= now.boottime) ||
            usec_sub(missed_lateness(&due, &now), delay) > usec_add(MISSED_GRACE, job->spec->schedule.accuracy)) {
                job->schedule = before;
                missed_account(s, job, &now, job->away);
                return;
        }
        keep(s, job);
        s->statistics.n_due++;
        job->away = MISSED_AWAY;
        scheduler_begin_instant(s, &now);
        r = scheduler_run(s, job, &request, NULL);
        scheduler_end_instant(s);
        if (r < 0) {
                log_errno(LOG_ERR, r, "%s: an occurrence was lost: %m", job->name);
                scheduler_job_run_ended(s, job);
        }
}

void occurrence_tell_end(Scheduler *s, Job *job)
{
        static const char never[] = "never due again: ";
        char message[sizeof(never) + OUTLOOK_TEXT_MAX];
        OutlookEnd end;
        ScheduleNow now;

        if (job->finished || timer_is_armed(&job->timer) || job->n_runs > 0 || job->catch_up || job->deciding ||
            job_schedule(job)->n_triggers == 0 || !job_has_schedule(job) || !job->spec->job.enabled || job->paused_realtime > 0 ||
            !s->begun || s->shutting_down)
                return;
        now = scheduler_now(s);
        end = outlook_end(job_schedule(job), &job->schedule, &now);
        if (!job_outlook_is_final(job, end))
                return;
        job->finished = true;
        /* A million may end together. */
        (void)stpcpy(stpcpy(message, never), outlook_end_to_text(end));
        scheduler_emit_job(s, job, EVENT_FINISHED, message);
}
