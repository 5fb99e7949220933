/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A stray is an orphan that is to end. It is left alone while the command it belongs to runs, and for good where that
 * one's job says so (KillMode=process). Where nobody can tell whose it is, any command that began before it might
 * be the one.
 */
#include <signal.h>

#include "process/command-table-internal.h"

typedef struct Stray {
        List strays;
        pid_t pid;
        usec_t kill_due;
} Stray;

static void stray_free(Stray *stray)
{
        list_unlink(&stray->strays);
        free(stray);
}

static Stray *find_stray(CommandTable *table, pid_t pid)
{
        Stray *stray;

        list_foreach(stray, &table->strays, Stray, strays)
                if (stray->pid == pid)
                        return stray;
        return NULL;
}

void stray_reaped(CommandTable *table, pid_t pid)
{
        Stray *stray = find_stray(table, pid);

        if (stray)
                stray_free(stray);
}

void strays_forget(CommandTable *table)
{
        Stray *stray;

        while ((stray = list_first(&table->strays, Stray, strays)))
                stray_free(stray);
}

static bool is_spared(CommandTable *table, Orphan *orphan)
{
        const Command *command;

        list_foreach(command, &table->spared, Command, commands)
                if (orphan_belongs(orphan, command))
                        return true;
        list_foreach(command, &table->commands, Command, commands)
                if ((command->flags & SPAWN_KILL_PROCESS) && orphan_belongs(orphan, command))
                        return true;
        return false;
}

/* Of one that waits for its processes, and is to end, those are left that its own signals reach. */
static bool protects(const Command *command, Orphan *orphan)
{
        bool waits = !list_is_empty(&command->waiting);

        if (waits && command->stopping)
                return orphan->stat.group == command->pid && !command->session_over;
        if (orphan_is_in_session(orphan, command))
                return true;
        return (!command->exited || waits) && orphan_may_belong(orphan, command);
}

static bool is_stray(CommandTable *table, Orphan *orphan)
{
        const Command *command;

        if (is_spared(table, orphan))
                return false;
        if (table->shutting_down)
                return true;
        list_foreach(command, &table->commands, Command, commands)
                if (protects(command, orphan))
                        return false;
        return true;
}

static void stray_end(CommandTable *table, pid_t pid, usec_t now)
{
        Stray *stray = new0(Stray, 1);

        if (!stray)
                return; /* the next scan finds it again */
        stray->pid = pid;
        stray->kill_due = usec_add(now, STRAY_KILL_AFTER_USEC);
        list_append(&table->strays, &stray->strays);
        table->kill_due = MIN(table->kill_due, stray->kill_due);
        (void)kill(pid, SIGTERM);
        (void)kill(pid, SIGCONT);
        table->report(&(SpawnReport){ .type = SPAWN_STRAY, .pid = pid }, table->userdata);
}

void strays_scan(CommandTable *table, usec_t now)
{
        table->scan_due = USEC_INFINITY;
        orphans_forget(table);
        if (orphans_look(table) < 0) {
                table->scan_due = usec_add(now, STRAY_SCAN_USEC);
                if (++table->n_failed_looks >= STRAY_SCAN_FAILURES_MAX)
                        command_table_check_left(table);
                return;
        }
        table->n_failed_looks = 0;
        for (size_t i = 0; i < table->n_orphans; i++)
                if (!find_stray(table, table->orphans[i].pid) && is_stray(table, &table->orphans[i]))
                        stray_end(table, table->orphans[i].pid, now);
        command_table_check_left(table);
        orphans_forget(table);
}

bool strays_are_none(CommandTable *table)
{
        bool none = true;

        orphans_forget(table);
        if (orphans_look(table) < 0)
                return false;
        for (size_t i = 0; i < table->n_orphans; i++)
                none = none && is_spared(table, &table->orphans[i]);
        orphans_forget(table);
        return none;
}

void strays_kill_due(CommandTable *table, usec_t now)
{
        Stray *stray;

        list_foreach(stray, &table->strays, Stray, strays) {
                if (stray->kill_due <= now) {
                        (void)kill(stray->pid, SIGKILL);
                        stray->kill_due = USEC_INFINITY;
                }
                table->kill_due = MIN(table->kill_due, stray->kill_due);
        }
}
