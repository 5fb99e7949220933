/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Commands as transient services of systemd: started, watched and ended by the service manager, over the bus,
 * with the user, limits and sandbox that are asked of it. Knows no job.
 *
 * The connection is made with the first unit and kept. A unit is bound to the service that this process is
 * itself, where it is one, so that it ends with it.
 */

#include "process/bus.h"
#include "process/spawner.h"

typedef struct UnitManager UnitManager;
typedef struct TransientUnit TransientUnit;

/* Units under way; more are refused with -EAGAIN. */
#define TRANSIENT_UNITS_MAX 4096U

/* Everything is copied by transient_unit_start(). */
typedef struct UnitRequest {
        const char *name; /* a valid name of a service that there is not */
        const char *description;
        /*
         * argv, environment, input (SPAWN_NULL, SPAWN_BYTES), max_bytes of the output, umask, nice, limits,
         * kill_signal and kill_after as in a spawner's; directory NULL: as systemd has it. A program without a
         * slash is looked for on the PATH of ENVIRONMENT.
         */
        SpawnRequest command;
        char *const *properties; /* NULL-terminated, for unit_property_append(); may be NULL */
        char *const *log_fields; /* NULL-terminated NAME=VALUE that journald adds to what the unit itself logs */
} UnitRequest;

/* How a unit ended. Lives for the callback only. */
typedef struct UnitExit {
        const char *error_kind; /* NULL: its command ran. Else "no-bus", "not-permitted", "unit", "unit-lost", "exec", … */
        const char *message;    /* … with a sentence */
        const char *result;     /* Result= of systemd.service(5): "success", "exit-code", "oom-kill"; NULL: not known */
        SpawnExit process;      /* code, status, truncated and user_usec (here all of the unit's processor time) */
        pid_t pid;
} UnitExit;

typedef struct UnitCallbacks {
        /* Its process exists; not called where it has ended before that is known. Must not free the unit. May be NULL. */
        void (*started)(TransientUnit *unit, pid_t pid, void *userdata);
        /* A line of standard error, without its newline. */
        void (*line)(TransientUnit *unit, const char *line, size_t n, void *userdata);
        /* Exactly once, never from within transient_unit_start(). The unit may be freed here. */
        void (*exited)(TransientUnit *unit, const UnitExit *exit, void *userdata);
} UnitCallbacks;

int unit_manager_new(Loop *loop, UnitManager **ret);
/* Units that are left are stopped, as far as the bus takes the request at once, and never heard of again. */
UnitManager *unit_manager_free(UnitManager *manager);
DEFINE_CLEANUP(UnitManager *, unit_manager_free);

/*
 * Has a unit started. 0; -EAGAIN at TRANSIENT_UNITS_MAX; -EINVAL for a property that is none; errors of
 * bus_open(), -EMFILE and the like, -ENOMEM.
 */
int transient_unit_start(UnitManager *manager, const UnitRequest *request, const UnitCallbacks *callbacks, void *userdata,
                         TransientUnit **ret);
/* Stops the unit where it runs, and hears no more of it. Accepts NULL, returns NULL. */
TransientUnit *transient_unit_free(TransientUnit *unit);
DEFINE_CLEANUP(TransientUnit *, transient_unit_free);

/* Has systemd stop it: the kill signal, and SIGKILL after kill_after. Harmless when repeated. */
void transient_unit_stop(TransientUnit *unit);

/* What was kept of its standard output, and how many bytes were not. */
const Buffer *transient_unit_output(const TransientUnit *unit);
uint64_t transient_unit_dropped(const TransientUnit *unit);
