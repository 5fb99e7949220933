/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * A command as a pool of warm processes: each reads a line, answers with a line, and takes the next.
 * What the lines say is the caller's business. Order is kept within a process; a call whose process
 * dies fails, those that wait behind it in the same process are given to another.
 */

#include "process/spawner.h"

typedef struct Pool Pool;
typedef struct PoolCall PoolCall;

/* Processes of one pool. */
#define POOL_MAX_PROCESSES 4096U
/* A process that died before it answered anything is replaced after this time, doubled each time up to the maximum. */
#define POOL_RESTART_MIN_USEC (100 * USEC_PER_MSEC)
#define POOL_RESTART_MAX_USEC (10 * USEC_PER_SEC)
/* How long a process has to exit once its input was closed, before it is stopped. */
#define POOL_EXIT_USEC (5 * USEC_PER_SEC)

typedef struct PoolConfig {
        /*
         * The command; everything it points to must outlive the pool. Its input, output and mark are the
         * pool's and ignored here; error_output is as said, its lines told by `line`. Each process has
         * TAKT_PROCESS= in its environment as its mark.
         */
        SpawnRequest command;
        unsigned min_processes; /* kept ready from the start */
        unsigned max_processes; /* 1…POOL_MAX_PROCESSES, no less than min_processes */
        unsigned max_pipelined; /* calls that one process may hold, where all are busy; 0: 1 */
        unsigned max_queued;    /* calls that wait for a process; more are refused */
        uint64_t max_requests;  /* a process is replaced after so many; 0: never */
        usec_t idle;            /* a process above min_processes that had no call for so long is ended; 0: never */
        size_t max_answer;      /* bytes of a line; a longer one ends the process */
        /* A call whose process has to be ended is answered once that is gone: till then it may still do what it was asked. */
        bool answer_after_exit;
        /*
         * Whether N bytes LINE are the answer to CALL: negative where they are not, which ends the process.
         * May keep what it made of them for the answer's callback, and must not free the call. NULL: all are.
         */
        int (*check)(PoolCall *call, const char *line, size_t n, void *userdata);
        /* A line of a process's error output, with the call that it has in work (NULL: none). May be NULL. */
        void (*line)(PoolCall *call, pid_t pid, const char *line, size_t n, void *userdata);
        void *userdata;
} PoolConfig;

typedef struct PoolStatus {
        unsigned n_processes;
        unsigned n_idle;
        unsigned n_queued;   /* calls that wait for a process */
        unsigned n_calls;    /* all that are not over */
        uint64_t n_started;  /* processes */
        uint64_t n_deaths;   /* of processes that were not asked to end */
        uint64_t n_recycled; /* after max_requests */
        uint64_t n_answers;
        uint64_t n_timeouts;
        uint64_t n_stopped; /* calls whose process was ended by pool_call_stop() */
        uint64_t n_late;    /* answers to calls that were given up */
        /* For these the process was ended: */
        uint64_t n_unasked;  /* lines that answered no call */
        uint64_t n_wrong;    /* answers that `check` refused */
        uint64_t n_too_long; /* answers of more than max_answer bytes */
        uint64_t n_partial;  /* of the deaths: in the middle of a line */
} PoolStatus;

/*
 * How a call ended. ERROR 0: ANSWER is the line without its newline. -ETIMEDOUT: not in time; the
 * process that had it is ended. -EPIPE: its process died or closed its output. -EMSGSIZE: the answer
 * was longer than max_answer. -EBADMSG: it was refused by `check`. -ECANCELED: pool_call_cancel(), or the pool takes
 * no more calls. Any other: no process could be started.
 */
typedef void (*PoolAnswer)(PoolCall *call, int error, const char *answer, size_t n, void *userdata);

/* 0, -EINVAL for a configuration that is none, or what spawner_start() says of the first processes. */
int pool_new(Loop *loop, Spawner *spawner, const PoolConfig *config, Pool **ret);
/* Ends the processes. Calls that are left are not answered, but still to be freed. Not from a callback. */
Pool *pool_free(Pool *pool);
DEFINE_CLEANUP(Pool *, pool_free);

/*
 * Asks with LINE (N bytes, no newline in them, copied). TIMEOUT is from now on, time in the queue
 * included; USEC_INFINITY: none. The answer comes from the loop, never from within this call. 0,
 * -EAGAIN where the queue is full, -EINVAL, -ENOMEM.
 */
int pool_call(Pool *pool, const char *line, size_t n, usec_t timeout, PoolAnswer answer, void *userdata, PoolCall **ret);
/* The process that has CALL in work; 0 where it waits for one, or that is only just started. */
pid_t pool_call_pid(const PoolCall *call);
void *pool_call_userdata(const PoolCall *call);
/* Gives the call up, and ends the process that has it in work. Frees it; the answer is not called. Fine where it was. */
PoolCall *pool_call_stop(PoolCall *call);
/*
 * Asks for the end of a call, and for that of the process that has it in work. The answer is -ECANCELED, unless something
 * else ends the call first; it may come from within this call.
 */
void pool_call_cancel(PoolCall *call);
/* Before the answer: the call is given up; what a process may still say to it is dropped. Fine in the callback. */
PoolCall *pool_call_free(PoolCall *call);
DEFINE_CLEANUP(PoolCall *, pool_call_free);

/*
 * Takes no more calls and asks the processes to end, by the end of their input; one that has a call in
 * work is stopped, and calls end with -ECANCELED. DRAINED is called from the loop once no process is
 * left, unless the pool is freed before; it may free it.
 */
void pool_drain(Pool *pool, void (*drained)(Pool *pool, void *userdata), void *userdata);

void pool_get_status(const Pool *pool, PoolStatus *ret);
