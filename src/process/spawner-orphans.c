/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a dead helper left: its children, which are ours now.
 *
 * Usually all children that are no helpers came from one. Not so where this process had children before it
 * started any, such as those of a shell that exec'd it, or where it is the first process of a container,
 * which gets all orphans of that. Then only those are the helper's that have the session of a command that it
 * had, or the mark of one.
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
/*
 * So many are stopped, with what came meanwhile in so many more looks, and then killed; and so many children
 * are asked for in all of these. The loop waits for it, so the rest has its turn later.
 */
#define ORPHANS_A_TURN 32U
#define ORPHANS_LOOKS_MAX 8U
#define ORPHANS_CHILDREN_A_TURN 192U

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

/*
 * The variables that commands are marked by. What this process has of them itself, others may have from it.
 * -EAGAIN while PID is being exec'd.
 */
static int has_mark(pid_t pid)
{
        static const char *const names[] = { SPAWN_MARK_RUN, SPAWN_MARK_PROCESS };
        _cleanup_buffer_ Buffer environment = BUFFER_NULL;
        int r = process_environment_read(pid, &environment);

        if (r < 0)
                return r == -EAGAIN ? r : false;
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

/*
 * Whether the child PID, which is as STAT says, was the helper's; -EAGAIN where that can be told in a moment.
 */
static int is_orphan(const Spawner *spawner, pid_t pid, const ProcessStat *stat)
{
        if (!spawner->has_others)
                return true;
        if (stat->start_ticks < spawner->since_ticks)
                return false;
        return was_session(spawner, stat->session) ? true : has_mark(pid);
}

/* What was done in a turn. */
typedef struct OrphanTurn {
        ProcessSet set; /* who is stopped, and then killed */
        size_t n_asked; /* children */
        size_t n_reaped;
        size_t n_undecided;
} OrphanTurn;

/*
 * Reaps PID where it has ended: then it does not tell any more whose it was, and nobody else will. Or stops
 * it.
 */
static void take_child(const Spawner *spawner, OrphanTurn *turn, pid_t pid)
{
        ProcessStat stat;
        int r;

        if (helper_is_known(pid) || process_stat_read(pid, &stat) < 0)
                return;
        if (process_stat_is_over(&stat)) {
                if (waitpid(pid, NULL, WNOHANG) > 0)
                        turn->n_reaped++;
                return;
        }
        r = is_orphan(spawner, pid, &stat);
        if (r > 0)
                (void)process_set_stop(&turn->set, &(ProcessId){ .pid = pid, .start_ticks = stat.start_ticks });
        else if (r == -EAGAIN)
                turn->n_undecided++;
}

/*
 * How many were not in the set; -errno. A look goes on where the one before it has come to, and from the end
 * to the beginning.
 */
static int stop_orphans(Spawner *spawner, OrphanTurn *turn)
{
        _cleanup_free_ pid_t *pids = NULL;
        size_t n, n_before = turn->set.n;
        int r = children_list(&pids, &n);

        if (r < 0)
                return r;
        turn->n_undecided = 0;
        for (size_t i = 0; i < n && turn->n_asked < ORPHANS_CHILDREN_A_TURN && turn->set.n < turn->set.max; i++) {
                take_child(spawner, turn, pids[spawner->orphans_at++ % n]);
                turn->n_asked++;
        }
        spawner->n_children = n;
        if (turn->set.n > n_before)
                (void)process_set_stop_descendants(&turn->set);
        return (int)(turn->set.n - n_before);
}

/* Whether one that is being exec'd is waited for still. */
static bool waits_for_exec(const Spawner *spawner)
{
        return usec_sub(clock_boottime(clock_system()), spawner->orphans_begun) < PROCESS_EXEC_USEC;
}

/*
 * Kills and reaps those that were the helper's. How many there were, with those that may have been; -errno.
 * RET_LEFT: so many of them go on although all were asked for, and 0 where there may be more.
 */
static int end_orphans(Spawner *spawner, size_t *ret_left)
{
        OrphanTurn turn = { .set.max = ORPHANS_A_TURN };
        size_t found;
        int r = 0;

        for (unsigned i = 0; i < ORPHANS_LOOKS_MAX; i++) {
                r = stop_orphans(spawner, &turn);
                if (r <= 0)
                        break;
        }
        found = turn.set.n + (waits_for_exec(spawner) ? turn.n_undecided : 0);
        *ret_left = turn.set.n < turn.set.max && turn.n_asked < ORPHANS_CHILDREN_A_TURN ? found : 0;
        process_set_kill(&turn.set);
        if (r < 0)
                return r;
        spawner->orphans_passed += turn.n_asked;
        return (int)(found + turn.n_reaped);
}

/* Looks once, and counts the looks through all children in a row that found none. */
static int look_once(Spawner *spawner, size_t *ret_left)
{
        int found = end_orphans(spawner, ret_left);

        if (found != 0)
                spawner->orphans_unseen = 0;
        else if (spawner->orphans_passed >= spawner->n_children)
                spawner->orphans_unseen++;
        if (found != 0 || spawner->orphans_passed >= spawner->n_children)
                spawner->orphans_passed = 0;
        return found;
}

static void look_for_orphans(Spawner *spawner)
{
        size_t left = 0;
        int found = look_once(spawner, &left);

        /*
         * One that was reaped may have left children of its own, and the list may miss some while it
         * changes: only several looks in a row that find nothing are the end.
         */
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

        spawner->orphans_begun = clock_boottime(clock_system());
        spawner->orphans_passed = 0;
        for (usec_t waited = 0; spawner->orphans_unseen < SPAWNER_ORPHANS_LOOKS && waited < max;
             waited += ORPHANS_MIN_USEC) {
                if (look_once(spawner, &left) != 0)
                        (void)poll(NULL, 0, ORPHANS_MIN_USEC / USEC_PER_MSEC);
        }
}

void spawner_end_orphans(Spawner *spawner)
{
        spawner->orphans_delay = ORPHANS_MIN_USEC;
        spawner->orphans_unseen = 0;
        spawner->orphans_passed = 0;
        spawner->orphans_begun = clock_boottime(clock_system());
        look_for_orphans(spawner);
}

bool spawner_is_ending_orphans(const Spawner *spawner)
{
        return timer_is_armed(&spawner->orphans) && spawner->orphans.due_boottime != USEC_INFINITY;
}

void spawner_on_orphans(Timer *timer, _unused_ usec_t now)
{
        Spawner *spawner = container_of(timer, Spawner, orphans);

        spawner_arm(spawner, &spawner->orphans, USEC_INFINITY);
        look_for_orphans(spawner);
}
