/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What goes to the helper: starts, signals and stops, each addressed by a slot. A start that finds no
 * helper or no room in its socket waits in line; stops and signals wait in a line of their own, which
 * is sent first, as they can only be for commands that were sent before.
 */
#include <sys/socket.h>

#include "process/spawner-internal.h"

/* --- slots --- */

static int slot_take(Spawner *spawner, SpawnedCommand *command)
{
        SpawnSlot *slot;

        if (spawner->free_slot == SPAWN_MAX_SLOTS) {
                uint32_t n = MIN(MAX(2 * spawner->n_slots, 16U), SPAWN_MAX_SLOTS);
                SpawnSlot *slots;

                if (n == spawner->n_slots)
                        return -EBUSY;
                slots = reallocarray(spawner->slots, n, sizeof(*slots));
                if (!slots)
                        return -ENOMEM;
                for (uint32_t i = spawner->n_slots; i < n; i++)
                        slots[i] = (SpawnSlot){ .next_free = i + 1 < n ? i + 1 : SPAWN_MAX_SLOTS };
                spawner->free_slot = spawner->n_slots;
                spawner->slots = slots;
                spawner->n_slots = n;
        }
        command->slot = spawner->free_slot;
        slot = &spawner->slots[command->slot];
        spawner->free_slot = slot->next_free;
        *slot = (SpawnSlot){ .command = command, .serial = slot->serial + 1, .used = true };
        spawner->n_used++;
        return 0;
}

int spawner_claim(Spawner *spawner, uint32_t number, uint32_t serial, pid_t pid, SpawnedCommand *command)
{
        if (number >= spawner->n_slots) {
                uint32_t n = MIN(MAX(2 * spawner->n_slots, number + 1), SPAWN_MAX_SLOTS);
                SpawnSlot *slots = reallocarray(spawner->slots, n, sizeof(*slots));

                if (!slots)
                        return -ENOMEM;
                memset(slots + spawner->n_slots, 0, (n - spawner->n_slots) * sizeof(*slots));
                spawner->slots = slots;
                spawner->n_slots = n;
        }
        spawner->slots[number] = (SpawnSlot){ .command = command, .serial = serial, .pid = pid, .used = true };
        spawner->n_used++;
        return 0;
}

void spawner_check_idle(Spawner *spawner)
{
        if (spawner->on_idle && spawner->n_used == 0 && spawner->status.n_commands == 0 && list_is_empty(&spawner->held))
                loop_defer(spawner->loop, &spawner->idle);
}

void spawner_give_back(Spawner *spawner, uint32_t number)
{
        SpawnSlot *slot = &spawner->slots[number];

        if (slot->command)
                slot->command->slot = SPAWN_MAX_SLOTS;
        if (slot->ending)
                held_command_free(slot->ending);
        *slot = (SpawnSlot){ .serial = slot->serial, .next_free = spawner->free_slot };
        spawner->free_slot = number;
        spawner->n_used--;
        spawner_check_idle(spawner);
}

/* --- to the helper --- */

void spawner_update_io(Spawner *spawner)
{
        bool more = spawner->controls.len > 0 || !list_is_empty(&spawner->waiting);

        if (spawner->io)
                (void)io_source_set_events(spawner->io, more ? IO_READ | IO_WRITE : IO_READ);
}

