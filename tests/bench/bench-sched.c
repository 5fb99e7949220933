/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a fire costs in the process itself: the real scheduler with the store, the notes of active runs, the log and the
 * stall meter of taktd, on a clock that jumps from due time to due time. It also reads the system's clock whenever it is
 * read, so that this costs what it does, and counts how often. The figures are of processor time, which a
 * loaded machine does not change much; for counts of instructions run it under valgrind --tool=callgrind.
 *
 * usage: bench-sched [fires|missed|again|tasks|stops [JOBS [SECONDS]]]
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/string-util.h"
#include "daemon/active-runs.h"
#include "daemon/event-log.h"
#include "job/instance.h"
#include "job/run.h"
#include "loop/loop.h"
#include "sched/scheduler.h"
#include "store/schedule-times.h"
#include "store/store.h"

#define TIMERS_A_TURN 256U /* as the loop has it */
#define START_BOOTTIME (1000 * USEC_PER_SEC)
#define START_REALTIME (UINT64_C(1800000000) * USEC_PER_SEC)

typedef struct Bench {
        Clock clock;
        usec_t now; /* since the start */
        uint64_t n_reads;
        Loop *loop;
        EventBus events;
        EventObserver observer;
        Store *store;
        RunIds *ids;
        StampStore *stamps;
        ActiveRuns *active;
        EventLog log;
        Services services;
        Scheduler *scheduler;
        char directory[32];
} Bench;

static void check(int r, const char *what)
{
        if (r >= 0)
                return;
        fprintf(stderr, "%s: %s\n", what, strerror(-r));
        exit(EXIT_FAILURE);
}

static usec_t bench_boottime(Clock *clock)
{
        Bench *b = container_of(clock, Bench, clock);

        (void)clock_boottime(clock_system());
        b->n_reads++;
        return START_BOOTTIME + b->now;
}

static usec_t bench_realtime(Clock *clock)
{
        Bench *b = container_of(clock, Bench, clock);

        (void)clock_realtime(clock_system());
        b->n_reads++;
        return START_REALTIME + b->now;
}

static void on_event(EventObserver *observer, const Event *event)
{
        Bench *b = container_of(observer, Bench, observer);
        RunRecord record;

        run_get_record(event->run, &record);
        store_append(b->store, &record);
}

static void bench_init(Bench *b, size_t n_jobs)
{
        static const uint8_t boot_id[16] = { 1 };
        const SchedulerLimits limits = { .max_runs = (unsigned)n_jobs, .max_queued = (unsigned)n_jobs };

        *b = (Bench){ .clock = { .boottime = bench_boottime, .realtime = bench_realtime } };
        (void)snprintf(b->directory, sizeof(b->directory), "/tmp/bench-sched-XXXXXX");
        if (!mkdtemp(b->directory))
                check(-errno, "mkdtemp");
        log_set_max_level(LOG_ERR);
        check(loop_new(&b->clock, &b->loop), "loop");
        event_bus_init(&b->events, &b->clock);
        check(memory_store_new(&b->store), "store");
        b->observer.notify = on_event;
        b->observer.types = EVENT_BITS_END;
        event_bus_subscribe(&b->events, &b->observer);
        check(run_ids_new(&b->ids), "run ids");
        check(schedule_times_open(b->directory, boot_id, &b->stamps), "schedule-times");
        b->services = (Services){ .clock = &b->clock, .timers = loop_timers(b->loop), .loop = b->loop, .stamps = b->stamps };
        check(scheduler_new(&b->services, &b->events, b->ids, &limits, &b->scheduler), "scheduler");
        check(active_runs_open(b->directory, b->scheduler, &b->services, &b->active), "active-runs");
        check(active_runs_begin(b->active), "active-runs");
        event_log_init(&b->log, false, NULL, NULL);
        event_bus_subscribe(&b->events, &b->log.observer);
}

static void bench_deinit(Bench *b)
{
        _cleanup_free_ char *active = xasprintf("%s/active-runs", b->directory);
        _cleanup_free_ char *times = xasprintf("%s/schedule-times", b->directory);

        scheduler_abandon(b->scheduler);
        active_runs_close(b->active);
        scheduler_free(b->scheduler);
        event_log_deinit(&b->log);
        stamp_store_free(b->stamps);
        store_free(b->store);
        run_ids_close(b->ids);
        loop_free(b->loop);
        (void)unlink(active ?: "");
        (void)unlink(times ?: "");
        (void)rmdir(b->directory);
}

/* N instances of a sleep; KEYS go into its [Schedule]. */
static void add_jobs(Bench *b, size_t n, const char *keys, const char *duration)
{
        _cleanup_(config_items_deinit) ConfigItems items = CONFIG_ITEMS_NULL;
        _cleanup_(config_report_deinit) ConfigReport report = CONFIG_REPORT_NULL;
        _cleanup_free_ char *text = xasprintf("[Job]\nType=sleep\nInstances=1..%zu\n[Schedule]\n%s\n[Sleep]\nDuration=%s\n", n,
                                              keys, duration);
        JobSpec *spec;

        check(text ? config_parse_text("x@", text, strlen(text), &items, &report) : -ENOMEM, "parse");
        check(job_spec_load_items("x@", &items, &report, &spec), "load");
        for (size_t i = 1; i <= n; i++) {
                char name[32];

                (void)snprintf(name, sizeof(name), "x@%zu", i);
                check(scheduler_add_instance(b->scheduler, spec, name, NULL), name);
        }
        job_spec_unref(spec);
}

