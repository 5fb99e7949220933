/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The real scheduler with all that it needs, on a virtual clock: what the tests of schedules, runs and groups stand on.
 * Days pass in milliseconds, and nothing waits. Times are spans since the beginning.
 */

#include "job/job.h"
#include "job/run.h"
#include "job/spec.h"
#include "sched/check.h"
#include "sched/scheduler.h"

#define SEC USEC_PER_SEC
/* 2027-01-15 08:00:00 UTC */
#define START_REALTIME (UINT64_C(1800000000) * SEC)
#define START_BOOTTIME (1000 * SEC)

typedef struct Engine {
        VirtualClock clock;
        TimerQueue *timers;
        EventBus events;
        EventObserver observer;
        RunIds *ids;
        Services services;
        Scheduler *scheduler;
        size_t n_wakes;
} Engine;

static inline void engine_start_scheduler(Engine *e, const SchedulerLimits *limits)
{
        assert_ok(scheduler_new(&e->services, &e->events, e->ids, limits, &e->scheduler));
}

/* The observer is told every event; LIMITS NULL are the default ones. */
static inline void engine_init(Engine *e, void (*on_event)(EventObserver *observer, const Event *event), const SchedulerLimits *limits)
{
        virtual_clock_init(&e->clock, START_BOOTTIME, START_REALTIME);
        e->timers = timer_queue_new(&e->clock.clock);
        assert_non_null(e->timers);
        event_bus_init(&e->events, &e->clock.clock);
        e->observer.notify = on_event;
        event_bus_subscribe(&e->events, &e->observer);
        assert_ok(run_ids_new(&e->ids));
        e->services = (Services){ .clock = &e->clock.clock, .timers = e->timers, .members = &scheduler_members };
        engine_start_scheduler(e, limits);
        scheduler_begin(e->scheduler);
}

/* The scheduler has been shut down or abandoned; no timer may be left. */
static inline void engine_deinit(Engine *e)
{
        scheduler_free(e->scheduler);
        assert_int_equal(timer_queue_size(e->timers), 0);
        run_ids_close(e->ids);
        timer_queue_free(e->timers);
}

/* All that the scheduler keeps agrees. Where jobs are very many, every so often. */
static inline void engine_check(Engine *e)
{
        char *problem;

        if (scheduler_n_jobs(e->scheduler) + scheduler_n_running(e->scheduler) > 100 && e->n_wakes % 1000 != 0)
                return;
        problem = scheduler_check(e->scheduler);
        if (problem)
                fail_msg("%s", problem);
}

static inline usec_t engine_now(const Engine *e)
{
        return e->clock.now_boottime - START_BOOTTIME;
}

/* Wakes whenever something is due, up to T. */
static inline void engine_advance_to(Engine *e, usec_t t)
{
        usec_t end = START_BOOTTIME + t, due;

        while ((due = timer_queue_next(e->timers)) <= end) {
                virtual_clock_advance(&e->clock, usec_sub(due, e->clock.now_boottime));
                (void)timer_queue_dispatch(e->timers, e->clock.now_boottime, 0);
                e->n_wakes++;
                engine_check(e);
        }
        virtual_clock_advance(&e->clock, usec_sub(end, e->clock.now_boottime));
}

static inline void engine_pass(Engine *e, usec_t span)
{
        engine_advance_to(e, engine_now(e) + span);
}

static inline int load_spec(const char *name, const char *text, ConfigReport *report, JobSpec **ret)
{
        _cleanup_(config_items_deinit) ConfigItems items = CONFIG_ITEMS_NULL;

        assert_ok(config_parse_text(name, text, strlen(text), &items, report));
        return job_spec_load_items(name, &items, report, ret);
}

static inline JobSpec *make_spec(const char *name, const char *text)
{
        _cleanup_(config_report_deinit) ConfigReport report = CONFIG_REPORT_NULL;
        JobSpec *spec;

        if (load_spec(name, text, &report, &spec) < 0)
                fail_msg("%s", report.problems[0].message);
        return spec;
}

/* Gives the reference to SPEC away. */
static inline Job *engine_add(Engine *e, JobSpec *spec)
{
        Job *job;

        assert_ok(scheduler_add_job(e->scheduler, spec, &job));
        job_spec_unref(spec);
        return job;
}

static inline uint64_t engine_run(Engine *e, Job *job)
{
        uint64_t id = 0;

        assert_ok(scheduler_run(e->scheduler, job, &(RunRequest){ .trigger = RUN_TRIGGER_MANUAL }, &id));
        assert_true(id > 0);
        return id;
}
