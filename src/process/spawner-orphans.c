/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a dead helper left: its children, which are ours now.
 *
 * Usually all children that are no helpers came from one. Not so where this process had children before it started any,
 * such as those of a shell that exec'd it, or where it is the first process of a container, which gets all orphans of that.
 * Then only those are the helper's that have the session of a command that it had, or the mark of one.
 */
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/children.h"
#include "process/helper.h"
#include "process/spawner-internal.h"

/* Between two looks, doubled each time. */
#define ORPHANS_MIN_USEC (10 * USEC_PER_MSEC)
#define ORPHANS_MAX_USEC (1 * USEC_PER_SEC)
/* So many are stopped, with what came meanwhile in so many more looks, and then killed: the loop waits for it. */
#define ORPHANS_A_TURN 512U
#define ORPHANS_LOOKS_MAX 8U

int spawner_note_children(Spawner *spawner)
{
        _cleanup_free_ pid_t *pids = NULL;
        size_t n;
        int r;

        r = children_list(&pids, &n);
        if (r < 0)
                return r;
        spawner->since_ticks = process_ticks_now();
        spawner->has_others = getpid() == 1;
        for (size_t i = 0; i < n; i++)
                spawner->has_others = spawner->has_others || !helper_is_known(pids[i]);
        return 0;
}

/* The variables that commands are marked by. What this process has of them itself, others may have from it. */
static bool has_mark(pid_t pid)
{
        static const char *const names[] = { SPAWN_MARK_RUN, SPAWN_MARK_PROCESS };
        _cleanup_buffer_ Buffer environment = BUFFER_NULL;

        if (process_environment_read(pid, &environment) < 0)
                return false;
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                const char *entry = process_environment_find(&environment, names[i]), *ours = getenv(names[i]);

                if (entry && !(ours && streq(strchr(entry, '=') + 1, ours)))
                        return true;
        }
        return false;
}

void spawner_note_sessions(Spawner *spawner)
{
        free(spawner->sessions);
        spawner->n_sessions = 0;
        spawner->sessions = spawner->has_others && spawner->n_used > 0 ? new0(pid_t, spawner->n_used) : NULL;
        for (uint32_t i = 0; spawner->sessions && i < spawner->n_slots; i++)
                if (spawner->slots[i].used && spawner->slots[i].pid > 0)
                        spawner->sessions[spawner->n_sessions++] = spawner->slots[i].pid;
}

static bool was_session(const Spawner *spawner, pid_t session)
{
        for (size_t i = 0; i < spawner->n_sessions; i++)
                if (spawner->sessions[i] == session)
                        return true;
        return false;
}

/* Whether the child PID, which is as STAT says, was the helper's. */
static bool is_orphan(const Spawner *spawner, pid_t pid, const ProcessStat *stat)
{
        if (helper_is_known(pid))
                return false;
        if (!spawner->has_others)
                return true;
        return stat->start_ticks >= spawner->since_ticks && (was_session(spawner, stat->session) || has_mark(pid));
}

static bool find_orphan(const Spawner *spawner, pid_t pid, ProcessId *ret)
{
        ProcessStat stat;

        if (process_stat_read(pid, &stat) < 0 || !is_orphan(spawner, pid, &stat))
                return false;
        *ret = (ProcessId){ .pid = pid, .start_ticks = stat.start_ticks };
        return true;
}

/* One that has ended does not tell any more whose it was, and nobody else will reap it. */
static bool is_to_be_reaped(const Spawner *spawner, pid_t pid)
{
        ProcessStat stat;

        return !helper_is_known(pid) && process_stat_read(pid, &stat) >= 0 &&
                (process_stat_is_over(&stat) || is_orphan(spawner, pid, &stat));
}

/* How many were not in SET; -errno. */
static int stop_orphans(const Spawner *spawner, ProcessSet *set)
{
        _cleanup_free_ pid_t *pids = NULL;
        size_t n, stopped = 0;
        int r = children_list(&pids, &n);

        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                ProcessId id;

                if (find_orphan(spawner, pids[i], &id) && process_set_stop(set, &id))
                        stopped++;
        }
        return (int)(stopped + process_set_stop_descendants(set));
}

/* Kills and reaps those that were the helper's. How many there were; -errno. */
static int end_orphans(Spawner *spawner, size_t *ret_left)
{
        _cleanup_free_ pid_t *pids = NULL;
        ProcessSet set = { .max = ORPHANS_A_TURN };
        size_t n, left = 0;
        int r, found = 0;

        for (unsigned i = 0; i < ORPHANS_LOOKS_MAX && stop_orphans(spawner, &set) > 0; i++)
                ;
        process_set_kill(&set);
        r = children_list(&pids, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                if (!is_to_be_reaped(spawner, pids[i]))
                        continue;
                found++;
                if (waitpid(pids[i], NULL, WNOHANG) == 0)
                        left++;
                else
                        spawner->status.n_strays++;
        }
        *ret_left = left;
        return found;
}

static void look_for_orphans(Spawner *spawner)
{
        size_t left = 0;
        int found = end_orphans(spawner, &left);

        /*
         * One that was reaped may have left children of its own, and the list may miss some while it
         * changes: only several looks in a row that find nothing are the end.
         */
        spawner->orphans_unseen = found == 0 ? spawner->orphans_unseen + 1 : 0;
        if (spawner->orphans_unseen >= SPAWNER_ORPHANS_LOOKS)
                return;
        if (found > 0 && left == (size_t)found)
                spawner->orphans_delay = MIN(2 * spawner->orphans_delay, ORPHANS_MAX_USEC);
        else
                spawner->orphans_delay = ORPHANS_MIN_USEC;
        spawner_arm(spawner, &spawner->orphans, spawner->orphans_delay);
}

void spawner_wait_for_orphans(Spawner *spawner, usec_t max)
{
        size_t left;

        for (usec_t waited = 0; spawner->orphans_unseen < SPAWNER_ORPHANS_LOOKS && waited < max;
             waited += ORPHANS_MIN_USEC) {
                if (end_orphans(spawner, &left) == 0)
                        spawner->orphans_unseen++;
                else
                        (void)poll(NULL, 0, ORPHANS_MIN_USEC / USEC_PER_MSEC);
        }
}

void spawner_end_orphans(Spawner *spawner)
{
        spawner->orphans_delay = ORPHANS_MIN_USEC;
        spawner->orphans_unseen = 0;
        look_for_orphans(spawner);
}

void spawner_on_orphans(Timer *timer, _unused_ usec_t now)
{
        Spawner *spawner = container_of(timer, Spawner, orphans);

        spawner_arm(spawner, &spawner->orphans, USEC_INFINITY);
        look_for_orphans(spawner);
}
