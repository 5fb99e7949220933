/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What happened: every event of the scheduler is held to what was decided, to the rules of overlap and caps,
 * and to the runs there are.
 */
#include "model-internal.h"

#include <stdio.h>
#include <string.h>

static LiveRun *find_run(Model *m, uint64_t id)
{
        for (size_t i = 0; i < m->n_runs; i++)
                if (m->runs[i].id == id)
                        return &m->runs[i];
        return NULL;
}

unsigned model_waiting(const Model *m)
{
        unsigned n = 0;

        for (size_t i = 0; i < m->n_runs; i++)
                n += m->runs[i].state == RUN_QUEUED && !m->runs[i].orphan;
        return n;
}

unsigned model_active(const Model *m)
{
        unsigned n = 0;

        for (size_t i = 0; i < m->n_runs; i++)
                n += m->runs[i].state != RUN_QUEUED && !m->runs[i].orphan;
        return n;
}

void model_forget_runs(Model *m)
{
        for (size_t i = 0; i < m->n_runs; i++)
                m->runs[i].orphan = true;
}

/* The number that a record's message tells. */
static uint64_t record_count(const Run *run, bool *ret_more)
{
        const char *s = run->extra->error_message ?: "";
        unsigned long long n;

        *ret_more = strncmp(s, "more than ", 10) == 0;
        if (sscanf(*ret_more ? s + 10 : s, "%llu occurrences", &n) == 1)
                return n;
        return 1;
}

static void check_first(const Model *m, const Run *run)
{
        char iso[REALTIME_ISO_MAX], expected[REALTIME_ISO_MAX + 16];

        (void)snprintf(expected, sizeof(expected), "\"first\":\"%s\"", realtime_to_iso((usec_t)m->decision.first, iso));
        if (!m->decision.many && (!run->extra->details || !strstr(run->extra->details, expected)))
                world_fail(m->world, m, "the first missed is in %s, not %s", run->extra->details ?: "nothing", expected);
}

/* A record of what did not run: of the decision, or of what the job does not catch up on after all. */
static void take_record(Model *m, const Run *run)
{
        Decision *decision = &m->decision;
        int64_t last = (int64_t)run->scheduled_realtime;
        bool more, paused = strcmp(run->extra->error_kind, "paused") == 0;
        uint64_t n = record_count(run, &more);

        learn_alone(m, run);
        if (decision->n_missed > 0) {
                bool right = more || decision->many ? n >= COUNTED_MAX - 1 && decision->n_missed_total >= COUNTED_MAX
                                                    : n >= decision->n_missed && n <= decision->n_missed_total;

                if (!right || last != decision->last_missed || paused != decision->paused)
                        world_fail(m->world, m, "tells of %llu (last %lld): %s; there were %zu at %zu instants (last %lld)",
                                   (unsigned long long)n, (long long)last, run->extra->error_message, decision->n_missed_total,
                                   decision->n_missed, (long long)decision->last_missed);
                check_first(m, run);
                decision->n_missed = 0;
        } else if (decision->n_dropped > 0) {
                if (n != decision->n_dropped || last != decision->last_dropped)
                        world_fail(m->world, m, "drops %llu instead of %zu", (unsigned long long)n, decision->n_dropped);
                decision->n_dropped = 0;
        } else if (m->restarting) {
                if (n != m->n_catch_up)
                        world_fail(m->world, m, "tells of %llu that were left to catch up on; there were %zu", (unsigned long long)n,
                                   m->n_catch_up);
                m->n_catch_up = 0;
        } else {
                if (decision->open || m->n_catch_up == 0 || n != m->n_catch_up || last != m->catch_up[n - 1])
                        world_fail(m->world, m, "a record of nothing that was missed: %s", run->extra->error_message);
                m->n_catch_up = 0;
        }
}

static void take_scheduled(Model *m, const Run *run)
{
        Decision *decision = &m->decision;

        learn_alone(m, run);
        if (!decision->open || !decision->runs || decision->n_missed > 0 || decision->n_dropped > 0)
                world_fail(m->world, m, "run %llu for %llu is of no occurrence", (unsigned long long)run->id,
                           (unsigned long long)run->scheduled_realtime);
        if ((int64_t)run->scheduled_realtime != decision->scheduled)
                world_fail(m->world, m, "run %llu is for %llu instead of %lld", (unsigned long long)run->id,
                           (unsigned long long)run->scheduled_realtime, (long long)decision->scheduled);
        if (run->trigger == RUN_TRIGGER_STARTUP && !decision->startup && model_spread(m) == 0)
                world_fail(m->world, m, "run %llu is none of OnStartup=", (unsigned long long)run->id);
        decision->runs = false;
}

static void take_catch_up(Model *m, const Run *run)
{
        if (m->n_catch_up == 0 || (int64_t)run->scheduled_realtime != m->catch_up[0] || m->paused ||
            model_active(m) + model_waiting(m) > 0)
                world_fail(m->world, m, "run %llu for %llu has nothing to catch up on", (unsigned long long)run->id,
                           (unsigned long long)run->scheduled_realtime);
        world_pace(m->world, m);
        memmove(m->catch_up, m->catch_up + 1, --m->n_catch_up * sizeof(*m->catch_up));
}

