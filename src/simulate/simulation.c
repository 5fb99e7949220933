/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The jobs' definitions get a kind that waits, nothing to publish and no commands around it; all of that is
 * given back before they go. A
 * job's counters are its memo, which is the kind's to use. Load is looked at once all of an instant has
 * happened: what began and ended at one point in time counts as under way at it.
 */
#include "simulate/simulation.h"

#include <string.h>

#include "kinds/kinds.h"

#define DEADLINES_A_TURN 4096U
#define BOOTTIME_START USEC_PER_DAY /* room for what came before */

typedef struct SimulatedSpec {
        JobSpec *spec;
        const JobKind *kind;
        Publish publish;
        CommandLine *enter, *exit;
} SimulatedSpec;

/* --- the kind --- */

typedef struct SimulatedRun {
        Timer timer;
} SimulatedRun;

static void on_over(Timer *timer, _unused_ usec_t now_boottime)
{
        run_succeed(run_from_state(container_of(timer, SimulatedRun, timer)), NULL, 0);
}

static void simulated_start(Run *run)
{
        const SimulatedJob *job = run->job->extra->memo;
        SimulatedRun *state = run_state(run);

        state->timer.callback = on_over;
        if (job->duration == 0)
                run_succeed(run, NULL, 0);
        else if (timer_arm_after(run->services->timers, &state->timer, job->duration) < 0)
                run_fail(run, "memory", "no memory for a timer");
}

static void simulated_cancel(Run *run)
{
        run_fail(run, "cancelled", "ended before its time");
}

static void simulated_reset(Run *run)
{
        SimulatedRun *state = run_state(run);

        timer_disarm(run->services->timers, &state->timer);
}

static const JobKind simulated_kind = {
        .name = "simulated",
        .run_size = sizeof(SimulatedRun),
        .start = simulated_start,
        .cancel = simulated_cancel,
        .reset = simulated_reset,
};

/* --- counting --- */

static SimulatedBucket *bucket_of(const Simulation *s, usec_t realtime)
{
        size_t i = s->step > 0 && realtime >= s->buckets_realtime ? (realtime - s->buckets_realtime) / s->step : 0;

        return i < s->n_buckets ? &s->buckets[i] : NULL;
}

static void touch(Simulation *s, SimulatedJob *job)
{
        if (job->instant == s->instant)
                return;
        job->instant = s->instant;
        job->ended_at_once = 0;
        s->touched[s->n_touched++] = job;
}

static void note_begin(Simulation *s, SimulatedJob *job, usec_t realtime)
{
        SimulatedBucket *bucket = bucket_of(s, realtime);

        touch(s, job);
        job->runs++;
        job->under_way++;
        job->first_realtime = job->first_realtime > 0 ? job->first_realtime : realtime;
        job->last_realtime = realtime;
        s->begun++;
        s->begun_groups += job->is_group;
        s->under_way++;
        if (bucket)
                bucket->begun++;
}

static void note_end(Simulation *s, SimulatedJob *job, const Run *run)
{
        if (run->started_realtime > 0) {
                job->under_way--;
                s->under_way--;
                if (run->started_boottime == s->clock.now_boottime) {
                        job->ended_at_once++;
                        s->ended_at_once++;
                }
        } else if (run->state == RUN_SKIPPED) {
                job->skipped++;
                s->skipped++;
        } else if (run->state == RUN_MISSED) {
                job->missed++;
                s->missed++;
        }
}

static void on_event(EventObserver *observer, const Event *event)
{
        Simulation *s = container_of(observer, Simulation, observer);
        const Run *run = event->run;
        bool begins;

        if (!run || event->type == EVENT_PROGRESS)
                return;
        begins = event->type == EVENT_RUNNING && run->attempts == 1;
        s->begun_by_events += begins && run->trigger == RUN_TRIGGER_EVENT;
        if (begins)
                note_begin(s, run->job->extra->memo, run->started_realtime);
        else if (run_state_is_final(run->state))
                note_end(s, run->job->extra->memo, run);
        else
                return;
        if (s->told && (begins || (run_state_is_final(run->state) && run->started_realtime == 0)))
                s->told(run, s->userdata);
}

static unsigned load_of(const Simulation *s, const SimulatedJob *job)
{
        return job->under_way + (job->instant == s->instant ? job->ended_at_once : 0);
}

/* Keeps the jobs with most runs, in their order; those of equal numbers as they come. */
static void add_peak_job(SimulatedBucket *bucket, const SimulatedJob *job, unsigned n)
{
        size_t i = MIN((size_t)bucket->n_jobs, (size_t)SIMULATION_PEAK_JOBS);

        bucket->n_jobs++;
        while (i > 0 && bucket->jobs[i - 1].n < n) {
                if (i < SIMULATION_PEAK_JOBS)
                        bucket->jobs[i] = bucket->jobs[i - 1];
                i--;
        }
        if (i < SIMULATION_PEAK_JOBS)
                bucket->jobs[i] = (PeakJob){ job, n };
}

