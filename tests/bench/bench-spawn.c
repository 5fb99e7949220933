/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Commands a second through the spawner, output captured, beside a bare posix_spawn loop of the same
 * parallelism; both again with 500 MB resident. Rounds of the two are interleaved, so that whatever
 * else the machine does touches both; the figures are medians.
 */
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "process/helper.h"
#include "process/spawner.h"

#define PARALLEL 2U
#define COMMANDS_A_ROUND 300U
#define ROUNDS 9U
#define BALLAST (500U * 1024 * 1024)

static char *const program[] = { (char *)"/bin/true", NULL };
static char *const environment[] = { (char *)"PATH=/usr/bin:/bin", NULL };

typedef struct Bench {
        Loop *loop;
        Spawner *spawner;
        unsigned started;
        unsigned running;
        unsigned failed;
} Bench;

static void on_exited(SpawnedCommand *command, const SpawnExit *exit, void *userdata);

static void start_more(Bench *bench)
{
        static const SpawnCallbacks callbacks = { .exited = on_exited };
        SpawnRequest request = {
                .argv = program,
                .environment = environment,
                .output = { .mode = SPAWN_CAPTURE, .max_bytes = 1024 * 1024 },
                .error_output = { .mode = SPAWN_CAPTURE, .max_bytes = 65536 },
                .kill_after = USEC_PER_SEC,
        };

        while (bench->running < PARALLEL && bench->started < COMMANDS_A_ROUND) {
                SpawnedCommand *command;

                if (spawner_start(bench->spawner, &request, &callbacks, bench, &command) < 0)
                        abort();
                bench->started++;
                bench->running++;
        }
}

static void on_exited(SpawnedCommand *command, const SpawnExit *exit, void *userdata)
{
        Bench *bench = userdata;

        bench->failed += exit->error != 0 || exit->status != 0;
        bench->running--;
        spawned_command_free(command);
        start_more(bench);
        if (bench->running == 0)
                loop_exit(bench->loop, 0);
}

static double per_second(usec_t begin)
{
        return COMMANDS_A_ROUND / ((double)(clock_boottime(clock_system()) - begin) / (double)USEC_PER_SEC);
}

static double round_spawner(Bench *bench)
{
        usec_t begin = clock_boottime(clock_system());

        bench->started = 0;
        start_more(bench);
        (void)loop_run(bench->loop);
        return per_second(begin);
}

static double round_bare(Bench *bench)
{
        usec_t begin = clock_boottime(clock_system());

        for (unsigned started = 0, running = 0; started < COMMANDS_A_ROUND || running > 0;) {
                int status;

                while (running < PARALLEL && started < COMMANDS_A_ROUND) {
                        pid_t pid;

                        if (posix_spawn(&pid, program[0], NULL, NULL, program, environment) != 0)
                                abort();
                        started++;
                        running++;
                }
                if (wait(&status) < 0)
                        abort();
                bench->failed += status != 0;
                running--;
        }
        return per_second(begin);
}

static int compare(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static double median(double values[static ROUNDS])
{
        qsort(values, ROUNDS, sizeof(double), compare);
        return values[ROUNDS / 2];
}

static void measure(Bench *bench, const char *what)
{
        double spawner[ROUNDS], bare[ROUNDS], ratios[ROUNDS];

        for (unsigned i = 0; i < ROUNDS; i++) {
                bare[i] = round_bare(bench);
                spawner[i] = round_spawner(bench);
                ratios[i] = spawner[i] / bare[i];
        }
        printf("spawn, %u at a time, %s: takt %.0f/s, posix_spawn %.0f/s, ratio %.2f (failed %u)\n", PARALLEL, what,
               median(spawner), median(bare), median(ratios), bench->failed);
}

int main(void)
{
        _cleanup_free_ char *path = NULL, *ballast = NULL;
        Bench bench = {};

        log_open(LOG_TARGET_CONSOLE, LOG_INFO);
        if (helper_find("takt-spawn", &path) < 0 || loop_new(clock_system(), &bench.loop) < 0 ||
            spawner_new(bench.loop, path, NULL, &bench.spawner) < 0) {
                fprintf(stderr, "no takt-spawn: set TAKT_LIBEXECDIR\n");
                return EXIT_FAILURE;
        }
        (void)round_bare(&bench);
        (void)round_spawner(&bench);
        measure(&bench, "small process");

        ballast = malloc(BALLAST);
        if (!ballast)
                return EXIT_FAILURE;
        memset(ballast, 1, BALLAST);
        measure(&bench, "500 MB resident");

        spawner_free(bench.spawner);
        loop_free(bench.loop);
        return bench.failed > 0;
}