/* What its rules make of a new run, as the first event tells. */
static void check_admission(const Model *m, const Event *event)
{
        const Definition *d = m->definition;
        unsigned active = model_active(m), waiting = model_waiting(m), others = active + waiting;
        /* The run itself is counted already. Of what waits, some may wait for a place and some for its job. */
        bool full = world_n_running(m->world) - (event->type == EVENT_RUNNING) >= world_max_runs(m->world);
        bool idle = !full && world_n_queued(m->world) - (event->type == EVENT_QUEUED) == 0;
        EventType expected = EVENT_RUNNING;

        if (others > 0 && d->overlap == OVERLAP_SKIP)
                expected = EVENT_SKIPPED;
        else if (others > 0 && d->overlap == OVERLAP_QUEUE)
                expected = waiting < d->max_queued ? EVENT_QUEUED : EVENT_SKIPPED;
        else if (others > 0 && d->overlap == OVERLAP_REPLACE)
                expected = EVENT_QUEUED;
        else if (others > 0 && d->max_parallel > 0 && others >= d->max_parallel)
                expected = EVENT_SKIPPED;
        else if (full)
                expected = EVENT_QUEUED;
        if (event->type == expected || (expected == EVENT_QUEUED && full && event->type == EVENT_SKIPPED) ||
            (expected == EVENT_RUNNING && !idle && event->type == EVENT_QUEUED))
                return;
        world_fail(m->world, m, "run %llu is %s, should be %s: %u active, %u waiting", (unsigned long long)event->run->id,
                   event_type_to_string(event->type), event_type_to_string(expected), active, waiting);
}

static bool is_pause_record(const Event *event)
{
        return event->type == EVENT_SKIPPED && event->run->extra->error_kind && strcmp(event->run->extra->error_kind, "paused") == 0;
}

static LiveRun *add_run(Model *m, const Event *event)
{
        const Run *run = event->run;

        if (event->type == EVENT_MISSED || is_pause_record(event)) {
                take_record(m, run);
        } else {
                if (run->trigger == RUN_TRIGGER_CATCH_UP)
                        take_catch_up(m, run);
                else if (run->trigger != RUN_TRIGGER_MANUAL)
                        take_scheduled(m, run);
                check_admission(m, event);
        }
        if (m->n_runs == m->allocated_runs) {
                m->allocated_runs = m->allocated_runs * 2 + 4;
                m->runs = realloc(m->runs, m->allocated_runs * sizeof(*m->runs));
                if (!m->runs)
                        abort();
        }
        m->newest = run->id;
        m->runs[m->n_runs] = (LiveRun){ .id = run->id, .state = RUN_QUEUED };
        return &m->runs[m->n_runs++];
}

/* An attempt begins: nothing else may be under way, and runs begin in their order. */
static void check_start(Model *m, const LiveRun *live, const Run *run)
{
        const ScheduleSettings *rules = &run->spec->schedule;
        unsigned others = model_active(m) - (live->state == RUN_RETRYING);

        if (world_n_running(m->world) > world_max_runs(m->world))
                world_fail(m->world, m, "run %llu exceeds MaxRuns=", (unsigned long long)run->id);
        if (live->orphan)
                return;
        if (m->definition->spec == run->spec && rules->overlap != OVERLAP_PARALLEL && others > 0)
                world_fail(m->world, m, "run %llu begins beside another", (unsigned long long)run->id);
        if (live->state == RUN_QUEUED && run->attempts == 1 && run->id > m->unordered && rules->overlap != OVERLAP_PARALLEL) {
                if (run->id <= m->last_first_attempt)
                        world_fail(m->world, m, "run %llu begins after a later one", (unsigned long long)run->id);
                m->last_first_attempt = run->id;
        }
        if (run->attempts > run->spec->job.retries + 1)
                world_fail(m->world, m, "run %llu is tried once more", (unsigned long long)run->id);
}

/* RECORDED: in a decision, which After= does not count from. */
static void end_run(Model *m, LiveRun *live, bool recorded)
{
        bool orphan = live->orphan;

        *live = m->runs[--m->n_runs];
        if (orphan || recorded || model_waiting(m) + model_active(m) > 0)
                return;
        m->after_state = AFTER_COUNTS;
        m->after_from = world_boottime(m->world);
        m->after_due = UNKNOWN;
}

void model_event(Model *m, const Event *event)
{
        LiveRun *live = find_run(m, event->run->id);

        if (event->type == EVENT_PROGRESS)
                return;
        if (!live)
                live = add_run(m, event);
        if (event->type == EVENT_RUNNING)
                check_start(m, live, event->run);
        live->state = event->run->state;
        if (run_state_is_final(live->state))
                end_run(m, live, (m->decision.open || m->restarting) && (event->type == EVENT_MISSED || is_pause_record(event)));
        if (m->n_catch_up == 0)
                m->restarting = false;
}
