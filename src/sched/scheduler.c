/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Jobs and their times. Each job has one timer, armed for its next occurrence. When it fires, all
 * that is due by now is taken, the next occurrence is computed and armed, and only then a run
 * begins: what a run does can't shift the grid. Of several occurrences that are due at once (the
 * machine slept, the loop was held up) the latest runs and the others are recorded as missed.
 */
#include "sched/internal.h"

#include <assert.h>
#include <stdio.h>

#include "base/log.h"
#include "base/string-util.h"
#include "when/timespan.h"

/* Occurrences on the wall clock that are counted one by one when time was lost; beyond it is "more than". */
#define MISSED_COUNTED_MAX 10000U

static int job_compare(const Job *a, const Job *b)
{
        return strcmp(a->name, b->name);
}

TREE_GENERATE(JobTree, Job, by_name, job_compare)

static void set_limits(Scheduler *s, const SchedulerLimits *limits)
{
        s->limits = limits ? *limits : (SchedulerLimits){};
        s->limits.max_runs = s->limits.max_runs ?: SCHEDULER_MAX_RUNS;
        s->limits.max_queued = s->limits.max_queued ?: SCHEDULER_MAX_QUEUED;
}

int scheduler_new(const Services *services, EventBus *events, RunIds *ids, const SchedulerLimits *limits, Scheduler **ret)
{
        Scheduler *s = new0(Scheduler, 1);

        if (!s)
                return -ENOMEM;
        s->services = services;
        s->events = events;
        s->ids = ids;
        s->pump.callback = execute_on_pump;
        set_limits(s, limits);
        s->random = s->limits.seed ?: 1;
        RB_INIT(&s->jobs);
        RB_INIT(&s->runs);
        list_init(&s->queue);
        *ret = s;
        return 0;
}

Scheduler *scheduler_free(Scheduler *s)
{
        Job *job, *next;

        if (!s)
                return NULL;
        assert(s->n_unfinished == 0);
        RB_FOREACH_SAFE(job, JobTree, &s->jobs, next) {
                RB_REMOVE(JobTree, &s->jobs, job);
                timer_disarm(s->services->timers, &job->timer);
                job_free(job);
        }
        timer_disarm(s->services->timers, &s->pump);
        free(s);
        return NULL;
}

void scheduler_set_limits(Scheduler *s, const SchedulerLimits *limits)
{
        set_limits(s, limits);
        if (!list_is_empty(&s->queue) && !timer_is_armed(&s->pump))
                (void)timer_arm(s->services->timers, &s->pump, scheduler_boottime(s));
}

/* xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled", 2016. */
uint64_t scheduler_random(Scheduler *s)
{
        s->random ^= s->random >> 12;
        s->random ^= s->random << 25;
        s->random ^= s->random >> 27;
        return s->random * UINT64_C(2685821657736338717);
}

void scheduler_emit_job(Scheduler *s, const Job *job, EventType type, const char *message)
{
        Event event = { .type = type, .job = job->name, .message = message };

        event_bus_emit(s->events, &event);
}

static ScheduleNow schedule_now(const Scheduler *s)
{
        return (ScheduleNow){
                .boottime = scheduler_boottime(s),
                .realtime = scheduler_realtime(s),
                .startup_boottime = s->begin_boottime,
        };
}

static const Schedule *job_schedule(const Job *job)
{
        return &job->spec->schedule.schedule;
}

/* What passes while a job is disabled, or once it had all its runs, was never due. */
static bool in_force(const Job *job)
{
        uint32_t max = job_schedule(job)->max_count;

        return job->spec->job.enabled && (max == 0 || job->schedule.count < max);
}

