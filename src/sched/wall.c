/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What becomes of jobs when the wall clock is set, or the machine's zone is another. Each has to be computed
 * anew, and they may be a million: that is done in turns of the loop. Nothing runs by the old clock
 * meanwhile: a job that something comes to before its turn is put on the new clock first. Where the clock
 * is set again before all have had their turn, a job goes from the clock that it saw last to the present one.
 */
#include "sched/internal.h"

#include "base/activity.h"
#include "sched/keep.h"
#include "sched/missed.h"
#include "sched/occurrence.h"

/* A turn ends after so many jobs or so long. */
#define JOBS_A_TURN 512U
#define TURN_USEC USEC_PER_MSEC

/* Settles what was due before the occurrence that waits, put off or because the loop was held up; else all. */
void wall_settle(Job *job, const ScheduleNow *now)
{
        ScheduleNow until = *now;

        if (job->paused_realtime > 0)
                return;
        if (timer_is_armed(&job->timer) && job->next_boottime <= now->boottime) {
                usec_t back = now->boottime - job->next_boottime + 1;

                until.boottime = usec_sub(until.boottime, back);
                until.realtime = usec_sub(until.realtime, back);
                /* What was due before the boot is so by the wall clock alone. */
                if (job->next_on_wall)
                        until.realtime = MIN(until.realtime, job->next_realtime - 1);
        }
        schedule_settle(&job->spec->schedule.schedule, &job->schedule, &until);
}

/* What stands on the wall clock and is due at NOW begins, also where it was put off, and by this clock. */
void wall_begin_due(Scheduler *s, Job *job, const ScheduleNow *now)
{
        if (!timer_is_armed(&job->timer) || !job->next_on_wall || job->next_boottime > now->boottime)
                return;
        timer_disarm(s->services->timers, &job->timer);
        scheduler_begin_instant(s, now);
        occurrence_on_due(&job->timer, now->boottime);
        scheduler_end_instant(s);
}

/* The clock was never right BEFORE: what was due by it begins by it, and nothing between is missed. */
static void set_first(Scheduler *s, Job *job, const ScheduleNow *before)
{
        ScheduleNow now = scheduler_now(s);

        if (job->paused_realtime == 0) {
                /* What the last daemon left is not lost by it. */
                s->clock_trusted = false;
                wall_begin_due(s, job, before);
                s->clock_trusted = true;
        }
        keep_restore_wall(s, job, &now);
}

/*
 * What JOB has not seen begins with another zone for all, which may be none for it. True: that was all. In the new
 * zone what lies before the change never was due.
 */
static bool follow_zones(Scheduler *s, Job *job, const ScheduleNow *before, bool only)
{
        Zone *zone = zones_adopt(s, job);

        if (!zone)
                return only;
        zones_begin_due(s, job, zone, before);
        if (job->paused_realtime == 0)
                job->schedule.last_realtime = MAX(job->schedule.last_realtime, before->realtime);
        return false;
}

void wall_follow_change(Scheduler *s, Job *job)
{
        const WallChange change = s->wall_changes[job->wall_seen % WALL_CHANGES_MAX];
        ScheduleNow before = { change.boottime, change.boottime + (usec_t)change.offset, s->begin_boottime }, now = scheduler_now(s);
        bool first = before.realtime < KEEP_EPOCH && s->clock_trusted, was_due, only = (uint8_t)(job->wall_seen + 1) == s->n_wall_changes;

        /* First of all: what it does may lead back to here. */
        job->wall_seen = s->n_wall_changes;
        if (change.zones && follow_zones(s, job, &before, only))
                return;
        was_due = timer_is_armed(&job->timer) && job->timer.due_boottime <= before.boottime;
        wall_settle(job, &before);
        if (first)
                set_first(s, job, &before);
        else
                schedule_clock_set(&job->schedule, &now);
        keep(s, job);
        occurrence_arm(s, job);
        /* What is overdue now is so because of the step. */
        if (!first && !was_due && job->next_on_wall && timer_is_armed(&job->timer) && job->timer.due_boottime < before.boottime)
                job->away = MISSED_STEPPED;
        occurrence_tell_end(s, job);
}

/* Goes on until LIMIT jobs are done or END. */
static void take_turn(Scheduler *s, size_t limit, usec_t end)
{
        for (; s->wall_next && limit > 0; limit--) {
                Job *job = s->wall_next;

                wall_follow(s, job);
                /* It may have moved on already, where JOB has gone. */
                if (s->wall_next == job)
                        s->wall_next = scheduler_next_job(s, job);
                if (clock_boottime(s->services->clock) >= end)
                        break;
        }
        if (s->wall_next)
                (void)timer_arm(s->services->timers, &s->wall_turn, scheduler_boottime(s));
        else
                timer_disarm(s->services->timers, &s->wall_turn);
}

void wall_on_turn(Timer *timer, _unused_ usec_t now_boottime)
{
        Scheduler *s = container_of(timer, Scheduler, wall_turn);

        if (s->shutting_down)
                return;
        activity_note("computing all calendars anew", NULL);
        take_turn(s, JOBS_A_TURN, usec_add(clock_boottime(s->services->clock), TURN_USEC));
        if (!s->wall_next && s->zones_wait)
                scheduler_zones_changed(s);
}

void wall_changed(Scheduler *s, bool zones)
{
        ScheduleNow now = scheduler_now(s);
        WallChange change = { .boottime = now.boottime, .offset = s->wall_offset, .zones = zones };

        s->turn = 0;
        if (!zones)
                s->wall_offset = (int64_t)(now.realtime - now.boottime);
        s->clock_trusted = now.realtime >= KEEP_EPOCH;
        if (!s->begun || s->shutting_down)
                return;
        /* There is no place for one more that some jobs have not seen yet. */
        if (s->wall_next && ++s->n_wall_unseen == WALL_CHANGES_MAX)
                take_turn(s, SIZE_MAX, USEC_INFINITY);
        if (!s->wall_next)
                s->n_wall_unseen = 1;
        s->wall_changes[s->n_wall_changes++ % WALL_CHANGES_MAX] = change;
        s->wall_next = scheduler_next_job(s, NULL);
        wall_on_turn(&s->wall_turn, now.boottime);
}

void scheduler_wall_clock_changed(Scheduler *s)
{
        wall_changed(s, false);
}
