/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Simulates years of a machine and its jobs, and compares everything that the scheduler does with
 * an oracle that walks through every real second (see world.h, model.h, pattern.h):
 *
 *      schedule-simulator [--seed=1] [--seeds=1] [--jobs=50] [--days=150] [--verbose [--job=N]]
 *
 * Without arguments a short version runs twice and has to leave the same trace.
 */
#include <stdio.h>
#include <time.h>
#include <getopt.h>

#include "world.h"

static void print(const Plan *plan, const Outcome *o, double seconds)
{
        printf("seed %llu: %u jobs, %u days: %llu runs, %llu skipped, %llu records of missed, %llu by hand, %llu disturbances, "
               "trace %016llx (%.1f s)\n",
               (unsigned long long)plan->seed, plan->jobs, plan->days, (unsigned long long)o->runs, (unsigned long long)o->skipped,
               (unsigned long long)o->missed, (unsigned long long)o->by_hand, (unsigned long long)o->disturbances,
               (unsigned long long)o->hash, seconds);
        (void)fflush(stdout);
}

static Outcome simulate(const Plan *plan)
{
        clock_t start = clock();
        Outcome outcome;

        world_run(plan, &outcome);
        print(plan, &outcome, (double)(clock() - start) / CLOCKS_PER_SEC);
        return outcome;
}

static const struct option options[] = {
        { "seed", required_argument, NULL, 's' },
        { "seeds", required_argument, NULL, 'n' },
        { "jobs", required_argument, NULL, 'j' },
        { "days", required_argument, NULL, 'd' },
        { "verbose", no_argument, NULL, 'v' },
        { "job", required_argument, NULL, 'o' },
        {},
};

int main(int argc, char *argv[])
{
        Plan plan = { .seed = 1, .jobs = 50, .days = 150, .job = -1 };
        unsigned seeds = 1;
        int c;

        while ((c = getopt_long(argc, argv, "s:n:j:d:vo:", options, NULL)) >= 0)
                switch (c) {
                case 's':
                        plan.seed = strtoull(optarg, NULL, 10);
                        break;
                case 'n':
                        seeds = (unsigned)strtoul(optarg, NULL, 10);
                        break;
                case 'j':
                        plan.jobs = (unsigned)strtoul(optarg, NULL, 10);
                        break;
                case 'd':
                        plan.days = (unsigned)strtoul(optarg, NULL, 10);
                        break;
                case 'v':
                        plan.verbose = true;
                        break;
                case 'o':
                        plan.job = (int)strtol(optarg, NULL, 10);
                        break;
                default:
                        return 2;
                }
        if (argc == 1) {
                Outcome first = simulate(&plan), second = simulate(&plan);

                if (first.hash != second.hash) {
                        fprintf(stderr, "the same seed left two traces\n");
                        return EXIT_FAILURE;
                }
                plan.seed = 2;
        }
        for (; seeds > 0; seeds--, plan.seed++)
                (void)simulate(&plan);
        return EXIT_SUCCESS;
}
