/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls a second to a pool of two processes, beside multiprocessing.Pool of two with the same function:
 * `map` (many calls under way, one an item) and `apply` (one call at a time), with workers in C and with
 * the Python function behind ours as well. Rounds of both are interleaved; the figures are medians.
 * Then how far apart blocking calls of one second end: two of them, and a thousand in as many processes.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/string-util.h"
#include "process/helper.h"
#include "process/pool.h"

#define PROCESSES 2U
#define PIPELINED 256U
#define MAP_CALLS 100000U
#define APPLY_CALLS 10000U
#define ROUNDS 5U
#define BLOCKING_USEC USEC_PER_SEC

typedef struct Bench {
        Loop *loop;
        Spawner *spawner;
        Pool *pool;
        unsigned left_to_ask, under_way, width;
        usec_t first_end, last_end;
        unsigned failed;
        FILE *to_peer, *from_peer;
} Bench;

static char *const environment[] = { (char *)"PATH=/usr/local/bin:/usr/bin:/bin", NULL };

/* The workers: the peer's `lambda line: line` in C, and a call that blocks. */
static int worker_echo(void)
{
        char *line = NULL;
        size_t size = 0;
        ssize_t n;

        while ((n = getline(&line, &size, stdin)) > 0) {
                (void)fwrite(line, 1, (size_t)n, stdout);
                (void)fflush(stdout);
        }
        free(line);
        return EXIT_SUCCESS;
}

static int worker_block(void)
{
        char line[64];

        while (fgets(line, sizeof(line), stdin)) {
                (void)usleep(BLOCKING_USEC);
                (void)puts("done");
                (void)fflush(stdout);
        }
        return EXIT_SUCCESS;
}

static void on_answer(PoolCall *call, int error, const char *answer, size_t n, void *userdata);

static void ask(Bench *bench)
{
        PoolCall *call;

        while (bench->left_to_ask > 0 && bench->under_way < bench->width) {
                char line[24];
                int n = snprintf(line, sizeof(line), "%u", bench->left_to_ask--);

                if (pool_call(bench->pool, line, (size_t)n, USEC_INFINITY, on_answer, bench, &call) < 0)
                        abort();
                bench->under_way++;
        }
}

static void on_answer(PoolCall *call, int error, _unused_ const char *answer, _unused_ size_t n, void *userdata)
{
        Bench *bench = userdata;

        bench->failed += error != 0;
        bench->under_way--;
        bench->last_end = clock_boottime(clock_system());
        bench->first_end = bench->first_end ?: bench->last_end;
        pool_call_free(call);
        ask(bench);
        if (bench->under_way == 0)
                loop_exit(bench->loop, 0);
}

static double calls(Bench *bench, unsigned n, unsigned width)
{
        usec_t begin = clock_boottime(clock_system());

        bench->left_to_ask = n;
        bench->width = width;
        bench->first_end = 0;
        ask(bench);
        (void)loop_run(bench->loop);
        return n / ((double)(clock_boottime(clock_system()) - begin) / (double)USEC_PER_SEC);
}

static void start_pool(Bench *bench, char **argv, unsigned processes, unsigned pipelined)
{
        const PoolConfig config = {
                .command = { .argv = argv, .environment = environment, .error_output = { .mode = SPAWN_NULL } },
                .min_processes = processes,
                .max_processes = processes,
                .max_pipelined = pipelined,
                .max_queued = MAP_CALLS,
                .max_answer = 1024,
        };

        if (pool_new(bench->loop, bench->spawner, &config, &bench->pool) < 0)
                abort();
}

