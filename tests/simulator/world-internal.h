/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What the files of the world share. world.c has its clock, and lets time pass; daemon.c starts and ends the
 * scheduler; fake-run.c is the kind of its runs; disturb.c is what a machine and its users do to it.
 */

#include "world.h"

#include "sched/internal.h"
#include "sched/keep.h"

#define SEC INT64_C(1000000)
#define HOUR (3600 * SEC)
#define DAY (24 * HOUR)

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
        StampStore *stamps;      /* the real one, in DIRECTORY */
        char directory[40];
        uint8_t boot[16];        /* its id: the number of the boot */
        uint8_t n_boots;         /* the boot of the daemon that ran last */
        bool trusted;            /* the wall clock was set, when the scheduler was last told of it */
        bool stopping, shut_down;
        bool dead;               /* what it tells is of no daemon any more */
        bool setting_first; /* the wall clock: what is due still goes by the old one, … */
        int64_t offset_before; /* … which is so much ahead of the boot clock */

        Model *models;
        LocalZone *zone; /* of the machine */
        char zone_path[256];
        int64_t start;   /* boot time of the daemon's */
        int64_t disturbed;
        int64_t order;   /* due time of what was handled last in this turn */
        int64_t caught_up; /* when a run last did */
        int64_t passed;  /* time in all, which a reboot does not set back */
};

extern World *the_world; /* for runs and timers, which know their scheduler only */
extern JobKind fake_kind;

void fake_kind_init(void);
Model *model_of(const char *job);
const char *job_name(const Model *m);
Job *job_of(const World *w, const Model *m);

/* --- world.c --- */

/* Goes on to boot time END, event by event. */
void drive(World *w, int64_t end);
/* Lets all that is due by END happen and compares. */
void pass(World *w, int64_t end);
/* After a disturbance: what is late comes now. */
void catch_up(World *w);

/* --- daemon.c --- */

void start_daemon(World *w);
/* In order, after some patience or none; or with KILLED by a SIGKILL. */
void stop_daemon(World *w, bool killed);
void add_job(World *w, Model *m);
void world_open_stamps(World *w);
void world_close_stamps(World *w);

/* --- disturb.c --- */

/* Within what the oracle knows of zones. */
bool is_sensible(int64_t realtime);
void set_zone(World *w, const char *name);
/* One at random, and what comes of it at once. */
void disturb(World *w);
