/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What one daemon leaves the next of its runs: the real scheduler and the real file, through many lives of a daemon
 * on a virtual clock. Each execution is noted outside of the daemon, and so is each end that was told.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/string-util.h"
#include "daemon/active-runs.h"
#include "daemon/run-slots.h"
#include "job/guard.h"
#include "kinds/kinds.h"
#include "loop/loop.h"
#include "engine.h"

#define RUNS_MAX 4096U

/* What is known of a run by its id, whichever life it was in. */
typedef struct Told {
        uint64_t root;  /* the first run, of those each of which took the place of the one before */
        RunState state; /* the last one that was told */
        bool is_there;
        bool has_ended;
        bool repeated;  /* another run took its place */
        bool waited;    /* with the life before, and nothing of it had begun */
        char error[16];
} Told;

typedef struct World {
        VirtualClock clock;
        Loop *loop; /* for what is deferred */
        TimerQueue *timers;
        EventBus events;
        EventObserver observer;
        RunIds *ids;
        Services services;
        ResourceSet resources;
        Scheduler *scheduler;
        ActiveRuns *active;
        char directory[64];
        Told told[RUNS_MAX];
        unsigned executions[RUNS_MAX]; /* by the root of the run */
        unsigned entered[RUNS_MAX], left[RUNS_MAX]; /* commands of Enter= and Exit=, by the run */
        unsigned n_lost, n_executions, n_events;
        unsigned random;
        unsigned failures; /* so many attempts fail from now on */
        usec_t duration;   /* of an execution */
        bool stubborn;     /* runs take a while to be cancelled */
        const char *asked; /* a run of this job is asked for as soon as one is told of as lost; NULL: none */
        uint64_t answer;   /* its id */
        bool shut_down;
        bool dead;         /* what happens now is no more of this world */
} World;

static World *the_world;

static unsigned draw(unsigned n)
{
        the_world->random = the_world->random * 1103515245U + 12345U;
        return (the_world->random >> 8) % n;
}

static Told *told_of(uint64_t id)
{
        assert_true(id > 0 && id < RUNS_MAX);
        return &the_world->told[id];
}

static void on_event(EventObserver *observer, const Event *event)
{
        World *w = container_of(observer, World, observer);
        const Run *run = event->run;
        Told *told;

        if (!run || w->dead)
                return;
        w->n_events++;
        told = told_of(run->id);
        if (!told->is_there) {
                uint64_t replaces = run->extra->story ? run->extra->story->replaces : 0;

                told->is_there = true;
                told->root = replaces > 0 ? told_of(replaces)->root : run->id;
                if (replaces > 0) {
                        assert_true(told_of(replaces)->has_ended);
                        assert_false(told_of(replaces)->repeated);
                        told_of(replaces)->repeated = true;
                }
        }
        /* Nothing is told of what has ended. */
        assert_false(told->has_ended);
        told->state = run->state;
        told->has_ended = run_state_is_final(run->state);
        (void)snprintf(told->error, sizeof(told->error), "%s", run->extra->error_kind ?: "");
        assert_false(told->waited && run->state == RUN_LOST);
        told->waited = told->waited && run->state == RUN_QUEUED;
        w->n_lost += run->state == RUN_LOST;
        if (run->state == RUN_LOST && w->asked && streq(run->job->name, w->asked)) {
                const RunRequest request = { .trigger = RUN_TRIGGER_MANUAL };
                Job *job = scheduler_find_job(w->scheduler, w->asked);

                w->asked = NULL;
                assert_ok(scheduler_run(w->scheduler, job, &request, &w->answer));
        }
}

/* --- a kind whose runs note that they are executed --- */

typedef struct FakeRun {
        Timer timer;
        bool fails;
} FakeRun;

static JobKind fake_kind;

static void on_fake_timer(Timer *timer, _unused_ usec_t now)
{
        Run *run = run_from_state(container_of(timer, FakeRun, timer));
        const FakeRun *fake = run_state(run);
        bool fails = fake->fails || the_world->failures > 0;

        the_world->failures -= the_world->failures > 0;
        if (fails)
                run_fail(run, "fake", "as told");
        else
                run_succeed(run, NULL, 0);
}

static void fake_start(Run *run)
{
        FakeRun *fake = run_state(run);
        unsigned *n = &the_world->executions[told_of(run->id)->root];

        (*n)++;
        the_world->n_executions++;
        assert_true(*n <= run->spec->job.retries + 1);
        /* Some may have ended in Enter=. */
        assert_true(*n <= run->attempts);
        fake->timer.callback = on_fake_timer;
        assert_ok(timer_arm_after(run->services->timers, &fake->timer, the_world->duration));
}

static void fake_cancel(Run *run)
{
        FakeRun *fake = run_state(run);

        fake->fails = true;
        if (the_world->stubborn)
                assert_ok(timer_arm_after(run->services->timers, &fake->timer, 2 * SEC));
        else
                run_fail(run, "fake", "cancelled");
}

static void fake_reset(Run *run)
{
        FakeRun *fake = run_state(run);

        timer_disarm(run->services->timers, &fake->timer);
}

/* --- commands of Enter= and Exit= that take a second --- */

struct GuardCommand {
        Timer timer;
        Run *run;
        void (*done)(Run *run, const char *error);
        bool exits;
};

