/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Commands, started and reaped by the helper program takt-spawn, with what they print captured on
 * the loop. Nothing here forks, waits or blocks: a start is one message and, a while later, a
 * callback. Knows no job.
 *
 * The helper is the only parent of commands. Where it dies, this end kills and reaps what it left
 * behind, ends the commands under way with -EOWNERDEAD and starts a new one at a limited rate. For
 * that the calling process becomes a subreaper, and all its other children must be made by
 * helper_start() (process/helper.h): unknown ones are taken for the helper's and killed.
 */

#include <sys/resource.h>

#include "base/buffer.h"
#include "loop/loop.h"

typedef struct Spawner Spawner;
typedef struct SpawnedCommand SpawnedCommand;

/* Commands that may exist at once, waiting ones included; more are refused with -EAGAIN. */
#define SPAWNER_MAX_COMMANDS 16384U
/* Bytes of argv, environment and directory together: the kernel's own usual limit for both. */
#define SPAWNER_MAX_REQUEST (2U * 1024 * 1024)
/* How long after a command's exit its output is still waited for where others hold the pipe open. */
#define SPAWNER_DRAIN_USEC (2 * USEC_PER_SEC)
/* A helper that died is started again at once, then after this time, doubled each time up to the maximum. */
#define SPAWNER_RESTART_MIN_USEC (100 * USEC_PER_MSEC)
#define SPAWNER_RESTART_MAX_USEC (10 * USEC_PER_SEC)
/* A helper that has commands and says nothing for so long is killed, and noticed within a quarter more. */
#define SPAWNER_PATIENCE_USEC (10 * USEC_PER_SEC)
/* Once it has run for this long, its past is forgiven. */
#define SPAWNER_STABLE_USEC (10 * USEC_PER_SEC)

typedef enum SpawnStdio {
        SPAWN_NULL,    /* /dev/null */
        SPAWN_FD,      /* a descriptor of the caller's, borrowed for the call of spawner_start() */
        SPAWN_BYTES,   /* input only: these bytes, then the end */
        SPAWN_CAPTURE, /* output only: kept here, and told by line where there is a line callback */
} SpawnStdio;

/* When a command has ended. Its exit is that of its main process in either case. */
typedef enum SpawnExitType {
        SPAWN_EXIT_WITH_MAIN, /* with its main process; what is left is ended, unless SpawnKillMode says otherwise */
        SPAWN_EXIT_WITH_ALL,  /* with the last process of its session, or with its mark */
} SpawnExitType;

/* Who is ended when it is stopped, and after its end. */
typedef enum SpawnKillMode {
        SPAWN_KILL_ALL,
        SPAWN_KILL_MAIN_THEN_ALL, /* the kill signal for the main process alone, SIGKILL for what is left after it */
        SPAWN_KILL_MAIN,          /* the main process alone; what is left goes on, also beyond the helper's end */
} SpawnKillMode;

typedef struct SpawnInput {
        SpawnStdio mode;
        int fd;           /* SPAWN_FD */
        const void *data; /* SPAWN_BYTES */
        size_t n;
} SpawnInput;

typedef struct SpawnOutput {
        SpawnStdio mode;
        int fd;           /* SPAWN_FD; its end is not waited for */
        size_t max_bytes; /* SPAWN_CAPTURE: the first so many bytes are kept, the rest is read and counted */
} SpawnOutput;

typedef struct SpawnLimit {
        int resource; /* RLIMIT_… */
        struct rlimit limit;
} SpawnLimit;

/*
 * The variables of marks. By them commands are known where this process has got children that are not takt's.
 */
#define SPAWN_MARK_RUN "TAKT_RUN"
#define SPAWN_MARK_PROCESS "TAKT_PROCESS"

