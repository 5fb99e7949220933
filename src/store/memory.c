/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One block a record: its strings stand behind it. It is not made into JSON text before somebody asks:
 * most records never are asked for. Records hang in the list of their job and in the list of all, both in
 * the order in which they ended, and in a tree by id. The oldest of a job goes when the job has too many, the
 * oldest of all when all are too many: whichever goes is the oldest of its job.
 *
 * A million instances may end once a second, so that a record that comes and one that goes touch few lines of the
 * cache: a job is found by a hash of its name, who goes takes leave of no neighbour in its job's list, and the tree gets
 * what is new when somebody asks, by when much of it may be gone again. A record of the greatest id so far,
 * which most have, is put where that is, without a search.
 */
#include "store/store.h"

#include <assert.h>
#include <fnmatch.h>

#include "base/hash.h"
#include "base/spare.h"

#define BUCKETS_MIN 64U
/* Records that are not in the tree yet: who asks waits for as many insertions, some milliseconds. */
#define UNINDEXED_MAX 65536U

typedef struct Record Record;

typedef struct JobRecords {
        struct JobRecords *next; /* in its bucket */
        Record *oldest;
        Record *newest;
        unsigned n;
        uint32_t hash;
        char name[];
} JobRecords;

/* What dropping one takes comes first. */
struct Record {
        List in_all;
        JobRecords *job;
        Record *newer; /* of its job; not set in the newest */
        Record *older; /* not set in the oldest */
        size_t size;
        bool indexed;
        RB_ENTRY(Record) by_id;
        RunRecord run;
        char strings[];
};

RB_HEAD(RecordTree, Record);

typedef struct MemoryStore {
        Store store;
        struct RecordTree records;
        Record *greatest; /* of the largest id */
        JobRecords **buckets;
        size_t n_buckets; /* a power of two */
        size_t n_jobs;
        List all;
        List *unindexed; /* the first that is not in the tree, nor are those behind it; &ALL: all are */
        size_t n_unindexed;
        size_t n;
        size_t bytes;
        unsigned keep_runs;
        unsigned keep_runs_total;
        Spare spare_record;
        Spare spare_job;
} MemoryStore;

static int record_compare(const Record *a, const Record *b)
{
        return a->run.id < b->run.id ? -1 : a->run.id > b->run.id;
}

TREE_GENERATE(RecordTree, Record, by_id, record_compare)

static JobRecords **bucket(const MemoryStore *m, uint32_t hash)
{
        return &m->buckets[hash & (m->n_buckets - 1)];
}

static JobRecords *find_job(MemoryStore *m, const char *name, uint32_t hash)
{
        JobRecords *job;

        for (job = *bucket(m, hash); job; job = job->next)
                if (job->hash == hash && streq(job->name, name))
                        break;
        return job;
}

/* Where there is no memory for more buckets, those that are grow longer. */
static void resize_buckets(MemoryStore *m, size_t n)
{
        JobRecords **old = m->buckets, **buckets = new0(JobRecords *, n), *next;
        size_t n_old = m->n_buckets;

        if (!buckets)
                return;
        m->buckets = buckets;
        m->n_buckets = n;
        for (size_t i = 0; i < n_old; i++)
                for (JobRecords *job = old[i]; job; job = next) {
                        next = job->next;
                        job->next = *bucket(m, job->hash);
                        *bucket(m, job->hash) = job;
                }
        free(old);
}

static JobRecords *find_or_add_job(MemoryStore *m, const char *name)
{
        size_t n = strlen(name);
        uint32_t hash = (uint32_t)hash_text(name, n);
        JobRecords *job = find_job(m, name, hash);

        if (job)
                return job;
        job = spare_take(&m->spare_job, sizeof(*job) + n + 1);
        if (!job)
                return NULL;
        if (m->n_jobs >= m->n_buckets)
                resize_buckets(m, m->n_buckets * 2);
        *job = (JobRecords){ .hash = hash };
        memcpy(job->name, name, n + 1);
        job->next = *bucket(m, job->hash);
        *bucket(m, job->hash) = job;
        m->n_jobs++;
        return job;
}

static void free_job(MemoryStore *m, JobRecords *job)
{
        JobRecords **p = bucket(m, job->hash);

        while (*p != job)
                p = &(*p)->next;
        *p = job->next;
        m->n_jobs--;
        spare_put(&m->spare_job, job, sizeof(*job) + strlen(job->name) + 1);
        if (m->n_jobs < m->n_buckets / 8 && m->n_buckets > BUCKETS_MIN)
                resize_buckets(m, m->n_buckets / 2);
}

