/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Type=sleep: waits, and returns null. Duration=0 ends at once. */

#include "job/run.h"
#include "job/spec.h"
#include "kinds/kinds.h"
#include "kinds/outcome.h"

typedef struct SleepConfig {
        usec_t duration;
} SleepConfig;

typedef struct SleepRun {
        Timer timer;
} SleepRun;

static const ConfigKey sleep_keys[] = {
        { "Duration", .type = &config_type_span, .offset = offsetof(SleepConfig, duration), .default_value = "1s",
          .help = "How long it sleeps." },
        {},
};

static const ConfigSection sleep_section = { "Sleep", sleep_keys, sizeof(SleepConfig) };

static void on_sleep_over(Timer *timer, usec_t now)
{
        Run *run = run_from_state(container_of(timer, SleepRun, timer));

        run_note_time(run, now);
        run_finish_with_json(run, NULL, 0);
}

static void sleep_start(Run *run)
{
        const SleepConfig *config = run_config(run);
        SleepRun *state = run_state(run);

        usec_t now = run_begin_boottime(run);

        if (config->duration == 0) {
                run_note_time(run, now);
                run_finish_with_json(run, NULL, 0);
                return;
        }
        state->timer.callback = on_sleep_over;
        if (timer_arm(run->services->timers, &state->timer, usec_add(now, config->duration)) < 0)
                run_fail(run, "memory", "no memory for a timer");
}

static void sleep_cancel(Run *run)
{
        run_fail(run, "cancelled", "ended before its time");
}

static void sleep_reset(Run *run)
{
        SleepRun *state = run_state(run);

        timer_disarm(run->services->timers, &state->timer);
}

const JobKind sleep_kind = {
        .name = "sleep",
        .help = "Waits for a time.",
        .section = &sleep_section,
        .run_size = sizeof(SleepRun),
        .start = sleep_start,
        .cancel = sleep_cancel,
        .reset = sleep_reset,
};