static void on_guard_timer(Timer *timer, _unused_ usec_t now)
{
        struct GuardCommand *command = container_of(timer, struct GuardCommand, timer);

        if (command->exits)
                the_world->left[command->run->id]++;
        else
                the_world->entered[command->run->id]++;
        command->done(command->run, NULL);
}

static int guard_start(Run *run, _unused_ const CommandLine *line, const char *state, void (*done)(Run *run, const char *error),
                       GuardCommand **ret, _unused_ char **ret_error)
{
        struct GuardCommand *command = new0(struct GuardCommand, 1);

        assert_non_null(command);
        *command = (struct GuardCommand){ .timer.callback = on_guard_timer, .run = run, .done = done, .exits = state };
        assert_ok(timer_arm_after(run->services->timers, &command->timer, SEC));
        *ret = command;
        return 0;
}

static void guard_stop(_unused_ GuardCommand *command)
{
}

static GuardCommand *guard_free(GuardCommand *command)
{
        if (command)
                timer_disarm(command->run->services->timers, &command->timer);
        free(command);
        return NULL;
}

static const GuardOperations guards = { .start = guard_start, .stop = guard_stop, .free = guard_free };

/* --- a file that gets no name --- */

static bool rename_fails;

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
        errno = ENOSPC;
        return rename_fails ? -1 : __real_rename(from, to);
}

/* --- a life of the daemon --- */

static void on_exit_step(Deferred *deferred);
static Deferred exit_step = { .callback = on_exit_step };

static void on_exit_step(_unused_ Deferred *deferred)
{
        loop_exit(the_world->loop, 0);
}

/* What was deferred comes now. */
static void settle(World *w)
{
        char *problem;

        loop_defer(w->loop, &exit_step);
        assert_ok(loop_run(w->loop));
        problem = scheduler_check(w->scheduler);
        if (problem)
                fail_msg("%s", problem);
}

static void pass(World *w, usec_t span)
{
        usec_t end = w->clock.now_boottime + span, due;

        while ((due = timer_queue_next(w->timers)) <= end) {
                virtual_clock_advance(&w->clock, usec_sub(due, w->clock.now_boottime));
                (void)timer_queue_dispatch(w->timers, w->clock.now_boottime, 0);
                settle(w);
        }
        virtual_clock_advance(&w->clock, usec_sub(end, w->clock.now_boottime));
}

static const struct {
        const char *name, *text;
} jobs[] = {
        { "plain", "[Job]\nType=sleep\nRetries=1\n[Schedule]\nOverlap=queue\n" },
        { "often", "[Job]\nType=sleep\nRetries=3\nTimeoutSec=30s\n[Schedule]\nOverlap=parallel\n" },
        { "never", "[Job]\nType=sleep\n[Schedule]\nOverlap=replace\n" },
        { "uses", "[Job]\nType=sleep\nRetries=1\nUse=one\n[Schedule]\nOverlap=parallel\n" },
        { "enters", "[Job]\nType=sleep\nRetries=1\nUse=two\nEnter=in\nExit=out\n[Schedule]\nOverlap=parallel\n" },
        { "timed", "[Job]\nType=sleep\nRetries=1\nTimeoutSec=5s\n[Schedule]\nOverlap=parallel\n" },
        { "choosy", "[Job]\nType=sleep\nRetries=1\nCondition=@.params.n > 3\nParameter=n:int=1\n[Schedule]\nOverlap=parallel\n" },
        { "hears", "[Job]\nType=sleep\nRetries=1\n[Schedule]\nOn=plain.failed|succeeded\nOverlap=queue\n" },
        { "group", "[Job]\nType=group\nRetries=1\n[Group]\nMode=gather\nRun=plain\nRun=enters\nRun=often\n[Schedule]\nOverlap=parallel\n" },
        { "replaced", "[Job]\nType=sleep\nRetries=1\n[Schedule]\nOverlap=replace\n" },
        { "due", "[Job]\nType=sleep\nRetries=1\n[Schedule]\nEvery=17s\n" },
};

/* Of the job "changing"; NULL: there is none. */
static const char *changing_text;

static void add_spec(World *w, const char *name, const char *text)
{
        JobSpec *spec = make_spec(name, text);
        Job *job;

        if (spec->kind == &sleep_kind)
                spec->kind = &fake_kind;
        assert_ok(scheduler_add_job(w->scheduler, spec, &job));
        job_spec_unref(spec);
}

static void add_job(World *w, const char *name)
{
        for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
                if (streq(jobs[i].name, name))
                        add_spec(w, name, jobs[i].text);
}

/* A daemon that is killed before it deals with what was left. */
static void live_in_vain(World *w)
{
        ActiveRuns *active;
        Scheduler *scheduler;

        assert_ok(scheduler_new(&w->services, &w->events, w->ids, &(SchedulerLimits){ .max_runs = 6 }, &scheduler));
        assert_ok(active_runs_open(w->directory, scheduler, &w->services, &active));
        active_runs_close(active);
        scheduler_free(scheduler);
}

