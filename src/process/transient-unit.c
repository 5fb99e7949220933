/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A unit is started by one call, whose answer names a job of the manager. It has ended when that job is over and
 * the unit is inactive or failed; both are told by signals, and each is only the occasion to ask for the state,
 * as what a signal says may be overtaken. A reference keeps the unit loaded until the answer has come. The
 * manager holds the pipes as long as it holds the unit, so their end is waited for after that.
 */
#include "process/transient-unit-internal.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/string-util.h"

void transient_unit_send_stop(TransientUnit *unit)
{
        unit_manager_tell(unit->manager, "StopUnit", unit->name, "replace");
}

/* --- the end --- */

static void forget(TransientUnit *unit)
{
        unit->start = sd_bus_message_unref(unit->start);
        unit->call = sd_bus_slot_unref(unit->call);
        unit->changed = sd_bus_slot_unref(unit->changed);
        unit->query = sd_bus_slot_unref(unit->query);
}

void transient_unit_destroy(TransientUnit *unit)
{
        forget(unit);
        timer_disarm(loop_timers(unit->manager->loop), &unit->drain);
        output_pipe_deinit(&unit->output);
        output_pipe_deinit(&unit->error_output);
        list_unlink(&unit->link);
        unit->manager->n_units--;
        unit_properties_deinit(&unit->end);
        free(unit->name);
        free(unit->path);
        free(unit->job);
        free(unit->job_result);
        free(unit->message);
        free(unit);
}

/* The last step; the unit may be gone afterwards. */
static void finish(TransientUnit *unit)
{
        UnitCallbacks callbacks = unit->callbacks;

        timer_disarm(loop_timers(unit->manager->loop), &unit->drain);
        output_pipe_close(&unit->output);
        output_pipe_close(&unit->error_output);
        if (unit->abandoned) {
                transient_unit_destroy(unit);
                return;
        }
        unit->callbacks = (UnitCallbacks){};
        if (callbacks.exited)
                callbacks.exited(unit, &unit->exit, unit->userdata);
}

static void query(TransientUnit *unit);

static void on_pipe_ended(TransientUnit *unit)
{
        if (unit->output.fd >= 0 || unit->error_output.fd >= 0)
                return;
        if (unit->state == UNIT_ENDED)
                finish(unit);
        else if (unit->state == UNIT_RUNNING)
                query(unit); /* should a signal have been lost */
}

static void on_output_ended(OutputPipe *pipe)
{
        on_pipe_ended(container_of(pipe, TransientUnit, output));
}

static void on_error_output_ended(OutputPipe *pipe)
{
        on_pipe_ended(container_of(pipe, TransientUnit, error_output));
}

static void on_line(OutputCapture *capture, const char *line, size_t n)
{
        TransientUnit *unit = container_of(capture, TransientUnit, error_output.capture);

        if (unit->callbacks.line)
                unit->callbacks.line(unit, line, n, unit->userdata);
}

static void on_drain_over(Timer *timer, _unused_ usec_t now)
{
        TransientUnit *unit = container_of(timer, TransientUnit, drain);

        unit->exit.process.truncated = true;
        finish(unit);
}

static void fail(TransientUnit *unit, const char *kind, char *message)
{
        free(unit->message);
        unit->message = message;
        unit->exit = (UnitExit){ .error_kind = kind, .message = message ?: "no memory", .pid = unit->exit.pid };
        unit->state = UNIT_ENDED;
        forget(unit);
        finish(unit);
}

/* --- what an ended unit tells --- */

static void describe_failed_start(TransientUnit *unit)
{
        const UnitProperties *end = &unit->end;
        const char *what = end->code == CLD_EXITED ? unit_setup_failure(end->status) : NULL;

        unit->exit.error_kind = what ? "exec" : "unit";
        if (what)
                unit->message = xasprintf("%s was not started: %s (status %d)", unit->name, what, end->status);
        else if (end->code == CLD_EXITED)
                unit->message = xasprintf("%s was not started: its setup failed with status %d of systemd.exec(5)", unit->name, end->status);
        else
                unit->message = xasprintf("%s was not started: result %s of its start, result %s of the unit", unit->name,
                                          unit->job_result ?: "unknown", end->result ?: "unknown");
        unit->exit.message = unit->message ?: "no memory";
}

static void end_with(TransientUnit *unit, UnitProperties *properties)
{
        const UnitProperties *end = &unit->end;

        unit_properties_deinit(&unit->end);
        unit->end = *properties;
        *properties = (UnitProperties){};
        unit->state = UNIT_ENDED;
        forget(unit);
        unit->exit = (UnitExit){
                .result = end->result,
                .process = {
                        .code = end->code,
                        .status = end->status,
                        .user_usec = end->cpu_nsec == UINT64_MAX ? 0 : end->cpu_nsec / 1000,
                },
                .pid = (pid_t)end->pid,
        };
        if (end->code == 0 || (!unit->stopping && !streq_ptr(unit->job_result, "done") && end->code == CLD_EXITED && end->status >= UNIT_SETUP_STATUS_MIN))
                describe_failed_start(unit);
        unit_manager_tell(unit->manager, "UnrefUnit", unit->name, NULL);
        if (unit->output.fd < 0 && unit->error_output.fd < 0)
                finish(unit);
        else if (timer_arm_after(loop_timers(unit->manager->loop), &unit->drain, SPAWNER_DRAIN_USEC) < 0)
                on_drain_over(&unit->drain, 0);
}

