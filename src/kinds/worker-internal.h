/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* A run of Type=worker, which three files share: its process (worker.c), what that says and what it is told. */

#include "job/job.h"
#include "kinds/environment-fetch.h"
#include "kinds/worker-config.h"

typedef struct WorkerRun {
        EnvironmentFetch *fetch;
        SpawnedCommand *command;
        pid_t pid;
        int input_fd; /* what it reads; -1: closed */
        int output_fd;
        IoSource *input_io;
        IoSource *output_io;
        Buffer input;   /* sent, not written yet */
        Buffer pending; /* sent while a process is being replaced, or not there yet: for the next one */
        Buffer output;  /* a line that has begun */
        bool skipping;  /* of a line that is too long, up to its end */
        bool closing;   /* its input is closed once all is written */
        bool closed;    /* asked for: no process comes after this one */
        bool stopped;   /* asked to end */
        bool begun;     /* started at all */
        bool is_stale;
        unsigned n_requests; /* of this process */
        unsigned n_pending;  /* of those that wait for the next */

        usec_t second_boottime; /* in which these two were counted */
        unsigned n_in_second;
        unsigned n_left; /* processes that outlived the one that was started */
        size_t bytes_in_second;
        uint64_t lost_told, garbage_told, too_long_told;
        Timer resume; /* reading, after a flood */
        Timer idle;
        Timer stale;
        usec_t value_boottime; /* when the last value came, or it began */
        usec_t active_boottime;

        uint64_t n_values, n_sent, n_lost, n_garbage, n_too_long, n_partial, n_stale, n_processes;
        char last_line[COMMAND_QUOTE_MAX + 1];
} WorkerRun;

static inline usec_t worker_now(const Run *run)
{
        return clock_boottime(run->services->clock);
}

static inline CommandLog *worker_log(Run *run)
{
        WorkerConfig *config = run->spec->config;

        return &config->log;
}

/* --- worker-output.c: what it says --- */

void worker_output_init(WorkerRun *w);
/* Arms the timer of StaleSec=. 0 or -ENOMEM. */
int worker_output_start(Run *run, WorkerRun *w);
/* For the loop: there is output to be read, of the WorkerRun USERDATA. */
void worker_on_output(IoSource *source, int fd, unsigned events, void *userdata);
/* The process has gone: reads what it left in the pipe, and forgets a line that has no end. */
void worker_output_drain(Run *run, WorkerRun *w);
/* Tells what was not taken since this was told last. */
void worker_tell_dropped(Run *run, WorkerRun *w);
void worker_output_deinit(Run *run, WorkerRun *w);

/* --- worker-input.c: what it is told --- */

void worker_input_init(WorkerRun *w);
/* Arms the timer of IdleSec=. 0 or -ENOMEM. */
int worker_input_start(Run *run, WorkerRun *w);
/* For the loop: the WorkerRun USERDATA may be written to. */
void worker_on_input(IoSource *source, int fd, unsigned events, void *userdata);
/* Closes the pipe; what was not written is forgotten. */
void worker_input_close(WorkerRun *w);
/* There is a new process: it is sent what waited for it. */
void worker_input_renew(Run *run, WorkerRun *w);
/* As send() of a kind, job/kind.h. */
int worker_send(Run *run, const RunMessage *message, size_t *ret_unsent);
void worker_input_deinit(Run *run, WorkerRun *w);
