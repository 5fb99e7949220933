/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Deaths of pool processes in a row, $TAKT_CAMPAIGN_COUNT of them: each process answers one call and
 * dies of SIGKILL in the next. Every call is told of exactly once, the counts add up, and neither a
 * process nor a descriptor is left behind. `make torture` runs 100,000; make check a sample.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "process/helper.h"
#include "process/pool.h"

#define DEFAULT_DEATHS 200U
#define PROCESSES 4U
#define UNDER_WAY 16U

typedef struct Torture {
        Loop *loop;
        Pool *pool;
        unsigned left, under_way, n_answers, n_deaths, n_others;
} Torture;

static int die_in_second(void)
{
        char line[64];

        if (fgets(line, sizeof(line), stdin)) {
                (void)fputs(line, stdout);
                (void)fflush(stdout);
                if (fgets(line, sizeof(line), stdin))
                        (void)raise(SIGKILL);
        }
        return EXIT_SUCCESS;
}

static void on_answer(PoolCall *call, int error, const char *answer, size_t n, void *userdata);

static void ask(Torture *t)
{
        PoolCall *call;

        for (; t->left > 0 && t->under_way < UNDER_WAY; t->left--, t->under_way++)
                if (pool_call(t->pool, "call", 4, USEC_INFINITY, on_answer, t, &call) < 0)
                        abort();
        if (t->under_way == 0)
                loop_exit(t->loop, 0);
}

static void on_answer(PoolCall *call, int error, _unused_ const char *answer, _unused_ size_t n, void *userdata)
{
        Torture *t = userdata;

        pool_call_free(call);
        t->under_way--;
        t->n_answers += error == 0;
        t->n_deaths += error == -EPIPE;
        t->n_others += error != 0 && error != -EPIPE;
        ask(t);
}

static unsigned count_descriptors(void)
{
        _cleanup_(closedirp) DIR *dir = opendir("/proc/self/fd");
        unsigned n = 0;

        while (dir && readdir(dir))
                n++;
        return n;
}

int main(int argc, _unused_ char **argv)
{
        static char *const environment[] = { (char *)"PATH=/usr/bin:/bin", NULL };
        const char *count = getenv("TAKT_CAMPAIGN_COUNT"), *dir = getenv("TAKT_BUILDDIR") ?: ".";
        unsigned deaths = count ? (unsigned)strtoul(count, NULL, 10) : DEFAULT_DEATHS, before;
        _cleanup_free_ char *helper = path_join(dir, "takt-spawn");
        char self[4096] = "", *worker[] = { self, (char *)"worker", NULL };
        Spawner *spawner = NULL;
        PoolStatus status;
        Torture t = { .left = 2 * deaths };
        bool good;

        if (argc > 1)
                return die_in_second();
        (void)signal(SIGPIPE, SIG_IGN);
        log_open(LOG_TARGET_CONSOLE, LOG_ERR);
        if (!helper || readlink("/proc/self/exe", self, sizeof(self) - 1) < 0 || loop_new(clock_system(), &t.loop) < 0 ||
            spawner_new(t.loop, helper, NULL, &spawner) < 0)
                return EXIT_FAILURE;
        before = count_descriptors();
        if (pool_new(t.loop, spawner,
                     &(PoolConfig){ .command = { .argv = worker, .environment = environment, .error_output = { .mode = SPAWN_NULL } },
                                    .max_processes = PROCESSES, .max_queued = UNDER_WAY, .max_answer = 64 },
                     &t.pool) < 0)
                return EXIT_FAILURE;
        ask(&t);
        (void)loop_run(t.loop);
        pool_get_status(t.pool, &status);
        pool_free(t.pool);
        good = t.n_others == 0 && t.n_answers + t.n_deaths == 2 * deaths && status.n_answers == t.n_answers &&
                status.n_deaths == t.n_deaths && t.n_deaths + PROCESSES >= deaths && count_descriptors() == before;
        printf("pool-deaths: %u calls: %u answered, %u died with their process (counted %llu), %u other; %llu processes, "
               "descriptors %u before and %u after\n",
               2 * deaths, t.n_answers, t.n_deaths, (unsigned long long)status.n_deaths, t.n_others,
               (unsigned long long)status.n_started, before, count_descriptors());
        spawner_free(spawner);
        loop_free(t.loop);
        return good && waitpid(-1, NULL, WNOHANG) < 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