static void insert(MemoryStore *m, Record *record)
{
        record->indexed = true;
        if (m->greatest && record->run.id <= m->greatest->run.id) {
                (void)RB_INSERT(RecordTree, &m->records, record);
                return;
        }
        TREE_APPEND(RecordTree, &m->records, m->greatest, record, by_id);
        m->greatest = record;
}

/* Puts all but MAX records into the tree. */
static void index_records(MemoryStore *m, size_t max)
{
        while (m->n_unindexed > max) {
                Record *record = container_of(m->unindexed, Record, in_all);

                m->unindexed = record->in_all.next;
                m->n_unindexed--;
                insert(m, record);
        }
}

static void unindex(MemoryStore *m, Record *record)
{
        if (!record->indexed) {
                if (m->unindexed == &record->in_all)
                        m->unindexed = record->in_all.next;
                m->n_unindexed--;
                return;
        }
        if (record == m->greatest)
                m->greatest = RB_PREV(RecordTree, &m->records, record);
        RB_REMOVE(RecordTree, &m->records, record);
}

/* RECORD is the oldest of its job. */
static void drop(MemoryStore *m, Record *record)
{
        JobRecords *job = record->job;

        assert(job->oldest == record);
        unindex(m, record);
        job->oldest = record->newer;
        /* The next one to go, very likely. */
        __builtin_prefetch(record->in_all.next, 1);
        list_unlink(&record->in_all);
        m->bytes -= record->size;
        spare_put(&m->spare_record, record, record->size);
        m->n--;
        if (--job->n == 0)
                free_job(m, job);
}

/* Appends RECORD to the lists. */
static void add(MemoryStore *m, JobRecords *job, Record *record)
{
        if (job->n++ == 0) {
                job->oldest = record;
        } else {
                record->older = job->newest;
                job->newest->newer = record;
        }
        job->newest = record;
        list_append(&m->all, &record->in_all);
        if (m->n_unindexed++ == 0)
                m->unindexed = &record->in_all;
        m->n++;
        m->bytes += record->size;
}

static void trim(MemoryStore *m)
{
        while (m->n > m->keep_runs_total || (m->n > 1 && m->bytes > STORE_KEEP_BYTES_TOTAL))
                drop(m, list_first(&m->all, Record, in_all));
}

/* The strings that a record owns; its job's name is the job's. */
static const size_t string_offsets[] = {
        offsetof(RunRecord, params),  offsetof(RunRecord, result),     offsetof(RunRecord, outputs),
        offsetof(RunRecord, details), offsetof(RunRecord, error_kind), offsetof(RunRecord, error_message),
        offsetof(RunRecord, cause),   offsetof(RunRecord, failed_attempts),
        offsetof(RunRecord, resource),
};

static const char *record_string(const RunRecord *run, size_t i)
{
        return *(const char *const *)(const void *)((const char *)run + string_offsets[i]);
}

static void set_record_string(RunRecord *run, size_t i, const char *s)
{
        *(const char **)(void *)((char *)run + string_offsets[i]) = s;
}

/* A copy of RUN, in one block. */
static Record *record_new(MemoryStore *m, const RunRecord *run, JobRecords *job)
{
        struct {
                size_t i;
                size_t length;
        } strings[ARRAY_SIZE(string_offsets)]; /* that there are: most records have one or two */
        size_t n = 0, total = 0;
        Record *record;
        char *end;

        for (size_t i = 0; i < ARRAY_SIZE(string_offsets); i++) {
                const char *s = record_string(run, i);

                if (!s)
                        continue;
                strings[n].i = i;
                strings[n].length = strlen(s) + 1;
                total += strings[n++].length;
        }
        record = spare_take(&m->spare_record, sizeof(*record) + total);
        if (!record)
                return NULL;
        record->job = job;
        record->size = sizeof(*record) + total;
        record->indexed = false;
        record->run = *run;
        record->run.job = job->name;
        end = record->strings;
        for (size_t k = 0; k < n; k++) {
                set_record_string(&record->run, strings[k].i, memcpy(end, record_string(run, strings[k].i), strings[k].length));
                end += strings[k].length;
        }
        return record;
}

static void memory_append(Store *store, const RunRecord *run)
{
        MemoryStore *m = container_of(store, MemoryStore, store);
        JobRecords *job;
        Record *record;

        if (m->keep_runs == 0 || m->keep_runs_total == 0)
                return;
        job = find_or_add_job(m, run->job);
        record = job ? record_new(m, run, job) : NULL;
        if (!record)
                goto lost;
        /* The new one is in its list first, so that the job is not dropped with its last record. */
        add(m, job, record);
        while (job->n > m->keep_runs)
                drop(m, job->oldest);
        trim(m);
        index_records(m, UNINDEXED_MAX);
        return;
lost:
        store->n_lost++;
        if (job && job->n == 0)
                free_job(m, job);
}

