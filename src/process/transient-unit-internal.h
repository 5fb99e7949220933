/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What transient-unit.c (a unit's life), unit-manager.c (the connection that all units have) and unit-message.c (what
 * is said over it, and read) share.
 */

#include "base/list.h"
#include "process/output-pipe.h"
#include "process/transient-unit.h"

#define SYSTEMD_SERVICE "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"

/* What GetAll() is read for. */
typedef struct UnitProperties {
        char *active_state;
        char *result;
        int32_t code;
        int32_t status;
        uint32_t pid;
        uint64_t cpu_nsec;
} UnitProperties;

struct UnitManager {
        Loop *loop;
        BusScope scope;
        char *owner; /* the service that this process is; NULL: none */
        Bus *bus;    /* NULL: not connected */
        sd_bus_slot *job_removed;
        List units;
        unsigned n_units;
};

typedef enum UnitState {
        UNIT_STARTING, /* asked for, not answered */
        UNIT_RUNNING,
        UNIT_ENDED, /* its result is known, its output not yet at its end */
} UnitState;

struct TransientUnit {
        UnitManager *manager;
        List link;
        UnitState state;
        char *name;
        char *path;
        char *job;        /* of the start; NULL: not known yet, or over */
        char *job_result; /* how that ended; NULL: it has not */
        bool stopping;
        bool abandoned; /* freed by its owner before it was started */
        bool ask_again;
        bool told_started;
        sd_bus_message *start; /* while it waits for the bus to be ready */
        sd_bus_slot *call, *changed, *query;
        OutputPipe output, error_output;
        Timer drain;
        UnitProperties end;
        UnitExit exit;
        char *message;
        UnitCallbacks callbacks;
        void *userdata;
};

/* --- unit-manager.c --- */

/* Connects where that has not been done. -errno. */
int unit_manager_connect(UnitManager *manager);
/* Calls METHOD for the unit NAME, with MODE (NULL: without), and waits for no answer. */
void unit_manager_tell(UnitManager *manager, const char *method, const char *name, const char *mode);

/* --- transient-unit.c --- */

/* The bus takes calls now: asks for the unit, where that has not been done. */
void transient_unit_on_bus_ready(TransientUnit *unit);
/* The bus is gone, and so is what was known of the unit. */
void transient_unit_on_bus_lost(TransientUnit *unit, int error);
/* The job of its start is over, with RESULT. */
void transient_unit_on_job_over(TransientUnit *unit, const char *result);
/* Asks the manager to stop it; nothing is waited for. */
void transient_unit_send_stop(TransientUnit *unit);
/* Frees it without a word to anybody. */
void transient_unit_destroy(TransientUnit *unit);

/* --- unit-message.c --- */

/*
 * The call of StartTransientUnit() that REQUEST makes. OUTPUT and ERROR_OUTPUT are duplicated; OWNER is the
 * service that the unit is to end with, or NULL. -EINVAL, -ENOMEM, -errno.
 */
int unit_message_new(sd_bus *bus, const UnitRequest *request, const char *owner, int output, int error_output,
                     sd_bus_message **ret);

void unit_properties_deinit(UnitProperties *properties);
/* Reads an array a{sv}; what is not in it stays as it is. */
int unit_properties_read(sd_bus_message *m, UnitProperties *properties);

/* Statuses from here on may be those of systemd.exec(5), of a process that could not be executed. */
#define UNIT_SETUP_STATUS_MIN 200
/* What went wrong before the command was executed; NULL: STATUS does not say so. */
const char *unit_setup_failure(int status);
