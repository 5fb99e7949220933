/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/run-slots.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/string-util.h"
#include "job/run.h"
#include "job/spec.h"
#include "json/json.h"
#include "sched/run-id.h"

static const char magic[16] = "takt active 5\n";

_Static_assert(sizeof(Slot) == 512, "slots of 512 bytes don't straddle pages");
_Static_assert(SLOT_TEXT_SIZE > JOB_NAME_MAX + sizeof("{}"), "each name fits");
_Static_assert(SLOT_HEADER_SIZE % sizeof(Slot) == 0, "the header takes the place of whole slots");

static const char no_params[] = "{}";
#define NO_PARAMS_LEN (sizeof(no_params) - 1)

/* Of what run ID is to do. base/seal.h is for lines, and slower: this is made at each start of a run. */
static _always_inline_ uint32_t make_seal(uint64_t id, const SlotCause *cause, uint8_t has_params,
                                          uint64_t job_hash, uint64_t params_hash)
{
        /* Odd factors: whatever changes in one of these changes the sum. */
        const uint64_t bytes = (uint64_t)cause->trigger << 40 | (uint64_t)cause->event_depth << 48 |
                               (uint64_t)has_params << 56;
        const uint64_t fixed = cause->scheduled_realtime + 3 * cause->cause + 5 * cause->origin +
                               9 * cause->replaces + bytes;

        return (uint32_t)hash_word(hash_word(job_hash, params_hash) + id, fixed);
}

void slot_write(Slot *slot, uint64_t id, const SlotCause *cause, const char *job, const char *params)
{
        const size_t job_len = strlen(job), params_len = params ? strlen(params) : NO_PARAMS_LEN;
        const bool has_params = job_len + params_len + 2 <= SLOT_TEXT_SIZE;
        uint64_t params_hash;

        /* Most runs have none: what is of a known length needs no call. */
        memcpy(slot->text, job, job_len + 1);
        if (params && has_params) {
                memcpy(slot->text + job_len + 1, params, params_len + 1);
                params_hash = hash_text(params, params_len);
        } else {
                memcpy(slot->text + job_len + 1, no_params, sizeof(no_params));
                params_hash = hash_text(no_params, NO_PARAMS_LEN);
        }
        /*
         * Nothing is read from the slot: what was just written may not be in the cache yet, and a read waits.
         */
        slot->seal = make_seal(id, cause, has_params, hash_text(job, job_len), params_hash);
        slot->scheduled_realtime = cause->scheduled_realtime;
        slot->cause = cause->cause;
        slot->origin = cause->origin;
        slot->replaces = cause->replaces;
        slot->trigger = cause->trigger;
        slot->event_depth = cause->event_depth;
        slot->has_params = has_params;
}

/* --- the table --- */

static size_t file_size(size_t n)
{
        return SLOT_HEADER_SIZE + n * sizeof(Slot);
}

void slot_table_write_header(SlotTable *table)
{
        SlotHeader header = { .n = table->n };

        memcpy(header.magic, magic, sizeof(magic));
        memcpy(table->map, &header, sizeof(header));
}

int slot_table_create(const char *path, size_t n, SlotTable *ret)
{
        _cleanup_free_ uint64_t *ids = new0(uint64_t, n);
        MappedFile *file;
        int r;

        if (!ids)
                return -ENOMEM;
        r = mapped_file_new(path, file_size(n), file_size(n), &file);
        if (r < 0)
                return r;
        *ret = (SlotTable){ .file = file, .map = mapped_file_data(file), .ids = TAKE_PTR(ids), .n = n };
        slot_table_write_header(ret);
        return 0;
}

void slot_table_deinit(SlotTable *table)
{
        mapped_file_free(table->file);
        free(table->ids);
        *table = (SlotTable){};
}

/* --- what the last daemon left --- */

void slots_left_deinit(SlotsLeft *left)
{
        free(left->slots);
        *left = (SlotsLeft){};
}

static bool params_are_sane(const char *params)
{
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;

        return streq(params, "{}") || (json_parse(params, strlen(params), NULL, &doc, NULL) >= 0 &&
                                       json_root(doc)->type == JSON_OBJECT);
}

