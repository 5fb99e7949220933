/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What /proc says of processes and their children: those that a subreaper has inherited among them. */

#include "base/buffer.h"
#include "base/clock.h"

/* One process, told from a later one that has its number. */
typedef struct ProcessId {
        pid_t pid;
        uint64_t start_ticks;
} ProcessId;

static inline bool process_id_equal(const ProcessId *a, const ProcessId *b)
{
        return a->pid == b->pid && a->start_ticks == b->start_ticks;
}

/*
 * Who is whose child. The kernel lists the children of a process; one without CONFIG_PROC_CHILDREN does not,
 * and all processes have to be asked for their parents. That is done once, and answers for all that this tree
 * is asked for until it is freed.
 */
typedef struct ProcessTree {
        struct ProcessParent *parents;
        size_t n;
        size_t n_allocated;
        bool walked;
} ProcessTree;

void process_tree_deinit(ProcessTree *tree);
#define _cleanup_process_tree_ _cleanup_(process_tree_deinit)
/*
 * The numbers of the children of PID, zombies too. The caller frees. 0, -ESRCH where it is gone, -ENOMEM,
 * errno.
 */
int process_tree_list(ProcessTree *tree, pid_t pid, pid_t **ret, size_t *ret_n);
/*
 * The same of PARENT without zombies; all of them were its children while it was there, and no later owners
 * of their numbers.
 */
int process_tree_children(ProcessTree *tree, const ProcessId *parent, ProcessId **ret, size_t *ret_n);

/* The children of this process, and of PID, as of now; see process_tree_list(). */
int children_list(pid_t **ret, size_t *ret_n);
int process_children(pid_t pid, pid_t **ret, size_t *ret_n);
/* The numbers of TEXT, up to what is none, as such files of the kernel list them. -ENOMEM. */
int pid_list_parse(const char *text, pid_t **ret, size_t *ret_n);

/*
 * Sends SIGNO to this process and to no other one that has got its number. 0, -ESRCH where it is gone, errno.
 */
int process_signal(const ProcessId *id, int signo);

/*
 * Processes that are to be killed. They are stopped first, as one that is stopped makes no other one. A
 * fork() that is under way when the signal comes still succeeds, and its child is not stopped: whoever wants
 * the last of them looks again until nobody new is found. A set has room for MAX, begins with nothing else,
 * and is freed by process_set_kill(). Without memory it holds what was found before.
 */
typedef struct ProcessSet {
        size_t max;
        ProcessId *ids;
        size_t n;
        size_t n_allocated;
} ProcessSet;

/* Stops it. True where it was not in SET. */
bool process_set_stop(ProcessSet *set, const ProcessId *id);
/* Stops all that descend from what is in SET. How many were not in it. */
size_t process_set_stop_descendants(ProcessSet *set);
void process_set_kill(ProcessSet *set);

typedef struct ProcessStat {
        char state; /* 'R', 'S', 'Z', … */
        pid_t parent;
        pid_t group;
        pid_t session;
        unsigned n_threads;
        uint64_t start_ticks; /* clock ticks after boot, on CLOCK_BOOTTIME */
        bool executed; /* false while execve() is replacing the program: arguments and environment are not there yet */
} ProcessStat;

/*
 * Whether it has ended and waits to be reaped. One whose first thread alone has ended looks nearly the same,
 * and goes on.
 */
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

/*
 * One that is being exec'd for longer than this hangs in it, or does nothing else. Nothing waits any longer
 * for its environment, which may never be known.
 */
#define PROCESS_EXEC_USEC (2 * USEC_PER_SEC)
/*
 * Appends the environment that PID was exec'd with, "NAME=value" and a NUL each. -EACCES and the like, -ESRCH
 * where it is gone, -EAGAIN while it is being exec'd, when there is none to read.
 */
int process_environment_read(pid_t pid, Buffer *ret);
/* Whether such an ENVIRONMENT holds ENTRY. */
bool process_environment_has(const Buffer *environment, const char *entry);
/* The entry of the variable that ENTRY, "NAME=value", is one of; NULL where there is none. */
const char *process_environment_find(const Buffer *environment, const char *entry);
