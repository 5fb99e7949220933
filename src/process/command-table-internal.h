/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What command-table.c (commands), orphans.c and strays.c (what they leave behind) share. */

#include "base/list.h"
#include "process/children.h"
#include "process/command-table.h"
#include "process/spawn-child.h"

#define PID_BUCKETS 1024U
/*
 * The kernel's list of children may miss some while it changes: so many looks in a row have to find nothing.
 */
#define UNSEEN_LOOKS 2U

/*
 * Strays that one command left, with all that come from them. Each has its own time to heed its signal; those
 * that began after the first was asked have STRAY_FAMILY_USEC in common besides, so that nobody gains time by
 * making other processes.
 */
typedef struct StrayFamily {
        size_t n;        /* that there are */
        usec_t begun;    /* when the first of them was found; 0: its time begins with the next one */
        usec_t seen;     /* when there was any */
        unsigned unseen; /* looks in a row that found none; of those that are nobody's */
        unsigned stopped; /* the look in which any of them was stopped last, while those that are late are */
        bool given_up;
} StrayFamily;

struct Command {
        List commands;   /* or those that are spared, or over */
        List launching;  /* until command_table_launched() */
        List unreported; /* in the order of start; until the start has been reported */
        List killing;    /* those with a kill_due */
        List lingering;  /* exited, group not empty */
        List waiting;    /* exited, and goes on until what belongs to it has ended */
        struct Command *next_in_bucket;
        SpawnHeader header;
        SpawnProgress progress;
        pid_t pid; /* 0 until launched */
        int fork_error;
        int wait_status; /* of one that was reaped while launching, or waits */
        struct rusage usage;
        bool reaped;
        int signal; /* to be sent once launched */
        int kill_signal;
        usec_t kill_after;
        usec_t kill_due;
        usec_t report_due;
        uint64_t start_ticks;
        uint32_t flags; /* SPAWN_EXIT_CGROUP, SPAWN_KILL_…, SPAWN_STARTS_NOTHING */
        bool exited;
        bool stopping;
        bool killed;
        bool spared;       /* it is over, and what it left is let be */
        unsigned unseen;   /* looks in a row that found nothing of it */
        bool session_over; /* nothing of it is left, and its number may be another's */
        StrayFamily family;
        char mark[];
};

/* What another taktd than the one that started a command needs in order to go on with it. */
typedef struct Kept {
        SpawnReport report; /* SPAWN_HELD */
        int output; /* ends of pipes that are read; -1: none */
        int error_output;
        int captured;
        char note[];
} Kept;

/* One that was found being exec'd. */
typedef struct ExecutedOrphan {
        ProcessId id;
        usec_t since;
        usec_t seen; /* 0: there is none */
        bool hangs;  /* nothing waits for it any more; until its exec or the process is over */
} ExecutedOrphan;

/* So many of them are waited for at a time. */
#define EXECUTED_ORPHANS_MAX 64U

/* A child that is no command. */
typedef struct Orphan {
        CommandTable *table;
        pid_t pid;
        ProcessStat stat;
        bool environment_read;
        int environment_error;
        Buffer environment;
        bool owner_looked_for;
        bool has_owner;
} Orphan;

struct CommandTable {
        CommandReport report;
        void *userdata;
        pid_t session; /* our own */
        bool shutting_down;
        List commands; /* oldest first */
        size_t n_commands;
        List launching;
        List unreported;
        List killing;
        List lingering;
        List waiting;
        List spared; /* commands that are over, and whose processes are let be */
        size_t n_spared;
        List over;   /* commands that are, for as long as it has to be known what they may have left */
        List strays; /* in the order in which they were found: parents before their children */
        size_t n_strays;
        struct Stray *stray_buckets[PID_BUCKETS];
        StrayFamily unowned; /* strays of which nobody can tell whose they are */
        Orphan *orphans; /* as they were found in this turn */
        size_t n_orphans;
        bool orphans_known;
        ExecutedOrphan executed[EXECUTED_ORPHANS_MAX];
        usec_t crowded_since; /* there have been more of them; 0: there is a place for each */
        bool crowded;         /* in this look */
        bool undecided; /* in the last look any of them was being exec'd */
        ProcessTree tree; /* goes with the orphans */
        int children_fd;  /* the kernel's list of them; -1 where it has none */
        unsigned n_failed_looks; /* in a row */
        usec_t scan_due;
        usec_t kill_due; /* no later than the earliest of a command or stray */
        usec_t poll_due; /* of lingering groups */
        Command *buckets[PID_BUCKETS];
        Command *slots[SPAWN_MAX_SLOTS];
        Kept *kept[SPAWN_MAX_SLOTS];
};

