/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Definitions are shared and don't change, but for the zone that they stand on: it is the machine's, not
 * theirs.
 */
#include "base/log.h"
#include "sched/internal.h"

/* Begins what is due by now, also where it is put off: in the new zone it never was. */
static void run_due(Scheduler *s)
{
        ScheduleNow now = scheduler_now(s);

        for (Job *job = NULL; (job = scheduler_next_job(s, job));) {
                wall_follow(s, job);
                wall_begin_due(s, job, &now);
        }
}

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

static bool adopt_zones(Scheduler *s)
{
        bool changed = false;
        for (Job *job = NULL; (job = scheduler_next_job(s, job));) {
                Schedule *schedule = &job->spec->schedule.schedule;
                _cleanup_zone_ Zone *zone = load(job);

                if (!zone || zone == schedule->zone)
                        continue;
                changed = changed || !zone_equal(zone, schedule->zone);
                schedule_set_zone(schedule, zone);
        }
        return changed;
}

static bool zones_are_other(Scheduler *s)
{
        for (Job *job = NULL; (job = scheduler_next_job(s, job));) {
                _cleanup_zone_ Zone *zone = load(job);

                if (zone && !zone_equal(zone, job->spec->schedule.schedule.zone))
                        return true;
        }
        return false;
}

void scheduler_zones_changed(Scheduler *s)
{
        if (!zones_are_other(s))
                return;
        if (s->begun)
                run_due(s);
        if (adopt_zones(s))
                wall_changed(s, true);
}
