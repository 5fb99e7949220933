/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One block a record: its strings stand behind it. It is not made into JSON text before somebody asks:
 * most records never are asked for. Records hang in the list of their job and in the list of all, both in the order in which they ended, and in a tree by
 * id. The oldest of a job goes when the job has too many, the oldest of all when all are too many.
 */
#include "store/store.h"

#include <fnmatch.h>

typedef struct JobRecords {
        RB_ENTRY(JobRecords) by_name;
        List records;
        unsigned n;
        char name[];
} JobRecords;

typedef struct Record {
        RB_ENTRY(Record) by_id;
        List in_job;
        List in_all;
        JobRecords *job;
        size_t size;
        RunRecord run;
        char strings[];
} Record;

RB_HEAD(RecordTree, Record);
RB_HEAD(JobRecordsTree, JobRecords);

typedef struct MemoryStore {
        Store store;
        struct RecordTree records;
        struct JobRecordsTree jobs;
        List all;
        size_t n;
        size_t bytes;
        unsigned keep_runs;
        unsigned keep_runs_total;
} MemoryStore;

static int record_compare(const Record *a, const Record *b)
{
        return a->run.id < b->run.id ? -1 : a->run.id > b->run.id;
}

static int job_records_compare(const JobRecords *a, const JobRecords *b)
{
        return strcmp(a->name, b->name);
}

TREE_GENERATE(RecordTree, Record, by_id, record_compare)
TREE_GENERATE(JobRecordsTree, JobRecords, by_name, job_records_compare)

static JobRecords *find_job(MemoryStore *m, const char *name)
{
        JobRecords *job = RB_ROOT(&m->jobs);

        while (job) {
                int order = strcmp(name, job->name);

                if (order == 0)
                        return job;
                job = order < 0 ? RB_LEFT(job, by_name) : RB_RIGHT(job, by_name);
        }
        return NULL;
}

static JobRecords *find_or_add_job(MemoryStore *m, const char *name)
{
        JobRecords *job = find_job(m, name);
        size_t n = strlen(name) + 1;

        if (job)
                return job;
        job = calloc(1, sizeof(*job) + n);
        if (!job)
                return NULL;
        memcpy(job->name, name, n);
        list_init(&job->records);
        (void)RB_INSERT(JobRecordsTree, &m->jobs, job);
        return job;
}

static void drop(MemoryStore *m, Record *record)
{
        JobRecords *job = record->job;

        RB_REMOVE(RecordTree, &m->records, record);
        list_unlink(&record->in_job);
        list_unlink(&record->in_all);
        m->bytes -= record->size;
        free(record);
        m->n--;
        if (--job->n > 0)
                return;
        RB_REMOVE(JobRecordsTree, &m->jobs, job);
        free(job);
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
        offsetof(RunRecord, cause),   offsetof(RunRecord, retry_reason),
};

static const char **record_string(RunRecord *run, size_t i)
{
        return (const char **)(void *)((char *)run + string_offsets[i]);
}

/* A copy of RUN, in one block. */
static Record *record_new(RunRecord run, JobRecords *job)
{
        size_t lengths[ARRAY_SIZE(string_offsets)], total = 0;
        Record *record;
        char *end;

        for (size_t i = 0; i < ARRAY_SIZE(string_offsets); i++) {
                const char *s = *record_string(&run, i);

                lengths[i] = s ? strlen(s) + 1 : 0;
                total += lengths[i];
        }
        record = malloc(sizeof(*record) + total);
        if (!record)
                return NULL;
        *record = (Record){ .job = job, .size = sizeof(*record) + total, .run = run };
        record->run.job = job->name;
        end = record->strings;
        for (size_t i = 0; i < ARRAY_SIZE(string_offsets); i++)
                if (lengths[i] > 0) {
                        *record_string(&record->run, i) = memcpy(end, *record_string(&run, i), lengths[i]);
                        end += lengths[i];
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
        record = job ? record_new(*run, job) : NULL;
        if (!record)
                goto lost;
        if (job->n >= m->keep_runs) {
                /* The new one is in its list first, so that the job is not dropped with its last record. */
                list_append(&job->records, &record->in_job);
                job->n++;
                while (job->n > m->keep_runs)
                        drop(m, list_first(&job->records, Record, in_job));
        } else {
                list_append(&job->records, &record->in_job);
                job->n++;
        }
        list_append(&m->all, &record->in_all);
        (void)RB_INSERT(RecordTree, &m->records, record);
        m->n++;
        m->bytes += record->size;
        trim(m);
        return;
lost:
        store->n_lost++;
        if (job && job->n == 0) {
                RB_REMOVE(JobRecordsTree, &m->jobs, job);
                free(job);
        }
}

static bool matches(const StoreQuery *query, const Record *record)
{
        if (query->states != 0 && !(query->states & (1U << record->run.state)))
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
        JobRecords *job = find_job(m, query->jobs[0]);
        size_t n = 0;

        for (List *l = job ? job->records.prev : NULL; l && l != &job->records; l = l->prev) {
                Record *record = container_of(l, Record, in_job);

                if ((query->before > 0 && record->run.id >= query->before) || !matches(query, record))
                        continue;
                if (!answer->found(&record->run, answer->userdata) || ++n == query->limit)
                        break;
        }
}

static void memory_query(Store *store, const StoreQuery *query, const StoreAnswer *answer)
{
        MemoryStore *m = container_of(store, MemoryStore, store);
        size_t n = 0;

        if (query->id > 0) {
                Record *record = RB_FIND(RecordTree, &m->records, &(Record){ .run.id = query->id });

                if (record && matches(query, record)) {

                        (void)answer->found(&record->run, answer->userdata);
                }
        } else if (query->n_jobs == 1 && !strpbrk(query->jobs[0], "*?[\\")) {
                query_job(m, query, answer);
        } else {
                for (Record *record = newest_before(m, query->before); record; record = RB_PREV(RecordTree, &m->records, record)) {

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

        m->keep_runs = keep_runs;
        m->keep_runs_total = keep_runs_total;
        for (JobRecords *job = RB_MIN(JobRecordsTree, &m->jobs), *next; job; job = next) {
                next = RB_NEXT(JobRecordsTree, &m->jobs, job);
                /* The last one takes the job with it. */
                for (unsigned excess = job->n > keep_runs ? job->n - keep_runs : 0; excess > 0; excess--)
                        drop(m, list_first(&job->records, Record, in_job));
        }
        trim(m);
}

static Store *memory_free(Store *store)
{
        MemoryStore *m = container_of(store, MemoryStore, store);

        while (m->n > 0)
                drop(m, list_first(&m->all, Record, in_all));
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
        RB_INIT(&m->jobs);
        list_init(&m->all);
        *ret = &m->store;
        return 0;
}