static void live(World *w)
{
        w->dead = false;
        event_bus_init(&w->events, &w->clock.clock);
        w->observer.notify = on_event;
        event_bus_subscribe(&w->events, &w->observer);
        w->services = (Services){ .clock = &w->clock.clock, .timers = w->timers, .loop = w->loop, .members = &scheduler_members, .guards = &guards };
        assert_ok(scheduler_new(&w->services, &w->events, w->ids, &(SchedulerLimits){ .max_runs = 6 }, &w->scheduler));
        assert_ok(scheduler_set_resources(w->scheduler, &w->resources));
        for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
                add_job(w, jobs[i].name);
        if (changing_text)
                add_spec(w, "changing", changing_text);
        assert_ok(active_runs_open(w->directory, w->scheduler, &w->services, &w->active));
        assert_ok(active_runs_begin(w->active));
        scheduler_begin(w->scheduler);
        active_runs_recover(w->active);
        settle(w);
        for (uint64_t id = 1; id < RUNS_MAX; id++)
                assert_true(!told_of(id)->waited || scheduler_find_run(w->scheduler, id));
}

static void end_life(World *w)
{
        scheduler_abandon(w->scheduler);
        w->active = active_runs_close(w->active);
        w->scheduler = scheduler_free(w->scheduler);
        assert_int_equal(timer_queue_size(w->timers), 0);
}

static void on_shut_down(void *userdata)
{
        World *w = userdata;

        w->shut_down = true;
}

static void stop(World *w)
{
        w->shut_down = false;
        scheduler_shutdown(w->scheduler, on_shut_down, w);
        pass(w, 60 * SEC);
        assert_true(w->shut_down);
        end_life(w);
}

/* A SIGKILL: what is in the file now is what the next life finds; what is done to end this one is of no world. */
static void die(World *w)
{
        for (uint64_t id = 1; id < RUNS_MAX; id++) {
                const Run *run = scheduler_find_run(w->scheduler, id);

                told_of(id)->waited = run && run->state == RUN_QUEUED && run->started_realtime == 0 &&
                                      (run->noted || !rename_fails) && run->unwanted == RUN_STOP_NONE &&
                                      run->trigger != RUN_TRIGGER_GROUP && !streq(run->job->name, "enters");
        }
        w->dead = true;
        w->active = active_runs_close(w->active);
        end_life(w);
}

/* Of the lives to come. */
static void load_resources(World *w, const char *text, size_t n)
{
        _cleanup_(config_report_deinit) ConfigReport report = CONFIG_REPORT_NULL;
        _cleanup_free_ char *path = path_join(w->directory, "takt.conf");

        resource_set_deinit(&w->resources);
        assert_ok(write_file_atomic(path, text, n, 0600, false));
        if (resource_set_load(path, &report, &w->resources) < 0)
                fail_msg("%s", report.problems[0].message);
}

static World *world_new(void)
{
        static const char resources[] = "[Resource:one]\nCapacity=1\nWaitSec=15s\n[Resource:two]\nCapacity=1\nEnter=in\nExit=out\n";
        World *w = new0(World, 1);

        assert_non_null(w);
        the_world = w;
        w->duration = 10 * SEC;
        fake_kind = sleep_kind;
        fake_kind.run_size = sizeof(FakeRun);
        fake_kind.start = fake_start;
        fake_kind.cancel = fake_cancel;
        fake_kind.reset = fake_reset;
        virtual_clock_init(&w->clock, START_BOOTTIME, START_REALTIME);
        (void)snprintf(w->directory, sizeof(w->directory), "/tmp/takt-active-runs-XXXXXX");
        assert_non_null(mkdtemp(w->directory));
        load_resources(w, resources, sizeof(resources) - 1);
        assert_ok(run_ids_new(&w->ids));
        assert_ok(loop_new(clock_system(), &w->loop));
        w->timers = timer_queue_new(&w->clock.clock);
        assert_non_null(w->timers);
        return w;
}

static void world_free(World *w)
{
        static const char *const files[] = { "takt.conf", "active-runs" };

        for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
                _cleanup_free_ char *path = path_join(w->directory, files[i]);

                (void)unlink(path);
        }
        assert_int_equal(rmdir(w->directory), 0);
        resource_set_deinit(&w->resources);
        run_ids_close(w->ids);
        timer_queue_free(w->timers);
        loop_free(w->loop);
        free(w);
}

static uint64_t run(World *w, const char *name)
{
        Job *job = scheduler_find_job(w->scheduler, name);
        uint64_t id = 0;

        assert_non_null(job);
        assert_ok(scheduler_run(w->scheduler, job, &(RunRequest){ .trigger = RUN_TRIGGER_MANUAL }, &id));
        settle(w);
        return id;
}

/* After a clean stop, nothing is left to the next life: it tells nothing and executes nothing, and the file stays small. */
static void assert_nothing_is_left(World *w)
{
        _cleanup_free_ char *path = path_join(w->directory, "active-runs");
        unsigned n_lost = w->n_lost, n_executions = w->n_executions, n_events = w->n_events;
        off_t size;
        int fd;

        live(w);
        assert_int_equal(w->n_lost, n_lost);
        assert_int_equal(w->n_executions, n_executions);
        assert_int_equal(w->n_events, n_events);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        size = lseek(fd, 0, SEEK_END);
        close(fd);
        assert_true(size <= 64 * 1024);
}

/* After a clean stop, nothing is left, and the world ends. */
static void finish(World *w)
{
        stop(w);
        assert_nothing_is_left(w);
        stop(w);
        world_free(w);
        changing_text = NULL;
}

/* --- every end, of a first and of a later attempt --- */

typedef struct Ending {
        const char *name;
        void (*make)(World *w, Job *job, uint64_t id);
} Ending;

static void make_success(World *w, _unused_ Job *job, _unused_ uint64_t id)
{
        pass(w, 60 * SEC);
}

