/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "world.h"

#include <stdio.h>

#include "kinds/kinds.h"
#include "sched/internal.h"
#include "sched/keep.h"
#include "when/zone.h"

#define SEC INT64_C(1000000)
#define HOUR (3600 * SEC)
#define DAY (24 * HOUR)
/* Jobs whose timer is compared with a walk into the future, each time. */
#define SAMPLES 2
#define SAMPLE_DAYS 40
/* sched/catch-up.h */
#define CATCH_UP_INTERVAL 10000

struct World {
        const Plan *plan;
        Random random;
        Outcome outcome;

        VirtualClock clock;
        TimerQueue *timers;
        EventBus events;
        EventObserver observer;
        RunIds *ids;
        Services services;
        Scheduler *scheduler;
        unsigned max_runs;
        bool stopping, shut_down;
        bool setting_first; /* the wall clock: what is due still goes by the old one, … */
        int64_t offset_before; /* … which is so much ahead of the boot clock */

        Model *models;
        LocalZone *zone; /* of the machine */
        int64_t start;   /* boot time of the daemon's */
        int64_t disturbed;
        int64_t order;   /* due time of what was handled last in this turn */
        int64_t caught_up; /* when a run last did */
        int64_t passed;  /* time in all, which a reboot does not set back */
};

static World *the_world; /* for runs, which know their scheduler only */

/* --- what models ask --- */

int64_t world_boottime(const World *w)
{
        return (int64_t)w->clock.now_boottime;
}

int64_t world_offset(const World *w)
{
        return w->setting_first ? w->offset_before : (int64_t)(w->clock.now_realtime - w->clock.now_boottime);
}

int64_t world_start(const World *w)
{
        return w->start;
}

int64_t world_disturbed(const World *w)
{
        return w->disturbed;
}

LocalZone *world_zone(const World *w)
{
        return w->zone;
}

unsigned world_max_runs(const World *w)
{
        return w->max_runs;
}

unsigned world_n_running(const World *w)
{
        unsigned n = 0;

        for (Run *run = scheduler_next_run(w->scheduler, NULL); run; run = scheduler_next_run(w->scheduler, run))
                n += run->state == RUN_RUNNING;
        return n;
}

unsigned world_n_queued(const World *w)
{
        return (unsigned)scheduler_n_queued(w->scheduler);
}

void world_order(World *w, int64_t due)
{
        due = MAX(due, INT64_C(0));
        if (due < w->order)
                world_fail(w, NULL, "what was due at %lld comes after what was due at %lld", (long long)due, (long long)w->order);
        w->order = due;
}

void world_pace(World *w, const Model *m)
{
        int64_t now = world_boottime(w);

        /* What its random delay puts off may meet others, as does what is late. */
        if (m->definition->random_delay > 0 || now == w->disturbed)
                return;
        if (now - w->caught_up < CATCH_UP_INTERVAL)
                world_fail(w, m, "catches up %lld us after another", (long long)(now - w->caught_up));
        w->caught_up = now;
}

/* What the scheduler has of the job. */
static void print_job(const World *w, const Model *m)
{
        char name[16];
        const Job *job;

        (void)snprintf(name, sizeof(name), "j%04u", m->index);
        job = w->scheduler ? scheduler_find_job(w->scheduler, name) : NULL;
        if (job)
                fprintf(stderr, "armed %d for %lld, next %lld; last %lld and %lld, ended %lld, done %llx, count %u, runs %u\n",
                        timer_is_armed(&job->timer), (long long)job->timer.due_boottime, (long long)job->next_boottime,
                        (long long)job->schedule.last_boottime, (long long)job->schedule.last_realtime,
                        (long long)job->schedule.ended_boottime, (unsigned long long)job->schedule.done, job->schedule.count, job->n_runs);
}

void world_fail(const World *w, const Model *m, const char *format, ...)
{
        va_list ap;

        fprintf(stderr, "seed %llu, boot time %lld, wall clock %llu, event %llu: ", (unsigned long long)w->plan->seed,
                (long long)world_boottime(w), (unsigned long long)w->clock.now_realtime, (unsigned long long)w->outcome.events);
        if (m)
                fprintf(stderr, "job %u: ", m->index);
        va_start(ap, format);
        vfprintf(stderr, format, ap);
        va_end(ap);
        if (m)
                fprintf(stderr, "\nzone %s, from %lld, daemon from %lld; taken up to %lld and %lld; disturbed at %lld\n%s\n",
                        local_zone_name(m->definition->rules.zone), (long long)m->anchor, (long long)w->start, (long long)m->every_taken,
                        (long long)m->wall_taken, (long long)w->disturbed, m->definition->text);
        if (m)
                print_job(w, m);
        exit(EXIT_FAILURE);
}