/* Everything is copied by spawner_start(). Zeroed, with argv: defaults throughout. */
typedef struct SpawnRequest {
        char *const *argv;        /* NULL-terminated, not empty; argv[0] without a slash is looked up on PATH */
        char *const *environment; /* NULL-terminated "NAME=value", all of it; NULL: empty. Its PATH is the one
                                   * searched. NOTIFY_SOCKET and LISTEN_* are left out: they speak to taktd. */
        const char *directory;    /* absolute; NULL: "/" */
        const char *mark;         /* one entry of ENVIRONMENT that no other command has (TAKT_RUN=17), by which
                                   * processes that left the command's session are known to be its; or NULL */
        const char *note;         /* of the owner, for spawner_resume(): see spawner_outlive(). NULL: it ends with this
                                   * process; at most SPAWN_NOTE_MAX bytes */
        SpawnInput input;
        SpawnOutput output;
        SpawnOutput error_output;
        bool set_umask; /* else, and where limits say nothing of descriptors: as of the caller of spawner_new() */
        mode_t umask;
        bool set_nice;
        int nice; /* absolute, -20…19 */
        const SpawnLimit *limits;
        size_t n_limits;   /* at most RLIM_NLIMITS */
        bool starts_nothing; /* it never makes a process: none that cleared its mark is taken for one of it */
        SpawnExitType exit_type;
        SpawnKillMode kill_mode;
        int kill_signal;   /* what spawned_command_stop() sends; 0: SIGTERM */
        usec_t kill_after; /* from that signal to SIGKILL; USEC_INFINITY: never, 0: SIGKILL at once */
} SpawnRequest;

/* How a command ended. Lives for the callback only. */
typedef struct SpawnExit {
        int error;         /* 0: it ran and the fields below are true. Else it never ran, or its end is unknown:
                            * the errno, negative, of STAGE; -EOWNERDEAD where takt-spawn died */
        const char *stage; /* what failed: "fork", "chdir", "exec", …, "helper"; NULL where ERROR is 0 */
        int code;          /* CLD_EXITED, CLD_KILLED or CLD_DUMPED, as in siginfo_t */
        int status;        /* exit status, or the signal */
        unsigned left;     /* processes that belong to it and were there after its end, SPAWN_LEFT_MAX (protocol.h) at most */
        bool truncated;    /* a process that outlived the command held its output open past SPAWNER_DRAIN_USEC */
        usec_t user_usec;  /* processor time of the command and of the children it waited for */
        usec_t system_usec;
        uint64_t max_resident; /* bytes */
} SpawnExit;

typedef struct SpawnCallbacks {
        /*
         * The process exists; whether exec succeeds is known by its exit. Comes within a few ms, and
         * at the latest before exited(); not at all where there never was a process. May be NULL.
         */
        void (*started)(SpawnedCommand *command, pid_t pid, void *userdata);
        /* A line, without its newline, of captured output (FD 1 or 2), in pieces above OUTPUT_LINE_MAX bytes
         * (output-capture.h); a last one without newline as well. May be NULL. */
        void (*line)(SpawnedCommand *command, int fd, const char *line, size_t n, void *userdata);
        /*
         * Exactly once, never from within spawner_start(): the process was reaped and captured output
         * has reached its end (or see `truncated`). The command may be freed here.
         */
        void (*exited)(SpawnedCommand *command, const SpawnExit *exit, void *userdata);
} SpawnCallbacks;

/* Counters for status pages. */
typedef struct SpawnerStatus {
        pid_t helper_pid; /* 0 while there is none */
        bool helper_answers;
        unsigned n_commands;
        unsigned n_waiting; /* of these, not yet handed to the helper */
        uint64_t n_started;
        uint64_t n_kills;    /* SIGKILLs that followed an ignored kill signal */
        uint64_t n_restarts; /* of the helper */
        uint64_t n_strays;   /* processes that outlived their command and were ended by the helper. What a dead
                              * helper left is not counted: its commands ended with it. */
} SpawnerStatus;

/*
 * Starts HELPER_PATH (see helper_find()) and makes this process a subreaper. Commands get the limit of
 * descriptors that this process has now. -errno where the program can't be executed. The loop must outlive
 * the spawner. DIRECTORY: the helper holds a mark on it (base/directory-lock.h) as long as it has commands, or waits
 * for some; NULL for none. Where it can't be marked, that is logged once.
 */
int spawner_new(Loop *loop, const char *helper_path, const char *directory, Spawner **ret);
/*
 * Commands that are left are ended by the helper, their callbacks not called, their handles dead but
 * for spawned_command_free(). Waits up to a second for the helper to be gone; where commands take
 * longer to die, the helper finishes that alone. Not to be called from a callback of a command.
 */
Spawner *spawner_free(Spawner *spawner);
DEFINE_CLEANUP(Spawner *, spawner_free);

/* --- commands that outlive this process --- */

/*
 * From now on commands with a note outlive this process where somebody keeps a copy of the connection with
 * the helper, which is what CONNECTED is told of: now, and for each helper that follows a dead one. Output
 * that is read while a command runs is kept in memory files besides. Only SPAWN_CAPTURE of output FD 1 and
 * of lines survives.
 */
