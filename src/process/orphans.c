/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Orphans are the children of takt-spawn that are no commands: what a command leaves behind comes to the subreaper. A
 * command owns those of its session, and those that have its mark in their environment, wherever they went. What a live
 * orphan is the parent of goes with it, and comes here when that one ends. They are looked at once for all
 * commands that have ended in a turn, and their environments are read where a mark has to decide.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "process/command-table-internal.h"
#include "process/spawner.h"

/* Of about so many bytes a list of children is looked through at a command's end. */
#define CHILDREN_TEXT_MAX 4096U
/*
 * The kernel hands out whole entries only, so a list that is cut ends by less than an entry before the end of
 * the buffer.
 */
#define CHILDREN_ENTRY_MAX 16U

static void orphans_free(Orphan *orphans, size_t n)
{
        for (size_t i = 0; i < n; i++)
                buffer_deinit(&orphans[i].environment);
        free(orphans);
}

void orphans_forget(CommandTable *table)
{
        orphans_free(table->orphans, table->n_orphans);
        table->orphans = NULL;
        table->n_orphans = 0;
        table->orphans_known = false;
        process_tree_deinit(&table->tree);
}

static bool is_orphan(CommandTable *table, pid_t pid, ProcessStat *ret_stat)
{
        if (*command_find_by_pid(table, pid) || process_stat_read(pid, ret_stat) < 0 || process_stat_is_over(ret_stat))
                return false;
        /* On its way to be a command. */
        return ret_stat->session != table->session && !command_find_launching(table, pid);
}

int orphans_look(CommandTable *table)
{
        _cleanup_free_ pid_t *pids = NULL;
        size_t n;
        int r;

        if (table->orphans_known)
                return 0;
        r = process_tree_list(&table->tree, getpid(), &pids, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                Orphan orphan = { .table = table, .pid = pids[i] };
                Orphan *orphans;

                if (!is_orphan(table, pids[i], &orphan.stat))
                        continue;
                orphans = reallocarray(table->orphans, table->n_orphans + 1, sizeof(*orphans));
                if (!orphans) {
                        orphans_forget(table);
                        return -ENOMEM;
                }
                table->orphans = orphans;
                orphans[table->n_orphans++] = orphan;
        }
        table->orphans_known = true;
        return 0;
}

/* --- those that are being exec'd --- */

static ProcessId id_of(const Orphan *orphan)
{
        return (ProcessId){ .pid = orphan->pid, .start_ticks = orphan->stat.start_ticks };
}

static ExecutedOrphan *find_executed(const Orphan *orphan)
{
        const ProcessId id = id_of(orphan);

        for (size_t i = 0; i < EXECUTED_ORPHANS_MAX; i++)
                if (process_id_equal(&orphan->table->executed[i].id, &id))
                        return &orphan->table->executed[i];
        return NULL;
}

/* One that hangs keeps its place. Another one that is found again after a while has begun another exec. */
static bool is_unused(const ExecutedOrphan *executed, usec_t now)
{
        if (executed->hangs)
                return false;
        return executed->seen == 0 || usec_sub(now, executed->seen) >= PROCESS_EXEC_USEC;
}

static ExecutedOrphan *find_unused(CommandTable *table, usec_t now)
{
        for (size_t i = 0; i < EXECUTED_ORPHANS_MAX; i++)
                if (is_unused(&table->executed[i], now))
                        return &table->executed[i];
        return NULL;
}

/* Those that find no place have one time in common, which goes on for who gets a place later. */
static usec_t crowded_since(CommandTable *table, usec_t now)
{
        table->crowded = true;
        if (table->crowded_since == 0)
                table->crowded_since = now;
        return table->crowded_since;
}

/* ORPHAN is being exec'd: whether that has taken so long already that nothing waits for it any more. */
static bool exec_takes_too_long(const Orphan *orphan)
{
        CommandTable *table = orphan->table;
        usec_t now = clock_boottime(clock_system());
        ExecutedOrphan *executed = find_executed(orphan) ?: find_unused(table, now);

        if (!executed)
                return usec_sub(now, crowded_since(table, now)) >= PROCESS_EXEC_USEC;
        if (is_unused(executed, now))
                *executed = (ExecutedOrphan){ .id = id_of(orphan), .since = table->crowded_since ?: now };
        executed->seen = now;
        executed->hangs = executed->hangs || usec_sub(now, executed->since) >= PROCESS_EXEC_USEC;
        return executed->hangs;
}

static void exec_is_over(const Orphan *orphan)
{
        ExecutedOrphan *executed = find_executed(orphan);

        if (executed && executed->hangs)
                *executed = (ExecutedOrphan){};
}

static bool is_there(const CommandTable *table, const ProcessId *id)
{
        for (size_t i = 0; i < table->n_orphans; i++) {
                const ProcessId orphan = id_of(&table->orphans[i]);

                if (process_id_equal(&orphan, id))
                        return true;
        }
        return false;
}

void orphans_forget_executed(CommandTable *table)
{
        for (size_t i = 0; i < EXECUTED_ORPHANS_MAX; i++)
                if (table->executed[i].seen > 0 && !is_there(table, &table->executed[i].id))
                        table->executed[i] = (ExecutedOrphan){};
        if (!table->crowded)
                table->crowded_since = 0;
        table->crowded = false;
}

/* --- whose they are --- */

