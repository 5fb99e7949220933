/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What command-table.c (commands) and strays.c (what they leave behind) share. */

#include "base/list.h"
#include "process/command-table.h"
#include "process/spawn-child.h"

#define PID_BUCKETS 1024U

struct Command {
        List commands;
        List launching;  /* until command_table_launched() */
        List unreported; /* in the order of start; until the start has been reported */
        List killing;    /* those with a kill_due */
        List lingering;  /* exited, group not empty */
        struct Command *next_in_bucket;
        SpawnHeader header;
        SpawnProgress progress;
        pid_t pid; /* 0 until launched */
        int fork_error;
        int wait_status; /* of one that was reaped while launching */
        struct rusage usage;
        bool reaped;
        int signal; /* to be sent once launched */
        int kill_signal;
        usec_t kill_after;
        usec_t kill_due;
        usec_t report_due;
        uint64_t start_ticks;
        bool exited;
        bool stopping;
        bool killed;
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

struct CommandTable {
        CommandReport report;
        void *userdata;
        pid_t session; /* our own */
        bool shutting_down;
        List commands; /* oldest first */
        List launching;
        List unreported;
        List killing;
        List lingering;
        List strays;
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

/* --- kept.c --- */

/* What REPORT says of a command is noted where something is kept of it. */
void kept_note_report(CommandTable *table, const SpawnReport *report);
void kept_free_all(CommandTable *table);

/* --- strays.c --- */

/* Looks through the children of this process and ends those that outlived their commands. */
void strays_scan(CommandTable *table, usec_t now_boottime);
/* Kills those that did not heed their signal in time, and moves the table's kill_due to the next. */
void strays_kill_due(CommandTable *table, usec_t now_boottime);
void stray_reaped(CommandTable *table, pid_t pid);
void strays_forget(CommandTable *table);
