/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A command is a record from its fork until its process group is empty. Its process number names the
 * process, its group and its session, and can't be given away by the kernel while any of them lives,
 * so signals to -PID are safe as long as the group was seen alive.
 *
 * Where a command goes on until the last process that belongs to it has ended (SPAWN_EXIT_CGROUP), its exit is noted, and
 * told when orphans.c finds none. Where what it leaves is let be (SPAWN_KILL_PROCESS), the record stays for as long as
 * there is any, so that strays.c spares it.
 */
#include "process/command-table-internal.h"

#include <assert.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

/* Commands that are reaped before their ends are told. */
#define REAP_MAX 64U
/*
 * From so many spared commands on, those that have left nothing are not kept for as long as a usual look
 * takes to come.
 */
#define SPARED_MANY (SPAWN_SPARED_MAX / 2)

int command_table_new(CommandReport report, void *userdata, CommandTable **ret)
{
        _cleanup_(command_table_freep) CommandTable *table = new0(CommandTable, 1);

        if (!table)
                return -ENOMEM;
        table->report = report;
        table->userdata = userdata;
        table->session = getsid(0);
        table->children_fd = orphans_open();
        table->scan_due = table->kill_due = table->poll_due = USEC_INFINITY;
        list_init(&table->commands);
        list_init(&table->launching);
        list_init(&table->unreported);
        list_init(&table->killing);
        list_init(&table->lingering);
        list_init(&table->waiting);
        list_init(&table->spared);
        list_init(&table->over);
        list_init(&table->strays);
        *ret = TAKE_PTR(table);
        return 0;
}

Command **command_find_by_pid(CommandTable *table, pid_t pid)
{
        Command **p = &table->buckets[(uint32_t)pid % PID_BUCKETS];

        while (*p && (*p)->pid != pid)
                p = &(*p)->next_in_bucket;
        return p;
}

static Command *find_by_header(CommandTable *table, const SpawnHeader *header)
{
        Command *command = table->slots[header->slot];

        return command && command->header.serial == header->serial ? command : NULL;
}

/* The number may be another command's one day. */
static void forget_pid(CommandTable *table, Command *command)
{
        Command **p = command_find_by_pid(table, command->pid);

        if (*p == command)
                *p = command->next_in_bucket;
}

/* Takes it out of all but the table's list. */
static void command_detach(CommandTable *table, Command *command)
{
        forget_pid(table, command);
        if (table->slots[command->header.slot] == command)
                table->slots[command->header.slot] = NULL;
        list_unlink(&command->launching);
        list_unlink(&command->unreported);
        list_unlink(&command->killing);
        list_unlink(&command->lingering);
        list_unlink(&command->waiting);
}

static void command_free(CommandTable *table, Command *command)
{
        assert(command->family.n == 0);
        command_detach(table, command);
        list_unlink(&command->commands);
        table->n_commands--;
        free(command);
}

/* One that was moved. */
static void command_forget(CommandTable *table, Command *command)
{
        assert(command->family.n == 0);
        list_unlink(&command->commands);
        table->n_spared -= command->spared;
        free(command);
}

/* Its slot is free, and it is one of LIST now: nobody asks for it but who finds what it left. */
static void command_move(CommandTable *table, Command *command, List *list)
{
        command_detach(table, command);
        list_unlink(&command->commands);
        list_append(list, &command->commands);
        table->n_commands--;
}

/* The LEFT processes that were seen of it are let be. */
static void command_spare(CommandTable *table, Command *command, unsigned left)
{
        command_move(table, command, &table->spared);
        command->spared = true;
        table->n_spared++;
        command_table_schedule_scan(table, left == 0 && table->n_spared > SPARED_MANY ? STRAY_SCAN_SOON_USEC : STRAY_SCAN_USEC);
}

CommandTable *command_table_free(CommandTable *table)
{
        Command *command;

        if (!table)
                return NULL;
        orphans_forget(table);
        strays_forget(table);
        while ((command = list_first(&table->commands, Command, commands)))
                command_free(table, command);
        while ((command = list_first(&table->spared, Command, commands)))
                command_forget(table, command);
        while ((command = list_first(&table->over, Command, commands)))
                command_forget(table, command);
        kept_free_all(table);
        safe_close(table->children_fd);
        free(table);
        return NULL;
}

