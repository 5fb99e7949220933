/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A stray is an orphan that is to end. It is left alone while the command it belongs to runs, and for good where that
 * one's job says so (KillMode=process). Where nobody can tell whose it is, any command that began before it might
 * be the one.
 *
 * It gets a signal, and SIGKILL a while later: after its family's first. A process that becomes another one again and again
 * would have that time anew with each, and never die. When the time is over, all that are left are stopped, then those that
 * came meanwhile, until none comes any more; and then they are killed.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "process/command-table-internal.h"

/* Processes that are stopped, and then killed, at a time; and for how long it is looked for those that came meanwhile. */
#define STRAYS_A_TURN 4096U
#define STRAY_LOOKS_USEC (100 * USEC_PER_MSEC)

typedef struct Stray {
        List strays;
        pid_t pid;
        bool killed;
        StrayFamily *family;
} Stray;

static void stray_free(Stray *stray)
{
        stray->family->n--;
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

static StrayFamily *find_in(List *commands, Orphan *orphan)
{
        Command *command;

        list_foreach(command, commands, Command, commands)
                if (orphan_belongs(orphan, command))
                        return &command->family;
        return NULL;
}

static StrayFamily *find_family(CommandTable *table, Orphan *orphan)
{
        return find_in(&table->over, orphan) ?: find_in(&table->commands, orphan) ?: &table->unowned;
}

static usec_t kill_due(const StrayFamily *family)
{
        return usec_add(family->asked, STRAY_KILL_AFTER_USEC);
}

/*
 * Each process is asked once, as the second time makes some end in a hurry: who comes later, and was there when its family
 * was asked, was the child of another one then. Of the strays that are nobody's that is not known, and none asked but the
 * orphan itself.
 */
static void stray_ask(CommandTable *table, const Stray *stray, const Orphan *orphan, usec_t now)
{
        ProcessSet set = { .max = stray->family == &table->unowned ? 1 : STRAYS_A_TURN };

        if (set.max > 1 && stray->family->asked != now && orphan->stat.start_ticks < process_ticks_at(stray->family->asked))
                return;
        /* All are found before the first one is asked: whose parent has ended by then would be found no more. */
        (void)process_set_add(&set, stray->pid, 0);
        process_set_signal(&set, SIGTERM);
        process_set_end(&set, SIGCONT);
}

static void stray_end(CommandTable *table, Orphan *orphan, usec_t now)
{
        Stray *stray = new0(Stray, 1);

        if (!stray)
                return; /* the next scan finds it again */
        stray->pid = orphan->pid;
        stray->family = find_family(table, orphan);
        stray->family->n++;
        if (stray->family->asked == 0)
                stray->family->asked = now;
        list_append(&table->strays, &stray->strays);
        table->kill_due = MIN(table->kill_due, kill_due(stray->family));
        if (kill_due(stray->family) > now)
                stray_ask(table, stray, orphan, now);
        table->report(&(SpawnReport){ .type = SPAWN_STRAY, .pid = stray->pid }, table->userdata);
}

/* Takes up the orphans that are to end. After orphans_look(). */
static void find_strays(CommandTable *table, usec_t now)
{
        Stray *stray;

        for (size_t i = 0; i < table->n_orphans; i++)
                if (!find_stray(table, table->orphans[i].pid) && is_stray(table, &table->orphans[i]))
                        stray_end(table, &table->orphans[i], now);
        list_foreach(stray, &table->strays, Stray, strays)
                stray->family->seen = now;
}

bool stray_family_is_gone(const StrayFamily *family, usec_t now)
{
        return family->n == 0 && usec_sub(now, family->seen) >= STRAY_REMEMBER_USEC;
}

static void give_up(StrayFamily *family, const char *whose, usec_t now)
{
        if (family->given_up || family->n == 0 || now < usec_add(kill_due(family), STRAY_GIVE_UP_USEC))
                return;
        family->given_up = true;
        (void)dprintf(STDERR_FILENO, "takt-spawn: what %s left is still there %llu s after SIGKILL (processes: %zu); nobody waits for it any more\n",
                      *whose ? whose : "some command", (unsigned long long)(STRAY_GIVE_UP_USEC / USEC_PER_SEC), family->n);
}

static void give_up_families(CommandTable *table, usec_t now)
{
        Command *command;

        list_foreach(command, &table->over, Command, commands)
                give_up(&command->family, command->mark, now);
        list_foreach(command, &table->waiting, Command, waiting)
                give_up(&command->family, command->mark, now);
        give_up(&table->unowned, "", now);
}

/* Anybody's strays come into this family, and have no time of their own as long as it goes on: so it ends with the last. */
static void check_unowned(CommandTable *table)
{
        StrayFamily *family = &table->unowned;

        family->unseen = family->n > 0 ? 0 : family->unseen + 1;
        if (family->unseen >= UNSEEN_LOOKS)
                *family = (StrayFamily){};
        else if (family->asked > 0 && family->n == 0)
                command_table_schedule_scan(table, STRAY_SCAN_SOON_USEC);
}

void strays_scan(CommandTable *table, usec_t now)
{
        table->scan_due = USEC_INFINITY;
        orphans_forget(table);
        if (orphans_look(table) < 0) {
                table->scan_due = usec_add(now, STRAY_SCAN_USEC);
                if (++table->n_failed_looks >= STRAY_SCAN_FAILURES_MAX)
                        command_table_check_left(table, now);
                return;
        }
        table->n_failed_looks = 0;
        find_strays(table, now);
        give_up_families(table, now);
        check_unowned(table);
        command_table_check_left(table, now);
        orphans_forget(table);
        if (!list_is_empty(&table->strays))
                command_table_schedule_scan(table, STRAY_SCAN_USEC);
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

/* Stops those whose time is over and that were not killed. Whether there were any new ones. */
static bool stop_due(CommandTable *table, ProcessSet *set, usec_t now)
{
        bool any = false;
        Stray *stray;

        list_foreach(stray, &table->strays, Stray, strays) {
                if (stray->killed || kill_due(stray->family) > now)
                        continue;
                stray->killed = process_set_add(set, stray->pid, SIGSTOP);
                any = any || stray->killed;
        }
        return any;
}

void strays_kill_due(CommandTable *table, usec_t now)
{
        usec_t until = usec_add(clock_boottime(clock_system()), STRAY_LOOKS_USEC);
        ProcessSet set = { .max = STRAYS_A_TURN };
        Stray *stray;

        while (stop_due(table, &set, now) && clock_boottime(clock_system()) < until) {
                orphans_forget(table);
                if (orphans_look(table) < 0)
                        break;
                find_strays(table, now);
        }
        orphans_forget(table);
        process_set_end(&set, SIGKILL);
        list_foreach(stray, &table->strays, Stray, strays)
                if (!stray->killed)
                        table->kill_due = MIN(table->kill_due, kill_due(stray->family));
}