/* Arms the job's timer for its next occurrence, or disarms it where there is none. */
static void arm(Scheduler *s, Job *job)
{
        ScheduleNow now = schedule_now(s);
        Occurrence next;

        job->next_realtime = USEC_INFINITY;
        if (!s->begun || s->shutting_down || job->removed || !job->spec->job.enabled || job->paused_realtime > 0 ||
            schedule_next(job_schedule(job), &job->schedule, &now, &next) == 0) {
                timer_disarm(s->services->timers, &job->timer);
                return;
        }
        job->next_realtime = next.scheduled_realtime;
        (void)timer_arm(s->services->timers, &job->timer, next.due_boottime);
}

/* What was due and did not run, as one record that counts it. */
static void record_missed(Scheduler *s, Job *job, RunState state, uint64_t n, bool more, usec_t scheduled, const char *kind, const char *why)
{
        _cleanup_free_ char *message = NULL;

        if (n == 0)
                return;
        if (n == 1 && !more)
                message = xasprintf("one occurrence %s", why);
        else
                message = xasprintf("%s%llu occurrences %s", more ? "more than " : "", (unsigned long long)n, why);
        (void)execute_record(s, job, state, scheduled, kind, message ?: why);
}

static void on_job_due(Timer *timer, _unused_ usec_t now_boottime)
{
        Job *job = container_of(timer, Job, timer);
        Scheduler *s = job->scheduler;
        ScheduleNow now = schedule_now(s);
        RunRequest request = { .trigger = RUN_TRIGGER_SCHEDULE };
        ScheduleMissed due;
        int r;

        if (s->shutting_down)
                return;
        schedule_missed(job_schedule(job), &job->schedule, &now, MISSED_COUNTED_MAX, &due);
        if (due.n == 0) {
                arm(s, job);
                return;
        }
        schedule_take_until(job_schedule(job), &job->schedule, &now);
        job->schedule.count++;
        s->statistics.n_due += due.n;
        if (job_schedule(job)->triggers[due.last.trigger].type == TRIGGER_STARTUP)
                request.trigger = RUN_TRIGGER_STARTUP;
        request.scheduled_realtime = due.last.scheduled_realtime;
        request.due_boottime = due.last.due_boottime;
        record_missed(s, job, RUN_MISSED, due.n - 1, due.more, due.last.scheduled_realtime, "late",
                      "passed unseen: the machine slept or the daemon was held up");
        schedule_run_started(&job->schedule);
        arm(s, job);
        r = scheduler_run(s, job, &request, NULL);
        if (r < 0) {
                log_errno(LOG_ERR, r, "%s: an occurrence was lost: %m", job->name);
                scheduler_job_run_ended(s, job);
        }
}

void scheduler_job_run_ended(Scheduler *s, Job *job)
{
        if (job->n_runs == 0)
                schedule_run_ended(&job->schedule, scheduler_boottime(s));
        if (job->removed) {
                if (job->n_runs == 0)
                        job_free(job);
                return;
        }
        if (job->n_runs > 0)
                execute_job_advance(s, job);
        else if (job->spec->schedule.counts_from_end)
                arm(s, job);
}

void scheduler_begin(Scheduler *s)
{
        ScheduleNow now;
        Job *job;

        s->begun = true;
        s->begin_boottime = scheduler_boottime(s);
        now = schedule_now(s);
        RB_FOREACH(job, JobTree, &s->jobs) {
                schedule_state_init(&job->schedule, &now);
                arm(s, job);
        }
}

void scheduler_wall_clock_changed(Scheduler *s)
{
        Job *job;

        RB_FOREACH(job, JobTree, &s->jobs)
                if (timer_is_armed(&job->timer))
                        arm(s, job);
}