/* What the peer says of N calls by HOW. */
static double peer(Bench *bench, const char *how, unsigned n)
{
        char line[64];

        (void)fprintf(bench->to_peer, "%s %u\n", how, n);
        (void)fflush(bench->to_peer);
        return fgets(line, sizeof(line), bench->from_peer) ? strtod(line, NULL) : 0;
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

static void measure(Bench *bench, const char *what, const char *how, unsigned n, unsigned width, double target)
{
        double ours[ROUNDS], theirs[ROUNDS], ratios[ROUNDS];

        for (unsigned i = 0; i < ROUNDS; i++) {
                theirs[i] = peer(bench, how, n);
                ours[i] = calls(bench, n, width);
                ratios[i] = theirs[i] > 0 ? ours[i] / theirs[i] : 0;
        }
        printf("pool, %s, %s: takt %.0f/s, multiprocessing.Pool %.0f/s, ratio %.2f (target %.1f, failed %u)\n", how, what,
               median(ours), median(theirs), median(ratios), target, bench->failed);
}

static void measure_blocking(Bench *bench, char **argv, unsigned n, double target_ms)
{
        usec_t begin;

        start_pool(bench, argv, n, 1);
        /* All processes have answered once: what follows is not their start. */
        (void)calls(bench, n, n);
        begin = clock_boottime(clock_system());
        (void)calls(bench, n, n);
        printf("pool, %u blocking calls of 1 s on %u processes: all in %.3f s, ends %.1f ms apart (target %.0f ms, failed %u)\n",
               n, n, (double)(bench->last_end - begin) / (double)USEC_PER_SEC,
               (double)(bench->last_end - bench->first_end) / (double)USEC_PER_MSEC, target_ms, bench->failed);
        bench->pool = pool_free(bench->pool);
}

/* A thousand processes are three thousand descriptors. */
static bool raise_limit(void)
{
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return false;
        limit.rlim_cur = limit.rlim_max;
        return setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur > 4096;
}

static int start_peer(Bench *bench, const char *script)
{
        int in[2], out[2];

        if (pipe(in) < 0 || pipe(out) < 0)
                return negative_errno();
        if (fork() == 0) {
                (void)dup2(in[0], STDIN_FILENO);
                (void)dup2(out[1], STDOUT_FILENO);
                (void)closefrom(3);
                (void)execlp("python3", "python3", script, "peer", NULL);
                _exit(EXIT_FAILURE);
        }
        (void)close(in[0]);
        (void)close(out[1]);
        bench->to_peer = fdopen(in[1], "w");
        bench->from_peer = fdopen(out[0], "r");
        return bench->to_peer && bench->from_peer ? 0 : -ENOMEM;
}

int main(int argc, char **argv)
{
        _cleanup_free_ char *helper = NULL, *script = NULL;
        const char *source = getenv("TAKT_SRCDIR") ?: ".";
        char self[4096] = "";
        char *echo[] = { self, (char *)"echo", NULL }, *block[] = { self, (char *)"block", NULL };
        char *python[] = { (char *)"python3", NULL, (char *)"worker", NULL };
        Bench bench = {};

        if (argc > 1)
                return streq(argv[1], "echo") ? worker_echo() : worker_block();
        (void)signal(SIGPIPE, SIG_IGN);
        log_open(LOG_TARGET_CONSOLE, LOG_ERR);
        script = path_join(source, "tests/bench/pool.py");
        if (!script || readlink("/proc/self/exe", self, sizeof(self) - 1) < 0 || start_peer(&bench, script) < 0 ||
            helper_find("takt-spawn", &helper) < 0 || loop_new(clock_system(), &bench.loop) < 0 ||
            spawner_new(bench.loop, helper, NULL, &bench.spawner) < 0) {
                fprintf(stderr, "no takt-spawn: set TAKT_LIBEXECDIR\n");
                return EXIT_FAILURE;
        }
        python[1] = script;
        start_pool(&bench, echo, PROCESSES, PIPELINED);
        measure(&bench, "workers in C", "map", MAP_CALLS, PIPELINED * PROCESSES, 6);
        measure(&bench, "workers in C", "apply", APPLY_CALLS, 1, 10);
        bench.pool = pool_free(bench.pool);
        start_pool(&bench, python, PROCESSES, PIPELINED);
        (void)calls(&bench, 100, PROCESSES);
        measure(&bench, "the same Python function", "map", MAP_CALLS / 5, PIPELINED * PROCESSES, 1.5);
        measure(&bench, "the same Python function", "apply", APPLY_CALLS, 1, 1.5);
        bench.pool = pool_free(bench.pool);
        measure_blocking(&bench, block, 2, 2);
        if (raise_limit())
                measure_blocking(&bench, block, 1000, 300);
        else
                printf("pool, 1000 blocking calls: not measured, as the limit of descriptors (ulimit -Hn) is below 4096\n");
        (void)fclose(bench.to_peer);
        (void)fclose(bench.from_peer);
        spawner_free(bench.spawner);
        loop_free(bench.loop);
        return bench.failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
