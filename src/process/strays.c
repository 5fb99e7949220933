/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A stray is a process that a command has left and that is to end: an orphan, or what descends from one. It
 * is left alone while a command runs that it belongs to or may belong to, and for good where the job says so
 * (KillMode=process).
 *
 * Each stray is asked once, by SIGTERM, and is killed STRAY_KILL_AFTER_USEC later. The record of it says
 * whether it was asked, so nobody is killed for what another process has heard. All that are found in a look
 * are recorded before the first of them is asked: when a parent ends, its children lose the tie to their
 * family.
 *
 * A process that becomes another one again and again would have a time of its own with each. So those that
 * began after their family was asked have STRAY_FAMILY_USEC in common. When that is over, they are stopped,
 * then those that came meanwhile, until nobody new is found, and then killed. Whoever is found later begins a
 * new time. Strays of which nobody can tell whose they are form one family.
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "process/command-table-internal.h"

/* Strays that are known at a time. Others are found when some of these have ended. */
#define STRAYS_MAX 4096U
/* For so long it is looked for those that came while others were stopped; the loop waits for it. */
#define STRAY_LOOKS_USEC (100 * USEC_PER_MSEC)

typedef struct Stray {
        List strays;
        struct Stray *next_in_bucket;
        ProcessId id;
        usec_t asked;  /* 0: not yet */
        usec_t killed; /* 0: not yet */
        bool stopped;  /* and about to be killed */
        bool given_up;
        StrayFamily *family;
} Stray;

/* --- the records --- */

static Stray **find_place(CommandTable *table, pid_t pid)
{
        Stray **p = &table->stray_buckets[(uint32_t)pid % PID_BUCKETS];

        while (*p && (*p)->id.pid != pid)
                p = &(*p)->next_in_bucket;
        return p;
}

static void stray_free(CommandTable *table, Stray *stray)
{
        *find_place(table, stray->id.pid) = stray->next_in_bucket;
        stray->family->n--;
        table->n_strays--;
        list_unlink(&stray->strays);
        free(stray);
}

void stray_reaped(CommandTable *table, pid_t pid)
{
        Stray *stray = *find_place(table, pid);

        if (stray)
                stray_free(table, stray);
}

void strays_forget(CommandTable *table)
{
        Stray *stray;

        while ((stray = list_first(&table->strays, Stray, strays)))
                stray_free(table, stray);
}

static bool is_known(CommandTable *table, const ProcessId *id)
{
        Stray *stray = *find_place(table, id->pid);

        /* It was another process that has ended since. */
        if (stray && stray->id.start_ticks != id->start_ticks) {
                stray_free(table, stray);
                return false;
        }
        return stray;
}

/* True where it was not known. Where there is no room or memory for it, a later look finds it again. */
static bool stray_add(CommandTable *table, const ProcessId *id, StrayFamily *family, usec_t now)
{
        Stray *stray;

        if (is_known(table, id) || table->n_strays == STRAYS_MAX)
                return false;
        stray = new0(Stray, 1);
        if (!stray)
                return false;
        if (family->begun == 0 || stray_family_is_gone(family, now)) {
                family->begun = now;
                family->stopped = 0;
        }
        stray->id = *id;
        stray->family = family;
        family->n++;
        family->seen = now;
        stray->next_in_bucket = NULL;
        *find_place(table, id->pid) = stray;
        table->n_strays++;
        list_append(&table->strays, &stray->strays);
        table->report(&(SpawnReport){ .type = SPAWN_STRAY, .pid = id->pid }, table->userdata);
        return true;
}

/* --- whose they are --- */

static bool is_spared(CommandTable *table, Orphan *orphan)
{
        const Command *command;

        list_foreach(command, &table->spared, Command, commands)
                if (orphan_may_be_spared(orphan, command))
                        return true;
        list_foreach(command, &table->commands, Command, commands)
                if ((command->flags & SPAWN_KILL_PROCESS) && orphan_may_be_spared(orphan, command))
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
        return (!command->exited || waits) && orphan_belongs(orphan, command);
}

/*
 * Nobody can tell whose it is: so it may be that of each command that ran when it began, and has not ended.
 */
static bool may_be_of_any(CommandTable *table, Orphan *orphan)
{
        Command *command;

        if (orphan_find_in(orphan, &table->over) || orphan_find_in(orphan, &table->commands))
                return false;
        list_foreach(command, &table->commands, Command, commands) {
                bool goes_on = !command->exited || (!list_is_empty(&command->waiting) && !command->stopping);

                if (goes_on && orphan_may_belong(orphan, command))
                        return true;
        }
        return false;
}

static bool is_stray(CommandTable *table, Orphan *orphan)
{
        const Command *command;

        if (orphan_is_being_executed(orphan)) {
                /* In a moment it can be told whose it is. */
                table->undecided = true;
                command_table_schedule_scan(table, STRAY_SCAN_SOON_USEC);
                return false;
        }
        if (is_spared(table, orphan)) {
                /* Once its program can be read it tells whose it is. Nothing else brings the next look. */
                if (orphan_hangs_in_exec(orphan))
                        command_table_schedule_scan(table, STRAY_SCAN_USEC);
                return false;
        }
        if (table->shutting_down)
                return true;
        list_foreach(command, &table->commands, Command, commands)
                if (protects(command, orphan))
                        return false;
        return !may_be_of_any(table, orphan);
}

