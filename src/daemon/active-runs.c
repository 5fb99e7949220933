/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Notes runs in the table of daemon/run-slots.h, and does what the notes of the last daemon ask for. Where a
 * run finds no free slot, a table of twice the size takes the place of the file.
 */
#include "daemon/active-runs.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mapped-file.h"
#include "base/string-util.h"
#include "daemon/run-slots.h"
#include "job/job.h"
#include "job/spec.h"
#include "loop/loop.h"

#define SLOTS_MIN 64U
/* How often it is noted that the daemon is there, as long as an attempt is younger than POISON_WINDOW_USEC. */
#define ALIVE_USEC USEC_PER_SEC

struct ActiveRuns {
        RunKeeper keeper;
        char *path;
        SlotTable table;
        bool overflows;  /* a run was not noted, which is told once */
        bool stuck;      /* the disk has no room for a larger table; until active_runs_check() */
        bool leaving;    /* active_runs_leave() */
        bool lost;       /* a table that has grown since had lost some */
        usec_t last_attempt_boottime;
        Timer alive;     /* armed as long as that is not long ago */
        SlotsLeft left;  /* in the table as well until they are dealt with */
        size_t n_repeats; /* of those left, that are to be repeated still */
        Scheduler *scheduler;
        const Services *services;
        Deferred repeat;
};

static SlotHeader *header(const ActiveRuns *active)
{
        return slot_table_header(&active->table);
}

/* That the daemon is there, and whether it ends on purpose. */
static void write_presence(const ActiveRuns *active, SlotTable *table)
{
        slot_table_header(table)->alive_boottime = clock_boottime(active->services->clock);
        slot_table_header(table)->left = active->leaving;
}

/* What became zeros is written anew by active_runs_check(). */
static bool copy_slots(const SlotTable *from, SlotTable *to)
{
        for (size_t i = 0; i < from->n; i++)
                if (from->ids[i] > 0 && !slot_table_put(to, &slot_table_slots(from)[i], from->ids[i]))
                        return false;
        return true;
}

/* False: a table that no next daemon reads would be less than one that is kept and full. */
static bool take_the_place(const SlotTable *table, const SlotTable *old)
{
        if (mapped_file_error(old->file) == 0)
                return mapped_file_replace(table->file) >= 0;
        mapped_file_commit(table->file);
        return true;
}

/*
 * A table of more slots in which all that are noted have a place, and run ID as well: ids of two lives may
 * differ by a multiple of the table's size, and then want the same slots.
 */
static int grow_for(ActiveRuns *active, uint64_t id)
{
        for (size_t n = active->table.n * 2; n <= ACTIVE_RUNS_MAX && !active->stuck; n *= 2) {
                SlotTable table = {};
                int r = slot_table_create(active->path, n, &table);

                if (r < 0)
                        return r;
                if (copy_slots(&active->table, &table) && slot_table_find(&table, id, 0)) {
                        write_presence(active, &table);
                        active->stuck = !take_the_place(&table, &active->table);
                        if (!active->stuck) {
                                active->lost |= mapped_file_take_lost(active->table.file) > 0;
                                slot_table_deinit(&active->table);
                                active->table = table;
                                return 0;
                        }
                }
                slot_table_deinit(&table);
        }
        return active->stuck ? -EAGAIN : -E2BIG;
}

static ActiveRuns *from_keeper(const RunKeeper *keeper)
{
        return container_of((RunKeeper *)keeper, ActiveRuns, keeper);
}

/* The note of run ID; NULL: there is none. */
static Slot *find_note(const ActiveRuns *active, uint64_t id)
{
        return id > 0 ? slot_table_find(&active->table, id, id) : NULL;
}

static void free_note(ActiveRuns *active, uint64_t id)
{
        Slot *slot = find_note(active, id);

        if (slot)
                slot_table_set_id(&active->table, slot, 0);
}

static void tell_overflow(ActiveRuns *active)
{
        if (!active->overflows)
                log_warning("Not all runs under way can be noted in %s; after a crash some won't be known to be "
                            "lost", active->path);
        active->overflows = true;
}

/* Most runs are noted for the first time when they begin: for those no note has to be looked for. */
static Slot *find_or_take_slot(ActiveRuns *active, const Run *run)
{
        Slot *slot = run->noted || active->left.n > 0 ? find_note(active, run->id) : NULL;

        if (!slot)
                slot = slot_table_find(&active->table, run->id, 0);
        if (!slot && grow_for(active, run->id) >= 0)
                slot = slot_table_find(&active->table, run->id, 0);
        if (!slot)
                tell_overflow(active);
        return slot;
}