/* --- runs that do as they are told --- */

typedef struct FakeRun {
        Timer timer;
        bool fails;
} FakeRun;

static JobKind fake_kind;

static Model *model_of(const char *job)
{
        return &the_world->models[strtoul(job + 1, NULL, 10)];
}

static void fake_end(Run *run)
{
        FakeRun *fake = run_state(run);

        if (fake->fails)
                run_fail(run, "fake", "as told");
        else
                run_succeed(run, NULL, 0);
}

static void on_fake_timer(Timer *timer, _unused_ usec_t now)
{
        fake_end(run_from_state(container_of(timer, FakeRun, timer)));
}

static void fake_arm(Run *run, usec_t after)
{
        FakeRun *fake = run_state(run);

        fake->timer.callback = on_fake_timer;
        if (after == 0)
                fake_end(run);
        else if (timer_arm_after(run->services->timers, &fake->timer, after) < 0)
                abort();
}

static void fake_start(Run *run)
{
        Model *m = model_of(run->job->name);
        FakeRun *fake = run_state(run);

        fake->fails = chance(&m->random, m->definition->fails);
        fake_arm(run, m->definition->duration > 0 ? draw(&m->random, m->definition->duration) : 0);
}

static void fake_cancel(Run *run)
{
        Model *m = model_of(run->job->name);
        FakeRun *fake = run_state(run);

        fake->fails = !m->definition->stubborn || chance(&m->random, 70);
        fake_arm(run, m->definition->stubborn ? draw(&m->random, 5 * SEC) : 0);
}

static void fake_reset(Run *run)
{
        FakeRun *fake = run_state(run);

        timer_disarm(run->services->timers, &fake->timer);
}

JobSpec *world_parse(_unused_ const World *w, const char *name, const char *text)
{
        _cleanup_(config_items_deinit) ConfigItems items = CONFIG_ITEMS_NULL;
        _cleanup_(config_report_deinit) ConfigReport report = CONFIG_REPORT_NULL;
        JobSpec *spec;

        if (config_parse_text(name, text, strlen(text), &items, &report) >= 0 &&
            job_spec_load_items(name, &items, &report, &spec) >= 0) {
                spec->kind = &fake_kind;
                return spec;
        }
        if (report.n == 1 && (strstr(report.problems[0].message, "Exclude= leaves nothing") ||
                              (strstr(text, "Until=") && strstr(report.problems[0].message, "Until= comes before"))))
                return NULL;
        fprintf(stderr, "refused: %s\n%s", report.n > 0 ? report.problems[0].message : "?", text);
        exit(EXIT_FAILURE);
}

/* --- events --- */

static void mix(World *w, uint64_t value)
{
        w->outcome.hash = (w->outcome.hash ^ value) * UINT64_C(0x100000001b3);
        w->outcome.hash ^= w->outcome.hash >> 29;
}

static void count(World *w, const Run *run)
{
        if (run->trigger == RUN_TRIGGER_MANUAL)
                w->outcome.by_hand++;
        else if (run->state == RUN_SKIPPED)
                w->outcome.skipped++;
        else if (run->state == RUN_MISSED)
                w->outcome.missed++;
        else
                w->outcome.runs++;
}

static void on_event(EventObserver *observer, const Event *event)
{
        World *w = container_of(observer, World, observer);

        w->outcome.events++;
        mix(w, event->type);
        mix(w, w->clock.now_boottime);
        mix(w, w->clock.now_realtime);
        mix(w, strtoul(event->job + 1, NULL, 10));
        if (w->plan->verbose)
                printf("%lld %llu %s %s %llu for %llu: %s\n", (long long)world_boottime(w), (unsigned long long)w->clock.now_realtime,
                       event->job, event_type_to_string(event->type), event->run ? (unsigned long long)event->run->id : 0,
                       event->run ? (unsigned long long)event->run->scheduled_realtime : 0,
                       event->message ?: event->run ? run_trigger_to_string(event->run->trigger) : "");
        if (!event->run)
                return;
        mix(w, event->run->id);
        mix(w, event->run->scheduled_realtime);
        model_event(model_of(event->job), event);
        if (run_state_is_final(event->run->state))
                count(w, event->run);
}

/* --- time --- */

static void dispatch(World *w)
{
        w->order = 0;
        (void)timer_queue_dispatch(w->timers, w->clock.now_boottime, 0);
}