void spawner_outlive(Spawner *spawner, void (*connected)(Spawner *spawner, int fd, void *userdata), void *userdata);
/*
 * Leaves commands with a note to a process to come; all handles are dead but for spawned_command_free(), and no
 * callback is called any more.
 */
void spawner_leave(Spawner *spawner);

/* How long spawner_resume() waits for the helper in all. */
#define SPAWNER_RESUME_USEC (5 * USEC_PER_SEC)

/* A command that another process had started. */
typedef struct HeldCommand HeldCommand;
typedef bool (*HeldPredicate)(const HeldCommand *held, void *userdata);

/*
 * Takes over the helper at the other end of FD, a copy of a connection that an earlier process had, and what
 * it has: a spawner that starts nothing. Blocks, for a time that is bounded. FD is taken over in any case.
 * -EPROTO for another version and -errno: the helper ends all that it has.
 */
int spawner_resume(Loop *loop, int fd, Spawner **ret);
/* Whether its helper is there still. */
bool spawner_is_connected(const Spawner *spawner);
/* Commands that are being ended, as nobody goes on with them. */
unsigned spawner_n_ending(const Spawner *spawner);
/* In no order; HELD NULL: the first. NULL at the end. */
HeldCommand *spawner_next_held(Spawner *spawner, HeldCommand *held);
const char *held_command_note(const HeldCommand *held);
/* It was asked to end. */
bool held_command_is_stopping(const HeldCommand *held);
/* Goes on with it; HELD is freed. Captured output as in SpawnRequest. -errno: it is stopped. */
int spawner_adopt(HeldCommand *held, size_t max_output, const SpawnCallbacks *callbacks, void *userdata, SpawnedCommand **ret);
/*
 * Stops all with which GOES_ON says that nobody does: SIGKILL comes after SHUTDOWN_KILL_AFTER_USEC at the
 * latest. They are freed, and spawner_n_ending() counts them until they are gone.
 */
void spawner_end_held(Spawner *spawner, HeldPredicate goes_on, void *userdata);
/*
 * Stops what was not adopted. ON_IDLE is called from the loop once nothing is left, or the helper has died: the
 * spawner may be freed in it.
 */
void spawner_settle(Spawner *spawner, void (*on_idle)(Spawner *spawner, void *userdata), void *userdata);

/* Instead of SPAWNER_PATIENCE_USEC. */
void spawner_set_patience(Spawner *spawner, usec_t patience);
void spawner_get_status(const Spawner *spawner, SpawnerStatus *ret);

/*
 * Starts a command. While the helper is being restarted the request waits; where that attempt fails,
 * it ends with -EOWNERDEAD. Returns 0, -EAGAIN at SPAWNER_MAX_COMMANDS, -E2BIG above
 * SPAWNER_MAX_REQUEST, -EINVAL for a request that is none, -EMFILE and the like where pipes can't be
 * made, -ENOMEM.
 */
int spawner_start(Spawner *spawner, const SpawnRequest *request, const SpawnCallbacks *callbacks, void *userdata,
                  SpawnedCommand **ret);

/* Before exited() was called the command is stopped, and nothing more is heard of it. */
SpawnedCommand *spawned_command_free(SpawnedCommand *command);
DEFINE_CLEANUP(SpawnedCommand *, spawned_command_free);

/* 0 until started() was called. The process group and session have the same number. */
pid_t spawned_command_pid(const SpawnedCommand *command);

/* Sends SIGNO to the command's process group. 0, -ESRCH where it waits for the helper or has exited, -EINVAL, -EAGAIN. */
int spawned_command_kill(SpawnedCommand *command, int signo);
/*
 * Ends the command and its process group, as kill_mode says: the kill signal and SIGCONT (so that a stopped process
 * dies too), SIGKILL after kill_after. The helper keeps that time. Harmless when repeated; exited()
 * tells when it is over, with -ECANCELED where the command was still waiting for the helper.
 */
void spawned_command_stop(SpawnedCommand *command);

/* What was kept of output FD (1 or 2), to be read or stolen from; NULL where it is not captured. */
Buffer *spawned_command_output(SpawnedCommand *command, int fd);
/* Bytes of output FD that were read and not kept. */
uint64_t spawned_command_dropped(const SpawnedCommand *command, int fd);
