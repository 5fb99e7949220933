/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a machine and its users do to a scheduler: clocks that step, zones that change, suspends, restarts, crashes,
 * reloads, pauses, runs by hand and cancels.
 */
#include "world-internal.h"

#include <stdio.h>

#include "when/zone.h"

static Job *random_job(World *w, Model **ret)
{
        *ret = &w->models[draw(&w->random, w->plan->jobs)];
        return job_of(w, *ret);
}

/* Jobs whose files are changed while nobody looks. */
static void edit_some(World *w)
{
        for (unsigned i = 0, n = (unsigned)draw(&w->random, 4); i < n; i++) {
                Model *m = &w->models[draw(&w->random, w->plan->jobs)];

                model_define(m, &w->random);
                m->edited = true;
        }
}

/* A battery's clock is off by a little when a machine was. */
static void drift(World *w)
{
        int64_t by = draw_range(&w->random, -2 * HOUR, 3 * HOUR);

        if (is_sensible((int64_t)w->clock.now_realtime + by))
                w->clock.now_realtime += (usec_t)by;
}

/* Of the daemon, which stops or crashes, or of the machine. */
static void restart(World *w)
{
        stop_daemon(w, chance(&w->random, 40));
        if (chance(&w->random, 40)) {
                w->boot[0]++;
                w->clock.now_boottime = (usec_t)draw_range(&w->random, SEC, 60 * SEC);
                if (chance(&w->random, 30))
                        drift(w);
        }
        virtual_clock_advance(&w->clock, (usec_t)draw_range(&w->random, 0, chance(&w->random, 10) ? 3 * DAY : HOUR));
        edit_some(w);
        world_open_stamps(w);
        start_daemon(w);
}

bool is_sensible(int64_t realtime)
{
        return realtime > 2 * DAY && realtime < 110 * 365 * DAY;
}

/* What stands on the wall clock and is due, if put off, will begin by the clock and zone as they are. */
static void decide_due(World *w, Model *m)
{
        Job *job = job_of(w, m);

        if (timer_is_armed(&job->timer) && job->next_on_wall && (int64_t)job->next_boottime <= world_boottime(w))
                model_decide(m, false, (int64_t)job->next_boottime, (int64_t)job->timer.due_boottime);
}

/* All jobs have their turn. */
static void follow_all(World *w)
{
        for (unsigned i = 0; i < w->plan->jobs; i++) {
                wall_follow(w->scheduler, job_of(w, &w->models[i]));
                if (w->models[i].decision.open)
                        model_decided(&w->models[i]);
        }
}

/* The clock, which was never right, is: what is put off begins by the old one. */
static void set_first(World *w, int64_t by)
{
        w->offset_before = world_offset(w);
        w->setting_first = true;
        for (unsigned i = 0; i < w->plan->jobs; i++)
                decide_due(w, &w->models[i]);
        w->clock.now_realtime += (usec_t)by;
        scheduler_wall_clock_changed(w->scheduler);
        follow_all(w);
        w->setting_first = false;
        w->trusted = true;
        for (unsigned i = 0; i < w->plan->jobs; i++)
                model_clock_stepped(&w->models[i], true);
}

void set_zone(World *w, const char *name)
{
        w->zone = local_zone(name);
        (void)snprintf(w->zone_path, sizeof(w->zone_path), "/usr/share/zoneinfo/%s", name);
        zone_set_root(NULL, w->zone_path);
}

/* The machine goes elsewhere: for the jobs of its zone, what is put off begins by the old one. */
static void change_zone(World *w)
{
        const char *name = zone_names[draw(&w->random, n_zone_names)];
        bool same = local_zone(name) == w->zone;

        for (unsigned i = 0; i < w->plan->jobs && !same; i++) {
                Model *m = &w->models[i];

                if (!m->definition->machine_zone)
                        continue;
                model_settle(m);
                decide_due(w, m);
        }
        set_zone(w, name);
        scheduler_zones_changed(w->scheduler);
        follow_all(w);
        for (unsigned i = 0; i < w->plan->jobs && !same; i++)
                if (w->models[i].definition->machine_zone)
                        model_zone_changed(&w->models[i]);
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
        w->trusted = w->clock.now_realtime >= KEEP_EPOCH;
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

/* Of 10,000 disturbances, so many are of each kind. */
static const struct {
        const char *name;
        unsigned weight;
        void (*happen)(World *w);
} disturbances[] = {
        { "restart", 100, restart },
        { "clock far off", 5, step_far },
        { "zone", 25, change_zone },
        { "clock set", 470, step_a_little },
        { "suspend", 600, suspend },
        { "reload", 1000, reload },
        { "pause or resume", 2800, pause_or_resume },
        { "run by hand", 3500, run_by_hand },
        { "cancel", 1500, cancel },
};

void disturb(World *w)
{
        unsigned what = (unsigned)draw(&w->random, 10000), i = 0;

        while (what >= disturbances[i].weight)
                what -= disturbances[i++].weight;
        w->outcome.disturbances++;
        if (w->plan->verbose)
                printf("%lld %llu -- %s\n", (long long)world_boottime(w), (unsigned long long)w->clock.now_realtime, disturbances[i].name);
        disturbances[i].happen(w);
        catch_up(w);
}
