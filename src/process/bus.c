/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sd-bus says what it waits for (a descriptor, events, a time), and has to be asked again after each step,
 * as the answer changes with what is queued. Every step ends in update(), therefore, and who queues a
 * message asks for a step.
 */
#include "process/bus.h"

#include <poll.h>
#include <time.h>
#include <unistd.h>

struct Bus {
        Loop *loop;
        sd_bus *bus;
        IoSource *io;
        Timer timer;
        Deferred step;
        bool ready;
        int error; /* why it was lost; 0: it was not */
        const BusCallbacks *callbacks;
        void *userdata;
};

BusScope bus_scope(void)
{
        return geteuid() != 0 && getenv("XDG_RUNTIME_DIR") ? BUS_USER : BUS_SYSTEM;
}

const char *bus_scope_to_string(BusScope scope)
{
        return scope == BUS_USER ? "user" : "system";
}

static usec_t now_monotonic(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (usec_t)now.tv_sec * USEC_PER_SEC + (usec_t)now.tv_nsec / 1000;
}

/* The time that sd-bus names is of the monotonic clock, which does not run ahead of the loop's. */
static int update_timer(Bus *bus)
{
        uint64_t due;
        usec_t now;
        int r = sd_bus_get_timeout(bus->bus, &due);

        if (r < 0)
                return r;
        if (due == UINT64_MAX) {
                timer_disarm(loop_timers(bus->loop), &bus->timer);
                return 0;
        }
        now = now_monotonic();
        return timer_arm_after(loop_timers(bus->loop), &bus->timer, due > now ? due - now : 0);
}

static int update(Bus *bus)
{
        int events = sd_bus_get_events(bus->bus);
        int r;

        if (events < 0)
                return events;
        r = io_source_set_events(bus->io, (events & POLLIN ? IO_READ : 0U) | (events & POLLOUT ? IO_WRITE : 0U));
        return r < 0 ? r : update_timer(bus);
}

static void lose(Bus *bus, int error)
{
        bus->error = error;
        bus->io = io_source_free(bus->io);
        timer_disarm(loop_timers(bus->loop), &bus->timer);
        deferred_cancel(bus->loop, &bus->step);
        bus->callbacks->lost(bus, error, bus->userdata);
}

static void on_step(Deferred *deferred)
{
        Bus *bus = container_of(deferred, Bus, step);
        int r = 1;

        for (unsigned n = 0; r > 0 && n < BUS_MESSAGES_A_TURN; n++)
                r = sd_bus_process(bus->bus, NULL);
        if (r >= 0 && !bus->ready && sd_bus_is_ready(bus->bus) > 0) {
                bus->ready = true;
                bus->callbacks->ready(bus, bus->userdata);
        }
        if (r > 0)
                loop_defer(bus->loop, &bus->step);
        if (r >= 0)
                r = update(bus);
        if (r < 0)
                lose(bus, r);
}

static void on_io(_unused_ IoSource *source, _unused_ int fd, _unused_ unsigned events, void *userdata)
{
        Bus *bus = userdata;

        on_step(&bus->step);
}

static void on_time(Timer *timer, _unused_ usec_t now)
{
        Bus *bus = container_of(timer, Bus, timer);

        on_step(&bus->step);
}

static int set_address(sd_bus *bus, BusScope scope)
{
        const char *address = getenv(scope == BUS_USER ? "DBUS_SESSION_BUS_ADDRESS" : "DBUS_SYSTEM_BUS_ADDRESS");
        const char *runtime = getenv("XDG_RUNTIME_DIR");
        char path[128];
        int n;

        if (address && address[0])
                return sd_bus_set_address(bus, address);
        if (scope == BUS_SYSTEM)
                return sd_bus_set_address(bus, "unix:path=/run/dbus/system_bus_socket");
        if (!runtime)
                return -ENOMEDIUM;
        n = snprintf(path, sizeof(path), "unix:path=%s/bus", runtime);
        return n < (int)sizeof(path) ? sd_bus_set_address(bus, path) : -ENAMETOOLONG;
}

int bus_open(Loop *loop, BusScope scope, const BusCallbacks *callbacks, void *userdata, Bus **ret)
{
        _cleanup_(bus_freep) Bus *bus = new0(Bus, 1);
        int r;

        if (!bus)
                return -ENOMEM;
        *bus = (Bus){ .loop = loop, .timer.callback = on_time, .step.callback = on_step, .callbacks = callbacks, .userdata = userdata };
        r = sd_bus_new(&bus->bus);
        if (r >= 0)
                r = set_address(bus->bus, scope);
        if (r >= 0)
                r = sd_bus_set_bus_client(bus->bus, true);
        if (r >= 0)
                r = sd_bus_start(bus->bus);
        if (r >= 0)
                r = sd_bus_get_fd(bus->bus);
        if (r >= 0)
                r = io_source_new(loop, r, 0, on_io, bus, &bus->io);
        if (r < 0)
                return r;
        bus_send_queued(bus);
        *ret = TAKE_PTR(bus);
        return 0;
}

Bus *bus_free(Bus *bus)
{
        if (!bus)
                return NULL;
        io_source_free(bus->io);
        timer_disarm(loop_timers(bus->loop), &bus->timer);
        deferred_cancel(bus->loop, &bus->step);
        sd_bus_close_unref(bus->bus);
        free(bus);
        return NULL;
}

sd_bus *bus_get(Bus *bus)
{
        return bus->bus;
}

void bus_send_queued(Bus *bus)
{
        if (bus->error == 0)
                loop_defer(bus->loop, &bus->step);
}