static void tell(CommandTable *table, const SpawnReport *report)
{
        kept_note_report(table, report);
        table->report(report, table->userdata);
}

static void command_over(CommandTable *table, Command *command, unsigned left);

static void report(CommandTable *table, const Command *command, SpawnReportType type)
{
        tell(table, &(SpawnReport){
                        .type = type,
                        .slot = command->header.slot,
                        .serial = command->header.serial,
                        .pid = command->progress.pid,
        });
}

void command_table_refuse(CommandTable *table, const SpawnHeader *header, SpawnStage stage, int error)
{
        tell(table, &(SpawnReport){
                        .type = SPAWN_EXITED,
                        .slot = header->slot,
                        .serial = header->serial,
                        .stage = stage,
                        .error = -error,
        });
}

/* --- ending --- */

static void command_kill(Command *command, int signo)
{
        pid_t pid = command->progress.pid;

        if (command->reaped || command->session_over)
                return;
        if (pid == 0) {
                if (signo != SIGCONT)
                        command->signal = signo;
                return;
        }
        /* A child that has not come as far as its own session is still reached by its number alone. */
        if (kill(-pid, signo) < 0 && errno == ESRCH && !command->exited)
                (void)kill(pid, signo);
}

/* Whether SIGNO, which is to end it, is for the main process alone. */
static bool is_for_main(const Command *command, int signo)
{
        return (command->flags & SPAWN_KILL_PROCESS) || ((command->flags & SPAWN_KILL_MIXED) && signo != SIGKILL);
}

static void command_end_by(Command *command, int signo)
{
        if (!is_for_main(command, signo) || command->progress.pid == 0)
                command_kill(command, signo);
        else if (!command->exited && !command->reaped)
                (void)kill(command->progress.pid, signo);
}

void command_table_signal(CommandTable *table, const SpawnHeader *header)
{
        Command *command = find_by_header(table, header);

        if (command)
                command_kill(command, header->argument);
}

static void command_kill_after(CommandTable *table, Command *command, usec_t after)
{
        if (after == USEC_INFINITY)
                return;
        command->kill_due = usec_add(clock_boottime(clock_system()), after);
        list_unlink(&command->killing);
        list_append(&table->killing, &command->killing);
        table->kill_due = MIN(table->kill_due, command->kill_due);
}

void command_stop(CommandTable *table, Command *command)
{
        command->stopping = true;
        /* Who is asked first has gone. */
        if (command->exited && (command->flags & SPAWN_KILL_PROCESS)) {
                command_over(table, command, orphans_count(table, command));
                orphans_forget(table);
                return;
        }
        if (!list_is_empty(&command->waiting))
                command_table_schedule_scan(table, 0);
        if (command->kill_after == 0 || (command->exited && (command->flags & SPAWN_KILL_MIXED))) {
                command_end_by(command, SIGKILL);
                return;
        }
        command_end_by(command, command->kill_signal);
        /* What is stopped can't heed a signal. */
        command_end_by(command, SIGCONT);
        command_kill_after(table, command, command->kill_after);
}

/* SIGKILL comes after MAX at the latest. */
static void stop_within(CommandTable *table, Command *command, usec_t max)
{
        usec_t due = usec_add(clock_boottime(clock_system()), max);
        bool is_earlier = list_is_empty(&command->killing) || command->kill_due > due;

        command->kill_after = MIN(command->kill_after, max);
        if (!command->stopping)
                command_stop(table, command);
        else if (command->kill_after > 0 && !command->killed && is_earlier)
                command_kill_after(table, command, max);
}

void command_table_stop(CommandTable *table, const SpawnHeader *header)
{
        Command *command = find_by_header(table, header);
        usec_t max = header->argument > 0 ? (usec_t)header->argument * USEC_PER_MSEC : USEC_INFINITY;

        if (command)
                stop_within(table, command, max);
}

void command_table_schedule_scan(CommandTable *table, usec_t after)
{
        table->scan_due = MIN(table->scan_due, usec_add(clock_boottime(clock_system()), after));
}