int scheduler_add_job(Scheduler *s, JobSpec *spec, Job **ret)
{
        ScheduleNow now = schedule_now(s);
        Job *job;
        int r;

        if (scheduler_find_job(s, spec->name))
                return -EEXIST;
        /* Room for all timers of jobs and runs, so that arming one finds it. */
        r = timer_queue_reserve(s->services->timers, s->n_jobs + s->n_unfinished + 2);
        if (r < 0)
                return r;
        r = job_new(spec, &job);
        if (r < 0)
                return r;
        job->scheduler = s;
        job->timer.callback = on_job_due;
        (void)RB_INSERT(JobTree, &s->jobs, job);
        s->n_jobs++;
        schedule_state_init(&job->schedule, &now);
        arm(s, job);
        scheduler_emit_job(s, job, EVENT_ADDED, NULL);
        if (ret)
                *ret = job;
        return 0;
}

void scheduler_change_job(Scheduler *s, Job *job, JobSpec *spec)
{
        bool same_schedule = streq(job->spec->schedule_identity, spec->schedule_identity);
        bool was_enabled = job->spec->job.enabled;
        ScheduleState before = job->schedule;
        ScheduleNow now = schedule_now(s);

        job_spec_unref(job->spec);
        job->spec = job_spec_ref(spec);
        if (!same_schedule || !was_enabled)
                schedule_state_init(&job->schedule, &now);
        if (same_schedule) {
                job->schedule.done = before.done;
                job->schedule.count = before.count;
        }
        if (job->n_runs > 0)
                schedule_run_started(&job->schedule);
        arm(s, job);
        scheduler_emit_job(s, job, EVENT_CHANGED, NULL);
}

void scheduler_remove_job(Scheduler *s, Job *job)
{
        execute_cancel_waiting(s, job, RUN_STOP_REMOVED);
        RB_REMOVE(JobTree, &s->jobs, job);
        s->n_jobs--;
        job->removed = true;
        arm(s, job);
        scheduler_emit_job(s, job, EVENT_REMOVED, NULL);
        if (job->n_runs == 0)
                job_free(job);
}

bool scheduler_pause_job(Scheduler *s, Job *job)
{
        if (job->paused_realtime > 0)
                return false;
        job->paused_realtime = scheduler_realtime(s);
        arm(s, job);
        scheduler_emit_job(s, job, EVENT_PAUSED, NULL);
        return true;
}

bool scheduler_resume_job(Scheduler *s, Job *job)
{
        ScheduleNow now = schedule_now(s);
        ScheduleMissed due;

        if (job->paused_realtime == 0)
                return false;
        schedule_missed(job_schedule(job), &job->schedule, &now, MISSED_COUNTED_MAX, &due);
        schedule_take_until(job_schedule(job), &job->schedule, &now);
        if (job->n_runs > 0)
                schedule_run_started(&job->schedule);
        job->paused_realtime = 0;
        scheduler_emit_job(s, job, EVENT_RESUMED, NULL);
        if (in_force(job))
                record_missed(s, job, RUN_SKIPPED, due.n, due.more, due.last.scheduled_realtime, "paused",
                              "came due while the job was paused");
        arm(s, job);
        return true;
}

Job *scheduler_find_job(Scheduler *s, const char *name)
{
        return RB_FIND(JobTree, &s->jobs, &(Job){ .name = (char *)name });
}

Job *scheduler_next_job(Scheduler *s, Job *job)
{
        return job ? RB_NEXT(JobTree, &s->jobs, job) : RB_MIN(JobTree, &s->jobs);
}

size_t scheduler_n_jobs(const Scheduler *s)
{
        return s->n_jobs;
}

size_t scheduler_job_times(Scheduler *s, const Job *job, usec_t *times, size_t n)
{
        ScheduleState state = job->schedule;
        ScheduleNow now = schedule_now(s);
        size_t found = 0;

        while (found < n && s->begun) {
                Occurrence next;

                if (schedule_next(job_schedule(job), &state, &now, &next) == 0)
                        break;
                schedule_take(job_schedule(job), &state, &now, &next);
                state.count++;
                times[found++] = next.scheduled_realtime;
        }
        return found;
}

const SchedulerStatistics *scheduler_statistics(const Scheduler *s)
{
        return &s->statistics;
}
