/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Type=blink: flashes a message (an event a flash) and, where Led= names one, a LED of the LED
 * class, and returns the number of flashes. Flash k begins at start + k / Rate, so that the number
 * is Duration × Rate whatever the callbacks take.
 */

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/string-util.h"
#include "drivers/led.h"
#include "job/expand.h"
#include "job/job.h"
#include "job/key-need.h"
#include "job/spec.h"
#include "job/types.h"
#include "kinds/kinds.h"
#include "kinds/outcome.h"
#include "when/timespan.h"

#define BLINK_RATE_MIN 0.001
#define BLINK_RATE_MAX 1000.0
#define BLINK_MESSAGE_MAX 4096U

typedef struct BlinkConfig {
        Template *message;
        char *led;
        Template *duration;
        Template *rate;
        double duty; /* share of a period that is lit */
} BlinkConfig;

typedef struct BlinkRun {
        Timer timer;
        Buffer message;
        Led *led;
        usec_t start_boottime;
        usec_t duration;
        double period; /* usec */
        uint64_t flashes;
        bool lit;
} BlinkRun;

static const ConfigKey blink_keys[] = {
        { "Message", .type = &config_type_template, .offset = offsetof(BlinkConfig, message), .data = TEMPLATE_PLAIN,
          .default_value = "blink", .help = "What each flash says." },
        { "Led", .type = &config_type_string, .offset = offsetof(BlinkConfig, led),
          .help = "A LED of /sys/class/leds to flash as well; it is given back as it was." },
        { "Duration", .type = &config_type_template, .offset = offsetof(BlinkConfig, duration), .data = TEMPLATE_PLAIN,
          .default_value = "5s", .help = "How long it flashes." },
        { "Rate", .type = &config_type_template, .offset = offsetof(BlinkConfig, rate), .data = TEMPLATE_PLAIN,
          .default_value = "2", .help = "Flashes per second." },
        { "Duty", .type = &config_type_double, .offset = offsetof(BlinkConfig, duty), .max = 1, .default_value = "0.5",
          .help = "The share of each period that is lit, from 0 to 1." },
        {},
};

static const ConfigSection blink_section = { "Blink", blink_keys, sizeof(BlinkConfig) };

static int note_led(JobSpec *spec, const BlinkConfig *c, const ConfigItems *items)
{
        const ConfigItem *item = config_items_find(items, "Blink", "Led");

        return c->led && item ? job_spec_mention(spec, &(Mention){ .type = MENTION_LED, .key = "Led", .name = c->led }, item, 0) : 0;
}

static unsigned blink_events(_unused_ const void *config)
{
        return EVENT_BIT(EVENT_PROGRESS);
}

static int blink_load(JobSpec *spec, void *config, const ConfigItems *items, ConfigReport *report)
{
        BlinkConfig *c = config;
        int r, k, l = 0;

        r = template_check_double(c->rate, BLINK_RATE_MIN, BLINK_RATE_MAX, "Blink", "Rate", items, report);
        k = template_check_span(c->duration, USEC_PER_MSEC, 100 * USEC_PER_YEAR, "Blink", "Duration", items, report);
        if (c->led && !led_name_is_valid(c->led))
                l = config_items_error(items, report, "Blink", "Led", 0, "'%s' is no name of a LED", c->led);
        r = r < 0 ? r : k < 0 ? k : l;
        return r < 0 ? r : note_led(spec, c, items);
}

static bool has_led(const JobSpec *spec)
{
        const BlinkConfig *c = spec->config;

        return c->led;
}

static const KeyNeed blink_needs[] = {
        { "Duty", has_led, "Led= is not set", "Led" },
        {},
};

static void blink_done(Run *run)
{
        BlinkRun *state = run_state(run);
        char *result = xasprintf("%llu", (unsigned long long)state->flashes);

        if (result)
                run_finish_with_json(run, result, strlen(result));
        else
                run_fail(run, "memory", "no memory for the result");
}