/* --- state --- */

static bool is_over(const char *active_state)
{
        return streq_ptr(active_state, "inactive") || streq_ptr(active_state, "failed");
}

static void tell_started(TransientUnit *unit, pid_t pid)
{
        if (pid <= 0 || unit->told_started)
                return;
        unit->told_started = true;
        if (unit->callbacks.started)
                unit->callbacks.started(unit, pid, unit->userdata);
}

static int on_properties(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *ret_error)
{
        _cleanup_(unit_properties_deinit) UnitProperties properties = { .cpu_nsec = UINT64_MAX };
        TransientUnit *unit = userdata;
        const sd_bus_error *error = sd_bus_message_get_error(m);
        int r;

        unit->query = sd_bus_slot_unref(unit->query);
        if (error) {
                fail(unit, "unit-lost", xasprintf("the result of %s is not known: %s", unit->name, error->message ?: error->name));
                return 0;
        }
        r = unit_properties_read(m, &properties);
        if (r < 0)
                fail(unit, "unit-lost", xasprintf("the result of %s can't be read: %s", unit->name, strerror(-r)));
        else if (unit->job_result && is_over(properties.active_state))
                end_with(unit, &properties);
        else {
                tell_started(unit, (pid_t)properties.pid);
                if (unit->ask_again)
                        query(unit);
        }
        return 0;
}

static void query(TransientUnit *unit)
{
        int r;

        if (unit->query || unit->state != UNIT_RUNNING) {
                unit->ask_again = true;
                return;
        }
        unit->ask_again = false;
        /* The empty interface is all of them: those of the unit and those of the service. */
        r = sd_bus_call_method_async(bus_get(unit->manager->bus), &unit->query, SYSTEMD_SERVICE, unit->path,
                                     "org.freedesktop.DBus.Properties", "GetAll", on_properties, unit, "s", "");
        if (r < 0)
                fail(unit, "unit-lost", xasprintf("the result of %s can't be asked for: %s", unit->name, strerror(-r)));
        else
                bus_send_queued(unit->manager->bus);
}

static int on_changed(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *ret_error)
{
        _cleanup_(unit_properties_deinit) UnitProperties properties = {};
        TransientUnit *unit = userdata;
        const char *interface;

        if (sd_bus_message_read(m, "s", &interface) < 0 || !streq(interface, SYSTEMD_SERVICE ".Unit"))
                return 0;
        if (unit_properties_read(m, &properties) >= 0 && unit->job_result && is_over(properties.active_state))
                query(unit);
        return 0;
}

void transient_unit_on_job_over(TransientUnit *unit, const char *result)
{
        unit->job = (free(unit->job), NULL);
        unit->job_result = strdup(result);
        if (unit->job_result)
                query(unit);
        else
                fail(unit, "memory", NULL);
}

void transient_unit_on_bus_lost(TransientUnit *unit, int error)
{
        fail(unit, unit->state == UNIT_STARTING ? "no-bus" : "unit-lost",
             xasprintf("%s: the connection to the %s bus has ended: %s", unit->name, bus_scope_to_string(unit->manager->scope),
                       strerror(-error)));
}

/* --- start --- */

static void fail_start(TransientUnit *unit, const sd_bus_error *error)
{
        static const char not_permitted[] =
                "this user may start no units; polkit has to allow org.freedesktop.systemd1.manage-units, see takt.job(5)";
        static const struct {
                const char *error;
                const char *kind;
                const char *why;
        } causes[] = {
                { SD_BUS_ERROR_ACCESS_DENIED, "not-permitted", not_permitted },
                { SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, "not-permitted", not_permitted },
                { SD_BUS_ERROR_SERVICE_UNKNOWN, "no-bus", "StartMethod=unit needs systemd, which is not on the bus" },
                { SD_BUS_ERROR_NAME_HAS_NO_OWNER, "no-bus", "StartMethod=unit needs systemd, which is not on the bus" },
                { SD_BUS_ERROR_NO_REPLY, "no-bus", "StartMethod=unit needs a bus that answers" },
                { SD_BUS_ERROR_TIMEOUT, "no-bus", "StartMethod=unit needs a bus that answers" },
        };
        const char *kind = "unit", *why = "systemd refused the unit";

        for (size_t i = 0; i < ARRAY_SIZE(causes); i++)
                if (sd_bus_error_has_name(error, causes[i].error)) {
                        kind = causes[i].kind;
                        why = causes[i].why;
                }
        fail(unit, kind, xasprintf("%s: %s (%s bus: %s)", unit->name, why, bus_scope_to_string(unit->manager->scope),
                                   error->message ?: error->name));
}