Command **command_find_by_pid(CommandTable *table, pid_t pid);
Command *command_find_launching(CommandTable *table, pid_t pid);
void command_stop(CommandTable *table, Command *command);
void command_table_schedule_scan(CommandTable *table, usec_t after);
/* What waits for processes that have ended is over, and who has nothing left to be spared is forgotten. */
void command_table_check_left(CommandTable *table, usec_t now_boottime);

/* --- orphans.c --- */

/* Of the first thread: a descriptor of the list of its children, for the table. -1 where there is none. */
int orphans_open(void);
/* Fills the table's orphans, unless that was done in this turn. -errno. */
int orphans_look(CommandTable *table);
void orphans_forget(CommandTable *table);
/* In a look that reads all, after orphans_look(): those that are gone need no place among the executed. */
void orphans_forget_executed(CommandTable *table);
/* Whether it was being exec'd for so long that nobody waits for it any more. */
bool orphan_hangs_in_exec(Orphan *orphan);
/* Of a command that is being launched as well: that may have ended already, and have left it. */
bool orphan_is_in_session(const Orphan *orphan, const Command *command);
/*
 * It is of the command's session, or has its mark. While it is being exec'd nobody knows its mark, and it
 * belongs to each.
 */
bool orphan_belongs(Orphan *orphan, const Command *command);
bool orphan_is_being_executed(Orphan *orphan);
/*
 * For an orphan that belongs to no command that is known: whether it may be COMMAND's all the same. It may be
 * where it began after the command, the command starts processes, and it does not have another one's mark.
 */
bool orphan_may_belong(Orphan *orphan, const Command *command);
/* The first of COMMANDS, a list of the table, that it belongs to; NULL where it belongs to none. */
Command *orphan_find_in(Orphan *orphan, List *commands);
/*
 * Whether it is let be where COMMAND's processes are. That is so of one that belongs to it, and of one that
 * may belong to it and hangs in exec: its mark can't be read, as its disk does not answer. Where its session
 * tells whose it is, it is nobody else's.
 */
bool orphan_may_be_spared(Orphan *orphan, const Command *command);
/* How many belong to it, with what these are the parents of; SPAWN_LEFT_MAX at most. */
unsigned orphans_count(CommandTable *table, const Command *command);
/*
 * Whether any belongs to it, or is let be with it where it is spared; after orphans_look(). Notes where its
 * session is over.
 */
bool orphans_are_any_of(CommandTable *table, Command *command);

/* --- kept.c --- */

/* What REPORT says of a command is noted where something is kept of it. */
void kept_note_report(CommandTable *table, const SpawnReport *report);
void kept_free_all(CommandTable *table);

/* --- strays.c --- */

/* Looks through the children of this process and ends those that outlived their commands. */
void strays_scan(CommandTable *table, usec_t now_boottime);
/* Whether none is left that is neither a command nor spared. */
bool strays_are_none(CommandTable *table);
/* Whether it was over for long enough that nothing comes from what it left any more. */
bool stray_family_is_gone(const StrayFamily *family, usec_t now_boottime);
/* Kills those that did not heed their signal in time, and moves the table's kill_due to the next. */
void strays_kill_due(CommandTable *table, usec_t now_boottime);
void stray_reaped(CommandTable *table, pid_t pid);
void strays_forget(CommandTable *table);
