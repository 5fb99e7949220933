/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The clock of the world and all that hangs on it: what is due happens, event by event, and is compared. */
#include "world-internal.h"

#include <stdio.h>

#include "sched/check.h"
#include "when/zone.h"

/* Jobs whose timer is compared with a walk into the future, each time. */
#define SAMPLES 2
#define SAMPLE_DAYS 40
/* sched/catch-up.h */
#define CATCH_UP_INTERVAL 10000

World *the_world;

Model *model_of(const char *job)
{
        return &the_world->models[strtoul(job + 1, NULL, 10)];
}

const char *job_name(const Model *m)
{
        static char name[16];

        (void)snprintf(name, sizeof(name), "j%04u", m->index);
        return name;
}

Job *job_of(const World *w, const Model *m)
{
        return scheduler_find_job(w->scheduler, job_name(m));
}

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

bool world_trusts_clock(const World *w)
{
        return w->trusted;
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

void world_order(World *w, const Model *m, int64_t due)
{
        due = MAX(due, INT64_C(0));
        if (due < w->order)
                world_fail(w, m, "what was due at %lld comes after what was due at %lld", (long long)due, (long long)w->order);
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
        const Job *job = w->scheduler ? job_of(w, m) : NULL;

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
        fprintf(stderr, "To see what led to it: --seed=%llu --jobs=%u --days=%u --verbose --job=%d\n",
                (unsigned long long)w->plan->seed, w->plan->jobs, w->plan->days, m ? (int)m->index : -1);
        exit(EXIT_FAILURE);
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

        if (w->dead)
                return;
        w->outcome.events++;
        mix(w, event->type);
        mix(w, w->clock.now_boottime);
        mix(w, w->clock.now_realtime);
        mix(w, strtoul(event->job + 1, NULL, 10));
        if (w->plan->verbose && (w->plan->job < 0 || w->plan->job == (int)strtoul(event->job + 1, NULL, 10)))
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

void drive(World *w, int64_t end)
{
        usec_t due;

        while ((due = timer_queue_next(w->timers)) <= (usec_t)end) {
                virtual_clock_advance(&w->clock, usec_sub(due, w->clock.now_boottime));
                dispatch(w);
        }
        virtual_clock_advance(&w->clock, usec_sub((usec_t)end, w->clock.now_boottime));
}

/* All that the scheduler counts is right, and nothing waits that could begin. */
static void check_idle(World *w)
{
        _cleanup_free_ char *problem = scheduler_check(w->scheduler);

        if (problem)
                world_fail(w, NULL, "%s", problem);
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

                model_check_next(m, job_of(w, m), SAMPLE_DAYS);
        }
}

void pass(World *w, int64_t end)
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

void catch_up(World *w)
{
        w->disturbed = world_boottime(w);
        pass(w, w->disturbed);
}

/* --- the whole of it --- */

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
        fake_kind_init();
        /* Apia's lost day, São Paulo's midnights, Cairo's two summers; or years in which the clock is trusted. */
        start = chance(&w->random, 50) ? draw_range(&w->random, 14300, 17800) : draw_range(&w->random, 20500, 24000);
        virtual_clock_init(&w->clock, 20 * SEC, (usec_t)(start * DAY + draw_range(&w->random, 0, DAY / SEC) * SEC));
        set_zone(w, zone_names[draw(&w->random, n_zone_names)]);
        w->timers = timer_queue_new(&w->clock.clock);
        w->models = new0(Model, plan->jobs);
        if (!w->timers || !w->models || run_ids_new(&w->ids) < 0)
                abort();
        event_bus_init(&w->events, &w->clock.clock);
        w->observer.notify = on_event;
        event_bus_subscribe(&w->events, &w->observer);
}

void world_run(const Plan *plan, Outcome *ret)
{
        World *w = new0(World, 1);

        if (!w)
                abort();
        init(w, plan);
        world_open_stamps(w);
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
        stop_daemon(w, false);
        world_close_stamps(w);
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
