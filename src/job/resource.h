/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Named resources of takt.conf, [Resource:NAME], that runs hold while they are under way: a bus, a
 * licence, a printer. What a definition says is immutable and reference-counted, so that a run leaves
 * a resource as it entered it, whatever a reload changed in between.
 */

#include "config/settings.h"
#include "job/mention.h"
#include "job/words.h"

typedef struct JobSpec JobSpec;

#define RESOURCES_MAX 1000U /* of one environment */

typedef struct ResourceSpec {
        unsigned n_ref;
        char *name;
        unsigned capacity;  /* runs that may hold it at a time */
        usec_t wait;        /* how long a run waits for it at most; USEC_INFINITY: for ever */
        CommandLine *enter; /* run when it is taken and given back; NULL: nothing */
        CommandLine *exit;
} ResourceSpec;

ResourceSpec *resource_spec_ref(ResourceSpec *spec);
ResourceSpec *resource_spec_unref(ResourceSpec *spec);
DEFINE_CLEANUP(ResourceSpec *, resource_spec_unref);

/* In the order of their names, each once. */
typedef struct ResourceSet {
        ResourceSpec **resources;
        size_t n;
        MentionList mentions; /* the programs of their Enter= and Exit= */
} ResourceSet;

void resource_set_deinit(ResourceSet *set);

/* Its keys; in files its name is followed by ":" and that of the resource. */
extern const ConfigSection resource_section;

/*
 * Reads the resources of PATH, a takt.conf whose settings are none of the caller's business, and of its
 * drop-ins. PATH may be missing. -EBADMSG with problems in REPORT, -ENOMEM.
 */
int resource_set_load(const char *path, ConfigReport *report, ResourceSet *ret);

/*
 * All of a takt.conf: its settings as well, with all that is wrong in the order of its places. -EBADMSG,
 * -ENOMEM.
 */
int resource_set_load_with_settings(const char *path, ConfigReport *report, Settings **ret_settings, ResourceSet *ret_set);

/* Whether all that jobs of SPEC use are in SET. -EBADMSG with problems in REPORT, -ENOMEM. */
int resource_set_check(const ResourceSet *set, const JobSpec *spec, ConfigReport *report);
