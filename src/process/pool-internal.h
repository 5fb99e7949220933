/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What pool.c (calls and their queue) and pool-process.c (the life of a process) share. */

#include "base/list.h"
#include "process/pool.h"

#define POOL_MARK_MAX 48U

typedef struct PoolProcess PoolProcess;

/* Lives until its owner has freed it and no process owes it an answer. */
struct PoolCall {
        Pool *pool;           /* NULL: it is over */
        List siblings;        /* in the queue, or in its process */
        PoolProcess *process; /* that owes the answer */
        bool told;            /* the owner has heard of its end */
        bool freed;           /* the owner asks no more */
        usec_t patience;      /* its timeout */
        Timer timeout;
        PoolAnswer answer;
        void *userdata;
        size_t n;
        char line[];
};

struct PoolProcess {
        Pool *pool;
        List processes; /* in one of the pool's lists */
        SpawnedCommand *command;
        int input_fd; /* what it reads */
        int output_fd;
        IoSource *input_io;
        IoSource *output_io;
        List calls; /* oldest first: the order of the answers */
        unsigned n_calls;
        uint64_t n_requests;
        bool answered; /* at least once */
        bool ending;
        bool asked; /* to end, by us */
        bool dead;  /* without having been asked */
        bool exited;
        int error;  /* that its first call fails with, which is told once it has exited; 0: none */
        Buffer input;  /* to be written … */
        size_t written; /* … but for so many bytes */
        Buffer output; /* a line that has begun */
        char mark[POOL_MARK_MAX]; /* in its environment: what it leaves behind is known by it */
        Deferred flush;
        Timer timer; /* idle, or ending */
};

struct Pool {
        Loop *loop;
        Spawner *spawner;
        PoolConfig config;
        List idle; /* the one that worked last is first */
        List room;
        List full;
        List ending;
        unsigned n_processes; /* that are not ending */
        unsigned n_ending;
        List queue;
        usec_t backoff;
        Timer restart; /* armed: no process is started before */
        Deferred dispatch;
        int start_error;
        bool draining; /* takes no more calls, starts no more processes */
        void (*drained)(Pool *pool, void *userdata);
        void *drained_userdata;
        PoolStatus status;
};

/* --- pool.c --- */

/* The call is over: out of queue and process. Tells its owner, unless that was done. */
void pool_call_finish(PoolCall *call, int error, const char *answer, size_t n);
/* Ends the calls that wait for a process. */
void pool_fail_queue(Pool *pool, int error);

/* --- pool-process.c --- */

/* Starts a process, which is idle then. What spawner_start() and pipe2() say. */
int pool_process_new(Pool *pool);
/* Ends the process at once. Its calls must be gone. */
PoolProcess *pool_process_free(PoolProcess *process);
/* Hands CALL to the process, which writes it later in this turn. -ENOMEM. */
int pool_process_ask(PoolProcess *process, PoolCall *call);
/* Asks a process without a call to end, by the end of its input. */
void pool_process_close(PoolProcess *process);
/*
 * The process will not answer any more. Its first call, which it had in work, fails, now or when it has exited
 * (answer_after_exit); the others go back to the head of the queue in their order.
 */
void pool_process_fail(PoolProcess *process, int error);
/* Starts nothing for a while: processes die, or can't be started, without ever having been of use. */
void pool_back_off(Pool *pool);
