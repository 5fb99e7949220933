/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* A connection to a message bus (D-Bus, by sd-bus) that is served by the loop and never blocks it. */

#include <systemd/sd-bus.h>

#include "loop/loop.h"

typedef struct Bus Bus;

typedef enum BusScope {
        BUS_SYSTEM,
        BUS_USER, /* that of the user's service manager */
} BusScope;

/* Messages that are handled before others get their turn. */
#define BUS_MESSAGES_A_TURN 64U

/*
 * The bus that this process should speak to: the user's where it belongs to a user's session or manager
 * ($XDG_RUNTIME_DIR says so, and it is not root), else the system's.
 */
BusScope bus_scope(void);
const char *bus_scope_to_string(BusScope scope);

typedef struct BusCallbacks {
        /* The other end has greeted. Before that, no message with descriptors must be queued: sd-bus would block. */
        void (*ready)(Bus *bus, void *userdata);
        /* The connection has ended; all calls were answered with errors then, and the bus may be freed. Called once. */
        void (*lost)(Bus *bus, int error, void *userdata);
} BusCallbacks;

/*
 * Connects, or begins to; the callbacks come from the loop. Errors of connect(2): -ENOENT, -ECONNREFUSED, -EACCES;
 * -ENOMEDIUM where it is not known where the bus is; -ENOMEM.
 */
int bus_open(Loop *loop, BusScope scope, const BusCallbacks *callbacks, void *userdata, Bus **ret);
/* Not from within a handler of sd-bus. Accepts NULL, returns NULL. */
Bus *bus_free(Bus *bus);
DEFINE_CLEANUP(Bus *, bus_free);

sd_bus *bus_get(Bus *bus);
/* To be called after messages were queued: has them sent in this turn of the loop. */
void bus_send_queued(Bus *bus);
