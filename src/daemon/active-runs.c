/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file is a page with its format and a table of slots of one size. A run's slot is one of the
 * PROBE_MAX from its id on: ids go up by one, so the first is nearly always free, and a run that ends is
 * found without an index. Where none is free a table of twice the size takes the place of the file. A
 * slot counts once its id is written, last. What becomes of the table where there can't be a file is the matter of
 * base/mapped-file.h.
 */
#include "daemon/active-runs.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mapped-file.h"
#include "base/string-util.h"
#include "job/job.h"
#include "job/spec.h"
#include "json/json.h"
#include "loop/loop.h"
#include "sched/run-id.h"

#define HEADER_SIZE 4096U
#define SLOTS_MIN 64U
#define PROBE_MAX 8U
#define TEXT_SIZE 440U /* parameters that don't fit behind the job's name are not kept, and such a run is not repeated */
/* How often it is noted that the daemon is there, as long as an attempt is younger than POISON_WINDOW_USEC. */
#define ALIVE_USEC USEC_PER_SEC

static const char magic[16] = "takt active 3\n";

/* The beginning of the file. */
typedef struct Header {
        char magic[16];
        uint64_t n;              /* slots in the file */
        uint64_t alive_boottime; /* when the daemon was there for certain */
        uint8_t left;            /* it ended on purpose */
} Header;

/* Whether another run is to take the place of one that was lost. */
typedef enum Repeat {
        REPEAT_NO,
        REPEAT_AFTER_END, /* it is leaving what it had entered */
        REPEAT_NOW,       /* its end was told */
        _REPEAT_MAX,
} Repeat;

typedef struct Slot {
        uint64_t id; /* 0: free */
        uint64_t scheduled_realtime;
        uint64_t started_realtime; /* 0: it waits */
        uint64_t attempt_boottime; /* when its last attempt began */
        uint64_t cause;            /* job_trigger_id() of what it is due by; 0: of nothing that is known */
        uint64_t origin;           /* as in a Run */
        uint64_t replaces;         /* the lost run whose place it took; 0: none */
        uint32_t attempts;
        uint32_t seal;       /* of the id and the text: slot_seal() */
        uint8_t trigger;
        uint8_t event_depth;
        uint8_t has_params;
        uint8_t n_resources; /* RunEntered */
        uint8_t entered_job;
        uint8_t over;
        uint8_t repeat;      /* Repeat */
        uint8_t n_deaths;    /* daemons that ended soon after the start of an attempt, one after the other */
        char text[TEXT_SIZE]; /* the job's name and the parameters, each ended by a NUL */
} Slot;

_Static_assert(sizeof(Slot) == 512, "slots of 512 bytes don't straddle pages");
_Static_assert(TEXT_SIZE > JOB_NAME_MAX + sizeof("{}"), "each name fits");
_Static_assert(HEADER_SIZE % sizeof(Slot) == 0, "the header takes the place of whole slots");

/* IDS are those of the slots, side by side: a look at PROBE_MAX slots costs one line of the cache or two. */
typedef struct Table {
        MappedFile *file; /* NULL: none */
        char *map; /* what is in it */
        uint64_t *ids;
        size_t n;  /* slots, a power of two */
} Table;

