/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/environment.h"

#include <grp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/string-util.h"

#define GROUP "takt"
#define SYSTEM_CONFIGURATION "/etc/takt"
#define SYSTEM_STATE "/var/lib/takt"
#define SYSTEM_RUNTIME "/run/takt"

Environment *environment_free(Environment *environment)
{
        if (!environment)
                return NULL;
        free(environment->name);
        free(environment->path);
        free(environment->config_file);
        free(environment->jobs);
        free(environment->schemas);
        free(environment->packs);
        free(environment->bin);
        free(environment->state);
        free(environment->run);
        free(environment->socket);
        free(environment);
        return NULL;
}

/* The variable NAME, NULL where it is not set or empty. */
static const char *environment_variable(const char *name)
{
        const char *value = getenv(name);

        return value && *value ? value : NULL;
}

/* Lays the environment over CONFIGURATION (what people edit), STATE (what programs write), INSTALLED and RUNTIME. */
static int environment_new(EnvironmentScope scope,
                           const char *name,
                           const char *configuration,
                           const char *installed,
                           const char *state,
                           const char *runtime,
                           Environment **ret)
{
        _cleanup_(environment_freep) Environment *e = new0(Environment, 1);

        if (!e)
                return -ENOMEM;
        e->scope = scope;
        e->name = strdup(name);
        e->path = strdup(configuration);
        e->config_file = path_join(configuration, "takt.conf");
        e->jobs = path_join(configuration, "jobs");
        e->schemas = path_join(configuration, "schemas");
        e->packs = path_join(installed, "packs");
        e->bin = path_join(installed, "bin");
        e->state = strdup(state);
        e->run = strdup(runtime);
        e->socket = path_join(runtime, "takt.sock");
        if (!e->name || !e->path || !e->config_file || !e->jobs || !e->schemas || !e->packs || !e->bin ||
            !e->state || !e->run || !e->socket)
                return -ENOMEM;
        *ret = TAKE_PTR(e);
        return 0;
}

static int resolve_dir(const char *dir, Environment **ret, char **ret_error)
{
        _cleanup_free_ char *path = realpath(dir, NULL), *config = NULL, *state = NULL, *run = NULL;
        struct stat st;
        int r;

        if (!path) {
                r = negative_errno();
                *ret_error = xasprintf("no environment at %s: %s", dir, strerror(-r));
                return r;
        }
        config = path_join(path, "takt.conf");
        state = path_join(path, "state");
        run = path_join(path, "run");
        if (!config || !state || !run)
                return -ENOMEM;
        if (stat(config, &st) < 0) {
                r = negative_errno();
                *ret_error = r == -ENOENT || r == -ENOTDIR ?
                                     xasprintf("%s is no environment, as it holds no takt.conf; "
                                               "make it one with: taktctl env create %s", dir, dir) :
                                     xasprintf("can't look at %s: %s", config, strerror(-r));
                return r == -ENOTDIR ? -ENOENT : r;
        }
        return environment_new(ENVIRONMENT_DIR, streq(path, "/") ? "/" : strrchr(path, '/') + 1,
                               path, path, state, run, ret);
}

/* The first directory of the list that a service manager put into variable NAME, else USUAL. */
static char *service_directory(unsigned flags, const char *name, const char *usual)
{
        const char *value = flags & ENVIRONMENT_SERVICE ? environment_variable(name) : NULL;

        if (!value || value[0] != '/')
                return strdup(usual);
        return strndup(value, strcspn(value, ":"));
}

/* What both scopes that aren't one directory have in common. */
static int resolve_spread(EnvironmentScope scope,
                          const char *name,
                          const char *configuration,
                          const char *state,
                          const char *runtime,
                          unsigned flags,
                          Environment **ret)
{
        _cleanup_free_ char *c = service_directory(flags, "CONFIGURATION_DIRECTORY", configuration);
        _cleanup_free_ char *s = service_directory(flags, "STATE_DIRECTORY", state);
        _cleanup_free_ char *r = service_directory(flags, "RUNTIME_DIRECTORY", runtime);

        if (!c || !s || !r)
                return -ENOMEM;
        return environment_new(scope, name, c, s, s, r, ret);
}

/* "$VARIABLE/takt", else "$HOME/FALLBACK/takt" as the XDG base directory specification has it. */
static int xdg_directory(const char *variable, const char *fallback, char **ret, char **ret_error)
{
        const char *value = environment_variable(variable), *home = environment_variable("HOME");
        char *path;

        if (value && value[0] == '/') {
                path = path_join(value, "takt");
        } else if (fallback && home && home[0] == '/') {
                path = xasprintf("%s/%s/takt", home, fallback);
        } else {
                *ret_error = xasprintf("the user's environment has no place, as $%s is not set; "
                                       "name an environment with --env DIR", fallback ? "HOME" : variable);
                return -ENXIO;
        }
        if (!path)
                return -ENOMEM;
        *ret = path;
        return 0;
}

static int resolve_user(unsigned flags, Environment **ret, char **ret_error)
{
        _cleanup_free_ char *configuration = NULL, *state = NULL, *runtime = NULL;
        int r;

        r = xdg_directory("XDG_CONFIG_HOME", ".config", &configuration, ret_error);
        if (r >= 0)
                r = xdg_directory("XDG_STATE_HOME", ".local/state", &state, ret_error);
        if (r >= 0)
                r = xdg_directory("XDG_RUNTIME_DIR", NULL, &runtime, ret_error);
        if (r < 0)
                return r;
        return resolve_spread(ENVIRONMENT_USER, "user", configuration, state, runtime, flags, ret);
}

/* Whether this process may be expected to work with the system's environment. */
static bool is_system_user(void)
{
        _cleanup_free_ gid_t *groups = NULL;
        const struct group *group;
        int n;

        if (geteuid() == 0)
                return true;
        group = getgrnam(GROUP);
        if (!group)
                return false;
        if (getegid() == group->gr_gid)
                return true;
        n = getgroups(0, NULL);
        groups = n > 0 ? new0(gid_t, (size_t)n) : NULL;
        if (!groups)
                return false;
        n = getgroups(n, groups);
        for (int i = 0; i < n; i++)
                if (groups[i] == group->gr_gid)
                        return true;
        return false;
}

int environment_resolve(EnvironmentScope scope, const char *dir, unsigned flags, Environment **ret, char **ret_error)
{
        *ret_error = NULL;
        if (!dir && scope == ENVIRONMENT_AUTO)
                dir = environment_variable("TAKT_ENV");
        if (dir)
                return resolve_dir(dir, ret, ret_error);
        if (scope == ENVIRONMENT_AUTO)
                scope = is_system_user() ? ENVIRONMENT_SYSTEM : ENVIRONMENT_USER;
        if (scope == ENVIRONMENT_USER)
                return resolve_user(flags, ret, ret_error);
        return resolve_spread(ENVIRONMENT_SYSTEM, "system", SYSTEM_CONFIGURATION, SYSTEM_STATE, SYSTEM_RUNTIME,
                              flags, ret);
}

char *environment_option(const Environment *environment)
{
        if (environment->scope == ENVIRONMENT_DIR)
                return xasprintf("--env %s", environment->path);
        return strdup(environment->scope == ENVIRONMENT_SYSTEM ? "--system" : "--user");
}

int environment_make_directories(const Environment *environment)
{
        /* The state may hold what only its owner should read; clients need to reach the socket. */
        (void)mkdir_p(environment->state, 0700);
        return mkdir_p(environment->run, 0755);
}

const char *environment_work_directory(const Environment *environment)
{
        return environment->scope == ENVIRONMENT_DIR ? environment->path : environment->state;
}