static uint64_t n_ended(const Bench *b)
{
        const SchedulerStatistics *statistics = scheduler_statistics(b->scheduler);
        uint64_t n = 0;

        for (size_t i = 0; i < _RUN_STATE_MAX; i++)
                n += statistics->by_state[i];
        return n;
}

/* Lets STEP pass at a time, and all that is due by then fire, until END. */
static void advance(Bench *b, usec_t step, usec_t end)
{
        TimerQueue *timers = loop_timers(b->loop);

        while (b->now < end) {
                usec_t next = timer_queue_wake(timers);

                b->now = step > 0 ? b->now + step : MAX(b->now, MIN(usec_sub(next, START_BOOTTIME), end));
                while (timer_queue_wake(timers) <= START_BOOTTIME + b->now)
                        (void)timer_queue_dispatch(timers, START_BOOTTIME + b->now, TIMERS_A_TURN);
        }
}

static double cpu_seconds(void)
{
        struct timespec ts;

        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
        return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void report(Bench *b, const char *what, usec_t step, usec_t end)
{
        uint64_t ended = n_ended(b), reads = b->n_reads;
        double cpu = cpu_seconds();

        advance(b, step, b->now + end);
        cpu = cpu_seconds() - cpu;
        ended = n_ended(b) - ended;
        reads = b->n_reads - reads;
        printf("%-40s %9llu runs  %6.0f ns of CPU a run  %8.0f runs a CPU second  %4.1f clock reads a run\n", what,
               (unsigned long long)ended, ended ? cpu * 1e9 / (double)ended : 0.0, (double)ended / cpu,
               ended ? (double)reads / (double)ended : 0.0);
}

/* N empty jobs with KEYS in their schedule, for TIME in steps of STEP. */
static void bench_empty(size_t n, const char *keys, const char *what, usec_t step, usec_t time)
{
        Bench b;

        bench_init(&b, n);
        scheduler_begin(b.scheduler);
        add_jobs(&b, n, keys, "0");
        advance(&b, 0, USEC_PER_SEC / 2);
        report(&b, what, step, time);
        bench_deinit(&b);
}

static void bench_fires(size_t n, usec_t seconds)
{
        bench_empty(n, "Every=1s", "empty jobs at 1 Hz", 0, seconds * USEC_PER_SEC);
}

/* The process gets to them every 3.5 s only: each fire is late, and others before it were missed. */
static void bench_missed(size_t n, usec_t seconds)
{
        const usec_t step = 3500 * USEC_PER_MSEC;

        bench_empty(n, "Every=1s", "empty jobs at 1 Hz, most missed", step, seconds * step);
}

static void bench_again(size_t n, usec_t seconds)
{
        bench_empty(n, "After=1s", "empty jobs, a second after their ends", 0, seconds * USEC_PER_SEC);
}

/* Tasks of a second that begin together, and end together. */
static void bench_tasks(size_t n, _unused_ usec_t seconds)
{
        double cpu;
        Bench b;

        bench_init(&b, n);
        scheduler_begin(b.scheduler);
        add_jobs(&b, n, "OnStartup=1s", "1s");
        cpu = cpu_seconds();
        advance(&b, 0, USEC_PER_SEC * 3 / 2);
        cpu = cpu_seconds() - cpu;
        printf("%-40s %9zu runs  %6.0f ns of CPU a start\n", "tasks of 1 s, begun together", scheduler_n_running(b.scheduler),
               cpu * 1e9 / (double)n);
        report(&b, "their ends", 0, USEC_PER_SEC);
        bench_deinit(&b);
}

/*
 * Runs of one job that leave at once when it is removed: a half is under way and goes on, the other one waits
 * for a place.
 */
static void bench_stops(size_t n, _unused_ usec_t seconds)
{
        uint64_t ended;
        double cpu;
        Job *job;
        Bench b;

        bench_init(&b, n);
        scheduler_begin(b.scheduler);
        add_jobs(&b, 1, "Overlap=parallel", "1h");
        job = scheduler_find_job(b.scheduler, "x@1");
        for (size_t i = 0; i < 2 * n; i++)
                check(scheduler_run(b.scheduler, job, &(RunRequest){ .trigger = RUN_TRIGGER_MANUAL }, NULL), "run");
        ended = n_ended(&b);
        cpu = cpu_seconds();
        scheduler_remove_job(b.scheduler, job);
        cpu = cpu_seconds() - cpu;
        ended = n_ended(&b) - ended;
        printf("%-40s %9llu runs  %6.0f ns of CPU a run\n", "waiting runs of a job that is removed", (unsigned long long)ended,
               ended ? cpu * 1e9 / (double)ended : 0.0);
        bench_deinit(&b);
}

static const struct {
        const char *name;
        void (*run)(size_t n, usec_t seconds);
} benches[] = {
        { "fires", bench_fires },
        { "missed", bench_missed },
        { "again", bench_again },
        { "tasks", bench_tasks },
        { "stops", bench_stops },
};

int main(int argc, char **argv)
{
        size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : 100000;
        usec_t seconds = argc > 3 ? strtoul(argv[3], NULL, 10) : 5;

        for (size_t i = 0; i < ARRAY_SIZE(benches); i++)
                if (argc < 2 || streq(argv[1], benches[i].name))
                        benches[i].run(n, seconds);
        return 0;
}