/* Goes on to boot time END, event by event. */
static void drive(World *w, int64_t end)
{
        usec_t due;

        while ((due = timer_queue_next(w->timers)) <= (usec_t)end) {
                virtual_clock_advance(&w->clock, usec_sub(due, w->clock.now_boottime));
                dispatch(w);
        }
        virtual_clock_advance(&w->clock, usec_sub((usec_t)end, w->clock.now_boottime));
}

/* Nothing waits that could begin. */
static void check_idle(World *w)
{
        if (world_n_running(w) >= w->max_runs)
                return;
        for (Run *run = scheduler_next_run(w->scheduler, NULL); run; run = scheduler_next_run(w->scheduler, run))
                if (run->state == RUN_QUEUED && run->job->n_active == 0)
                        world_fail(w, model_of(run->job->name), "run %llu waits for nothing", (unsigned long long)run->id);
}

static void check_all(World *w)
{
        int64_t now = world_boottime(w);

        for (unsigned i = 0; i < w->plan->jobs; i++)
                model_check(&w->models[i], now);
        check_idle(w);
        for (unsigned i = 0; i < SAMPLES; i++) {
                Model *m = &w->models[draw(&w->random, w->plan->jobs)];
                char name[16];

                (void)snprintf(name, sizeof(name), "j%04u", m->index);
                model_check_next(m, scheduler_find_job(w->scheduler, name), SAMPLE_DAYS);
        }
}

/* Lets all that is due by END happen and compares. */
static void pass(World *w, int64_t end)
{
        do {
                int64_t step = end - world_boottime(w);

                for (unsigned i = 0; i < w->plan->jobs; i++)
                        step = MIN(step, model_patience(&w->models[i]));
                for (unsigned i = 0; i < w->plan->jobs; i++)
                        model_fill(&w->models[i], world_boottime(w) + step);
                drive(w, world_boottime(w) + step);
                check_all(w);
        } while (world_boottime(w) < end);
}

/* After a disturbance: what is late comes now. */
static void catch_up(World *w)
{
        w->disturbed = world_boottime(w);
        pass(w, w->disturbed);
}

/* --- the daemon --- */

static const char *job_name(const Model *m)
{
        static char name[16];

        (void)snprintf(name, sizeof(name), "j%04u", m->index);
        return name;
}

static TimerCallback on_due;

/* Stands before the scheduler's own. */
static void on_job_timer(Timer *timer, usec_t now)
{
        Job *job = container_of(timer, Job, timer);
        Model *m = model_of(job->name);

        /* One that has not had its turn since the clock was set looks at that first. */
        if (the_world->stopping || job->wall_seen != the_world->scheduler->n_wall_changes) {
                on_due(timer, now);
                return;
        }
        model_decide(m, false, (int64_t)job->next_boottime, (int64_t)timer->due_boottime);
        on_due(timer, now);
        model_decided(m);
}

static void add_job(World *w, Model *m)
{
        Job *job;

        model_begin(m);
        if (scheduler_add_job(w->scheduler, m->definition->spec, &job) < 0)
                abort();
        on_due = job->timer.callback;
        job->timer.callback = on_job_timer;
}

static void start_daemon(World *w)
{
        SchedulerLimits limits = { .seed = random_next(&w->random) | 1 };

        limits.max_runs = w->max_runs = chance(&w->random, 30) ? 3 + (unsigned)draw(&w->random, 40) : 5000;
        w->services = (Services){ .clock = &w->clock.clock, .timers = w->timers };
        if (scheduler_new(&w->services, &w->events, w->ids, &limits, &w->scheduler) < 0)
                abort();
        w->start = world_boottime(w);
        w->caught_up = INT64_MIN / 2;
        for (unsigned i = 0; i < w->plan->jobs; i++)
                add_job(w, &w->models[i]);
        scheduler_begin(w->scheduler);
}

static void on_shut_down(void *userdata)
{
        World *w = userdata;

        w->shut_down = true;
}

/* Ends the daemon, in order or after no patience. */
static void stop_daemon(World *w)
{
        w->shut_down = false;
        w->stopping = true;
        scheduler_shutdown(w->scheduler, on_shut_down, w);
        if (chance(&w->random, 70))
                drive(w, world_boottime(w) + 10 * SEC);
        scheduler_abandon(w->scheduler);
        for (unsigned i = 0; i < w->plan->jobs; i++)
                if (w->models[i].n_runs > 0)
                        world_fail(w, &w->models[i], "a run did not end");
        w->scheduler = scheduler_free(w->scheduler);
        w->stopping = false;
        if (timer_queue_size(w->timers) > 0)
                world_fail(w, NULL, "timers are left of a daemon that ended");
}

/* --- disturbances --- */