struct ActiveRuns {
        RunKeeper keeper;
        char *path;
        Table table;
        uint64_t n_unnoted;
        bool stuck;      /* the disk has no room for a larger table; until active_runs_check() */
        usec_t last_attempt_boottime;
        Timer alive;     /* armed as long as that is not long ago */
        Slot *left;      /* by the last daemon; in the table as well until they are dealt with */
        size_t n_left;
        bool left_on_purpose; /* by the last daemon */
        usec_t last_alive_boottime; /* of it */
        size_t n_repeats; /* of those left, that are to be repeated still */
        Scheduler *scheduler;
        const Services *services;
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
        mapped_file_free(table->file);
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

/* Without a look into the slot itself: of a page that is new to this process the first access is the one that writes. */
static bool table_is_free(const Table *table, const Slot *slot)
{
        return table->ids[slot - table_slots(table)] == 0;
}

/* Takes or frees SLOT, once all else in it is written. */
static void table_set_id(Table *table, Slot *slot, uint64_t id)
{
        table->ids[slot - table_slots(table)] = id;
        __atomic_store_n(&slot->id, id, __ATOMIC_RELEASE);
}

static Header *table_header(const Table *table)
{
        return (Header *)(void *)table->map;
}

static void table_write_header(Table *table)
{
        Header header = { .n = table->n };

        memcpy(header.magic, magic, sizeof(magic));
        memcpy(table->map, &header, sizeof(header));
}

/* An empty table, in a file that gets its name by mapped_file_commit(). -ENOMEM. */
static int table_create(const char *path, size_t n, Table *ret)
{
        _cleanup_free_ uint64_t *ids = new0(uint64_t, n);
        MappedFile *file;
        int r;

        if (!ids)
                return -ENOMEM;
        r = mapped_file_new(path, table_size(n), table_size(n), &file);
        if (r < 0)
                return r;
        *ret = (Table){ .file = file, .map = mapped_file_data(file), .ids = TAKE_PTR(ids), .n = n };
        table_write_header(ret);
        return 0;
}

static bool copy_slots(const Table *from, Table *to)
{
        for (size_t i = 0; i < from->n; i++) {
                uint64_t id = from->ids[i];
                Slot *place = id > 0 ? table_find(to, id, 0) : NULL;

                if (id > 0 && !place)
                        return false;
                if (place) {
                        *place = table_slots(from)[i];
                        table_set_id(to, place, id);
                }
        }
        return true;
}

/* A table of the size of TABLE that no next daemon reads would be less than one that is kept and full. */
static bool is_worse(const Table *table, const Table *old)
{
        return mapped_file_error(table->file) < 0 && mapped_file_error(old->file) == 0;
}

/* A table of more slots in which all fit. */
static int grow(ActiveRuns *active)
{
        for (size_t n = active->table.n * 2; n <= ACTIVE_RUNS_MAX && !active->stuck; n *= 2) {
                Table table = {};
                int r = table_create(active->path, n, &table);

                if (r < 0)
                        return r;
                active->stuck = is_worse(&table, &active->table);
                if (!active->stuck && copy_slots(&active->table, &table)) {
                        table_header(&table)->alive_boottime = table_header(&active->table)->alive_boottime;
                        mapped_file_commit(table.file);
                        table_deinit(&active->table);
                        active->table = table;
                        return 0;
                }
                table_deinit(&table);
        }
        return active->stuck ? -EAGAIN : -E2BIG;
}

static const char *slot_job(const Slot *slot)
{
        return slot->text;
}

static const char *slot_params(const Slot *slot)
{
        return slot->text + strlen(slot->text) + 1;
}

/* Tells a slot that is not as it was written: what a garbled one asks for must not be executed. N is of the text. */
static uint32_t slot_seal(const char *text, size_t n, uint64_t id)
{
        uint64_t hash = hash_text(text, n) + id;

        return (uint32_t)(hash ^ hash >> 32);
}

/* Each name fits; PARAMS (NULL: {}) may not. */
static void write_text(Slot *slot, uint64_t id, const char *job, const char *params)
{
        char *end = stpcpy(slot->text, job) + 1;
        size_t n = params ? strlen(params) + 1 : sizeof("{}");

        slot->has_params = n <= TEXT_SIZE - (size_t)(end - slot->text);
        if (!params || !slot->has_params) {
                params = "{}";
                n = sizeof("{}");
        }
        memcpy(end, params, n);
        slot->seal = slot_seal(slot->text, (size_t)(end - slot->text) + n, id);
}

static ActiveRuns *from_keeper(const RunKeeper *keeper)
{
        return container_of((RunKeeper *)keeper, ActiveRuns, keeper);
}

static Header *header(const ActiveRuns *active)
{
        return table_header(&active->table);
}

/* The note of run ID; NULL: there is none. */
static Slot *find_note(const ActiveRuns *active, uint64_t id)
{
        return id > 0 ? table_find(&active->table, id, id) : NULL;
}

static void free_note(ActiveRuns *active, uint64_t id)
{
        Slot *slot = find_note(active, id);

        if (slot)
                table_set_id(&active->table, slot, 0);
}

/* What the last daemon left of run ID. */
static Slot *find_left(const ActiveRuns *active, uint64_t id);

/* Most runs are noted for the first time when they begin: for those no note has to be looked for. */
static Slot *find_or_take_slot(ActiveRuns *active, const Run *run)
{
        Slot *slot = run->noted || active->n_left > 0 ? find_note(active, run->id) : NULL;

        if (!slot)
                slot = table_find(&active->table, run->id, 0);
        if (!slot && grow(active) >= 0)
                slot = table_find(&active->table, run->id, 0);
        if (!slot && active->n_unnoted++ == 0)
                log_warning("Not all runs under way can be noted in %s; after a crash some won't be known to be lost",
                            active->path);
        return slot;
}

/* What does not change as long as the run lives. */
static void write_run(const ActiveRuns *active, Slot *slot, const Run *run)
{
        const Slot *replaced;

        slot->scheduled_realtime = run->scheduled_realtime;
        slot->attempts = 0;
        slot->attempt_boottime = 0;
        slot->cause = job_trigger_id(run->cause);
        slot->origin = run->origin;
        slot->replaces = run->extra->story ? run->extra->story->replaces : 0;
        slot->trigger = (uint8_t)run->trigger;
        slot->event_depth = run->event_depth;
        slot->repeat = REPEAT_NO;
        replaced = find_left(active, slot->replaces);
        slot->n_deaths = replaced ? replaced->n_deaths : 0;
        write_text(slot, run->id, run->job->name, run->extra->params);
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
        if (table_is_free(&active->table, slot)) {
                write_run(active, slot, run);
                table_set_id(&active->table, slot, run->id);
                if (slot->replaces > 0)
                        free_note(active, slot->replaces);
        }
        slot->started_realtime = run->started_realtime;
        note_attempt(active, slot, run, now_boottime);
        slot->n_resources = entered.n_resources;
        slot->entered_job = entered.job;
        slot->over = entered.over;
        run->noted = true;
}

static void drop(RunKeeper *keeper, Run *run)
{
        ActiveRuns *active = from_keeper(keeper);
        Slot *left = active->n_left > 0 ? find_left(active, run->id) : NULL;

        if (left && left->repeat == REPEAT_AFTER_END) {
                Slot *slot = find_note(active, run->id);

                /* It was told of; the note stays until another run has taken its place. */
                left->repeat = REPEAT_NOW;
                if (slot) {
                        slot->n_resources = slot->entered_job = 0;
                        slot->repeat = REPEAT_NOW;
                }
                loop_defer(active->services->loop, &active->repeat);
        } else if (run->noted || left) {
                free_note(active, run->id);
        }
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
                if (find_note(active, id) != &table_slots(&active->table)[i])
                        return -EINVAL;
                if (is_noted(id, userdata))
                        n++;
                else if (!find_left(active, id))
                        return -EINVAL;
        }
        *ret_n = n;
        return 0;
}

