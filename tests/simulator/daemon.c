/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon: what starts and ends the scheduler, and stands before its timers. */
#include "world-internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/string-util.h"
#include "store/schedule-times.h"

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

void world_open_stamps(World *w)
{
        if (w->directory[0] == '\0') {
                (void)snprintf(w->directory, sizeof(w->directory), "/tmp/takt-simulator-XXXXXX");
                if (!mkdtemp(w->directory))
                        abort();
        }
        if (schedule_times_open(w->directory, w->boot, &w->stamps) < 0)
                abort();
}

void world_close_stamps(World *w)
{
        _cleanup_free_ char *path = path_join(w->directory, "schedule-times");

        w->stamps = stamp_store_free(w->stamps);
        if (!path || unlink(path) < 0 || rmdir(w->directory) < 0)
                abort();
}

static void join(World *w, Model *m)
{
        Job *job;

        /* Another daemon would have read it anew. */
        m->definition->spec->schedule.schedule.zone_change = 0;
        if (scheduler_add_job(w->scheduler, m->definition->spec, &job) < 0)
                abort();
        /* A job that is put back while it has runs is the same one, with the callback that it has. */
        if (job->timer.callback != on_job_timer)
                on_due = job->timer.callback;
        job->timer.callback = on_job_timer;
}

void add_job(World *w, Model *m)
{
        model_begin(m);
        join(w, m);
}

/* A new scheduler. Jobs begin, or go on from where the last one's stamps say that they were. */
void start_daemon(World *w)
{
        SchedulerLimits limits = { .seed = random_next(&w->random) | 1 };

        limits.max_runs = w->max_runs = chance(&w->random, 30) ? 3 + (unsigned)draw(&w->random, 40) : 5000;
        w->services = (Services){ .clock = &w->clock.clock, .timers = w->timers, .stamps = w->stamps };
        if (scheduler_new(&w->services, &w->events, w->ids, &limits, &w->scheduler) < 0)
                abort();
        w->start = world_boottime(w);
        w->caught_up = INT64_MIN / 2;
        w->trusted = w->clock.now_realtime >= KEEP_EPOCH;
        for (unsigned i = 0; i < w->plan->jobs; i++) {
                model_restart(&w->models[i], w->n_boots != w->boot[0]);
                join(w, &w->models[i]);
        }
        w->n_boots = w->boot[0];
        scheduler_begin(w->scheduler);
        for (unsigned i = 0; i < w->plan->jobs; i++)
                model_restarted(&w->models[i]);
}

static void on_shut_down(void *userdata)
{
        World *w = userdata;

        w->shut_down = true;
}

/* What a SIGKILL leaves is in the file; what this process does from here on is nobody's. */
static void die(World *w)
{
        w->stamps = stamp_store_free(w->stamps);
        w->services.stamps = NULL;
        for (Job *job = NULL; (job = scheduler_next_job(w->scheduler, job));)
                job->stamp = NULL;
        for (unsigned i = 0; i < w->plan->jobs; i++)
                w->models[i].n_runs = 0;
        w->dead = true;
}

void stop_daemon(World *w, bool killed)
{
        w->shut_down = false;
        w->stopping = true;
        if (killed) {
                die(w);
        } else {
                scheduler_shutdown(w->scheduler, on_shut_down, w);
                if (chance(&w->random, 70))
                        drive(w, world_boottime(w) + 10 * SEC);
        }
        scheduler_abandon(w->scheduler);
        for (unsigned i = 0; i < w->plan->jobs; i++)
                if (w->models[i].n_runs > 0)
                        world_fail(w, &w->models[i], "a run did not end");
        w->scheduler = scheduler_free(w->scheduler);
        w->stopping = w->dead = false;
        if (timer_queue_size(w->timers) > 0)
                world_fail(w, NULL, "timers are left of a daemon that ended");
        w->stamps = stamp_store_free(w->stamps);
}
