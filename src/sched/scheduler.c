/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The jobs, and what comes to all of them: limits, the wall clock, pause, change and removal. */
#include "sched/internal.h"

#include <assert.h>

#include "base/log.h"
#include "sched/catch-up.h"
#include "sched/guard.h"
#include "sched/keep.h"
#include "sched/missed.h"
#include "sched/occurrence.h"

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
        s->pump.callback = admit_on_pump;
        s->wall_turn.callback = wall_on_turn;
        set_limits(s, limits);
        s->random = s->limits.seed ?: 1;
        RB_INIT(&s->jobs);
        RB_INIT(&s->runs);
        list_init(&s->queue);
        list_init(&s->catch_ups);
        triggers_init(s);
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
                catch_up_free(s, job);
                triggers_remove(s, job);
                job_free(job);
        }
        timer_disarm(s->services->timers, &s->pump);
        timer_disarm(s->services->timers, &s->wall_turn);
        timer_disarm(s->services->timers, &s->triggers.turn);
        resources_free(s);
        free(s);
        return NULL;
}

void scheduler_set_limits(Scheduler *s, const SchedulerLimits *limits)
{
        SipKey machine_key = s->limits.machine_key;

        set_limits(s, limits);
        s->limits.machine_key = machine_key;
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

static const Schedule *job_schedule(const Job *job)
{
        return &job->spec->schedule.schedule;
}

RunTrigger scheduler_run_trigger(const Job *job, uint32_t i)
{
        return job_schedule(job)->triggers[i].type == TRIGGER_STARTUP ? RUN_TRIGGER_STARTUP : RUN_TRIGGER_SCHEDULE;
}

void scheduler_emit_job(Scheduler *s, const Job *job, EventType type, const char *message)
{
        Event event = { .type = type, .job = job->name, .message = message };

        event_bus_emit(s->events, &event);
}

static void emit_by(Scheduler *s, const Job *job, EventType type, const Requester *by)
{
        Event event = { .type = type, .job = job->name, .by = by };

        event_bus_emit(s->events, &event);
}

/* What passes while a job is disabled, or once it had all its runs, was never due. */
static bool in_force(const Job *job)
{
        uint32_t max = job_schedule(job)->max_count;

        return job_has_schedule(job) && job->spec->job.enabled && (max == 0 || job->schedule.count < max);
}

void scheduler_job_run_ended(Scheduler *s, Job *job)
{
        /* A record of what did not run. */
        if (job->deciding)
                return;
        wall_follow(s, job);
        /* Only After= asks when that was. */
        if (job->n_runs == 0) {
                schedule_run_ended(&job->schedule, job->spec->schedule.counts_from_end ? scheduler_boottime(s) : 1);
                keep(s, job);
        }
        if (job->removed || job->transient) {
                scheduler_forget_if_idle(s, job);
                return;
        }
        if (job->on_demand && job->n_runs == 0) {
                scheduler_forget_if_idle(s, job);
                return;
        }
        if (job->triggers)
                triggers_job_run_ended(s, job);
        if (job->n_runs > 0) {
                admit_next_of_job(s, job);
                return;
        }
        if (job->spec->schedule.counts_from_end)
                occurrence_arm(s, job);
        if (job->catch_up)
                catch_up_advance(s, job);
        if (!timer_is_armed(&job->timer))
                occurrence_tell_end(s, job);
}

/* JOB's schedule comes into force. */
static void begin(Scheduler *s, Job *job, const ScheduleNow *now)
{
        schedule_state_init(&job->schedule, now);
        keep_restore(s, job, now);
        if (job->n_runs > 0)
                schedule_run_started(&job->schedule);
        occurrence_arm(s, job);
        /* Nothing passed while the daemon was away. */
        if (!timer_is_armed(&job->timer) || job->timer.due_boottime > now->boottime)
                job->away = MISSED_AWAY;
}

void scheduler_begin(Scheduler *s)
{
        ScheduleNow now;
        Job *job;

        s->begun = true;
        s->begin_boottime = scheduler_boottime(s);
        now = scheduler_now(s);
        s->clock_trusted = now.realtime >= KEEP_EPOCH;
        s->wall_offset = (int64_t)(now.realtime - now.boottime);
        RB_FOREACH(job, JobTree, &s->jobs) {
                begin(s, job, &now);
                occurrence_tell_end(s, job);
        }
        if (s->services->stamps)
                stamp_store_settle(s->services->stamps);
}

/* JOB is what SPEC says from now on. Its runs under way keep the definition that they began with. */
static void define(Job *job, JobSpec *spec)
{
        if (job->spec->kind != spec->kind)
                (void)job_set_memo(job, NULL);
        job_spec_ref(spec);
        job_spec_unref(job->spec);
        job->spec = spec;
        job->finished = false;
}

/* JOB, which was removed, is defined again while it has runs: these are runs of the job that it is now. */
static void revive(Scheduler *s, Job *job, JobSpec *spec)
{
        define(job, spec);
        job->removed = false;
        job->wall_seen = s->n_wall_changes;
        s->n_jobs++;
        scheduler_count_state(s, job);
}

/* A job that is not known yet, and is not in force yet. */
static int add(Scheduler *s, JobSpec *spec, const char *name, Job **ret)
{
        Job *job = s->n_jobs_in[JOB_REMOVED] > 0 ? scheduler_find_job(s, name) : NULL;
        ScheduleNow now = scheduler_now(s);
        int r;

        r = scheduler_reserve_timers(s);
        if (r < 0)
                return r;
        if (job && job->removed) {
                revive(s, job, spec);
                schedule_state_init(&job->schedule, &now);
                *ret = job;
                return 0;
        }
        r = job_new(name, spec, &job);
        if (r < 0)
                return r;
        job->scheduler = s;
        job->timer.callback = occurrence_on_due;
        if (RB_INSERT(JobTree, &s->jobs, job)) {
                job_free(job);
                return -EEXIST;
        }
        s->n_jobs++;
        job->counted_state = (uint8_t)job_state(job);
        job->wall_seen = s->n_wall_changes;
        s->n_jobs_in[job->counted_state]++;
        schedule_state_init(&job->schedule, &now);
        *ret = job;
        return 0;
}

/* JOB is defined no more. Its name stays its own as long as it has runs. */
static void retire(Scheduler *s, Job *job)
{
        timer_disarm(s->services->timers, &job->timer);
        job->next_realtime = USEC_INFINITY;
        job->paused_realtime = 0;
        job->on_demand = job->refused = false;
        job->removed = true;
        s->n_jobs--;
        scheduler_count_state(s, job);
}

static void discard(Scheduler *s, Job *job);

void scheduler_forget_if_idle(Scheduler *s, Job *job)
{
        if (job->n_runs > 0 || !(job->removed || job->transient || job->on_demand))
                return;
        if (job->on_demand) {
                discard(s, job);
                return;
        }
        if (!job->transient) {
                if (s->wall_next == job)
                        s->wall_next = scheduler_next_job(s, job);
                RB_REMOVE(JobTree, &s->jobs, job);
                s->n_jobs_in[job->counted_state]--;
        }
        job_free(job);
}

/* Undoes add(). */
static void discard(Scheduler *s, Job *job)
{
        triggers_remove(s, job);
        retire(s, job);
        scheduler_forget_if_idle(s, job);
}

int scheduler_add_instance(Scheduler *s, JobSpec *spec, const char *name, Job **ret)
{
        ScheduleNow now = scheduler_now(s);
        Job *job;
        int r = add(s, spec, name, &job);

        if (r < 0)
                return r;
        r = triggers_set(s, job);
        if (r < 0) {
                discard(s, job);
                return r;
        }
        keep_open(s, job);
        if (s->begun)
                begin(s, job, &now);
        scheduler_emit_job(s, job, EVENT_ADDED, NULL);
        occurrence_tell_end(s, job);
        if (ret)
                *ret = job;
        return 0;
}

int scheduler_add_job(Scheduler *s, JobSpec *spec, Job **ret)
{
        return scheduler_add_instance(s, spec, spec->name, ret);
}

Job *scheduler_find_template(Scheduler *s, const char *name)
{
        char template_name[JOB_NAME_MAX + 1];
        Job *template = job_name_template(name, template_name) < 0 ? NULL : scheduler_find_job(s, template_name);

        return template && !template->spec->job.instances ? template : NULL;
}

int scheduler_find_or_make_job(Scheduler *s, const char *name, Job **ret)
{
        Job *job = scheduler_find_job(s, name), *template;
        int r;

        if (job && !job->removed && !job->on_demand) {
                *ret = job;
                return job->is_template ? -EINVAL : 0;
        }
        template = scheduler_find_template(s, name);
        if (!template)
                return -ENOENT;
        if (job && job->on_demand) {
                /* The template may have changed since the runs began that it is there for. */
                if (job->spec != template->spec)
                        define(job, template->spec);
                *ret = job;
                return 0;
        }
        r = add(s, template->spec, name, ret);
        if (r < 0)
                return r;
        (*ret)->on_demand = true;
        scheduler_count_state(s, *ret);
        return 0;
}

void scheduler_release_job(Scheduler *s, Job *job)
{
        if (job->on_demand)
                scheduler_forget_if_idle(s, job);
}

int scheduler_add_transient_job(Scheduler *s, JobSpec *spec, Job **ret)
{
        Job *job;
        int r = job_new(spec->name, spec, &job);

        if (r < 0)
                return r;
        job->scheduler = s;
        job->transient = true;
        *ret = job;
        return 0;
}

void scheduler_change_job(Scheduler *s, Job *job, JobSpec *spec)
{
        bool same_schedule = streq(job->spec->schedule_identity, spec->schedule_identity);
        bool was_enabled = job->spec->job.enabled;
        ScheduleNow now = scheduler_now(s);
        ScheduleState before;

        wall_follow(s, job);
        before = job->schedule;
        if (!same_schedule || !spec->job.enabled)
                catch_up_drop(s, job, RUN_MISSED, "late", "had not been caught up on when the job's schedule was changed");
        define(job, spec);
        /* What was made on demand has a place of its own now. */
        was_enabled = was_enabled && !job->on_demand;
        job->on_demand = false;
        if (!same_schedule || !was_enabled)
                schedule_state_init(&job->schedule, &now);
        if (same_schedule) {
                job->schedule.done = before.done;
                job->schedule.count = before.count;
        }
        if (job->n_runs > 0)
                schedule_run_started(&job->schedule);
        if (triggers_set(s, job) < 0)
                log_error("%s: no memory to listen for all of its events", job->name);
        keep_open(s, job);
        keep_anew(s, job);
        occurrence_arm(s, job);
        scheduler_emit_job(s, job, EVENT_CHANGED, NULL);
        occurrence_tell_end(s, job);
}

void scheduler_remove_job(Scheduler *s, Job *job)
{
        catch_up_drop(s, job, RUN_MISSED, "late", "had not been caught up on when the job was removed");
        triggers_remove(s, job);
        keep_drop(s, job);
        retire(s, job);
        scheduler_emit_job(s, job, EVENT_REMOVED, NULL);
        /* It goes with the last of its runs. */
        if (job->n_runs > 0)
                stop_waiting(s, job, RUN_STOP_REMOVED);
        else
                scheduler_forget_if_idle(s, job);
}

bool scheduler_pause_job_by(Scheduler *s, Job *job, const Requester *by)
{
        ScheduleNow now = scheduler_now(s);

        if (job->paused_realtime > 0 || job->is_template || job->removed)
                return false;
        wall_follow(s, job);
        wall_settle(job, &now);
        keep(s, job);
        catch_up_drop(s, job, RUN_SKIPPED, "paused", "had not been caught up on when the job was paused");
        job->paused_realtime = scheduler_realtime(s);
        occurrence_arm(s, job);
        emit_by(s, job, EVENT_PAUSED, by);
        return true;
}

bool scheduler_resume_job_by(Scheduler *s, Job *job, const Requester *by)
{
        ScheduleNow now = scheduler_now(s);

        if (job->paused_realtime == 0)
                return false;
        wall_follow(s, job);
        job->paused_realtime = 0;
        emit_by(s, job, EVENT_RESUMED, by);
        if (in_force(job)) {
                missed_account(s, job, &now, MISSED_PAUSED);
        } else {
                schedule_take_until(job_schedule(job), &job->schedule, &now);
                keep(s, job);
                occurrence_arm(s, job);
        }
        occurrence_tell_end(s, job);
        return true;
}

Job *scheduler_find_job(Scheduler *s, const char *name)
{
        Job *job = RB_ROOT(&s->jobs);

        while (job) {
                int order = strcmp(name, job->name);

                if (order == 0)
                        return job;
                job = order < 0 ? RB_LEFT(job, by_name) : RB_RIGHT(job, by_name);
        }
        return NULL;
}

Job *scheduler_job_after(Scheduler *s, const char *name)
{
        Job *job = RB_ROOT(&s->jobs), *found = NULL;

        while (job)
                if (strcmp(name, job->name) < 0) {
                        found = job;
                        job = RB_LEFT(job, by_name);
                } else {
                        job = RB_RIGHT(job, by_name);
                }
        return found;
}

uint32_t scheduler_next_generation(Scheduler *s)
{
        return ++s->generation ?: ++s->generation;
}

Job *scheduler_next_job(Scheduler *s, Job *job)
{
        return job ? RB_NEXT(JobTree, &s->jobs, job) : RB_MIN(JobTree, &s->jobs);
}

size_t scheduler_n_jobs(const Scheduler *s)
{
        return s->n_jobs;
}

size_t scheduler_n_jobs_in(const Scheduler *s, JobState state)
{
        return s->n_jobs_in[state];
}

const SchedulerStatistics *scheduler_statistics(const Scheduler *s)
{
        return &s->statistics;
}
