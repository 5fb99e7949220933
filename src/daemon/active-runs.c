/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file is a page with its format and a table of slots of one size. A run's slot is one of the
 * PROBE_MAX from its id on: ids go up by one, so the first is nearly always free, and a run that ends is
 * found without an index. Where none is free a table of twice the size takes the place of the file. A
 * slot counts once its id is written, last; blocks are allocated before they are mapped, so that a full
 * disk is an error of the growth and not a signal in the middle of a copy.
 */
#include "daemon/active-runs.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/string-util.h"
#include "job/job.h"
#include "job/spec.h"

#define HEADER_SIZE 4096U
#define SLOTS_MIN 64U
#define PROBE_MAX 8U
#define PARAMS_MAX 215U /* longer ones are not kept, and such a run not repeated */

static const char magic[16] = "takt active 1\n";

/* Whether another run is to take the place of one that was lost. */
typedef enum Repeat {
        REPEAT_NO,
        REPEAT_AFTER_END, /* it is leaving what it had entered */
        REPEAT_NOW,
} Repeat;

typedef struct Slot {
        uint64_t id; /* 0: free */
        uint64_t scheduled_realtime;
        uint64_t started_realtime; /* 0: it waits */
        uint8_t trigger;
        uint8_t has_params;
        uint8_t n_resources; /* RunEntered */
        uint8_t entered_job;
        uint8_t repeat;      /* in memory: Repeat */
        uint8_t over;        /* RunEntered */
        char job[JOB_NAME_MAX + 1];
        char params[PARAMS_MAX + 1];
        char spare[2];
        uint64_t cause; /* job_trigger_id() of what it is due by; 0: of nothing that is known */
} Slot;

_Static_assert(sizeof(Slot) == 512, "slots don't straddle pages");
_Static_assert(HEADER_SIZE % sizeof(Slot) == 0, "the header takes the place of whole slots");

/* IDS are those of the slots, side by side: a look at PROBE_MAX slots costs one line of the cache or two. */
typedef struct Table {
        char *map; /* NULL: none */
        uint64_t *ids;
        size_t n;  /* slots, a power of two */
} Table;

struct ActiveRuns {
        char *path;
        Table table;
        uint64_t n_unnoted;
        EventObserver observer;
        Slot *left; /* by the last daemon */
        size_t n_left;
        size_t n_repeats; /* of these, that are to be repeated still */
        Scheduler *scheduler;
        Loop *loop;
        Deferred repeat;
};

static size_t table_size(size_t n)
{
        return HEADER_SIZE + n * sizeof(Slot);
}

static Slot *table_slots(const Table *table)
{
        return (Slot *)(void *)(table->map + HEADER_SIZE);
}

static void table_deinit(Table *table)
{
        if (table->map)
                (void)munmap(table->map, table_size(table->n));
        free(table->ids);
        *table = (Table){};
}

/* The slot of run ID, which may be 0 for a free one where a run of id AT would be put. NULL: there is none. */
static Slot *table_find(const Table *table, uint64_t at, uint64_t id)
{
        for (size_t i = 0; i < PROBE_MAX; i++) {
                size_t k = (at + i) & (table->n - 1);

                if (table->ids[k] == id)
                        return &table_slots(table)[k];
        }
        return NULL;
}

/* Takes or frees SLOT, once all else in it is written. */
static void table_set_id(Table *table, Slot *slot, uint64_t id)
{
        table->ids[slot - table_slots(table)] = id;
        __atomic_store_n(&slot->id, id, __ATOMIC_RELEASE);
}

