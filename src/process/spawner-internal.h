/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What spawner.c (the helper's life), spawner-orphans.c (what it may leave behind), spawner-queue.c (what goes to it),
 * spawn-envelope.c (in which form) and spawned-command.c (one command and its output) share.
 */

#include "base/list.h"
#include "process/output-capture.h"
#include "process/protocol.h"
#include "process/spawner.h"

/* A start that is ready to be sent: the message and what goes beside it. */
typedef struct SpawnEnvelope {
        Buffer message;
        int fds[SPAWN_MAX_FDS];
        unsigned n_fds;
        unsigned n_owned; /* of these, the first; the others are the command's */
} SpawnEnvelope;

/* One pipe that a command writes to. */
typedef struct SpawnCapture {
        SpawnedCommand *command;
        int number; /* 1 or 2 */
        bool wanted;
        int fd; /* -1 once its end was read */
        IoSource *io;
        OutputCapture output;
        int saved; /* the memory file that takt-spawn keeps for another taktd; -1: none yet */
} SpawnCapture;

typedef enum SpawnState {
        SPAWN_STATE_WAITING, /* for a helper, or for room in the socket */
        SPAWN_STATE_SENT,
        SPAWN_STATE_EXITED, /* its end is known, its output not yet at its own */
        SPAWN_STATE_OVER,   /* exited() was or is about to be called */
} SpawnState;

struct SpawnedCommand {
        Spawner *spawner; /* NULL: it was freed */
        List commands;
        List waiting;
        unsigned n_ref; /* the caller's, and one while a callback runs */
        SpawnState state;
        uint32_t slot; /* while SENT; after that while the slot still has this command */
        pid_t pid;
        bool stopping;
        bool kept;      /* takt-spawn keeps what another taktd needs, under this name */
        SpawnName name;
        SpawnEnvelope envelope; /* while WAITING */
        SpawnCapture captures[2];
        SpawnExit exit;
        Timer drain;
        Deferred finish;
        SpawnCallbacks callbacks;
        void *userdata;
};

/* A number that the helper knows a command by. It outlives the command's handle where that is freed early. */
typedef struct SpawnSlot {
        SpawnedCommand *command; /* NULL: nobody asks any more */
        HeldCommand *ending;     /* whose pipes are read until it has ended; NULL: none */
        uint32_t serial;
        uint32_t next_free;
        pid_t pid;
        bool used;
        bool stopped;
} SpawnSlot;

/* Signals and stops that wait for room in the socket. */
#define SPAWNER_MAX_CONTROLS (2 * SPAWNER_MAX_COMMANDS * sizeof(SpawnHeader))

struct Spawner {
        Loop *loop;
        char *helper_path;
        char *directory; /* each helper puts its mark on it; NULL: it does not */
        bool unmarked;   /* that was told to have failed */
        pid_t helper_pid;
        int fd; /* the connection, -1 while there is none */
        IoSource *io;
        int pid_fd; /* tells that the helper is dead, when its children have been inherited; -1: reaped */
        IoSource *pid_io;
        bool said_hello;
        usec_t started_boottime;
        usec_t backoff;
        Timer restart;
        void (*connected)(Spawner *spawner, int fd, void *userdata); /* commands outlive this process; NULL: they don't */
        void *connected_userdata;
        Buffer done;   /* SpawnNames that are to be told */
        bool resumed;  /* of an earlier taktd: starts nothing */
        bool left;     /* to the next one */
        List held;     /* what nobody has adopted yet */
        List ending;   /* what nobody will, until it has ended */
        uint32_t n_used; /* slots */
        Deferred idle;
        void (*on_idle)(Spawner *spawner, void *userdata);
        void *idle_userdata;
        Timer ping; /* armed while there are commands */
        bool pinging;
        unsigned n_unanswered; /* pings in a row */
        usec_t patience;
        struct rlimit descriptors; /* of commands: what this process had before anyone raised it */
        Timer orphans; /* another look for what a dead helper left */
        usec_t orphans_delay;
        unsigned orphans_unseen; /* passes in a row that found none */
        usec_t orphans_begun;    /* the first look */
        size_t orphans_at;       /* the place among the children where the next look begins */
        size_t orphans_passed;   /* so many were looked at in this pass */
        bool orphans_found;      /* in this pass */
        bool orphans_reaped;     /* in this pass, or it is the first one */
        uint64_t n_reaped;       /* as helper_n_reaped() said in the last look */
        size_t n_children;       /* as of the last look */
        bool has_others;         /* children that came from no helper, or may get some */
        uint64_t since_ticks;    /* what is older came from no helper */
        pid_t *sessions;         /* of the commands of a dead helper, where there are others */
        size_t n_sessions;
        List commands;
        List waiting;
        Buffer controls; /* SpawnHeaders that did not fit into the socket; a stop for each slot at most, and signals */
        SpawnSlot *slots;
        uint32_t n_slots;
        uint32_t free_slot; /* SPAWN_MAX_SLOTS: none */
        SpawnerStatus status;
        char reports[SPAWN_MESSAGE_MAX];
        char scratch[SPAWN_MESSAGE_MAX]; /* output passes through it */
};

/* --- spawner-queue.c --- */

/* Hands a command over to the helper, or lets it wait. 0 or -errno, the envelope untouched. */
int spawner_submit(Spawner *spawner, SpawnedCommand *command, SpawnEnvelope *envelope);
/* A SPAWN_SIGNAL or SPAWN_STOP for a slot in use. 0, -EAGAIN, -ENOMEM. */
int spawner_control(Spawner *spawner, uint32_t slot, SpawnRequestType type, int argument);
/* Asks the helper whether it is there. What can't be sent now is asked by what waits before it. */
void spawner_ping(Spawner *spawner);
/* Takes a command out of those that wait for the helper. */
void spawner_unwait(Spawner *spawner, SpawnedCommand *command);
/* Has the process group of a slot ended; once. */
void spawner_stop(Spawner *spawner, uint32_t slot);
/* The same, with SIGKILL after MAX_MSEC at the latest; 0: after the time given at the start. */
void spawner_stop_within(Spawner *spawner, uint32_t slot, int max_msec);
/* The command asks for no more; what is left of its process group is ended. Harmless when repeated. */
void spawner_release(Spawner *spawner, SpawnedCommand *command);

/* What was kept of the command is not needed any more; this is told soon. */
void spawner_done(Spawner *spawner, SpawnedCommand *command);
void spawner_flush_done(Spawner *spawner);
/* Has the memory file FD kept. -EAGAIN and others: it is not. */
int spawner_send_captured(Spawner *spawner, const SpawnedCommand *command, int fd);
/* Makes NUMBER a slot in use, of a command that the helper has. -ENOMEM. */
int spawner_claim(Spawner *spawner, uint32_t number, uint32_t serial, pid_t pid, SpawnedCommand *command);
/* Once there is nothing left to wait for, on_idle() is called. */
void spawner_check_idle(Spawner *spawner);
/* A slot that the helper has done with. */
void spawner_give_back(Spawner *spawner, uint32_t slot);
/* Sends what waits and fits. */
void spawner_send_waiting(Spawner *spawner);
/* Has the loop watch the connection for what it is good for now. */
void spawner_update_io(Spawner *spawner);

/* --- spawner.c --- */

/* Of a helper that was started by another process; FD is taken over on success. */
int spawner_new_resumed(Loop *loop, int fd, pid_t pid, Spawner **ret);
/* From now on the helper has to answer, until there are no commands any more. */
void spawner_watch_answers(Spawner *spawner);
/* Arms a timer of the spawner's, for which there is room. USEC_INFINITY: for never. */
void spawner_arm(Spawner *spawner, Timer *timer, usec_t after);

/* --- spawner-orphans.c --- */

/* So many passes through all children in a row have to find none. */
#define SPAWNER_ORPHANS_PASSES 2U

/* Before the first helper is started: what this process has for children is not the helper's. -errno. */
int spawner_note_children(Spawner *spawner);
/* While the slots are in use still: notes the sessions of the commands that are in them. */
void spawner_note_sessions(Spawner *spawner);
/* The helper is dead: kills and reaps what it left, now and by the spawner's timer until nothing is found any more. */
void spawner_end_orphans(Spawner *spawner);
void spawner_on_orphans(Timer *timer, usec_t now);
/*
 * The same without a loop, where the helper died shortly before the end, or what it left is being ended
 * still. Goes on for MAX, and for what one look takes, at most.
 */
void spawner_wait_for_orphans(Spawner *spawner, usec_t max);

/* --- spawned-command.c --- */

/* Makes command, pipes and envelope. */
int spawned_command_new(Spawner *spawner, const SpawnRequest *request, const SpawnCallbacks *callbacks, void *userdata,
                        SpawnedCommand **ret, SpawnEnvelope *ret_envelope);
/* EXITED: its end is told with its start. */
void spawned_command_on_started(SpawnedCommand *command, pid_t pid, bool exited);
void spawned_command_on_exited(SpawnedCommand *command, const SpawnExit *exit);
/* Ends with ERROR at STAGE, in a turn of the loop of its own. */
void spawned_command_fail(SpawnedCommand *command, int error, const char *stage);
/* One that runs already: EXIT of one that has ended, else NULL. What was read before is in CAPTURED, -1 for none; all taken. */
int spawned_command_resume(Spawner *spawner, const SpawnReport *report, const SpawnExit *exit, int ends[static 2], int *captured,
                           const size_t max_bytes[static 2], const SpawnCallbacks *callbacks, void *userdata, SpawnedCommand **ret);
/* The spawner goes away. */
void spawned_command_orphan(SpawnedCommand *command);

/* --- spawner-resume.c --- */

void spawner_free_held(Spawner *spawner);
void held_command_free(HeldCommand *held);
/* The helper is dead: kills the process groups of those that nobody has adopted yet. */
void spawner_kill_held(Spawner *spawner);
/* What REPORT says of a command that nobody has adopted yet. */
void spawner_note_held(Spawner *spawner, const SpawnReport *report);

/* --- spawn-envelope.c --- */

/*
 * CAPTURED: the write ends for captured output and error output, taken where the request captures
 * them. Descriptors of the caller are duplicated. DESCRIPTORS: their limit where the request says none;
 * may be NULL. ENDS: those that are read of the same pipes, borrowed; NULL where nothing is to be kept. 0 or an
 * error of spawner_start().
 */
int spawn_envelope_init(SpawnEnvelope *envelope, const SpawnRequest *request, const struct rlimit *descriptors,
                        int captured[static 2], const int *ends);
void spawn_envelope_deinit(SpawnEnvelope *envelope);
void spawn_envelope_set_address(SpawnEnvelope *envelope, uint32_t slot, uint32_t serial);
/* 0, -EAGAIN where the socket is full, -errno. */
int spawn_envelope_send(const SpawnEnvelope *envelope, int fd);
