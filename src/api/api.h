/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The Varlink methods of io.takt.Manager, io.takt.Jobs and io.takt.Runs over the public headers of
 * the engine. A method is one row in the table of its interface's file, beside its .varlink text.
 */

#include "config/environment.h"
#include "config/settings.h"
#include "sched/scheduler.h"
#include "store/change-log.h"
#include "store/store.h"
#include "varlink/server.h"

typedef struct Api Api;

/* Who may call what; larger is more. */
typedef enum ApiAuthority {
        API_NOBODY,
        API_READ,
        API_CONTROL,
} ApiAuthority;

/* How a reload ended: R < 0 and no counts where nothing was changed. */
typedef struct ApiReload {
        int r;
        unsigned added, changed, removed, unchanged;
        unsigned refused; /* files */
        const ConfigReport *report;   /* errors; may be NULL */
        const ConfigReport *warnings; /* those that are listed, of N_WARNINGS; may be NULL */
        unsigned n_warnings;
} ApiReload;

typedef void (*ApiReloadDone)(const ApiReload *result, void *userdata);

/* What the methods need of the daemon; all borrowed. */
typedef struct ApiContext {
        Loop *loop;
        Scheduler *scheduler;
        EventBus *events;
        Store *store;
        const ChangeLog *changes;
        const Environment *environment;
        const Services *services;
        usec_t started_realtime;
        /* The settings in force; asked each time, for a reload replaces them. */
        const Settings *(*settings)(void *userdata);
        /* How many job files are broken, as they were read last. */
        unsigned (*refused_files)(void *userdata);
        /* How many warnings there are about what was loaded last. */
        unsigned (*n_warnings)(void *userdata);
        /* What of the state can't be kept, and why; NULL: all is. */
        const char *(*state_problem)(void *userdata);
        /* Begins a reload; DONE is called once. -EBUSY: one is under way. */
        int (*reload)(ApiReloadDone done, void *done_userdata, void *userdata);
        void *userdata;
} ApiContext;

/* Adds the interfaces to SERVER. The server is freed before the Api. */
int api_new(const ApiContext *context, VarlinkServer *server, Api **ret);
Api *api_free(Api *api);
DEFINE_CLEANUP(Api *, api_free);

/* Tells watchers that the daemon is stopping, and lets calls that wait end. */
void api_stop(Api *api);