static void make_failure(World *w, _unused_ Job *job, _unused_ uint64_t id)
{
        w->failures = 100;
        pass(w, 120 * SEC);
        w->failures = 0;
}

static void cancel(World *w, uint64_t id)
{
        Run *found = scheduler_find_run(w->scheduler, id);

        if (found)
                scheduler_cancel(w->scheduler, found);
}

static void make_cancel(World *w, _unused_ Job *job, uint64_t id)
{
        cancel(w, id);
        pass(w, 60 * SEC);
}

/* Long enough that it has entered what it has to. */
static void make_late_cancel(World *w, Job *job, uint64_t id)
{
        pass(w, 4 * SEC);
        make_cancel(w, job, id);
}

static void make_slow_cancel(World *w, Job *job, uint64_t id)
{
        w->stubborn = true;
        make_late_cancel(w, job, id);
        w->stubborn = false;
}

static void make_removal(World *w, Job *job, _unused_ uint64_t id)
{
        scheduler_remove_job(w->scheduler, job);
        pass(w, 120 * SEC);
}

static void make_nothing(_unused_ World *w, _unused_ Job *job, _unused_ uint64_t id)
{
}

static const Ending endings[] = {
        { "success", make_success },         { "failure", make_failure },         { "cancel", make_cancel },
        { "late cancel", make_late_cancel }, { "slow cancel", make_slow_cancel }, { "removal", make_removal },
        { "stop", make_nothing },
};

/* LATER: the first attempt fails, and the end is that of the one after it; or of the wait for that. Returns the state. */
static RunState check_ending(const char *name, const Ending *ending, unsigned later, unsigned ahead)
{
        World *w = world_new();
        RunState ended;
        uint64_t id;
        Job *job;

        live(w);
        w->failures = later > 0 ? ahead + 1 : 0;
        for (unsigned i = 0; i < ahead; i++)
                (void)run(w, name);
        id = run(w, name);
        job = scheduler_find_job(w->scheduler, name);
        if (later > 0)
                pass(w, later * SEC);
        w->failures = 0;
        if (!told_of(id)->has_ended)
                ending->make(w, job, id);
        stop(w);
        if (!told_of(id)->has_ended)
                fail_msg("%s by %s (later %u, ahead %u): it is %s", name, ending->name, later, ahead,
                         run_state_to_string(told_of(id)->state));
        ended = told_of(id)->state;
        assert_int_equal(w->entered[id], w->left[id]);
        assert_nothing_is_left(w);
        stop(w);
        world_free(w);
        return ended;
}

static void test_every_end_leaves_nothing(_unused_ void **state)
{
        static const unsigned laters[] = { 0, 11, 14 };
        unsigned ended[ARRAY_SIZE(laters)] = {};

        for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
                for (size_t k = 0; k < ARRAY_SIZE(endings); k++)
                        for (size_t l = 0; l < ARRAY_SIZE(laters); l++)
                                for (unsigned ahead = 0; ahead < 3; ahead++)
                                        ended[l] |= 1U << check_ending(jobs[i].name, &endings[k], laters[l], ahead);
        for (size_t l = 0; l < ARRAY_SIZE(laters); l++)
                assert_int_equal(ended[l], 1U << RUN_SUCCEEDED | 1U << RUN_FAILED | 1U << RUN_TIMEOUT | 1U << RUN_CANCELLED | 1U << RUN_SKIPPED);
}

/* The runs by schedule, event and group that come while others end. */
static void test_stop_at_any_second(_unused_ void **state)
{
        for (unsigned after = 0; after < 60; after++) {
                World *w = world_new();

                live(w);
                for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
                        (void)run(w, jobs[i].name);
                w->failures = after % 7;
                pass(w, after * SEC);
                finish(w);
        }
}

/* --- crashes --- */

static void test_attempts_count_over_all_lives(_unused_ void **state)
{
        World *w = world_new();
        uint64_t id;

        w->duration = 20 * SEC;
        live(w);
        id = run(w, "often");
        for (unsigned i = 0; i < 8; i++) {
                pass(w, 12 * SEC);
                die(w);
                live(w);
        }
        /* Retries=3 */
        assert_int_equal(w->executions[id], 4);
        stop(w);
        world_free(w);
}

/* It ends the daemon a second after its start, again and again. Other deaths between these change nothing. */
static void test_poison(_unused_ void **state)
{
        World *w = world_new();
        uint64_t id, next;

        live(w);
        id = run(w, "often");
        for (unsigned i = 0; i < 6; i++) {
                pass(w, SEC);
                die(w);
                pass(w, 15 * SEC);
                live_in_vain(w);
                live(w);
        }
        assert_int_equal(w->executions[id], POISON_DEATHS);
        assert_int_equal(told_of(id)->state, RUN_LOST);
        for (next = id + 1; next < RUNS_MAX && !(told_of(next)->is_there && told_of(next)->root == id); next++)
                ;
        assert_true(next < RUNS_MAX);
        assert_int_equal(told_of(next)->state, RUN_FAILED);
        assert_string_equal(told_of(next)->error, "poison");
        /* The job goes on. */
        id = run(w, "often");
        pass(w, 60 * SEC);
        assert_int_equal(told_of(id)->state, RUN_SUCCEEDED);
        stop(w);
        world_free(w);
}

