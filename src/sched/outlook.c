/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sched/outlook.h"

#include "sched/spread.h"

/* What will put O off, as far as one can tell before it is armed. */
static void foresee_delay(Scheduler *s, const Job *job, JobOutlook *o)
{
        const ScheduleSettings *rules = &job->spec->schedule;
        const Occurrence *occurrence = &o->time.occurrence;

        if (timer_is_armed(&job->timer) && job->next_realtime == occurrence->scheduled_realtime) {
                o->decided = true;
                o->jitter = job->next_jitter;
                o->slack = usec_sub(job->timer.due_boottime, usec_add(job->next_boottime, job->next_jitter));
                return;
        }
        o->jitter = rules->fixed_random_delay ? spread_jitter(s, job, rules->random_delay) : rules->random_delay;
        o->slack = rules->accuracy > SPREAD_EXACT ? rules->accuracy : 0;
        o->decided = (rules->fixed_random_delay || rules->random_delay == 0) && o->slack == 0;
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
                foresee_delay(s, job, o);
                found++;
        }
        *ret_end = found == n ? OUTLOOK_GOES_ON : outlook_end(schedule, &state, &now);
        return found;
}
