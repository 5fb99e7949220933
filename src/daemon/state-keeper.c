/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/state-keeper.h"

#include <sys/stat.h>

#include "base/log.h"
#include "base/string-util.h"

struct StateKeeper {
        const char *directory;
        Engine *engine;
        ActiveRuns *active;
        void (*changed)(void *userdata);
        void *userdata;
        Timer timer;
        usec_t looked_boottime;
        char *problem; /* NULL: none */
        bool renaming; /* stamps were lost, and get their jobs' names again: those behind AFTER */
        char after[JOB_NAME_MAX + 1];
};

/* --- what is kept; each answers 0: it is; 1: look again soon; else why it is not --- */

static int check_ids(StateKeeper *keeper)
{
        return run_ids_check(keeper->engine->ids);
}

static int check_active_runs(StateKeeper *keeper)
{
        return active_runs_check(keeper->active);
}

static int rename_stamps(StateKeeper *keeper)
{
        const Job *last = scheduler_keep_again(keeper->engine->scheduler, keeper->after, STATE_JOBS_A_TURN);

        keeper->renaming = last;
        if (last)
                memcpy(keeper->after, last->name, strlen(last->name) + 1);
        return last ? 1 : 0;
}

static int check_stamps(StateKeeper *keeper)
{
        bool lost;
        int r;

        if (!keeper->engine->stamps)
                return 0;
        r = stamp_store_keep(keeper->engine->stamps, &lost);
        if (lost) {
                keeper->renaming = true;
                keeper->after[0] = '\0';
        }
        return keeper->renaming && rename_stamps(keeper) > 0 && r == 0 ? 1 : r;
}

static int check_leds(StateKeeper *keeper)
{
        return led_set_error(keeper->engine->leds);
}

static const struct {
        const char *name;
        int (*check)(StateKeeper *keeper);
} parts[] = {
        { "next-run", check_ids },
        { "active-runs", check_active_runs },
        { "schedule-times", check_stamps },
        { "leds", check_leds },
};

/* --- */

/* 1: look again soon; 0, and what is wrong in TEXT; -ENOMEM. */
static int look(StateKeeper *keeper, Buffer *text)
{
        bool more = false;
        int r = 0;

        /* Not its parents: who removes an environment doesn't want it back. */
        (void)mkdir(keeper->directory, 0700);
        for (size_t i = 0; i < ARRAY_SIZE(parts) && r >= 0; i++) {
                int k = parts[i].check(keeper);

                more = more || k > 0;
                if (k < 0)
                        r = buffer_appendf(text, "%s%s: %s", text->len > 0 ? "; " : "", parts[i].name, strerror(-k));
        }
        return r < 0 ? r : more;
}

static void tell(StateKeeper *keeper, const Buffer *text)
{
        char *problem = text->len > 0 ? strdup(text->data) : NULL;

        if (problem)
                log_warning("State can't be kept in %s, so that the next daemon won't know it (%s); it is tried again",
                            keeper->directory, problem);
        else
                log_notice("All state is kept in %s again", keeper->directory);
        free(keeper->problem);
        keeper->problem = problem;
}

/* Whether the problem is another one. */
static bool check(StateKeeper *keeper)
{
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        int r = look(keeper, &text);
        bool changed = r == 0 && !streq(buffer_string(&text), keeper->problem ?: "");

        keeper->looked_boottime = clock_boottime(keeper->engine->services.clock);
        if (changed)
                tell(keeper, &text);
        /* The timer was armed before or has just fired: there is room for it. */
        (void)timer_arm_after(keeper->engine->services.timers, &keeper->timer,
                              r > 0             ? STATE_COPY_USEC :
                              keeper->problem ? STATE_RETRY_USEC :
                                                STATE_CHECK_USEC);
        return changed;
}

static void on_timer(Timer *timer, _unused_ usec_t now)
{
        StateKeeper *keeper = container_of(timer, StateKeeper, timer);

        activity_note("looking after state/", NULL);
        if (check(keeper))
                keeper->changed(keeper->userdata);
}

int state_keeper_new(const char *directory, Engine *engine, ActiveRuns *active, void (*changed)(void *userdata),
                     void *userdata, StateKeeper **ret)
{
        StateKeeper *keeper = new0(StateKeeper, 1);

        if (!keeper)
                return -ENOMEM;
        if (timer_queue_reserve(engine->services.timers, 1) < 0) {
                free(keeper);
                return -ENOMEM;
        }
        keeper->directory = directory;
        keeper->engine = engine;
        keeper->active = active;
        keeper->changed = changed;
        keeper->userdata = userdata;
        keeper->timer.callback = on_timer;
        (void)check(keeper);
        *ret = keeper;
        return 0;
}

StateKeeper *state_keeper_free(StateKeeper *keeper)
{
        if (!keeper)
                return NULL;
        timer_disarm(keeper->engine->services.timers, &keeper->timer);
        free(keeper->problem);
        free(keeper);
        return NULL;
}

const char *state_keeper_problem(const StateKeeper *keeper)
{
        return keeper ? keeper->problem : NULL;
}

const char *state_keeper_ask(StateKeeper *keeper)
{
        if (keeper && !keeper->problem &&
            clock_boottime(keeper->engine->services.clock) >= usec_add(keeper->looked_boottime, STATE_ASKED_USEC) && check(keeper))
                keeper->changed(keeper->userdata);
        return state_keeper_problem(keeper);
}