/* The daemon ended twice, but not soon after the start of an attempt, or on purpose. */
static void test_no_poison(_unused_ void **state)
{
        for (unsigned way = 0; way < 2; way++) {
                World *w = world_new();
                uint64_t id;

                live(w);
                w->duration = 20 * SEC;
                id = run(w, "often");
                for (unsigned i = 0; i < 3; i++) {
                        if (way == 0) {
                                pass(w, 12 * SEC);
                        } else {
                                pass(w, SEC);
                                active_runs_leave(w->active);
                        }
                        die(w);
                        live_in_vain(w);
                        live(w);
                }
                for (uint64_t i = 1; i < RUNS_MAX; i++)
                        assert_string_not_equal(w->told[i].error, "poison");
                assert_int_equal(w->executions[id], 4);
                stop(w);
                world_free(w);
        }
}

/* The next daemon dies before it has dealt with what the one before it left. */
static void test_death_at_the_start(_unused_ void **state)
{
        World *w = world_new();
        uint64_t id;

        live(w);
        id = run(w, "enters");
        pass(w, 5 * SEC);
        assert_int_equal(w->entered[id], 2);
        die(w);
        live(w);
        /* It leaves what it entered, and has no time for that. */
        die(w);
        live(w);
        pass(w, SEC + SEC / 2);
        die(w);
        live(w);
        pass(w, 60 * SEC);
        assert_true(w->left[id] >= 2 && w->left[id] <= 4);
        assert_int_equal(told_of(id)->state, RUN_LOST);
        assert_true(told_of(id)->repeated);
        assert_int_equal(w->executions[id], 2);
        finish(w);
}

/* --- what only waited --- */

/* Over as many lives as there may be until it begins, it is the same run, and it is executed once. */
static void check_waits(const char *name, unsigned n_ahead)
{
        World *w = world_new();
        unsigned n_lives = 0;
        uint64_t id = 0;

        live(w);
        for (unsigned i = 0; i < n_ahead; i++)
                (void)run(w, name);
        id = run(w, name);
        while (told_of(id)->state == RUN_QUEUED) {
                assert_true(n_lives++ < 10);
                assert_int_equal(w->executions[id], 0);
                die(w);
                live(w);
        }
        assert_true(n_lives > 0);
        pass(w, 600 * SEC);
        assert_int_equal(told_of(id)->state, RUN_SUCCEEDED);
        assert_int_equal(told_of(id)->root, id);
        assert_int_equal(w->executions[id], 1);
        finish(w);
}

static void test_what_waited_begins(_unused_ void **state)
{
        check_waits("plain", 1);
        check_waits("never", 1);
        check_waits("uses", 1);
        check_waits("often", 6); /* as many as may be under way */
}

/*
 * What comes from an earlier life is bound anew: there are defaults of what is new, and what does not fit is
 * an error.
 */
static void check_other_parameters(const char *before, const char *after, RunState end, const char *params)
{
        _cleanup_free_ char *text = xasprintf("[Job]\nType=sleep\n%s\n[Schedule]\nOverlap=queue\n", before);
        _cleanup_free_ char *other = xasprintf("[Job]\nType=sleep\n%s\n[Schedule]\nOverlap=queue\n", after);
        World *w = world_new();
        uint64_t id;

        changing_text = text;
        live(w);
        (void)run(w, "changing");
        id = run(w, "changing");
        die(w);
        told_of(id)->waited = false;
        changing_text = other;
        live(w);
        if (params)
                assert_string_equal(scheduler_find_run(w->scheduler, id)->extra->params, params);
        pass(w, 60 * SEC);
        assert_int_equal(told_of(id)->state, end);
        if (!params)
                assert_string_equal(told_of(id)->error, "bad-parameter");
        assert_int_equal(w->executions[id], end == RUN_SUCCEEDED);
        finish(w);
}

static void test_what_waited_and_its_parameters(_unused_ void **state)
{
        check_other_parameters("", "Parameter=n:int=7", RUN_SUCCEEDED, "{\"n\":7}");
        check_other_parameters("Parameter=n:int=5", "Parameter=n:int=7\nParameter=m:int=1", RUN_SUCCEEDED, "{\"n\":5,\"m\":1}");
        check_other_parameters("Parameter=n:int=5", "", RUN_FAILED, NULL);
        check_other_parameters("Parameter=n:int=5", "Parameter=n:choice(x|y)=x", RUN_FAILED, NULL);
}

/*
 * The lost run leaves what it had entered, and another one waits by then. Both were accepted, so both have
 * their turn.
 */
static void test_what_waited_behind_a_lost_run(_unused_ void **state)
{
        World *w = world_new();
        uint64_t lost, waits;

        changing_text = "[Job]\nType=sleep\nRetries=1\nUse=two\nEnter=in\nExit=out\n[Schedule]\nOverlap=queue\nMaxQueued=1\n";
        live(w);
        lost = run(w, "changing");
        waits = run(w, "changing");
        pass(w, 5 * SEC);
        assert_int_equal(w->executions[lost], 1);
        die(w);
        live(w);
        pass(w, 120 * SEC);
        assert_int_equal(told_of(lost)->state, RUN_LOST);
        assert_int_equal(w->executions[lost], 2);
        assert_int_equal(told_of(waits)->state, RUN_SUCCEEDED);
        assert_int_equal(w->executions[waits], 1);
        finish(w);
}