static const RunKeeperOperations keeper_operations = { .keep = keep, .drop = drop, .check = check };

void active_runs_leave(ActiveRuns *active)
{
        header(active)->left = 1;
}

/* --- what the last daemon left --- */

static int slot_compare(const void *a, const void *b)
{
        const Slot *x = a, *y = b;

        return x->id < y->id ? -1 : x->id > y->id;
}

static Slot *find_left(const ActiveRuns *active, uint64_t id)
{
        return active->n_left == 0 ? NULL : bsearch(&(Slot){ .id = id }, active->left, active->n_left, sizeof(Slot), slot_compare);
}

static bool params_are_sane(const char *params)
{
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;

        return streq(params, "{}") || (json_parse(params, strlen(params), NULL, &doc, NULL) >= 0 &&
                                       json_root(doc)->type == JSON_OBJECT);
}

/* Whether it is as it was written. What changes while the run lives is not part of the seal. */
static bool slot_is_sealed(const Slot *slot)
{
        size_t job = strnlen(slot->text, TEXT_SIZE) + 1;
        size_t params = job < TEXT_SIZE ? strnlen(slot->text + job, TEXT_SIZE - job) + 1 : 0;

        return params > 0 && job + params <= TEXT_SIZE && slot->seal == slot_seal(slot->text, job + params, slot->id);
}

static bool slot_is_sane(const Slot *slot)
{
        return slot->id > 0 && slot->id < RUN_ID_END && slot->trigger < _RUN_TRIGGER_MAX && slot->repeat < _REPEAT_MAX &&
               slot_is_sealed(slot) && job_name_is_valid(slot->text) && params_are_sane(slot_params(slot));
}

/* NULL: it can be used. */
static const char *look_at_header(const Buffer *file, Header *ret)
{
        if (file->len < HEADER_SIZE)
                return "it is cut short";
        memcpy(ret, file->data, sizeof(*ret));
        return memcmp(ret->magic, magic, sizeof(magic)) == 0 ? NULL : "it is of another format";
}