static void note_load(Simulation *s, SimulatedBucket *bucket, usec_t realtime)
{
        unsigned load = s->under_way + s->ended_at_once;

        if (!bucket || load <= bucket->most)
                return;
        bucket->most = load;
        bucket->most_realtime = realtime;
        bucket->n_jobs = 0;
        for (size_t i = 0; i < s->n_jobs; i++)
                if (load_of(s, s->jobs[i]) > 0)
                        add_peak_job(bucket, s->jobs[i], load_of(s, s->jobs[i]));
}

static void look_at_instant(Simulation *s)
{
        for (size_t i = 0; i < s->n_touched; i++)
                s->touched[i]->most = MAX(s->touched[i]->most, load_of(s, s->touched[i]));
        note_load(s, bucket_of(s, s->clock.now_realtime), s->clock.now_realtime);
}

/* Runs go on through the beginnings of stretches up to REALTIME. */
static void look_at_beginnings(Simulation *s, usec_t realtime)
{
        for (; s->n_buckets_begun < s->n_buckets; s->n_buckets_begun++) {
                usec_t beginning = s->buckets_realtime + s->n_buckets_begun * s->step;

                if (beginning > realtime)
                        return;
                note_load(s, &s->buckets[s->n_buckets_begun], beginning);
        }
}

/* --- setting up --- */

int simulation_init(Simulation *s, usec_t from_realtime, const SchedulerLimits *limits)
{
        int r;

        *s = (Simulation){};
        virtual_clock_init(&s->clock, BOOTTIME_START, from_realtime);
        s->reached_realtime = from_realtime;
        s->timers = timer_queue_new(&s->clock.clock);
        if (!s->timers)
                return -ENOMEM;
        event_bus_init(&s->events, &s->clock.clock);
        s->observer.notify = on_event;
        event_bus_subscribe(&s->events, &s->observer);
        r = run_ids_new(&s->ids);
        if (r < 0)
                return r;
        s->services = (Services){ .clock = &s->clock.clock, .timers = s->timers };
        return scheduler_new(&s->services, &s->events, s->ids, limits, &s->scheduler);
}

void simulation_deinit(Simulation *s)
{
        if (s->scheduler) {
                event_bus_unsubscribe(&s->observer);
                scheduler_abandon(s->scheduler);
        }
        scheduler_free(s->scheduler);
        run_ids_close(s->ids);
        timer_queue_free(s->timers);
        for (size_t i = 0; i < s->n_specs; i++) {
                s->specs[i].spec->kind = s->specs[i].kind;
                s->specs[i].spec->publish = s->specs[i].publish;
                s->specs[i].spec->job.enter = s->specs[i].enter;
                s->specs[i].spec->job.exit = s->specs[i].exit;
                job_spec_unref(s->specs[i].spec);
        }
        free(s->specs);
        free(s->jobs);
        free(s->touched);
        free(s->buckets);
        *s = (Simulation){};
}

static int take_spec(Simulation *s, JobSpec *spec)
{
        /* Instances share theirs. */
        if (spec->kind == &simulated_kind)
                return 0;
        if (s->n_specs == s->allocated_specs) {
                size_t n = MAX(s->allocated_specs * 2, (size_t)64);
                SimulatedSpec *specs = reallocarray(s->specs, n, sizeof(*specs));

                if (!specs)
                        return -ENOMEM;
                s->specs = specs;
                s->allocated_specs = n;
        }
        s->specs[s->n_specs++] = (SimulatedSpec){
                job_spec_ref(spec), spec->kind, spec->publish, spec->job.enter, spec->job.exit,
        };
        spec->kind = &simulated_kind;
        spec->publish = (Publish){};
        spec->job.enter = spec->job.exit = NULL;
        return 0;
}

/* Simulated runs have these; they never fail, and give nothing. */
#define EVENTS_KNOWN                                                                                         \
        (EVENT_BIT(EVENT_QUEUED) | EVENT_BIT(EVENT_RUNNING) | EVENT_BIT(EVENT_RETRYING) |                    \
         EVENT_BIT(EVENT_SUCCEEDED) | EVENT_BIT(EVENT_TIMEOUT) | EVENT_BIT(EVENT_CANCELLED) |                \
         EVENT_BIT(EVENT_SKIPPED) | EVENT_BIT(EVENT_MISSED))

static bool has_unknown_events(const JobSpec *spec)
{
        const EventTriggerList *on = &spec->schedule.on;

        for (size_t i = 0; i < on->n; i++)
                if (!(on->triggers[i].events & EVENTS_KNOWN))
                        return true;
        return false;
}