/* Somebody has called it off: then it does not begin. */
static void test_what_waited_and_is_not_wanted(_unused_ void **state)
{
        World *w = world_new();
        uint64_t id;

        live(w);
        (void)run(w, "plain");
        id = run(w, "plain");
        w->stubborn = true;
        cancel(w, id);
        assert_int_equal(told_of(id)->state, RUN_CANCELLED);
        die(w);
        live(w);
        assert_int_equal(w->executions[id], 0);
        pass(w, 600 * SEC);
        assert_int_equal(w->executions[id], 0);
        stop(w);
        world_free(w);
}

/* --- ids of several lives --- */

/*
 * A life begins with the next block of ids. What was left and what begins want the same slots in tables of
 * many sizes.
 */
static void test_each_run_is_noted(_unused_ void **state)
{
        World *w = world_new();

        live(w);
        for (unsigned life = 0; life < 4; life++) {
                for (unsigned i = 0; i < 10; i++) {
                        uint64_t id = run(w, "plain");

                        assert_true(scheduler_find_run(w->scheduler, id)->noted);
                }
                while (run_ids_next(w->ids) % 256 != 0)
                        ;
                die(w);
                live(w);
        }
        w->duration = USEC_PER_MSEC;
        pass(w, 3600 * SEC);
        finish(w);
}

/* After a crash of the machine ids go on so far above that they would have the same slot in each table. */
static void test_ids_far_apart(_unused_ void **state)
{
        SlotTable table;
        char path[] = "/tmp/takt-run-slots-XXXXXX";
        int fd = mkstemp(path);

        assert_true(fd >= 0);
        close(fd);
        assert_ok(slot_table_create(path, 1024, &table));
        for (uint64_t life = 0; life < 8; life++)
                for (uint64_t i = 1; i <= 32; i++) {
                        Slot slot = { .attempts = 1 };

                        assert_true(slot_table_put(&table, &slot, (life << 24) + i));
                }
        slot_table_deinit(&table);
        (void)unlink(path);
}

/* --- while a lost run leaves what it had entered --- */

static void leave_changed(World *w, _unused_ uint64_t id)
{
        static const char text[] = "[Job]\nType=sleep\nUse=two\nEnter=in\nExit=out\n[Schedule]\nOverlap=parallel\n";
        JobSpec *spec = make_spec("enters", text);

        spec->kind = &fake_kind;
        scheduler_change_job(w->scheduler, scheduler_find_job(w->scheduler, "enters"), spec);
        job_spec_unref(spec);
}

static void leave_cancelled_and_die(World *w, uint64_t id)
{
        cancel(w, id);
        die(w);
        live(w);
}

static void leave_removed(World *w, _unused_ uint64_t id)
{
        scheduler_remove_job(w->scheduler, scheduler_find_job(w->scheduler, "enters"));
}

static void leave_removed_and_back(World *w, uint64_t id)
{
        leave_removed(w, id);
        add_job(w, "enters");
}

static void leave_alone(_unused_ World *w, _unused_ uint64_t id)
{
}

/* Whether another run takes the place of a lost one is decided when that has left, and not before. */
static void test_what_comes_while_a_lost_run_leaves(_unused_ void **state)
{
        static const struct {
                void (*come)(World *w, uint64_t id);
                unsigned n_executions;
        } ways[] = {
                { leave_alone, 2 },   { leave_removed_and_back, 2 },  { leave_changed, 1 },
                { leave_removed, 1 }, { leave_cancelled_and_die, 1 }, { cancel, 1 },
        };

        for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
                World *w = world_new();
                uint64_t id;

                live(w);
                id = run(w, "enters");
                pass(w, 5 * SEC);
                assert_int_equal(w->executions[id], 1);
                die(w);
                live(w);
                assert_false(told_of(id)->has_ended);
                ways[i].come(w, id);
                pass(w, 60 * SEC);
                assert_int_equal(told_of(id)->state, RUN_LOST);
                assert_int_equal(w->executions[id], ways[i].n_executions);
                finish(w);
        }
}

/* A newer run replaces a lost one, be it asked for while that leaves what it had entered or right after. */
static void test_what_replaces_a_lost_run(_unused_ void **state)
{
        for (unsigned i = 0; i < 2; i++) {
                World *w = world_new();
                uint64_t lost;

                changing_text = "[Job]\nType=sleep\nRetries=1\nUse=two\nEnter=in\nExit=out\n[Schedule]\nOverlap=replace\n";
                live(w);
                lost = run(w, "changing");
                pass(w, 5 * SEC);
                die(w);
                if (i == 1)
                        w->asked = "changing";
                live(w);
                if (i == 0)
                        w->answer = run(w, "changing");
                pass(w, 120 * SEC);
                assert_int_equal(told_of(lost)->state, RUN_LOST);
                assert_int_equal(w->executions[lost], 1);
                assert_int_equal(told_of(w->answer)->state, RUN_SUCCEEDED);
                assert_int_equal(told_of(w->answer)->root, w->answer);
                assert_int_equal(w->executions[w->answer], 1);
                finish(w);
        }
}