/*
 * 0, -errno where it can't be known: of a set-uid program, -EAGAIN while it is being exec'd, -ETIMEDOUT when
 * that lasts.
 */
static int read_environment(Orphan *orphan)
{
        if (!orphan->environment_read) {
                orphan->environment_read = true;
                orphan->environment_error = process_environment_read(orphan->pid, &orphan->environment);
                if (orphan->environment_error != -EAGAIN)
                        exec_is_over(orphan);
                else if (exec_takes_too_long(orphan))
                        orphan->environment_error = -ETIMEDOUT;
        }
        return orphan->environment_error;
}

bool orphan_is_being_executed(Orphan *orphan)
{
        return read_environment(orphan) == -EAGAIN;
}

bool orphan_hangs_in_exec(Orphan *orphan)
{
        return read_environment(orphan) == -ETIMEDOUT;
}

bool orphan_is_in_session(const Orphan *orphan, const Command *command)
{
        return !command->session_over && command->progress.pid > 0 && orphan->stat.session == command->progress.pid;
}

bool orphan_belongs(Orphan *orphan, const Command *command)
{
        int r;

        if (orphan_is_in_session(orphan, command))
                return true;
        if (command->mark[0] == '\0' || command->start_ticks > orphan->stat.start_ticks)
                return false;
        r = read_environment(orphan);
        return r < 0 ? r == -EAGAIN : process_environment_has(&orphan->environment, command->mark);
}

bool orphan_may_belong(Orphan *orphan, const Command *command)
{
        const char *const marks[] = { SPAWN_MARK_RUN, SPAWN_MARK_PROCESS, command->mark };

        if ((command->flags & SPAWN_STARTS_NOTHING) || command->start_ticks > orphan->stat.start_ticks)
                return false;
        if (read_environment(orphan) < 0)
                return true;
        for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
                if (*marks[i] && process_environment_find(&orphan->environment, marks[i]))
                        return false;
        return true;
}

Command *orphan_find_in(Orphan *orphan, List *commands)
{
        Command *command;

        list_foreach(command, commands, Command, commands)
                if (orphan_belongs(orphan, command))
                        return command;
        return NULL;
}

static bool has_owner(Orphan *orphan)
{
        CommandTable *table = orphan->table;

        if (!orphan->owner_looked_for) {
                orphan->owner_looked_for = true;
                orphan->has_owner = orphan_find_in(orphan, &table->over) ||
                        orphan_find_in(orphan, &table->commands) || orphan_find_in(orphan, &table->spared);
        }
        return orphan->has_owner;
}

bool orphan_may_be_spared(Orphan *orphan, const Command *command)
{
        if (orphan_belongs(orphan, command))
                return true;
        return orphan_hangs_in_exec(orphan) && orphan_may_belong(orphan, command) && !has_owner(orphan);
}

/* --- what a command has left --- */

/* Adds the children of PID. */
static size_t add_children(CommandTable *table, pid_t pid, pid_t *all, size_t n)
{
        _cleanup_free_ pid_t *pids = NULL;
        size_t n_pids;

        if (process_tree_list(&table->tree, pid, &pids, &n_pids) < 0)
                return n;
        for (size_t i = 0; i < n_pids && n < SPAWN_LEFT_MAX; i++)
                all[n++] = pids[i];
        return n;
}

int orphans_open(void)
{
        char path[64];

        (void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)gettid());
        return openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
}

/*
 * Where all children are commands there are no orphans. Most commands leave nothing, so this one read is all
 * that their end costs. The kernel gives orphans to the first thread, whose list it is, as long as that
 * lives.
 */
static bool are_none(CommandTable *table)
{
        char text[CHILDREN_TEXT_MAX];
        ssize_t n = table->children_fd >= 0 ? pread(table->children_fd, text, sizeof(text) - 1, 0) : -1;
        char *end;

        if (n < 0 || (size_t)n + CHILDREN_ENTRY_MAX > sizeof(text))
                return false;
        text[n] = '\0';
        for (const char *p = text;; p = end) {
                pid_t pid = (pid_t)strtol(p, &end, 10);

                if (end == p)
                        return true;
                if (!*command_find_by_pid(table, pid) && !command_find_launching(table, pid))
                        return false;
        }
}

unsigned orphans_count(CommandTable *table, const Command *command)
{
        pid_t all[SPAWN_LEFT_MAX];
        size_t n = 0;

        /* Others that have ended in this turn need no look of their own. */
        if (!table->orphans_known)
                table->orphans_known = are_none(table);
        if (orphans_look(table) < 0)
                return 0;
        for (size_t i = 0; i < table->n_orphans && n < SPAWN_LEFT_MAX; i++)
                if (orphan_belongs(&table->orphans[i], command))
                        all[n++] = table->orphans[i].pid;
        for (size_t i = 0; i < n; i++)
                n = add_children(table, all[i], all, n);
        return (unsigned)n;
}

bool orphans_are_any_of(CommandTable *table, Command *command)
{
        bool (*is_of)(Orphan *, const Command *) = command->spared ? orphan_may_be_spared : orphan_belongs;
        bool any = false, in_session = false;

        for (size_t i = 0; i < table->n_orphans; i++) {
                in_session = in_session || orphan_is_in_session(&table->orphans[i], command);
                any = any || is_of(&table->orphans[i], command);
        }
        /* The number is the kernel's to give away again. */
        if (!in_session && kill(-command->pid, 0) < 0 && errno == ESRCH)
                command->session_over = true;
        return any;
}
