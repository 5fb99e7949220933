/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "process/pool-set.h"

#include "base/buffer.h"
#include "base/list.h"

struct SharedPool {
        PoolSet *set;
        List pools;
        unsigned n_holders; /* 0: it is being drained */
        Pool *pool;
        char *name;
        Buffer key; /* all that makes it what it is */
        char **argv;
        char **environment;
        char *directory;
        SpawnLimit *limits;
        void *data;
        void (*free_data)(void *data);
};

struct PoolSet {
        Loop *loop;
        Spawner *spawner;
        List pools;
        unsigned n_pools;
};

static char **copy_strings(char *const *strings)
{
        size_t n = 0, size = 0;
        char **copy, *p;

        for (; strings && strings[n]; n++)
                size += strlen(strings[n]) + 1;
        /* One block: the array and what it points to. */
        copy = malloc((n + 1) * sizeof(char *) + size);
        if (!copy)
                return NULL;
        p = (char *)(copy + n + 1);
        for (size_t i = 0; i < n; i++) {
                copy[i] = p;
                p = stpcpy(p, strings[i]) + 1;
        }
        copy[n] = NULL;
        return copy;
}

static int key_add_strings(Buffer *key, char *const *strings)
{
        int r = 0;

        for (; r >= 0 && strings && *strings; strings++)
                r = buffer_append(key, *strings, strlen(*strings) + 1);
        return r < 0 ? r : buffer_append_char(key, '\0');
}

/* Equal keys are equal pools. */
static int make_key(const char *name, const PoolConfig *config, Buffer *key)
{
        const SpawnRequest *c = &config->command;
        int r = buffer_append(key, name, strlen(name) + 1);

        if (r >= 0)
                r = key_add_strings(key, c->argv);
        if (r >= 0)
                r = key_add_strings(key, c->environment);
        if (r >= 0)
                r = buffer_appendf(key, "%s\n%d %o %d %d %d %llu\n", c->directory ?: "/", c->set_umask, c->umask, c->set_nice,
                                   c->nice, c->kill_signal, (unsigned long long)c->kill_after);
        if (r >= 0)
                r = buffer_appendf(key, "%d %d %zu %d %d %d\n", c->error_output.mode, c->error_output.fd,
                                   c->error_output.max_bytes, c->starts_nothing, c->exit_type, c->kill_mode);
        if (r >= 0)
                r = buffer_appendf(key, "%u %u %u %u %llu %llu %zu %d\n", config->min_processes,
                                   config->max_processes, config->max_pipelined, config->max_queued,
                                   (unsigned long long)config->max_requests, (unsigned long long)config->idle,
                                   config->max_answer, config->answer_after_exit);
        for (size_t i = 0; r >= 0 && i < c->n_limits; i++)
                r = buffer_appendf(key, "%d %llu %llu\n", c->limits[i].resource, (unsigned long long)c->limits[i].limit.rlim_cur,
                                   (unsigned long long)c->limits[i].limit.rlim_max);
        if (r >= 0)
                /* The same words mean the same only to the same callbacks. */
                r = buffer_appendf(key, "%p %p", (void *)(uintptr_t)config->check, (void *)(uintptr_t)config->line);
        return r;
}

static SharedPool *shared_pool_free(SharedPool *shared)
{
        if (!shared)
                return NULL;
        pool_free(shared->pool);
        if (shared->free_data)
                shared->free_data(shared->data);
        list_unlink(&shared->pools);
        buffer_deinit(&shared->key);
        free(shared->name);
        free(shared->argv);
        free(shared->environment);
        free(shared->directory);
        free(shared->limits);
        free(shared);
        return NULL;
}
DEFINE_CLEANUP(SharedPool *, shared_pool_free);

static int shared_pool_new(PoolSet *set, const char *name, const PoolConfig *config, Buffer *key, SharedPool **ret)
{
        _cleanup_(shared_pool_freep) SharedPool *shared = new0(SharedPool, 1);
        PoolConfig own = *config;
        int r;

        if (!shared)
                return -ENOMEM;
        list_init(&shared->pools);
        shared->set = set;
        shared->name = strdup(name);
        shared->argv = copy_strings(config->command.argv);
        shared->environment = copy_strings(config->command.environment);
        shared->directory = strdup(config->command.directory ?: "/");
        shared->limits = new0(SpawnLimit, config->command.n_limits + 1);
        if (!shared->name || !shared->argv || !shared->environment || !shared->directory || !shared->limits)
                return -ENOMEM;
        if (config->command.n_limits > 0)
                memcpy(shared->limits, config->command.limits, config->command.n_limits * sizeof(SpawnLimit));
        own.command.argv = shared->argv;
        own.command.environment = shared->environment;
        own.command.directory = shared->directory;
        own.command.limits = shared->limits;
        own.userdata = shared;
        r = pool_new(set->loop, set->spawner, &own, &shared->pool);
        if (r < 0)
                return r;
        shared->key = *key;
        *key = BUFFER_NULL;
        *ret = TAKE_PTR(shared);
        return 0;
}

int pool_set_hold(PoolSet *set, const char *name, const PoolConfig *config, SharedPool **ret)
{
        _cleanup_buffer_ Buffer key = BUFFER_NULL;
        SharedPool *shared;
        int r = make_key(name, config, &key);

        if (r < 0)
                return r;
        list_foreach(shared, &set->pools, SharedPool, pools) {
                if (shared->n_holders == 0 || shared->key.len != key.len || memcmp(shared->key.data, key.data, key.len) != 0)
                        continue;
                shared->n_holders++;
                *ret = shared;
                return 0;
        }
        if (set->n_pools >= POOL_SET_MAX_POOLS)
                return -EAGAIN;
        r = shared_pool_new(set, name, config, &key, &shared);
        if (r < 0)
                return r;
        shared->n_holders = 1;
        list_append(&set->pools, &shared->pools);
        set->n_pools++;
        *ret = shared;
        return 1;
}

static void on_drained(_unused_ Pool *pool, void *userdata)
{
        SharedPool *shared = userdata;

        shared->set->n_pools--;
        shared_pool_free(shared);
}

SharedPool *shared_pool_release(SharedPool *shared)
{
        if (shared && --shared->n_holders == 0)
                pool_drain(shared->pool, on_drained, shared);
        return NULL;
}

void shared_pool_set_data(SharedPool *shared, void *data, void (*free_data)(void *data))
{
        shared->data = data;
        shared->free_data = free_data;
}

void *shared_pool_data(const SharedPool *shared)
{
        return shared->data;
}

Pool *shared_pool_get(const SharedPool *shared)
{
        return shared->pool;
}

const char *shared_pool_name(const SharedPool *shared)
{
        return shared->name;
}

bool shared_pool_is_draining(const SharedPool *shared)
{
        return shared->n_holders == 0;
}

const SharedPool *pool_set_next(const PoolSet *set, const SharedPool *shared)
{
        const List *next = shared ? shared->pools.next : set->pools.next;

        return next == &set->pools ? NULL : container_of((List *)next, SharedPool, pools);
}

int pool_set_new(Loop *loop, Spawner *spawner, PoolSet **ret)
{
        PoolSet *set = new0(PoolSet, 1);

        if (!set)
                return -ENOMEM;
        set->loop = loop;
        set->spawner = spawner;
        list_init(&set->pools);
        *ret = set;
        return 0;
}

PoolSet *pool_set_free(PoolSet *set)
{
        SharedPool *shared;

        if (!set)
                return NULL;
        while ((shared = list_first(&set->pools, SharedPool, pools)))
                shared_pool_free(shared);
        free(set);
        return NULL;
}