static Job *random_job(World *w, Model **ret)
{
        *ret = &w->models[draw(&w->random, w->plan->jobs)];
        return scheduler_find_job(w->scheduler, job_name(*ret));
}

static void restart(World *w)
{
        stop_daemon(w);
        if (chance(&w->random, 40)) /* the machine, too */
                w->clock.now_boottime = (usec_t)draw_range(&w->random, SEC, 60 * SEC);
        virtual_clock_advance(&w->clock, (usec_t)draw_range(&w->random, 0, HOUR));
        start_daemon(w);
}

/* Within what the oracle knows of zones. */
static bool is_sensible(int64_t realtime)
{
        return realtime > 2 * DAY && realtime < 110 * 365 * DAY;
}

/* The clock, which was never right, is: what is put off begins by the old one. */
static void set_first(World *w, int64_t by)
{
        w->offset_before = world_offset(w);
        w->setting_first = true;
        for (unsigned i = 0; i < w->plan->jobs; i++) {
                Model *m = &w->models[i];
                Job *job = scheduler_find_job(w->scheduler, job_name(m));

                if (timer_is_armed(&job->timer) && job->next_on_wall && (int64_t)job->next_boottime <= world_boottime(w))
                        model_decide(m, false, (int64_t)job->next_boottime, (int64_t)job->timer.due_boottime);
        }
        w->clock.now_realtime += (usec_t)by;
        scheduler_wall_clock_changed(w->scheduler);
        for (unsigned i = 0; i < w->plan->jobs; i++) {
                wall_follow(w->scheduler, scheduler_find_job(w->scheduler, job_name(&w->models[i])));
                if (w->models[i].decision.open)
                        model_decided(&w->models[i]);
        }
        w->setting_first = false;
        for (unsigned i = 0; i < w->plan->jobs; i++)
                model_clock_stepped(&w->models[i], true);
}

static void step_clock(World *w, int64_t by)
{
        bool was_set = w->clock.now_realtime >= KEEP_EPOCH;

        if (!is_sensible((int64_t)w->clock.now_realtime + by))
                by = -by;
        if (!is_sensible((int64_t)w->clock.now_realtime + by))
                return;
        for (unsigned i = 0; i < w->plan->jobs; i++)
                model_settle(&w->models[i]);
        if (!was_set && (int64_t)w->clock.now_realtime + by >= (int64_t)KEEP_EPOCH) {
                set_first(w, by);
                return;
        }
        w->clock.now_realtime += (usec_t)by;
        for (unsigned i = 0; i < w->plan->jobs; i++)
                model_clock_stepped(&w->models[i], false);
        scheduler_wall_clock_changed(w->scheduler);
}

static void step_a_little(World *w)
{
        static const int64_t sizes[] = { SEC / 2, 30 * SEC, HOUR, 4 * HOUR, 3 * DAY };
        int64_t size = sizes[draw(&w->random, ARRAY_SIZE(sizes))];

        step_clock(w, draw_range(&w->random, -size, size));
}

/* A battery that died: decades off, and back after a while. */
static void step_far(World *w)
{
        int64_t by = (chance(&w->random, 50) ? 1 : -1) * draw_range(&w->random, 30 * DAY, 30 * 365 * DAY);
        int64_t before = (int64_t)w->clock.now_realtime, boottime;

        step_clock(w, by);
        catch_up(w);
        boottime = world_boottime(w);
        pass(w, boottime + draw_range(&w->random, 0, 5 * HOUR));
        step_clock(w, before + world_boottime(w) - boottime - (int64_t)w->clock.now_realtime);
}

static void suspend(World *w)
{
        int64_t most = chance(&w->random, 5) ? 20 * DAY : chance(&w->random, 50) ? 10 * HOUR : 60 * SEC;

        virtual_clock_advance(&w->clock, (usec_t)draw_range(&w->random, 1, most));
        for (unsigned i = 0; i < w->plan->jobs; i++)
                model_fill(&w->models[i], world_boottime(w));
}

static void reload(World *w)
{
        for (unsigned i = 0, n = 1 + (unsigned)draw(&w->random, 10); i < n; i++) {
                Model *m;
                Job *job = random_job(w, &m);
                bool was_enabled = m->definition->enabled, same;

                if (chance(&w->random, 20)) {
                        scheduler_remove_job(w->scheduler, job);
                        model_forget_runs(m);
                        if (chance(&w->random, 50))
                                model_define(m, &w->random);
                        add_job(w, m);
                        continue;
                }
                same = chance(&w->random, 40);
                if (!same)
                        model_define(m, &w->random);
                scheduler_change_job(w->scheduler, job, m->definition->spec);
                model_changed(m, same, was_enabled);
        }
}

