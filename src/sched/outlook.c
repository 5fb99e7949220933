/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sched/outlook.h"

#include "sched/occurrence.h"
#include "sched/spread.h"

/* From O to what comes after it, which STATE looks for. */
static usec_t gap_after(const Job *job, const ScheduleState *state, const ScheduleNow *now, const JobOutlook *o)
{
        Occurrence after;

        if (schedule_next(&job->spec->schedule.schedule, state, now, &after) == 0)
                return USEC_INFINITY;
        return usec_sub(after.due_boottime, o->time.occurrence.due_boottime);
}

/* What will put O off, as far as one can tell before it is armed; the next one comes GAP later. */
static void foresee_delay(Scheduler *s, const Job *job, usec_t gap, JobOutlook *o)
{
        const ScheduleSettings *rules = &job->spec->schedule;
        usec_t room = gap == USEC_INFINITY ? gap : usec_sub(gap, 1);
        Delay delay;

        o->decided = rules->random_delay == 0 || rules->fixed_random_delay;
        if (o->decided) {
                delay = spread_delay(s, job, o->time.occurrence.due_boottime, gap, USEC_INFINITY);
                o->jitter = delay.jitter;
                o->slack = delay.slack;
        } else {
                o->jitter = MIN(rules->random_delay, room);
                o->slack = rules->accuracy > SPREAD_EXACT ? MIN(rules->accuracy, room - o->jitter) : 0;
        }
}

/* STATE is behind O. */
static void add_delay(Scheduler *s, const Job *job, const ScheduleState *state, const ScheduleNow *now, JobOutlook *o)
{
        if (occurrence_is_armed(job, &o->time.occurrence)) {
                /* All who tell of it tell the same. */
                o->time.occurrence.scheduled_realtime = job->next_realtime;
                o->decided = true;
                o->jitter = job->next_jitter;
                o->slack = usec_sub(job->timer.due_boottime, usec_add(job->next_boottime, job->next_jitter));
        } else if (spread_applies(&job->spec->schedule)) {
                foresee_delay(s, job, gap_after(job, state, now, o), o);
        } else {
                o->decided = true;
        }
}

usec_t job_outlook_earliest(const JobOutlook *o)
{
        return o->decided ? job_outlook_latest(o) : o->time.occurrence.scheduled_realtime;
}

usec_t job_outlook_latest(const JobOutlook *o)
{
        return usec_add(o->time.occurrence.scheduled_realtime, usec_add(o->jitter, o->slack));
}

bool job_outlook_is_final(const Job *job, OutlookEnd end)
{
        return outlook_end_is_for_good(end) && job->spec->schedule.on.n == 0;
}

size_t scheduler_job_outlook(Scheduler *s, const Job *job, JobOutlook *outlook, size_t n, OutlookEnd *ret_end)
{
        const Schedule *schedule = &job->spec->schedule.schedule;
        ScheduleState state = job->schedule;
        ScheduleNow now = scheduler_now(s);
        size_t found = 0;

        *ret_end = OUTLOOK_NO_TRIGGER;
        if (!s->begun || !job_has_schedule(job))
                return 0;
        while (found < n) {
                JobOutlook *o = &outlook[found];

                *o = (JobOutlook){};
                if (outlook_next(schedule, &state, &now, &o->time) == 0)
                        break;
                add_delay(s, job, &state, &now, o);
                found++;
        }
        *ret_end = found == n ? OUTLOOK_GOES_ON : outlook_end(schedule, &state, &now);
        return found;
}
