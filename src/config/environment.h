/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The environment: which directories hold the configuration, the state and the socket of one
 * taktd. It is a directory with all of them in it, or the system's or the user's, which are spread
 * over the usual places.
 */

#include "base/macro.h"

typedef enum EnvironmentScope {
        ENVIRONMENT_AUTO, /* only to ask with */
        ENVIRONMENT_DIR,
        ENVIRONMENT_SYSTEM,
        ENVIRONMENT_USER,
} EnvironmentScope;

/* All paths are absolute; those of a directory are without symbolic links. */
typedef struct Environment {
        EnvironmentScope scope;
        char *name;        /* the directory's name, "system" or "user" */
        char *path;        /* the directory of takt.conf */
        char *config_file; /* PATH/takt.conf */
        char *jobs;
        char *schemas;
        char *packs;
        char *bin;
        char *state;
        char *run;
        char *socket; /* RUN/takt.sock; may be longer than sun_path, see base/socket.h */
} Environment;

enum {
        /*
         * The caller is the daemon and not a client: the directories that a service manager made
         * for it ($CONFIGURATION_DIRECTORY, $STATE_DIRECTORY, $RUNTIME_DIRECTORY) take the place of
         * the system's and the user's usual ones.
         */
        ENVIRONMENT_SERVICE = 1 << 0,
};

/*
 * Finds the environment. DIR (NULL: not said) is that directory; else SCOPE decides; with
 * ENVIRONMENT_AUTO it is $TAKT_ENV, else the system's for root and members of the group takt, else
 * the user's. -ENOENT: DIR is no environment, -ENXIO: no place for the user's is known, errno; on
 * failure RET_ERROR is a sentence that the caller frees (NULL without memory).
 */
int environment_resolve(EnvironmentScope scope, const char *dir, unsigned flags, Environment **ret, char **ret_error);
Environment *environment_free(Environment *environment);
DEFINE_CLEANUP(Environment *, environment_free);

/* Where relative paths of jobs begin and commands run: the directory itself; of the system and the user, their state. */
const char *environment_work_directory(const Environment *environment);

/* The option that names the environment on a command line, such as "--env DIR"; the caller frees it. NULL: no memory. */
char *environment_option(const Environment *environment);

/*
 * Makes the directories of state and socket, where they are missing. -errno of the socket's: a daemon can do without
 * the other one.
 */
int environment_make_directories(const Environment *environment);

enum {
        /* In a directory that holds other things as well. */
        ENVIRONMENT_FORCE = 1 << 0,
};

/*
 * Makes DIR an environment: takt.conf, jobs/, schemas/, packs/, bin/activate and its kin, state/ and
 * run/. Nothing in it holds an absolute path, so it may be moved. What is there is kept, except
 * that bin/activate* are brought up to date. -ENOTEMPTY: DIR holds other things and no takt.conf;
 * errno. Returns 1 where it was an environment before, 0 where it was not; RET_ERROR as above.
 */
int environment_create(const char *dir, unsigned flags, char **ret_error);