/* 1: there is something; 0: there is not, which is told; -ENOMEM. */
static int read_file(ActiveRuns *active, Buffer *file)
{
        int r = read_plain_file(active->path, table_size(ACTIVE_RUNS_MAX), file);
        const char *problem;
        Header header = {};

        if (r == -ENOENT || r == -ENOMEM)
                return r == -ENOENT ? 0 : r;
        problem = r < 0 ? strerror(-r) : look_at_header(file, &header);
        if (problem)
                log_warning("%s is not readable (%s); runs that were under way are not known", active->path, problem);
        else if (file->len < table_size(MIN(header.n, (uint64_t)ACTIVE_RUNS_MAX)))
                log_warning("%s is not readable to its end (it is cut short); some runs that were under way are not known",
                            active->path);
        active->left_on_purpose = header.left;
        active->last_alive_boottime = header.alive_boottime;
        return !problem;
}

/* Two slots of one id, of which at most one tells the truth, are one run. */
static void sort_left(ActiveRuns *active)
{
        size_t n = 0;

        qsort(active->left, active->n_left, sizeof(Slot), slot_compare);
        for (size_t i = 0; i < active->n_left; i++)
                if (n == 0 || active->left[n - 1].id != active->left[i].id)
                        active->left[n++] = active->left[i];
        active->n_left = n;
}

static int read_left(ActiveRuns *active)
{
        _cleanup_buffer_ Buffer file = BUFFER_NULL;
        int r = read_file(active, &file);
        size_t n, n_garbled = 0;

        if (r <= 0)
                return r;
        n = (file.len - HEADER_SIZE) / sizeof(Slot);
        active->left = new0(Slot, n + 1);
        if (!active->left)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                Slot *slot = &active->left[active->n_left];
                bool sane;

                memcpy(slot, file.data + HEADER_SIZE + i * sizeof(Slot), sizeof(Slot));
                sane = slot_is_sane(slot);
                active->n_left += sane;
                n_garbled += !sane && slot->id > 0;
        }
        if (n_garbled > 0)
                log_warning("%zu entries of %s are garbled; these runs that were under way are not known", n_garbled, active->path);
        if (active->n_left > 0)
                sort_left(active);
        return 0;
}

/* Where two runs stand for one, as the daemon ended right between two notes, the older one was dealt with. */
static void drop_replaced(ActiveRuns *active)
{
        size_t n = 0;

        for (size_t i = 0; i < active->n_left; i++) {
                Slot *replaced = find_left(active, active->left[i].replaces);

                if (replaced)
                        replaced->text[0] = '\0';
        }
        for (size_t i = 0; i < active->n_left; i++)
                if (active->left[i].text[0])
                        active->left[n++] = active->left[i];
        active->n_left = n;
}

/* Whether all that was left found a place in TABLE. */
static bool note_left(const ActiveRuns *active, Table *table)
{
        bool all = true;

        for (size_t i = 0; i < active->n_left; i++) {
                Slot *slot = table_find(table, active->left[i].id, 0);

                if (slot) {
                        *slot = active->left[i];
                        table_set_id(table, slot, slot->id);
                }
                all = all && slot;
        }
        return all;
}

