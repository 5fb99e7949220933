/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What taktd and takt-spawn say to each other over a SOCK_SEQPACKET pair: requests one way, arrays of
 * reports the other. Both run on one machine from one build, so numbers are in the machine's order;
 * the version in the first report finds an installation that is half updated. Decoders take any bytes.
 */

#include <sys/resource.h>

#include "base/buffer.h"
#include "base/clock.h"

#define SPAWN_PROTOCOL_VERSION 3U
/* Commands that the two know at once: slots are numbered below it. */
#define SPAWN_MAX_SLOTS 16384U
/* Largest payload of a start: strings and limits. */
#define SPAWN_PAYLOAD_MAX (2U * 1024 * 1024 + 4096)
/* A payload up to this size travels in the message, a larger one as a sealed memory file beside it. */
#define SPAWN_INLINE_MAX 49152U
/* Largest message either way; well below the socket's default buffer of 208 KiB. */
#define SPAWN_MESSAGE_MAX 65536U
/* Limits of a start: those of the request, and one of descriptors where that has none. */
#define SPAWN_MAX_LIMITS (RLIM_NLIMITS + 1U)
/* Descriptors beside a start: in the order of their flags, where present. */
#define SPAWN_MAX_FDS 6U
/* Longest note that is kept with a command. */
#define SPAWN_NOTE_MAX 32768U
/* Commands that one SPAWN_DONE is about. */
#define SPAWN_MAX_DONE 256U
/* Processes that a command has left are counted up to here. */
#define SPAWN_LEFT_MAX 256U
/*
 * Commands that are over and whose processes are let be (SPAWN_KILL_PROCESS). A look for strays compares each
 * process with each of these. Where there are so many, no more commands of that sort are started.
 */
#define SPAWN_SPARED_MAX 512U

/* --- requests --- */

typedef enum SpawnRequestType {
        SPAWN_START = 1,
        SPAWN_SIGNAL, /* ARGUMENT to the process group */
        SPAWN_STOP,   /* kill signal, and SIGKILL after the time given at the start, to whom the flags of that
                       * say; not later than ARGUMENT ms where that is above 0 */
        SPAWN_PING,   /* is answered by SPAWN_PONG with the same argument; slot and serial are 0 */
        SPAWN_DONE,   /* ARGUMENT SpawnNames follow: what was kept of these is not needed any more */
        SPAWN_CAPTURED, /* the memory file beside it has what was read of output so far, see SPAWN_CAPTURE_HEADER */
        SPAWN_LIST,   /* asked by another taktd than the one that started the commands: SPAWN_HELLO with this
                       * serial, a SPAWN_HELD for all that is kept, SPAWN_LISTED. What is not kept is stopped, and has
                       * an empty note. */
} SpawnRequestType;

/* Every request begins with this; all but SPAWN_START and SPAWN_DONE are no more than this. */
typedef struct SpawnHeader {
        uint32_t type;
        uint32_t slot;
        uint32_t serial; /* tells one use of a slot from the next */
        int32_t argument;
} SpawnHeader;

typedef struct SpawnName {
        uint32_t slot;
        uint32_t serial;
} SpawnName;

/* A capture's memory file: how many bytes were dropped, in so many bytes, then those that are kept. */
#define SPAWN_CAPTURE_HEADER ((off_t)sizeof(uint64_t))

enum {
        SPAWN_WITH_INPUT = 1 << 0, /* a descriptor is beside the message */
        SPAWN_WITH_OUTPUT = 1 << 1,
        SPAWN_WITH_ERROR = 1 << 2,
        SPAWN_WITH_PAYLOAD = 1 << 3,
        SPAWN_WITH_OUTPUT_END = 1 << 4, /* the ends that are read, to be kept beside the note */
        SPAWN_WITH_ERROR_END = 1 << 5,
        SPAWN_SET_UMASK = 1 << 6,
        SPAWN_SET_NICE = 1 << 7,
        SPAWN_KEEP = 1 << 8, /* note, ends and exit are kept until SPAWN_DONE, or the slot's next use */
        SPAWN_EXIT_CGROUP = 1 << 9, /* it goes on until the last process that belongs to it has ended */
        /* Who is ended with it, instead of all that belongs to it; at most one of these. */
        SPAWN_KILL_MIXED = 1 << 10,   /* all, but the kill signal is for the main process alone */
        SPAWN_KILL_PROCESS = 1 << 11, /* the main process alone */
        SPAWN_STARTS_NOTHING = 1 << 12, /* so no process whose owner is unknown can be its */
        _SPAWN_FLAGS = (1 << 13) - 1,
};

typedef struct SpawnStart {
        SpawnHeader header;
        uint32_t flags;
        uint32_t n_arguments;
        uint32_t n_environment;
        uint32_t n_limits;
        uint32_t umask;
        int32_t nice;
        int32_t kill_signal;
        uint32_t payload_size;
        uint64_t kill_after_usec;
} SpawnStart;

