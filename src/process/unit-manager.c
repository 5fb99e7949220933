/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The connection with the service manager that all units have, and what it tells of them together. */
#include <systemd/sd-login.h>

#include "base/string-util.h"
#include "process/transient-unit-internal.h"

/* How long a bus may take to answer. */
#define UNIT_CALL_USEC (90 * USEC_PER_SEC)

void unit_manager_tell(UnitManager *manager, const char *method, const char *name, const char *mode)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        sd_bus *bus = manager->bus ? bus_get(manager->bus) : NULL;
        int r;

        if (!bus)
                return;
        r = sd_bus_message_new_method_call(bus, &m, SYSTEMD_SERVICE, SYSTEMD_PATH, SYSTEMD_MANAGER, method);
        if (r >= 0)
                r = sd_bus_message_append(m, "s", name);
        if (r >= 0 && mode)
                r = sd_bus_message_append(m, "s", mode);
        if (r >= 0)
                r = sd_bus_message_set_expect_reply(m, false);
        if (r >= 0)
                (void)sd_bus_send(bus, m, NULL);
        bus_send_queued(manager->bus);
}

static int on_job_removed(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *ret_error)
{
        UnitManager *manager = userdata;
        const char *job, *name, *result;
        TransientUnit *unit;
        uint32_t id;

        if (sd_bus_message_read(m, "uoss", &id, &job, &name, &result) < 0)
                return 0;
        list_foreach (unit, &manager->units, TransientUnit, link) {
                if (!streq_ptr(unit->job, job))
                        continue;
                transient_unit_on_job_over(unit, result);
                break;
        }
        return 0;
}

static void on_bus_lost(Bus *bus, int error, void *userdata)
{
        UnitManager *manager = userdata;

        /* Each is failed once, whatever its callbacks do with others. */
        manager->job_removed = sd_bus_slot_unref(manager->job_removed);
        manager->bus = NULL;
        for (;;) {
                TransientUnit *unit, *found = NULL;

                list_foreach (unit, &manager->units, TransientUnit, link)
                        if (unit->changed) {
                                found = unit;
                                break;
                        }
                if (!found)
                        break;
                transient_unit_on_bus_lost(found, error);
        }
        bus_free(bus);
}

static void on_bus_ready(_unused_ Bus *bus, void *userdata)
{
        UnitManager *manager = userdata;
        TransientUnit *unit;

        list_foreach (unit, &manager->units, TransientUnit, link)
                transient_unit_on_bus_ready(unit);
}

int unit_manager_connect(UnitManager *manager)
{
        static const BusCallbacks callbacks = { .ready = on_bus_ready, .lost = on_bus_lost };
        _cleanup_(bus_freep) Bus *bus = NULL;
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        int r;

        if (manager->bus)
                return 0;
        r = bus_open(manager->loop, manager->scope, &callbacks, manager, &bus);
        if (r < 0)
                return r;
        r = sd_bus_set_method_call_timeout(bus_get(bus), UNIT_CALL_USEC);
        if (r >= 0)
                r = sd_bus_match_signal_async(bus_get(bus), &slot, SYSTEMD_SERVICE, SYSTEMD_PATH, SYSTEMD_MANAGER, "JobRemoved",
                                              on_job_removed, NULL, manager);
        if (r < 0)
                return r;
        manager->bus = TAKE_PTR(bus);
        manager->job_removed = TAKE_PTR(slot);
        /* Without this the manager tells nothing; it knows who asked until the connection ends. */
        (void)sd_bus_call_method_async(bus_get(manager->bus), NULL, SYSTEMD_SERVICE, SYSTEMD_PATH, SYSTEMD_MANAGER, "Subscribe",
                                       NULL, NULL, NULL);
        return 0;
}

/* The service that this process is: units are to end with it, however it ends. */
static char *own_service(BusScope scope)
{
        char *name = NULL;
        int r = scope == BUS_USER ? sd_pid_get_user_unit(0, &name) : sd_pid_get_unit(0, &name);
        const char *dot = r >= 0 ? strrchr(name, '.') : NULL;

        if (!dot || !streq(dot, ".service")) {
                free(name);
                return NULL;
        }
        return name;
}

int unit_manager_new(Loop *loop, UnitManager **ret)
{
        UnitManager *manager = new0(UnitManager, 1);

        if (!manager)
                return -ENOMEM;
        manager->loop = loop;
        manager->scope = bus_scope();
        manager->owner = own_service(manager->scope);
        list_init(&manager->units);
        *ret = manager;
        return 0;
}

UnitManager *unit_manager_free(UnitManager *manager)
{
        TransientUnit *unit;

        if (!manager)
                return NULL;
        list_foreach (unit, &manager->units, TransientUnit, link) {
                transient_unit_send_stop(unit);
                transient_unit_destroy(unit);
        }
        sd_bus_slot_unref(manager->job_removed);
        bus_free(manager->bus);
        free(manager->owner);
        free(manager);
        return NULL;
}
