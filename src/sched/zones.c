/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Definitions are shared and don't change, but for the zone that they stand on: it is the machine's, not theirs.
 * Jobs follow a change of zones as one of the wall clock, in its turns (wall.c): each loads its definition's zone
 * anew, and those whose zone tells the same times as before are left alone. What was due begins by the old zone,
 * which a definition keeps for those who share it and have not had their turn.
 *
 * Only when all have followed what came before does such a change begin, so it is always the first that a job
 * has not seen: zone and clock never have to be taken apart.
 */
#include "sched/internal.h"

#include "base/log.h"

/* The zone of SCHEDULE as it is now. NULL: it can't be had, and stays. */
static Zone *load(const Job *job)
{
        const Schedule *schedule = &job->spec->schedule.schedule;
        WhenError error = {};
        Zone *zone = NULL;

        if (schedule->zone && zone_load(schedule->zone_is_machine ? ZONE_LOCAL : zone_name(schedule->zone), &zone, &error) < 0)
                log_warning("%s: its time zone stays as it was: %s", job->name, error.message);
        return zone;
}

Zone *zones_adopt(Scheduler *s, Job *job)
{
        Schedule *schedule = &job->spec->schedule.schedule;
        _cleanup_zone_ Zone *zone = schedule->zone_change == s->n_zone_changes ? NULL : load(job);

        return schedule_change_zone(schedule, zone, s->n_zone_changes);
}

void zones_begin_due(Scheduler *s, Job *job, Zone *before, const ScheduleNow *now)
{
        JobSpec *spec = job_spec_ref(job->spec);
        Schedule *schedule = &spec->schedule.schedule;
        Zone *zone = zone_ref(schedule->zone);

        schedule_set_zone(schedule, before);
        wall_begin_due(s, job, now);
        schedule_set_zone(schedule, zone);
        zone_unref(zone);
        job_spec_unref(spec);
}

/* Nothing is in force yet, so nothing has to be begun or computed. */
static void adopt_all(Scheduler *s)
{
        for (Job *job = NULL; (job = scheduler_next_job(s, job));)
                (void)zones_adopt(s, job);
}

void scheduler_zones_changed(Scheduler *s)
{
        if (s->wall_next) {
                s->zones_wait = true;
                return;
        }
        s->zones_wait = false;
        s->n_zone_changes++;
        if (s->begun)
                wall_changed(s, true);
        else
                adopt_all(s);
}