/* What does not change as long as the run lives. Returns the id of the run that it replaces; 0: none. */
static uint64_t write_run(const ActiveRuns *active, Slot *slot, const Run *run)
{
        const SlotCause cause = {
                .scheduled_realtime = run->scheduled_realtime,
                .cause = job_trigger_id(run->cause),
                .origin = run->origin,
                .replaces = run->extra->story ? run->extra->story->replaces : 0,
                .trigger = (uint8_t)run->trigger,
                .event_depth = run->event_depth,
        };
        const Slot *replaced = slots_left_find(&active->left, cause.replaces);

        slot->attempts = 0;
        slot->attempt_boottime = 0;
        slot->n_resources = slot->entered_job = slot->over = 0;
        slot->repeat = REPEAT_NO;
        slot->n_deaths = replaced ? replaced->n_deaths : 0;
        slot_write(slot, run->id, &cause, run->job->name, run->extra->params);
        return cause.replaces;
}

/* Only while an attempt is under way the run may be to blame for the end of the daemon. */
static void note_attempt(ActiveRuns *active, Slot *slot, const Run *run, usec_t now_boottime)
{
        bool is_new = run->state == RUN_RUNNING && run->attempts != slot->attempts;

        slot->attempts = run->attempts;
        if (run->state != RUN_RUNNING)
                slot->attempt_boottime = 0;
        if (!is_new)
                return;
        if (run->repeated)
                slot->n_deaths = 0; /* the daemon outlived the attempt before */
        slot->attempt_boottime = now_boottime;
        active->last_attempt_boottime = header(active)->alive_boottime = now_boottime;
        if (!timer_is_armed(&active->alive))
                (void)timer_arm(active->services->timers, &active->alive, now_boottime + ALIVE_USEC);
}

static void on_alive(Timer *timer, usec_t now_boottime)
{
        ActiveRuns *active = container_of(timer, ActiveRuns, alive);

        header(active)->alive_boottime = now_boottime;
        if (usec_sub(now_boottime, active->last_attempt_boottime) < POISON_WINDOW_USEC)
                (void)timer_arm(active->services->timers, timer, now_boottime + ALIVE_USEC);
}

static void keep(RunKeeper *keeper, Run *run, RunEntered entered, usec_t now_boottime)
{
        ActiveRuns *active = from_keeper(keeper);
        Slot *slot = find_or_take_slot(active, run);

        if (!slot)
                return;
        if (slot_table_is_free(&active->table, slot)) {
                uint64_t replaces = write_run(active, slot, run);

                slot_table_set_id(&active->table, slot, run->id);
                if (replaces > 0)
                        free_note(active, replaces);
        }
        slot->started_realtime = run->started_realtime;
        note_attempt(active, slot, run, now_boottime);
        slot->n_resources = entered.n_resources;
        slot->entered_job = entered.job;
        slot->over = entered.over;
        run->noted = true;
}

/*
 * RUN, which LEFT is the note of, has left what it had entered, and is told of as lost. Somebody may have
 * cancelled it meanwhile, or removed its job.
 */
static void end_left(ActiveRuns *active, Slot *left, const Run *run)
{
        Slot *slot = find_note(active, run->id);

        loop_defer(active->services->loop, &active->repeat);
        if (run->unwanted != RUN_STOP_NONE || run->job->removed) {
                left->repeat = REPEAT_NO;
                active->n_repeats--;
                free_note(active, run->id);
                return;
        }
        /* The note stays until the other run has one. */
        left->repeat = REPEAT_NOW;
        if (slot) {
                slot->n_resources = slot->entered_job = 0;
                slot->repeat = REPEAT_NOW;
        }
}

static void drop(RunKeeper *keeper, Run *run)
{
        ActiveRuns *active = from_keeper(keeper);
        Slot *left = slots_left_find(&active->left, run->id);

        if (left && left->repeat == REPEAT_AFTER_END)
                end_left(active, left, run);
        else if (run->noted || left)
                free_note(active, run->id);
        run->noted = false;
}

static int check(const RunKeeper *keeper, bool (*is_noted)(uint64_t id, void *userdata), void *userdata, size_t *ret_n,
                 uint64_t *ret_id)
{
        const ActiveRuns *active = from_keeper(keeper);
        size_t n = 0;

        /* The slots themselves may have been lost, until active_runs_check() has them written anew. */
        for (size_t i = 0; i < active->table.n; i++) {
                uint64_t id = active->table.ids[i];

                if (id == 0)
                        continue;
                *ret_id = id;
                /* Who looks for the run finds this note, or there is another one of it. */
                if (find_note(active, id) != &slot_table_slots(&active->table)[i])
                        return -EINVAL;
                if (is_noted(id, userdata))
                        n++;
                else if (!slots_left_find(&active->left, id))
                        return -EINVAL;
        }
        *ret_n = n;
        return 0;
}