static int on_start_answered(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *ret_error)
{
        TransientUnit *unit = userdata;
        const sd_bus_error *error = sd_bus_message_get_error(m);
        const char *job = NULL;

        unit->call = sd_bus_slot_unref(unit->call);
        if (error) {
                fail_start(unit, error);
                return 0;
        }
        unit->state = UNIT_RUNNING;
        if (unit->abandoned) {
                transient_unit_send_stop(unit);
                transient_unit_destroy(unit);
                return 0;
        }
        if (sd_bus_message_read(m, "o", &job) < 0 || free_and_strdup(&unit->job, job) < 0) {
                transient_unit_send_stop(unit);
                fail(unit, "memory", NULL);
        } else if (unit->stopping)
                transient_unit_send_stop(unit);
        return 0;
}

/* Sends the start where the bus is ready for it. */
static int send_start(TransientUnit *unit)
{
        sd_bus *bus = bus_get(unit->manager->bus);
        int r;

        if (!unit->start || sd_bus_is_ready(bus) <= 0)
                return 0;
        r = sd_bus_call_async(bus, &unit->call, unit->start, on_start_answered, unit, 0);
        unit->start = sd_bus_message_unref(unit->start);
        return r < 0 ? r : 0;
}

void transient_unit_on_bus_ready(TransientUnit *unit)
{
        int r = send_start(unit);

        if (r < 0)
                fail(unit, "unit", xasprintf("%s could not be asked for: %s", unit->name, strerror(-r)));
}

static int ask_for(TransientUnit *unit, const UnitRequest *request)
{
        UnitManager *manager = unit->manager;
        _cleanup_close_ int output = -1, error_output = -1;
        sd_bus *bus = bus_get(manager->bus);
        int r;

        r = output_pipe_open(&unit->output, manager->loop, request->command.output.max_bytes, &output);
        if (r >= 0)
                r = output_pipe_open(&unit->error_output, manager->loop, 0, &error_output);
        if (r >= 0)
                r = unit_message_new(bus, request, manager->owner, output, error_output, &unit->start);
        if (r >= 0)
                r = sd_bus_path_encode(SYSTEMD_PATH "/unit", request->name, &unit->path);
        if (r >= 0)
                r = sd_bus_match_signal_async(bus, &unit->changed, SYSTEMD_SERVICE, unit->path, "org.freedesktop.DBus.Properties",
                                              "PropertiesChanged", on_changed, NULL, unit);
        if (r >= 0)
                r = send_start(unit);
        return r;
}

int transient_unit_start(UnitManager *manager, const UnitRequest *request, const UnitCallbacks *callbacks, void *userdata,
                         TransientUnit **ret)
{
        TransientUnit *unit;
        int r;

        if (manager->n_units >= TRANSIENT_UNITS_MAX)
                return -EAGAIN;
        r = unit_manager_connect(manager);
        if (r < 0)
                return r;
        unit = new0(TransientUnit, 1);
        if (!unit)
                return -ENOMEM;
        *unit = (TransientUnit){
                .manager = manager,
                .output = OUTPUT_PIPE_NULL,
                .error_output = OUTPUT_PIPE_NULL,
                .drain.callback = on_drain_over,
                .callbacks = *callbacks,
                .userdata = userdata,
        };
        unit->output.ended = on_output_ended;
        unit->error_output.ended = on_error_output_ended;
        unit->error_output.capture.tell_line = on_line;
        list_append(&manager->units, &unit->link);
        manager->n_units++;
        unit->name = strdup(request->name);
        r = unit->name ? ask_for(unit, request) : -ENOMEM;
        bus_send_queued(manager->bus);
        if (r < 0) {
                transient_unit_destroy(unit);
                return r;
        }
        *ret = unit;
        return 0;
}

TransientUnit *transient_unit_free(TransientUnit *unit)
{
        if (!unit)
                return NULL;
        unit->callbacks = (UnitCallbacks){};
        if (unit->state == UNIT_STARTING && unit->call) {
                unit->abandoned = true;
                output_pipe_close(&unit->output);
                output_pipe_close(&unit->error_output);
                return NULL;
        }
        if (unit->state == UNIT_RUNNING)
                transient_unit_send_stop(unit);
        transient_unit_destroy(unit);
        return NULL;
}

void transient_unit_stop(TransientUnit *unit)
{
        if (unit->stopping)
                return;
        unit->stopping = true;
        if (unit->state == UNIT_RUNNING)
                transient_unit_send_stop(unit);
        else if (unit->start)
                fail(unit, "cancelled", strdup("ended before the bus took it"));
        /* else it is stopped when the start was answered */
}

const Buffer *transient_unit_output(const TransientUnit *unit)
{
        return &unit->output.capture.kept;
}

uint64_t transient_unit_dropped(const TransientUnit *unit)
{
        return unit->output.capture.dropped;
}
