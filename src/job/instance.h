/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Instances of a template: NAME@.job is read once, and all jobs NAME@X share its definition, in which %i
 * stands for X. What is expanded a run is expanded with the name of the run's job; a key that is read at load
 * can't hold %i then. A link NAME@X.job to the template is a definition of its own, where every key may.
 */

#include "config/key.h"

#define INSTANCES_MAX 1000000U /* of one template */
#define INSTANCE_SPECIFIER "%i"
#define INSTANCE_PLACEHOLDER "${%i}" /* what becomes of it in templates of values, see template.h */

typedef struct InstanceSet InstanceSet;

/* [Job] Instances=: an InstanceSet *, repeatable. Names, ranges and paths of files, parted by blanks. */
extern const ConfigType config_type_instances;
/* char *: text for people, in which %i is expanded when it is shown. */
extern const ConfigType config_type_description;

/* --- names --- */

/* "NAME@" */
bool job_name_is_template(const char *name);
/* "x" of "NAME@x", "" of "NAME@"; NULL where NAME is no instance. */
const char *job_name_instance(const char *name);
/* "NAME@" of "NAME@x", which must be a valid name for a job: JOB_NAME_MAX + 1 bytes. -EINVAL where it is none. */
int job_name_template(const char *name, char *ret);
/* Whether X can be an instance's name: what a job's name is made of, and more than dots. */
bool job_instance_is_valid(const char *x);

/* Appends TEXT with INSTANCE (NULL: leave it) for each %i. -ENOMEM. */
int job_instance_substitute(const char *text, const char *instance, Buffer *out);
/* Whether some %i of TEXT stands inside a placeholder ${…}. */
bool job_instance_is_nested(const char *text);

/* --- what Instances= names --- */

typedef struct InstanceReader InstanceReader;

/*
 * Begins to read the names of SET, which must outlive the reader; relative paths begin in DIRECTORY
 * (borrowed). TEMPLATE, "NAME@", is what the names are put behind. -ENOMEM.
 */
int instance_reader_new(const InstanceSet *set, const char *template, const char *directory, InstanceReader **ret);
InstanceReader *instance_reader_free(InstanceReader *reader);
DEFINE_CLEANUP(InstanceReader *, instance_reader_free);
/*
 * The next job's name, "NAME@X", which lives until the next call: 1; 0 at the end. -EBADMSG where a file can't
 * be read, holds what is no name, or there are more than INSTANCES_MAX: a problem was added to REPORT. -ENOMEM.
 */
int instance_reader_next(InstanceReader *reader, ConfigReport *report, const char **ret);