static StrayFamily *find_family(CommandTable *table, Orphan *orphan)
{
        Command *command = orphan_find_in(orphan, &table->over) ?: orphan_find_in(orphan, &table->commands);

        return command ? &command->family : &table->unowned;
}

/* --- finding them --- */

static bool add_orphans(CommandTable *table, usec_t now)
{
        bool any = false;

        for (size_t i = 0; i < table->n_orphans; i++) {
                Orphan *orphan = &table->orphans[i];
                const ProcessId id = { .pid = orphan->pid, .start_ticks = orphan->stat.start_ticks };

                if (!is_known(table, &id) && is_stray(table, orphan))
                        any = stray_add(table, &id, find_family(table, orphan), now) || any;
        }
        return any;
}

static bool add_children(CommandTable *table, const Stray *stray, usec_t now)
{
        _cleanup_free_ ProcessId *ids = NULL;
        bool any = false;
        size_t n;

        if (process_tree_children(&table->tree, &stray->id, &ids, &n) < 0)
                return false;
        for (size_t i = 0; i < n; i++)
                any = stray_add(table, &ids[i], stray->family, now) || any;
        return any;
}

static void forget_ended(CommandTable *table, usec_t now)
{
        Stray *stray;

        list_foreach(stray, &table->strays, Stray, strays) {
                ProcessStat stat;

                if (process_stat_read(stray->id.pid, &stat) < 0 || stat.start_ticks != stray->id.start_ticks ||
                    process_stat_is_over(&stat))
                        stray_free(table, stray);
                else
                        stray->family->seen = now;
        }
}

/* Takes up all that there are. Whether any was not known; -errno. */
static int look(CommandTable *table, usec_t now)
{
        bool any;
        int r;

        /* One that ends from here on is known still, and is not taken for a new one where it is found. */
        forget_ended(table, now);
        orphans_forget(table);
        table->undecided = false;
        r = orphans_look(table);
        if (r < 0)
                return r;
        orphans_forget_executed(table);
        any = add_orphans(table, now);
        /* What is added on the way comes to its turn. */
        for (List *l = table->strays.next; l != &table->strays; l = l->next)
                any = add_children(table, container_of(l, Stray, strays), now) || any;
        return any;
}

/* --- asking and killing them --- */

static usec_t family_due(const StrayFamily *family)
{
        return family->begun == 0 ? USEC_INFINITY : usec_add(family->begun, STRAY_FAMILY_USEC);
}

/* Whether it may have been made in order to gain time. */
static bool is_late(const Stray *stray)
{
        return stray->family->begun > 0 && stray->id.start_ticks > process_ticks_at(stray->family->begun);
}

static usec_t stray_due(const Stray *stray)
{
        usec_t due = stray->asked == 0 ? USEC_INFINITY : usec_add(stray->asked, STRAY_KILL_AFTER_USEC);

        if (stray->killed > 0)
                return USEC_INFINITY;
        return is_late(stray) ? MIN(due, family_due(stray->family)) : due;
}

/*
 * Another user's process can't be asked. Its time begins as well, as it ends with that what is waited for it.
 */
static bool was_sent(int r)
{
        return r >= 0 || r == -EPERM;
}

static void ask(CommandTable *table, usec_t now)
{
        Stray *stray;

        list_foreach(stray, &table->strays, Stray, strays) {
                if (stray->asked == 0 && stray->killed == 0 && stray_due(stray) > now && was_sent(process_signal(&stray->id, SIGTERM))) {
                        stray->asked = now;
                        /* What is stopped can't heed a signal. */
                        (void)process_signal(&stray->id, SIGCONT);
                }
                table->kill_due = MIN(table->kill_due, stray_due(stray));
        }
}

static bool is_over(const StrayFamily *family, usec_t now)
{
        return family_due(family) <= now;
}

/* Stops those that have used up the time of their family, in look number I. Whether any is stopped now. */
static bool stop_late(CommandTable *table, unsigned i, usec_t now)
{
        bool any = false;
        Stray *stray;

        list_foreach(stray, &table->strays, Stray, strays) {
                if (stray->killed > 0 || !is_late(stray) || !is_over(stray->family, now))
                        continue;
                any = true;
                if (stray->stopped)
                        continue;
                (void)process_signal(&stray->id, SIGSTOP);
                stray->stopped = true;
                stray->family->stopped = i;
        }
        return any;
}

static bool is_quiet(const StrayFamily *family, unsigned n_looks)
{
        return family->stopped == 0 || n_looks - family->stopped >= UNSEEN_LOOKS;
}

static bool are_quiet(CommandTable *table, unsigned n_looks)
{
        const Stray *stray;

        list_foreach(stray, &table->strays, Stray, strays)
                if (!is_quiet(stray->family, n_looks))
                        return false;
        return true;
}