/* Puts a file with an empty table in the place of PATH. */
static int table_create(const char *path, size_t n, Table *ret)
{
        _cleanup_free_ char *temporary = xasprintf("%s.new", path);
        _cleanup_free_ uint64_t *ids = new0(uint64_t, n);
        _cleanup_close_ int fd = -1;
        char *map;
        int r;

        if (!temporary || !ids)
                return -ENOMEM;
        (void)unlink(temporary);
        fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return negative_errno();
        r = -posix_fallocate(fd, 0, (off_t)table_size(n));
        map = r < 0 ? MAP_FAILED : mmap(NULL, table_size(n), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (r == 0 && map == MAP_FAILED)
                r = negative_errno();
        if (r < 0) {
                (void)unlink(temporary);
                return r;
        }
        memcpy(map, magic, sizeof(magic));
        *ret = (Table){ .map = map, .ids = TAKE_PTR(ids), .n = n };
        return 0;
}

/* Gives the new table the name of the file. */
static int table_commit(const char *path)
{
        _cleanup_free_ char *temporary = xasprintf("%s.new", path);

        if (!temporary)
                return -ENOMEM;
        return rename(temporary, path) < 0 ? negative_errno() : 0;
}

static bool copy_slots(const Table *from, Table *to)
{
        for (size_t i = 0; i < from->n; i++) {
                const Slot *slot = &table_slots(from)[i];
                Slot *place = slot->id > 0 ? table_find(to, slot->id, 0) : NULL;

                if (slot->id > 0 && !place)
                        return false;
                if (place) {
                        *place = *slot;
                        table_set_id(to, place, slot->id);
                }
        }
        return true;
}

/* A table of more slots in which all fit. */
static int grow(ActiveRuns *active)
{
        for (size_t n = active->table.n * 2; n <= ACTIVE_RUNS_MAX; n *= 2) {
                Table table = {};
                int r = table_create(active->path, n, &table);

                if (r < 0)
                        return r;
                if (copy_slots(&active->table, &table)) {
                        r = table_commit(active->path);
                        if (r >= 0) {
                                table_deinit(&active->table);
                                active->table = table;
                                return 0;
                        }
                }
                table_deinit(&table);
                if (r < 0)
                        return r;
        }
        return -E2BIG;
}

/* Whether all of TEXT (NULL: none) is noted. */
static bool note_params(Slot *slot, const char *text)
{
        size_t n = text ? strlen(text) : 0;

        if (n == 0 || n > PARAMS_MAX)
                memcpy(slot->params, "{}", sizeof("{}"));
        else
                memcpy(slot->params, text, n + 1);
        return n <= PARAMS_MAX;
}

/* What neither waited nor holds anything is told of for the first time when it begins; and that is most. */
static bool is_new(const Run *run)
{
        return run->attempts == 1 && run->hold == RUN_HOLD_NONE && !run->guard;
}

static Slot *note_begin(ActiveRuns *active, const Run *run)
{
        Slot *slot = is_new(run) ? NULL : table_find(&active->table, run->id, run->id);

        if (!slot)
                slot = table_find(&active->table, run->id, 0);
        if (!slot && grow(active) >= 0)
                slot = table_find(&active->table, run->id, 0);
        if (!slot) {
                if (active->n_unnoted++ == 0)
                        log_warning("Not all runs under way can be noted in %s; after a crash some won't be known to be lost",
                                    active->path);
                return NULL;
        }
        slot->started_realtime = run->started_realtime;
        if (slot->id == run->id)
                return slot;
        slot->n_resources = slot->entered_job = slot->over = 0;
        slot->scheduled_realtime = run->scheduled_realtime;
        slot->trigger = (uint8_t)run->trigger;
        slot->cause = job_trigger_id(run->cause);
        /* Both fit: a job's name has a cap, and the parameters are measured. */
        memcpy(slot->job, run->job->name, strlen(run->job->name) + 1);
        slot->has_params = note_params(slot, run->extra->params);
        table_set_id(&active->table, slot, run->id);
        return slot;
}

static void note_entered(const Run *run, RunEntered entered, void *userdata)
{
        ActiveRuns *active = userdata;
        Slot *slot = table_find(&active->table, run->id, run->id);

        if (!slot && (entered.n_resources > 0 || entered.job))
                slot = note_begin(active, run);
        if (!slot)
                return;
        slot->n_resources = entered.n_resources;
        slot->entered_job = entered.job;
        slot->over = entered.over;
}

static int slot_compare(const void *a, const void *b)
{
        const Slot *x = a, *y = b;

        return x->id < y->id ? -1 : x->id > y->id;
}

/* What the last daemon left of run ID. */
static Slot *find_left(const ActiveRuns *active, uint64_t id)
{
        return active->n_left == 0 ? NULL : bsearch(&(Slot){ .id = id }, active->left, active->n_left, sizeof(Slot), slot_compare);
}

static void note_end(ActiveRuns *active, const Run *run)
{
        Slot *slot = table_find(&active->table, run->id, run->id);

        if (slot)
                table_set_id(&active->table, slot, 0);
        slot = active->n_repeats > 0 ? find_left(active, run->id) : NULL;
        if (slot && slot->repeat == REPEAT_AFTER_END) {
                slot->repeat = REPEAT_NOW;
                loop_defer(active->loop, &active->repeat);
        }
}

static void on_event(EventObserver *observer, const Event *event)
{
        ActiveRuns *active = container_of(observer, ActiveRuns, observer);

        /* A member is lost with its group, which is what is told and tried again; it is noted where it enters something. */
        if (run_state_is_final(event->run->state))
                note_end(active, event->run);
        else if (event->run->trigger != RUN_TRIGGER_GROUP)
                (void)note_begin(active, event->run);
}

/* --- what the last daemon left --- */

static bool slot_is_sane(const Slot *slot)
{
        return slot->id > 0 && slot->id <= INT64_MAX && slot->trigger < _RUN_TRIGGER_MAX &&
               memchr(slot->job, '\0', sizeof(slot->job)) && job_name_is_valid(slot->job) &&
               memchr(slot->params, '\0', sizeof(slot->params));
}

static int read_left(ActiveRuns *active)
{
        _cleanup_buffer_ Buffer file = BUFFER_NULL;
        int r = read_file_at(AT_FDCWD, active->path, table_size(ACTIVE_RUNS_MAX), &file);
        size_t n;

        if (r == -ENOENT)
                return 0;
        if (r < 0 || file.len < HEADER_SIZE || memcmp(file.data, magic, sizeof(magic)) != 0) {
                if (r == -ENOMEM)
                        return r;
                log_warning("%s is not readable (%s); runs that were under way are not known", active->path,
                            r < 0 ? strerror(-r) : "it is of another format");
                return 0;
        }
        n = (file.len - HEADER_SIZE) / sizeof(Slot);
        active->left = new0(Slot, n + 1);
        if (!active->left)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                Slot *slot = &active->left[active->n_left];

                memcpy(slot, file.data + HEADER_SIZE + i * sizeof(Slot), sizeof(Slot));
                slot->repeat = REPEAT_NO;
                active->n_left += slot_is_sane(slot);
        }
        if (active->n_left > 0)
                qsort(active->left, active->n_left, sizeof(Slot), slot_compare);
        return 0;
}