static void pause_or_resume(World *w)
{
        Model *m;
        Job *job = random_job(w, &m);

        if (!m->paused) {
                model_settle(m);
                m->paused = true;
                (void)scheduler_pause_job(w->scheduler, job);
                return;
        }
        model_decide(m, true, 0, 0);
        (void)scheduler_resume_job(w->scheduler, job);
        model_decided(m);
}

static void run_by_hand(World *w)
{
        Model *m;
        Job *job = random_job(w, &m);

        for (unsigned i = 0, n = 1 + (unsigned)draw(&w->random, 3); i < n; i++)
                (void)scheduler_run(w->scheduler, job, &(RunRequest){ .trigger = RUN_TRIGGER_MANUAL }, NULL);
}

static void cancel(World *w)
{
        size_t n = w->scheduler ? scheduler_n_running(w->scheduler) + scheduler_n_queued(w->scheduler) : 0;
        Run *run = scheduler_next_run(w->scheduler, NULL);

        if (n == 0)
                return;
        for (size_t i = draw(&w->random, n); run && i > 0; i--)
                run = scheduler_next_run(w->scheduler, run);
        if (run)
                scheduler_cancel(w->scheduler, run);
}

static void disturb(World *w)
{
        unsigned what = (unsigned)draw(&w->random, 10000);

        w->outcome.disturbances++;
        if (w->plan->verbose)
                printf("%lld %llu disturbance %u\n", (long long)world_boottime(w), (unsigned long long)w->clock.now_realtime, what);
        if (what < 100)
                restart(w);
        else if (what < 105)
                step_far(w);
        else if (what < 600)
                step_a_little(w);
        else if (what < 1200)
                suspend(w);
        else if (what < 2200)
                reload(w);
        else if (what < 5000)
                pause_or_resume(w);
        else if (what < 8500)
                run_by_hand(w);
        else
                cancel(w);
        catch_up(w);
}

/* Some seven times a day, near each other as often as not. */
static int64_t random_wait(World *w)
{
        static const int64_t most[] = { 2 * SEC, 60 * SEC, 2 * HOUR, DAY };

        return draw_range(&w->random, 0, most[draw(&w->random, ARRAY_SIZE(most))]);
}

static void init(World *w, const Plan *plan)
{
        int64_t start;

        *w = (World){ .plan = plan, .random = { .state = plan->seed * 2 + 1 }, .outcome = { .hash = 1469598103934665603U } };
        the_world = w;
        fake_kind = sleep_kind;
        fake_kind.run_size = sizeof(FakeRun);
        fake_kind.start = fake_start;
        fake_kind.cancel = fake_cancel;
        fake_kind.reset = fake_reset;
        /* Apia's lost day, São Paulo's midnights, Cairo's two summers; or years in which the clock is trusted. */
        start = chance(&w->random, 50) ? draw_range(&w->random, 14300, 17800) : draw_range(&w->random, 20500, 24000);
        virtual_clock_init(&w->clock, 20 * SEC, (usec_t)(start * DAY + draw_range(&w->random, 0, DAY / SEC) * SEC));
        w->zone = local_zone(zone_names[draw(&w->random, n_zone_names)]);
        w->timers = timer_queue_new(&w->clock.clock);
        w->models = new0(Model, plan->jobs);
        if (!w->timers || !w->models || run_ids_open(NULL, &w->ids) < 0)
                abort();
        event_bus_init(&w->events, &w->clock.clock);
        w->observer.notify = on_event;
        event_bus_subscribe(&w->events, &w->observer);
}

void world_run(const Plan *plan, Outcome *ret)
{
        World *w = new0(World, 1);
        char path[256];

        if (!w)
                abort();
        init(w, plan);
        (void)snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", local_zone_name(w->zone));
        zone_set_root(NULL, path);
        for (unsigned i = 0; i < plan->jobs; i++) {
                model_init(&w->models[i], w, i, random_next(&w->random));
                model_define(&w->models[i], &w->random);
        }
        start_daemon(w);
        while (w->passed < plan->days * DAY) {
                int64_t wait = random_wait(w);

                pass(w, world_boottime(w) + wait);
                w->passed += wait;
                disturb(w);
        }
        stop_daemon(w);
        for (unsigned i = 0; i < plan->jobs; i++)
                model_deinit(&w->models[i]);
        run_ids_close(w->ids);
        timer_queue_free(w->timers);
        *ret = w->outcome;
        free(w->models);
        free(w);
        zone_set_root(NULL, NULL);
        local_zones_free();
}
