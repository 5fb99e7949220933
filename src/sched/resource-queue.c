/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The resources that are in force, by their names. One that a reload removed lives on until its last holder
 * has left it.
 */
#include "sched/resource-queue.h"

#include <assert.h>

#include "sched/guard.h"

static int compare_resource(const void *name, const void *element)
{
        const Resource *const *resource = element;

        return strcmp(name, (*resource)->spec->name);
}

Resource *resource_find(const Scheduler *s, const char *name)
{
        Resource **found = s->n_resources == 0 ? NULL :
                           bsearch(name, s->resources, s->n_resources, sizeof(*s->resources), compare_resource);

        return found ? *found : NULL;
}

static void resource_free(Resource *resource)
{
        assert(resource->n_holders == 0 && resource->n_waiting == 0);
        resource_spec_unref(resource->spec);
        free(resource);
}

/* The first in its queue goes on, as long as there is room. */
static void resource_grant(Scheduler *s, Resource *resource)
{
        while (resource->n_waiting > 0 && (resource->removed || resource->n_holders < resource->spec->capacity)) {
                Run *run = list_first(&resource->waiting, Run, queue);

                resource_unwait(resource, run);
                guard_granted(s, run, resource);
        }
}

void resource_hold(Resource *resource, const Run *run)
{
        resource->n_holders++;
        resource->holder = run->id;
}

void resource_leave(Scheduler *s, Resource *resource)
{
        resource->n_holders--;
        if (!resource->removed)
                resource_grant(s, resource);
        else if (resource->n_holders == 0)
                resource_free(resource);
}

void resource_wait(Resource *resource, Run *run)
{
        list_append(&resource->waiting, &run->queue);
        resource->n_waiting++;
}

void resource_unwait(Resource *resource, Run *run)
{
        list_unlink(&run->queue);
        resource->n_waiting--;
}

static int new_resource(ResourceSpec *spec, Resource **ret)
{
        Resource *resource = new0(Resource, 1);

        if (!resource)
                return -ENOMEM;
        resource->spec = resource_spec_ref(spec);
        list_init(&resource->waiting);
        *ret = resource;
        return 0;
}

/* Takes it out of service; it is freed by who leaves it last. */
static void resource_remove(Scheduler *s, Resource *resource)
{
        resource->removed = true;
        resource->n_holders++; /* it must not go meanwhile */
        resource_grant(s, resource); /* who waits fails, and is told so */
        if (--resource->n_holders == 0)
                resource_free(resource);
}

static void limit_waits(Scheduler *s, Resource *resource)
{
        Run *run;

        list_foreach(run, &resource->waiting, Run, queue)
                guard_limit_wait(s, run);
}

int scheduler_set_resources(Scheduler *s, const ResourceSet *set)
{
        _cleanup_free_ Resource **old = s->resources, **resources = NULL;
        size_t n_old = s->n_resources;
        int r;

        if (set->n > 0) {
                resources = new0(Resource *, set->n);
                if (!resources) {
                        old = NULL;
                        return -ENOMEM;
                }
        }
        for (size_t i = 0; i < set->n; i++) {
                Resource *known = resource_find(s, set->resources[i]->name);

                if (known) {
                        resources[i] = known;
                        continue;
                }
                r = new_resource(set->resources[i], &resources[i]);
                if (r < 0) {
                        for (size_t k = 0; k < i; k++)
                                if (!resource_find(s, resources[k]->spec->name))
                                        resource_free(resources[k]);
                        old = NULL;
                        return r;
                }
        }
        s->resources = TAKE_PTR(resources);
        s->n_resources = set->n;
        for (size_t i = 0; i < n_old; i++)
                if (!resource_find(s, old[i]->spec->name))
                        resource_remove(s, old[i]);
        for (size_t i = 0; i < set->n; i++) {
                usec_t wait = s->resources[i]->spec->wait;

                resource_spec_unref(s->resources[i]->spec);
                s->resources[i]->spec = resource_spec_ref(set->resources[i]);
                if (s->resources[i]->spec->wait != wait)
                        limit_waits(s, s->resources[i]);
                resource_grant(s, s->resources[i]); /* there may be more room now */
        }
        return 0;
}

size_t scheduler_n_resources(const Scheduler *s)
{
        return s->n_resources;
}

void scheduler_resource_status(const Scheduler *s, size_t i, ResourceStatus *ret)
{
        const Resource *resource = s->resources[i];

        *ret = (ResourceStatus){
                .name = resource->spec->name,
                .capacity = resource->spec->capacity,
                .n_holders = resource->n_holders,
                .n_waiting = resource->n_waiting,
                .holder = resource->n_holders > 0 ? resource->holder : 0,
        };
}

void resources_free(Scheduler *s)
{
        for (size_t i = 0; i < s->n_resources; i++)
                resource_free(s->resources[i]);
        free(s->resources);
}
