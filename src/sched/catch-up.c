/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sched/catch-up.h"

#include "base/log.h"
#include "job/stamp.h"
#include "sched/missed.h"
#include "sched/spread.h"

typedef struct CatchUp {
        Timer timer;
        Job *job;
        List link; /* of all that catch up */
        unsigned first, n;
        ScheduleTime times[]; /* the oldest first */
} CatchUp;

static void on_catch_up(Timer *timer, usec_t now_boottime);

void catch_up_keep(const Job *job)
{
        if (job->stamp)
                job->stamp->n_catch_up = job->catch_up ? job->catch_up->n : 0;
}

/* The next free place in the pace of all jobs. */
static usec_t take_place(Scheduler *s)
{
        usec_t place = MAX(scheduler_boottime(s), s->catch_up_boottime);

        s->catch_up_boottime = usec_add(place, CATCH_UP_INTERVAL);
        return place;
}

void catch_up_advance(Scheduler *s, Job *job)
{
        usec_t jitter;

        if (!job->catch_up || timer_is_armed(&job->catch_up->timer) || job->n_runs > 0 || s->shutting_down)
                return;
        jitter = spread_jitter(s, job, job->spec->schedule.random_delay);
        (void)timer_arm(s->services->timers, &job->catch_up->timer, usec_add(take_place(s), jitter));
}

void catch_up_free(Scheduler *s, Job *job)
{
        CatchUp *c = TAKE_PTR(job->catch_up);

        if (!c)
                return;
        timer_disarm(s->services->timers, &c->timer);
        list_unlink(&c->link);
        free(c);
        s->n_catch_ups--;
        catch_up_keep(job);
        scheduler_count_state(s, job);
}

size_t scheduler_n_catch_ups(const Job *job, usec_t *ret_realtime)
{
        const CatchUp *c = job->catch_up;
        const Scheduler *s = job->scheduler;

        if (ret_realtime)
                *ret_realtime = c && timer_is_armed(&c->timer) ?
                                        usec_add(scheduler_realtime(s), usec_sub(c->timer.due_boottime, scheduler_boottime(s))) : 0;
        return c ? c->n : 0;
}

/* The N oldest that are left. */
static void record(Scheduler *s, Job *job, RunState state, unsigned n, const char *kind, const char *why)
{
        const CatchUp *c = job->catch_up;
        MissedRun missed = {
                .n = n,
                .first_realtime = c->times[c->first].scheduled_realtime,
                .last_realtime = c->times[c->first + n - 1].scheduled_realtime,
                .cause = job_spec_trigger(job->spec, c->times[c->first + n - 1].trigger),
                .state = state,
                .kind = kind,
                .why = why,
        };

        missed_record(s, job, &missed);
}

void catch_up_drop(Scheduler *s, Job *job, RunState state, const char *kind, const char *why)
{
        if (!job->catch_up)
                return;
        record(s, job, state, job->catch_up->n, kind, why);
        catch_up_free(s, job);
}

void catch_up_drop_all(Scheduler *s, const char *kind, const char *why)
{
        CatchUp *c;

        while ((c = list_first(&s->catch_ups, CatchUp, link)))
                catch_up_drop(s, c->job, RUN_MISSED, kind, why);
}

static void on_catch_up(Timer *timer, _unused_ usec_t now_boottime)
{
        CatchUp *c = container_of(timer, CatchUp, timer);
        Job *job = c->job;
        Scheduler *s = job->scheduler;
        const ScheduleTime *time = &c->times[c->first];
        RunRequest request = {
                .trigger = RUN_TRIGGER_CATCH_UP,
                .scheduled_realtime = time->scheduled_realtime,
                .cause = job_spec_trigger(job->spec, time->trigger),
        };
        int r;

        /* A run by schedule or by hand came first: its end calls for this one again. */
        if (job->n_runs > 0)
                return;
        c->first++;
        c->n--;
        catch_up_keep(job);
        if (c->n == 0)
                catch_up_free(s, job);
        r = scheduler_run(s, job, &request, NULL);
        if (r < 0) {
                log_errno(LOG_ERR, r, "%s: an occurrence was not caught up on: %m", job->name);
                catch_up_advance(s, job);
        }
}

int catch_up_add(Scheduler *s, Job *job, const ScheduleTime *times, size_t n)
{
        size_t left = job->catch_up ? job->catch_up->n : 0, excess = left + n > CATCH_UP_MAX ? left + n - CATCH_UP_MAX : 0;
        CatchUp *c;
        int r;

        if (n == 0)
                return 0;
        s->n_catch_ups++;
        r = scheduler_reserve_timers(s);
        c = r < 0 ? NULL : calloc(1, sizeof(*c) + (left + n - excess) * sizeof(ScheduleTime));
        if (!c) {
                s->n_catch_ups--;
                return -ENOMEM;
        }
        c->timer.callback = on_catch_up;
        c->job = job;
        if (left > 0) {
                const CatchUp *old = job->catch_up;

                if (excess > 0)
                        record(s, job, RUN_MISSED, (unsigned)MIN(excess, left), "late", "were too many to catch up on");
                left -= MIN(excess, left);
                memcpy(c->times, old->times + old->first + (old->n - left), left * sizeof(ScheduleTime));
                catch_up_free(s, job);
        }
        memcpy(c->times + left, times, n * sizeof(ScheduleTime));
        c->n = (unsigned)(left + n);
        list_append(&s->catch_ups, &c->link);
        job->catch_up = c;
        catch_up_keep(job);
        scheduler_count_state(s, job);
        catch_up_advance(s, job);
        return 0;
}
