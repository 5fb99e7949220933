/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The commands that takt-spawn holds: started, signalled, killed when they ignore that, reaped; and
 * strays, the processes that outlived a command and came to takt-spawn as their subreaper. What
 * happens is told in reports.
 */

#include "process/protocol.h"

typedef struct Command Command;
typedef struct CommandTable CommandTable;
typedef void (*CommandReport)(const SpawnReport *report, void *userdata);

/* A start is reported so late, so that for a short command one message tells start and end. */
#define COMMAND_REPORT_DELAY_USEC (5 * USEC_PER_MSEC)
/* Children are looked through for strays so long after a command has ended. */
#define STRAY_SCAN_USEC (1 * USEC_PER_SEC)
/* The same after one that was stopped or left processes behind, and once everything has to end. */
#define STRAY_SCAN_SOON_USEC (20 * USEC_PER_MSEC)
/* Up to so many commands, what each has left is counted at its end. */
#define COUNT_LEFT_COMMANDS_MAX 256U
/* After so many scans in a row that failed, nothing is waited for any more that only a scan would tell of. */
#define STRAY_SCAN_FAILURES_MAX 10U
/* From the SIGTERM that a stray gets to its SIGKILL. */
#define STRAY_KILL_AFTER_USEC (2 * USEC_PER_SEC)
/* All that began after the first one of their command was asked are killed so long after that. */
#define STRAY_FAMILY_USEC (2 * STRAY_KILL_AFTER_USEC)
/*
 * Nothing is waited for any more, and it is said so, where so long after that SIGKILL there still is a
 * process of it.
 */
#define STRAY_GIVE_UP_USEC (10 * USEC_PER_SEC)
/* What comes from strays is known to do so up to this time after the last of them. */
#define STRAY_REMEMBER_USEC (2 * USEC_PER_SEC)
/* How often it is looked whether a group that outlived its command is gone. */
#define GROUP_POLL_USEC (100 * USEC_PER_MSEC)
/* At the end no command gets more time than this to heed its kill signal. */
#define SHUTDOWN_KILL_AFTER_USEC (5 * USEC_PER_SEC)
/* After the end of the connection with taktd takt-spawn ends by then: what is not dead (under another user, in the kernel) is left. */
#define COMMAND_SHUTDOWN_MAX_USEC (15 * USEC_PER_SEC)

/*
 * REPORT is called from the functions below. Called by the first thread. 0 or -errno. One thread at a time
 * may be in any of them; only command_launch() needs nobody's leave.
 */
int command_table_new(CommandReport report, void *userdata, CommandTable **ret);
CommandTable *command_table_free(CommandTable *table);
DEFINE_CLEANUP(CommandTable *, command_table_free);

/*
 * A command starts in three steps: it is entered into the table, launched, which takes as long as its
 * exec does, and then taken up by the table again. Between the first and the last it can be signalled
 * and reaped already, and lives on. -EEXIST where the slot is in use, -EDQUOT where what it leaves is to be
 * let be and as many are spared as may be (SPAWN_SPARED_MAX), -ENOMEM.
 */
int command_table_enter(CommandTable *table, const SpawnStart *start, const SpawnPayload *payload, Command **ret);
/* FDS are its standard streams, borrowed. */
void command_launch(Command *command, const SpawnStart *start, const SpawnPayload *payload, const int fds[static 3]);
/* True where something may be due earlier than command_table_dispatch() said last. */
bool command_table_launched(CommandTable *table, Command *command);
/*
 * What START asks to be kept of it is kept from now on, also beyond the command's end. OUTPUT and
 * ERROR_OUTPUT are taken over, -1 where there are none. -ENOMEM; nothing is kept then.
 */
int command_table_keep(CommandTable *table, const SpawnStart *start, const SpawnPayload *payload, int *output, int *error_output);
/* FD, which is taken, has what was read of the command's output. */
void command_table_captured(CommandTable *table, const SpawnHeader *header, int *fd);
/* No more is asked of it. */
void command_table_done(CommandTable *table, const SpawnName *name);
/*
 * Calls TELL for all that is kept until it returns an error, which is returned. All other commands are stopped, and told of
 * with an empty note.
 */
typedef int (*CommandTell)(const SpawnReport *report, const char *note, const int *fds, unsigned n_fds, void *userdata);
int command_table_list(CommandTable *table, CommandTell tell, void *userdata);
/* Reports that a command could not be started. */
void command_table_refuse(CommandTable *table, const SpawnHeader *header, SpawnStage stage, int error);
/* A command that has ended meanwhile is no error. */
void command_table_signal(CommandTable *table, const SpawnHeader *header);
void command_table_stop(CommandTable *table, const SpawnHeader *header);

/* Reaps whatever has ended. */
void command_table_reap(CommandTable *table);
/* Does what is due: kills, late reports, scans for strays. Returns the time of the next call, or USEC_INFINITY. */
usec_t command_table_dispatch(CommandTable *table, usec_t now_boottime);

/* Stops every command and stray. */
void command_table_shut_down(CommandTable *table);
/* After shut_down: no process is left but those that are let be. */
bool command_table_is_empty(CommandTable *table);