static int send_control(Spawner *spawner, const SpawnHeader *header)
{
        if (send(spawner->fd, header, sizeof(*header), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
                return 0;
        return errno == ENOBUFS ? -EAGAIN : negative_errno();
}

int spawner_control(Spawner *spawner, uint32_t number, SpawnRequestType type, int argument)
{
        SpawnHeader header = {
                .type = type,
                .slot = number,
                .serial = spawner->slots[number].serial,
                .argument = argument,
        };
        int r = -EAGAIN;

        if (spawner->fd < 0)
                return -ESRCH;
        if (spawner->controls.len == 0)
                r = send_control(spawner, &header);
        if (r != -EAGAIN)
                return r;
        r = buffer_append(&spawner->controls, &header, sizeof(header));
        spawner_update_io(spawner);
        return r == -E2BIG ? -EAGAIN : r;
}

void spawner_flush_done(Spawner *spawner)
{
        struct {
                SpawnHeader header;
                SpawnName names[SPAWN_MAX_DONE];
        } message = { .header.type = SPAWN_DONE };
        size_t n = spawner->done.len / sizeof(SpawnName);

        if (n == 0 || spawner->fd < 0)
                return;
        message.header.argument = (int32_t)n;
        memcpy(message.names, spawner->done.data, spawner->done.len);
        /* What is not told now is freed by the slot's next use. */
        (void)!send(spawner->fd, &message, sizeof(SpawnHeader) + n * sizeof(SpawnName), MSG_DONTWAIT | MSG_NOSIGNAL);
        buffer_clear(&spawner->done);
}

void spawner_done(Spawner *spawner, SpawnedCommand *command)
{
        if (!command->kept)
                return;
        command->kept = false;
        (void)buffer_append(&spawner->done, &command->name, sizeof(command->name));
        if (spawner->done.len >= SPAWN_MAX_DONE * sizeof(SpawnName))
                spawner_flush_done(spawner);
}

int spawner_send_captured(Spawner *spawner, const SpawnedCommand *command, int fd)
{
        const SpawnHeader header = { .type = SPAWN_CAPTURED, .slot = command->name.slot, .serial = command->name.serial };
        const SpawnEnvelope envelope = {
                .message = { .data = (char *)&header, .len = sizeof(header) }, .fds = { fd }, .n_fds = 1,
        };

        return spawner->fd < 0 ? -ENOTCONN : spawn_envelope_send(&envelope, spawner->fd);
}

void spawner_ping(Spawner *spawner)
{
        if (spawner->controls.len == 0)
                (void)send_control(spawner, &(SpawnHeader){ .type = SPAWN_PING });
}

void spawner_stop(Spawner *spawner, uint32_t number)
{
        spawner_stop_within(spawner, number, 0);
}

void spawner_stop_within(Spawner *spawner, uint32_t number, int max_msec)
{
        SpawnSlot *slot = &spawner->slots[number];

        /* Where even this can't be said, the connection is lost or memory is: both end the helper, and so the group. */
        if (!slot->stopped && spawner_control(spawner, number, SPAWN_STOP, max_msec) < 0 && spawner->fd >= 0)
                (void)shutdown(spawner->fd, SHUT_RDWR);
        slot->stopped = true;
}

void spawner_unwait(Spawner *spawner, SpawnedCommand *command)
{
        if (list_is_empty(&command->waiting))
                return;
        list_unlink(&command->waiting);
        spawner->status.n_waiting--;
}

void spawner_release(Spawner *spawner, SpawnedCommand *command)
{
        if (!list_is_empty(&command->commands)) {
                list_unlink(&command->commands);
                spawner->status.n_commands--;
        }
        spawner_unwait(spawner, command);
        spawner_done(spawner, command);
        if (command->slot == SPAWN_MAX_SLOTS) {
                spawner_check_idle(spawner);
                return;
        }
        spawner_stop(spawner, command->slot);
        spawner->slots[command->slot].command = NULL;
        command->slot = SPAWN_MAX_SLOTS;
}

static int send_start(Spawner *spawner, SpawnedCommand *command, SpawnEnvelope *envelope)
{
        int r;

        r = slot_take(spawner, command);
        if (r < 0)
                return r;
        spawn_envelope_set_address(envelope, command->slot, spawner->slots[command->slot].serial);
        r = spawn_envelope_send(envelope, spawner->fd);
        if (r < 0) {
                spawner_give_back(spawner, command->slot);
                return r;
        }
        command->state = SPAWN_STATE_SENT;
        command->kept = ((const SpawnStart *)(const void *)envelope->message.data)->flags & SPAWN_KEEP;
        command->name = (SpawnName){ command->slot, spawner->slots[command->slot].serial };
        spawner->status.n_started++;
        spawn_envelope_deinit(envelope);
        return 0;
}

void spawner_send_waiting(Spawner *spawner)
{
        SpawnedCommand *command;

        while (spawner->controls.len >= sizeof(SpawnHeader)) {
                if (send_control(spawner, (SpawnHeader *)(void *)spawner->controls.data) < 0)
                        return;
                buffer_consume(&spawner->controls, sizeof(SpawnHeader));
        }
        while ((command = list_first(&spawner->waiting, SpawnedCommand, waiting))) {
                int r = send_start(spawner, command, &command->envelope);

                /* A lost connection tells itself by its end. */
                if (r == -EAGAIN || r == -EPIPE || r == -ECONNRESET)
                        return;
                spawner_unwait(spawner, command);
                if (r < 0)
                        spawned_command_fail(command, r, spawn_stage_to_string(SPAWN_STAGE_REQUEST));
        }
}

int spawner_submit(Spawner *spawner, SpawnedCommand *command, SpawnEnvelope *envelope)
{
        int r = -EAGAIN;

        if (spawner->fd >= 0 && list_is_empty(&spawner->waiting))
                r = send_start(spawner, command, envelope);
        if (r < 0 && r != -EAGAIN && r != -EPIPE && r != -ECONNRESET)
                return r;
        if (r < 0) {
                command->envelope = *envelope;
                *envelope = (SpawnEnvelope){};
                list_append(&spawner->waiting, &command->waiting);
                spawner->status.n_waiting++;
                spawner_update_io(spawner);
        }
        list_append(&spawner->commands, &command->commands);
        spawner->status.n_commands++;
        spawner_watch_answers(spawner);
        return 0;
}