static RunRequest slot_request(const Slot *slot, const Job *job)
{
        return (RunRequest){
                .trigger = (RunTrigger)slot->trigger,
                .cause = job_spec_trigger_by_id(job->spec, slot->cause),
                .params = slot->has_params ? slot->params : NULL,
                .scheduled_realtime = slot->scheduled_realtime,
        };
}

/* 0, or -ENOENT where the job was removed meanwhile, -ENOMEM. */
static int repeat_one(Scheduler *scheduler, const Slot *slot)
{
        RunRequest request;
        Job *job;
        int r;

        /* An instance that was made on demand went with the run that was lost. */
        r = scheduler_find_or_make_job(scheduler, slot->job, &job);
        if (r < 0)
                return r;
        request = slot_request(slot, job);
        return scheduler_run(scheduler, job, &request, NULL);
}

static void log_not_recovered(const Slot *slot, int error)
{
        (void)log_errno(LOG_ERR, error, "%s: lost run %llu was not dealt with: %m", slot->job, (unsigned long long)slot->id);
}

static void forget_left(ActiveRuns *active)
{
        free(active->left);
        active->left = NULL;
        active->n_left = active->n_repeats = 0;
}

static void on_repeat(Deferred *deferred)
{
        ActiveRuns *active = container_of(deferred, ActiveRuns, repeat);

        for (size_t i = 0; i < active->n_left; i++) {
                Slot *slot = &active->left[i];
                int r;

                if (slot->repeat != REPEAT_NOW)
                        continue;
                slot->repeat = REPEAT_NO;
                active->n_repeats--;
                r = repeat_one(active->scheduler, slot);
                if (r < 0)
                        log_not_recovered(slot, r);
        }
        if (active->n_repeats == 0)
                forget_left(active);
}