typedef struct SpawnWireLimit {
        uint64_t resource;
        uint64_t soft;
        uint64_t hard;
} SpawnWireLimit;

/* A payload taken apart; strings lie in the payload, vectors in one allocation. */
typedef struct SpawnPayload {
        SpawnWireLimit limits[SPAWN_MAX_LIMITS];
        const char *directory;
        const char *mark; /* "" for none */
        const char *note; /* the same */
        char **argv;      /* NULL-terminated; what is to be freed */
        char **environment;
} SpawnPayload;

void spawn_payload_deinit(SpawnPayload *payload);
#define SPAWN_PAYLOAD_NULL ((SpawnPayload){})

/* A payload is its limits, directory, mark, note, arguments and environment, appended in this order. */
int spawn_payload_append_limit(Buffer *payload, const SpawnWireLimit *limit);
int spawn_payload_append_string(Buffer *payload, const char *s);

/*
 * The header and, for SPAWN_START, the fixed part of the N bytes of MESSAGE. Returns the type, or
 * -EBADMSG. The inline payload, where there is one, begins at sizeof(SpawnStart) and fits.
 */
int spawn_request_decode(const void *message, size_t n, SpawnStart *ret);
/* Takes the payload of START apart. 0, -EBADMSG, -ENOMEM. */
int spawn_payload_decode(const SpawnStart *start, const char *data, size_t n, SpawnPayload *ret);
/* How many descriptors belong beside a message with these FLAGS. */
unsigned spawn_flags_n_fds(uint32_t flags);

/* --- reports --- */

typedef enum SpawnReportType {
        SPAWN_HELLO = 1, /* first of all; STATUS is the version */
        SPAWN_STARTED,   /* PID exists */
        SPAWN_EXITED,    /* reaped, or never started where ERROR is set; implies SPAWN_STARTED where PID is set */
        SPAWN_GONE,      /* the last of the process group is gone, after an exit with SPAWN_GROUP_LEFT */
        SPAWN_STRAY,     /* PID outlived its command and is being ended */
        SPAWN_PONG,      /* STATUS is the argument of a SPAWN_PING */
        SPAWN_HELD,      /* a message of its own: as SPAWN_EXITED where it has exited, its note and a NUL, and descriptors */
        SPAWN_LISTED,    /* the end of those */
        _SPAWN_REPORT_MAX,
} SpawnReportType;

enum {
        SPAWN_GROUP_LEFT = 1 << 0, /* others of the group live on; the slot stays in use until SPAWN_GONE */
        SPAWN_KILLED = 1 << 1,     /* SIGKILL had to follow the kill signal */
        SPAWN_HELD_EXITED = 1 << 2,
        SPAWN_HELD_STOPPING = 1 << 3,
        SPAWN_HELD_OUTPUT = 1 << 4, /* descriptors beside it, in this order */
        SPAWN_HELD_ERROR = 1 << 5,
        SPAWN_HELD_CAPTURED = 1 << 6,
};

/* What can fail on the way to a command; the names are in one table. */
typedef enum SpawnStage {
        SPAWN_STAGE_NONE,
        SPAWN_STAGE_REQUEST,
        SPAWN_STAGE_FORK,
        SPAWN_STAGE_SESSION,
        SPAWN_STAGE_STDIO,
        SPAWN_STAGE_LIMIT,
        SPAWN_STAGE_NICE,
        SPAWN_STAGE_CHDIR,
        SPAWN_STAGE_EXEC,
        _SPAWN_STAGE_MAX,
} SpawnStage;

/* "chdir"; NULL for none. */
const char *spawn_stage_to_string(SpawnStage stage);

typedef struct SpawnReport {
        uint32_t type;
        uint32_t slot;
        uint32_t serial;
        int32_t pid;
        uint32_t flags;
        uint32_t stage;
        int32_t error; /* positive errno */
        int32_t code;  /* CLD_… */
        int32_t status;
        uint32_t left;  /* of SPAWN_EXITED: processes that belong to it and were still there */
        uint64_t user_usec;
        uint64_t system_usec;
        uint64_t max_resident; /* bytes */
} SpawnReport;

#define SPAWN_REPORTS_MAX (SPAWN_MESSAGE_MAX / sizeof(SpawnReport))

/* How many reports a message of N bytes holds, or -EBADMSG. */
int spawn_reports_count(size_t n);
/*
 * A message that may be a SPAWN_HELD: 1 with its note, which lies in MESSAGE, 0 where it is another one,
 * -EBADMSG.
 */
int spawn_held_decode(const void *message, size_t n, SpawnReport *ret, const char **ret_note);
/* How many descriptors belong beside it. */
unsigned spawn_held_n_fds(uint32_t flags);
/* Report I of MESSAGE. 0, -EBADMSG for one that can't be true. */
int spawn_report_decode(const void *message, size_t i, SpawnReport *ret);