static int switch_led(Run *run, bool on)
{
        BlinkRun *state = run_state(run);
        const BlinkConfig *config = run_config(run);
        int r = state->led ? led_switch(state->led, on) : 0;

        state->lit = on;
        if (r < 0)
                run_fail(run, "led", "LED %s: %s", config->led, strerror(-r));
        return r;
}

/* The next change: the end of this flash where it is lit, else the next flash or the end of all. */
static usec_t next_change(const BlinkRun *state, double duty)
{
        usec_t end = usec_add(state->start_boottime, state->duration);
        double offset = state->lit ? ((double)state->flashes - 1 + duty) * state->period : (double)state->flashes * state->period;
        usec_t due = usec_add(state->start_boottime, (usec_t)llround(offset));

        return MIN(due, end);
}

static void blink_step(Run *run, usec_t now)
{
        const BlinkConfig *config = run_config(run);
        BlinkRun *state = run_state(run);

        if (now >= usec_add(state->start_boottime, state->duration)) {
                blink_done(run);
                return;
        }
        if (state->lit) {
                if (switch_led(run, false) < 0)
                        return;
        } else {
                char data[48];

                state->flashes++;
                (void)snprintf(data, sizeof(data), "{\"flashes\":%llu}", (unsigned long long)state->flashes);
                run_progress(run, buffer_string(&state->message), data);
                if (switch_led(run, true) < 0)
                        return;
        }
        (void)timer_arm(run->services->timers, &state->timer, next_change(state, config->duty));
}

static void on_blink_timer(Timer *timer, _unused_ usec_t now)
{
        /* The time that was asked for, not the one it became: a late wake-up drops no flash. */
        blink_step(run_from_state(container_of(timer, BlinkRun, timer)), timer->due_boottime);
}

static int take_led(Run *run, const BlinkConfig *config, BlinkRun *state)
{
        const char *owner = led_set_owner(run->services->leds, config->led);
        int r = led_acquire(run->services->leds, config->led, run->job->name, &state->led);

        if (r == -EBUSY)
                run_fail(run, "led", "LED %s is in use by %s", config->led, owner ?: "another process");
        else if (r == -ENODEV)
                run_fail(run, "led", "there is no LED %s", config->led);
        else if (r < 0)
                run_fail(run, "led", "LED %s: %s", config->led, strerror(-r));
        return r;
}

static void blink_start(Run *run)
{
        const BlinkConfig *config = run_config(run);
        BlinkRun *state = run_state(run);
        double rate;

        state->message.max = BLINK_MESSAGE_MAX;
        if (run_expand(run, config->message, &state->message) < 0 ||
            run_expand_span(run, config->duration, "Duration", &state->duration) < 0 ||
            run_expand_double(run, config->rate, "Rate", &rate) < 0)
                return;
        if (rate < BLINK_RATE_MIN || rate > BLINK_RATE_MAX) {
                run_fail(run, "template", "Rate= must be from %g to %g", BLINK_RATE_MIN, BLINK_RATE_MAX);
                return;
        }
        if (config->led && take_led(run, config, state) < 0)
                return;
        state->period = (double)USEC_PER_SEC / rate;
        state->start_boottime = clock_boottime(run->services->clock);
        state->timer.callback = on_blink_timer;
        blink_step(run, state->start_boottime);
}

static void blink_cancel(Run *run)
{
        run_fail(run, "cancelled", "ended before its time");
}

static void blink_reset(Run *run)
{
        const BlinkConfig *config = run_config(run);
        BlinkRun *state = run_state(run);
        int r;

        timer_disarm(run->services->timers, &state->timer);
        buffer_deinit(&state->message);
        if (state->led) {
                r = led_release(TAKE_PTR(state->led));
                if (r < 0)
                        log_errno(LOG_WARNING, r, "LED %s could not be given back as it was: %m", config->led);
        }
}

const JobKind blink_kind = {
        .name = "blink",
        .help = "Flashes a message, and a LED where there is one.",
        .section = &blink_section,
        .load = blink_load,
        .needs = blink_needs,
        .events = blink_events,
        .run_size = sizeof(BlinkRun),
        .start = blink_start,
        .cancel = blink_cancel,
        .reset = blink_reset,
};