static const RunKeeperOperations keeper_operations = { .keep = keep, .drop = drop, .check = check };

void active_runs_leave(ActiveRuns *active)
{
        active->leaving = true;
        write_presence(active, &active->table);
}

/* --- what the last daemon left --- */

/* Whether all that was left found a place in TABLE. */
static bool note_left(const ActiveRuns *active, SlotTable *table)
{
        bool all = true;

        for (size_t i = 0; i < active->left.n; i++)
                all = slot_table_put(table, &active->left.slots[i], active->left.slots[i].id) && all;
        return all;
}

/* A table that has all that was left, as far as one may be that large. -ENOMEM. */
static int begin_table(ActiveRuns *active)
{
        for (size_t n = SLOTS_MIN;; n *= 2) {
                int r = slot_table_create(active->path, n, &active->table);

                if (r < 0)
                        return r;
                write_presence(active, &active->table);
                if (!note_left(active, &active->table)) {
                        if (n < ACTIVE_RUNS_MAX) {
                                slot_table_deinit(&active->table);
                                continue;
                        }
                        tell_overflow(active);
                }
                mapped_file_commit(active->table.file);
                return 0;
        }
}

static RunRequest slot_request(const Slot *slot, const Job *job)
{
        return (RunRequest){
                .trigger = (RunTrigger)slot->trigger,
                .cause = job_spec_trigger_by_id(job->spec, slot->cause),
                .params = slot->has_params ? slot_params(slot) : NULL,
                .scheduled_realtime = slot->scheduled_realtime,
                .origin = slot->origin,
                .event_depth = slot->event_depth,
        };
}

/*
 * By whose id it is seen which of two runs of a job was asked for later: one takes the place of a lost one.
 */
static uint64_t asked_as(const Run *run)
{
        return run->extra->story && run->extra->story->replaces > 0 ? run->extra->story->replaces : run->id;
}

/* Members of groups replace nobody. */
static bool is_replaced(const Slot *slot, const Job *job)
{
        const Run *run;

        if (job->spec->schedule.overlap == OVERLAP_REPLACE)
                list_foreach(run, &job->runs, Run, link)
                        if (!run->member && asked_as(run) > slot->id)
                                return true;
        return false;
}

/* Whether another run of JOB may take the place of SLOT's. It begins with what JOB says now. */
static bool may_be_repeated(const Slot *slot, const Job *job)
{
        unsigned retries = job->spec->job.retries;

        return retries > 0 && slot->attempts <= retries && !is_replaced(slot, job);
}

/*
 * Begins the run of SLOT ITSELF, which has its note, or another one in its place. The attempts that there
 * were count either way. -ENOENT: its job is no more, or it is not to be repeated; -ENOMEM.
 */
static int run_slot(ActiveRuns *active, const Slot *slot, bool itself)
{
        RunRequest request;
        bool may;
        Job *job;
        /* An instance that was made on demand went with the run that was lost. */
        int r = scheduler_find_or_make_job(active->scheduler, slot_job(slot), &job);

        if (r < 0)
                return r;
        request = slot_request(slot, job);
        request.id = itself ? slot->id : 0;
        request.replaces = itself ? slot->replaces : slot->id;
        request.attempts = slot->attempts;
        may = itself ? !job->removed : may_be_repeated(slot, job);
        r = may ? scheduler_run(active->scheduler, job, &request, NULL) : -ENOENT;
        if (r < 0)
                scheduler_release_job(active->scheduler, job);
        return r;
}

/* 0, also where the job has no attempt left or is no more; -ENOMEM. The lost run has no note afterwards. */
static int repeat_one(ActiveRuns *active, const Slot *slot)
{
        int r = run_slot(active, slot, false);

        /* It is there still where the new run ended before it was noted. */
        free_note(active, slot->id);
        return r == -ENOENT ? 0 : r;
}

static void recover_one(ActiveRuns *active, Slot *slot, bool may_repeat);

/* What had not begun begins now, under its id; where that can't be, it is lost. */
static void begin_one(ActiveRuns *active, Slot *slot)
{
        int r = run_slot(active, slot, true);
        Run *run = scheduler_find_run(active->scheduler, slot->id);

        if (run)
                run->noted = true;
        if (r < 0)
                recover_one(active, slot, false);
}

static void log_not_recovered(const Slot *slot, int error)
{
        (void)log_errno(LOG_ERR, error, "%s: lost run %llu was not dealt with: %m", slot_job(slot), (unsigned long long)slot->id);
}