static usec_t timeval_to_usec(const struct timeval *tv)
{
        return (usec_t)tv->tv_sec * USEC_PER_SEC + (usec_t)tv->tv_usec;
}

/* Tells its exit. LEFT processes that belong to it are still there. */
static void command_over(CommandTable *table, Command *command, unsigned left)
{
        bool spare = command->flags & SPAWN_KILL_PROCESS;
        int status = command->wait_status;
        SpawnReport exit = {
                .type = SPAWN_EXITED,
                .slot = command->header.slot,
                .serial = command->header.serial,
                .pid = command->pid,
                .stage = command->progress.stage,
                .error = command->progress.error,
                .code = WIFEXITED(status) ? CLD_EXITED : WCOREDUMP(status) ? CLD_DUMPED : CLD_KILLED,
                .status = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status),
                .user_usec = timeval_to_usec(&command->usage.ru_utime),
                .system_usec = timeval_to_usec(&command->usage.ru_stime),
                .max_resident = (uint64_t)command->usage.ru_maxrss * 1024,
                /* Of one that was told to end they are ending. */
                .left = command->stopping && !spare ? 0 : left,
        };
        /* EPERM: it is there, under another user. */
        bool group_left = !command->session_over && (kill(-command->pid, 0) == 0 || errno != ESRCH);

        if (group_left && !spare)
                exit.flags |= SPAWN_GROUP_LEFT;
        if (command->killed)
                exit.flags |= SPAWN_KILLED;
        tell(table, &exit);

        command_table_schedule_scan(table, group_left || left > 0 || command->stopping ? STRAY_SCAN_SOON_USEC : STRAY_SCAN_USEC);
        if (spare && command->progress.stage == SPAWN_STAGE_NONE) {
                command_spare(table, command, left);
        } else if (!group_left) {
                command_move(table, command, &table->over);
        } else {
                list_unlink(&command->unreported);
                list_unlink(&command->waiting);
                list_append(&table->lingering, &command->lingering);
                table->poll_due = MIN(table->poll_due, usec_add(clock_boottime(clock_system()), GROUP_POLL_USEC));
        }
}

/* Whether it goes on until these LEFT processes have ended. A single look that finds none may have missed some. */
static bool waits_for(const Command *command, unsigned left)
{
        return (left > 0 || !command->stopping) && (command->flags & SPAWN_EXIT_CGROUP) && command->progress.stage == SPAWN_STAGE_NONE &&
                !(command->stopping && (command->flags & SPAWN_KILL_PROCESS));
}

/*
 * How many processes COMMAND left. To look for them takes the longer the more commands there are: among very many, only
 * those are looked for on which something hangs. The others are found and ended by the next scan, and not counted.
 */
static unsigned count_left(CommandTable *table, const Command *command)
{
        bool matters = command->flags & (SPAWN_EXIT_CGROUP | SPAWN_KILL_PROCESS);

        return matters || table->n_commands <= COUNT_LEFT_COMMANDS_MAX ? orphans_count(table, command) : 0;
}

/* STATUS and USAGE are in it already. */
static void command_exited(CommandTable *table, Command *command)
{
        unsigned left = count_left(table, command);

        command->exited = true;
        command->reaped = false;
        /*
         * What it leaves has the same time, however long others have been told to end that had left it
         * before.
         */
        command->family.begun = 0;
        if (!waits_for(command, left)) {
                command_over(table, command, left);
                return;
        }
        forget_pid(table, command);
        list_append(&table->waiting, &command->waiting);
        if (command->stopping && (command->flags & SPAWN_KILL_MIXED))
                command_end_by(command, SIGKILL);
        command_table_schedule_scan(table, STRAY_SCAN_SOON_USEC);
}

static bool is_unseen(CommandTable *table, Command *command)
{
        command->unseen = orphans_are_any_of(table, command) ? 0 : command->unseen + 1;
        if (command->unseen == 0)
                return false;
        if (command->unseen < UNSEEN_LOOKS)
                command_table_schedule_scan(table, STRAY_SCAN_SOON_USEC);
        return command->unseen >= UNSEEN_LOOKS;
}

