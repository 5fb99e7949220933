/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A stray is a child of takt-spawn that is no command: an orphan that came to the subreaper. It is
 * left alone while the command it belongs to runs. Which one that is says its session, or where it
 * made one of its own, the mark in its environment; an older command without a mark might be the one.
 */
#include <signal.h>

#include "process/children.h"
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

static bool may_belong_to(const ProcessStat *stat, pid_t pid, const Command *command)
{
        if (stat->session == command->pid)
                return true;
        if (command->exited || stat->session != pid || command->start_ticks > stat->start_ticks)
                return false;
        return command->mark[0] == '\0' || process_has_environment(pid, command->mark) != 0;
}

static bool is_stray(CommandTable *table, pid_t pid)
{
        const Command *command;
        ProcessStat stat;

        if (*command_find_by_pid(table, pid) || process_stat_read(pid, &stat) < 0 || stat.state == 'Z')
                return false;
        /* On its way to be a command. */
        if (stat.session == table->session || command_find_launching(table, pid))
                return false;
        if (table->shutting_down)
                return true;
        list_foreach(command, &table->commands, Command, commands)
                if (may_belong_to(&stat, pid, command))
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
        _cleanup_free_ pid_t *pids = NULL;
        size_t n;

        table->scan_due = USEC_INFINITY;
        if (children_list(&pids, &n) < 0) {
                table->scan_due = usec_add(now, STRAY_SCAN_USEC);
                return;
        }
        for (size_t i = 0; i < n; i++)
                if (!find_stray(table, pids[i]) && is_stray(table, pids[i]))
                        stray_end(table, pids[i], now);
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
