/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is kept for a taktd to come: of each command that asks for it the note of its owner, the ends of
 * its pipes, so that nobody who writes into them dies of it, and its exit. A command's owner frees that
 * by SPAWN_DONE, or by using the slot again, so that no more is kept than there are slots in use.
 */
#include "base/file.h"
#include "process/command-table-internal.h"

static void kept_free(CommandTable *table, uint32_t slot)
{
        Kept *kept = table->kept[slot];

        if (!kept)
                return;
        safe_close(kept->output);
        safe_close(kept->error_output);
        safe_close(kept->captured);
        free(kept);
        table->kept[slot] = NULL;
}

void kept_free_all(CommandTable *table)
{
        for (uint32_t i = 0; i < SPAWN_MAX_SLOTS; i++)
                kept_free(table, i);
}

static Kept *kept_find(CommandTable *table, uint32_t slot, uint32_t serial)
{
        Kept *kept = slot < SPAWN_MAX_SLOTS ? table->kept[slot] : NULL;

        return kept && kept->report.serial == serial ? kept : NULL;
}

int command_table_keep(CommandTable *table, const SpawnStart *start, const SpawnPayload *payload, int *output, int *error_output)
{
        uint32_t slot = start->header.slot;
        size_t note_size = strlen(payload->note) + 1;
        Kept *kept;

        kept_free(table, slot);
        if (!(start->flags & SPAWN_KEEP))
                return 0;
        kept = calloc(1, sizeof(Kept) + note_size);
        if (!kept)
                return -ENOMEM;
        kept->report = (SpawnReport){ .type = SPAWN_HELD, .slot = slot, .serial = start->header.serial };
        kept->output = TAKE_FD(*output);
        kept->error_output = TAKE_FD(*error_output);
        kept->captured = -1;
        memcpy(kept->note, payload->note, note_size);
        table->kept[slot] = kept;
        return 0;
}

void command_table_captured(CommandTable *table, const SpawnHeader *header, int *fd)
{
        Kept *kept = kept_find(table, header->slot, header->serial);

        if (!kept)
                return;
        safe_close(kept->captured);
        kept->captured = TAKE_FD(*fd);
}

void command_table_done(CommandTable *table, const SpawnName *name)
{
        if (kept_find(table, name->slot, name->serial))
                kept_free(table, name->slot);
}

void kept_note_report(CommandTable *table, const SpawnReport *report)
{
        Kept *kept = kept_find(table, report->slot, report->serial);

        if (!kept)
                return;
        if (report->type == SPAWN_EXITED) {
                kept->report = *report;
                kept->report.type = SPAWN_HELD;
                kept->report.flags |= SPAWN_HELD_EXITED;
        } else if (report->type == SPAWN_GONE) {
                kept->report.flags &= ~(uint32_t)SPAWN_GROUP_LEFT;
        } else {
                kept->report.pid = report->pid;
        }
}

static int tell_kept(const CommandTable *table, const Kept *kept, CommandTell tell, void *userdata)
{
        const Command *command = table->slots[kept->report.slot];
        const int fds[] = { kept->output, kept->error_output, kept->captured };
        static const uint32_t flags[] = { SPAWN_HELD_OUTPUT, SPAWN_HELD_ERROR, SPAWN_HELD_CAPTURED };
        SpawnReport report = kept->report;
        int present[ARRAY_SIZE(fds)];
        unsigned n = 0;

        for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
                if (fds[i] < 0)
                        continue;
                present[n++] = fds[i];
                report.flags |= flags[i];
        }
        if (command && report.pid == 0)
                report.pid = command->progress.pid;
        if (command && command->stopping)
                report.flags |= SPAWN_HELD_STOPPING;
        return tell(&report, kept->note, present, n, userdata);
}

/* Ends one that the next taktd can't go on with. It is told of that, as it may wait for the end. */
static int end_unkept(CommandTable *table, Command *command, CommandTell tell, void *userdata)
{
        const SpawnReport held = {
                .type = SPAWN_HELD, .slot = command->header.slot, .serial = command->header.serial, .pid = command->progress.pid,
                .flags = SPAWN_HELD_STOPPING,
        };

        if (!command->stopping)
                command_stop(table, command);
        return table->slots[held.slot] ? tell(&held, "", NULL, 0, userdata) : 0;
}

int command_table_list(CommandTable *table, CommandTell tell, void *userdata)
{
        int r = 0;

        for (uint32_t i = 0; i < SPAWN_MAX_SLOTS && r >= 0; i++) {
                Command *command = table->slots[i];

                if (command && !kept_find(table, i, command->header.serial))
                        r = end_unkept(table, command, tell, userdata);
                if (r >= 0 && table->kept[i])
                        r = tell_kept(table, table->kept[i], tell, userdata);
        }
        return r;
}
