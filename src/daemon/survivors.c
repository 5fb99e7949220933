/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/survivors.h"

#include <sys/socket.h>

#include "base/file.h"
#include "base/log.h"

struct Survivors {
        Spawner *spawners[SURVIVORS_MAX]; /* NULL: free */
};

static void take_over(Survivors *survivors, Loop *loop, int fd)
{
        for (size_t i = 0; i < SURVIVORS_MAX; i++) {
                int r;

                if (survivors->spawners[i])
                        continue;
                r = spawner_resume(loop, fd, &survivors->spawners[i]);
                if (r < 0)
                        log_errno(LOG_WARNING, r, "A helper that was left can't be taken over, its commands are ended: %m");
                return;
        }
        log_warning("There are more than %u helpers of earlier daemons; the commands of one are ended", SURVIVORS_MAX);
        (void)shutdown(fd, SHUT_RDWR);
        safe_close(fd);
}

int survivors_new(ServiceManager *manager, Loop *loop, Survivors **ret)
{
        Survivors *survivors = new0(Survivors, 1);
        int fd;

        if (!survivors)
                return -ENOMEM;
        while ((fd = service_manager_take(manager, SURVIVORS_NAME)) >= 0)
                take_over(survivors, loop, fd);
        *ret = survivors;
        return 0;
}

Survivors *survivors_free(Survivors *survivors)
{
        if (!survivors)
                return NULL;
        for (size_t i = 0; i < SURVIVORS_MAX; i++)
                spawner_free(survivors->spawners[i]);
        free(survivors);
        return NULL;
}

static void on_idle(Spawner *spawner, void *userdata)
{
        Survivors *survivors = userdata;

        log_debug("All commands of an earlier daemon's helper have ended");
        for (size_t i = 0; i < SURVIVORS_MAX; i++)
                if (survivors->spawners[i] == spawner)
                        survivors->spawners[i] = NULL;
        spawner_free(spawner);
}

/* Of the run whose command is HELD. -ENOENT: nobody waits for it; -EINVAL, -ENOMEM. */
static int look_at(const HeldCommand *held, const ActiveRuns *active, RunNote *note, char **ret_job)
{
        int r = run_note_parse(held_command_note(held), note);

        if (r < 0)
                return r;
        if (!active_runs_was_under_way(active, note))
                return -ENOENT;
        *ret_job = strndup(note->job, note->job_len);
        return *ret_job ? 0 : -ENOMEM;
}

static void log_not_resumed(const char *job, const RunNote *note, const char *why)
{
        log_warning("%s: run %llu can't go on: %s", job, (unsigned long long)note->id, why);
}

typedef struct Decision {
        Scheduler *scheduler;
        const ActiveRuns *active;
} Decision;

/* What becomes of a run without a job is told by who ends it as lost. */
static bool can_go_on(const HeldCommand *held, void *userdata)
{
        const Decision *decision = userdata;
        _cleanup_free_ char *job = NULL;
        const char *why;
        RunNote note;
        int r = look_at(held, decision->active, &note, &job);

        if (r < 0)
                return false;
        r = scheduler_can_resume(decision->scheduler, job, &why);
        if (r < 0 && r != -ENOENT)
                log_not_resumed(job, &note, why ?: strerror(-r));
        return r >= 0;
}

void survivors_end_others(Survivors *survivors, Scheduler *scheduler, const ActiveRuns *active)
{
        Decision decision = { scheduler, active };

        for (size_t i = 0; i < SURVIVORS_MAX; i++)
                if (survivors->spawners[i])
                        spawner_end_held(survivors->spawners[i], can_go_on, &decision);
}

/* Whether it goes on. */
static bool resume_one(HeldCommand *held, Scheduler *scheduler, const ActiveRuns *active)
{
        _cleanup_free_ char *job = NULL;
        RunNote note;
        int r = look_at(held, active, &note, &job);

        if (r < 0)
                return false;
        r = scheduler_resume_run(scheduler, job, &note, held_command_is_stopping(held), held);
        if (r < 0)
                log_not_resumed(job, &note, strerror(-r));
        return r >= 0;
}

void survivors_resume(Survivors *survivors, Scheduler *scheduler, const ActiveRuns *active)
{
        unsigned n = 0;

        for (size_t i = 0; i < SURVIVORS_MAX; i++) {
                Spawner *spawner = survivors->spawners[i];
                HeldCommand *held, *next;

                if (!spawner)
                        continue;
                if (!spawner_is_connected(spawner)) {
                        /* It has died since, and its runs are lost. */
                        survivors->spawners[i] = spawner_free(spawner);
                        continue;
                }
                for (held = spawner_next_held(spawner, NULL); held; held = next) {
                        next = spawner_next_held(spawner, held);
                        n += resume_one(held, scheduler, active);
                }
                spawner_settle(spawner, on_idle, survivors);
        }
        if (n > 0)
                log_info("%u runs of the daemon before go on", n);
}

bool survivors_have(const Survivors *survivors, pid_t pid)
{
        for (size_t i = 0; i < SURVIVORS_MAX; i++) {
                SpawnerStatus status;

                if (!survivors->spawners[i])
                        continue;
                spawner_get_status(survivors->spawners[i], &status);
                if (status.helper_pid == pid)
                        return true;
        }
        return false;
}

pid_t survivors_find_ending(const Survivors *survivors)
{
        for (size_t i = 0; i < SURVIVORS_MAX; i++) {
                Spawner *spawner = survivors->spawners[i];
                SpawnerStatus status;

                if (!spawner || !spawner_is_connected(spawner) || spawner_n_ending(spawner) == 0)
                        continue;
                spawner_get_status(spawner, &status);
                return status.helper_pid;
        }
        return 0;
}

uint64_t survivors_greatest_id(const Survivors *survivors)
{
        uint64_t greatest = 0;

        for (size_t i = 0; i < SURVIVORS_MAX; i++) {
                HeldCommand *held = survivors->spawners[i] ? spawner_next_held(survivors->spawners[i], NULL) : NULL;
                RunNote note;

                for (; held; held = spawner_next_held(survivors->spawners[i], held))
                        if (run_note_parse(held_command_note(held), &note) >= 0)
                                greatest = MAX(greatest, note.id);
        }
        return greatest;
}

void survivors_leave(Survivors *survivors)
{
        for (size_t i = 0; i < SURVIVORS_MAX; i++)
                if (survivors->spawners[i])
                        spawner_leave(survivors->spawners[i]);
}