/* Until several looks in a row found nobody new. How many looks that took, for begin_anew(). */
static unsigned stop_all_late(CommandTable *table, usec_t now)
{
        usec_t until = usec_add(clock_boottime(clock_system()), STRAY_LOOKS_USEC);
        unsigned n_looks = 0;
        bool any;

        do {
                if (look(table, now) < 0)
                        break;
                any = stop_late(table, ++n_looks, now);
        } while ((any ? !are_quiet(table, n_looks) : n_looks < UNSEEN_LOOKS) &&
                 clock_boottime(clock_system()) < until);
        return n_looks;
}

static void kill_due(CommandTable *table, usec_t now)
{
        Stray *stray;

        list_foreach(stray, &table->strays, Stray, strays) {
                if (!stray->stopped && stray_due(stray) > now)
                        continue;
                if (was_sent(process_signal(&stray->id, SIGKILL)))
                        stray->killed = now;
                stray->stopped = false;
        }
}

/* A family of which all that were late are killed has time again; another one has been stopped in part. */
static void family_begin_anew(StrayFamily *family, unsigned n_looks, usec_t now)
{
        if (is_over(family, now) && is_quiet(family, n_looks) && n_looks >= UNSEEN_LOOKS)
                family->begun = 0;
}

static void begin_anew(CommandTable *table, unsigned n_looks, usec_t now)
{
        Stray *stray;

        /* One that was being exec'd may be of any family. */
        if (!table->undecided) {
                list_foreach(stray, &table->strays, Stray, strays)
                        family_begin_anew(stray->family, n_looks, now);
                family_begin_anew(&table->unowned, n_looks, now);
        }
        list_foreach(stray, &table->strays, Stray, strays)
                stray->family->stopped = 0;
        table->unowned.stopped = 0;
}

static usec_t next_due(CommandTable *table)
{
        usec_t next = family_due(&table->unowned);
        const Stray *stray;

        list_foreach(stray, &table->strays, Stray, strays)
                next = MIN(next, MIN(stray_due(stray), family_due(stray->family)));
        return next;
}

void strays_kill_due(CommandTable *table, usec_t now)
{
        usec_t next = next_due(table);

        if (next <= now) {
                /* Who is found now, and has time, is asked before its parent is killed. */
                unsigned n_looks = stop_all_late(table, now);

                ask(table, now);
                kill_due(table, now);
                if (n_looks > 0)
                        begin_anew(table, n_looks, now);
                orphans_forget(table);
                next = next_due(table);
                /* Of those that could not be reached now. */
                if (next <= now)
                        next = usec_add(now, STRAY_SCAN_SOON_USEC);
        }
        table->kill_due = MIN(table->kill_due, next);
}

/* --- the end of it --- */

bool stray_family_is_gone(const StrayFamily *family, usec_t now)
{
        return family->n == 0 && usec_sub(now, family->seen) >= STRAY_REMEMBER_USEC;
}

static void give_up_family(CommandTable *table, StrayFamily *family, const char *whose, usec_t now)
{
        size_t n = 0;
        Stray *stray;

        list_foreach(stray, &table->strays, Stray, strays)
                if (stray->family == family && !stray->given_up && stray->killed > 0 && now >= usec_add(stray->killed, STRAY_GIVE_UP_USEC)) {
                        stray->given_up = true;
                        n++;
                }
        if (n == 0 || family->given_up)
                return;
        family->given_up = true;
        (void)dprintf(STDERR_FILENO, "takt-spawn: what %s left is still there %llu s after SIGKILL (processes: %zu); nobody waits for it any more\n",
                      *whose ? whose : "some command", (unsigned long long)(STRAY_GIVE_UP_USEC / USEC_PER_SEC), n);
}

static void give_up(CommandTable *table, usec_t now)
{
        Command *command;

        list_foreach(command, &table->over, Command, commands)
                if (command->family.n > 0)
                        give_up_family(table, &command->family, command->mark, now);
        list_foreach(command, &table->commands, Command, commands)
                if (command->family.n > 0)
                        give_up_family(table, &command->family, command->mark, now);
        if (table->unowned.n > 0)
                give_up_family(table, &table->unowned, "", now);
}

/* Strays of anybody come into this family, so its time ends with the last of them. */
static void check_unowned(CommandTable *table)
{
        StrayFamily *family = &table->unowned;

        family->unseen = family->n > 0 ? 0 : family->unseen + 1;
        if (family->unseen >= UNSEEN_LOOKS)
                *family = (StrayFamily){};
        else if (family->begun > 0 && family->n == 0)
                command_table_schedule_scan(table, STRAY_SCAN_SOON_USEC);
}

void strays_scan(CommandTable *table, usec_t now)
{
        table->scan_due = USEC_INFINITY;
        if (look(table, now) < 0) {
                table->scan_due = usec_add(now, STRAY_SCAN_USEC);
                if (++table->n_failed_looks >= STRAY_SCAN_FAILURES_MAX)
                        command_table_check_left(table, now);
                return;
        }
        table->n_failed_looks = 0;
        ask(table, now);
        give_up(table, now);
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
                none = none && !orphan_is_being_executed(&table->orphans[i]) && is_spared(table, &table->orphans[i]);
        orphans_forget(table);
        return none;
}
