/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs that do as they are told: they take a random time, fail at random, and may be slow to be cancelled. */
#include "world-internal.h"

#include "kinds/kinds.h"

typedef struct FakeRun {
        Timer timer;
        bool fails;
} FakeRun;

JobKind fake_kind;

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

void fake_kind_init(void)
{
        fake_kind = sleep_kind;
        fake_kind.run_size = sizeof(FakeRun);
        fake_kind.start = fake_start;
        fake_kind.cancel = fake_cancel;
        fake_kind.reset = fake_reset;
}
