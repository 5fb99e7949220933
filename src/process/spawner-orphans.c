/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a dead helper left: its children, which are ours now. */
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "process/children.h"
#include "process/helper.h"
#include "process/spawner-internal.h"

/* Between two looks, doubled each time. */
#define ORPHANS_MIN_USEC (10 * USEC_PER_MSEC)
#define ORPHANS_MAX_USEC (1 * USEC_PER_SEC)
/* So many are stopped, with what came meanwhile in so many more looks, and then killed: the loop waits for it. */
#define ORPHANS_A_TURN 512U
#define ORPHANS_LOOKS_MAX 8U

static bool find_orphan(pid_t pid, ProcessId *ret)
{
        ProcessStat stat;

        if (helper_is_known(pid) || process_stat_read(pid, &stat) < 0)
                return false;
        *ret = (ProcessId){ .pid = pid, .start_ticks = stat.start_ticks };
        return true;
}

/* How many were not in SET; -errno. */
static int stop_orphans(ProcessSet *set)
{
        _cleanup_free_ pid_t *pids = NULL;
        size_t n, stopped = 0;
        int r = children_list(&pids, &n);

        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                ProcessId id;

                if (find_orphan(pids[i], &id) && process_set_stop(set, &id))
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

        for (unsigned i = 0; i < ORPHANS_LOOKS_MAX && stop_orphans(&set) > 0; i++)
                ;
        process_set_kill(&set);
        r = children_list(&pids, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                if (helper_is_known(pids[i]))
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