/* A table that has all that was left, as far as one may be that large. -ENOMEM. */
static int begin_table(ActiveRuns *active)
{
        for (size_t n = SLOTS_MIN;; n *= 2) {
                int r = table_create(active->path, n, &active->table);

                if (r < 0)
                        return r;
                header(active)->alive_boottime = clock_boottime(active->services->clock);
                if (note_left(active, &active->table) || n >= ACTIVE_RUNS_MAX) {
                        mapped_file_commit(active->table.file);
                        return 0;
                }
                table_deinit(&active->table);
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

/* 0, or -ENOENT where the job was removed meanwhile, -ENOMEM. The lost run has no note afterwards. */
static int repeat_one(ActiveRuns *active, const Slot *slot)
{
        RunRequest request;
        Job *job;
        int r;

        /* An instance that was made on demand went with the run that was lost. */
        r = scheduler_find_or_make_job(active->scheduler, slot_job(slot), &job);
        if (r >= 0) {
                request = slot_request(slot, job);
                request.replaces = slot->id;
                request.attempts = slot->attempts;
                r = scheduler_run(active->scheduler, job, &request, NULL);
                if (r < 0)
                        scheduler_release_job(active->scheduler, job);
        }
        /* It is there still where the new run ended before it was noted. */
        free_note(active, slot->id);
        return r;
}

static void log_not_recovered(const Slot *slot, int error)
{
        (void)log_errno(LOG_ERR, error, "%s: lost run %llu was not dealt with: %m", slot_job(slot), (unsigned long long)slot->id);
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
                r = repeat_one(active, slot);
                if (r < 0)
                        log_not_recovered(slot, r);
        }
        if (active->n_repeats == 0)
                forget_left(active);
}

static void repeat_soon(ActiveRuns *active, Slot *slot, Repeat repeat)
{
        Slot *note = find_note(active, slot->id);

        slot->repeat = (uint8_t)repeat;
        active->n_repeats++;
        if (note)
                note->repeat = (uint8_t)(repeat == REPEAT_NOW ? REPEAT_NOW : REPEAT_NO);
        if (repeat == REPEAT_NOW)
                loop_defer(active->services->loop, &active->repeat);
}

/* Whether the daemon ended while SLOT's attempt was young. */
static bool ended_early(const ActiveRuns *active, const Slot *slot)
{
        return !active->left_on_purpose && active->last_alive_boottime >= slot->attempt_boottime &&
               active->last_alive_boottime - slot->attempt_boottime < POISON_WINDOW_USEC;
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

/* Whether a run may take the place of SLOT's, which JOB's Retries= leaves attempts for. */
static bool may_repeat(const ActiveRuns *active, const Slot *slot, const Job *job)
{
        unsigned retries = job->spec->job.retries;

        /* Where the note can't be changed, each daemon to come would do it again. */
        return retries > 0 && slot->attempts <= retries && slot->has_params && !slot->over &&
               slot->trigger != RUN_TRIGGER_GROUP && !mapped_file_is_stale(active->table.file);
}

static void set_end(LeftRun *left, const Slot *slot)
{
        left->state = RUN_LOST;
        left->kind = "lost";
        left->message = slot->over ? "the daemon ended before what it had entered was left" : "the daemon ended during it";
        if (slot->n_deaths < POISON_DEATHS)
                return;
        left->state = RUN_FAILED;
        left->kind = "poison";
        left->message = "the daemon ended within 10 s after an attempt of it began, twice in a row; it is not tried again";
}

static void recover_one(ActiveRuns *active, Slot *slot)
{
        LeftRun left = {
                .id = slot->id,
                .started_realtime = slot->started_realtime,
                .attempts = slot->attempts,
                .entered = { .n_resources = slot->n_resources, .job = slot->entered_job, .over = slot->over },
        };
        bool has_entered = slot->n_resources > 0 || slot->entered_job;
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
                            (unsigned long long)slot->id, slot_job(slot), has_entered ? "; what it had entered is not left" : "");
                free_note(active, slot->id);
                return;
        }
        count_death(active, slot);
        set_end(&left, slot);
        /* Its note is to outlast its end. */
        if (left.state == RUN_LOST && may_repeat(active, slot, job))
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

bool active_runs_was_under_way(const ActiveRuns *active, uint64_t id, uint64_t *ret_cause)
{
        const Slot *slot = find_left(active, id);

        if (slot)
                *ret_cause = slot->cause;
        return slot;
}

uint64_t active_runs_greatest_id(const ActiveRuns *active)
{
        return active->n_left > 0 ? active->left[active->n_left - 1].id : 0;
}

void active_runs_recover(ActiveRuns *active)
{
        if (active->n_left > 0 && mapped_file_is_stale(active->table.file))
                log_warning("%s can't be changed: runs that were lost are told of by each start, and none is repeated (Retries=)", active->path);
        for (size_t i = 0; i < active->n_left; i++) {
                Slot *slot = &active->left[i];

                if (scheduler_find_run(active->scheduler, slot->id))
                        continue;
                if (!was_told(slot))
                        recover_one(active, slot);
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
        Table *table = &active->table;

        for (size_t i = 0; i < table->n; i++)
                if (table->ids[i] > 0 && table_slots(table)[i].id != table->ids[i])
                        table->ids[i] = 0;
        table_write_header(table);
        header(active)->alive_boottime = clock_boottime(active->services->clock);
}

int active_runs_check(ActiveRuns *active)
{
        int r = mapped_file_keep(active->table.file);
        bool lost = mapped_file_take_lost(active->table.file) > 0;

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
        r = read_left(active);
        if (r < 0)
                return r;
        drop_replaced(active);
        r = begin_table(active);
        if (r < 0)
                return r;
        scheduler_set_keeper(scheduler, &active->keeper);
        *ret = TAKE_PTR(active);
        return 0;
}

ActiveRuns *active_runs_close(ActiveRuns *active)
{
        if (!active)
                return NULL;
        scheduler_set_keeper(active->scheduler, NULL);
        deferred_cancel(active->services->loop, &active->repeat);
        timer_disarm(active->services->timers, &active->alive);
        table_deinit(&active->table);
        free(active->left);
        free(active->path);
        free(active);
        return NULL;
}