static void on_repeat(Deferred *deferred)
{
        ActiveRuns *active = container_of(deferred, ActiveRuns, repeat);

        for (size_t i = 0; i < active->left.n; i++) {
                Slot *slot = &active->left.slots[i];
                Repeat repeat = slot->repeat;
                int r = 0;

                if (repeat != REPEAT_NOW && repeat != REPEAT_BEGIN)
                        continue;
                slot->repeat = REPEAT_NO;
                active->n_repeats--;
                if (repeat == REPEAT_BEGIN)
                        begin_one(active, slot);
                else
                        r = repeat_one(active, slot);
                if (r < 0)
                        log_not_recovered(slot, r);
        }
        if (active->n_repeats == 0)
                slots_left_deinit(&active->left);
}

static void set_repeat(ActiveRuns *active, Slot *slot, Repeat repeat)
{
        Slot *note = find_note(active, slot->id);

        slot->repeat = (uint8_t)repeat;
        if (note)
                note->repeat = (uint8_t)(repeat == REPEAT_NOW ? REPEAT_NOW : REPEAT_NO);
}

static void repeat_soon(ActiveRuns *active, Slot *slot, Repeat repeat)
{
        set_repeat(active, slot, repeat);
        active->n_repeats++;
        if (repeat != REPEAT_AFTER_END)
                loop_defer(active->services->loop, &active->repeat);
}

/* Whether the daemon ended while SLOT's attempt was young. */
static bool ended_early(const ActiveRuns *active, const Slot *slot)
{
        return !active->left.on_purpose && active->left.alive_boottime >= slot->attempt_boottime &&
               active->left.alive_boottime - slot->attempt_boottime < POISON_WINDOW_USEC;
}

/* One more daemon has ended. Where no attempt was under way, this says nothing of the run. */
static void count_death(ActiveRuns *active, Slot *slot)
{
        Slot *note = find_note(active, slot->id);

        if (slot->attempt_boottime == 0)
                return;
        slot->n_deaths = ended_early(active, slot) ? (uint8_t)MIN(slot->n_deaths + 1U, UINT8_MAX) : 0;
        if (note)
                note->n_deaths = slot->n_deaths;
}

/* Whether another run can take the place of SLOT's; whether it may, its end decides. */
static bool can_repeat(const ActiveRuns *active, const Slot *slot)
{
        /* Where the note can't be changed, each daemon to come would do it again. */
        return slot->has_params && !slot->over && slot->trigger != RUN_TRIGGER_GROUP &&
               !mapped_file_is_stale(active->table.file);
}

static bool has_entered(const Slot *slot)
{
        return slot->n_resources > 0 || slot->entered_job;
}

/* Whether nothing of it had begun, so that it begins with this daemon as it would have with the last one. */
static bool only_waited(const Slot *slot)
{
        return slot->started_realtime == 0 && !has_entered(slot) && slot->attempt_boottime == 0;
}

static const char *why_lost(const Slot *slot)
{
        if (!slot->over)
                return !only_waited(slot) ? "the daemon ended during it" :
                       slot->has_params   ? "the daemon ended while it waited, and it can't begin with this one" :
                                            "the daemon ended while it waited, and its parameters are too long to be kept";
        return has_entered(slot) ? "the daemon ended before what it had entered was left" :
                                   "the daemon ended while the run was being ended";
}

static void set_end(LeftRun *left, const Slot *slot)
{
        left->state = RUN_LOST;
        left->kind = "lost";
        left->message = why_lost(slot);
        if (slot->n_deaths < POISON_DEATHS)
                return;
        left->state = RUN_FAILED;
        left->kind = "poison";
        left->message = "the daemon ended within 10 s after an attempt of it began, twice in a row; it is not tried again";
}

static void recover_one(ActiveRuns *active, Slot *slot, bool may_repeat)
{
        LeftRun left = {
                .id = slot->id,
                .started_realtime = slot->started_realtime,
                .attempts = slot->attempts,
                .entered = { .n_resources = slot->n_resources, .job = slot->entered_job, .over = slot->over },
        };
        RunRequest request;
        Job *job;
        int r = scheduler_find_or_make_job(active->scheduler, slot_job(slot), &job);

        if (r == -ENOMEM) {
                log_not_recovered(slot, r);
                free_note(active, slot->id);
                return;
        }
        if (r < 0) {
                log_warning("Run %llu of %s, a job that is no more, was lost: the daemon ended during it%s",
                            (unsigned long long)slot->id, slot_job(slot), has_entered(slot) ? "; what it had entered is not left" : "");
                free_note(active, slot->id);
                return;
        }
        count_death(active, slot);
        set_end(&left, slot);
        /* Its note is to outlast its end. */
        if (may_repeat && left.state == RUN_LOST && can_repeat(active, slot))
                repeat_soon(active, slot, REPEAT_AFTER_END);
        request = slot_request(slot, job);
        r = scheduler_end_left(active->scheduler, job, &request, &left);
        if (r >= 0)
                return;
        log_not_recovered(slot, r);
        if (slot->repeat != REPEAT_NO)
                active->n_repeats--;
        slot->repeat = REPEAT_NO;
        free_note(active, slot->id);
}

