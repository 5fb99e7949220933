/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What /proc says of processes and their children: those that a subreaper has inherited among them. */

#include "base/buffer.h"
#include "base/clock.h"

/* The processes whose parent is this one, zombies too. The caller frees. 0, -ENOMEM, errno. */
int children_list(pid_t **ret, size_t *ret_n);
/* The same of process PID. -ESRCH where it is gone. */
int process_children(pid_t pid, pid_t **ret, size_t *ret_n);
/* The numbers of TEXT, up to what is none, as such files of the kernel list them. -ENOMEM. */
int pid_list_parse(const char *text, pid_t **ret, size_t *ret_n);

/*
 * Processes that get a signal each as they are found (0: none), and others once all are. To be killed they are stopped
 * first: a process that was sent SIGSTOP makes no other one, so that whoever makes new ones all the time is caught with the
 * last of them. A signal that ends them comes once all are found, as the children of one that has ended are another's.
 * A set has room for MAX, begins with nothing else, and is freed by process_set_end().
 */
typedef struct ProcessSet {
        size_t max;
        pid_t *pids;
        size_t n;
        size_t n_allocated;
} ProcessSet;

/* Sends SIGNO to PID and all that descend from it, as far as there is room. True where PID was not in SET. */
bool process_set_add(ProcessSet *set, pid_t pid, int signo);
void process_set_signal(const ProcessSet *set, int signo);
void process_set_end(ProcessSet *set, int signo);

typedef struct ProcessStat {
        char state; /* 'R', 'S', 'Z', … */
        pid_t parent;
        pid_t group;
        pid_t session;
        unsigned n_threads;
        uint64_t start_ticks; /* clock ticks after boot, on CLOCK_BOOTTIME */
} ProcessStat;

/* Whether it has ended and waits to be reaped. One whose first thread alone has ended looks nearly the same, and goes on. */
static inline bool process_stat_is_over(const ProcessStat *stat)
{
        return stat->state == 'Z' && stat->n_threads <= 1;
}

/* Takes the text of /proc/PID/stat apart, see proc(5). 0, -EBADMSG. */
int process_stat_parse(const char *text, ProcessStat *ret);
/* -ESRCH or -ENOENT where PID is gone. */
int process_stat_read(pid_t pid, ProcessStat *ret);
/* Now, and a time on CLOCK_BOOTTIME, as process_stat_read() counts it. */
uint64_t process_ticks_now(void);
uint64_t process_ticks_at(usec_t boottime);

/* Appends the environment that PID was exec'd with, "NAME=value" and a NUL each. -EACCES and the like. */
int process_environment_read(pid_t pid, Buffer *ret);
/* Whether such an ENVIRONMENT holds ENTRY. */
bool process_environment_has(const Buffer *environment, const char *entry);