/* One that left nothing is forgotten at the first look, among these perhaps hundreds. */
static bool may_be_forgotten(CommandTable *table, Command *command, usec_t now)
{
        if (command->family.seen == 0)
                return true;
        (void)orphans_are_any_of(table, command);
        return stray_family_is_gone(&command->family, now);
}

static void forget_over(CommandTable *table, usec_t now)
{
        Command *command;

        /* One that is being exec'd may be of any of them, and the next look tells of which. */
        if (table->undecided)
                return;
        list_foreach(command, &table->over, Command, commands)
                if (may_be_forgotten(table, command, now))
                        command_forget(table, command);
        if (!list_is_empty(&table->over))
                command_table_schedule_scan(table, STRAY_SCAN_USEC);
}

void command_table_check_left(CommandTable *table, usec_t now)
{
        Command *command;

        list_foreach(command, &table->waiting, Command, waiting)
                if (is_unseen(table, command) || command->family.given_up)
                        command_over(table, command, 0);
        list_foreach(command, &table->spared, Command, commands)
                if (is_unseen(table, command))
                        command_forget(table, command);
        forget_over(table, now);
}

static void release_empty_groups(CommandTable *table)
{
        Command *command;

        list_foreach(command, &table->lingering, Command, lingering) {
                if (kill(-command->pid, 0) == 0 || errno != ESRCH)
                        continue;
                report(table, command, SPAWN_GONE);
                command_table_schedule_scan(table, STRAY_SCAN_SOON_USEC);
                command_move(table, command, &table->over);
        }
}

/* --- starting --- */

static Command *command_new(CommandTable *table, const SpawnStart *start, const SpawnPayload *payload)
{
        size_t mark_size = strlen(payload->mark) + 1;
        Command *command = calloc(1, sizeof(Command) + mark_size);

        if (!command)
                return NULL;
        command->header = start->header;
        command->kill_signal = start->kill_signal;
        command->kill_after = start->kill_after_usec;
        command->flags = start->flags & (SPAWN_EXIT_CGROUP | SPAWN_KILL_MIXED | SPAWN_KILL_PROCESS | SPAWN_STARTS_NOTHING);
        command->start_ticks = process_ticks_now();
        command->report_due = usec_add(clock_boottime(clock_system()), COMMAND_REPORT_DELAY_USEC);
        memcpy(command->mark, payload->mark, mark_size);
        list_append(&table->commands, &command->commands);
        table->n_commands++;
        list_append(&table->launching, &command->launching);
        list_append(&table->unreported, &command->unreported);
        list_init(&command->killing);
        list_init(&command->lingering);
        list_init(&command->waiting);
        return command;
}

int command_table_enter(CommandTable *table, const SpawnStart *start, const SpawnPayload *payload, Command **ret)
{
        uint32_t slot = start->header.slot;

        if (table->slots[slot])
                return -EEXIST;
        if ((start->flags & SPAWN_KILL_PROCESS) && table->n_spared >= SPAWN_SPARED_MAX)
                return -EDQUOT;
        table->slots[slot] = command_new(table, start, payload);
        if (!table->slots[slot])
                return -ENOMEM;
        *ret = table->slots[slot];
        return 0;
}

void command_launch(Command *command, const SpawnStart *start, const SpawnPayload *payload, const int fds[static 3])
{
        const SpawnChild child = {
                .start = start,
                .payload = payload,
                .fds = { fds[0], fds[1], fds[2] },
                .parent = getpid(),
                .progress = &command->progress,
        };
        pid_t pid = vfork();

        if (pid == 0)
                spawn_child_run(&child);
        command->fork_error = pid < 0 ? negative_errno() : 0;
}

bool command_table_launched(CommandTable *table, Command *command)
{
        Command **bucket;

        list_unlink(&command->launching);
        if (command->fork_error < 0) {
                command_table_refuse(table, &command->header, SPAWN_STAGE_FORK, command->fork_error);
                /* An earlier attempt may have had the same mark, so that what that one left is this one's. */
                command->session_over = true;
                command_move(table, command, &table->over);
                command_table_schedule_scan(table, STRAY_SCAN_USEC);
                return true;
        }
        command->pid = command->progress.pid;
        bucket = &table->buckets[(uint32_t)command->pid % PID_BUCKETS];
        command->next_in_bucket = *bucket;
        *bucket = command;
        if (command->reaped) {
                command_exited(table, command);
                orphans_forget(table);
                return true;
        }
        if (command->signal > 0) {
                command_end_by(command, command->signal);
                command_end_by(command, SIGCONT);
        }
        return false;
}