/* Its end was told by the last daemon, which ended before another run took its place. */
static bool was_told(const Slot *slot)
{
        return slot->repeat == REPEAT_NOW;
}

bool active_runs_was_under_way(const ActiveRuns *active, RunNote *note)
{
        const Slot *slot = slots_left_find(&active->left, note->id);

        /* Of an attempt that had failed, takt-spawn may not have been told that its exit is known. */
        if (!slot || was_told(slot) || slot->attempt_boottime == 0 || note->attempts < slot->attempts)
                return false;
        note->cause = slot->cause;
        note->unwanted = slot->over;
        return true;
}

uint64_t active_runs_greatest_id(const ActiveRuns *active)
{
        return active->left.n > 0 ? active->left.slots[active->left.n - 1].id : 0;
}

void active_runs_recover(ActiveRuns *active)
{
        if (active->left.n > 0 && mapped_file_is_stale(active->table.file))
                log_warning("%s can't be changed: runs that were lost are told of by each start, and none is repeated (Retries=)", active->path);
        for (size_t i = 0; i < active->left.n; i++) {
                Slot *slot = &active->left.slots[i];

                if (scheduler_find_run(active->scheduler, slot->id))
                        set_repeat(active, slot, REPEAT_NO); /* it goes on, whatever its note says */
                else if (!was_told(slot) && only_waited(slot) && can_repeat(active, slot))
                        repeat_soon(active, slot, REPEAT_BEGIN);
                else if (!was_told(slot))
                        recover_one(active, slot, true);
                else if (!mapped_file_is_stale(active->table.file))
                        repeat_soon(active, slot, REPEAT_NOW);
                else
                        free_note(active, slot->id);
        }
        /* They come before what is due by schedule. */
        deferred_cancel(active->services->loop, &active->repeat);
        on_repeat(&active->repeat);
}

/* --- where the file can't be had --- */

/* Slots that became zeros, and perhaps the header. */
static void drop_lost(ActiveRuns *active)
{
        SlotTable *table = &active->table;

        for (size_t i = 0; i < table->n; i++)
                if (table->ids[i] > 0 && slot_table_slots(table)[i].id != table->ids[i])
                        table->ids[i] = 0;
        slot_table_write_header(table);
        write_presence(active, table);
}

int active_runs_check(ActiveRuns *active)
{
        int r = mapped_file_keep(active->table.file);
        bool lost = mapped_file_take_lost(active->table.file) > 0 || active->lost;

        active->lost = false;
        if (lost)
                drop_lost(active);
        if (lost || active->stuck) {
                active->stuck = false;
                scheduler_note_runs(active->scheduler);
        }
        return active->stuck && r == 0 ? -ENOSPC : r;
}

int active_runs_open(const char *state_directory, Scheduler *scheduler, const Services *services, ActiveRuns **ret)
{
        _cleanup_(active_runs_closep) ActiveRuns *active = new0(ActiveRuns, 1);
        int r;

        if (!active)
                return -ENOMEM;
        active->keeper.operations = &keeper_operations;
        active->scheduler = scheduler;
        active->services = services;
        active->alive.callback = on_alive;
        active->repeat.callback = on_repeat;
        active->path = path_join(state_directory, "active-runs");
        if (!active->path)
                return -ENOMEM;
        r = slots_left_read(active->path, ACTIVE_RUNS_MAX, &active->left);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(active);
        return 0;
}

int active_runs_begin(ActiveRuns *active)
{
        int r = begin_table(active);

        if (r >= 0)
                scheduler_set_keeper(active->scheduler, &active->keeper);
        return r;
}

ActiveRuns *active_runs_close(ActiveRuns *active)
{
        if (!active)
                return NULL;
        scheduler_set_keeper(active->scheduler, NULL);
        deferred_cancel(active->services->loop, &active->repeat);
        timer_disarm(active->services->timers, &active->alive);
        slot_table_deinit(&active->table);
        slots_left_deinit(&active->left);
        free(active->path);
        free(active);
        return NULL;
}
