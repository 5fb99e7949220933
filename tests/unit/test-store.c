/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "store/store.h"

static const char *const jobs[] = { "a", "b" };

static void append(Store *store, uint64_t id, const char *job, RunState state, size_t result_len)
{
        RunRecord run = { .id = id, .job = job, .state = state };
        _cleanup_free_ char *result = NULL;

        if (result_len > 0) {
                result = calloc(1, result_len + 1);
                assert_non_null(result);
                memset(result, '1', result_len);
                run.result = result;
        }
        store_append(store, &run);
}

typedef struct Found {
        uint64_t ids[64];
        size_t n;
} Found;

static bool on_found(const RunRecord *record, void *userdata)
{
        Found *found = userdata;

        assert_true(found->n < ARRAY_SIZE(found->ids));
        found->ids[found->n++] = record->id;
        return true;
}

static Found query(Store *store, const StoreQuery *q)
{
        Found found = {};

        store_query(store, q, &(StoreAnswer){ .found = on_found, .userdata = &found });
        return found;
}

static void test_limits(_unused_ void **state)
{
        Store *store;
        Found found;

        assert_ok(memory_store_new(&store));
        store_set_limits(store, 5, 8);
        for (uint64_t id = 1; id <= 20; id++)
                append(store, id, jobs[id % 2], id % 4 == 0 ? RUN_FAILED : RUN_SUCCEEDED, 3);
        found = query(store, &(StoreQuery){});
        assert_int_equal(found.n, 8);
        assert_int_equal(found.ids[0], 20);
        assert_int_equal(found.ids[7], 13);
        found = query(store, &(StoreQuery){ .jobs = (const char *const[]){ "a" }, .n_jobs = 1, .limit = 2 });
        assert_int_equal(found.n, 2);
        assert_int_equal(found.ids[0], 20);
        found = query(store, &(StoreQuery){ .states = 1U << RUN_FAILED, .before = 20 });
        assert_int_equal(found.n, 1);
        assert_int_equal(found.ids[0], 16);

        /* Lower limits count at once. */
        store_set_limits(store, 2, 8);
        assert_int_equal(query(store, &(StoreQuery){}).n, 4);
        store_set_limits(store, 0, 8);
        assert_int_equal(query(store, &(StoreQuery){}).n, 0);
        append(store, 21, jobs[0], RUN_SUCCEEDED, 0);
        assert_int_equal(query(store, &(StoreQuery){}).n, 0);
        store_free(store);
}

/* Records come in any order of ids, and go, before and after they were asked for. */
static void test_order(_unused_ void **state)
{
        static const uint64_t ids[] = { 5, 3, 9, 1, 7 };
        Store *store;
        Found found;

        assert_ok(memory_store_new(&store));
        store_set_limits(store, 3, 5);
        for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
                append(store, ids[i], jobs[i % 2], RUN_SUCCEEDED, 0);
        /* The last one, 6, takes the place of 5, the first to end. */
        append(store, 6, "a", RUN_SUCCEEDED, 0);
        found = query(store, &(StoreQuery){});
        assert_int_equal(found.n, 5);
        for (size_t i = 0; i < found.n; i++)
                assert_int_equal(found.ids[i], ((const uint64_t[]){ 9, 7, 6, 3, 1 })[i]);
        assert_int_equal(query(store, &(StoreQuery){ .id = 5 }).n, 0);

        /* Some of these are in the tree now, others are not. */
        append(store, 2, "b", RUN_SUCCEEDED, 0);
        append(store, 12, "b", RUN_SUCCEEDED, 0);
        append(store, 10, "b", RUN_SUCCEEDED, 0);
        found = query(store, &(StoreQuery){ .jobs = (const char *const[]){ "b" }, .n_jobs = 1 });
        assert_int_equal(found.n, 3);
        assert_int_equal(found.ids[0], 10);
        assert_int_equal(found.ids[2], 2);
        found = query(store, &(StoreQuery){ .before = 11 });
        assert_int_equal(found.n, 4);
        for (size_t i = 0; i < found.n; i++)
                assert_int_equal(found.ids[i], ((const uint64_t[]){ 10, 7, 6, 2 })[i]);
        store_free(store);
}

/* Results may be large: what all of them take together is capped as well. */
static void test_bytes(_unused_ void **state)
{
        Store *store;
        Found found;

        assert_ok(memory_store_new(&store));
        for (uint64_t id = 1; id <= 10; id++)
                append(store, id, jobs[0], RUN_SUCCEEDED, STORE_KEEP_BYTES_TOTAL / 4);
        found = query(store, &(StoreQuery){});
        assert_int_equal(found.n, 3);
        assert_int_equal(found.ids[0], 10);
        store_free(store);
}

int main(void)
{
        const struct CMUnitTest tests[] = { RUN(test_limits), RUN(test_order), RUN(test_bytes) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