/* --- reaping --- */

Command *command_find_launching(CommandTable *table, pid_t pid)
{
        Command *command;

        list_foreach(command, &table->launching, Command, launching)
                if (command->progress.pid == pid)
                        return command;
        return NULL;
}

typedef struct Ended {
        pid_t pid;
        int status;
        struct rusage usage;
} Ended;

static void reaped(CommandTable *table, const Ended *ended)
{
        Command *command = *command_find_by_pid(table, ended->pid), *launching = NULL;

        if (!command || command->exited)
                command = launching = command_find_launching(table, ended->pid);
        if (!command) {
                stray_reaped(table, ended->pid);
                /* What it was the parent of is ours now. */
                command_table_schedule_scan(table, STRAY_SCAN_SOON_USEC);
                return;
        }
        command->wait_status = ended->status;
        command->usage = ended->usage;
        if (launching)
                command->reaped = true;
        else
                command_exited(table, command);
}

/* All are reaped before anything is said of them, so that one look at the orphans does for all. */
static size_t reap_some(CommandTable *table)
{
        Ended ended[REAP_MAX];
        size_t n = 0;

        while (n < ARRAY_SIZE(ended) && (ended[n].pid = wait4(-1, &ended[n].status, WNOHANG, &ended[n].usage)) > 0)
                n++;
        for (size_t i = 0; i < n; i++)
                reaped(table, &ended[i]);
        orphans_forget(table);
        return n;
}

void command_table_reap(CommandTable *table)
{
        while (reap_some(table) == REAP_MAX)
                ;
        release_empty_groups(table);
}

/* --- time --- */

static void dispatch_kills(CommandTable *table, usec_t now)
{
        Command *command;

        table->kill_due = USEC_INFINITY;
        list_foreach(command, &table->killing, Command, killing) {
                if (command->kill_due > now) {
                        table->kill_due = MIN(table->kill_due, command->kill_due);
                        continue;
                }
                list_unlink(&command->killing);
                command->killed = true;
                command_end_by(command, SIGKILL);
        }
        strays_kill_due(table, now);
}

usec_t command_table_dispatch(CommandTable *table, usec_t now)
{
        Command *command;
        usec_t next;

        while ((command = list_first(&table->unreported, Command, unreported)) && command->report_due <= now) {
                list_unlink(&command->unreported);
                if (command->progress.pid > 0)
                        report(table, command, SPAWN_STARTED);
                else {
                        command->report_due = usec_add(now, COMMAND_REPORT_DELAY_USEC);
                        list_append(&table->unreported, &command->unreported);
                }
        }
        if (table->kill_due <= now)
                dispatch_kills(table, now);
        if (table->poll_due <= now) {
                release_empty_groups(table);
                table->poll_due = list_is_empty(&table->lingering) ? USEC_INFINITY : usec_add(now, GROUP_POLL_USEC);
        }
        if (table->scan_due <= now)
                strays_scan(table, now);

        /* What was done above may have freed any. */
        command = list_first(&table->unreported, Command, unreported);
        next = command ? command->report_due : USEC_INFINITY;
        next = MIN(next, table->kill_due);
        next = MIN(next, table->poll_due);
        return MIN(next, table->scan_due);
}

void command_table_shut_down(CommandTable *table)
{
        Command *command;

        table->shutting_down = true;
        list_foreach(command, &table->commands, Command, commands)
                stop_within(table, command, SHUTDOWN_KILL_AFTER_USEC);
        command_table_schedule_scan(table, 0);
}

bool command_table_is_empty(CommandTable *table)
{
        if (!list_is_empty(&table->commands))
                return false;
        if (waitid(P_ALL, 0, &(siginfo_t){}, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD)
                return true;
        return !list_is_empty(&table->spared) && strays_are_none(table);
}
