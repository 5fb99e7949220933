/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Type=countdown: tells of a number each Step=, from From= down to 1, and returns "done!" one step
 * after the last. The steps lie on a grid from the start, whatever the callbacks take.
 */

#include <stdio.h>

#include "job/expand.h"
#include "job/spec.h"
#include "job/types.h"
#include "kinds/kinds.h"
#include "kinds/outcome.h"
#include "when/timespan.h"

#define COUNTDOWN_FROM_MAX 1000000000.0
#define COUNTDOWN_STEP_MIN USEC_PER_MSEC

typedef struct CountdownConfig {
        Template *name;
        Template *from;
        Template *step;
} CountdownConfig;

typedef struct CountdownRun {
        Timer timer;
        Buffer name;
        uint64_t left;
        usec_t step;
} CountdownRun;

static const ConfigKey countdown_keys[] = {
        { "Name", .type = &config_type_template, .offset = offsetof(CountdownConfig, name), .data = TEMPLATE_PLAIN,
          .help = "What is counted; said with each number." },
        { "From", .type = &config_type_template, .offset = offsetof(CountdownConfig, from), .data = TEMPLATE_PLAIN,
          .default_value = "10", .help = "The first number." },
        { "Step", .type = &config_type_template, .offset = offsetof(CountdownConfig, step), .data = TEMPLATE_PLAIN,
          .default_value = "1s", .help = "The time from one number to the next." },
        {},
};

static const ConfigSection countdown_section = { "Countdown", countdown_keys, sizeof(CountdownConfig) };

static int countdown_load(_unused_ JobSpec *spec, void *config, const ConfigItems *items, ConfigReport *report)
{
        CountdownConfig *c = config;
        int r = template_check_double(c->from, 0, COUNTDOWN_FROM_MAX, "Countdown", "From", items, report);
        int k = template_check_span(c->step, COUNTDOWN_STEP_MIN, USEC_PER_YEAR, "Countdown", "Step", items, report);

        return r < 0 ? r : k;
}

static void tell(Run *run, const CountdownRun *state)
{
        char message[128], data[32];

        (void)snprintf(message, sizeof(message), "%.96s%s%llu", buffer_string(&state->name), state->name.len > 0 ? ": " : "",
                       (unsigned long long)state->left);
        (void)snprintf(data, sizeof(data), "{\"left\":%llu}", (unsigned long long)state->left);
        run_progress(run, message, data);
}

static void countdown_done(Run *run)
{
        static const char done[] = "\"done!\"";
        char *result = strdup(done);

        if (result)
                run_finish_with_json(run, result, sizeof(done) - 1);
        else
                run_fail(run, "memory", "no memory for the result");
}

static void on_countdown_step(Timer *timer, _unused_ usec_t now)
{
        CountdownRun *state = container_of(timer, CountdownRun, timer);
        Run *run = run_from_state(state);

        if (--state->left == 0) {
                countdown_done(run);
                return;
        }
        tell(run, state);
        (void)timer_arm(run->services->timers, timer, usec_add(timer->due_boottime, state->step));
}

static void countdown_start(Run *run)
{
        const CountdownConfig *config = run_config(run);
        CountdownRun *state = run_state(run);
        double from;

        if (run_expand(run, config->name, &state->name) < 0 ||
            run_expand_double(run, config->from, "From", &from) < 0 ||
            run_expand_span(run, config->step, "Step", &state->step) < 0)
                return;
        if (from < 0 || from > COUNTDOWN_FROM_MAX || state->step < COUNTDOWN_STEP_MIN) {
                run_fail(run, "template", "From= must be from 0 to %.0f and Step= at least 1ms", COUNTDOWN_FROM_MAX);
                return;
        }
        state->left = (uint64_t)from;
        if (state->left == 0) {
                countdown_done(run);
                return;
        }
        tell(run, state);
        state->timer.callback = on_countdown_step;
        if (timer_arm_after(run->services->timers, &state->timer, state->step) < 0)
                run_fail(run, "memory", "no memory for a timer");
}

static void countdown_cancel(Run *run)
{
        run_fail(run, "cancelled", "ended before its time");
}

static void countdown_reset(Run *run)
{
        CountdownRun *state = run_state(run);

        timer_disarm(run->services->timers, &state->timer);
        buffer_deinit(&state->name);
}

static unsigned countdown_events(_unused_ const void *config)
{
        return EVENT_BIT(EVENT_PROGRESS);
}

const JobKind countdown_kind = {
        .name = "countdown",
        .help = "Counts down, an event a step.",
        .section = &countdown_section,
        .load = countdown_load,
        .events = countdown_events,
        .run_size = sizeof(CountdownRun),
        .start = countdown_start,
        .cancel = countdown_cancel,
        .reset = countdown_reset,
};