/* A member of a group replaces nobody, nor does the repetition of a run that was asked for earlier. */
static void test_what_does_not_replace_a_lost_run(_unused_ void **state)
{
        World *w = world_new();
        uint64_t first, second;

        changing_text = "[Job]\nType=group\nRetries=1\nRetryDelaySec=1h\n[Group]\nRun=replaced\n";
        live(w);
        w->failures = 100;
        first = run(w, "changing");
        pass(w, 60 * SEC);
        w->failures = 0;
        assert_int_equal(told_of(first)->state, RUN_RETRYING);
        second = run(w, "replaced");
        pass(w, SEC);
        die(w);
        live(w);
        pass(w, 60 * SEC);
        assert_int_equal(told_of(second)->state, RUN_LOST);
        assert_true(told_of(second)->repeated);
        assert_int_equal(w->executions[second], 2);
        stop(w);

        changing_text = "[Job]\nType=sleep\nRetries=1\n[Schedule]\nOverlap=parallel\n";
        live(w);
        first = run(w, "changing");
        second = run(w, "changing");
        pass(w, SEC);
        die(w);
        changing_text = "[Job]\nType=sleep\nRetries=1\n[Schedule]\nOverlap=replace\n";
        live(w);
        pass(w, 60 * SEC);
        assert_true(told_of(first)->repeated);
        assert_true(told_of(second)->repeated);
        assert_int_equal(w->executions[second], 2);
        finish(w);
}

/* The table can't be replaced by a larger one: what is noted stays so. */
static void test_table_that_can_not_be_replaced(_unused_ void **state)
{
        World *w = world_new();

        live(w);
        rename_fails = true;
        for (unsigned i = 0; i < 100; i++)
                (void)run(w, "often");
        die(w);
        rename_fails = false;
        live(w);
        /* As many as are executed at a time, and no more than that; the table has 64 places. */
        assert_int_equal(w->n_lost, 6);
        assert_true(scheduler_n_queued(w->scheduler) >= 50);
        finish(w);
}

/*
 * Of what it had entered a resource is gone, and then the daemon dies again: the other one is left all the
 * same.
 */
static void test_what_entered_a_resource_that_is_gone(_unused_ void **state)
{
        static const char fewer[] = "[Resource:two]\nCapacity=1\nEnter=in\nExit=out\n";
        World *w = world_new();
        uint64_t id;

        changing_text = "[Job]\nType=sleep\nUse=one\nUse=two\n[Schedule]\nOverlap=parallel\n";
        live(w);
        id = run(w, "changing");
        pass(w, 5 * SEC);
        assert_int_equal(w->entered[id], 1);
        die(w);
        load_resources(w, fewer, sizeof(fewer) - 1);
        live(w);
        die(w);
        live(w);
        pass(w, 60 * SEC);
        assert_int_equal(w->left[id], 1);
        assert_int_equal(told_of(id)->state, RUN_LOST);
        finish(w);
}

/* --- a file that is not as it was written --- */

static const char often_text[] = "often\0{}"; /* in the slot of a run of it */

/* What of a slot stays as it is: the id, when and why the run was due, and what it is to do. */
static const struct {
        size_t offset, n;
} sealed[] = {
        { offsetof(Slot, id), sizeof(uint64_t) },
        { offsetof(Slot, scheduled_realtime), sizeof(uint64_t) },
        { offsetof(Slot, cause), sizeof(uint64_t) },
        { offsetof(Slot, origin), sizeof(uint64_t) },
        { offsetof(Slot, replaces), sizeof(uint64_t) },
        { offsetof(Slot, trigger), 1 },
        { offsetof(Slot, event_depth), 1 },
        { offsetof(Slot, has_params), 1 },
        { offsetof(Slot, text), sizeof(often_text) },
};

static char *find_slot(const Buffer *file, uint64_t id)
{
        char *slot = file->data + SLOT_HEADER_SIZE;

        for (; memcmp(slot, &id, sizeof(id)) != 0; slot += sizeof(Slot))
                assert_true(slot + sizeof(Slot) < file->data + file->len);
        return slot;
}

/* Turns bit I of run ID's slot, of those bytes. */
static void flip(const World *w, uint64_t id, size_t i)
{
        _cleanup_free_ char *path = path_join(w->directory, "active-runs");
        _cleanup_buffer_ Buffer file = BUFFER_NULL;
        char *slot, *byte;
        size_t part = 0;

        assert_int_equal(read_plain_file(path, 1U << 20, &file), 0);
        slot = find_slot(&file, id);
        assert_memory_equal(slot + offsetof(Slot, text), often_text, sizeof(often_text));
        for (; i >= 8 * sealed[part].n; part++)
                i -= 8 * sealed[part].n;
        byte = slot + sealed[part].offset + i / 8;
        *byte = (char)(*byte ^ 1 << i % 8);
        assert_int_equal(write_file_atomic(path, file.data, file.len, 0600, false), 0);
}

/* A run of 20 s is noted, the daemon dies, bit I of the note turns (SIZE_MAX: none): what comes of it. */
static void live_after_flip(size_t i, unsigned *ret_lost, unsigned *ret_executions)
{
        World *w = world_new();
        uint64_t id;

        live(w);
        w->duration = 20 * SEC;
        id = run(w, "often");
        pass(w, SEC);
        die(w);
        if (i != SIZE_MAX)
                flip(w, id, i);
        *ret_lost = w->n_lost;
        *ret_executions = w->n_executions;
        live(w);
        pass(w, SEC);
        *ret_lost = w->n_lost - *ret_lost;
        *ret_executions = w->n_executions - *ret_executions;
        stop(w);
        world_free(w);
}

