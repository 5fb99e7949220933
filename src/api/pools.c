/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pools of processes as Info and the metrics tell of them: one table for both. */
#include "api/pools.h"

typedef struct PoolNumber {
        const char *name;   /* of the member */
        const char *metric; /* "_total" is added to those that only grow */
        const char *help;
        bool grows;
        bool is_wide; /* uint64_t, else unsigned */
        size_t offset;
} PoolNumber;

#define GAUGE(name, metric, member, help) { name, metric, help, false, false, offsetof(PoolStatus, member) }
#define COUNTER(name, metric, member, help) { name, metric, help, true, true, offsetof(PoolStatus, member) }

static const PoolNumber numbers[] = {
        GAUGE("processes", "takt_pool_processes", n_processes, "Processes of a pool."),
        GAUGE("idle", "takt_pool_idle", n_idle, "Processes of a pool that have nothing to do."),
        GAUGE("queued", "takt_pool_queued", n_queued, "Calls that wait for a process."),
        GAUGE("calls", "takt_pool_calls", n_calls, "Calls that are not over."),
        COUNTER("started", "takt_pool_started", n_started, "Processes that were started."),
        COUNTER("deaths", "takt_pool_deaths", n_deaths, "Processes that ended without having been asked."),
        COUNTER("recycled", "takt_pool_recycled", n_recycled, "Processes that were replaced after MaxRequests=."),
        COUNTER("answers", "takt_pool_answers", n_answers, "Answers."),
        COUNTER("timeouts", "takt_pool_timeouts", n_timeouts, "Calls that took too long by the pool's own clock."),
        COUNTER("stopped", "takt_pool_stopped", n_stopped, "Processes that were ended for a call that timed out or was cancelled."),
        COUNTER("late", "takt_pool_late", n_late, "Answers to calls that were given up."),
        COUNTER("unasked", "takt_pool_unasked", n_unasked, "Processes that were ended as they answered what nobody had asked."),
        COUNTER("wrong", "takt_pool_wrong", n_wrong, "Processes that were ended as they gave what is no answer to the call."),
        COUNTER("tooLong", "takt_pool_too_long", n_too_long, "Processes that were ended as their answer was too long."),
        COUNTER("partial", "takt_pool_partial", n_partial, "Processes that died in the middle of a line."),
};

static uint64_t number_get(const PoolNumber *number, const PoolStatus *status)
{
        const char *at = (const char *)status + number->offset;

        return number->is_wide ? *(const uint64_t *)(const void *)at : *(const unsigned *)(const void *)at;
}

void pools_write(const PoolSet *set, JsonWriter *w)
{
        const SharedPool *shared = NULL;

        json_begin_array(w);
        while (set && (shared = pool_set_next(set, shared))) {
                PoolStatus status = {};

                pool_get_status(shared_pool_get(shared), &status);
                json_begin_object(w);
                json_key(w, "name");
                json_string(w, shared_pool_name(shared));
                json_key(w, "ending");
                json_bool(w, shared_pool_is_draining(shared));
                for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
                        json_key(w, numbers[i].name);
                        json_uint(w, number_get(&numbers[i], &status));
                }
                json_end_object(w);
        }
        json_end_array(w);
}

/* The pools of one name (an old and a new definition's) are one to whoever looks at a graph. */
static bool is_first_of_name(const PoolSet *set, const SharedPool *shared)
{
        const SharedPool *other = NULL;

        while ((other = pool_set_next(set, other)) != shared)
                if (streq(shared_pool_name(other), shared_pool_name(shared)))
                        return false;
        return true;
}

static uint64_t sum_of_name(const PoolSet *set, const char *name, const PoolNumber *number)
{
        const SharedPool *shared = NULL;
        uint64_t sum = 0;

        while ((shared = pool_set_next(set, shared))) {
                PoolStatus status = {};

                if (!streq(shared_pool_name(shared), name))
                        continue;
                pool_get_status(shared_pool_get(shared), &status);
                sum += number_get(number, &status);
        }
        return sum;
}

void pools_write_metrics(const PoolSet *set, Buffer *out)
{
        for (size_t i = 0; set && i < ARRAY_SIZE(numbers); i++) {
                const PoolNumber *number = &numbers[i];
                const SharedPool *shared = NULL;

                (void)buffer_appendf(out, "# TYPE %s %s\n# HELP %s %s\n", number->metric, number->grows ? "counter" : "gauge",
                                     number->metric, number->help);
                while ((shared = pool_set_next(set, shared))) {
                        const char *name = shared_pool_name(shared);

                        /* The name of a job needs no escape. */
                        if (is_first_of_name(set, shared))
                                (void)buffer_appendf(out, "%s%s{pool=\"%s\"} %llu\n", number->metric, number->grows ? "_total" : "", name,
                                                     (unsigned long long)sum_of_name(set, name, number));
                }
        }
}
