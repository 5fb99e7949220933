/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What a service manager and taktd tell each other: sockets that were passed, readiness, reloads, the
 * stop, one line of status, the watchdog. Without a manager all of it does nothing. Never blocks.
 */

#include "base/clock.h"
#include "loop/loop.h"

typedef struct ServiceManager ServiceManager;

/* Descriptors that are taken over from the manager; further ones are closed. */
#define SERVICE_MAX_FDS 32U
/* Bytes of notifications that wait for a manager that is too busy to take them. */
#define SERVICE_MAX_PENDING 4096U

/*
 * Reads what the manager left in the environment ($NOTIFY_SOCKET, $LISTEN_*, $WATCHDOG_*) and removes it
 * there, as it is meant for this process alone. To be called before other descriptors are opened. -ENOMEM.
 */
int service_manager_new(ServiceManager **ret);
/* Closes sockets that nobody took. The loop must still be there. */
ServiceManager *service_manager_free(ServiceManager *manager);
DEFINE_CLEANUP(ServiceManager *, service_manager_free);

/*
 * Takes over the listening UNIX stream socket that was passed by NAME (FileDescriptorName= of the socket
 * unit). -ENOENT: there is none; -EPROTOTYPE: it is another kind of descriptor.
 */
int service_manager_take_listener(ServiceManager *manager, const char *name);

/* Takes over a descriptor of any kind that was passed, or stored before, by NAME. -ENOENT: there is none (left). */
int service_manager_take(ServiceManager *manager, const char *name);
/* Whether the manager keeps descriptors over a restart. */
bool service_manager_keeps_descriptors(const ServiceManager *manager);
/* Has the manager keep a copy of FD, until this process stops for good or the other end hangs up. -errno: it does not. */
int service_manager_store(ServiceManager *manager, int fd, const char *name);

/* Whether all is well; else a short sentence that says what is not. */
typedef const char *(*ServiceCheck)(void *userdata);

/*
 * From now on the watchdog is fed, at half of the time that the manager allows: the loop must have come
 * to its timer and then to its deferred calls, and CHECK must find nothing.
 */
void service_manager_watch(ServiceManager *manager, Loop *loop, ServiceCheck check, void *userdata);

/* Each replaces the status line, which is short and without a line break. */
void service_manager_ready(ServiceManager *manager, const char *format, ...) _printf_(2, 3);
/* Not ready yet; the manager shall wait for TIMEOUT at least. */
void service_manager_starting(ServiceManager *manager, usec_t timeout, const char *format, ...) _printf_(3, 4);
void service_manager_reloading(ServiceManager *manager);
/* The manager shall wait for TIMEOUT, also where the unit allows less. */
void service_manager_stopping(ServiceManager *manager, usec_t timeout, const char *format, ...) _printf_(3, 4);