/* A note of a run that never was, or of one that was to do something else, does nothing. */
static void test_no_bit_is_believed(_unused_ void **state)
{
        unsigned all_lost, all_executions, n_lost, n_executions;
        size_t n = 0;

        for (size_t i = 0; i < ARRAY_SIZE(sealed); i++)
                n += sealed[i].n;
        live_after_flip(SIZE_MAX, &all_lost, &all_executions);
        for (size_t i = 0; i < 8 * n; i++) {
                live_after_flip(i, &n_lost, &n_executions);
                assert_int_equal(n_lost, all_lost - 1);
                assert_int_equal(n_executions, all_executions - 1);
        }
}

/* Says of run ID that another one is to take its place, in a way that no daemon writes. */
static void set_repeat(const World *w, uint64_t id, Repeat repeat)
{
        _cleanup_free_ char *path = path_join(w->directory, "active-runs");
        _cleanup_buffer_ Buffer file = BUFFER_NULL;

        assert_int_equal(read_plain_file(path, 1U << 20, &file), 0);
        find_slot(&file, id)[offsetof(Slot, repeat)] = (char)repeat;
        assert_int_equal(write_file_atomic(path, file.data, file.len, 0600, false), 0);
}

/* The second run of a poison. Whatever its note says, it is not executed again. */
static void test_no_repeat_is_believed(_unused_ void **state)
{
        static const Repeat repeats[] = { REPEAT_NO, REPEAT_AFTER_END, REPEAT_BEGIN, (Repeat)200 };

        for (size_t i = 0; i < ARRAY_SIZE(repeats); i++) {
                World *w = world_new();
                uint64_t id, second;

                live(w);
                id = run(w, "often");
                pass(w, SEC);
                die(w);
                live(w);
                second = id + 1;
                while (!scheduler_find_run(w->scheduler, second))
                        second++;
                pass(w, SEC);
                die(w);
                set_repeat(w, second, repeats[i]);
                live(w);
                pass(w, 60 * SEC);
                assert_int_equal(w->executions[id], 2);
                finish(w);
        }
}

/* --- many lives at random --- */

static void any_change(World *w)
{
        const char *name = jobs[draw(ARRAY_SIZE(jobs))].name;
        Job *job = scheduler_find_job(w->scheduler, name);

        if (!job || job->removed)
                add_job(w, name);
        else
                scheduler_remove_job(w->scheduler, job);
        settle(w);
}

static void any_cancel(World *w)
{
        Run *found = scheduler_next_run(w->scheduler, NULL);

        for (unsigned n = draw(4); found && n > 0; n--)
                found = scheduler_next_run(w->scheduler, found);
        if (found)
                scheduler_cancel(w->scheduler, found);
        settle(w);
}

static void any_run(World *w)
{
        const char *name = jobs[draw(ARRAY_SIZE(jobs))].name;
        const Job *job = scheduler_find_job(w->scheduler, name);

        if (job && !job->removed)
                (void)run(w, name);
}

static void any_restart(World *w)
{
        unsigned n_lost;

        if (draw(2) == 0) {
                die(w);
                live(w);
                return;
        }
        stop(w);
        n_lost = w->n_lost;
        live(w);
        assert_int_equal(w->n_lost, n_lost);
}

static void any_step(World *w)
{
        switch (draw(12)) {
        case 0:
                any_restart(w);
                break;
        case 1:
                any_cancel(w);
                break;
        case 2:
                any_change(w);
                break;
        case 3:
                w->failures = draw(4);
                w->stubborn = draw(2);
                break;
        case 4 ... 7:
                any_run(w);
                break;
        default:
                pass(w, draw(12000) * USEC_PER_MSEC);
        }
}

static void test_lives_at_random(_unused_ void **state)
{
        for (unsigned seed = 1; seed <= 300; seed++) {
                World *w = world_new();

                w->random = seed;
                live(w);
                for (unsigned i = 0; i < 60; i++)
                        any_step(w);
                w->stubborn = false;
                w->failures = 0;
                stop(w);
                assert_nothing_is_left(w);
                stop(w);
                /* All that was told to be there has ended. */
                for (uint64_t id = 1; id < RUNS_MAX; id++)
                        if (w->told[id].is_there && !w->told[id].has_ended && w->told[id].state != RUN_QUEUED)
                                assert_true(w->told[id].state == RUN_RUNNING || w->told[id].state == RUN_RETRYING);
                world_free(w);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                RUN(test_every_end_leaves_nothing),
                RUN(test_stop_at_any_second),
                RUN(test_attempts_count_over_all_lives),
                RUN(test_poison),
                RUN(test_no_poison),
                RUN(test_death_at_the_start),
                RUN(test_each_run_is_noted),
                RUN(test_ids_far_apart),
                RUN(test_what_waited_begins),
                RUN(test_what_waited_and_its_parameters),
                RUN(test_what_waited_behind_a_lost_run),
                RUN(test_what_waited_and_is_not_wanted),
                RUN(test_what_comes_while_a_lost_run_leaves),
                RUN(test_what_replaces_a_lost_run),
                RUN(test_what_does_not_replace_a_lost_run),
                RUN(test_table_that_can_not_be_replaced),
                RUN(test_what_entered_a_resource_that_is_gone),
                RUN(test_no_bit_is_believed),
                RUN(test_no_repeat_is_believed),
                RUN(test_lives_at_random),
        };

        log_set_max_level(LOG_EMERG);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