static void recover_one(ActiveRuns *active, Slot *slot)
{
        const RunEntered entered = { .n_resources = slot->n_resources, .job = slot->entered_job, .over = slot->over };
        RunRequest request;
        Job *job;
        bool again;
        int r;

        if (scheduler_find_or_make_job(active->scheduler, slot->job, &job) < 0) {
                log_warning("Run %llu of %s, a job that is no more, was lost: the daemon ended during it%s",
                            (unsigned long long)slot->id, slot->job,
                            entered.n_resources > 0 || entered.job ? "; what it had entered is not left" : "");
                return;
        }
        request = slot_request(slot, job);
        again = slot->started_realtime > 0 && slot->has_params && job->spec->job.retries > 0 &&
                slot->trigger != RUN_TRIGGER_GROUP && !slot->over;
        r = scheduler_record_lost(active->scheduler, job, &request, slot->id, slot->started_realtime, entered,
                                  slot->over ? "the daemon ended before what it had entered was left" : "the daemon ended during it");
        if (r >= 0 && again && scheduler_find_run(active->scheduler, slot->id)) {
                slot->repeat = REPEAT_AFTER_END;
                active->n_repeats++;
                return;
        }
        if (r >= 0 && again)
                r = repeat_one(active->scheduler, slot);
        if (r < 0)
                log_not_recovered(slot, r);
}

bool active_runs_was_under_way(const ActiveRuns *active, uint64_t id, uint64_t *ret_cause)
{
        const Slot *slot = find_left(active, id);

        if (slot)
                *ret_cause = slot->cause;
        return slot;
}

void active_runs_recover(ActiveRuns *active)
{
        for (size_t i = 0; i < active->n_left; i++)
                if (!scheduler_find_run(active->scheduler, active->left[i].id))
                        recover_one(active, &active->left[i]);
        if (active->n_repeats == 0)
                forget_left(active);
}

int active_runs_open(const char *state_directory, EventBus *bus, Scheduler *scheduler, Loop *loop, ActiveRuns **ret)
{
        _cleanup_(active_runs_closep) ActiveRuns *active = new0(ActiveRuns, 1);
        int r;

        if (!active)
                return -ENOMEM;
        list_init(&active->observer.link);
        active->scheduler = scheduler;
        active->loop = loop;
        active->repeat.callback = on_repeat;
        active->path = path_join(state_directory, "active-runs");
        if (!active->path)
                return -ENOMEM;
        r = read_left(active);
        if (r >= 0)
                r = table_create(active->path, SLOTS_MIN, &active->table);
        if (r >= 0)
                r = table_commit(active->path);
        if (r < 0)
                return r;
        active->observer.notify = on_event;
        active->observer.types = EVENT_BIT(EVENT_QUEUED) | EVENT_BIT(EVENT_RUNNING) | EVENT_BIT(EVENT_RETRYING) | EVENT_BITS_END;
        event_bus_subscribe(bus, &active->observer);
        scheduler_watch_entered(scheduler, note_entered, active);
        *ret = TAKE_PTR(active);
        return 0;
}

ActiveRuns *active_runs_close(ActiveRuns *active)
{
        if (!active)
                return NULL;
        event_bus_unsubscribe(&active->observer);
        scheduler_watch_entered(active->scheduler, NULL, NULL);
        deferred_cancel(active->loop, &active->repeat);
        table_deinit(&active->table);
        free(active->left);
        free(active->path);
        free(active);
        return NULL;
}
