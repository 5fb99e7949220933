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
#include <unistd.h>

#include "process/children.h"
#include "process/helper.h"
#include "process/spawner-internal.h"

/* The pause between two looks. It grows while none of them dies. */
#define ORPHANS_MIN_USEC (10 * USEC_PER_MSEC)
#define ORPHANS_MAX_USEC (1 * USEC_PER_SEC)
/*
 * So many are stopped, with what came meanwhile in so many more looks, and then killed; and so many children
 * are asked for in all of these. The loop waits for it, so the rest has its turn later.
 */
#define ORPHANS_A_TURN 32U
#define ORPHANS_LOOKS_MAX 8U
#define ORPHANS_CHILDREN_A_TURN 192U

static usec_t boottime(void)
{
        return clock_boottime(clock_system());
}

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

/* Nothing was learnt of a process for want of memory or of descriptors. These may be there in a moment. */
static bool is_shortage(int r)
{
        return r == -ENOMEM || r == -EMFILE || r == -ENFILE;
}

/*
 * The variables that commands are marked by. What this process has of them itself, others may have from it.
 * -EAGAIN while PID is being exec'd; see is_shortage().
 */
static int has_mark(pid_t pid)
{
        static const char *const names[] = { SPAWN_MARK_RUN, SPAWN_MARK_PROCESS };
        _cleanup_buffer_ Buffer environment = BUFFER_NULL;
        int r = process_environment_read(pid, &environment);

        if (r < 0)
                return r == -EAGAIN || is_shortage(r) ? r : false;
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
 * Whether the child PID was the helper's and goes on; -EAGAIN where that can be told in a moment; -errno.
 */
static int is_orphan(const Spawner *spawner, pid_t pid, ProcessId *ret)
{
        ProcessStat stat;
        int r = process_stat_read(pid, &stat);

        if (r < 0)
                return r;
        if (process_stat_is_over(&stat))
                return false;
        *ret = (ProcessId){ .pid = pid, .start_ticks = stat.start_ticks };
        if (!spawner->has_others)
                return true;
        if (stat.start_ticks < spawner->since_ticks)
                return false;
        return was_session(spawner, stat.session) ? true : has_mark(pid);
}

/* What was done in a turn. */
typedef struct OrphanTurn {
        ProcessSet set; /* who is stopped, and then killed */
        size_t n_asked; /* children */
        bool found;     /* one that goes on, or one of which nothing could be learnt */
        bool undecided; /* one that is being exec'd */
} OrphanTurn;

/* An orphan that there is no memory for is found, but not stopped, so that there is another look. */
static void take_child(const Spawner *spawner, OrphanTurn *turn, pid_t pid)
{
        ProcessId id;
        int r = helper_is_known(pid) ? false : is_orphan(spawner, pid, &id);

        if (r > 0)
                (void)process_set_stop(&turn->set, &id);
        turn->found = turn->found || r > 0 || is_shortage(r);
        turn->undecided = turn->undecided || r == -EAGAIN;
}

static bool may_ask(const OrphanTurn *turn)
{
        return turn->n_asked < ORPHANS_CHILDREN_A_TURN && turn->set.n < turn->set.max;
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
        for (size_t i = 0; i < n && may_ask(turn); i++) {
                if (spawner->orphans_at >= n)
                        spawner->orphans_at = 0;
                take_child(spawner, turn, pids[spawner->orphans_at++]);
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
        return usec_sub(boottime(), spawner->orphans_begun) < PROCESS_EXEC_USEC;
}

/* Kills those that were the helper's. Whether there were any, or may have been; -errno. */
static int kill_orphans(Spawner *spawner)
{
        OrphanTurn turn = { .set.max = ORPHANS_A_TURN };
        int r = 1;

        for (unsigned i = 0; i < ORPHANS_LOOKS_MAX && r > 0; i++)
                r = stop_orphans(spawner, &turn);
        process_set_kill(&turn.set);
        spawner->orphans_passed += turn.n_asked;
        if (r < 0)
                return r;
        return turn.found || (turn.undecided && waits_for_exec(spawner));
}

/* Whether any was reaped since this was asked before, be it here or where SIGCHLD is caught. */
static bool reap_orphans(Spawner *spawner)
{
        uint64_t n_before = spawner->n_reaped;

        (void)helper_reap_others();
        spawner->n_reaped = helper_n_reaped();
        return spawner->n_reaped != n_before;
}

/*
 * Looks at some children. True at the end of a pass: all have been looked at, or can't be listed.
 *
 * One that was reaped may have left children of its own, and the list may miss some while it changes: only
 * several passes in a row that find nothing are the end.
 */
static bool look_once(Spawner *spawner)
{
        bool reaped = reap_orphans(spawner);
        int found = kill_orphans(spawner);

        spawner->orphans_reaped = spawner->orphans_reaped || reaped;
        spawner->orphans_found = spawner->orphans_found || reaped || found != 0;
        if (found >= 0 && spawner->orphans_passed < spawner->n_children)
                return false;
        spawner->orphans_unseen = spawner->orphans_found ? 0 : spawner->orphans_unseen + 1;
        spawner->orphans_passed = 0;
        spawner->orphans_found = false;
        return true;
}

static bool orphans_are_gone(const Spawner *spawner)
{
        return spawner->orphans_unseen >= SPAWNER_ORPHANS_PASSES;
}

/*
 * The pause grows after each pass that found some and saw nobody die. However many these are, they may never
 * die.
 */
static void look_for_orphans(Spawner *spawner)
{
        bool passed = look_once(spawner);

        if (orphans_are_gone(spawner))
                return;
        if (spawner->orphans_reaped)
                spawner->orphans_delay = ORPHANS_MIN_USEC;
        else if (passed && spawner->orphans_unseen == 0)
                spawner->orphans_delay = MIN(2 * spawner->orphans_delay, ORPHANS_MAX_USEC);
        if (passed)
                spawner->orphans_reaped = false;
        spawner_arm(spawner, &spawner->orphans, spawner->orphans_delay);
}

static void begin(Spawner *spawner)
{
        spawner->orphans_begun = boottime();
        spawner->orphans_passed = 0;
        spawner->orphans_found = false;
        spawner->n_reaped = helper_n_reaped();
        /* In the first pass nobody has had the time to die. */
        spawner->orphans_reaped = true;
}

void spawner_wait_for_orphans(Spawner *spawner, usec_t max)
{
        usec_t end = usec_add(boottime(), max);

        begin(spawner);
        while (!orphans_are_gone(spawner) && boottime() < end)
                if (look_once(spawner) && spawner->orphans_unseen == 0)
                        (void)poll(NULL, 0, ORPHANS_MIN_USEC / USEC_PER_MSEC);
}

void spawner_end_orphans(Spawner *spawner)
{
        spawner->orphans_unseen = 0;
        begin(spawner);
        look_for_orphans(spawner);
}

void spawner_on_orphans(Timer *timer, _unused_ usec_t now)
{
        Spawner *spawner = container_of(timer, Spawner, orphans);

        spawner_arm(spawner, &spawner->orphans, USEC_INFINITY);
        look_for_orphans(spawner);
}