/* SPEC was taken; instances come one after another. */
static const JobKind *real_kind(const Simulation *s, const JobSpec *spec)
{
        size_t i = s->n_specs;

        while (i > 0 && s->specs[i - 1].spec != spec)
                i--;
        return i > 0 ? s->specs[i - 1].kind : spec->kind;
}

int simulation_take_jobs(Simulation *s)
{
        size_t n = scheduler_n_jobs(s->scheduler);
        Job *job = NULL;

        s->jobs = new0(SimulatedJob *, n + 1);
        s->touched = new0(SimulatedJob *, n + 1);
        if (!s->jobs || !s->touched)
                return -ENOMEM;
        while ((job = scheduler_next_job(s->scheduler, job))) {
                SimulatedJob *simulated = new0(SimulatedJob, 1);
                int r;

                if (!simulated)
                        return -ENOMEM;
                simulated->name = job->name;
                r = job_set_memo(job, simulated);
                if (r < 0)
                        return r;
                s->jobs[s->n_jobs++] = simulated;
                r = take_spec(s, job->spec);
                if (r < 0)
                        return r;
                simulated->is_group = real_kind(s, job->spec) == &group_kind;
                simulated->has_unknown_events = has_unknown_events(job->spec);
        }
        return 0;
}

SimulatedJob *simulation_find_job(const Simulation *s, const char *name)
{
        Job *job = scheduler_find_job(s->scheduler, name);

        return job ? job->extra->memo : NULL;
}

int simulation_set_buckets(Simulation *s, usec_t realtime, usec_t step, size_t n)
{
        s->n_buckets = MIN(n, (size_t)SIMULATION_BUCKETS_MAX);
        s->buckets = new0(SimulatedBucket, s->n_buckets + 1);
        if (!s->buckets)
                return -ENOMEM;
        s->buckets_realtime = realtime;
        s->step = step;
        return 0;
}

/* --- running --- */

/* All of the instant DUE. False: it was too much. */
static bool step(Simulation *s, usec_t due)
{
        s->instant++;
        s->n_touched = 0;
        s->ended_at_once = 0;
        look_at_beginnings(s, usec_add(s->clock.now_realtime, usec_sub(due, s->clock.now_boottime)));
        virtual_clock_advance(&s->clock, usec_sub(due, s->clock.now_boottime));
        while (timer_queue_next(s->timers) <= s->clock.now_boottime && s->n_events < SIMULATION_EVENTS_MAX)
                s->n_events += timer_queue_dispatch(s->timers, s->clock.now_boottime, DEADLINES_A_TURN);
        s->reached_realtime = s->clock.now_realtime;
        look_at_instant(s);
        return s->n_events < SIMULATION_EVENTS_MAX;
}

SimulationEnd simulation_run(Simulation *s, usec_t until_realtime)
{
        usec_t end = usec_add(s->clock.now_boottime, usec_sub(until_realtime, s->clock.now_realtime)), due;
        uint64_t asked = 0;

        s->until_realtime = until_realtime;
        scheduler_begin(s->scheduler);
        while ((due = timer_queue_next(s->timers)) < end) {
                if (!step(s, due))
                        return SIMULATION_TOO_LONG;
                if (s->n_events - asked < DEADLINES_A_TURN)
                        continue;
                asked = s->n_events;
                if (s->go_on && !s->go_on(s, s->userdata))
                        return SIMULATION_STOPPED;
        }
        s->instant++;
        s->ended_at_once = 0;
        look_at_beginnings(s, until_realtime - 1);
        s->reached_realtime = until_realtime;
        return SIMULATION_DONE;
}

usec_t simulation_step(usec_t from_realtime, usec_t until_realtime, size_t max)
{
        static const usec_t steps[] = {
                USEC_PER_MSEC,       10 * USEC_PER_MSEC,   100 * USEC_PER_MSEC,  USEC_PER_SEC,        5 * USEC_PER_SEC,
                10 * USEC_PER_SEC,   30 * USEC_PER_SEC,    USEC_PER_MINUTE,      5 * USEC_PER_MINUTE, 10 * USEC_PER_MINUTE,
                15 * USEC_PER_MINUTE, 30 * USEC_PER_MINUTE, USEC_PER_HOUR,       2 * USEC_PER_HOUR,   6 * USEC_PER_HOUR,
                12 * USEC_PER_HOUR,  USEC_PER_DAY,         7 * USEC_PER_DAY,     28 * USEC_PER_DAY,
        };
        usec_t span = usec_sub(until_realtime, from_realtime), step;

        for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
                /* One more, as the first begins before FROM. */
                if (span / steps[i] + 2 <= max)
                        return steps[i];
        for (step = 28 * USEC_PER_DAY; span / step + 2 > max;)
                step *= 2;
        return step;
}