/* Whether it is as it was written. What changes while the run lives is not part of the seal. */
static bool is_sealed(const Slot *slot)
{
        const size_t job_len = strnlen(slot->text, SLOT_TEXT_SIZE - 1), room = SLOT_TEXT_SIZE - 1 - job_len;
        const char *params = slot->text + job_len + 1;
        const size_t params_len = strnlen(params, room);
        const SlotCause cause = {
                slot->scheduled_realtime, slot->cause, slot->origin, slot->replaces, slot->trigger,
                slot->event_depth,
        };

        /* Where the text has no end, there is no room for another one. */
        return params_len < room &&
               slot->seal == make_seal(slot->id, &cause, slot->has_params, hash_text(slot->text, job_len),
                                       hash_text(params, params_len));
}

static bool is_sane(const Slot *slot)
{
        return slot->id > 0 && slot->id < RUN_ID_END && slot->trigger < _RUN_TRIGGER_MAX &&
               (slot->repeat == REPEAT_NO || slot->repeat == REPEAT_NOW) && is_sealed(slot) &&
               job_name_is_valid(slot_job(slot)) && params_are_sane(slot_params(slot));
}

/* NULL: it can be used. */
static const char *look_at_header(const Buffer *file, SlotHeader *ret)
{
        if (file->len < SLOT_HEADER_SIZE)
                return "it is cut short";
        memcpy(ret, file->data, sizeof(*ret));
        return memcmp(ret->magic, magic, sizeof(magic)) == 0 ? NULL : "it is of another format";
}

/* 1: there is something; 0: there is not, which is told; -ENOMEM. */
static int read_file(const char *path, size_t max, Buffer *file, SlotsLeft *left)
{
        int r = mapped_file_read(path, file_size(max), file);
        const char *problem;
        SlotHeader header = {};

        if (r == -ENOENT || r == -ENOMEM)
                return r == -ENOENT ? 0 : r;
        problem = r < 0 ? strerror(-r) : look_at_header(file, &header);
        if (problem)
                log_warning("%s is not readable (%s); runs that were under way are not known", path, problem);
        else if (file->len < file_size(MIN(header.n, (uint64_t)max)))
                log_warning("%s is not readable to its end (it is cut short); some runs that were under way are not known",
                            path);
        left->on_purpose = header.left;
        left->alive_boottime = header.alive_boottime;
        return !problem;
}

/* Two slots of one id, of which at most one tells the truth, are one run. */
static void sort(SlotsLeft *left)
{
        size_t n = 0;

        qsort(left->slots, left->n, sizeof(Slot), slot_compare);
        for (size_t i = 0; i < left->n; i++)
                if (n == 0 || left->slots[n - 1].id != left->slots[i].id)
                        left->slots[n++] = left->slots[i];
        left->n = n;
}

/* Where two runs stand for one, as the daemon ended right between two notes, the older one was dealt with. */
static void drop_replaced(SlotsLeft *left)
{
        size_t n = 0;

        for (size_t i = 0; i < left->n; i++) {
                Slot *replaced = slots_left_find(left, left->slots[i].replaces);

                if (replaced)
                        replaced->text[0] = '\0';
        }
        for (size_t i = 0; i < left->n; i++)
                if (left->slots[i].text[0])
                        left->slots[n++] = left->slots[i];
        left->n = n;
}

int slots_left_read(const char *path, size_t max, SlotsLeft *ret)
{
        _cleanup_buffer_ Buffer file = BUFFER_NULL;
        SlotsLeft left = {};
        size_t n, n_garbled = 0;
        int r = read_file(path, max, &file, &left);

        if (r < 0)
                return r;
        n = r > 0 ? (file.len - SLOT_HEADER_SIZE) / sizeof(Slot) : 0;
        left.slots = new0(Slot, n + 1);
        if (!left.slots)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                Slot *slot = &left.slots[left.n];
                bool sane;

                memcpy(slot, file.data + SLOT_HEADER_SIZE + i * sizeof(Slot), sizeof(Slot));
                sane = is_sane(slot);
                left.n += sane;
                n_garbled += !sane && slot->id > 0;
        }
        if (n_garbled > 0)
                log_warning("%zu entries of %s are garbled; these runs that were under way are not known", n_garbled, path);
        sort(&left);
        drop_replaced(&left);
        *ret = left;
        return 0;
}