static bool matches(const StoreQuery *query, const Record *record)
{
        if (query->states != 0 && !(query->states & (1U << record->run.state)))
                return false;
        if (query->parent > 0 && !store_is_member(query->parent, record->run.trigger, record->run.origin))
                return false;
        if (query->n_jobs == 0)
                return true;
        for (size_t i = 0; i < query->n_jobs; i++)
                if (fnmatch(query->jobs[i], record->job->name, 0) == 0)
                        return true;
        return false;
}

/* The newest record with an id below BEFORE (0: of all). */
static Record *newest_before(MemoryStore *m, uint64_t before)
{
        Record *found;

        if (before == 0)
                return RB_MAX(RecordTree, &m->records);
        found = RB_NFIND(RecordTree, &m->records, &(Record){ .run.id = before });
        return found ? RB_PREV(RecordTree, &m->records, found) : RB_MAX(RecordTree, &m->records);
}

/* One job by its name, without a look at the records of others. */
static void query_job(MemoryStore *m, const StoreQuery *query, const StoreAnswer *answer)
{
        const char *name = query->jobs[0];
        JobRecords *job = find_job(m, name, (uint32_t)hash_text(name, strlen(name)));
        const Record *record = job ? job->newest : NULL;
        size_t n = 0;

        for (unsigned left = job ? job->n : 0; left > 0; left--, record = record->older) {
                if ((query->before > 0 && record->run.id >= query->before) || !matches(query, record))
                        continue;
                if (!answer->found(&record->run, answer->userdata) || ++n == query->limit)
                        break;
        }
}

static void memory_query(Store *store, const StoreQuery *query, const StoreAnswer *answer)
{
        MemoryStore *m = container_of(store, MemoryStore, store);
        bool one_job = query->n_jobs == 1 && !strpbrk(query->jobs[0], "*?[\\");
        size_t n = 0;

        if (query->id > 0 || !one_job)
                index_records(m, 0);
        if (query->id > 0) {
                Record *record = RB_FIND(RecordTree, &m->records, &(Record){ .run.id = query->id });

                if (record && matches(query, record))
                        (void)answer->found(&record->run, answer->userdata);
        } else if (one_job) {
                query_job(m, query, answer);
        } else {
                for (Record *record = newest_before(m, query->before); record; record = RB_PREV(RecordTree, &m->records, record)) {
                        if (query->parent > 0 && record->run.id <= query->parent)
                                break; /* members begin after their group */
                        if (!matches(query, record))
                                continue;
                        if (!answer->found(&record->run, answer->userdata) || ++n == query->limit)
                                break;
                }
        }
}

static void memory_set_limits(Store *store, unsigned keep_runs, unsigned keep_runs_total)
{
        MemoryStore *m = container_of(store, MemoryStore, store);
        Record *record;

        m->keep_runs = keep_runs;
        m->keep_runs_total = keep_runs_total;
        /* The oldest come first, in the list of all as in that of their job. */
        list_foreach(record, &m->all, Record, in_all)
                if (record->job->n > keep_runs)
                        drop(m, record);
        trim(m);
}

static Store *memory_free(Store *store)
{
        MemoryStore *m = container_of(store, MemoryStore, store);

        while (m->n > 0)
                drop(m, list_first(&m->all, Record, in_all));
        spare_deinit(&m->spare_record);
        spare_deinit(&m->spare_job);
        free(m->buckets);
        free(m);
        return NULL;
}

static const StoreOperations memory_operations = {
        .append = memory_append,
        .query = memory_query,
        .set_limits = memory_set_limits,
        .free = memory_free,
};

int memory_store_new(Store **ret)
{
        MemoryStore *m = new0(MemoryStore, 1);

        if (!m)
                return -ENOMEM;
        m->store.operations = &memory_operations;
        m->keep_runs = STORE_KEEP_RUNS;
        m->keep_runs_total = STORE_KEEP_RUNS_TOTAL;
        RB_INIT(&m->records);
        resize_buckets(m, BUCKETS_MIN);
        if (!m->buckets) {
                free(m);
                return -ENOMEM;
        }
        list_init(&m->all);
        m->unindexed = &m->all;
        *ret = &m->store;
        return 0;
}
